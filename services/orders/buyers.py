"""The orders of a person: « Mes commandes », and what the house keeps of them (RGPD)."""

from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from models import CallTask, Customer, Message, Order, OrderLine, VendorOrder
from services import messages, personal
from services.orders import parts
from services.unit import db

MOST = 100


def of_customer(customer: Customer) -> list[Order]:
    """What a person ordered, the newest first, with all a list says of it."""
    return list(
        db.session.scalars(
            select(Order)
            .where(Order.customer_id == customer.id)
            .options(
                selectinload(Order.parts).selectinload(VendorOrder.lines),
                selectinload(Order.parts).selectinload(VendorOrder.store),
                selectinload(Order.site),
            )
            .order_by(Order.placed_at.desc(), Order.id.desc())
            .limit(MOST)
        )
    )


def find(customer: Customer, number: str) -> Order | None:
    """An order of this person by its number."""
    found: Order | None = db.session.scalar(
        select(Order).where(Order.number == number, Order.customer_id == customer.id)
    )
    return found


def has_ordered(customer: Customer) -> bool:
    """Whether a person ever ordered something: the menu shows « Mes commandes » then."""
    ever = select(Order.id).where(Order.customer_id == customer.id).limit(1)
    return db.session.scalar(ever) is not None


def _export(customer: Customer) -> list[dict[str, Any]]:
    rows = (
        select(OrderLine, VendorOrder, Order)
        .join(VendorOrder, VendorOrder.id == OrderLine.vendor_order_id)
        .join(Order, Order.id == VendorOrder.order_id)
        .where(Order.customer_id == customer.id)
        .order_by(OrderLine.id)
    )
    return [
        {
            "number": part.reference,
            "placed_at": order.placed_at.isoformat(),
            "store": part.store.name,
            "status": part.status.value,
            "title": line.title,
            "ean": line.ean,
            "quantity": line.quantity,
            "kept": line.kept,
            "unit_cents": line.unit_cents,
            "name": order.name,
            "email": order.email,
            "phone": order.phone,
        }
        for line, part, order in db.session.execute(rows)
    ]


def _why_keep(customer: Customer) -> str | None:
    row = db.session.scalar(
        select(VendorOrder)
        .join(Order, Order.id == VendorOrder.order_id)
        .where(Order.customer_id == customer.id, VendorOrder.status.in_(parts.OPEN))
        .limit(1)
    )
    if row is None:
        return None
    return _(
        "Your order %(number)s is not finished: collect or cancel it, then your account can be"
        " erased.",
        number=row.reference,
    )


def _erase(customer: Customer) -> None:
    """The order stays, as the accounts want it, without the person (art. L123-22 c. com.)."""
    own = select(Order).where(Order.customer_id == customer.id)
    for order in db.session.scalars(own):
        order.first_name, order.last_name = "", _("Erased customer")
        order.email, order.phone = "", ""
        for part in order.parts:
            part.remark = ""
            for task in db.session.scalars(
                select(CallTask).where(CallTask.vendor_order_id == part.id)
            ):
                task.note = ""
    letters = select(Message).where(Message.order_id.in_(own.with_only_columns(Order.id)))
    for message in db.session.scalars(letters):
        messages.blank(message)


personal.rule("orders", export=_export, why_keep=_why_keep, erase=_erase, first=4)
