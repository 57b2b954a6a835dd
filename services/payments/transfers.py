"""Transfer files: « PAIEMENT » makes one file of all that is to pay, the bank's answer says what
became of each transfer.

The unit takes the number, freezes the accounts and writes the ledger; the bytes are made
afterwards, with no transaction open, checked twice, and kept. They depend on frozen rows only: made
again after a crash, they are the same.
"""

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from typing import TypedDict

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from gateways import GatewayError, sepa
from models import (
    AccountKind,
    BatchState,
    Customer,
    PayingAccount,
    SellerPayment,
    TransferBatch,
    TransferLine,
    TransferState,
    Vendor,
)
from services import clock, files, numbering, outbox, sealing, workflow
from services.payments import bank_details, ledger, payables
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


def awaited(batch: TransferBatch) -> int:
    """How many transfers of a file the bank has not answered for."""
    return sum(line.status is T.sent for line in batch.lines)


def next_execution() -> date:
    """The day the bank executes a file made now: the next banking day after today."""
    return sepa.banking_day(clock.today() + timedelta(days=1))


def totals(vendor_id: int) -> tuple[int, int]:
    """« Nombre de transactions » and total, in cents, of what the next file would pay."""
    count = total = 0
    for payable in payables.PAYABLES.values():
        most = payable.waiting(vendor_id).limit(MOST - count).subquery()
        found = select(func.count(), func.sum(most.c.amount_cents)).select_from(most)
        here, cents = db.session.execute(found).one()
        count, total = count + here, total + int(cents or 0)
    return count, total


def hold_unreadable(vendor: Vendor, *, by: Actor) -> list[str]:
    """Hold what would go to an IBAN no key opens, so that the others are paid; the names of whose
    it is. Call it in a unit of its own, before `validate`.
    """
    return [
        name
        for payable in payables.PAYABLES.values()
        for name in payable.hold_unreadable(vendor.id, by=by)
    ]


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
    month = clock.paris(clock.now()).strftime("%Y-%m")
    number = f"VIR-{month}-{numbering.take(f'VIR-{month}'):04d}"
    due = _everything_due(vendor.id)
    amounts = [one.cents for _column, one in due]
    if not due:
        raise Refused(_("There is nothing to pay any more: somebody made the file just now."))
    if (len(due), sum(amounts)) != seen:
        raise Refused(
            _(
                "The list changed since this page was shown: look at the new total, then type"
                " PAIEMENT again."
            )
        )
    batch = _open_batch(vendor, account, number, seen, by)
    for column, payable in payables.PAYABLES.items():
        ids = [one.id for name, one in due if name == column]
        if ids:
            payable.put_in_file(ids, number, by=by)
    db.session.add_all(_line(batch, column, one) for column, one in due)
    ledger.post(
        vendor.id,
        "transfer_file",
        number,
        _("Transfer file %(number)s", number=number),
        *(one.debt for _column, one in due),
        Side(K.transfers, -batch.total_cents),
        by=by,
    )
    workflow.record(batch, "validate", by=by, transfers=batch.count, total_cents=batch.total_cents)
    outbox.add("transfer_file", f"transfer_file:{batch.id}", batch=batch.id)
    return batch


def _everything_due(vendor_id: int) -> list[tuple[str, payables.Due]]:
    """What is to pay, locked, with the column its line will have."""
    found: list[tuple[str, payables.Due]] = []
    for column, payable in payables.PAYABLES.items():
        found += [(column, one) for one in payable.due(vendor_id, MOST - len(found))]
    return found


def _open_batch(
    vendor: Vendor, account: PayingAccount, number: str, seen: tuple[int, int], by: Actor
) -> TransferBatch:
    """The file with the account that pays, frozen as it is now."""
    now, (count, total_cents) = clock.now(), seen
    iban = bank_details.paying_iban(account)
    batch = TransferBatch(
        vendor_id=vendor.id,
        number=number,
        status=B.preparing,
        count=count,
        total_cents=total_cents,
        schema=account.schema.value,
        holder=account.holder or vendor.legal_name or vendor.name,
        iban_sealed=sealing.seal(iban, f"transfer_batch.iban:{number}"),
        iban_tail=account.iban_tail,
        bic=account.bic,
        client_id=account.client_id,
        execution_on=next_execution(),
        created_at=now,
        by_name=by.name,
    )
    db.session.add(batch)
    db.session.flush()
    return batch


def _line(batch: TransferBatch, column: str, due: payables.Due) -> TransferLine:
    """One transfer with the account it goes to, frozen as it is now."""
    return TransferLine(
        batch_id=batch.id,
        end_to_end=due.reference,
        status=T.sent,
        amount_cents=due.cents,
        holder=due.holder,
        iban_sealed=sealing.seal(due.iban, f"transfer_line.iban:{due.reference}"),
        iban_tail=due.iban_tail,
        bic=due.bic,
        reason="",
        **{column: due.id},
    )


class FileToMake(TypedDict):
    """What the outbox keeps of a transfer file to make."""

    batch: int


def _make(payload: FileToMake, key: str) -> str:
    """Write the file, check it twice, keep it sealed; answers its name and the fingerprint of its
    bytes.
    """
    batch = db.session.get_one(TransferBatch, payload["batch"])
    lines = db.session.scalars(
        select(TransferLine).where(TransferLine.batch_id == batch.id).order_by(TransferLine.id)
    ).all()
    what = {line.id: str(p.words) for p, those in payables.by_payable(lines) for line in those}
    file = sepa.TransferFile(
        message_id=batch.number,
        created_at=batch.created_at,
        holder=batch.holder,
        iban=sealing.unseal(batch.iban_sealed, f"transfer_batch.iban:{batch.number}"),
        bic=batch.bic,
        client_id=batch.client_id,
        execution_on=batch.execution_on,
        schema=batch.schema,
        transfers=tuple(
            sepa.Transfer(
                line.end_to_end,
                line.holder,
                sealing.unseal(line.iban_sealed, f"transfer_line.iban:{line.end_to_end}"),
                line.bic,
                line.amount_cents,
                f"{what[line.id]} {line.end_to_end}",
            )
            for line in lines
        ),
    )
    number, meant = batch.number, (batch.count, batch.total_cents)
    db.session.rollback()
    if (len(file.transfers), sum(t.cents for t in file.transfers)) != meant:
        raise GatewayError(
            _("%(number)s: its lines do not add up to what was validated.", number=number),
            permanent=True,
        )
    try:
        data = sepa.write(file)
        sepa.check(data, file)
    except sepa.BadFile as error:
        raise GatewayError(f"{number}: {error}", permanent=True) from error
    name = files.keep(sealing.seal_bytes(data, f"transfer_batch.file:{number}"), ".sealed")
    return f"{name} {hashlib.sha256(data).hexdigest()}"


def _made(payload: FileToMake, answer: str | None, error: str | None) -> None:
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
    TRANSFER.fire_all(batch.lines, "sent_back", by=by)
    for line in batch.lines:
        line.reason, line.answered_at = _("the file was cancelled"), clock.now()
    for payable, lines in payables.by_payable(batch.lines):
        payable.take_out(lines, batch.number, by=by)
    ledger.post(
        batch.vendor_id,
        "transfer_file_cancelled",
        batch.number,
        _("Cancelled: %(number)s", number=batch.number),
        Side(K.transfers, batch.total_cents),
        *(replace(side, cents=-side.cents) for side in payables.debts(batch.lines)),
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
