"""Goal 9: 1,600 stock files of 500 lines, first and all changed, against raw sqlite3 (unnest on
PostgreSQL) writing the same levels and movements, one transaction a shop; and the same files again.
"""

import csv
import os
import sqlite3
import sys
import time
from pathlib import Path

from _common import ean, installation, result, scratch

SHOPS, LINES, REFERENCES = int(os.environ.get("COMPTOIR_BENCH_SHOPS", "1600")), 500, 50_000
WHEN = "2026-11-22 10:00:00.000000"


def prepare(app) -> tuple[int, list[int]]:
    """A catalogue and the shops of one vendor."""
    from models import Store, Vendor
    from services import clock
    from services.catalogue import products
    from services.unit import db, insert_many, raw, unit_of_work

    with app.app_context():
        with unit_of_work() as session:
            now = raw(clock.now())
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
                    for n in range(1, REFERENCES + 1)
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
                [(n, n, ean(n), "", "", "", "", "", True, now) for n in range(1, REFERENCES + 1)],
            )
        with unit_of_work() as session:
            session.connection().exec_driver_sql("ANALYZE")  # as the référencier's import leaves it
            vendor = session.scalars(db.select(Vendor)).first()
            stores = [
                Store(vendor_id=vendor.id, name=f"Magasin {n}", code=f"S{n}") for n in range(SHOPS)
            ]
            session.add_all(stores)
            session.flush()
            assert products.by_ean(ean(5)) is not None
            return vendor.id, [store.id for store in stores]


def files(folder: Path, shift: int) -> list[Path]:
    made = []
    for shop in range(SHOPS):
        path = folder / f"stock-{shop}-{shift}.csv"
        start = shop * 37 % (REFERENCES - 2 * LINES) + 1
        path.write_text(
            "ean;quantite\n"
            + "".join(f"{ean(start + 2 * n)};{(n + shift) % 9 + 1}\n" for n in range(LINES))
        )
        made.append(path)
    return made


def ours(app, paths: list[Path], stores: list[int]) -> float:
    """Given and loaded as the worker does, the run and its report included."""
    from models import Store
    from services.imports import runs
    from services.unit import unit_of_work
    from services.workflow import Actor

    by, kept = Actor("machine", None, "bench"), [runs.keep(path, path.name) for path in paths]
    with app.app_context():
        start = time.perf_counter()
        for file, store_id in zip(kept, stores, strict=True):
            with unit_of_work() as session:
                run = runs.receive(
                    file, "stock", by=by, store=session.get_one(Store, store_id), mode="full"
                )
                session.flush()
                id = run.id
            runs.load(id)
        seconds = time.perf_counter() - start
        from models import ImportRun
        from services.unit import db

        assert {
            r.state.value
            for r in db.session.scalars(
                db.select(ImportRun).order_by(ImportRun.id.desc()).limit(SHOPS)
            )
        } == {"complete"}
    return seconds


def raw_sqlite(
    folder: Path, paths: list[Path], stores: list[int], vendor: int, first: bool
) -> float:
    database = sqlite3.connect(folder / "comptoir.db", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        database.execute(f"PRAGMA {pragma}")
    start = time.perf_counter()
    ids = dict(database.execute("SELECT ean, id FROM variant"))
    for path, store in zip(paths, stores, strict=True):
        with path.open() as file:
            lines = csv.reader(file, delimiter=";")
            next(lines)
            rows = [(ids[code], int(quantity)) for code, quantity in lines]
        database.execute("BEGIN IMMEDIATE")
        if first:
            database.executemany(
                "INSERT INTO stock_level (vendor_id, store_id, variant_id, quantity, reserved,"
                " place, counted, counted_at, updated_at) VALUES (?, ?, ?, ?, 0, '', ?, ?, ?)",
                [(vendor, store, v, q, q, WHEN, WHEN) for v, q in rows],
            )
            moves = [(v, q) for v, q in rows]
        else:
            before = dict(
                database.execute(
                    "SELECT variant_id, quantity FROM stock_level WHERE store_id = ?", (store,)
                )
            )
            moves = [(v, q - before[v]) for v, q in rows if q != before[v]]
            database.executemany(
                "UPDATE stock_level SET quantity = ?, counted = ?, counted_at = ?, updated_at = ?"
                " WHERE store_id = ? AND variant_id = ?",
                [(q, q, WHEN, WHEN, store, v) for v, q in rows],
            )
        database.executemany(
            "INSERT INTO movement (vendor_id, store_id, variant_id, kind, quantity, reference,"
            " by_name, at, recorded_at, channel) VALUES (?, ?, ?, 'feed', ?, 'bench', 'bench', ?,"
            " ?, '')",
            [(vendor, store, v, q, WHEN, WHEN) for v, q in moves],
        )
        database.execute("COMMIT")
    seconds = time.perf_counter() - start
    database.close()
    return seconds


def raw_postgres(
    address: str, paths: list[Path], stores: list[int], vendor: int, first: bool
) -> float:
    import psycopg

    with psycopg.connect(address, autocommit=True) as server:
        start = time.perf_counter()
        for path, store in zip(paths, stores, strict=True):
            with path.open() as file:
                lines = csv.reader(file, delimiter=";")
                next(lines)
                codes, counts = zip(
                    *((code, int(quantity)) for code, quantity in lines), strict=True
                )
            with server.transaction():
                source = (
                    "unnest(%(codes)s::text[], %(counts)s::int[]) AS f(ean, quantity) JOIN variant"
                    " v ON v.ean = f.ean"
                )
                values = {
                    "codes": list(codes),
                    "counts": list(counts),
                    "vendor": vendor,
                    "store": store,
                    "at": WHEN,
                }
                before = (
                    ""
                    if first
                    else (
                        "JOIN stock_level l ON l.store_id = %(store)s AND l.variant_id = v.id AND"
                        " l.quantity <> f.quantity"
                    )
                )
                change = "f.quantity" if first else "f.quantity - l.quantity"
                server.execute(
                    "INSERT INTO movement (vendor_id, store_id, variant_id, kind, quantity,"
                    " reference, by_name, at, recorded_at, channel) SELECT %(vendor)s, %(store)s,"
                    f" v.id, 'feed', {change}, 'bench', 'bench', %(at)s, %(at)s, '' FROM {source}"
                    f" {before}",
                    values,
                )
                server.execute(
                    "INSERT INTO stock_level (vendor_id, store_id, variant_id, quantity, reserved,"
                    " place, counted, counted_at, updated_at) SELECT %(vendor)s, %(store)s, v.id,"
                    f" f.quantity, 0, '', f.quantity, %(at)s, %(at)s FROM {source} ON CONFLICT"
                    " (store_id, variant_id) DO UPDATE SET quantity = excluded.quantity, counted ="
                    " excluded.counted, counted_at = excluded.counted_at, updated_at ="
                    " excluded.updated_at",
                    values,
                )
        return time.perf_counter() - start


def measure(what: str, goal: float, raw) -> None:
    """First load and all changed, ours and raw on two installations of the same shape; then the
    same files again.
    """
    times: dict[tuple[str, str], float] = {}
    for which in ("ours", "raw"):
        with scratch_on(what) as (folder, address):
            app = installation()
            vendor, stores = prepare(app)
            for shift, phase in ((0, "first"), (3, "changed")):
                paths = files(folder, shift)
                if which == "ours":
                    times[which, phase] = ours(app, paths, stores)
                else:
                    with app.app_context():
                        from services.unit import db

                        db.session.remove()
                        db.engine.dispose()
                    times[which, phase] = raw(address or folder, paths, stores, vendor, shift == 0)
            if which == "ours":
                times["ours", "again"] = ours(app, paths, stores)
    total = SHOPS * LINES
    for phase in ("first", "changed"):
        mine, base = times["ours", phase], times["raw", phase]
        share = base / mine
        result(
            f"{SHOPS} feeds of {LINES} lines, {phase}, {what}",
            f"{total / mine:,.0f}/s",
            f"{total / base:,.0f}/s",
            share,
            f">= {goal:.2f}",
            share >= goal,
        )
    result(
        f"the same {SHOPS} feeds again, {what} (feeds a second)",
        f"{SHOPS / times['ours', 'again']:,.0f}",
        "–",
        0,
        "told",
        True,
    )


class scratch_on:
    """A scratch installation on an engine; the directory, and the address of the database when it
    is a server's.
    """

    def __init__(self, what: str) -> None:
        self.what, self.place = what, scratch()

    def __enter__(self):
        folder = self.place.__enter__()
        if self.what == "SQLite":
            return folder, ""
        import psycopg

        self.name = f"comptoir_bench_{os.getpid()}"
        with psycopg.connect(SERVER, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{self.name}"')
        address = f"postgresql:///{self.name}?host=/var/run/postgresql"
        os.environ["COMPTOIR_DATABASE_URL"] = address
        return folder, address

    def __exit__(self, *error):
        os.environ.pop("COMPTOIR_DATABASE_URL", None)
        if self.what != "SQLite":
            import psycopg

            with psycopg.connect(SERVER, autocommit=True) as admin:
                admin.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        return self.place.__exit__(*error)


SERVER = os.environ.get(
    "COMPTOIR_TEST_DATABASE_URL", "postgresql:///postgres?host=/var/run/postgresql"
)


def main() -> None:
    measure("SQLite", 0.35, raw_sqlite)
    try:
        import psycopg

        psycopg.connect(SERVER, connect_timeout=3).close()
    except Exception as error:
        print(
            f"PostgreSQL does not answer ({str(error).splitlines()[0]}): unnest is not measured",
            file=sys.stderr,
        )
        return
    measure("PostgreSQL", 0.70, raw_postgres)


if __name__ == "__main__":
    main()
