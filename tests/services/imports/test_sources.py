"""Files fetched where a vendor's software leaves them, from a real SFTP server."""

import os
import time
from datetime import timedelta

import pytest

from gateways import sftp
from models import FeedSource, ImportRun, ImportState, Message, OutboxState, SourceState
from services import clock, outbox, sealing
from services.imports import sources
from services.stock import watch
from services.unit import db, unit_of_work
from services.workflow import Refused
from simulators.sftp import Host
from tests import factories
from tests.gateways.test_sftp import NO_KEY

S = SourceState


@pytest.fixture
def host(tmp_path):
    (tmp_path / "out").mkdir()
    server = Host(tmp_path).serve()
    yield server
    server.close()


@pytest.fixture
def source(app, host):
    """A source of the stock of Nantes, whose server is not accepted yet; its number."""
    store = factories.a_store("Nantes", "N2")
    with unit_of_work() as session:
        row = FeedSource(
            name="Caisse de Nantes",
            kind="stock",
            mode="full",
            store=session.merge(store),
            url=f"sftp://127.0.0.1:{host.port}/out/stock_*.csv",
            login=host.login,
            secret_sealed="",
            every_minutes=60,
        )
        with session.no_autoflush:
            sources.check(row)
        session.add(row)
        session.flush()
        sources.keep_secret(row, host.password)
        return row.id


def left(host: Host, name: str, quantity: int, minutes_ago: int = 10) -> None:
    path = host.folder / "out" / name
    path.write_text(f"ean;quantite\n{factories.ean(7)};{quantity}\n")
    os.utime(path, (time.time() - 60 * minutes_ago,) * 2)


def the(id: int) -> FeedSource:
    db.session.rollback()
    return db.session.get_one(FeedSource, id)


def fetch(id: int) -> FeedSource:
    """What the clock does at the source's time, and the worker after it."""
    with unit_of_work() as session:
        sources.ring(session.get_one(FeedSource, id))
    while outbox.work():
        pass
    return the(id)


def accept(id: int) -> None:
    with unit_of_work() as session:
        sources.trust(session.get_one(FeedSource, id), by=factories.MARC)


def loaded() -> list[ImportRun]:
    db.session.rollback()
    return list(db.session.scalars(db.select(ImportRun).order_by(ImportRun.id)))


def test_a_server_is_asked_about_once_then_its_files_are_loaded_as_if_given(source, host):
    left(host, "stock_1.csv", 4)
    row = fetch(source)
    assert (row.status, row.shown_key) == (S.to_trust, sftp.key_print(host.key))
    assert "première fois" in row.error
    assert host.tried == []
    accept(source)
    row = fetch(source)
    assert (row.status, row.error, row.failures) == (S.active, "", 0)
    assert row.last_good_at is not None
    (run,) = loaded()
    assert (run.file_name, run.by_name, run.mode) == ("stock_1.csv", "Caisse de Nantes", "full")
    assert run.state is ImportState.complete
    assert run.store.code == "N2"
    fetch(source)
    assert len(loaded()) == 1


def test_the_next_file_is_taken_and_an_older_one_is_not(source, host):
    left(host, "stock_1.csv", 4)
    fetch(source)
    accept(source)
    fetch(source)
    left(host, "stock_0.csv", 1, minutes_ago=90)
    left(host, "stock_2.csv", 5, minutes_ago=1)
    fetch(source)
    assert [run.file_name for run in loaded()] == ["stock_1.csv", "stock_2.csv"]


def test_a_server_that_shows_another_key_is_told_nothing_more(source, host):
    fetch(source)
    accept(source)
    fetch(source)
    tried = len(host.tried)
    host.key = type(host.key).generate()
    row = fetch(source)
    assert row.status is S.to_trust
    assert "autre clé" in row.error
    assert len(host.tried) == tried
    with pytest.raises(Refused, match="autre clé depuis"), unit_of_work() as session:
        sources.trust(session.get_one(FeedSource, source), by=factories.MARC, key="what I saw")
    assert the(source).status is S.to_trust


def test_a_failure_is_written_and_tried_again_at_the_next_time_only(source, host):
    fetch(source)
    accept(source)
    host.password = "another"
    row = fetch(source)
    assert (row.failures, row.error[:10]) == (1, "Le serveur")
    assert not sources.is_in_trouble(row)
    assert sources.is_in_trouble(fetch(source))
    assert source not in sources.due()
    with clock.at(clock.now() + timedelta(minutes=61)):
        assert sources.due() == [source]
    assert {state for state in db.session.scalars(db.select(outbox.Outbox.state))} == {
        OutboxState.done
    }


def test_the_vendor_is_told_once_of_a_source_that_fails(source, host):
    fetch(source)
    with unit_of_work() as session:
        session.get_one(FeedSource, source).vendor.email = "boutique@exemple.fr"
    vendor = the(source).vendor
    for _morning in range(2):
        for id in watch.vendors_to_tell():
            with unit_of_work() as session:
                watch.tell(session.get_one(type(vendor), id))
    rows = db.select(Message).where(Message.event == "feeds_in_trouble")
    (letter,) = db.session.scalars(rows)
    assert "Caisse de Nantes" in letter.body
    assert "<li>Caisse de Nantes" in letter.html.replace("\n", "")
    assert "](http" not in letter.html, "the link is a button"


def test_its_password_is_sealed_and_kept_when_none_is_typed(source, host):
    row = the(source)
    assert host.password not in row.secret_sealed
    assert sealing.unseal(row.secret_sealed, f"feed_source.secret:{row.id}") == host.password
    with unit_of_work() as session:
        sources.keep_secret(session.get_one(FeedSource, source), "  ")
    assert the(source).secret_sealed == row.secret_sealed
    with pytest.raises(Refused, match="clé privée"), unit_of_work() as session:
        sources.keep_secret(session.get_one(FeedSource, source), NO_KEY)


def test_another_address_is_another_server(source, host):
    left(host, "stock_1.csv", 4)
    fetch(source)
    accept(source)
    fetch(source)
    with unit_of_work() as session:
        row = session.get_one(FeedSource, source)
        row.url = f"sftp://127.0.0.1:{host.port}/out/"
        sources.check(row)
    assert (the(source).host_key, the(source).seen) == ("", {})
    assert fetch(source).status is S.to_trust


def test_the_password_of_one_server_is_never_told_to_another(source, host):
    """Seen by a vendor who changed the address of a source whose password somebody else typed."""

    def move(url: str, secret: str = "", **columns) -> None:
        with unit_of_work() as session:
            row = session.get_one(FeedSource, source)
            with session.no_autoflush:
                row.url = url
                for name, value in columns.items():
                    setattr(row, name, value)
                sources.check(row, secret=secret)
            sources.keep_secret(row, secret)

    with pytest.raises(Refused, match="autre serveur"):
        move("sftp://other.example/out/stock_*.csv")
    move(f"sftp://127.0.0.1:{host.port}/out/autre_*.csv")
    assert the(source).secret_sealed, "another file of the same server keeps it"
    move("sftp://other.example/out/", secret="theirs")
    assert sealing.unseal(the(source).secret_sealed, f"feed_source.secret:{source}") == "theirs"
    move("sftp://third.example/out/", login="")
    assert the(source).secret_sealed == ""


def test_a_file_that_cannot_be_loaded_is_said_on_its_source_until_the_next_one(source, host):
    fetch(source)
    accept(source)
    left(host, "stock_1.csv", 4)
    path = host.folder / "out" / "stock_1.csv"
    path.write_text("<html>Erreur</html>\n")
    os.utime(path, (time.time() - 1200,) * 2)
    row = fetch(source)
    assert row.error.startswith("stock_1.csv a été refusé")
    assert sources.is_in_trouble(row)
    assert fetch(source).error == row.error, "nothing newer came"
    left(host, "stock_2.csv", 4)
    row = fetch(source)
    assert (row.error, sources.is_in_trouble(row)) == ("", False)


def test_a_new_password_is_tried_at_once(source, host):
    fetch(source)
    accept(source)
    host.password = "another"
    fetch(source)
    fetch(source)
    with unit_of_work() as session:
        sources.keep_secret(session.get_one(FeedSource, source), "another")
    assert (the(source).error, sources.due()) == ("", [source])


def moved(id: int, url: str) -> None:
    with unit_of_work() as session:
        row = session.get_one(FeedSource, id)
        with session.no_autoflush:
            row.url = url
            sources.check(row)


def test_an_address_corrected_before_its_key_was_accepted_is_fetched_from(source, host):
    fetch(source)
    moved(source, f"sftp://127.0.0.1:{host.port}/out/autre_*.csv")
    assert the(source).status is S.active
    assert sources.due() == [source]


def test_an_answer_from_an_address_that_was_left_counts_no_more(source, host):
    left(host, "stock_1.csv", 4)
    fetch(source)
    accept(source)
    payload: sources.ToFetch = {"source": source}
    late = sources._call(payload, "k")
    moved(source, f"sftp://127.0.0.1:{host.port}/out/autre_*.csv")
    with unit_of_work():
        sources._record(payload, late, None)
    assert loaded() == []
    assert the(source).seen == {}


def test_a_source_paused_while_it_is_fetched_gives_nothing(source, host):
    left(host, "stock_1.csv", 4)
    fetch(source)
    accept(source)
    payload: sources.ToFetch = {"source": source}
    late = sources._call(payload, "k")
    with unit_of_work() as session:
        sources.pause(session.get_one(FeedSource, source), by=factories.MARC)
    with unit_of_work():
        sources._record(payload, late, None)
    assert loaded() == []
    opened = len(host.opened)
    assert "files" not in sources._call(payload, "k")
    assert len(host.opened) == opened


def test_a_source_started_again_is_in_no_trouble_until_it_was_tried(source, host):
    fetch(source)
    accept(source)
    host.password = "another"
    fetch(source)
    with unit_of_work() as session:
        sources.pause(session.get_one(FeedSource, source), by=factories.MARC)
    with unit_of_work() as session:
        sources.resume(session.get_one(FeedSource, source), by=factories.MARC)
    assert not sources.is_in_trouble(the(source))


def test_a_paused_source_is_not_fetched(source):
    with unit_of_work() as session:
        sources.pause(session.get_one(FeedSource, source), by=factories.MARC)
    assert sources.due() == []
    with unit_of_work() as session:
        sources.resume(session.get_one(FeedSource, source), by=factories.MARC)
    assert sources.due() == [source]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": " "}, "nom"),
        ({"kind": "enrolment"}, "contient"),
        ({"kind": "nothing"}, "contient"),
        ({"url": "ftp://server/stock.csv"}, "adresse"),
        ({"url": "sftp://nantes:secret@server/stock.csv"}, "adresse"),
        ({"url": "sftp://server:99999/stock.csv"}, "adresse"),
        ({"url": "https://server/a b.csv"}, "adresse"),
        ({"url": "sftp://server/*/stock.csv"}, "dossier"),
        ({"every_minutes": 4}, "minutes"),
        ({"kind": "argus", "mode": ""}, "opérateur"),
        ({"kind": "catalogue"}, "mode"),
        ({"url": "https://server/stock_*.csv"}, "sftp"),
    ],
)
def test_a_sheet_that_cannot_work_is_refused_with_a_sentence(source, change, sentence):
    with pytest.raises(Refused, match=sentence), unit_of_work() as session:
        row = session.get_one(FeedSource, source)
        for name, value in change.items():
            setattr(row, name, value)
        with session.no_autoflush:
            sources.check(row)


def test_the_store_says_whose_a_source_is(source):
    other, _site, _store = factories.another_vendor()
    with pytest.raises(Refused, match="autre enseigne"), unit_of_work() as session:
        row = session.get_one(FeedSource, source)
        row.vendor = session.merge(other)
        with session.no_autoflush:
            sources.check(row)


def test_a_worker_that_dies_between_the_call_and_the_record_loads_the_file_once(source, host):
    left(host, "stock_1.csv", 4)
    fetch(source)
    accept(source)
    with unit_of_work() as session:
        sources.ring(session.get_one(FeedSource, source))
    payload: sources.ToFetch = {"source": source}
    sources._call(payload, "k")  # fetched and kept; then it dies
    while outbox.work():
        pass
    assert [run.file_name for run in loaded()] == ["stock_1.csv"]
