"""Buyers somebody of the operator calls, because what they ordered will not come (SP-036)."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from models import CallTask, Listing, VendorOrder
from services import clock, workflow
from services.orders import window
from services.unit import db
from services.words import paragraphs
from services.workflow import Actor, Refused

workflow.says("call_task", call=_l("Buyer called"))


def ask_for(part: VendorOrder) -> CallTask:
    """Somebody calls the buyer of a part, once."""
    known: CallTask | None = db.session.scalar(
        select(CallTask).where(CallTask.vendor_order_id == part.id)
    )
    if known is not None:
        return known
    task = CallTask(part=part, created_at=clock.now())
    db.session.add(task)
    return task


def done(task: CallTask, note: str, *, by: Actor) -> None:
    """The buyer was called; the note says what was agreed. Raises Refused the second time."""
    db.session.refresh(task, with_for_update=True)
    if task.done_at is not None:
        raise Refused(_("%(name)s called them already.", name=task.done_by))
    task.done_at, task.done_by, task.note = clock.now(), by.name, paragraphs(note)[:2000]
    workflow.record(task, "call", by=by)


def instead(part: VendorOrder, most: int = 6) -> list[window.Card]:
    """What comes nearest to the first article that is missing, to be proposed on the telephone."""
    lost = next((line for line in part.lines if line.problem), None)
    if lost is None:
        return []
    listing = db.session.get(Listing, lost.listing_id)
    if listing is None:
        return []
    return window.similar(part.order.site, listing.variant.product)[:most]
