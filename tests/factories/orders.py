"""What is on sale in a shop."""

from models import Listing, Site, SiteKind, Store, Variant
from services.stock import listings
from services.unit import db, unit_of_work
from tests.factories.house import COMMAND, the_site, the_store
from tests.factories.stock import an_item, stocked


def a_shop(site: Site | None = None) -> Site:
    """A site that buys back and sells: the default one, unless another is given."""
    with unit_of_work() as session:
        found = session.merge(site or the_site())
        found.kind = SiteKind.both
        id = found.id
    return db.session.get(Site, id)


def on_sale(
    variant: Variant, price_cents: int, units: int = 1, store: Store | None = None
) -> Listing:
    """New units of a reference in a store, and its vendor's offer."""
    store = store or the_store()
    stocked(variant, units, store)
    with unit_of_work() as session:
        row = listings.offer(
            session.merge(store).vendor,
            f"{variant.ean}-{store.id}",
            session.merge(variant),
            price_cents,
            by=COMMAND,
        )
        session.flush()
        id = row.id
    return db.session.get(Listing, id)


def a_unit_on_sale(variant: Variant, price_cents: int, store: Store | None = None) -> Listing:
    """One second-hand unit in a store, put on sale."""
    item = an_item(variant, store=store)
    with unit_of_work() as session:
        id = listings.put_on_sale(session.merge(item), price_cents, by=COMMAND).id
    return db.session.get(Listing, id)
