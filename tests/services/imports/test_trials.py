"""A file is tried out: the forecast is what the load then does, and the trial changes nothing."""

import pytest

from models import (
    ArgusValue,
    Brand,
    Event,
    ImportState,
    Listing,
    Movement,
    Product,
    StockLevel,
    UnmatchedReference,
    Variant,
    VendorReference,
)
from services import files, outbox
from services.imports import runs, trials
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_file, a_game, a_shoe, stocked

COUNTED = ("created", "updated", "unchanged", "removed", "refused", "ignored", "repeated")


def a_draft(path, kind, mode="", vendor=True):
    kept = runs.keep(path, path.name)
    with unit_of_work() as session:
        owner = session.merge(factories.the_vendor()) if vendor else None
        store = session.merge(factories.the_store()) if kind == "stock" else None
        run = runs.receive(kept, kind, by=LEA, vendor=owner, store=store, mode=mode, draft=True)
        return run.id


def tried(run_id, **how):
    with unit_of_work():
        trials.ask(the_run(run_id), {}, by=LEA, **how)
    outbox.work()
    db.session.rollback()
    return trials.of(the_run(run_id))


def the_run(run_id):
    return db.session.get_one(runs.ImportRun, run_id)


def everything():
    """All that a file may change."""
    db.session.rollback()
    tables = (
        ArgusValue,
        Brand,
        Listing,
        Movement,
        Product,
        StockLevel,
        UnmatchedReference,
        Variant,
        VendorReference,
    )
    return [
        sorted(map(str, db.session.execute(db.select(table.__table__)).all())) for table in tables
    ]


def kept_files():
    return sorted(path.name for path in files.data_dir().rglob("*.csv"))


def files_of_each_kind(folder):
    """(kind, mode, path, whether a vendor gives it): with new, changed, wrong and unknown lines."""
    shoe, other, third = a_shoe(), a_shoe("Botte"), a_shoe("Sabot")
    stocked(shoe, 4)
    stocked(third, 9)
    game = a_game("Astro Renard", "PS4", 1200)
    stock = f"ean;quantite\n{shoe.ean};2\n{other.ean};3\n{other.ean};3\n5060327534393;1\n12;1\n"
    offers = (
        "sku;product-id;product-id-type;price;quantity;state\n"
        f"S1;{shoe.ean};EAN;89;1;11\nS2;{other.ean};EAN;0;1;11\nS3;5060327534393;EAN;5;1;11\n"
    )
    argus = (
        "ean;titre;plateforme;argus\n"
        f"{game.ean};Astro Renard;PS4;15,00\n5060327534393;Neuf;PS5;9\nx;;;\n"
    )
    catalogue = (
        "ean;titre;marque;taille\n"
        f"{shoe.ean};Derby 2;Nouvelle;42\n3760150019990;Sandale;Autre;38\nx;Rien;;\n"
    )
    return [
        ("stock", "full", a_file(folder, stock, "stock.csv"), True),
        ("listings", "normal", a_file(folder, offers, "offres.csv"), True),
        ("argus", "", a_file(folder, argus, "argus.csv"), False),
        ("catalogue", "", a_file(folder, catalogue, "referencier.csv"), False),
    ]


@pytest.mark.parametrize("which", range(4), ids=["stock", "listings", "argus", "referencer"])
def test_a_trial_says_what_the_load_then_does_and_changes_nothing(tmp_path, which):
    kind, mode, path, vendor = files_of_each_kind(tmp_path)[which]
    run_id = a_draft(path, kind, mode, vendor)
    before = everything()
    forecast = tried(run_id, mode=mode)
    assert "error" not in forecast, forecast
    assert everything() == before
    assert the_run(run_id).state is ImportState.draft
    assert forecast["refused_lines"], "the wrong line is shown"

    with unit_of_work():
        runs.start(the_run(run_id), {}, by=LEA, mode=mode)
    outbox.work()
    db.session.rollback()
    run = the_run(run_id)
    if run.state is ImportState.to_confirm:
        assert runs.what_to_look_at(forecast) == runs.why_it_waits(run) != []
        return
    assert run.state is ImportState.complete, run.error
    assert {name: forecast[name] for name in COUNTED} == {
        name: getattr(run, name) for name in COUNTED
    }
    assert everything() != before


def test_a_trial_says_what_a_full_file_would_wait_for(tmp_path):
    shoes = [a_shoe(f"Derby {n}") for n in range(6)]
    for shoe in shoes:
        stocked(shoe, 3)
    path = a_file(tmp_path, f"ean;quantite\n{shoes[0].ean};3\n")
    forecast = tried(a_draft(path, "stock"), mode="full")
    (sentence,) = runs.what_to_look_at(forecast)
    assert "5" in sentence


def test_a_trial_leaves_no_file_of_refused_lines_and_another_column_is_another_trial(tmp_path):
    shoe = a_shoe()
    stocked(shoe, 1)
    path = a_file(tmp_path, f"ean;dispo;quantite\n{shoe.ean};5;abc\nx;1;1\n")
    run_id = a_draft(path, "stock")
    kept = kept_files()
    assert tried(run_id, mode="delta")["updated"] == 0
    with unit_of_work():
        trials.ask(the_run(run_id), {"quantity": "dispo"}, by=LEA, mode="delta")
    assert trials.of(the_run(run_id)) == {}, "until the worker came to it"
    outbox.work()
    db.session.rollback()
    assert trials.of(the_run(run_id))["updated"] == 1
    assert kept_files() == kept


def test_a_file_that_was_started_meanwhile_is_tried_no_more(tmp_path):
    run_id = a_draft(a_file(tmp_path, f"ean;quantite\n{a_shoe().ean};5\n"), "stock")
    with unit_of_work():
        trials.ask(the_run(run_id), {}, by=LEA, mode="delta")
        runs.start(the_run(run_id), {}, by=LEA, mode="delta")
    outbox.work()
    db.session.rollback()
    assert trials.of(the_run(run_id)) is None or "created" not in trials.of(the_run(run_id))
    with unit_of_work(), pytest.raises(Refused):
        trials.ask(the_run(run_id), {}, by=LEA)


def test_what_is_no_table_is_said_and_the_trial_is_written_in_the_history(tmp_path):
    run_id = a_draft(a_file(tmp_path, f"ean;quantite\n{a_shoe().ean};5\n"), "stock")
    tried(run_id, mode="delta")
    verbs = db.session.scalars(
        db.select(Event.verb).where(Event.subject == "import_run", Event.subject_id == run_id)
    ).all()
    assert "try_out" in verbs


def test_a_slower_first_trial_does_not_answer_for_the_second(tmp_path):
    run_id = a_draft(a_file(tmp_path, f"ean;quantite\n{a_shoe().ean};5\n"), "stock")
    for _n in range(2):
        with unit_of_work():
            trials.ask(the_run(run_id), {}, by=LEA, mode="delta")
    trials._work({"run": run_id, "number": 1}, f"import_trial:{run_id}:1")
    db.session.rollback()
    assert trials.of(the_run(run_id)) == {}


def test_a_started_file_is_not_read_for_a_trial(tmp_path):
    run_id = a_draft(a_file(tmp_path, f"ean;quantite\n{a_shoe().ean};5\n"), "stock")
    with unit_of_work():
        runs.start(the_run(run_id), {}, by=LEA, mode="delta")
    assert trials.try_out(run_id) is None
