"""Everything that must agree, recomputed from the rows and said in words: `flask --app app
check-invariants`.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from flask_babel import gettext as _
from sqlalchemy import and_, case, exists, func, or_, select

from models import (
    Account,
    AccountKind,
    ConflictState,
    Entry,
    Event,
    Item,
    ItemState,
    LineState,
    Listing,
    ListingState,
    Message,
    Movement,
    Offer,
    OfferLine,
    OfferState,
    Order,
    OrderLine,
    Outbox,
    Parcel,
    ParcelState,
    PaymentMeans,
    PaymentState,
    PoliceRecord,
    RecordKind,
    RegisterSeal,
    Reservation,
    ReservationState,
    SellerPayment,
    StockConflict,
    TransferBatch,
    TransferLine,
    TransferState,
    Vendor,
    VendorOrder,
)
from services import audit, clock, money, numbering, sealing, workflow
from services.buyback import amounts, letters, police_register, reception
from services.orders import parts
from services.payments import ledger, transfers
from services.stock import items, levels
from services.unit import db
from services.workflow import Refused

# A day of the register without its seal, so long after it: the night's job stands.
SEALED_WITHIN = timedelta(days=2)
MOST = 20  # sentences of one kind about orders


def check() -> list[str]:
    """What does not agree, one sentence each; nothing when all is well."""
    return [
        sentence
        for part in (
            _numbers,
            _offers,
            _states,
            _stock,
            _orders,
            _ledger,
            _payments,
            _files,
            _registers,
            _audit,
        )
        for sentence in part()
    ]


def _numbers() -> Iterator[str]:
    numbers = sorted(n for n in db.session.scalars(select(Offer.number)) if n)
    left_out = numbering.gaps("CDE")
    if numbers != [f"CDE{n:09d}" for n in range(1, numbering.last("CDE") + 1) if n not in left_out]:
        yield _("The CDE numbers have a hole or a double.")


def _offers() -> Iterator[str]:
    for offer in db.session.scalars(select(Offer).execution_options(yield_per=200)):
        lines = letters.active_lines(offer)
        if (offer.articles, offer.total_cents) != (
            len(lines),
            sum(line.price_cents for line in lines),
        ):
            yield _(
                "%(what)s: its total is not the sum of its articles.",
                what=offer.number or f"panier {offer.id}",
            )
        live = [
            p for p in offer.parcels if not p.is_return and p.status is not ParcelState.abandoned
        ]
        if (
            offer.status in (OfferState.accepted, OfferState.received, OfferState.settled)
            and len(live) != 1
        ):
            yield _(
                "%(what)s: it has %(n)s parcels, it should have one.",
                what=offer.number,
                n=len(live),
            )
        if offer.status in (OfferState.received, OfferState.settled):
            if offer.payment is None:
                yield _("%(what)s: received, and nobody is to be paid.", what=offer.number)
            waiting = [
                line
                for line in reception.articles(offer)
                if line.status in (LineState.expected, LineState.received)
            ]
            if waiting:
                yield _(
                    "%(what)s: received, and %(n)s articles are not controlled.",
                    what=offer.number,
                    n=len(waiting),
                )


def _states() -> Iterator[str]:
    """The last event that moved a row says the state it is in."""
    for model in (Offer, Parcel, Item, SellerPayment, TransferBatch):
        name = model.__tablename__
        last = (
            select(Event.subject_id, func.max(Event.id).label("id"))
            .where(Event.subject == name, Event.to_state.is_not(None))
            .group_by(Event.subject_id)
            .subquery()
        )
        rows = (
            select(model.id, model.status, Event.to_state)
            .join(last, last.c.subject_id == model.id)
            .join(Event, Event.id == last.c.id)
        )
        for id, state, said in db.session.execute(rows):
            if state.value != said:
                yield _(
                    "%(what)s %(id)s is « %(state)s », its history says « %(said)s ».",
                    what=name,
                    id=id,
                    state=workflow.words_of(state),
                    said=said,
                )


def _stock() -> Iterator[str]:
    moved = {
        id: n
        for id, n in db.session.execute(
            select(Movement.item_id, func.sum(Movement.quantity))
            .where(Movement.item_id.is_not(None))
            .group_by(Movement.item_id)
        )
    }
    for item in db.session.scalars(select(Item).execution_options(yield_per=500)):
        if moved.get(item.id, 0) != (1 if item.status in items.ON_HAND else 0):
            yield _(
                "Article %(id)s: its movements do not say « %(state)s ».",
                id=item.id,
                state=workflow.words_of(item.status),
            )
    live = select(Item.offer_line_id).where(
        Item.status != ItemState.returned, Item.offer_line_id.is_not(None)
    )
    for line in db.session.scalars(
        select(OfferLine).where(
            OfferLine.status == LineState.accepted,
            OfferLine.id.not_in(live),
            OfferLine.controlled_at.is_not(None),
        )
    ):
        yield _(
            "%(what)s: « %(title)s » is accepted and not in stock.",
            what=line.offer.number,
            title=line.title,
        )
    for item in db.session.scalars(
        select(Item)
        .join(OfferLine, OfferLine.id == Item.offer_line_id)
        .where(Item.status != ItemState.returned, OfferLine.status != LineState.accepted)
    ):
        yield _("Article %(id)s is in stock and was not accepted.", id=item.id)
    for id, cost, paid in db.session.execute(
        select(Item.id, Item.cost_cents, OfferLine.paid_cents)
        .join(OfferLine, OfferLine.id == Item.offer_line_id)
        .where(Item.status != ItemState.returned, Item.cost_cents != OfferLine.paid_cents)
    ):
        yield _(
            "Article %(id)s cost %(cost)s, its seller was to get %(paid)s for it.",
            id=id,
            cost=money.text(cost),
            paid=money.text(paid or 0),
        )
    for store_id, variant_id, quantity in levels.disagreements():
        yield _(
            "Store %(store)s, reference %(variant)s: %(quantity)s is not what its movements and"
            " promises say.",
            store=store_id,
            variant=variant_id,
            quantity=quantity,
        )
    alive = select(Reservation.item_id).where(
        Reservation.status.in_([ReservationState.held, ReservationState.promised]),
        Reservation.item_id.is_not(None),
    )
    for id in db.session.scalars(
        select(Item.id).where(
            or_(
                and_(Item.status == ItemState.reserved, Item.id.not_in(alive)),
                and_(Item.status != ItemState.reserved, Item.id.in_(alive)),
            )
        )
    ):
        yield _("Article %(id)s: who has reserved it is not known.", id=id)
    offered = select(Listing.item_id).where(
        Listing.status == ListingState.active, Listing.item_id.is_not(None)
    )
    for id in db.session.scalars(
        select(Item.id).where(or_(and_(Item.status == ItemState.listed, Item.id.not_in(offered)),
                                  and_(Item.status.not_in(items.ON_HAND), Item.id.in_(offered))))
    ):  # fmt: skip
        yield _("Article %(id)s: its state and its sale offer do not say the same.", id=id)


def _orders() -> Iterator[str]:
    """What an order says of itself: its sums, and the units that are kept for it."""
    said = func.sum(OrderLine.quantity * OrderLine.unit_cents)
    sums = (
        select(VendorOrder.reference)
        .outerjoin(OrderLine, OrderLine.vendor_order_id == VendorOrder.id)
        .group_by(VendorOrder.id)
        .having(
            or_(
                func.coalesce(func.sum(OrderLine.kept), 0) != VendorOrder.units,
                func.coalesce(func.sum(OrderLine.kept * OrderLine.unit_cents), 0)
                != VendorOrder.total_cents,
                func.coalesce(said, 0) != VendorOrder.ordered_cents,
            )
        )
    )
    for reference in db.session.scalars(sums.limit(MOST)):
        yield _("Order %(number)s: its amounts are not those of its lines.", number=reference)
    parts_sum = (
        select(func.sum(VendorOrder.ordered_cents))
        .where(VendorOrder.order_id == Order.id)
        .scalar_subquery()
    )
    for number in db.session.scalars(
        select(Order.number).where(Order.total_cents != func.coalesce(parts_sum, 0)).limit(MOST)
    ):
        yield _("Order %(number)s: its amount is not that of its parts.", number=number)
    promised = (
        select(func.coalesce(func.sum(Reservation.quantity), 0))
        .where(
            Reservation.order_line_id == OrderLine.id,
            Reservation.status == ReservationState.promised,
            Reservation.until.is_(None),
        )
        .scalar_subquery()
    )
    being_settled = exists().where(
        Reservation.order_line_id == OrderLine.id,
        StockConflict.reservation_id == Reservation.id,
        StockConflict.status == ConflictState.open,
    )
    wanted = case((VendorOrder.status.in_(parts.OPEN), OrderLine.kept), else_=0)
    rows = (
        select(VendorOrder.reference, OrderLine.title)
        .join(OrderLine, OrderLine.vendor_order_id == VendorOrder.id)
        .where(promised != wanted, ~being_settled)
    )
    for reference, title in db.session.execute(rows.limit(MOST)):
        yield _(
            "Order %(number)s: what is kept in the store is not what it says of « %(title)s ».",
            number=reference,
            title=title,
        )


def _ledger() -> Iterator[str]:
    for id in ledger.unbalanced():
        yield _("Ledger transaction %(id)s does not sum to zero.", id=id)
    credit = (
        select(Account.customer_id, func.sum(Entry.cents))
        .join(Entry)
        .where(Account.kind == AccountKind.store_credit)
        .group_by(Account.customer_id, Account.vendor_id)
    )
    for customer_id, cents in db.session.execute(credit):
        if cents > 0:
            yield _("Customer %(id)s spent more credit than he had.", id=customer_id)
    # What each seller is owed is what their payments that have not left say.
    owed: dict[tuple[int, int], int] = {
        (v, c): -int(cents)
        for v, c, cents in db.session.execute(
            select(Account.vendor_id, Account.customer_id, func.sum(Entry.cents))
            .join(Entry)
            .where(Account.kind == AccountKind.seller)
            .group_by(Account.vendor_id, Account.customer_id)
        )
    }
    said: dict[tuple[int, int], int] = {
        (v, c): int(cents)
        for v, c, cents in db.session.execute(
            select(
                SellerPayment.vendor_id,
                SellerPayment.customer_id,
                func.sum(SellerPayment.amount_cents),
            )
            .where(
                SellerPayment.status.in_(
                    [
                        PaymentState.held,
                        PaymentState.awaiting_iban,
                        PaymentState.to_pay,
                        PaymentState.rejected,
                    ]
                )
            )
            .group_by(SellerPayment.vendor_id, SellerPayment.customer_id)
        )
    }
    for key in owed.keys() | said.keys():
        if owed.get(key, 0) != said.get(key, 0):
            yield _(
                "Seller %(id)s: the ledger owes him %(owed)s, his payments say %(said)s.",
                id=key[1],
                owed=money.text(owed.get(key, 0)),
                said=money.text(said.get(key, 0)),
            )
    flight = select(func.sum(TransferLine.amount_cents)).where(
        TransferLine.status == TransferState.sent
    )
    booked = (
        select(func.sum(Entry.cents)).join(Account).where(Account.kind == AccountKind.transfers)
    )
    if (db.session.scalar(flight) or 0) != -(db.session.scalar(booked) or 0):
        yield _("The transfers on their way are not those of the ledger.")


def _payments() -> Iterator[str]:
    for payment in db.session.scalars(select(SellerPayment).execution_options(yield_per=500)):
        offer = payment.offer
        if payment.status is not PaymentState.paid or payment.means is PaymentMeans.transfer:
            meant = amounts.part_cents(offer, payment.part) - payment.fee_cents
            if payment.amount_cents != meant:
                yield _(
                    "%(what)s: %(said)s to pay, its articles say %(meant)s.",
                    what=payment.reference,
                    said=money.text(payment.amount_cents),
                    meant=money.text(meant),
                )
        all_paid = all(one.status is PaymentState.paid for one in offer.payments)
        if all_paid != (offer.status is OfferState.settled):
            yield _("%(what)s: its payment and its sale do not say the same.", what=offer.number)
        if sum(one.fee_cents for one in offer.payments) != amounts.fee_cents(offer):
            yield _(
                "%(what)s: what sending back costs is not what its payments bear.",
                what=offer.number,
            )
    letters_to_send = select(func.count(Outbox.id)).where(Outbox.kind == "message")
    if (db.session.scalar(letters_to_send) or 0) > (
        db.session.scalar(select(func.sum(Message.sends))) or 0
    ):
        yield _("There are more letters to send than letters.")


def _files() -> Iterator[str]:
    for batch in db.session.scalars(select(TransferBatch)):
        if (len(batch.lines), sum(line.amount_cents for line in batch.lines)) != (
            batch.count,
            batch.total_cents,
        ):
            yield _("File %(number)s: its lines are not its total.", number=batch.number)
        if batch.sha256:
            try:
                data = transfers.content(batch)
            except (Refused, OSError, sealing.CannotOpen) as error:
                yield f"{batch.number} : {error}"
                continue
            if data.count(b"<EndToEndId>") != batch.count:
                yield _("File %(number)s: its lines are not its total.", number=batch.number)


def _audit() -> Iterator[str]:
    verdict = audit.verify()
    if verdict.broken is not None:
        yield _("Audit log: %(why)s", why=verdict.sentence)


def _registers() -> Iterator[str]:
    for vendor in db.session.scalars(select(Vendor)):
        verdict = police_register.verify(vendor.id)
        if verdict.broken is not None:
            yield f"{vendor.name} : {verdict.sentence}"
        late = clock.today() - SEALED_WITHIN
        if any(day < late for day in police_register.unsealed_days(vendor.id)):
            yield _("%(who)s: days of the register that are over have no seal.", who=vendor.name)
        seals = db.session.execute(
            select(RegisterSeal.first_number, RegisterSeal.last_number)
            .where(RegisterSeal.vendor_id == vendor.id)
            .order_by(RegisterSeal.day)
        ).all()
        if any(last + 1 != first for (_first, last), (first, _last) in pairwise(seals)):
            yield _("%(who)s: a seal of the register is missing.", who=vendor.name)
        if vendor.police_register:
            entered = select(PoliceRecord.item_id).where(
                PoliceRecord.vendor_id == vendor.id, PoliceRecord.kind == RecordKind.purchase
            )
            oldest = police_register.first_kept(vendor.id)
            for number in db.session.scalars(
                select(Item.id).where(
                    Item.vendor_id == vendor.id,
                    Item.offer_line_id.is_not(None),
                    Item.register_number >= oldest,
                    Item.id.not_in(entered),
                )
            ):
                yield _("Article %(id)s has a register number and no entry.", id=number)
