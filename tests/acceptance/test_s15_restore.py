"""S15: a backup made while people work comes back whole, sends nothing by itself, and a damaged one
is found out.
"""

import random
import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from models import (
    AuditEntry,
    Event,
    Label,
    Message,
    Offer,
    Outbox,
    OutboxHold,
    OutboxState,
    Pulse,
    TransferBatch,
)
from services import clock, files, outbox, sealing
from services.buyback import offers
from services.installation import backups, health, restores
from services.unit import db, retried, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.acceptance.sizes import size
from tests.factories import COMMAND, LEA

ROOT = Path(__file__).parents[2]
needs_pg_dump = pytest.mark.skipif(
    shutil.which("pg_dump") is None, reason="pg_dump is not installed"
)


@pytest.fixture
def place(machine, tmp_path):
    """Where backups go; the data directory as the product expects it, with no file of a test
    before.
    """
    for path in (machine.data_dir / "files").iterdir():
        path.unlink()
    yield tmp_path / "backups"
    sealing.plug((machine.data_dir / "sealing_key").read_text())


def a_shop_at_work() -> None:
    factories.a_contract()
    factories.a_batch(2)
    factories.a_register()
    factories.an_offer()
    outbox.work()
    game = factories.a_game("Avec jaquette")
    with unit_of_work() as session:
        from services.catalogue import products
        from tests.acceptance.hostile_files import photo

        products.give_cover(session.merge(game).product, files.keep_picture(photo()), by=LEA)


@needs_pg_dump
def test_twenty_backups_made_under_load_all_come_back(app, machine, place, figure):
    """While sellers send and the shop decides, a backup after another; each is restored elsewhere
    and everything in it agrees.
    """
    a_shop_at_work()
    over, sold, worked, failed = threading.Event(), threading.Semaphore(0), [], []

    def sell(number: int) -> None:
        dice = random.Random(number)
        with app.app_context():
            while not over.is_set():
                try:
                    retried(lambda: one_sale(dice))
                    worked.append(1)
                    sold.release()
                except Refused:
                    pass
                except Exception as error:
                    failed.append(repr(error))
                finally:
                    db.session.remove()

    def one_sale(dice: random.Random) -> None:
        id = factories.an_offer().id
        with unit_of_work() as session:
            verb = dice.choice((offers.accept, lambda o, by: offers.refuse(o, "non", by=by)))
            verb(session.get_one(Offer, id), by=LEA)

    threads = [threading.Thread(target=sell, args=(n,)) for n in range(2)]
    [t.start() for t in threads]
    made = []
    try:
        for _n in range(size(2, 20)):
            made.append(backups.make(machine.database_url, machine.data_dir, place))
            assert sold.acquire(
                timeout=60
            )  # a slow machine sells at least once a backup all the same
    finally:
        over.set()
        [t.join() for t in threads]
    assert failed == []
    assert worked
    good, rows = 0, []
    for one in made:
        report = restores.verify(app, one.path)
        assert report.troubles == [], (one.path, report.troubles)
        rows.append(report.rows)
        good += 1
    assert (
        db.session.scalar(select(func.count(OutboxHold.id))) == 0
    )  # the installation itself was left as it was
    figure("backups under load", len(made), at_least=20)
    figure("restores that agree", good, at_least=20)
    figure("sales made meanwhile", len(worked), at_least=20)


@needs_pg_dump
def test_a_damaged_backup_is_found_out(app, machine, place, figure):
    """One bit, a piece cut out, cut off, swapped, another key: none is believed."""
    a_shop_at_work()
    whole = backups.make(machine.database_url, machine.data_dir, place).path
    data, dice, found = whole.read_bytes(), random.Random(9), 0
    kinds = ("bit", "cut off", "cut out", "longer", "head", "piece lost")
    for n in range(20):
        bad = bytearray(data)
        kind = kinds[n % len(kinds)]
        at = dice.randrange(60, len(bad))
        if kind == "bit":
            bad[at] ^= 1 << dice.randrange(8)
        elif kind == "cut off":
            del bad[at:]
        elif kind == "cut out":
            del bad[at : at + dice.randint(1, 300)]
        elif kind == "longer":
            bad += b"\0" * dice.randint(1, 100)
        elif kind == "head":
            bad[dice.randrange(18)] ^= 1
        else:  # the last chunk missing altogether: the stream ends at a piece that is whole
            first = bad.index(b"\n") + 1
            length = int.from_bytes(bad[first : first + 4], "big")
            del bad[first + 4 + length - dice.randint(0, 2) :]
            if len(bad) == len(data):
                bad.pop()
        path = place / f"damaged{n}.comptoir"
        path.write_bytes(bad)
        with pytest.raises(Refused):
            restores.verify(app, path)
        found += 1
    sealing.plug("other:" + "B" * 43 + "=")
    with pytest.raises(Refused, match="clé"):
        restores.verify(app, whole)
    figure("damaged backups found out", found, at_least=20)


@needs_pg_dump
def test_a_backup_holds_no_name_in_clear_and_no_key(app, machine, place):
    factories.a_customer(email="camille.secrete@exemple.fr", last_name="Introuvable")
    data = backups.make(machine.database_url, machine.data_dir, place).path.read_bytes()
    key = (machine.data_dir / "sealing_key").read_text()
    assert b"camille.secrete" not in data
    assert b"Introuvable" not in data
    assert key.encode() not in data
    assert b"SQLite format" not in data
    assert b"PGDMP" not in data


@needs_pg_dump
def test_what_waits_in_a_restored_database_does_not_leave_by_itself(
    app, machine, place, mail, carrier
):
    """Yesterday's backup: a letter and a label were waiting, and left since. Nothing leaves again
    until a person says so; the label never twice.
    """
    factories.a_contract()
    factories.an_accepted_offer()
    made = backups.make(machine.database_url, machine.data_dir, place).path
    outbox.work()  # after the backup: the label is ordered, the letters leave
    assert len(carrier.shipments) == 1
    letters = len(mail.letters)

    with tmp_installation(app, machine, made):
        assert outbox.held() is not None
        assert outbox.work() == 0
        assert len(mail.letters) == letters
        assert len(carrier.shipments) == 1
        state = {check.name: check.state for check in health.checks()}
        assert state["held"] == "bad"
        with unit_of_work():
            outbox.lift(by=LEA)
        with clock.at(clock.now() + timedelta(minutes=5)):
            outbox.work()
        assert len(carrier.shipments) == 1  # doubted, looked up, never ordered again by itself
        assert db.session.scalars(select(Label.status)).one().value == "unknown"
        assert (
            db.session.scalar(select(func.count(Message.id)).where(Message.state == "waiting")) == 0
        )
        assert db.session.scalars(
            select(AuditEntry.what)
            .where(AuditEntry.what.in_(["restored", "hold_lifted"]))
            .order_by(AuditEntry.number)
        ).all() == [
            "restored",
            "hold_lifted",
        ]


def tmp_installation(app, machine, path):
    """The backup restored in another place, which the program works on for a while."""
    from contextlib import contextmanager

    @contextmanager
    def elsewhere():
        folder = Path(str(machine.data_dir) + "-restored")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            manifest = backups.open_backup(path, folder / "opened")
            with backups.scratch_database(machine.database_url, machine.data_dir) as (
                url,
                data_dir,
            ):
                backups.load(manifest, folder / "opened", url, data_dir)
                with restores.elsewhere(app, url, data_dir):
                    restores._finish(app, manifest, url, path.name, LEA)
                    yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return elsewhere()


@needs_pg_dump
def test_a_restore_into_a_place_that_is_not_empty_changes_nothing(app, machine, place):
    factories.an_offer()
    made = backups.make(machine.database_url, machine.data_dir, place).path
    before = db.session.scalar(select(func.count(Event.id)))
    said = app.test_cli_runner().invoke(args=["restore", str(made)])
    assert said.exit_code == 1
    assert "n’est pas vide" in said.output
    db.session.rollback()
    assert db.session.scalar(select(func.count(Event.id))) == before
    assert outbox.held() is None


@needs_pg_dump
def test_the_command_verifies_and_says_so_in_words(app, machine, place):
    a_shop_at_work()
    said = app.test_cli_runner().invoke(args=["backup", "--to", str(place)])
    assert said.exit_code == 0, said.output
    (path,) = place.glob("*.comptoir")
    said = app.test_cli_runner().invoke(args=["restore", "--verify", str(path)])
    assert said.exit_code == 0
    assert "Tout concorde" in said.output
    path.write_bytes(path.read_bytes()[:-40])
    said = app.test_cli_runner().invoke(args=["restore", "--verify", str(path)])
    assert said.exit_code == 1
    assert "abîmée" in said.output
    assert db.session.get(Pulse, "backup").is_well


@needs_pg_dump
def test_the_nights_backup_keeps_the_newest_and_a_failure_is_told(app, machine, place):
    place.mkdir()
    for n in range(16):
        (place / f"comptoir-2026010{n % 10}-0000{n:02d}-aaaa.comptoir").write_bytes(b"x")
    made = backups.back_up(machine.database_url, machine.data_dir, place, by=COMMAND)
    kept = sorted(place.glob("*.comptoir"))
    assert len(kept) == backups.KEEP
    assert made.path in kept
    # whatever it is, it is told and goes on to the log
    with pytest.raises(Exception):  # noqa: B017
        backups.back_up("sqlite:////nulle/part/x.db", machine.data_dir, place, by=COMMAND)
    assert not db.session.get(Pulse, "backup").is_well
    assert {c.name: c.state for c in health.checks()}["backup"] == "bad"


@needs_pg_dump
def test_a_file_a_row_names_and_the_backup_lacks_is_told(app, machine, place):
    a_shop_at_work()
    name = db.session.scalars(select(TransferBatch.file)).one()
    files.drop(name)
    report = restores.verify(app, backups.make(machine.database_url, machine.data_dir, place).path)
    assert any(name in sentence or "VIR-" in sentence for sentence in report.troubles)


def test_held_sendings_can_be_abandoned_one_by_one_with_a_reason(app, mail):
    factories.an_offer()
    with unit_of_work():
        outbox.hold("essai", by=LEA)
    assert outbox.work() == 0
    assert not mail.letters
    id = db.session.scalars(select(Outbox.id).order_by(Outbox.id)).first()
    with unit_of_work() as session, pytest.raises(Refused):
        outbox.abandon(session.get_one(Outbox, id), "  ", by=LEA)
    with unit_of_work() as session:
        outbox.abandon(session.get_one(Outbox, id), "déjà partie hier", by=LEA)
    with unit_of_work():
        outbox.lift(by=LEA)
    outbox.work()
    assert db.session.get(Outbox, id).state is OutboxState.abandoned
    assert len(mail.letters) == db.session.scalar(
        select(func.count(Outbox.id)).where(Outbox.state == OutboxState.done)
    )
