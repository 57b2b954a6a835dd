"""A file taken back: asked on its page, done by the worker, what rows were before kept a week."""

from datetime import timedelta

import pytest

from models import ImportBefore, ImportRun, Variant
from services import clock, outbox, workflow
from services.imports import runs, undoing
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_file, a_shoe, given, quantity, stocked

ARGUS = "ean;titre;plateforme;argus\n"


@pytest.fixture
def shoe(app):
    found = a_shoe()
    stocked(found, 5)
    return found


@pytest.fixture
def feed(shoe, tmp_path):
    return factories.a_feed(tmp_path, {shoe: 9}, mode="delta")


@pytest.fixture
def clerk(as_staff):
    return as_staff("Vendeur", factories.the_vendor())


def page(clerk, run):
    return clerk.get(f"/gestion/imports/fichier/{run.id}").get_data(as_text=True)


def test_the_page_asks_and_the_worker_undoes(shoe, feed, clerk):
    assert "Annuler cet import" in page(clerk, feed)
    clerk.post(f"/gestion/imports/fichier/{feed.id}/undo")
    waiting = page(clerk, feed)
    assert "est en cours" in waiting
    assert "Annuler cet import" not in waiting
    assert quantity(shoe) == 9
    outbox.work()
    assert quantity(shoe) == 5
    assert "a été annulé" in page(clerk, feed)
    assert db.session.get(ImportRun, feed.id).state.value == "cancelled"


def test_a_refusal_is_said_on_the_page_and_may_be_asked_again(shoe, feed, clerk):
    stocked(shoe, 8)
    clerk.post(f"/gestion/imports/fichier/{feed.id}/undo")
    outbox.work()
    refused = page(clerk, feed)
    assert "a bougé depuis" in refused
    assert "Annuler cet import" in refused
    assert quantity(shoe) == 8
    newest = workflow.history(db.session.get_one(ImportRun, feed.id), limit=1)
    assert [event.verb for event in newest] == ["refuse_undo"]


def test_an_undo_asked_twice_is_done_once(feed):
    def ask():
        with unit_of_work() as session:
            undoing.ask(session.get_one(ImportRun, feed.id), by=LEA)

    ask()
    ask()
    outbox.work()
    verbs = [event.verb for event in workflow.history(db.session.get_one(ImportRun, feed.id))]
    assert (verbs.count("ask_undo"), verbs.count("undo_import")) == (1, 1)


def test_a_file_that_was_undone_is_not_undone_again(feed):
    with unit_of_work() as session:
        undoing.undo(session.get_one(ImportRun, feed.id), by=LEA)
    with pytest.raises(Refused), unit_of_work() as session:
        undoing.ask(session.get_one(ImportRun, feed.id), by=LEA)


def test_every_kind_of_goods_and_prices_can_be_undone(app):
    assert set(runs.KINDS) - set(undoing.LAWS) == {"stores"}, "people and their accesses stay"


def test_what_rows_were_is_forgotten_after_a_week(app, tmp_path):
    game = factories.a_game(argus_cents=2000)
    given(a_file(tmp_path, f"{ARGUS}{game.ean};{game.product.title};;25,00\n"), "argus")
    kept = db.select(db.func.count(ImportBefore.id))
    assert db.session.scalar(kept) > 0
    undoing.forget_old()
    assert db.session.scalar(kept) > 0
    with clock.at(clock.now() + timedelta(days=8)):
        undoing.forget_old()
    assert db.session.scalar(kept) == 0


def test_a_trial_keeps_nothing(app, tmp_path):
    from services.imports import trials

    game = factories.a_game(argus_cents=2000)
    path = a_file(tmp_path, f"{ARGUS}{game.ean};{game.product.title};;25,00\n", "argus.csv")
    kept = runs.keep(path, path.name)
    with unit_of_work():
        draft = runs.receive(kept, "argus", by=LEA, draft=True).id
    trials.try_out(draft)
    assert db.session.scalar(db.select(db.func.count(ImportBefore.id))) == 0


def test_an_undo_that_stumbles_is_done_at_its_next_try(feed, shoe, monkeypatch):
    real = undoing.LAWS["stock"]

    def stumbles(_run, _by):
        raise RuntimeError("database is locked")

    with unit_of_work() as session:
        undoing.ask(session.get_one(ImportRun, feed.id), by=LEA)
    monkeypatch.setitem(
        undoing.LAWS, "stock", undoing.Law(real.has_changed, stumbles, lambda: None)
    )
    outbox.work()
    db.session.rollback()
    assert undoing.is_under_way(db.session.get_one(ImportRun, feed.id))
    monkeypatch.setitem(undoing.LAWS, "stock", real)
    with clock.at(clock.now() + timedelta(minutes=2)):
        outbox.work()
    db.session.expire_all()
    assert undoing.UNDONE in db.session.get_one(ImportRun, feed.id).report
    assert quantity(shoe) == 5


def test_an_undo_refused_and_asked_again_is_done(shoe, tmp_path, clerk):
    run = factories.a_feed(tmp_path, {shoe: 9}, mode="delta")
    other = factories.a_feed(tmp_path, {shoe: 70}, mode="delta")
    clerk.post(f"/gestion/imports/fichier/{run.id}/undo")
    outbox.work()
    assert quantity(shoe) == 70
    for id in (other.id, run.id):
        clerk.post(f"/gestion/imports/fichier/{id}/undo")
        outbox.work()
    assert quantity(shoe) == 5


def test_what_it_made_and_must_stay_is_named_on_the_page(as_staff, tmp_path):
    run = given(a_file(tmp_path, f"{ARGUS}{factories.ean(900)};Nouveau;;12,00\n"), "argus")
    made = db.session.scalar(db.select(Variant).where(Variant.ean == factories.ean(900)))
    stocked(made, 1)
    boss = as_staff("Administrateur")
    boss.post(f"/gestion/imports/fichier/{run.id}/undo")
    outbox.work()
    text = page(boss, run)
    assert "1 référence qu’il a créée reste" in text
    assert factories.ean(900) in text


def test_tidying_forgets_what_rows_were(app, tmp_path, monkeypatch):
    import tasks

    monkeypatch.setattr(tasks, "_app", lambda: app)
    game = factories.a_game(argus_cents=2000)
    given(a_file(tmp_path, f"{ARGUS}{game.ean};{game.product.title};;25,00\n"), "argus")
    with clock.at(clock.now() + timedelta(days=8)):
        tasks.tidy.call_local()
    db.session.rollback()
    assert db.session.scalar(db.select(db.func.count(ImportBefore.id))) == 0
