"""The life of one part of an order: what one store of one vendor does of a purchase (« 1702-A »).

The states are Mirakl's, in small letters (docs of the partners, conventions § 1); the verbs stand
in checkout.py (placed), fulfilment.py (the vendor) and pickup.py (the counter).
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import selectinload

from models import (
    Message,
    Order,
    OrderEnd,
    OrderLine,
    StockLevel,
    VatRegime,
    VendorOrder,
    VendorOrderState,
)
from services import access, clock, money, outbox, settings, timeline, workflow
from services.timeline import Fact
from services.unit import db
from services.workflow import CUSTOMER, STAFF, TIME, Move, Workflow

S, E = VendorOrderState, OrderEnd
workflow.name_states(
    (S.waiting_acceptance, _l("Waiting for acceptance"), "warn"),
    (S.shipping, _l("Accepted (order)"), "info"),
    (S.to_collect, _l("Ready to collect"), "info"),
    (S.received, _l("Collected (order)"), "ok"),
    (S.refused, _l("Refused (order)"), "bad"),
    (S.canceled, _l("Cancelled (order)"), "bad"),
    (E.out_of_stock, _l("Not available"), "bad"),
    (E.price_error, _l("Wrong price"), "bad"),
    (E.closed, _l("Store closed"), "bad"),
    (E.other, _l("Another reason"), "bad"),
    (E.too_late, _l("Not accepted in time"), "bad"),
    (E.not_collected, _l("Not collected"), "bad"),
    (E.buyer, _l("Cancelled by the buyer"), "off"),
    (E.operator, _l("Cancelled by the operator"), "off"),
)
# What a vendor may report, in the order of its list.
PROBLEMS = (E.out_of_stock, E.price_error, E.closed, E.other)
MOST_FACTS = 60
OPEN = (S.waiting_acceptance, S.shipping, S.to_collect)


def fact(part: VendorOrder) -> str:
    """The name under which what an acceptance sends waits to be taken back."""
    return f"vendor_order:{part.id}"


def _nothing_left(part: VendorOrder) -> str | None:
    if part.accepted_at and outbox.can_take_back(fact(part), part.accepted_at):
        return None
    return _("It is too late: the mail has left, or is leaving.")


# ruff: disable[E501]
VENDOR_ORDER = Workflow(
    "vendor_order",
    # verb              label                            from                          to                       only if         by
    Move("accept",      _l("Accept (order)"),            {S.waiting_acceptance},       S.shipping, done=_l("Order accepted")),
    Move("undo",        _l("Undo"),                      {S.shipping},                 S.waiting_acceptance, _nothing_left, done=_l("Acceptance taken back")),
    Move("modify",      _l("Report a problem"),          {S.waiting_acceptance, S.shipping, S.to_collect}, None, None, (STAFF, TIME), done=_l("Order changed")),
    Move("refuse",      _l("No product available"),      {S.waiting_acceptance},       S.refused, None, (STAFF, TIME), done=_l("Order refused")),
    Move("lapse",       _l("Not accepted in time"),      {S.waiting_acceptance},       S.canceled, None, (TIME,)),
    Move("ready",       _l("Ready to collect"),          {S.shipping},                 S.to_collect),
    Move("fail",        _l("I can no longer deliver"),   {S.shipping, S.to_collect},   S.canceled, None, (STAFF, TIME), done=_l("Given up by the shop")),
    Move("collect",     _l("Validate the collection"),   {S.shipping, S.to_collect},   S.received, done=_l("Collected (order)")),
    Move("wait_no_more", _l("Not collected"),            {S.to_collect},               S.canceled, None, (TIME,)),
    Move("cancel",      _l("Cancel this order"),         set(OPEN),                    S.canceled, None, (STAFF, CUSTOMER), done=_l("Order cancelled")),
    Move("give_code",   _l("Give a new code"),           {S.shipping, S.to_collect},   None, done=_l("New collection code")),
)  # fmt: skip
# ruff: enable[E501]
workflow.says("customer_order", place=_l("Order placed"))
workflow.says("vendor_order", create=_l("Order received"))

# The same states, as the buyer reads them.
BUYER_WORDS = {
    S.waiting_acceptance: _l("Waiting for the shop"),
    S.shipping: _l("Being prepared"),
    S.to_collect: _l("Ready to collect"),
    S.received: _l("Collected (order)"),
    S.refused: _l("Not available"),
    S.canceled: _l("Cancelled (order)"),
}


# Why it came to nothing, where the buyer reads another word.
BUYER_ENDS = {
    E.buyer: _l("Cancelled by you"),
    E.not_collected: _l("You did not come for it in time"),
    E.too_late: _l("The shop did not answer in time"),
}


def silence(part: VendorOrder) -> None:
    """Take back what an acceptance still waits to send: it is not true any more."""
    if part.accepted_at is None:
        return
    for name in (fact(part), f"{fact(part)}:ready"):
        if outbox.can_take_back(name, part.accepted_at):
            outbox.take_back(name, part.accepted_at)


def is_open(part: VendorOrder) -> bool:
    """Whether something may still happen to it."""
    return part.status in OPEN


def is_accepted(part: VendorOrder) -> bool:
    """Whether the shop said yes and the buyer may come for it."""
    return part.status in (S.shipping, S.to_collect)


def has_reached(part: VendorOrder, step: str) -> bool:
    """Whether a step of « Commandée ✓ Validée ✓ Prête ✓ Retirée » was made."""
    if step == "accepted":
        return part.accepted_at is not None
    if step == "ready":
        return part.ready_at is not None or part.status is S.received
    return step == "placed" or part.status is S.received


def add_up(part: VendorOrder) -> None:
    """Write the sums of its lines, as the shop has them."""
    part.units = sum(line.kept for line in part.lines)
    part.total_cents = sum(line.total_cents for line in part.lines)


@dataclass(frozen=True)
class Amounts:
    """What the shop has of a part, in cents: goods at normal VAT without and with their VAT, and
    second-hand goods taxed on the margin, whose VAT is nobody's business but the shop's (CGI
    297 E).
    """

    net: int
    vat: int
    margin: int

    @property
    def total(self) -> int:
        return self.net + self.vat + self.margin


def amounts(part: VendorOrder) -> Amounts:
    """The amounts of a part, line by line, then added up (domain 2.10 and 2.62)."""
    net = vat = margin = 0
    for line in part.lines:
        if line.vat_regime is VatRegime.margin:
            margin += line.total_cents
            continue
        without = money.without_tax(line.total_cents, line.vat_bp)
        net, vat = net + without, vat + line.total_cents - without
    return Amounts(net, vat, margin)


def counts() -> dict[VendorOrderState, int]:
    """How many parts somebody may see wait in each open state; never beyond a thousand."""
    found = {}
    for state in OPEN:
        rows = select(VendorOrder.id).where(VendorOrder.status == state).limit(1_000).subquery()
        found[state] = db.session.scalar(select(func.count()).select_from(rows)) or 0
    return found


@dataclass(frozen=True)
class Buyer:
    """What a vendor is told of the buyer."""

    name: str
    phone: str


def buyer_of(part: VendorOrder) -> Buyer | None:
    """What the vendor may know of the buyer, for its page, mails, files and software alike (domain
    2.89): who it is and a telephone, from the order on; nothing any more once it came to nothing.
    """
    if part.status in (S.refused, S.canceled):
        return None
    return Buyer(part.order.name, part.order.phone)


def seconds_to_undo(part: VendorOrder) -> int:
    """How many seconds « Annuler » is offered for after « Valider »; 0 when it is too late."""
    if part.accepted_at is None or not VENDOR_ORDER.allows(part, "undo"):
        return 0
    passed = (clock.now() - part.accepted_at).total_seconds()
    seconds: int = settings.value("order_undo_seconds")
    return max(0, round(seconds - passed))


def named(part: VendorOrder) -> dict[str, Any]:
    """How a part is called where software is told of it."""
    return {
        "order": part.reference,
        "store": part.store.code or "",
        "store_id": part.store_id,
    }


def happened(part: VendorOrder) -> list[Fact]:
    """Everything that happened to a part, with the mails about its order somebody may read, newest
    first.
    """
    others = {one.reference for one in part.order.parts} - {part.reference}
    found = timeline.events([("vendor_order", [part.id])], MOST_FACTS)
    rows = select(Message).where(Message.order_id == part.order_id).order_by(Message.id.desc())
    found += [
        Fact(m.created_at, "message", m.subject, "", {}, m.id)
        for m in db.session.scalars(rows.limit(MOST_FACTS))
        if not any(re.search(rf"{re.escape(other)}(?![A-Z])", m.subject) for other in others)
    ]
    if buyer_of(part) is None:
        found = [
            replace(fact, who=_("the buyer")) if fact.by_kind == CUSTOMER else fact
            for fact in found
        ]
    return timeline.newest_first(found)


def places(*some: VendorOrder) -> dict[int, str]:
    """Where the lines of parts lie in their stores, by the line's id; one statement for all."""
    lines = [(part.store_id, line) for part in some for line in part.lines]
    rows = select(StockLevel.store_id, StockLevel.variant_id, StockLevel.place).where(
        StockLevel.store_id.in_({store_id for store_id, _line in lines}),
        StockLevel.variant_id.in_({line.variant_id for _store_id, line in lines}),
    )
    of_new = {(store, variant): place for store, variant, place in db.session.execute(rows)}
    return {
        line.id: line.item.place
        if line.item is not None
        else of_new.get((store_id, line.variant_id), "")
        for store_id, line in lines
    }


def to_prepare(most: int = 100) -> list[VendorOrder]:
    """What somebody may see and has to prepare, the most urgent first."""
    rows = (
        select(VendorOrder)
        .where(VendorOrder.status == S.shipping)
        .options(
            selectinload(VendorOrder.lines).selectinload(OrderLine.item),
            selectinload(VendorOrder.order),
            selectinload(VendorOrder.store),
            selectinload(VendorOrder.vendor),
        )
        .order_by(VendorOrder.due_at)
        .limit(most)
    )
    return list(db.session.scalars(rows))


def found_by(words: str) -> Any:
    """The condition for words typed above a list of parts: a printed number, the buyer's name, or
    a telephone number however it is written.
    """
    digits = "".join(c for c in words if c.isdigit()).lstrip("0")
    if digits.startswith("33") and len(digits) == 11:
        digits = digits[2:]
    like = words.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
    buyers = select(Order.id).where(
        or_(
            Order.last_name.ilike(like, escape="\\"),
            Order.phone.like(f"%{digits}") if len(digits) >= 8 else false(),
        )
    )
    named = [part.id for part in named_by(words)]
    bought: ColumnElement[bool] = VendorOrder.order_id.in_(buyers)
    if access.scope() is not None:  # a vendor knows no buyer of what came to nothing
        bought = and_(bought, VendorOrder.status.not_in([S.refused, S.canceled]))
    return or_(VendorOrder.id.in_(named), bought)


def named_by(words: str) -> list[VendorOrder]:
    """The parts a printed number names: « 1702-A », « 1702 », or what the QR code of a collection
    holds.
    """
    found = _NUMBER.fullmatch("".join(words.upper().split()))
    if found is None:
        return []
    number, letter = found["number"], found["letter"]
    rows = select(VendorOrder).join(Order, Order.id == VendorOrder.order_id)
    rows = (
        rows.where(VendorOrder.reference == f"{number}-{letter}")
        if letter
        else rows.where(Order.number == number)
    )
    return list(db.session.scalars(rows.order_by(VendorOrder.id)))


# What the QR code of a collection begins with, so that a scan is known for what it is.
QR_START = "RETRAIT"
_NUMBER = re.compile(
    rf"(?:{QR_START})?(?P<number>\d{{1,9}})(?:-(?P<letter>[A-Z]{{1,3}})(?:[0-9A-F]{{20}})?)?"
)


def of_order(order: Order) -> list[VendorOrder]:
    """Its parts, in the order of their letters."""
    return sorted(order.parts, key=lambda part: part.id)
