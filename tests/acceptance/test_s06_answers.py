"""S6: what partners tell us, in any order, any number of times, days late, or forged (the carrier's
tracking and the bank's answers, in place of card webhooks): the same facts end in the same state,
and no forged one is believed.
"""

import itertools
import random
from datetime import timedelta

from sqlalchemy import select

from gateways import Trace, Tracking
from models import Parcel, ParcelState, SellerPayment, TransferBatch, TransferLine
from services import clock, sealing
from services.finance import books
from services.payments import bank_answers, transfers
from services.shipping import tracking
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.acceptance.killing import invariants
from tests.acceptance.sizes import LONG, size
from tests.factories import LEA
from tests.services.payments.test_transfers import said

WORDS = ("PRISE EN CHARGE", "EN TRANSIT", "DISPONIBLE AU POINT RELAIS", "RETIRÉ", "COLIS LIVRÉ")
STATES = ("in_transit", "in_transit", "at_relay", "at_relay", "delivered")


def test_tracking_answers_in_any_order_end_where_the_parcel_is(app, carrier, figure):
    """Every order of five answers, with some said twice: an older one that comes late never takes
    the parcel back.
    """
    factories.a_contract()
    parcel = factories.a_parcel()
    id, start, orders = parcel.id, clock.now(), 0
    events = [
        Trace(start + timedelta(hours=n), words, "FRANCE", "") for n, words in enumerate(WORDS)
    ]
    answers = [Tracking(STATES[n], WORDS[n], tuple(events[: n + 1])) for n in range(5)]
    dice = random.Random(7)
    every = list(itertools.permutations(range(5)))
    for order in every if LONG else every[::15]:
        again = [*order]
        for _n in range(dice.randint(0, 3)):
            again.insert(dice.randrange(len(again) + 1), dice.choice(order))
        with unit_of_work() as session:
            for event in list(session.get_one(Parcel, id).label.events):
                session.expunge(event)
        db.session.rollback()
        savepoint = db.session.begin_nested()
        row = db.session.get_one(Parcel, id)
        for n in again:
            tracking.tracked(row.label, answers[n])
            db.session.flush()
            db.session.expire(row.label, ["events"])
        assert row.status is ParcelState.delivered
        assert sorted(e.words for e in row.label.events) == sorted(WORDS)
        assert row.dropped_at is not None
        assert row.delivered_at is not None
        savepoint.rollback()
        db.session.rollback()
        orders += 1
    figure("orders of tracking answers", orders, at_least=120)


def test_bank_answers_in_any_order_settle_each_transfer_once(app, figure):
    """Parts of an answer, whole ones, repeats, contradictions: each transfer ends as the bank last
    could say, the ledger sums to zero.
    """
    rounds, orders = size(6, 1_000), 0
    dice = random.Random(11)
    batch = factories.a_batch(4)
    batch_id = batch.id
    references = [line.end_to_end for line in batch.lines]
    for _round in range(rounds):
        savepoint_base = db.session()
        db.session.rollback()
        outcome = {r: dice.choice(("ACSC", "ACSC", "RJCT:AC04", "RJCT:AM04")) for r in references}
        pieces = [{r: outcome[r]} for r in references] + [
            dict(itertools.islice(outcome.items(), k)) for k in (2, 4)
        ]
        dice.shuffle(pieces)
        pieces = [*pieces, *dice.sample(pieces, 2)]
        nested = db.session.begin_nested()
        given: list[bytes] = []
        for number, piece in enumerate(pieces):
            row = db.session.get_one(TransferBatch, batch_id)
            data = (
                said(row, **{r.replace("-", "_"): s for r, s in piece.items()})
                + b"<!-- %d -->" % number
            )
            given += (
                [dice.choice(given), data] if given and dice.random() < 0.3 else [data]
            )  # an old one comes again
            for again in given[-2:] if len(given) > 1 and given[-2] in given[:-2] else given[-1:]:
                try:
                    with db.session.begin_nested():
                        bank_answers.read(again, f"r{number}.xml", by=LEA)
                except Refused as refusal:
                    assert str(refusal)
                db.session.flush()
                db.session.expire_all()
                orders += 1
        lines = {
            line.end_to_end: line
            for line in db.session.scalars(
                select(TransferLine).where(TransferLine.batch_id == batch_id)
            )
        }
        for reference, word in outcome.items():
            assert lines[reference].status.value == (
                "executed" if word == "ACSC" else "sent_back"
            ), (reference, word)
        if _round % 20 == 0:
            assert books.check() == []
        nested.rollback()
        db.session.rollback()
        assert savepoint_base is db.session()
    figure("arrivals of bank answers", orders, at_least=5_000)


def test_a_forged_or_foreign_answer_changes_nothing(app, figure):
    """A thousand mutated answers: another file's number, a stranger's transfer, broken XML, an
    entity, another vendor's: none is believed.
    """
    batch = factories.a_batch(3)
    references = [line.end_to_end for line in batch.lines]
    genuine = said(batch, **{r.replace("-", "_"): "ACSC" for r in references})
    db.session.rollback()
    before = [
        (p.id, p.status)
        for p in db.session.scalars(select(SellerPayment).order_by(SellerPayment.id))
    ]
    dice, accepted, tried = random.Random(3), 0, size(60, 1_000)
    for n in range(tried):
        data = forged(genuine, references, batch.number, dice, n)
        db.session.rollback()
        try:
            with unit_of_work():
                found, executed, refused = bank_answers.read(data, f"faux{n}.xml", by=LEA)
                if executed or refused:
                    accepted += 1
                    raise AssertionError((n, data[:600], found.number))
                raise Refused("read, and says nothing")
        except Refused as refusal:
            assert str(refusal)
    db.session.rollback()
    assert [
        (p.id, p.status)
        for p in db.session.scalars(select(SellerPayment).order_by(SellerPayment.id))
    ] == before
    invariants()
    figure("forged answers refused", tried - accepted, at_least=1_000)


def forged(
    genuine: bytes, references: list[str], number: str, dice: random.Random, n: int
) -> bytes:
    kind = n % 8
    reference = dice.choice(references).encode()
    if kind == 0:  # a file we never made
        return genuine.replace(number.encode(), b"VIR-2031-01-%04d" % dice.randint(0, 9999))
    if kind == 1:  # a transfer that is in no file of ours
        return genuine.replace(reference, b"CDE%09d" % dice.randint(500, 99_999))
    if kind == 2:  # cut
        return genuine[: dice.randint(0, len(genuine) - 20)]
    if kind == 3:  # an entity
        return (
            b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
            + genuine.partition(b"?>")[2].replace(reference, b"&x;")
        )
    if kind == 4:  # another kind of message
        return genuine.replace(b"pain.002", b"camt.053").replace(
            b"CstmrPmtStsRpt", b"BkToCstmrStmt"
        )
    if kind == 5:  # a status the standard does not know, or one that settles nothing
        return genuine.replace(b">ACSC<", dice.choice((b">PDNG<", b">XXXX<", b">accepted<", b"><")))
    if kind == 6:  # another namespace
        return genuine.replace(b"urn:iso:std:iso:20022", b"urn:iso:std:iso:20023")
    return bytes(dice.randrange(256) for _b in range(dice.randint(0, 400)))


def test_an_answer_about_another_vendors_file_is_refused_to_a_limited_person(app, as_staff):
    """An accountant of another shop sends our bank's answer: it is about nothing of his."""
    import io

    from services import access

    batch = factories.a_batch(1)
    vendor, _site, _store = factories.another_vendor()
    data = said(batch, **{batch.lines[0].end_to_end.replace("-", "_"): "ACSC"})
    id = batch.id
    with access.limited_to(access.Scope(frozenset({vendor.id}))):
        try:
            with unit_of_work():
                bank_answers.read(data, "r.xml", by=LEA)
            raise AssertionError("it was believed")
        except Refused as refusal:
            assert "aucun des nôtres" in str(refusal) or str(refusal)
    db.session.rollback()
    assert db.session.get(TransferBatch, id).lines[0].status.value == "sent"
    assert (
        as_staff("Opérateur reprise", vendor)
        .post("/gestion/paiements/reponse", data={"file": (io.BytesIO(data), "r.xml")})
        .status_code
        == 403
    )


def test_a_batch_changed_in_the_database_is_not_given_to_the_bank(app):
    """The bytes kept are those that were checked: changed on the disk, or another sum in the row,
    and nobody downloads them.
    """
    from services import files

    batch = factories.a_batch(2)
    name, number = batch.file, batch.number
    data = transfers.content(batch).replace(b"FR14", b"FR15")
    files.path(name).write_bytes(sealing.seal_bytes(data, f"transfer_batch.file:{number}"))
    try:
        transfers.content(batch)
        raise AssertionError("changed bytes were given")
    except Refused as refusal:
        assert "n’est pas celui" in str(refusal)
