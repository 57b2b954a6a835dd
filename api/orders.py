"""The orders of a vendor for their software: what is to answer, to make ready and to hand over. The
same verbs as the buttons of « Mes ventes »; Mirakl's name of each is said beside it.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from flask import Response
from flask_babel import gettext as _
from pydantic import Field
from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload

from api import problem, routes
from api.fields import (
    MOST_ID,
    N_,
    Answer,
    At,
    Body,
    Digits,
    Euros,
    Page,
    Text,
    UpTo,
    Whole,
)
from models import MachineKey, OrderEnd, OrderLine, VendorOrder, VendorOrderState
from services import access
from services.orders import fulfilment, parts, pickup
from services.people import machine_keys
from services.unit import db, retried, unit_of_work
from services.workflow import Actor, Refused

SCOPES = ("orders",)
_NOTHING = N_("None of your orders has this number.")
_ITSELF = N_("The order as it is now.")
Status = Literal["waiting_acceptance", "shipping", "to_collect", "received", "refused", "canceled"]
Problem = Literal["out_of_stock", "price_error", "closed", "other"]
assert {state.value for state in VendorOrderState} == set(Status.__args__)  # type: ignore[attr-defined]
assert {why.value for why in parts.PROBLEMS} == set(Problem.__args__)  # type: ignore[attr-defined]


class Buyer(Answer):
    name: str
    phone: str


class Line(Answer):
    """`quantity` was ordered, `kept` is what there is; `item`: our number of a second-hand unit."""

    id: int
    ean: str
    title: str
    details: str
    condition: str | None
    item: int | None
    place: str
    quantity: int
    kept: int
    problem: str | None
    unit_price: Euros


class OrderOfShop(Answer):
    """`purchase` is the whole of what the buyer ordered, `order` the part of one of your stores.
    `buyer` is null once nothing is owed.
    """

    order: str
    purchase: str
    status: str
    store: str
    store_id: int
    hand_over: str
    placed_at: At
    due_at: At | None
    accept_by: At
    collect_by: At | None
    modified: bool
    reason: str | None
    ordered: Euros
    total: Euros
    buyer: Buyer | None
    lines: list[Line]


class Orders(Answer):
    """`next`: the cursor of the next page; null on the last one."""

    results: list[OrderOfShop]
    next: int | None


class OrderPage(Page):
    status: Annotated[Status | None, Field(description=N_("Only those in this state."))] = None
    limit: Annotated[int, Digits(1, 100), Field(description=N_("How many in one page."))] = 50


@routes.get(
    "/orders",
    N_("Your orders, the oldest first (Mirakl OR11)"),
    scopes=SCOPES,
    returns=N_("A page of them."),
)
def orders(key: MachineKey, query: OrderPage) -> Orders:
    """Ask for `waiting_acceptance` every few minutes, or listen to `order.assigned`."""
    rows = _whole().where(VendorOrder.id > query.cursor).order_by(VendorOrder.id)
    if query.status is not None:
        rows = rows.where(VendorOrder.status == VendorOrderState(query.status))
    found = db.session.scalars(rows.limit(query.limit + 1)).all()
    page = found[: query.limit]
    places = parts.places(*page)
    return Orders(
        results=[_told(part, places) for part in page],
        next=page[-1].id if len(found) > query.limit else None,
    )


@routes.get(
    "/orders/<reference>",
    N_("One of your orders"),
    scopes=SCOPES,
    returns=_ITSELF,
    problems={404: _NOTHING},
)
def order(
    key: MachineKey, reference: Annotated[str, Field(max_length=16)]
) -> OrderOfShop | Response:
    """`reference` is « 1702-A »."""
    part = db.session.scalar(_whole().where(VendorOrder.reference == reference))
    return (
        _told(part, parts.places(part))
        if part is not None
        else problem(404, "not_found", _(_NOTHING))
    )


class AnsweredLine(Body):
    id: Annotated[int, Whole(1, MOST_ID)]
    available: Annotated[int, Whole(0, 99), Field(description=N_("How many of it there are."))]
    problem: Annotated[Problem, Field(description=N_("What is wrong with the others."))] = (
        "out_of_stock"
    )


class Acceptance(Body):
    EXAMPLE: ClassVar[dict[str, Any]] = {"lines": [{"id": 7, "available": 2}]}
    lines: Annotated[
        list[AnsweredLine],
        UpTo(100),
        Field(description=N_("Every line of the order, once.")),
    ]


@routes.post(
    "/orders/<reference>/accept",
    N_("Accept an order, wholly or in part (Mirakl OR21)"),
    scopes=SCOPES,
    returns=_ITSELF,
    problems={404: _NOTHING},
)
def accept_order(
    key: MachineKey, reference: Annotated[str, Field(max_length=16)], body: Acceptance
) -> OrderOfShop | Response:
    """All of it there: accepted. Less: what is left is accepted, the buyer is told the new total.
    Nothing: refused. `out_of_stock` takes the missing units out of the stock of the store.
    """

    def answer(part: VendorOrder, by: Actor) -> None:
        named = [line.id for line in body.lines]
        if sorted(named) != sorted(line.id for line in part.lines):
            raise Refused(_("Name every line of the order once."), code="lines_incomplete")
        kept = {line.id: line.available for line in body.lines}
        if all(kept[line.id] == line.kept for line in part.lines):
            fulfilment.accept(part, by=by)
            return
        why = {line.id: OrderEnd(line.problem) for line in body.lines}
        fulfilment.report(part, kept, why, by=by)

    return _changed(key, reference, answer)


@routes.post(
    "/orders/<reference>/refuse",
    N_("Refuse an order: nothing of it is there (Mirakl OR21, no line accepted)"),
    scopes=SCOPES,
    returns=_ITSELF,
    problems={404: _NOTHING},
)
def refuse_order(
    key: MachineKey, reference: Annotated[str, Field(max_length=16)]
) -> OrderOfShop | Response:
    """What it names leaves the stock of the store; the buyer is told and called."""
    return _changed(key, reference, lambda part, by: fulfilment.refuse(part, by=by))


@routes.post(
    "/orders/<reference>/ready",
    N_("An order is put aside: its buyer may come (Mirakl READY_FOR_PICK_UP)"),
    scopes=SCOPES,
    returns=_ITSELF,
    problems={404: _NOTHING},
)
def order_ready(
    key: MachineKey, reference: Annotated[str, Field(max_length=16)]
) -> OrderOfShop | Response:
    """The buyer is told until when it is kept."""
    return _changed(key, reference, lambda part, by: pickup.ready(part, by=by))


class Collected(Body):
    EXAMPLE: ClassVar[dict[str, Any]] = {"code": "123 456"}
    code: Annotated[str, Text(60, blank=False), Field(description=N_("Digits, or the QR code."))]
    paid: Annotated[bool, Field(description=N_("Whether the till told the sale already."))] = False


@routes.post(
    "/orders/<reference>/collect",
    N_("An order is handed over against its buyer's code"),
    scopes=SCOPES,
    returns=_ITSELF,
    problems={404: _NOTHING},
)
def collect_order(
    key: MachineKey, reference: Annotated[str, Field(max_length=16)], body: Collected
) -> OrderOfShop | Response:
    """A wrong code is counted; five lock the order until the operator gives a new one. Tell the
    sale as a till does: it is not told twice.
    """
    wrong: list[str] = []

    def hand_over(part: VendorOrder, by: Actor) -> None:
        sentence = pickup.collect(part, body.code, by=by, is_paid=body.paid)
        wrong[:] = [sentence] if sentence else []

    answer = _changed(key, reference, hand_over)
    return problem(422, "wrong_code", wrong[0]) if wrong else answer


class GivenUp(Body):
    EXAMPLE: ClassVar[dict[str, Any]] = {"reason": "closed", "message": "Inondation"}
    reason: Problem
    message: Annotated[str, Text(500)] = ""


@routes.post(
    "/orders/<reference>/cancel",
    N_("An accepted order will not come after all (Mirakl OR30)"),
    scopes=SCOPES,
    returns=_ITSELF,
    problems={404: _NOTHING},
)
def cancel_order(
    key: MachineKey, reference: Annotated[str, Field(max_length=16)], body: GivenUp
) -> OrderOfShop | Response:
    """The buyer is told and called."""
    why = OrderEnd(body.reason)
    return _changed(
        key, reference, lambda part, by: fulfilment.fail(part, why, words=body.message, by=by)
    )


def _whole() -> Select[Any]:
    """Orders within what the key may see, with all that is told of them."""
    return select(VendorOrder).options(
        selectinload(VendorOrder.order),
        selectinload(VendorOrder.store),
        selectinload(VendorOrder.lines).selectinload(OrderLine.item),
    )


def _changed(
    key: MachineKey, reference: str, verb: Callable[[VendorOrder, Actor], None]
) -> OrderOfShop | Response:
    """Do a verb of an order the key may see. What follows from it is not the vendor's alone: the
    buyer's mail leaves from the site of another.
    """
    id = db.session.scalar(select(VendorOrder.id).where(VendorOrder.reference == reference))
    if id is None:
        return problem(404, "not_found", _(_NOTHING))

    def work() -> OrderOfShop:
        with access.limited_to(None), unit_of_work() as session:
            part = session.get_one(VendorOrder, id)
            verb(part, machine_keys.actor(key))
            return _told(part, parts.places(part))

    return retried(work)


def _told(part: VendorOrder, places: dict[int, str]) -> OrderOfShop:
    buyer = parts.buyer_of(part)
    return OrderOfShop(
        order=part.reference,
        purchase=part.order.number,
        status=part.status.value,
        store=part.store.code or "",
        store_id=part.store_id,
        hand_over=part.hand_over.value,
        placed_at=part.created_at,
        due_at=part.due_at,
        accept_by=part.accept_by,
        collect_by=part.collect_by,
        modified=part.modified_at is not None,
        reason=part.why.value if part.why else None,
        ordered=part.ordered_cents,
        total=part.total_cents,
        buyer=Buyer(name=buyer.name, phone=buyer.phone) if buyer is not None else None,
        lines=[
            Line(
                id=line.id,
                ean=line.ean,
                title=line.title,
                details=line.details,
                condition=line.condition.value.removesuffix("_unit") if line.condition else None,
                item=line.item_id,
                place=places[line.id],
                quantity=line.quantity,
                kept=line.kept,
                problem=line.problem.value if line.problem else None,
                unit_price=line.unit_cents,
            )
            for line in part.lines
        ],
    )
