"""Goals 4 and 10: search of 1 to 3 words and facets over 350,000 titles on both engines, beside the
bare full-text query of the same engine in the same run; the list of new stock at 100,000 and at
1,000,000 levels over HTTP (COMPTOIR_BENCH_LEVELS: more). django-oscar's built-in search and its
dashboard are measured in the same run (`make peers`), with 100,000 products.
"""

import os
import random
import statistics
import sys
import time

import _peer
import _words
from _common import ean, installation, result, scratch, signed_in
from feeds import SERVER, scratch_on

TITLES, LEVELS = 350_000, int(os.environ.get("COMPTOIR_BENCH_LEVELS", "1000000"))


def fill(app) -> list[list[str]]:
    """Titles of 3 to 6 words, common ones common (Zipf); one reference each; the words as the
    product's own indexing makes them.
    """
    from services import clock
    from services.catalogue import search
    from services.unit import insert_many, raw, unit_of_work

    titles, described = _words.titles(TITLES), _words.descriptions(TITLES)
    with app.app_context():
        now = raw(clock.now())
        with unit_of_work() as session:
            connection = session.connection()
            insert_many(
                connection,
                "brand",
                ("id", "name", "needs_agreement"),
                [(n, f"Marque {n}", False) for n in range(1, 601)],
            )
            insert_many(
                connection,
                "product",
                (
                    "id",
                    "title",
                    "kind",
                    "status",
                    "brand_id",
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
                        " ".join(t),
                        "goods",
                        "validated",
                        n % 600 + 1,
                        "",
                        f"R{n}",
                        f"Rayon {n % 12}",
                        f"Famille {n % 60}",
                        "",
                        "",
                        2000,
                        described[n - 1],
                        "{}",
                        now,
                        now,
                    )
                    for n, t in enumerate(titles, 1)
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
                    "advised_cents",
                    "active",
                    "updated_at",
                ),
                [
                    (
                        n,
                        n,
                        ean(n),
                        ("Noir", "Brun", "Bleu")[n % 3],
                        "Cuir",
                        "",
                        str(36 + n % 10),
                        "",
                        1000 + n % 20_000,
                        True,
                        now,
                    )
                    for n in range(1, TITLES + 1)
                ],
            )
            insert_many(
                connection, "search_todo", ("product_id",), [(n,) for n in range(1, TITLES + 1)]
            )
        start = time.perf_counter()
        search.catch_up()
        seconds = time.perf_counter() - start
        result("indexing products", f"{TITLES / seconds:,.0f}/s", "–", 0, "told", True)
        with unit_of_work() as session:
            session.connection().exec_driver_sql("ANALYZE")
    return titles


def timed(work, queries) -> list[float]:
    found = []
    for query in queries:
        start = time.perf_counter()
        work(query)
        found.append(time.perf_counter() - start)
    return found


def p(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000


def measure(what: str) -> None:
    from sqlalchemy import text

    from services.catalogue import search
    from services.unit import db, is_sqlite

    dice = random.Random(4)
    with scratch_on(what) as (_folder, _address):
        app = installation()
        titles = fill(app)
        with app.app_context():
            bare = (  # the engine's own query, nothing around it
                "SELECT rowid FROM search_index WHERE search_index MATCH :m ORDER BY rowid DESC"
                " LIMIT 20"
                if is_sqlite()
                else (
                    "SELECT rowid FROM search_index WHERE tsv @@ to_tsquery('simple', :m) ORDER BY"
                    " rowid DESC LIMIT 20"
                )
            )
            for words in (1, 2, 3):
                queries = [" ".join(dice.sample(dice.choice(titles), words)) for _n in range(200)]

                def base(query: str) -> None:
                    db.session.execute(text(bare), {"m": search._match(query)}).all()
                    db.session.rollback()

                def ours(query: str) -> None:
                    search.products(search.find(search.Asked(query)).ids)
                    db.session.rollback()

                timed(base, queries[:20]), timed(ours, queries[:20])
                mine, theirs = timed(ours, queries), timed(base, queries)
                result(
                    f"search, {words} word(s), {what}, p50 / p99 ms (whole page of products)",
                    f"{p(mine, 0.5):.1f}/{p(mine, 0.99):.0f}",
                    f"{p(theirs, 0.5):.2f}/{p(theirs, 0.99):.0f}",
                    p(mine, 0.99) / 30,
                    "p99 <= 30 ms",
                    p(mine, 0.99) <= 30,
                )
            queries = [dice.choice(dice.choice(titles)) for _n in range(60)]
            facets = timed(
                lambda query: (search.facets(search.Asked(query)), db.session.rollback()),
                [*queries, "", ""],
            )
            result(
                f"facets of one word, {what}, p50 / p99 ms",
                f"{p(facets, 0.5):.0f}/{p(facets, 0.99):.0f}",
                "300",
                p(facets, 0.95) / 300,
                "p95 <= 300",
                p(facets, 0.95) <= 300,
            )
            wrong = timed(
                lambda query: (search.find(search.Asked(query)), db.session.rollback()),
                [dice.choice(dice.choice(titles))[:-2] + "qz" for _n in range(20)],
            )
            result(
                f"a mistyped word corrected, {what}, p50 ms",
                f"{p(wrong, 0.5):.0f}",
                "–",
                0,
                "told",
                True,
            )
            rate = 1 / statistics.mean(
                timed(
                    lambda query: (search.find(search.Asked(query)), db.session.rollback()),
                    [dice.choice(dice.choice(titles)) for _n in range(200)],
                )
            )
            with _peer.served(what) as peer:
                if peer:
                    theirs = 1000 / peer.median_ms(*(f"/search/?q={t[0]}" for t in titles[:3]))
                    result(
                        f"searches a second, one process, {what} (django-oscar's)",
                        f"{rate:,.0f}",
                        f"{theirs:.1f}",
                        rate / theirs,
                        ">= 500",
                        rate / theirs >= 500,
                    )


def levels_list() -> None:
    """The staff list of new stock over HTTP, signed in, at 100,000 and 1,000,000 levels (or as many
    as are asked for).
    """
    times = {}
    for count in (100_000, LEVELS):
        with scratch():
            app = installation()
            with app.app_context():
                from models import Store, Vendor
                from services import clock
                from services.unit import db, insert_many, raw, unit_of_work

                now = raw(clock.now())
                with unit_of_work() as session:
                    vendor = session.scalars(db.select(Vendor)).first()
                    stores = [
                        Store(vendor_id=vendor.id, name=f"Magasin {n}", code=f"S{n}")
                        for n in range(count // 5_000)
                    ]
                    session.add_all(stores)
                    session.flush()
                    ids, vendor_id = [s.id for s in stores], vendor.id
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
                    for store in ids:
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
                            [(vendor_id, store, v, v % 7, 0, 0, "", now) for v in range(1, 5_001)],
                        )
                db.session.remove()
            client = signed_in(app)
            pages = [
                "/gestion/stock-neuf/list/",
                "/gestion/stock-neuf/list/?page=4",
                "/gestion/stock-neuf/list/?taille=50",
            ]
            for page in pages:
                assert client.get(page).status_code == 200, client.get(page).location
            times[count] = statistics.median(timed(client.get, pages * 10)) * 1000
    growth = times[LEVELS] / times[100_000]
    result(
        f"list of new stock, {LEVELS:,} levels against 100,000 (ms)",
        f"{times[LEVELS]:.0f}",
        f"{times[100_000]:.0f}",
        growth,
        "<= 1.50",
        growth <= 1.5,
    )
    with _peer.served() as peer:
        if peer:
            theirs = peer.median_ms("/dashboard/catalogue/", "/dashboard/catalogue/?page=4")
            result(
                f"the same, {LEVELS:,} levels (django-oscar's dashboard, 100,000 products)",
                f"{times[LEVELS]:.0f}",
                f"{theirs:.0f}",
                times[LEVELS] / theirs,
                "<= 0.10",
                times[LEVELS] <= theirs / 10,
            )


def main() -> None:
    if sys.argv[1:] == ["lists"]:
        return levels_list()
    measure("SQLite")
    try:
        import psycopg

        psycopg.connect(SERVER, connect_timeout=3).close()
    except Exception as error:
        print(f"PostgreSQL does not answer ({str(error).splitlines()[0]})", file=sys.stderr)
    else:
        measure("PostgreSQL")
    levels_list()


if __name__ == "__main__":
    main()
