"""Transfer files: « PAIEMENT » makes one file of all that is to pay, the bank's answer says what
became of each transfer.

The unit takes the number, freezes the accounts and writes the ledger; the bytes are made
afterwards, with no
transaction open, checked twice, and kept. They depend on frozen rows only: made again after a
crash, they are the same.
"""

import hashlib
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import exists, func, select

from gateways import GatewayError, sepa
from models import (
    AccountKind,
    BankDetails,
    BatchState,
    Customer,
    Offer,
    PayingAccount,
    PaymentState,
    SellerPayment,
    TransferBatch,
    TransferLine,
    TransferState,
    Vendor,
)
from services import clock, files, numbering, outbox, sealing, workflow
from services.payments import bank_details, ledger, seller_payments
from services.payments.ledger import Side
from services.unit import db
from services.workflow import STAFF, TIME, Actor, Move, Refused, Workflow

B, T = BatchState, TransferState
sealing.keeps(TransferBatch, "iban_sealed", lambda row: f"transfer_batch.iban:{row.number}")
sealing.keeps(TransferBatch, "file", lambda row: f"transfer_batch.file:{row.number}", is_file=True)
files.named_by(TransferBatch, "file")
sealing.keeps(TransferLine, "iban_sealed", lambda row: f"transfer_line.iban:{row.end_to_end}")
K = AccountKind
WORD = "PAIEMENT"
MOST = 10_000
workflow.name_states(
    (B.preparing, _l("Being made"), "warn"),
    (B.ready, _l("Ready for the bank"), "info"),
    (B.answered, _l("Answered by the bank"), "ok"),
    (B.cancelled, _l("Cancelled"), "bad"),
    (T.sent, _l("Waiting for the bank"), "info"),
    (T.executed, _l("Executed"), "ok"),
    (T.sent_back, _l("Sent back"), "bad"),
)


def _cannot_be_made(batch: TransferBatch) -> str | None:
    return None if batch.error else _("The file is being made: wait for it.")


BATCH = Workflow(
    "transfer_batch",
    Move("made", _l("File made and checked"), {B.preparing}, B.ready, None, (TIME, STAFF)),
    Move("answer", _l("Answered by the bank"), {B.ready}, B.answered),
    Move("cancel", _l("Cancelled: nothing had left"), {B.preparing}, B.cancelled, _cannot_be_made),
)
TRANSFER = Workflow(
    "transfer_line",
    Move("executed", _l("Executed"), {T.sent}, T.executed),
    # A bank may take back tomorrow what it executed today.
    Move("sent_back", _l("Sent back"), {T.sent, T.executed}, T.sent_back),
)

workflow.says(
    "transfer_batch",
    validate=_l("Transfer file asked for"),
    download=_l("File downloaded"),
)


def totals(vendor_id: int) -> tuple[int, int]:
    """« Nombre de transactions » and total, in cents, of what the next file would pay."""
    most = (
        select(SellerPayment.amount_cents)
        .where(
            SellerPayment.vendor_id == vendor_id,
            SellerPayment.status == PaymentState.to_pay,
            ~_waits(),
        )
        .order_by(SellerPayment.received_at, SellerPayment.id)
        .limit(MOST)
        .subquery()
    )
    count, total = db.session.execute(
        select(func.count(), func.sum(most.c.amount_cents)).select_from(most)
    ).one()
    return count, int(total or 0)


def _waits() -> Any:
    """The last line before money leaves: whatever moved a payment here, nothing goes to an IBAN
    that was just replaced.
    """
    return exists().where(
        BankDetails.customer_id == SellerPayment.customer_id, BankDetails.held_until > clock.now()
    )


def validate(vendor: Vendor, word: str, seen: tuple[int, int], *, by: Actor) -> TransferBatch:
    """« Valider »: one file of everything to pay. `seen` is the count and total the person had on
    screen: other figures are refused.

    Two people at once make one file: the number is taken first, and who comes second finds nothing
    left.
    """
    if word.strip().upper() != WORD:
        raise Refused(_("Type PAIEMENT in the field to confirm: nothing was paid."))
    if outbox.held() is not None:
        raise Refused(
            _(
                "Sendings are held since a restore: look first at what the bank was given since the"
                " backup, then resume under « Tâches »."
            )
        )
    account = db.session.get(PayingAccount, vendor.id)
    if account is None or not account.iban_sealed:
        raise Refused(
            _("Give the IBAN that pays first: « Paramétrages divers → Compte de paiement ».")
        )
    now = clock.now()
    month = clock.paris(now).strftime("%Y-%m")
    number = f"VIR-{month}-{numbering.take(f'VIR-{month}'):04d}"
    payments = list(
        db.session.scalars(
            select(SellerPayment)
            .where(
                SellerPayment.vendor_id == vendor.id,
                SellerPayment.status == PaymentState.to_pay,
                ~_waits(),
            )
            .order_by(SellerPayment.received_at, SellerPayment.id)
            .limit(MOST)
            .with_for_update()
        )
    )
    if not payments:
        raise Refused(_("There is nothing to pay any more: somebody made the file just now."))
    if (len(payments), sum(p.amount_cents for p in payments)) != seen:
        raise Refused(
            _(
                "The list changed since this page was shown: look at the new total, then type"
                " PAIEMENT again."
            )
        )
    details = {
        d.customer_id: d
        for d in db.session.scalars(
            select(BankDetails).where(
                BankDetails.customer_id.in_({p.customer_id for p in payments})
            )
        )
    }
    numbers = {
        o.id: o.number
        for o in db.session.scalars(
            select(Offer).where(Offer.id.in_({p.offer_id for p in payments}))
        )
    }
    batch = TransferBatch(
        vendor_id=vendor.id,
        number=number,
        status=B.preparing,
        count=len(payments),
        total_cents=seen[1],
        schema=account.schema.value,
        holder=account.holder or vendor.legal_name or vendor.name,
        iban_sealed="",
        iban_tail=account.iban_tail,
        bic=account.bic,
        execution_on=sepa.banking_day(clock.paris(now).date() + timedelta(days=1)),
        created_at=now,
        by_name=by.name,
    )
    db.session.add(batch)
    db.session.flush()
    batch.iban_sealed = sealing.seal(
        bank_details.paying_iban(account), f"transfer_batch.iban:{batch.number}"
    )
    seller_payments.PAYMENT.fire_all(payments, "batch", by=by, file=number)
    for payment in payments:
        detail = details[payment.customer_id]
        payment.attempts += 1
        reference = str(numbers[payment.offer_id]) + (
            f"-{payment.attempts}" if payment.attempts > 1 else ""
        )
        db.session.add(
            TransferLine(
                batch_id=batch.id,
                payment_id=payment.id,
                end_to_end=reference,
                status=T.sent,
                amount_cents=payment.amount_cents,
                holder=detail.holder,
                iban_sealed=sealing.seal(
                    bank_details.opened(detail), f"transfer_line.iban:{reference}"
                ),
                iban_tail=detail.iban_tail,
                bic=detail.bic,
                reason="",
            )
        )
    ledger.post(
        vendor.id,
        "transfer_file",
        number,
        _("Transfer file %(number)s", number=number),
        *(Side(K.seller, p.amount_cents, p.customer_id) for p in payments),
        Side(K.transfers, -batch.total_cents),
        by=by,
    )
    workflow.record(batch, "validate", by=by, transfers=batch.count, total_cents=batch.total_cents)
    outbox.add("transfer_file", f"transfer_file:{batch.id}", batch=batch.id)
    return batch


def _make(payload: dict, key: str) -> str:
    """Write the file, check it twice, keep it sealed; answers its name and the fingerprint of its
    bytes.
    """
    batch = db.session.get_one(TransferBatch, payload["batch"])
    lines = db.session.scalars(
        select(TransferLine).where(TransferLine.batch_id == batch.id).order_by(TransferLine.id)
    ).all()
    what = _("Payment of your games")
    file = sepa.TransferFile(
        message_id=batch.number,
        created_at=batch.created_at,
        holder=batch.holder,
        iban=sealing.unseal(batch.iban_sealed, f"transfer_batch.iban:{batch.number}"),
        bic=batch.bic,
        execution_on=batch.execution_on,
        schema=batch.schema,
        transfers=tuple(
            sepa.Transfer(
                line.end_to_end,
                line.holder,
                sealing.unseal(line.iban_sealed, f"transfer_line.iban:{line.end_to_end}"),
                line.bic,
                line.amount_cents,
                f"{what} {line.end_to_end}",
            )
            for line in lines
        ),
    )
    number, meant = batch.number, (batch.count, batch.total_cents)
    db.session.rollback()
    if (len(file.transfers), sum(t.cents for t in file.transfers)) != meant:
        raise GatewayError(
            f"{number}: its lines do not add up to what was validated", permanent=True
        )
    try:
        data = sepa.write(file)
        sepa.check(data, file)
    except sepa.BadFile as error:
        raise GatewayError(f"{number}: {error}", permanent=True) from error
    name = files.keep(sealing.seal_bytes(data, f"transfer_batch.file:{number}"), ".sealed")
    return f"{name} {hashlib.sha256(data).hexdigest()}"


def _made(payload: dict, answer: str | None, error: str | None) -> None:
    batch = db.session.get_one(TransferBatch, payload["batch"])
    if answer is not None and batch.status is B.preparing:
        batch.file, batch.sha256 = answer.split()
        batch.error = ""
        BATCH.fire(batch, "made", by=workflow.CLOCK, sha256=batch.sha256[:12])
    elif error is not None:
        batch.error = error


outbox.handles("transfer_file", _l("Transfer file to make"), call=_make, record=_made)


def cancel(batch: TransferBatch, *, by: Actor) -> None:
    """A file that could not be made: nothing had left, its payments are to pay again, the ledger
    says so.
    """
    BATCH.fire(batch, "cancel", by=by, why=batch.error)
    payments = list(
        db.session.scalars(
            select(SellerPayment)
            .where(SellerPayment.id.in_({line.payment_id for line in batch.lines}))
            .with_for_update()
        )
    )
    TRANSFER.fire_all(batch.lines, "sent_back", by=by)
    for line in batch.lines:
        line.reason, line.answered_at = _("the file was cancelled"), clock.now()
    seller_payments.PAYMENT.fire_all(payments, "unbatch", by=by, file=batch.number)
    for payment in payments:
        seller_payments.wait_if_replaced(payment, by=by)
    ledger.post(
        batch.vendor_id,
        "transfer_file_cancelled",
        batch.number,
        _("Cancelled: %(number)s", number=batch.number),
        Side(K.transfers, batch.total_cents),
        *(Side(K.seller, -p.amount_cents, p.customer_id) for p in payments),
        by=by,
    )


def content(batch: TransferBatch) -> bytes:
    """The file, the same bytes each time. Raises Refused while it is not ready, or when what is
    kept is not what was made.
    """
    if not batch.sha256:
        raise Refused(_("The file is being made and checked: it is there in a few seconds."))
    data = sealing.unseal_bytes(files.read(batch.file), f"transfer_batch.file:{batch.number}")
    if hashlib.sha256(data).hexdigest() != batch.sha256:
        raise Refused(
            _(
                "The kept file is not the one that was made: do not give it to the bank, and call"
                " for help."
            )
        )
    return data


# ── questions ──


def batches(vendor_id: int, limit: int = 20) -> list[TransferBatch]:
    return list(
        db.session.scalars(
            select(TransferBatch)
            .where(TransferBatch.vendor_id == vendor_id)
            .order_by(TransferBatch.id.desc())
            .limit(limit)
        )
    )


def line_names(batch: TransferBatch, most: int = MOST) -> list[tuple[TransferLine, Customer]]:
    """The transfers of a file with their sellers, in its order."""
    return [
        (line, customer)
        for line, customer in db.session.execute(
            select(TransferLine, Customer)
            .join(SellerPayment, SellerPayment.id == TransferLine.payment_id)
            .join(Customer, Customer.id == SellerPayment.customer_id)
            .where(TransferLine.batch_id == batch.id)
            .order_by(TransferLine.id)
            .limit(most)
        )
    ]
