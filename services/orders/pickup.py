"""Collecting in a store: ready, until when, and the code that only the buyer holds (domain 2.91).

The code is six digits beside a QR code that holds 80 random bits. Five wrong ones lock it until the
operator gives a new one.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any

import zxingcpp
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select

from models import ConflictState, OrderLine, Reservation, StockConflict, VendorOrder
from services import clock, outbox, sealing, settings, webhooks, working_time
from services.orders import letters, parts
from services.orders.parts import QR_START, VENDOR_ORDER, E, S
from services.people import customers, machine_keys, vendors
from services.stock import levels
from services.unit import db
from services.workflow import CLOCK, Actor, Refused

MOST_TRIES = 5


def _place(part: VendorOrder) -> str:
    return f"vendor_order.code:{part.id}"


sealing.keeps(VendorOrder, "code_sealed", _place)


@dataclass(frozen=True)
class Code:
    """What opens a collection: digits one types, or the words of a QR code."""

    digits: str
    token: str

    @property
    def shown(self) -> str:
        """« 123 456 », as it is printed large."""
        return f"{self.digits[:3]} {self.digits[3:]}"


def new_code() -> Code:
    """A code nobody can guess."""
    return Code(f"{secrets.randbelow(1_000_000):06d}", secrets.token_hex(10))


def written(part: VendorOrder, code: Code) -> dict[str, Any]:
    """The columns of a part that gets a new code."""
    return {
        "code_sealed": sealing.seal(f"{code.digits} {code.token}", _place(part)),
        "code_tries": 0,
    }


def code_of(part: VendorOrder) -> Code | None:
    """The code of a part its buyer can come for; None before and after."""
    if not part.code_sealed or not parts.is_accepted(part):
        return None
    digits, _space, token = sealing.unseal(part.code_sealed, _place(part)).partition(" ")
    return Code(digits, token)


def qr_svg(part: VendorOrder) -> str:
    """The QR code of the buyer's page, as an SVG picture. Raises LookupError without a code."""
    code = code_of(part)
    if code is None:
        raise LookupError(part.reference)
    words = f"{QR_START} {part.reference} {code.token}"
    drawn = zxingcpp.create_barcode(words, zxingcpp.BarcodeFormat.QRCode)
    return str(drawn.to_svg(scale=8))


def is_locked(part: VendorOrder) -> bool:
    """Whether too many wrong codes were typed."""
    return part.code_tries >= MOST_TRIES


def locked_words() -> str:
    """What a shop reads of a locked order: whom to call, and where."""
    phone = customers.shown_phone(vendors.operator_phone())
    if not phone:
        return _("Five wrong codes: this order is locked. Call the operator, who gives a new code.")
    return _(
        "Five wrong codes: this order is locked. Call the operator (%(phone)s), who gives a new "
        "code.",
        phone=phone,
    )


def ready(part: VendorOrder, *, by: Actor) -> None:
    """« Prête à retirer »: the buyer is told, and until when it is kept."""
    now = clock.now()
    days = settings.value("collect_days")
    until = working_time.days_later(days, now, part.store.postcode)
    fields = {"ready_at": now, "collect_by": until, "due_at": until}
    # Where the mail of the acceptance still waits to be undone, this one comes after it.
    waits = parts.seconds_to_undo(part)
    VENDOR_ORDER.fire(part, "ready", by=by, set=fields)
    with outbox.undoable(f"{parts.fact(part)}:ready", waits + 1 if waits else 0):
        letters.tell_buyer(part.order, "order_ready", part=part, secret_code=_digits(part))
        webhooks.tell(part.vendor_id, "order.ready_to_collect", parts.named(part))


def _digits(part: VendorOrder) -> str:
    code = code_of(part)
    assert code is not None
    return code.shown


def collect(part: VendorOrder, typed: str, *, by: Actor, is_paid: bool = False) -> str | None:
    """« Valider le retrait » with the code the buyer shows, typed or scanned; None when it is
    handed over. `is_paid`: the till of the store told its sale already.

    A wrong code is counted and answered with its sentence, in the same unit: a refusal would take
    the count back with it. Raises Refused when it cannot be collected now.
    """
    db.session.refresh(part, with_for_update=True)  # tries at once are counted one by one
    VENDOR_ORDER.require(part, "collect", by=by)
    if is_locked(part):
        raise Refused(locked_words())
    code = code_of(part)
    assert code is not None
    if not _is_code(typed):
        raise Refused(_("Type the six digits of the buyer's code, or scan it."))
    if not _opens(part, code, typed):
        part.code_tries += 1
        if left := MOST_TRIES - part.code_tries:
            return ngettext(
                "This is not the code of this order: %(num)s try left.",
                "This is not the code of this order: %(num)s tries left.",
                left,
            )
        return locked_words()
    now = clock.now()
    fields = {"ended_at": now, "due_at": None, "code_sealed": "", "ready_at": part.ready_at or now}
    VENDOR_ORDER.fire(part, "collect", by=by, set=fields, total_cents=part.total_cents)
    _hand_over(part, is_paid, by=by)
    letters.tell_buyer(part.order, "order_collected", part=part)
    webhooks.tell(part.vendor_id, "order.collected", parts.named(part))
    return None


def _is_code(typed: str) -> bool:
    """Whether it looks like a code at all: a slip of the keys costs no try."""
    words = "".join(typed.split()).upper()
    return bool(re.fullmatch(r"[0-9]{6}", words)) or words.startswith(QR_START)


def _opens(part: VendorOrder, code: Code, typed: str) -> bool:
    words = "".join(typed.split()).upper()
    whole = f"{QR_START}{part.reference}{code.token}".upper()
    return hmac.compare_digest(words.encode(), code.digits.encode()) or hmac.compare_digest(
        words.encode(), whole.encode()
    )


def _hand_over(part: VendorOrder, is_paid: bool, *, by: Actor) -> None:
    """The goods leave: told by the till of the store where it has one, else by us (domain
    2.100).
    """
    has_till = machine_keys.has_till(part.store_id)
    for line in part.lines:
        _own_sale(line, by)
        row = levels.of_order_line(line.id)
        if row is None:
            continue
        if has_till and is_paid:
            levels.told_already(row, by=by)
        elif has_till:
            levels.leave_to_till(row, by=by)
        else:
            levels.hand_over(row, line.unit_cents, by=by)


def _own_sale(line: OrderLine, by: Actor) -> None:
    """The till sold what was promised to this very buyer, who paid before showing the code: no
    conflict is left of it.
    """
    rows = (
        select(StockConflict)
        .join(Reservation, Reservation.id == StockConflict.reservation_id)
        .where(Reservation.order_line_id == line.id, StockConflict.status == ConflictState.open)
    )
    for conflict in db.session.scalars(rows):
        levels.give_up(conflict, by=CLOCK)


def tell_untold(row: Reservation) -> None:
    """No till told the sale of what was collected a day ago: the order tells it."""
    if row.until is None or row.until >= clock.now() or row.order_line_id is None:
        return
    line = db.session.get_one(OrderLine, row.order_line_id)
    levels.hand_over(row, line.unit_cents, by=CLOCK)


def give_code(part: VendorOrder, *, by: Actor) -> None:
    """A new code, mailed to the buyer: the old one was lost, or locked by wrong tries."""
    if parts.seconds_to_undo(part):
        raise Refused(_("The mail with the first code is leaving: wait half a minute."))
    code = new_code()
    VENDOR_ORDER.fire(part, "give_code", by=by, set=written(part, code))
    letters.tell_buyer(part.order, "order_code", part=part, secret_code=code.shown)


def late(limit: int = 500) -> list[int]:
    """Parts nobody came for in time, for the clock."""
    rows = select(VendorOrder.id).where(
        VendorOrder.status == S.to_collect, VendorOrder.due_at < clock.now()
    )
    return list(db.session.scalars(rows.order_by(VendorOrder.due_at).limit(limit)))


def lapse(part: VendorOrder) -> None:
    """Nobody came: the units are free again, both are told."""
    if part.status is not S.to_collect or part.collect_by is None:
        return
    if part.collect_by >= clock.now():
        return
    for line in part.lines:
        if row := levels.of_order_line(line.id):
            levels.release(row, by=CLOCK)
        if line.kept:  # what was missing before keeps its own reason
            line.problem = E.not_collected
    fields = {"why": E.not_collected, "ended_at": clock.now(), "due_at": None, "code_sealed": ""}
    VENDOR_ORDER.fire(part, "wait_no_more", by=CLOCK, set=fields)
    letters.tell_buyer(part.order, "order_not_collected", part=part)
    letters.tell_vendor(part, "order_back_on_shelf")
    webhooks.tell(part.vendor_id, "order.canceled", parts.named(part))
