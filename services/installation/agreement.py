"""Everything in the installation agrees: the books, what is sealed, what is stored, what must still
happen, and what was erased.

The night's job, `flask --app app check-invariants` and a restore ask here. The rule: a fact that
lies in two places is compared, a sealed value is opened, a file that is named is there and is the
one that was kept, a task that must happen is there and not late, and nothing personal is left after
an erasure.
"""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, String, and_, case, cast, exists, func, literal, or_, select

from models import (
    BankDetails,
    BatchState,
    Customer,
    DeliveryState,
    Event,
    IdentityDocument,
    ImportRun,
    ImportState,
    Item,
    Label,
    LabelState,
    MachineKey,
    Message,
    MessageState,
    Model,
    Movement,
    MovementKind,
    Offer,
    Outbox,
    OutboxState,
    Parcel,
    SellerPayment,
    TillEvent,
    TillEventKind,
    TransferBatch,
    WebhookDelivery,
)
from services import clock, files, money, outbox, sealing
from services.finance import books
from services.installation import keys
from services.payments import bank_details
from services.people import customers
from services.unit import db

# A task still to do this long after its moment is late: the worker stands, or one kind of it.
LATE = timedelta(hours=6)
MOST = 20  # sentences of one kind
# Files given since then are read again; the older ones were, in the nights before.
READ_AGAIN = timedelta(days=7)


def check() -> list[str]:
    """What does not agree, one sentence each; nothing when all is well."""
    found = books.check()
    for part in (_sealed, _stored, _tasks, _log, _gone, _promised, _sent, _tills, _payees, _erased):
        found += list(part())
        db.session.rollback()
    return found


def _sealed() -> Iterator[str]:
    for place in keys.unreadable()[:MOST]:
        yield _("Cannot be opened by any key: %(place)s.", place=place)
    for details in db.session.scalars(select(BankDetails).execution_options(yield_per=500)):
        try:
            iban = bank_details.opened(details)
        except sealing.CannotOpen:
            continue  # told above
        if iban[-4:] != details.iban_tail or iban[:2] != details.country:
            yield _(
                "The IBAN that is shown of customer %(id)s is not the one that is paid.",
                id=details.customer_id,
            )


def _stored() -> Iterator[str]:
    held = {entry.name for entry in files.store().entries()}
    named = files.named()
    for name in sorted(named - held)[:MOST]:
        yield _("A stored file is missing: %(name)s.", name=name)
    rows = select(ImportRun.file_path, ImportRun.sha256).where(
        ImportRun.file_path != "", ImportRun.received_at > clock.now() - READ_AGAIN
    )
    for name, sha256 in db.session.execute(rows.execution_options(yield_per=500)):
        if name in held and hashlib.sha256(files.read(name)).hexdigest() != sha256:
            yield _("A stored file is not the one that was kept: %(name)s.", name=name)


# ── what must still happen ──


def _key(prefix: str, *parts: Any) -> ColumnElement[str]:
    key: Any = literal(prefix)
    for i, part in enumerate(parts):
        key = key + (literal(":") if i else literal("")) + cast(part, String)
    return key  # type: ignore[no-any-return]


def _tasks() -> Iterator[str]:
    """Each thing that waits for the worker has its row in the outbox, and none is late."""
    under_way = ImportRun.state.in_((ImportState.waiting, ImportState.running))
    waiting: tuple[tuple[Any, Any, ColumnElement[str]], ...] = (
        (
            Message,
            Message.state == MessageState.waiting,
            _key("message:", Message.id, Message.sends),
        ),
        (Label, Label.status == LabelState.requested, _key("label:", Label.id)),
        (
            ImportRun,
            under_way & ~ImportRun.confirmed,
            _key("import:", ImportRun.id),
        ),
        (
            ImportRun,
            under_way & ImportRun.confirmed,
            _key("import:", ImportRun.id) + literal(":confirmed"),
        ),
        (
            TransferBatch,
            TransferBatch.status == BatchState.preparing,
            _key("transfer_file:", TransferBatch.id),
        ),
        (
            WebhookDelivery,
            WebhookDelivery.status == DeliveryState.to_deliver,
            _key("webhook:", WebhookDelivery.message_id),
        ),
    )
    for model, waits, key in waiting:
        open_states = (OutboxState.todo, OutboxState.running)
        is_its_own = Outbox.key == key
        if model is WebhookDelivery:  # one that is sent again has a task of its own
            is_its_own |= Outbox.key.startswith(key + literal(":"))
        task = exists().where(is_its_own, Outbox.state.in_(open_states))
        for id in db.session.scalars(select(model.id).where(waits, ~task).limit(MOST)):
            yield _(
                "%(what)s %(id)s waits, and no task will do it.",
                what=model.__tablename__,
                id=id,
            )
    if outbox.held() is not None:  # everything is late because somebody said so
        return
    late = db.session.scalar(
        select(func.count(Outbox.id)).where(
            or_(
                and_(Outbox.state == OutboxState.todo, Outbox.next_at < clock.now() - LATE),
                # begun by a worker that is gone, and taken up by no other
                and_(
                    Outbox.state == OutboxState.running,
                    Outbox.lease_until < clock.now() - LATE,
                ),
            )
        )
    )
    if late:
        yield _("%(count)s tasks are late by more than six hours.", count=late)


# ── what the log says ──


def _log() -> Iterator[str]:
    """What was decided has its entry in the log: events are only ever added."""
    for model, condition in (
        (Offer, Offer.number.is_not(None)),
        (SellerPayment, SellerPayment.paid_at.is_not(None)),
        (TransferBatch, TransferBatch.id.is_not(None)),
    ):
        told = exists().where(
            Event.subject == model.__tablename__,
            Event.subject_id == model.id,
        )
        for id in db.session.scalars(select(model.id).where(condition, ~told).limit(MOST)):
            yield _("%(what)s %(id)s has no entry in the log.", what=model.__tablename__, id=id)


def _gone() -> Iterator[str]:
    """What the log speaks of is still there, for tables whose rows nobody deletes. (The parcel of
    an acceptance that is undone goes with it.)
    """
    for model in (Item, SellerPayment, TransferBatch):
        is_there = exists().where(model.id == Event.subject_id)
        spoken_of = select(Event.subject_id).where(Event.subject == model.__tablename__, ~is_there)
        for id in db.session.scalars(spoken_of.distinct().limit(MOST)):
            yield _(
                "%(what)s %(id)s is in the log and no longer exists.",
                what=model.__tablename__,
                id=id,
            )


# Moves of a sale whose entry in the log keeps the total; the others may change it afterwards.
_KEEP_A_TOTAL = ("agree", "accept", "complete")
_CHANGE_A_TOTAL = ("remove_line", "restore_line")


def _promised() -> Iterator[str]:
    """A sale is still worth what was promised when it was accepted."""
    last = (
        select(func.max(Event.id))
        .where(
            Event.subject == "offer",
            Event.verb.in_((*_KEEP_A_TOTAL, *_CHANGE_A_TOTAL)),
        )
        .group_by(Event.subject_id)
    )
    promised = Event.facts["total_cents"].as_integer()
    rows = (
        select(Offer.number, Offer.total_cents, promised)
        .join(Event, Event.subject_id == Offer.id)
        .where(Event.id.in_(last), Event.verb.in_(_KEEP_A_TOTAL), promised != Offer.total_cents)
    )
    for number, total, before in db.session.execute(rows.limit(MOST)):
        yield _(
            "%(what)s: its total is %(total)s, the log says %(promised)s was promised.",
            what=number,
            total=money.text(total),
            promised=money.text(before),
        )


def _sent() -> Iterator[str]:
    """A label is of the sale whose number its carrier was given, and one that was made is kept."""
    its_own = Offer.number + case((Parcel.is_return, "R"), else_="")
    rows = (
        select(Label.id, Label.reference, Offer.number)
        .join(Parcel, Parcel.id == Label.parcel_id)
        .join(Offer, Offer.id == Parcel.offer_id)
        .where(Label.reference != "", Label.reference != its_own)
    )
    for id, reference, number in db.session.execute(rows.limit(MOST)):
        yield _(
            "Label %(id)s was made for %(reference)s and is kept with %(number)s.",
            id=id,
            reference=reference,
            number=number,
        )
    made = exists().where(
        Event.subject == "parcel",
        Event.subject_id == Parcel.id,
        Event.verb.in_(("label_made", "give_label")),
    )
    has_one = exists().where(Label.parcel_id == Parcel.id)
    for id in db.session.scalars(select(Parcel.id).where(made, ~has_one).limit(MOST)):
        yield _("Parcel %(id)s: the log says its label was made, and there is none.", id=id)


def _tills() -> Iterator[str]:
    """What a till sold these last days moved the stock, and what moved it was told by a till."""
    same = (
        TillEvent.store_id == Movement.store_id,
        TillEvent.variant_id == Movement.variant_id,
        TillEvent.at == Movement.at,
        TillEvent.quantity == -Movement.quantity,
    )
    is_sale = Movement.kind == MovementKind.sale
    since = clock.now() - READ_AGAIN
    not_moved = select(TillEvent.store_id, TillEvent.reference, TillEvent.number).where(
        TillEvent.kind == TillEventKind.sale,
        TillEvent.variant_id.is_not(None),
        TillEvent.received_at > since,
        ~exists().where(is_sale, *same),
    )
    for store, reference, number in db.session.execute(not_moved.limit(MOST)):
        yield _(
            "Store %(store)s: the till's sale %(reference)s moved no stock.",
            store=store,
            reference=reference or number,
        )
    not_told = select(Movement.store_id, Movement.reference).where(
        is_sale,
        Movement.channel == "till",
        Movement.recorded_at > since,
        # a person may write the same word by hand
        exists().where(
            MachineKey.name == Movement.by_name, MachineKey.vendor_id == Movement.vendor_id
        ),
        ~exists().where(*same),
    )
    for store, reference in db.session.execute(not_told.limit(MOST)):
        yield _(
            "Store %(store)s: the sale %(reference)s says it comes from a till, which told none.",
            store=store,
            reference=reference,
        )


# ── what was erased ──


def _payees() -> Iterator[str]:
    """A payment goes to the person whose sale it is of."""
    rows = select(SellerPayment.id).join(Offer, Offer.id == SellerPayment.offer_id)
    for id in db.session.scalars(
        rows.where(SellerPayment.customer_id != Offer.customer_id).limit(MOST)
    ):
        yield _("Payment %(id)s goes to another person than its sale's.", id=id)


def _erased() -> Iterator[str]:
    """A person who was erased has left nothing by which one could know them."""
    gone = Customer.erased_at.is_not(None)
    named = or_(
        *(getattr(Customer, name) != "" for name in customers.PERSONAL if name != "first_name"),
        ~Customer.email.endswith("@efface.invalid"),
    )
    for id in db.session.scalars(select(Customer.id).where(gone, named).limit(MOST)):
        yield _("Customer %(id)s was erased and still has a name or an address.", id=id)
    for model in _OF_A_PERSON:
        rows = select(Customer.id).where(gone, exists().where(model.customer_id == Customer.id))
        for id in db.session.scalars(rows.limit(MOST)):
            yield _(
                "Customer %(id)s was erased and still has a row in %(table)s.",
                id=id,
                table=model.__tablename__,
            )


# Tables none of whose rows outlives the person.
_OF_A_PERSON: tuple[type[Model] | Any, ...] = (BankDetails, IdentityDocument)
