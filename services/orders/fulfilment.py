"""What a vendor does with a part of an order: accept it, report what is missing, give it up; and
what ends it from outside: its buyer, the operator, the clock, a till that was faster.

A part that changes changes everything with it in one unit: the units kept for it, the shop's stock,
its total, and who is told (docs/rules/orders.md).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import and_, func, or_, select

from models import (
    ConflictState,
    Item,
    OrderEnd,
    OrderLine,
    Reservation,
    ReservationState,
    StockConflict,
    StockLevel,
    VendorOrder,
)
from services import clock, outbox, settings, webhooks, workflow, working_time
from services.orders import calls, letters, parts, pickup
from services.orders.parts import PROBLEMS, VENDOR_ORDER, E, S
from services.stock import items, levels
from services.unit import db
from services.words import paragraphs
from services.workflow import CLOCK, Actor, Refused

MOST_WORDS = 500


def accept(part: VendorOrder, *, by: Actor, can_be_undone: bool = False) -> None:
    """« Valider »: all of it is there. The buyer is told, with the code of the collection; the mail
    waits half a minute where the acceptance can be undone (domain 2.49).
    """
    code = _accept(part, by)
    with _waiting(part, can_be_undone):
        letters.tell_buyer(part.order, "order_accepted", part=part, secret_code=code.shown)
        webhooks.tell(part.vendor_id, "order.accepted", parts.named(part))


def _accept(part: VendorOrder, by: Actor) -> pickup.Code:
    code = pickup.new_code()
    now = clock.now()
    due_at = working_time.days_later(settings.value("prepare_days"), now, part.store.postcode)
    written = {"accepted_at": now, "due_at": due_at, **pickup.written(part, code)}
    VENDOR_ORDER.fire(part, "accept", by=by, set=written, total_cents=part.total_cents)
    return code


def _waiting(part: VendorOrder, can_be_undone: bool) -> AbstractContextManager[None]:
    seconds = settings.value("order_undo_seconds") if can_be_undone else 0
    return outbox.undoable(parts.fact(part), seconds)


def undo(part: VendorOrder, *, by: Actor) -> None:
    """« Annuler » after « Valider »: as if it had not been accepted. Raises Refused once the mail
    left.
    """
    since = part.accepted_at
    written = {"accepted_at": None, "code_sealed": "", "code_tries": 0}
    VENDOR_ORDER.fire(part, "undo", by=by, set={**written, "due_at": part.accept_by})
    assert since is not None
    outbox.take_back(parts.fact(part), since)


# ── something is missing ──


def report(
    part: VendorOrder,
    kept: Mapping[int, int],
    problems: Mapping[int, OrderEnd],
    *,
    words: str = "",
    by: Actor,
) -> None:
    """« Signaler un problème », line by line: how many units there are (by the line's id; a line
    left out is whole), and what is wrong with the others. What is left is accepted; nothing left
    refuses the part. Raises Refused when a number makes no sense or nothing is missing.
    """
    missing = _missing(part, kept, problems)
    if not missing:
        raise Refused(_("Nothing is missing: choose « Accept »."))
    if sum(line.kept for line in part.lines) == sum(n for n, _why in missing.values()):
        refuse(part, problems=dict(problems), words=words, by=by)
        return
    VENDOR_ORDER.require(part, "accept", by=by)
    before = part.total_cents
    _shorten(part, missing, words, by=by)
    code = _accept(part, by)
    letters.tell_buyer(
        part.order, "order_modified", part=part, secret_code=code.shown, before_cents=before
    )
    webhooks.tell(part.vendor_id, "order.modified", parts.named(part))


def preview(
    part: VendorOrder, kept: Mapping[int, int], problems: Mapping[int, OrderEnd]
) -> tuple[int, int]:
    """The units and the total, in cents, that a report would leave. Raises Refused like it."""
    missing = _missing(part, kept, problems)
    left = {line.id: line.kept - missing.get(line.id, (0, E.other))[0] for line in part.lines}
    return sum(left.values()), sum(left[line.id] * line.unit_cents for line in part.lines)


def refuse(
    part: VendorOrder,
    *,
    by: Actor,
    problems: Mapping[int, OrderEnd] | None = None,
    words: str = "",
) -> None:
    """« Aucun produit de disponible »: the part comes to nothing; the buyer is told, and called."""
    reasons = {line.id: (problems or {}).get(line.id, E.out_of_stock) for line in part.lines}
    missing = {line.id: (line.kept, reasons[line.id]) for line in part.lines if line.kept}
    why = next(iter(reasons.values()), E.out_of_stock)
    _end(part, "refuse", why, by=by, words=words, missing=missing)
    letters.tell_buyer(part.order, "order_refused", part=part)
    webhooks.tell(part.vendor_id, "order.refused", parts.named(part))
    calls.ask_for(part)


def fail(part: VendorOrder, why: OrderEnd, *, words: str = "", by: Actor) -> None:
    """« Je ne peux plus livrer »: what was accepted will not come after all (domain 2.101)."""
    if why not in PROBLEMS:
        raise Refused(_("Choose what is wrong."))
    missing = {line.id: (line.kept, why) for line in part.lines if line.kept}
    _end(part, "fail", why, by=by, words=words, missing=missing)
    letters.tell_buyer(part.order, "order_refused", part=part)
    webhooks.tell(part.vendor_id, "order.canceled", parts.named(part))
    calls.ask_for(part)


Missing = dict[int, tuple[int, OrderEnd]]


def _missing(
    part: VendorOrder, kept: Mapping[int, int], problems: Mapping[int, OrderEnd]
) -> Missing:
    """What a report takes away: units and reason, by line."""
    found: Missing = {}
    if strangers := set(kept) - {line.id for line in part.lines}:
        raise Refused(_("Line %(id)s is not of this order.", id=min(strangers)))
    for line in part.lines:
        there = kept.get(line.id, line.kept)
        if not 0 <= there <= line.kept:
            raise Refused(
                _(
                    "« %(title)s »: type how many there are, from 0 to %(most)s.",
                    title=line.title,
                    most=line.kept,
                )
            )
        if there < line.kept:
            why = problems.get(line.id, E.out_of_stock)
            if why not in PROBLEMS:
                raise Refused(_("Choose what is wrong."))
            found[line.id] = line.kept - there, why
    return found


def _shorten(part: VendorOrder, missing: Missing, words: str, *, by: Actor) -> None:
    """Take units out of a part: they are promised no more, and where there are none the stock of
    the store says so until it is counted anew (domain 2.101).
    """
    part.modified_at = clock.now()
    part.remark = paragraphs(words)[:MOST_WORDS] or part.remark
    for line in part.lines:
        count, why = missing.get(line.id, (0, E.other))
        if count:
            line.kept, line.problem = line.kept - count, why
            _let_go(line, line.kept, why, by=by)
    parts.add_up(part)
    VENDOR_ORDER.fire(part, "modify", by=by, total_cents=part.total_cents)


def _let_go(line: OrderLine, left: int, why: OrderEnd, *, by: Actor) -> None:
    """Only so many units of a line are kept any more; what a till took before is gone already."""
    row = levels.of_order_line(line.id)
    gone = row.quantity - left if row is not None else 0
    if row is None or gone < 1:
        return
    levels.keep_fewer(row, left, by=by)
    if why is not E.out_of_stock:
        return
    if row.item_id is not None:
        items.withdraw(db.session.get_one(Item, row.item_id), by=by)
        return
    level = db.session.scalars(
        select(StockLevel).where(
            StockLevel.store_id == row.store_id, StockLevel.variant_id == row.variant_id
        )
    ).one()
    db.session.refresh(level, with_for_update=True)
    levels.adjust(level, max(0, level.quantity - gone), by=by, reason=line.part.reference)


def _end(
    part: VendorOrder,
    verb: str,
    why: OrderEnd,
    *,
    by: Actor,
    words: str = "",
    missing: Missing | None = None,
) -> None:
    """The part comes to nothing: its units are free again, or gone where there are none."""
    VENDOR_ORDER.require(part, verb, by=by)
    parts.silence(part)
    for line in part.lines:
        count, reason = (missing or {}).get(line.id, (line.kept, why))
        if count:
            line.problem = reason
            _let_go(line, 0, reason, by=by)
    written = {
        "why": why,
        "ended_at": clock.now(),
        "due_at": None,
        "remark": paragraphs(words)[:MOST_WORDS] or part.remark,
        "code_sealed": "",
    }
    VENDOR_ORDER.fire(part, verb, by=by, set=written, why=workflow.words_of(why))


# ── ended from outside ──


def cancel(part: VendorOrder, *, by: Actor) -> None:
    """The buyer, or the operator for them, does without it; free until it is handed over (domain
    2.8). Buyer and shop at the same instant: one of them wins, the other reads why not.
    """
    by_buyer = by.kind == workflow.CUSTOMER
    _end(part, "cancel", E.buyer if by_buyer else E.operator, by=by)
    letters.tell_buyer(part.order, "order_canceled", part=part)
    letters.tell_vendor(part, "order_withdrawn")
    webhooks.tell(part.vendor_id, "order.canceled", parts.named(part))


def late(limit: int = 500) -> list[int]:
    """Parts no shop accepted in time, for the clock."""
    rows = select(VendorOrder.id).where(
        VendorOrder.status == S.waiting_acceptance, VendorOrder.due_at < clock.now()
    )
    return list(db.session.scalars(rows.order_by(VendorOrder.due_at).limit(limit)))


def lapse(part: VendorOrder) -> None:
    """The shop said nothing in time: the part is cancelled, both are told, the buyer is called."""
    if part.status is not S.waiting_acceptance or part.accept_by >= clock.now():
        return
    _end(part, "lapse", E.too_late, by=CLOCK)
    letters.tell_buyer(part.order, "order_refused", part=part)
    letters.tell_vendor(part, "order_lapsed")
    webhooks.tell(part.vendor_id, "order.canceled", parts.named(part))
    calls.ask_for(part)


def beaten(limit: int = 500) -> list[int]:
    """Conflicts of orders: a till sold what they had been promised (domain 2.101), for the clock.
    What was accepted waits a little: its own buyer may be the one at the till.
    """
    lived = clock.now() - OWN_SALE
    rows = (
        select(StockConflict.id)
        .join(Reservation, Reservation.id == StockConflict.reservation_id)
        .join(OrderLine, OrderLine.id == Reservation.order_line_id)
        .join(VendorOrder, VendorOrder.id == OrderLine.vendor_order_id)
        .where(
            or_(
                StockConflict.status == ConflictState.open,
                # Given up by hand, and the order does not know it yet.
                and_(
                    StockConflict.status == ConflictState.given_up,
                    VendorOrder.status.in_(parts.OPEN),
                    OrderLine.kept > _promised(),
                ),
            ),
            or_(VendorOrder.accepted_at.is_(None), StockConflict.created_at < lived),
        )
    )
    return list(db.session.scalars(rows.order_by(StockConflict.id).limit(limit)))


# What its buyer pays before showing the code is a conflict for so long, and then a refusal.
OWN_SALE = timedelta(minutes=15)


def _promised() -> Any:
    """How many units are kept now for a line, as a column of a statement over lines."""
    return (
        select(func.coalesce(func.sum(Reservation.quantity), 0))
        .where(
            Reservation.order_line_id == OrderLine.id,
            Reservation.status == ReservationState.promised,
        )
        .correlate(OrderLine)
        .scalar_subquery()
    )


def settle(conflict: StockConflict) -> None:
    """A till's sale of promised units counts at once as a refusal of them by that store."""
    line_id = conflict.reservation.order_line_id
    if line_id is None or conflict.status is ConflictState.moved:
        return
    if conflict.status is ConflictState.open:
        levels.give_up(conflict, by=CLOCK)
    line = db.session.get_one(OrderLine, line_id)
    part = line.part
    if not parts.is_open(part):
        return
    kept = db.session.scalar(select(_promised()).where(OrderLine.id == line_id)) or 0
    if line.kept <= kept:
        return
    missing: Missing = {line.id: (line.kept - kept, E.out_of_stock)}
    if sum(one.kept for one in part.lines) > missing[line.id][0]:
        before = part.total_cents
        _shorten(part, missing, "", by=CLOCK)
        letters.tell_buyer(part.order, "order_shortened", part=part, before_cents=before)
        letters.tell_vendor(part, "order_sold_at_counter", title=line.title, cause=conflict.cause)
        webhooks.tell(part.vendor_id, "order.modified", parts.named(part))
        return
    verb = "refuse" if part.status is S.waiting_acceptance else "fail"
    _end(part, verb, E.out_of_stock, by=CLOCK, missing=missing)
    letters.tell_buyer(part.order, "order_refused", part=part)
    letters.tell_vendor(part, "order_sold_at_counter", title=line.title, cause=conflict.cause)
    told = "order.refused" if verb == "refuse" else "order.canceled"
    webhooks.tell(part.vendor_id, told, parts.named(part))
    calls.ask_for(part)
