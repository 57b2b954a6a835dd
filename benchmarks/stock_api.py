"""How many stock updates a second the door for machines takes over HTTP (2 sync workers, one
client): lines published, and events of tills, beside a bare Flask route that commits one
conditional update of the same table.
"""

import http.client
import json
import os
import tempfile
import time
from pathlib import Path

from _common import ean, installation, result, scratch, served

BARE = """
import os, sqlite3
from flask import Flask, request
app = Flask(__name__)
def db():
    path = os.environ["COMPTOIR_DATA_DIR"] + "/comptoir.db"
    c = sqlite3.connect(path, isolation_level=None, timeout=10)
    c.execute("PRAGMA journal_mode = WAL"); c.execute("PRAGMA synchronous = FULL")
    return c
con = None
@app.get("/api/v1/quote")
def quote(): return {}
@app.post("/one")
def one():
    global con
    con = con or db()
    body = request.get_json()
    con.execute("BEGIN IMMEDIATE")
    con.execute("UPDATE stock_level SET quantity = quantity - 1 WHERE quantity > 0 AND "
                "variant_id = (SELECT id FROM variant WHERE ean = ?)", (body["ean"],))
    con.execute("INSERT INTO movement (vendor_id, store_id, variant_id, kind, quantity, "
                "price_cents, channel, reference, by_name, at, recorded_at) "
                "SELECT vendor_id, store_id, variant_id, 'sale', -1, 100, 'till', '', 'bare', "
                "'2026-11-25 10:00:00.000000', '2026-11-25 10:00:00.000000' FROM stock_level "
                "WHERE variant_id = (SELECT id FROM variant WHERE ean = ?)", (body["ean"],))
    con.execute("COMMIT")
    return {"status": "ok"}
"""


def told(
    address: str, path: str, method: str, bodies, headers: dict[str, str], seconds: float = 4.0
) -> float:
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        connection.request(
            method, path, json.dumps(next(bodies)), {"content-type": "application/json", **headers}
        )
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body)
        done += 1
    return done / seconds


def main() -> None:
    with scratch() as folder:
        app = installation()
        with app.app_context():
            from models import Store, Vendor
            from services import clock
            from services.people import machine_keys
            from services.stock import levels
            from services.unit import db, insert_many, raw, unit_of_work
            from services.workflow import Actor

            by, now = Actor("command", None, "bench"), raw(clock.now())
            with unit_of_work() as session:
                connection = session.connection()
                insert_many(
                    connection,
                    "product",
                    (
                        "id",
                        "title",
                        "kind",
                        "status",
                        "maker",
                        "supplier_ref",
                        "category",
                        "family",
                        "subfamily",
                        "season",
                        "vat_bp",
                        "description",
                        "attributes",
                        "created_at",
                        "updated_at",
                    ),
                    [
                        (
                            n,
                            f"Derby {n}",
                            "goods",
                            "validated",
                            "",
                            "",
                            "",
                            "",
                            "",
                            "",
                            2000,
                            "",
                            "{}",
                            now,
                            now,
                        )
                        for n in range(1, 5_001)
                    ],
                )
                insert_many(
                    connection,
                    "variant",
                    (
                        "id",
                        "product_id",
                        "ean",
                        "color",
                        "material",
                        "size",
                        "shoe_size",
                        "edition",
                        "active",
                        "updated_at",
                    ),
                    [(n, n, ean(n), "", "", "", "", "", True, now) for n in range(1, 5_001)],
                )
                vendor, store = (
                    session.scalars(db.select(Vendor)).first(),
                    session.scalars(db.select(Store)).first(),
                )
                insert_many(
                    connection,
                    "stock_level",
                    (
                        "vendor_id",
                        "store_id",
                        "variant_id",
                        "quantity",
                        "reserved",
                        "counted",
                        "place",
                        "updated_at",
                    ),
                    [(vendor.id, store.id, v, 9_000, 0, 9_000, "", now) for v in range(1, 5_001)],
                )
                _key, secret = machine_keys.make(
                    vendor, "bench", ["till", "stock"], by=by, store=store, per_minute=100_000
                )
            assert levels.MOST
        headers = {"Authorization": f"Bearer {secret}"}
        numbers = iter(range(1, 10**9))

        def sales():
            for n in numbers:
                yield {
                    "number": n,
                    "ean": ean(n % 5_000 + 1),
                    "quantity": 1,
                    "price": "1.00",
                    "at": "2026-11-25T10:00:00+01:00",
                }

        def lines(size: int):
            n = 0
            while True:
                n += 1
                yield {
                    "lines": [
                        {"ean": ean((n * size + i) % 5_000 + 1), "quantity": n % 50}
                        for i in range(size)
                    ]
                }

        def queue(first: int) -> dict:
            """A till that was off line for a day, with its 500 sales of 60 articles."""
            return {
                "events": [
                    {
                        "number": first + n,
                        "kind": "sale",
                        "ean": ean(first % 4_000 + n % 60 + 1),
                        "quantity": 1,
                        "price": "1.00",
                        "at": "2026-11-25T10:00:00+01:00",
                    }
                    for n in range(500)
                ]
            }

        client, times = app.test_client(), []
        for first in (1_000_000, 2_000_000, 3_000_000):
            begun = time.process_time()
            answer = client.post("/api/v1/till/events", json=queue(first), headers=headers)
            times.append(time.process_time() - begun)
            taken = answer.get_json()["results"]
            assert [one["status"] for one in taken] == ["ok"] * 500, taken[:3]
        seconds = sorted(times)[1]
        result(
            "a queue of 500 till events: seconds of processor (share of the limit)",
            f"{seconds:.2f} s",
            "2 s",
            seconds / 2,
            "≤ 1",
            seconds <= 2,
        )
        with served("app:create_app()") as address:
            told(address, "/api/v1/till/sales", "POST", sales(), headers, 1.0)
            events = told(address, "/api/v1/till/sales", "POST", sales(), headers)
            ones = told(address, "/api/v1/stock", "PUT", lines(1), headers)
            hundreds = 100 * told(address, "/api/v1/stock", "PUT", lines(100), headers)
        with tempfile.TemporaryDirectory() as place:
            Path(place, "bare.py").write_text(BARE)
            with served(
                "bare:app",
                cwd=Path(place),
                COMPTOIR_DATA_DIR=str(folder),
                PYTHONPATH=os.pathsep.join([place]),
            ) as address:
                base = told(address, "/one", "POST", sales(), {})
        result(
            "counter sales a second by the API (share of a bare Flask route)",
            f"{events:,.0f}/s",
            f"{base:,.0f}/s",
            events / base,
            "told",
            True,
        )
        result(
            "stock published, one barcode a request",
            f"{ones:,.0f}/s",
            f"{base:,.0f}/s",
            ones / base,
            "told",
            True,
        )
        result(
            "stock published, 100 barcodes a request (lines)",
            f"{hundreds:,.0f}/s",
            f"{base:,.0f}/s",
            hundreds / base,
            "told",
            True,
        )


if __name__ == "__main__":
    main()
