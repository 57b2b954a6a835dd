"""What was said once of a file is done for the next one with its header."""

from models import ColumnMapping, ImportRun
from services import outbox
from services.imports import runs
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA, a_file, a_shoe, given, quantity


def a_draft(path) -> int:
    with unit_of_work() as session:
        store = session.merge(factories.the_store())
        kept = runs.keep(path, path.name)
        return runs.receive(kept, "stock", by=LEA, store=store, mode="delta", draft=True).id


def say(path, columns: dict[str, str], **reading) -> None:
    """A person looks at a draft, says how it is read and which columns are ours, and starts it."""
    id = a_draft(path)
    if reading:
        with unit_of_work() as session:
            runs.read_as(session.get_one(ImportRun, id), reading)
    with unit_of_work() as session:
        runs.start(session.get_one(ImportRun, id), columns, by=LEA)
    outbox.work()


def test_two_files_of_one_vendor_are_each_remembered_by_their_header(app, tmp_path):
    shoe = a_shoe()
    say(a_file(tmp_path, f"Code;A;B\n{shoe.ean};4;9\n"), {"ean": "Code", "quantity": "A"})
    assert quantity(shoe) == 4
    say(a_file(tmp_path, f"Code;B;A\n{shoe.ean};5;9\n"), {"ean": "Code", "quantity": "B"})
    assert quantity(shoe) == 5
    for text, units in ((f"code;a;b\n{shoe.ean};6;1\n", 6), (f"Code;B;A\n{shoe.ean};7;1\n", 7)):
        given(a_file(tmp_path, text), mode="delta")
        assert quantity(shoe) == units


def test_how_a_file_is_read_is_remembered_for_files_that_nobody_looks_at(app, tmp_path):
    shoe = a_shoe()
    text = "Magasin de Nantes\nle 28\n\nCode|Reste, en tout\n{ean}|{units}\n"
    first = a_file(tmp_path, text.format(ean=shoe.ean, units=4))
    say(first, {"ean": "Code", "quantity": "Reste, en tout"}, separator="|", line="4")
    assert quantity(shoe) == 4
    second = a_file(tmp_path, text.format(ean=shoe.ean, units=6), "demain.csv")
    run = given(second, mode="delta")
    assert (run.error, run.separator) == ("", "|")
    assert quantity(shoe) == 6


def test_what_one_vendor_said_is_not_done_for_another(app, tmp_path):
    shoe = a_shoe()
    _other, _site, store = factories.another_vendor()
    text = f"Code;A;B\n{shoe.ean};4;9\n"
    say(a_file(tmp_path, text), {"ean": "Code", "quantity": "A"})
    run = given(a_file(tmp_path, text), store=store, mode="delta")
    assert run.error
    assert quantity(shoe, store) == 0


def test_a_file_said_to_be_read_by_itself_forgets_what_is_remembered(app, tmp_path):
    shoe = a_shoe()
    text = f"titre;de;page\nean;quantite;x\n{shoe.ean};4;1\n"
    id = a_draft(a_file(tmp_path, text))
    with unit_of_work() as session:
        runs.read_as(session.get_one(ImportRun, id), {"line": "1"})
    assert runs.preview(db.session.get_one(ImportRun, id)).header == ["titre", "de", "page"]
    with unit_of_work() as session:
        runs.read_as(session.get_one(ImportRun, id), {"line": ""})
    db.session.expire_all()
    assert runs.preview(db.session.get_one(ImportRun, id)).header == ["ean", "quantite", "x"]


def test_the_memory_of_before_headers_still_names_columns(app, tmp_path):
    shoe = a_shoe()
    with unit_of_work() as session:
        owner = f"vendor {factories.the_vendor().id}"
        columns = {"ean": "Code", "quantity": "Reste"}
        session.add(ColumnMapping(owner=owner, kind="stock", columns=columns, reading={}))
    given(a_file(tmp_path, f"Code;Reste\n{shoe.ean};4\n"), mode="delta")
    assert quantity(shoe) == 4
