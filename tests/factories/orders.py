"""What is on sale in a shop, and what buyers order there."""

from collections.abc import Iterable

from models import Cart, Customer, Listing, Order, Site, SiteKind, Store, Variant, VendorOrder
from services.orders import carts, checkout, fulfilment, pickup
from services.people import customers
from services.stock import listings
from services.unit import db, unit_of_work
from tests.factories.catalogue import a_shoe
from tests.factories.house import COMMAND, MARC, the_site, the_store
from tests.factories.people import a_customer
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


def keeps_for_buyers(store: Store | None = None) -> Store:
    """A store where one reserves, pays and collects: ours, unless another is given."""
    with unit_of_work() as session:
        found = session.merge(store or the_store())
        found.reserve_collect = True
        id = found.id
    return db.session.get(Store, id)


def a_buyer(email: str = "", **columns) -> Customer:
    """A customer whose address is confirmed."""
    customer = a_customer(email, **columns)
    with unit_of_work() as session:
        customers.confirm_email(session.merge(customer), customer.email)
    return db.session.get(Customer, customer.id)


Wanted = tuple[Listing, Store, int]


def a_shop_cart(
    *wanted: Wanted, customer: Customer | None = None, site: Site | None = None
) -> Cart:
    """A cart of the shop with these listings, from these stores, so many units."""
    with unit_of_work() as session:
        here = session.merge(site or the_site())
        owner = session.merge(customer) if customer else None
        cart = carts.of_customer(owner, here) if owner else None
        if cart is None:
            cart, _token = carts.open_cart(here, owner)
        for listing, store, quantity in wanted:
            carts.add(cart, session.merge(listing), session.merge(store), quantity)
        id = cart.id
    return db.session.get(Cart, id)


def an_order(*wanted: Wanted, customer: Customer | None = None, site: Site | None = None) -> Order:
    """An order of these listings, to be collected; of one pair of shoes, unless others are
    given.
    """
    if not wanted:
        a_shop()
        store = keeps_for_buyers()
        wanted = ((on_sale(a_shoe("Derby Lormont"), 8900, 3, store), store, 1),)
    buyer = customer or a_buyer()
    cart = a_shop_cart(*wanted, customer=buyer, site=site)
    with unit_of_work() as session:
        customer = session.get_one(Customer, buyer.id)
        order = checkout.reserve(
            session.get_one(Cart, cart.id), customer, by=customers.actor(customer)
        )
        id = order.id
    return db.session.get(Order, id)


def a_part(status: str = "waiting_acceptance", *wanted: Wanted) -> VendorOrder:
    """The first part of an order, brought to a state by its verbs."""
    id = an_order(*wanted).parts[0].id
    for verb in _WAY[status]:
        with unit_of_work() as session:
            _VERBS[verb](session.get_one(VendorOrder, id))
    return db.session.get(VendorOrder, id)


def pickup_code(part: VendorOrder) -> str:
    """The six digits of a part that can be collected."""
    db.session.expire_all()
    found = pickup.code_of(db.session.get_one(VendorOrder, part.id))
    assert found is not None
    return found.digits


_WAY: dict[str, Iterable[str]] = {
    "waiting_acceptance": (),
    "shipping": ("accept",),
    "to_collect": ("accept", "ready"),
    "received": ("accept", "ready", "collect"),
    "refused": ("refuse",),
    "canceled": ("cancel",),
}
_VERBS = {
    "accept": lambda part: fulfilment.accept(part, by=MARC),
    "ready": lambda part: pickup.ready(part, by=MARC),
    "collect": lambda part: pickup.collect(part, pickup_code(part), by=MARC),
    "refuse": lambda part: fulfilment.refuse(part, by=MARC),
    "cancel": lambda part: fulfilment.cancel(part, by=MARC),
}
