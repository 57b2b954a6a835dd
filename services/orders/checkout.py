"""The final button: a cart becomes an order, its units are reserved, each shop is told of its part.

« Réserver » (domain 2.100) asks for no card: the buyer pays in the store, so that an order is open
to its shops at once. All of it is one unit: every unit is reserved or nothing happened.
"""

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import func, select

from models import (
    Cart,
    CartLine,
    Customer,
    HandOver,
    Item,
    Listing,
    Order,
    OrderLine,
    Product,
    Reservation,
    StockLevel,
    VatRegime,
    VendorOrder,
)
from services import clock, numbering, settings, webhooks, workflow, working_time
from services.orders import carts, letters, parts
from services.orders.carts import Group, LineToday
from services.stock import levels
from services.unit import db
from services.workflow import Actor, Refused


def why_not(customer: Customer) -> str | None:
    """None when this person may reserve, else the sentence that says why not."""
    if customer.email_confirmed_at is None:
        return _("Confirm your e-mail address first: open the mail we sent you, then reserve.")
    most = settings.value("reservations_open")
    if open_of(customer) >= most:
        return ngettext(
            "You have %(num)s reservation to collect: collect or cancel it first.",
            "You have %(num)s reservations to collect: collect or cancel one first.",
            most,
        )
    return None


def open_of(customer: Customer) -> int:
    """How many orders of a person still wait to be collected."""
    is_open = select(VendorOrder.id).where(
        VendorOrder.order_id == Order.id,
        VendorOrder.status.in_(parts.OPEN),
        VendorOrder.hand_over == HandOver.reserve_collect,
    )
    counted = select(func.count()).where(Order.customer_id == customer.id, is_open.exists())
    return db.session.scalar(counted) or 0


@dataclass(frozen=True)
class _Kept:
    """A line of a cart with what was reserved for it."""

    today: LineToday
    reservation: Reservation


def reserve(cart: Cart, customer: Customer, *, by: Actor) -> Order:
    """« Réserver »: order everything in a cart, to be paid and collected in its stores. Raises
    Refused, with the article that stands against it, when any of it cannot be had.

    Prices must be those the buyer saw: call `carts.agree` first and show what it says.
    """
    db.session.refresh(customer, with_for_update=True)  # two carts at once count each other
    if reason := why_not(customer):
        raise Refused(reason)
    basket = carts.read(cart)
    if not basket.groups:
        raise Refused(_("Your cart is empty."))
    for one in basket.lines:
        if one.trouble:
            raise Refused(f"« {one.title} » : {one.trouble}")
        if one.was_cents is not None:
            raise Refused(_("A price moved since: look at your cart again."))
    kept = {group.store.id: _keep(group, by) for group in _in_one_order(basket.groups)}
    now = clock.now()
    order = Order(
        number=str(numbering.take("ORDER")),
        site=cart.site,
        customer=customer,
        first_name=customer.first_name,
        last_name=customer.last_name,
        email=customer.email,
        phone=customer.phone,
        total_cents=basket.total_cents,
        placed_at=now,
    )
    db.session.add(order)
    workflow.record(order, "place", by=by, total_cents=order.total_cents)
    for place, group in enumerate(basket.groups):
        part = _part(order, letter_of(place), group)
        _lines(part, kept[group.store.id], by)
        workflow.record(part, "create", by=by, total_cents=part.total_cents)
        letters.tell_vendor(
            part,
            "order_new",
            buyer=parts.buyer_of(part),
            hours=settings.value("accept_hours"),
        )
        webhooks.tell(part.vendor_id, "order.assigned", parts.named(part))
    letters.tell_buyer(order, "order_reserved", parts=parts.of_order(order))
    carts.empty(cart)
    return order


def _in_one_order(groups: list[Group]) -> list[Group]:
    """Two checkouts that want the same units lock their stores in the same order."""
    return sorted(groups, key=lambda one: one.store.id)


def _keep(group: Group, by: Actor) -> list[_Kept]:
    levels.lock_store(group.store.id)
    until = clock.now()  # promised below, in the same unit
    found = []
    for one in sorted(group.lines, key=lambda line: line.line.listing.variant_id):
        holder, listing = f"panier {one.line.cart_id}", one.line.listing
        if listing.item_id is not None:
            unit = db.session.get_one(Item, listing.item_id, with_for_update=True)
            row = levels.reserve_item(unit, holder, until, by=by)
        else:
            level = db.session.scalars(
                select(StockLevel).where(
                    StockLevel.store_id == group.store.id,
                    StockLevel.variant_id == listing.variant_id,
                )
            ).one()
            row = levels.reserve(level, one.line.quantity, holder, until, by=by)
        found.append(_Kept(one, row))
    return found


def _part(order: Order, letter: str, group: Group) -> VendorOrder:
    now = clock.now()
    hours = settings.value("accept_hours")
    accept_by = working_time.hours_later(hours, now, group.store.postcode)
    part = VendorOrder(
        order=order,
        letter=letter,
        reference=f"{order.number}-{letter}",
        vendor_id=group.vendor.id,
        vendor=group.vendor,
        store=group.store,
        hand_over=HandOver.reserve_collect,
        status=parts.S.waiting_acceptance,
        units=0,
        ordered_cents=group.total_cents,
        total_cents=group.total_cents,
        created_at=now,
        due_at=accept_by,
        accept_by=accept_by,
    )
    db.session.add(part)
    return part


def _lines(part: VendorOrder, kept: list[_Kept], by: Actor) -> None:
    for one in kept:
        line = _line(one.today.line, one.today)
        part.lines.append(line)
        db.session.flush()
        levels.promise(one.reservation, by=by, holder=part.reference, order_line_id=line.id)
    parts.add_up(part)


def _line(put_aside: CartLine, today: LineToday) -> OrderLine:
    """What is promised of one article, frozen with what its VAT and its margin come from."""
    listing: Listing = put_aside.listing
    product: Product = listing.variant.product
    unit = listing.item
    return OrderLine(
        listing_id=listing.id,
        variant_id=listing.variant_id,
        item_id=listing.item_id,
        title=today.title,
        details=listing.variant.details[:200],
        ean=listing.variant.ean,
        condition=listing.condition,
        unit_cents=today.price_cents,
        quantity=put_aside.quantity,
        kept=put_aside.quantity,
        vat_regime=unit.vat_regime if unit is not None else VatRegime.normal,
        vat_bp=product.vat_bp,
        cost_cents=unit.cost_cents if unit is not None else None,
    )


def letter_of(place: int) -> str:
    """The letter of a part by its place: A … Z, AA, AB …"""
    letters_so_far = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters_so_far = chr(65 + rest) + letters_so_far
    return letters_so_far
