"""Orders of the shop at 10,000 and 100,000 parts of 20 vendors, three in a hundred still open, on
both engines: the pages of the operator and the looks of the clock, against the 300 ms of ux.md and
against the time at a tenth of the size.
"""

from datetime import timedelta

from _common import installation, result, signed_in
from feeds import scratch_on
from search import p, timed

LIMIT_MS, CLOCK_MS, GROWTH = 300, 50, 1.5
SIZES = (10_000, 100_000)
OPEN = ("waiting_acceptance", "shipping", "to_collect")
PAGES = {
    "to do": "/gestion/commandes/list/",
    "to accept": "/gestion/commandes/list/?status=waiting_acceptance",
    "over, newest first": "/gestion/commandes/list/?status=received&ordre=-created_at",
    "by number": "/gestion/commandes/list/?q=4321-A",
    "by name": "/gestion/commandes/list/?q=Nom4321",
    "by telephone": "/gestion/commandes/list/?q=06+00+00+43+21",
    "one order": "/gestion/commandes/show/4321",
}


def fill(first: int, last: int) -> None:
    """Parts of one line each, one a purchase."""
    from models import Listing, Store, Vendor
    from services import clock
    from services.unit import db, insert_many, raw, unit_of_work
    from tests import factories

    now = clock.now()
    with unit_of_work() as session:
        vendors = list(session.scalars(db.select(Vendor.id).order_by(Vendor.id)))
        for n in range(len(vendors), 20):
            vendor = Vendor(name=f"Enseigne {n}", created_at=now)
            session.add(vendor)
            session.flush()
            session.add(Store(vendor_id=vendor.id, name=f"Magasin {n}", postcode="44000"))
    if db.session.scalar(db.select(Listing.id).limit(1)) is None:
        factories.on_sale(factories.a_shoe(), 8900, 5)
    listing = db.session.scalars(db.select(Listing)).first()
    what = listing.id, listing.variant_id, listing.variant.ean
    stores = db.session.execute(db.select(Store.id, Store.vendor_id).order_by(Store.id)).all()
    numbers = range(first, last + 1)

    def state(n: int) -> str:
        return OPEN[n % 3] if n % 33 == 0 else "received" if n % 10 else "refused"

    def at(n: int) -> object:
        return raw(now - timedelta(minutes=n % 500_000))

    with unit_of_work() as session:
        connection = session.connection()
        insert_many(
            connection,
            "customer_order",
            (
                *("id", "number", "site_id", "first_name", "last_name", "email", "phone"),
                *("total_cents", "placed_at"),
            ),
            [
                (
                    n,
                    str(n),
                    1,
                    "Camille",
                    f"Nom{n}",
                    f"c{n}@exemple.fr",
                    f"+33600{n:06d}",
                    8900,
                    at(n),
                )
                for n in numbers
            ],
        )
        insert_many(
            connection,
            "vendor_order",
            (
                *("id", "order_id", "letter", "reference", "vendor_id", "store_id", "hand_over"),
                *("status", "units", "ordered_cents", "total_cents", "why", "remark"),
                *("code_sealed", "code_tries", "created_at", "due_at", "accept_by", "accepted_at"),
                *("ready_at", "collect_by", "ended_at", "version"),
            ),
            [
                (
                    *(n, n, "A", f"{n}-A", stores[n % len(stores)][1], stores[n % len(stores)][0]),
                    *("reserve_collect", state(n), 1, 8900, 8900),
                    *("other" if state(n) == "refused" else None, "", "x", 0, at(n)),
                    raw(now + timedelta(hours=1 + n % 48)) if state(n) in OPEN else None,
                    *(at(n), at(n), at(n), at(n)),
                    None if state(n) in OPEN else at(n),
                    1,
                )
                for n in numbers
            ],
        )
        insert_many(
            connection,
            "order_line",
            (
                *("id", "vendor_order_id", "listing_id", "variant_id", "title", "details", "ean"),
                *("unit_cents", "quantity", "kept", "vat_regime", "vat_bp"),
            ),
            [
                (n, n, what[0], what[1], "Derby", "", what[2], 8900, 1, 1, "normal", 2000)
                for n in numbers
            ],
        )
    with unit_of_work() as session:
        session.connection().exec_driver_sql("ANALYZE")
    db.session.remove()


def looks() -> dict[str, object]:
    """What the clock asks each minute."""
    from services.orders import fulfilment, pickup
    from services.stock import levels

    return {
        "late to accept": fulfilment.late,
        "late to collect": pickup.late,
        "sold at a till": fulfilment.beaten,
        "no till told": levels.untold,
    }


def measure(engine: str) -> None:
    from services.unit import db

    with scratch_on(engine):
        app = installation()
        found: dict[str, list[float]] = {}
        done, client = 0, None
        for size in SIZES:
            with app.app_context():
                fill(done + 1, size)
            done = size
            client = client or signed_in(app)
            for name, path in PAGES.items():

                def get(path: str) -> None:
                    answer = client.get(path)  # noqa: B023
                    assert answer.status_code == 200, (path, answer.status_code)

                get(path)
                found.setdefault(name, []).append(p(timed(get, [path] * 20), 0.95))
            with app.app_context():
                for name, look in looks().items():

                    def ask(look) -> None:
                        look()
                        db.session.rollback()

                    found.setdefault(name, []).append(p(timed(ask, [look] * 20), 0.95))
        for name, (small, large) in found.items():
            limit = LIMIT_MS if name in PAGES else CLOCK_MS
            ratio = large / limit
            result(
                f"orders, {name}, {engine}, p95 at {SIZES[-1]:,}",
                f"{large:.0f} ms",
                f"{limit} ms",
                ratio,
                "<= 1.00",
                ratio <= 1,
            )
            if name.startswith("by "):  # a search reads names: it grows with them, below its limit
                continue
            grown = large / max(small, 1.0)
            result(
                f"orders, {name}, {engine}, against {SIZES[0]:,}",
                f"{large:.0f} ms",
                f"{small:.0f} ms",
                grown,
                f"<= {GROWTH}",
                grown <= GROWTH,
            )


if __name__ == "__main__":
    for engine in ("SQLite", "PostgreSQL + Redis"):
        measure(engine)
