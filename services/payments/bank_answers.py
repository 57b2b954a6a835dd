"""What the bank answers to a transfer file (pain.002, or « tout est passé »): each transfer is
executed or sent back, once, whatever the order the answers come in.
"""

import hashlib
from dataclasses import replace

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from gateways import sepa
from models import BankAnswer, TransferBatch, TransferLine
from services import clock, workflow
from services.payments import ledger, payables
from services.payments.ledger import Side
from services.payments.transfers import BATCH, TRANSFER, B, K, T
from services.unit import db
from services.words import visible
from services.workflow import Actor, Refused

workflow.says("transfer_batch", doubt=_l("To look at with the bank"))


def all_went_through(batch: TransferBatch, *, by: Actor) -> int:
    """« Tout est passé »: every transfer of the file that has no answer yet was executed."""
    if batch.status is not B.ready:
        raise Refused(BATCH.why_not(batch, "answer") or "")
    waiting = [line for line in batch.lines if line.status is T.sent]
    mark = hashlib.sha256(
        f"clic:{batch.number}:{len(waiting)}:{clock.now().isoformat()}".encode()
    ).hexdigest()
    apply(batch, waiting, [], _("everything went through"), mark, by)
    return len(waiting)


def read(data: bytes, name: str, *, by: Actor) -> tuple[TransferBatch, int, int]:
    """Read a pain.002: what it settles, what it sends back. Raises Refused for a file that is not
    ours, not an answer, or already read.
    """
    mark = hashlib.sha256(data).hexdigest()
    refuse_twice(mark)
    try:
        reply = sepa.read_answer(data)
    except sepa.BadFile as error:
        raise Refused(
            _(
                "This file is no answer of a bank to a transfer file (pain.002), nor a statement"
                " (camt.053, camt.054): %(why)s.",
                why=str(error),
            )
        ) from None
    batch = db.session.scalar(select(TransferBatch).where(TransferBatch.number == reply.message_id))
    if batch is None:
        raise Refused(
            _(
                "This answer is about the file « %(number)s », which is none of ours.",
                number=reply.message_id[:40],
            )
        )
    by_reference = {line.end_to_end: line for line in batch.lines}
    strangers = [said.end_to_end for said in reply.lines if said.end_to_end not in by_reference]
    if strangers:
        raise Refused(
            _(
                "This answer names %(reference)s, which is not in file %(number)s: nothing was"
                " kept.",
                reference=strangers[0][:40],
                number=batch.number,
            )
        )
    named = {said.end_to_end: (said.status, said.reason, said.words) for said in reply.lines}
    whole = (reply.status, reply.reason, reply.words)
    doubts = _unlike_names(reply)
    if why := _contradiction(reply, batch):
        whole = ("", "", "")
        doubts.append(why)
    executed, refused = [], []
    for reference, line in by_reference.items():
        status, code, words = named.get(reference, whole)
        if status in sepa.EXECUTED and line.status is T.sent:
            executed.append(line)
        elif status in sepa.REFUSED and line.status is not T.sent_back:
            refused.append((line, code))
            line.reason = reason_words(code, words)
    apply(batch, executed, refused, name, mark, by)
    if doubts:
        workflow.record(batch, "doubt", by=by, words=" ".join(doubts))
    return batch, len(executed), len(refused)


def refuse_twice(mark: str) -> None:
    """Raise Refused when the file of this print was read before."""
    existing = db.session.scalar(select(BankAnswer).where(BankAnswer.sha256 == mark))
    if existing is not None:
        raise Refused(
            _(
                "This answer was already read on %(day)s by %(name)s.",
                day=clock.paris(existing.at).strftime("%d/%m/%Y"),
                name=existing.by_name,
            )
        )


def doubt(batch: TransferBatch) -> str:
    """What of its last answer a person must look at, in words; empty when nothing is."""
    last = workflow.history(batch, limit=1)
    return str(last[0].facts["words"]) if last and last[0].verb == "doubt" else ""


def _contradiction(reply: sepa.BankReply, batch: TransferBatch) -> str:
    """Why the status of the whole is not believed for the transfers an answer does not name: its
    own counts say otherwise. Empty when they agree, or when nothing hangs on it.
    """
    named = {said.end_to_end for said in reply.lines}
    unnamed = [line for line in batch.lines if line.end_to_end not in named]
    if reply.status not in sepa.EXECUTED | sepa.REFUSED or not unnamed:
        return ""
    alike = sum(said.status == reply.status for said in reply.lines) + len(unnamed)
    others = {status for status in reply.nameless if status != reply.status}
    agrees = (
        reply.transfers in (None, batch.count)
        and reply.total_cents in (None, batch.total_cents)
        and reply.counts.get(reply.status, alike) == alike
        and not others
        and sum(reply.counts.values()) in (0, batch.count)
    )
    if agrees:
        return ""
    return _(
        "The answer gives a status for all transfers, and its own counts say otherwise: only those"
        " it names moved. Ask the bank about the %(count)s others.",
        count=len(unnamed),
    )


# Verification of payee (EPC VOP): the name does not match the account, or nearly.
_UNLIKE = {"RVNM": _l("the name does not match"), "RVMC": _l("the name nearly matches")}


def _unlike_names(reply: sepa.BankReply) -> list[str]:
    """What a verification of payees found wrong, one sentence a person."""
    return [
        f"{said.end_to_end} : {_UNLIKE[said.status]}"
        + (f" – {visible(said.words)[:200]}." if said.words else ".")
        for said in reply.lines
        if said.status in _UNLIKE
    ]


def apply(
    batch: TransferBatch,
    executed: list[TransferLine],
    refused: list[tuple[TransferLine, str]],
    name: str,
    mark: str,
    by: Actor,
) -> None:
    """Write an answer down: `refused` with the bank's reason codes. A transfer executed before may
    come back now.
    """
    answer = BankAnswer(
        vendor_id=batch.vendor_id,
        batch_id=batch.id,
        sha256=mark,
        file_name=name[:200],
        executed=len(executed),
        sent_back=len(refused),
        by_name=by.name,
        at=clock.now(),
    )
    db.session.add(answer)
    db.session.flush()
    now = clock.now()
    if executed:
        TRANSFER.fire_all(executed, "executed", by=by)
        for line in executed:
            line.answered_at = now
        total = sum(line.amount_cents for line in executed)
        ledger.post(
            batch.vendor_id,
            "transfers_executed",
            f"{batch.number}:{answer.id}",
            _("Executed by the bank: %(number)s", number=batch.number),
            Side(K.transfers, total),
            Side(K.bank, -total),
            by=by,
        )
        for payable, lines in payables.by_payable(executed):
            payable.executed(lines, by=by)
    if refused:
        had_left = sum(line.amount_cents for line, _code in refused if line.status is T.executed)
        TRANSFER.fire_all([line for line, _code in refused], "sent_back", by=by)
        for line, _code in refused:
            line.answered_at = now
        ledger.post(
            batch.vendor_id,
            "transfers_sent_back",
            f"{batch.number}:{answer.id}",
            _("Sent back by the bank: %(number)s", number=batch.number),
            Side(K.transfers, sum(line.amount_cents for line, _code in refused) - had_left),
            Side(K.bank, had_left),
            *(
                replace(side, cents=-side.cents)
                for side in payables.debts([line for line, _code in refused])
            ),
            by=by,
        )
        for line, code in refused:
            payable = payables.PAYABLES[payables.column_of(line)]
            payable.sent_back(line, code in sepa.ABOUT_THE_ACCOUNT, by=by)
    if batch.status is B.ready and all(line.status is not T.sent for line in batch.lines):
        BATCH.fire(batch, "answer", by=by, executed=len(executed), sent_back=len(refused))
    else:
        workflow.record(batch, "answer", by=by, executed=len(executed), sent_back=len(refused))


def reason_words(code: str, words: str) -> str:
    """Why the bank refused, in our sentence, with the bank's own words behind when there are
    any.
    """
    if code in sepa.REASONS:
        sentence = f"{sepa.REASONS[code]} ({code})"
    else:
        sentence = _("the bank gave the reason %(code)s", code=code or "—")
    return (f"{sentence} – {visible(words)}" if words else sentence)[:200]
