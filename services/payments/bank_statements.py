"""What the bank's statements (camt.053) and notifications (camt.054) say of our transfers: those
that left the account are executed, those that came back are sent back, as by its answers
(services/payments/bank_answers.py).
"""

import hashlib
from dataclasses import dataclass, field

from flask_babel import gettext as _
from sqlalchemy import select

from gateways import camt, sepa
from models import TransferBatch, TransferLine
from services import money, sealing, workflow
from services.payments import bank_answers
from services.payments.transfers import B, T
from services.unit import db
from services.workflow import Actor, Refused


@dataclass
class Reading:
    """What a file of the bank settled: each of our files it speaks of, how many transfers it
    executed and how many it sent back; what a person must look at.
    """

    files: list[tuple[TransferBatch, int, int]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def executed(self) -> int:
        return sum(executed for _batch, executed, _back in self.files)

    @property
    def sent_back(self) -> int:
        return sum(back for _batch, _executed, back in self.files)


def read_any(data: bytes, name: str, *, by: Actor) -> Reading:
    """Read an answer (pain.002) or a statement (camt.053, camt.054), as the file itself says.
    Raises Refused.
    """
    if camt.is_one(data):
        return read_statement(data, name, by=by)
    batch, executed, back = bank_answers.read(data, name, by=by)
    words = bank_answers.doubt(batch)
    return Reading([(batch, executed, back)], [words] if words else [])


def read_statement(data: bytes, name: str, *, by: Actor) -> Reading:
    """Read what an account's statement says of our transfers: a debit under one of our references
    was executed, a credit under it came back; a debit of a whole file executed what still waits,
    when amount and count agree. What else moved on the account is not ours. Raises Refused for a
    file that is no statement, that was read before, or that names none of our transfers.
    """
    mark = hashlib.sha256(data).hexdigest()
    try:
        statements = camt.read(data)
    except sepa.BadFile as error:
        raise Refused(
            _("This file is no statement of a bank (camt.053, camt.054): %(why)s.", why=str(error))
        ) from None
    reading, settled = Reading(), _Settled()
    for statement in statements:
        for booked in statement.booked:
            _settle(statement, booked, settled)
    for batch in sorted(settled.batches.values(), key=lambda one: one.id):
        executed = [line for line in settled.executed if line.batch_id == batch.id]
        back = [(line, code) for line, code in settled.back if line.batch_id == batch.id]
        bank_answers.refuse_twice(_mark_of(mark, batch.number))
        bank_answers.apply(batch, executed, back, name, _mark_of(mark, batch.number), by)
        reading.files.append((batch, len(executed), len(back)))
        words = [said for number, said in settled.doubts if number == batch.number]
        reading.doubts += words
        if words:
            workflow.record(batch, "doubt", by=by, words=" ".join(words))
    if not reading.files and settled.known:
        raise Refused(_("What this statement says of our transfers is known already."))
    if not reading.files:
        raise Refused(
            _("This statement names none of the transfers we wait for: nothing was changed.")
        )
    return reading


class _Settled:
    """What a statement settles, gathered before anything is written."""

    def __init__(self) -> None:
        self.batches: dict[int, TransferBatch] = {}
        self.executed: list[TransferLine] = []
        self.back: list[tuple[TransferLine, str]] = []
        self.doubts: list[tuple[str, str]] = []
        self.known = 0  # named, and settled before

    def doubt(self, batch: TransferBatch, words: str) -> None:
        self.batches[batch.id] = batch
        self.doubts.append((batch.number, words))


def _settle(statement: camt.Statement, booked: camt.Booked, settled: _Settled) -> None:
    line = booked.end_to_end and db.session.scalar(
        select(TransferLine).where(TransferLine.end_to_end == booked.end_to_end)
    )
    if not line:
        if booked.is_debit and not booked.end_to_end and booked.file:
            _settle_file(statement, booked, settled)
        return
    batch = line.batch
    if not _is_its_account(statement, batch):
        words = _("%(what)s: this statement is of another account.", what=line.end_to_end)
        settled.doubt(batch, words)
    elif booked.cents != line.amount_cents:
        settled.doubt(
            batch,
            _(
                "%(reference)s: the bank booked %(theirs)s, the file said %(ours)s. Ask the bank.",
                reference=line.end_to_end,
                theirs=money.text(booked.cents),
                ours=money.text(line.amount_cents),
            ),
        )
    elif booked.returns:
        settled.known += line.status is T.sent_back
        if line.status is not T.sent_back and line not in [one for one, _code in settled.back]:
            settled.batches[batch.id] = batch
            settled.back.append((line, booked.reason))
            line.reason = bank_answers.reason_words(booked.reason, booked.words)
    elif line.status is not T.sent:
        settled.known += 1
    elif line not in settled.executed:
        settled.batches[batch.id] = batch
        settled.executed.append(line)


def _settle_file(statement: camt.Statement, booked: camt.Booked, settled: _Settled) -> None:
    """One debit for a whole file: what of it still waits was executed."""
    # Of a file we name the message and, with « -1 » behind, its one block of payments.
    numbers = [booked.file, booked.file.removesuffix("-1")]
    batch = db.session.scalar(select(TransferBatch).where(TransferBatch.number.in_(numbers)))
    if batch is None or batch.status is not B.ready:
        return
    agrees = booked.cents == batch.total_cents and booked.transfers in (None, batch.count)
    if not agrees or not _is_its_account(statement, batch):
        settled.doubt(
            batch,
            _(
                "File %(number)s: the bank booked %(theirs)s, the file holds %(ours)s. Nothing of"
                " it moved: ask the bank.",
                number=batch.number,
                theirs=money.text(booked.cents),
                ours=money.text(batch.total_cents),
            ),
        )
        return
    settled.batches[batch.id] = batch
    settled.executed += [
        line for line in batch.lines if line.status is T.sent and line not in settled.executed
    ]


def _is_its_account(statement: camt.Statement, batch: TransferBatch) -> bool:
    """Whether a statement is of the account a file was paid from; a bank that gives no IBAN is
    believed.
    """
    if not statement.iban:
        return True
    return statement.iban == sealing.unseal(
        batch.iban_sealed, f"transfer_batch.iban:{batch.number}"
    )


def _mark_of(mark: str, number: str) -> str:
    """The print of a statement for one of our files: it may speak of several."""
    return hashlib.sha256(f"{mark} {number}".encode()).hexdigest()
