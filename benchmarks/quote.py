"""Goals 1, 15: the EAN quote over HTTP with 350,000 references, limiter off, against a bare Flask
route doing the same reads.
"""

import random
import sys
from pathlib import Path

from _common import ean, installation, price_list, requests_per_second, result, scratch, served

BARE = """
import sqlite3, sys, threading
from flask import Flask, jsonify, request
app, kept = Flask(__name__), threading.local()
SQL = ("SELECT v.id, v.argus_cents, p.title, p.category, p.platform_id, f.name "
       "FROM variant v JOIN product p ON p.id = v.product_id "
       "LEFT JOIN platform f ON f.id = p.platform_id WHERE v.ean = ?")
from sqlalchemy import create_engine, text
engine = create_engine("sqlite:///{database}")
@app.get("/api/v1/quote")
def quote():
    with engine.connect() as connection:
        query = text(SQL.replace("?", ":ean"))
        row = connection.execute(query, {{"ean": request.args["ean"]}}).first()
    if row is None:
        return jsonify(status="unknown")
    return jsonify(ean=request.args["ean"], title=row[2], platform=row[5], status="bought",
                   price=str(row[1] * 0.4), currency="EUR", explanation="argus")
"""


def measure(references: int) -> tuple[float, float]:
    with scratch() as folder:
        app = installation()
        price_list(folder / "liste.csv", references)
        with app.app_context():
            from services import settings
            from services.imports import runs
            from services.unit import unit_of_work
            from services.workflow import Actor

            me = Actor("command", None, "bench")
            runs.import_file(folder / "liste.csv", by=me)
            with unit_of_work():
                settings.change("quotes_per_minute", "0", by=me)
        (folder / "bare.py").write_text(BARE.format(database=folder / "comptoir.db"))
        dice = random.Random(1)
        paths = [f"/api/v1/quote?ean={ean(dice.randrange(references))}" for _n in range(500)]
        pairs = []
        with served("app:create_app()") as product, served("bare:app", cwd=folder) as bare:
            for address in (product, bare):
                requests_per_second(address, paths, 2)  # warm
            for _n in range(3):
                pairs.append(
                    (requests_per_second(product, paths), requests_per_second(bare, paths))
                )
    return sorted(pairs, key=lambda p: p[0] / p[1])[1]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    ours, bare = measure(350_000)
    result(
        "EAN quote, 350,000 references, a second",
        f"{ours:,.0f}",
        f"{bare:,.0f}",
        ours / bare,
        ">= 0.50",
        ours / bare >= 0.5,
    )
    small, bare_small = measure(35_000)
    growth = (small / bare_small) / (ours / bare)
    result(
        "quote: share of bare at 35,000 over that at 350,000",
        f"{small:,.0f}",
        f"{bare_small:,.0f}",
        growth,
        "<= 1.30",
        growth <= 1.3,
    )
