"""Goals 7, 8, 15 for the référencier: 350,000 lines of 18 columns, five sizes a model, against
plain sqlite3 (and COPY on PostgreSQL) writing the same rows to the same tables, search words
included; the same file with 1 % changed; memory; pages and writes of others meanwhile.
"""

import csv
import os
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from _common import (
    ROOT,
    ean,
    import_figures,
    import_here,
    imported,
    installation,
    result,
    scratch,
    served,
)

LINES = 350_000
HEADER = (
    "reference-fournisseur;ean;designation;marque;fabricant;rayon;famille;sous-famille;couleur;matiere;taille;pointure;prix-achat-ht;prix-conseille-ttc;"
    "tva;saison;actif;maj-le\n"
)
WHEN = "2026-11-22 10:00:00.000000"


def referencier(path: Path, lines: int, shift: int = 0, sizes: int = 5) -> None:
    """So many sizes a model, 600 brands; `shift` changes the price of 1 line in 100."""
    with path.open("w") as file:
        file.write(HEADER)
        for n in range(lines):
            model, price = n // sizes, 1000 + n % 18_000 + (shift if n % 100 == 0 else 0)
            file.write(
                f"REF{model};{ean(n)};Derby numero {model} Lormont;Marque {model % 600};Fabricant"
                f" {model % 90};Rayon {model % 12};Famille {model % 60};Sous"
                f" {model % 240};Noir;Cuir;;{36 + n % sizes};{price // 200},50;"
                f"{price // 100},{price % 100:02d};20;Hiver"
                " 2026;oui;\n"
            )


def ours(folder: Path, lines: int, shift: int = 0, sizes: int = 5) -> tuple[float, float]:
    referencier(folder / "ref.csv", lines, shift, sizes)
    return imported(__file__, folder / "ref.csv")


def rows_of(path: Path):
    """What any loader must make of the file: brands, products, variants, prices, words; prepared in
    Python, no check, no report.
    """
    brands: dict[str, int] = {}
    fresh, products, variants, prices, words = [], [], [], [], []
    model, product = "", 0
    with path.open() as file:
        lines = csv.reader(file, delimiter=";")
        next(lines)
        for n, row in enumerate(lines, 1):
            if row[3] not in brands:
                fresh.append((len(brands) + 1, row[3], False))
            brand = brands.setdefault(row[3], len(brands) + 1)
            if row[0] != model:
                model, product = row[0], product + 1
                products.append(
                    (
                        product,
                        row[2],
                        "goods",
                        "validated",
                        row[0],
                        brand,
                        row[4],
                        row[5],
                        row[6],
                        row[7],
                        row[15],
                        2000,
                        "",
                        "{}",
                        WHEN,
                        WHEN,
                    )
                )
                words.append(
                    (
                        product,
                        f"{row[2]} {row[3]} {row[4]} {row[0]} {row[5]} {row[6]} {row[7]} {row[8]}"
                        f" {row[9]}".lower(),
                    )
                )
            cents = int(row[13].replace(",", ""))
            variants.append(
                (
                    n,
                    product,
                    row[1],
                    row[8],
                    row[9],
                    row[10],
                    row[11],
                    "",
                    int(row[12].replace(",", "")),
                    cents,
                    True,
                    WHEN,
                )
            )
            prices.append((n, cents, WHEN))
            if n % 10_000 == 0:
                yield fresh, products, variants, prices, words
                fresh, products, variants, prices, words = [], [], [], [], []
    yield fresh, products, variants, prices, words


PRODUCT = (
    "id, title, kind, status, supplier_ref, brand_id, maker, category, family, subfamily, season,"
    " vat_bp, description, attributes, created_at, updated_at"
)
VARIANT = (
    "id, product_id, ean, color, material, size, shoe_size, edition, buy_cents, advised_cents,"
    " active, updated_at"
)


def plain_sqlite(folder: Path) -> float:
    database = sqlite3.connect(folder / "comptoir.db")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    start = time.perf_counter()
    with database:
        for brands, products, variants, prices, words in rows_of(folder / "ref.csv"):
            database.executemany(
                "INSERT INTO brand (id, name, needs_agreement) VALUES (?, ?, ?)", brands
            )
            database.executemany(
                f"INSERT INTO product ({PRODUCT}) VALUES ({', '.join('?' * 16)})", products
            )
            database.executemany(
                f"INSERT INTO variant ({VARIANT}) VALUES ({', '.join('?' * 12)})", variants
            )
            database.executemany(
                "INSERT INTO price_point (variant_id, price_cents, since) VALUES (?, ?, ?)", prices
            )
            database.executemany("INSERT INTO search_index (rowid, words) VALUES (?, ?)", words)
    seconds = time.perf_counter() - start
    database.close()
    return seconds


def copied(address: str, path: Path) -> float:
    import psycopg

    with psycopg.connect(address) as server:
        start = time.perf_counter()
        for brands, *rest in rows_of(path):
            for table, columns, rows in zip(
                ("brand", "product", "variant", "price_point", "search_index"),
                (
                    "id, name, needs_agreement",
                    PRODUCT,
                    VARIANT,
                    "variant_id, price_cents, since",
                    "rowid, words",
                ),
                (brands, *rest),
                strict=True,
            ):
                with server.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
        server.commit()
        return time.perf_counter() - start


def on_postgres() -> None:
    import psycopg

    server = os.environ.get(
        "COMPTOIR_TEST_DATABASE_URL", "postgresql:///postgres?host=/var/run/postgresql"
    )
    try:
        psycopg.connect(server, connect_timeout=3).close()
    except Exception as error:
        print(f"PostgreSQL does not answer ({str(error).splitlines()[0]}): COPY is not measured")
        return
    times = []
    for which in ("ours", "copy"):
        name = f"comptoir_bench_{os.getpid()}"
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
        try:
            with scratch() as folder:
                os.environ["COMPTOIR_DATABASE_URL"] = (
                    f"postgresql:///{name}?host=/var/run/postgresql"
                )
                subprocess.run(
                    [sys.executable, __file__, "init"], cwd=ROOT, check=True, capture_output=True
                )
                referencier(folder / "ref.csv", LINES)
                times.append(
                    ours(folder, LINES)[0]
                    if which == "ours"
                    else copied(
                        f"postgresql:///{name}?host=/var/run/postgresql", folder / "ref.csv"
                    )
                )
        finally:
            os.environ.pop("COMPTOIR_DATABASE_URL", None)
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    mine, base = times
    result(
        "référencier on PostgreSQL, 350,000 lines (share of COPY)",
        f"{LINES / mine:,.0f}/s",
        f"{LINES / base:,.0f}/s",
        base / mine,
        ">= 0.35",
        base / mine >= 0.35,
    )


def while_it_runs(folder: Path) -> None:
    """A buyer's page and a seller's price, asked all the while a file is loaded."""
    app = installation()
    with app.app_context():
        from services import settings
        from services.unit import unit_of_work
        from services.workflow import Actor

        with unit_of_work():
            settings.change("quotes_per_minute", "0", by=Actor("command", None, "bench"))
    ours(folder, 3_000)
    with served("app:create_app()") as address:
        quiet = asked(address, threading.Event(), seconds=3)
        done = threading.Event()
        seconds: list[float] = []
        asking = threading.Thread(target=lambda: seconds.extend(asked(address, done)))
        asking.start()
        ours(folder, LINES, shift=3)
        done.set()
        asking.join()
    busy, still = sorted(seconds)[int(len(seconds) * 0.95)], sorted(quiet)[int(len(quiet) * 0.95)]
    result(
        "p95 of the public price page while the file is loaded (ms)",
        f"{busy * 1000:.0f}",
        f"{still * 1000:.0f} quiet",
        busy,
        "<= 1 s",
        busy <= 1,
    )


def asked(address: str, done: threading.Event, seconds: float = 600) -> list[float]:
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end and not done.is_set():
        start = time.perf_counter()
        urllib.request.urlopen(f"{address}/?ean={ean(5)}", timeout=30).read()
        found.append(time.perf_counter() - start)
        time.sleep(0.05)
    return found


def one_a_product() -> None:
    """A catalogue in which each reference is a product of its own: games, books."""
    with scratch() as folder:
        installation()
        mine, memory = ours(folder, LINES, sizes=1)
    with scratch() as folder:
        installation()
        referencier(folder / "ref.csv", LINES, sizes=1)
        base = plain_sqlite(folder)
    result(
        "référencier, one reference a product (share of plain sqlite3)",
        f"{LINES / mine:,.0f}/s",
        f"{LINES / base:,.0f}/s",
        base / mine,
        ">= 0.35",
        base / mine >= 0.35,
    )
    print(f"its memory: {memory:,.0f} MB")


def main() -> None:
    per_line = {}
    for lines in (LINES // 10, LINES):
        with scratch() as folder:
            installation()
            seconds, memory = ours(folder, lines)
            per_line[lines] = seconds / lines
            if lines == LINES:
                again, _memory = ours(folder, lines, shift=7)
    with scratch() as folder:
        installation()
        referencier(folder / "ref.csv", LINES)
        baseline = plain_sqlite(folder)
    import_figures("référencier", LINES, per_line, memory, again, baseline)
    one_a_product()
    on_postgres()
    with scratch() as folder:
        while_it_runs(folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["init"]:
        installation()
    elif sys.argv[1:2] == ["import"]:
        import_here(sys.argv[2], "catalogue")
    else:
        main()
