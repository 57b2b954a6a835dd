"""What a visitor puts aside to buy, and what it is worth today.

Nothing is kept for a cart (domain 2.87): each page reads prices and stock anew and says what moved;
units are reserved with the final button (checkout.py). A cart is known by a token of 128 bits,
whose fingerprint alone is stored.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from models import (
    Cart,
    CartLine,
    Customer,
    Item,
    Listing,
    Product,
    Site,
    StockLevel,
    Store,
    Variant,
    Vendor,
)
from services import clock, money, personal, retention, settings
from services.catalogue import products
from services.orders import window
from services.stock import items, listings
from services.unit import db
from services.workflow import Refused

MOST_LINES, MOST_UNITS = 50, 99


# ── whose ──


def open_cart(site: Site, customer: Customer | None = None) -> tuple[Cart, str]:
    """An empty cart on a site, and the token its visitor keeps."""
    token, now = secrets.token_urlsafe(18), clock.now()
    cart = Cart(
        token_sha256=_fingerprint(token),
        site=site,
        customer_id=customer.id if customer else None,
        created_at=now,
        touched_at=now,
    )
    db.session.add(cart)
    db.session.flush()
    return cart, token


def by_token(token: str, site: Site) -> Cart | None:
    """The cart of a visitor who is not signed in."""
    found: Cart | None = db.session.scalar(
        select(Cart).where(Cart.token_sha256 == _fingerprint(token), Cart.site_id == site.id)
    )
    return found


def of_customer(customer: Customer, site: Site) -> Cart | None:
    """The one cart a customer has on a site, whatever the device."""
    found: Cart | None = db.session.scalar(
        select(Cart).where(Cart.customer_id == customer.id, Cart.site_id == site.id)
    )
    return found


def adopt(cart: Cart | None, customer: Customer, site: Site) -> Cart | None:
    """A cart filled before signing in becomes the customer's, or joins the one he has: quantities
    are added, and capped where a cart is (what there is not is said when it is read).
    """
    own = of_customer(customer, site)
    if cart is None or cart.customer_id is not None:
        return own
    if own is None:
        cart.customer_id = customer.id
        return cart
    for line in kept(cart):
        known = _line(own, line.listing_id, line.store_id)
        if known is None and len(kept(own)) >= MOST_LINES:
            continue
        if known is None:
            own.lines.append(
                CartLine(
                    listing_id=line.listing_id,
                    store_id=line.store_id,
                    quantity=line.quantity,
                    seen_cents=line.seen_cents,
                    added_at=line.added_at,
                )
            )
        else:
            held = 0 if known.removed_at else known.quantity
            known.quantity = min(MOST_UNITS, held + line.quantity)
            known.removed_at = None
    db.session.delete(cart)
    _touch(own)
    return own


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


# ── what is in it ──


def kept(cart: Cart) -> list[CartLine]:
    """The lines that are not in the bin."""
    return [line for line in cart.lines if line.removed_at is None]


def units(cart: Cart | None) -> int:
    """How many articles a cart holds."""
    return sum(line.quantity for line in kept(cart)) if cart is not None else 0


def add(cart: Cart, listing: Listing, store: Store, quantity: int = 1) -> CartLine:
    """Put units of a listing in a cart, to be collected in a store. Raises Refused with what stands
    against it.
    """
    _check_quantity(quantity)
    known = _line(cart, listing.id, store.id)
    held = known.quantity if known is not None and known.removed_at is None else 0
    offered = _offered(cart.site, listing, store)
    if held and offered.why_not is None and held + quantity > offered.free:
        raise Refused(
            _(
                "This store has %(free)s of it, and your cart holds %(held)s already.",
                free=offered.free,
                held=held,
            )
        )
    if reason := _why_not(offered, held + quantity):
        raise Refused(_sentence(reason))
    if known is None:
        if len(kept(cart)) >= MOST_LINES:
            raise Refused(_("A cart holds %(most)s different articles at most.", most=MOST_LINES))
        known = CartLine(
            listing_id=listing.id,
            store_id=store.id,
            quantity=quantity,
            seen_cents=offered.price_cents,
            added_at=clock.now(),
        )
        cart.lines.append(known)
    else:
        known.quantity, known.removed_at = held + quantity, None
        known.seen_cents = offered.price_cents
    _touch(cart)
    return known


def set_quantity(line: CartLine, quantity: int) -> None:
    """So many units instead. Raises Refused when there are not that many."""
    _check_quantity(quantity)
    if reason := _why_not(_offered(line.cart.site, line.listing, line.store), quantity):
        raise Refused(_sentence(reason))
    line.quantity = quantity
    _touch(line.cart)


def take_out(line: CartLine) -> None:
    """Into the bin; `put_back` undoes it."""
    if line.removed_at is None:
        line.removed_at = clock.now()
    _touch(line.cart)


def put_back(line: CartLine) -> None:
    """Out of the bin again. What there is not any more is said when the cart is read."""
    if line.removed_at is not None and len(kept(line.cart)) >= MOST_LINES:
        raise Refused(_("A cart holds %(most)s different articles at most.", most=MOST_LINES))
    line.removed_at = None
    _touch(line.cart)


def move_to(line: CartLine, store: Store) -> None:
    """Collected in another store of the same vendor. Raises Refused when it has not that many."""
    if reason := _why_not(_offered(line.cart.site, line.listing, store), line.quantity):
        raise Refused(_sentence(reason))
    other = _line(line.cart, line.listing_id, store.id)
    if other is not None and other is not line:
        held = 0 if other.removed_at else other.quantity
        line.quantity = min(MOST_UNITS, line.quantity + held)
        line.cart.lines.remove(other)
        db.session.flush()
    line.store = store
    _touch(line.cart)


def _line(cart: Cart, listing_id: int, store_id: int) -> CartLine | None:
    wanted = (listing_id, store_id)
    return next((one for one in cart.lines if (one.listing_id, one.store_id) == wanted), None)


def _check_quantity(quantity: int) -> None:
    if not 1 <= quantity <= MOST_UNITS:
        raise Refused(_("Choose 1 to %(most)s units.", most=MOST_UNITS))


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:]


def _touch(cart: Cart) -> None:
    cart.touched_at = clock.now()


# ── what it is worth today ──


@dataclass(frozen=True)
class Offered:
    """What a listing is today in one store: its price in cents, how many units are free there, and
    the sentence that says why it cannot be reserved at all.
    """

    price_cents: int
    free: int
    why_not: str | None


@dataclass(frozen=True)
class LineToday:
    """A line of a cart at today's price. `trouble` says what must change before it can be had."""

    line: CartLine
    title: str
    price_cents: int
    free: int
    trouble: str | None

    @property
    def total_cents(self) -> int:
        return self.line.quantity * self.price_cents

    @property
    def was_cents(self) -> int | None:
        """The price the buyer saw, where it is another one today."""
        seen = self.line.seen_cents
        return seen if seen != self.price_cents else None


@dataclass(frozen=True)
class Group:
    """What one store of one vendor hands over."""

    vendor: Vendor
    store: Store
    lines: list[LineToday]

    @property
    def total_cents(self) -> int:
        return sum(one.total_cents for one in self.lines)


@dataclass(frozen=True)
class Basket:
    """A cart as it can be had today, by store, and what lies in its bin."""

    groups: list[Group]
    bin: list[CartLine]

    @property
    def lines(self) -> list[LineToday]:
        return [line for group in self.groups for line in group.lines]

    @property
    def total_cents(self) -> int:
        return sum(group.total_cents for group in self.groups)

    @property
    def mark(self) -> str:
        """What tells this basket from another: articles, stores, numbers and prices. A page sends
        it back, so that what is ordered is what was shown.
        """
        facts = [
            (one.line.listing_id, one.line.store_id, one.line.quantity, one.price_cents)
            for one in self.lines
        ]
        return hashlib.sha256(repr(sorted(facts)).encode()).hexdigest()[:16]

    @property
    def is_ready(self) -> bool:
        """Whether all of it can be had."""
        return bool(self.groups) and not any(line.trouble for line in self.lines)


def read(cart: Cart) -> Basket:
    """A cart at today's prices and stock. Reads only."""
    rows = db.session.scalars(
        select(CartLine)
        .where(CartLine.cart_id == cart.id)
        .options(
            selectinload(CartLine.store).selectinload(Store.vendor),
            selectinload(CartLine.listing)
            .selectinload(Listing.variant)
            .selectinload(Variant.product)
            .selectinload(Product.texts),
            selectinload(CartLine.listing).selectinload(Listing.item),
        )
        .order_by(CartLine.id)
    ).all()
    wanted = [row for row in rows if row.removed_at is None]
    offered = _offered_all(cart.site, [(row.listing, row.store) for row in wanted])
    groups: dict[int, Group] = {}
    for row in wanted:
        today = offered[row.listing_id, row.store_id]
        group = groups.setdefault(row.store_id, Group(row.store.vendor, row.store, []))
        title = products.words_for(row.listing.variant.product, cart.site_id)[0]
        group.lines.append(
            LineToday(
                line=row,
                title=title or row.listing.variant.product.title,
                price_cents=today.price_cents,
                free=today.free,
                trouble=_why_not(today, row.quantity),
            )
        )
    in_order = sorted(groups.values(), key=lambda one: (one.vendor.name, one.store.name))
    return Basket(in_order, [row for row in rows if row.removed_at is not None])


def other_stores(basket: Basket) -> dict[int, list[Store]]:
    """For each line of new units, by its id, the other stores of its vendor that keep as many for
    buyers, by town.
    """
    lines = [one.line for one in basket.lines if one.line.listing.condition is None]
    free = StockLevel.quantity - StockLevel.reserved
    rows = db.session.execute(
        select(StockLevel.variant_id, free, Store)
        .join(Store, Store.id == StockLevel.store_id)
        .where(
            StockLevel.variant_id.in_({line.listing.variant_id for line in lines}),
            Store.vendor_id.in_({line.listing.vendor_id for line in lines}),
            Store.reserve_collect,
            free > 0,
        )
        .order_by(Store.city, Store.name)
    ).all()
    return {
        line.id: [
            store
            for variant_id, units_free, store in rows
            if variant_id == line.listing.variant_id
            and store.vendor_id == line.listing.vendor_id
            and store.id != line.store_id
            and units_free >= line.quantity
        ]
        for line in lines
    }


def agree(cart: Cart) -> list[str]:
    """Bring a cart to today's prices, and say which moved. What cannot be had stays in it with its
    sentence: another store may have it.
    """
    said = []
    for one in read(cart).lines:
        if one.was_cents is not None:
            said.append(
                _(
                    "« %(title)s » goes from %(before)s to %(after)s.",
                    title=one.title,
                    before=money.text(one.was_cents),
                    after=money.text(one.price_cents),
                )
            )
            one.line.seen_cents = one.price_cents
    if said:
        _touch(cart)
    return said


def empty(cart: Cart) -> None:
    """What was in it was ordered."""
    cart.lines.clear()
    _touch(cart)


def _offered(site: Site, listing: Listing, store: Store) -> Offered:
    return _offered_all(site, [(listing, store)])[listing.id, store.id]


def _offered_all(
    site: Site, wanted: Iterable[tuple[Listing, Store]]
) -> dict[tuple[int, int], Offered]:
    """What listings are today in stores, in three statements whatever their number."""
    pairs, day = list(wanted), clock.today()
    reasons = listings.why_none_is_shown([listing.id for listing, _store in pairs], day)
    units = StockLevel.quantity - StockLevel.reserved
    rows = select(StockLevel.store_id, StockLevel.variant_id, units).where(
        StockLevel.store_id.in_({store.id for _listing, store in pairs}),
        StockLevel.variant_id.in_({listing.variant_id for listing, _store in pairs}),
    )
    free = {(store_id, variant_id): n for store_id, variant_id, n in db.session.execute(rows)}
    seller = window.seller_of(site)
    found = {}
    for listing, store in pairs:
        here = max(0, free.get((store.id, listing.variant_id), 0))
        if listing.item is not None:
            here = int(_is_here(listing.item, store))
        elif listing.condition is not None:
            here = 0  # used units told by quantity lie in no store we know
        foreign = seller is not None and listing.vendor_id != seller
        found[listing.id, store.id] = Offered(
            listings.price_on(listing, day),
            here,
            _why_closed(listing, store, reasons.get(listing.id)) if not foreign else _gone(),
        )
    return found


def _is_here(item: Item, store: Store) -> bool:
    return item.status is items.S.listed and item.store_id == store.id


def _gone() -> str:
    return _("it is no longer on sale.")


def _why_closed(listing: Listing, store: Store, reason: str | None) -> str | None:
    """Why a listing cannot be reserved in a store whatever the number; None when it can."""
    if reason is not None and reason != "ZERO_QUANTITY":
        return _gone()
    if store.vendor_id != listing.vendor_id or not store.reserve_collect:
        return _("this store keeps nothing for buyers: choose another one.")
    return None


def _why_not(offered: Offered, quantity: int) -> str | None:
    if offered.why_not is not None:
        return offered.why_not
    if not offered.free:
        return _("the last one was just taken.")
    if offered.free < quantity:
        return _("only %(count)s left in this store.", count=offered.free)
    return None


# ── what is forgotten ──


def _forget(cart: Cart) -> None:
    db.session.delete(cart)


retention.rule(
    "shop_carts",
    _l("Carts of the shop"),
    lambda: _l("%(n)s days", n=settings.value("shop_cart_days")),
    _l("What one puts aside and comes back to."),
    Cart,
    lambda now: select(Cart.id).where(
        Cart.touched_at < now - timedelta(days=settings.value("shop_cart_days"))
    ),
    _forget,
)


def _erase(customer: Customer) -> None:
    for cart in db.session.scalars(select(Cart).where(Cart.customer_id == customer.id)):
        db.session.delete(cart)


personal.rule("shop_carts", erase=_erase)
