"""Goals 2 and 4 for buyers: the pages of the shop over 350,000 products, when nearly everything is
on sale (two listings a product) and when next to nothing is (2,000 products), on both engines; each
page as a visitor gets it, from the address to the HTML, against the 300 ms of ux.md B1.
"""

import random

from _common import installation, result
from feeds import scratch_on
from search import TITLES, fill, p, timed

FEW = 2_000
LIMIT_MS = 300


def put_on_sale(app, products: range) -> None:
    """Two listings and two stocked stores for each product."""
    from models import Site, SiteKind, Store, Vendor
    from services import clock
    from services.catalogue import search
    from services.people import sites
    from services.unit import db, insert_many, raw, unit_of_work

    with app.app_context():
        now = raw(clock.now())
        with unit_of_work() as session:
            session.scalars(db.select(Site).where(Site.is_default)).one().kind = SiteKind.both
            first = session.scalars(db.select(Vendor).order_by(Vendor.id)).first()
            other = session.scalar(db.select(Vendor).where(Vendor.name == "Deuxième"))
            if other is None:
                other = Vendor(name="Deuxième", created_at=clock.now())
                session.add(other)
                session.flush()
                session.add(Store(vendor_id=other.id, name="Deuxième", postcode="35000"))
            session.flush()
            connection = session.connection()
            for vendor in (first, other):
                store = session.scalars(
                    db.select(Store).where(Store.vendor_id == vendor.id)
                ).first()
                insert_many(
                    connection,
                    "listing",
                    (
                        *("vendor_id", "sku", "variant_id", "status", "price_cents"),
                        *("logistic_class", "description", "created_at", "updated_at"),
                    ),
                    [
                        (vendor.id, f"S{n}", n, "active", 1000 + n % 20_000, "", "", now, now)
                        for n in products
                    ],
                )
                insert_many(
                    connection,
                    "stock_level",
                    (
                        *("vendor_id", "store_id", "variant_id", "quantity", "reserved"),
                        *("counted", "place", "updated_at"),
                    ),
                    [(vendor.id, store.id, n, n % 4, 0, 0, "", now) for n in products],
                )
        with unit_of_work() as session:
            session.connection().exec_driver_sql("ANALYZE")
        sites.forget()
        search.forget()  # how much is on sale is remembered for two minutes
        db.session.remove()


def pages(app, titles: list[list[str]], what: str) -> None:
    """Each kind of page, many times, by a visitor without a cookie."""
    dice = random.Random(15)
    client = app.test_client()

    def get(path: str) -> None:
        answer = client.get(path)
        assert answer.status_code in (200, 301), (path, answer.status_code)

    words = [dice.choice(titles) for _n in range(60)]
    kinds = {
        "home": ["/boutique"] * 10,
        "search of two words": [f"/boutique/recherche?q={'+'.join(w[:2])}" for w in words[:40]],
        "search of one word": [f"/boutique/recherche?q={w[0]}" for w in words[:40]],
        "department": [f"/boutique/recherche?rayon=Rayon+{n}" for n in range(12)],
        "department and size": [
            f"/boutique/recherche?rayon=Rayon+{n}&pointure={36 + n % 10}" for n in range(12)
        ],
        "sorted by price": [
            f"/boutique/recherche?q={'+'.join(w[:2])}&tri=prix" for w in words[:20]
        ],
        "suggestions": [f"/boutique/suggestions?q={w[0][:4]}" for w in words[:30]],
        "product": [
            f"/produit/{n}-{'-'.join(titles[n - 1]).lower()}"
            for n in (dice.randint(1, FEW) for _n in range(30))
        ],
    }
    for kind, paths in kinds.items():
        get(paths[0])
        times = timed(get, paths)
        result(
            f"shop, {kind}, {what}, p50 / p95 ms",
            f"{p(times, 0.5):.0f}/{p(times, 0.95):.0f}",
            f"{LIMIT_MS}",
            p(times, 0.95) / LIMIT_MS,
            f"p95 <= {LIMIT_MS}",
            p(times, 0.95) <= LIMIT_MS,
        )


def measure(engine: str) -> None:
    with scratch_on(engine):
        app = installation()
        titles = fill(app)
        put_on_sale(app, range(1, FEW + 1))
        pages(app, titles, f"{engine}, {FEW:,} of {TITLES:,} on sale")
        put_on_sale(app, range(FEW + 1, TITLES + 1))
        pages(app, titles, f"{engine}, all {TITLES:,} on sale")


def main() -> None:
    for engine in ("SQLite", "PostgreSQL"):
        measure(engine)


if __name__ == "__main__":
    main()
