"""Price lists: any usual file, wrong lines refused alone, nothing applied by halves."""

import openpyxl
import pytest
from sqlalchemy import func, select

from models import ArgusValue, ImportRun, ImportState, Product, Variant
from services import files, money, outbox
from services.catalogue import argus
from services.imports import runs
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import COMMAND

GOOD = (
    "ean;titre;plateforme;argus;bon_achat;especes\n5060327534393;A.O.T. 2;Nintendo"
    " Switch;25,00;16,00;11,00\n5390102520885;3D Mini Golf;Nintendo Switch;30,00;20,00;14,00\n"
)


def load(tmp_path, content, name="liste.csv", encoding="utf-8") -> ImportRun:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return runs.import_file(path, by=COMMAND)


def game(ean="5060327534393"):
    db.session.expire_all()
    return db.session.scalar(select(Variant).where(Variant.ean == ean))


def test_a_list_creates_products_with_their_argus_and_reference_prices(app, tmp_path):
    run = load(tmp_path, GOOD)
    assert (run.state, run.lines_read, run.created, run.updated, run.refused) == (
        ImportState.complete,
        2,
        2,
        0,
        0,
    )
    found = game()
    assert (found.product.title, found.product.platform.name) == ("A.O.T. 2", "Nintendo Switch")
    assert (found.argus_cents, found.voucher_cents, found.cash_cents) == (2500, 1600, 1100)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_any_usual_encoding_and_separator_is_understood(app, tmp_path, encoding, separator):
    text = separator.join(["argus", "Désignation", "Code-barres", "Console"]) + "\r\n"
    text += separator.join(["12.50", "Pokémon œuf", "5060327534393", "Switch"]) + "\r\n"
    run = load(tmp_path, text, encoding=encoding)
    assert (run.state, run.created, run.refused) == (ImportState.complete, 1, 0), run.error
    assert game().product.title == "Pokémon œuf"
    assert game().argus_cents == 1250


def test_a_spreadsheet_is_understood_barcodes_as_numbers_too(app, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["EAN", "Titre", "Argus"])
    book.active.append([5060327534393, "A.O.T. 2", 25])
    book.active.append(["5390102520885", "3D Mini Golf", 12.5])
    book.active.append([711719926665, "God of War", "1 234,56 €"])
    book.save(tmp_path / "liste.xlsx")
    run = runs.import_file(tmp_path / "liste.xlsx", by=COMMAND)
    assert (run.created, run.refused) == (3, 0)
    assert game().argus_cents == 2500
    assert game("5390102520885").argus_cents == 1250
    assert game("0711719926665").argus_cents == 123456


def test_good_lines_are_loaded_and_bad_ones_come_back_with_their_sentence(app, tmp_path):
    bad = (
        GOOD + "04549642DIDR;SNK;Switch;65,00;;\n5060327534394;Faux;Switch;10;;\n"
        "5060327534393;;Switch;10;;\n;Vide;Switch;1;;\n9782070612758;Livre;PC;abc;;\n"
        "9782070612758;Livre;PC;-3;;\n5,06E+12;Excel;PC;3;;\n"
    )
    run = load(tmp_path, bad)
    assert (run.lines_read, run.created, run.refused) == (9, 2, 7)
    sentences = {line: sentence for line, _words, sentence in run.report["refused"]}
    assert "que des chiffres" in sentences[4]
    assert "dernier chiffre" in sentences[5]
    assert "titre manque" in sentences[6]
    assert "n’est pas un montant" in sentences[8]
    assert "négatif" in sentences[9]
    assert "tableur" in sentences[10]


def test_refused_lines_can_be_corrected_and_loaded_again(app, tmp_path):
    run = load(tmp_path, GOOD + "5060327534394;Corrigible;Switch;10,00;;\n")
    returned = files.path(run.errors_path).read_text("utf-8-sig")
    assert returned.splitlines()[0].endswith(";error-line;error-message")
    again = load(tmp_path, returned.replace("5060327534394", "9782070612758"), "corrigee.csv")
    assert (again.lines_read, again.created, again.refused) == (1, 1, 0)


def test_an_ean_named_twice_takes_its_last_line_and_is_reported(app, tmp_path):
    run = load(tmp_path, GOOD + "5060327534393;A.O.T. 2;Nintendo Switch;18,00;;\n")
    assert (run.lines_read, run.created, run.updated, run.refused) == (3, 2, 1, 0)
    assert run.report["repeated"] == [[4, "5060327534393"]]
    assert game().argus_cents == 1800


def test_a_upc_and_its_ean_are_one_reference(app, tmp_path):
    run = load(
        tmp_path, "ean;titre;argus\n711719926665;God of War;20\n0711719926665;God of War;21\n"
    )
    assert (run.created, run.repeated) == (1, 1)
    assert game("0711719926665").argus_cents == 2100


def test_the_same_file_again_changes_nothing(app, tmp_path):
    load(tmp_path, GOOD)
    run = load(tmp_path, GOOD)
    assert (run.created, run.updated, run.unchanged) == (0, 0, 2)
    assert db.session.scalar(select(func.count(ArgusValue.id))) == 2


def test_only_what_changed_is_written_and_the_history_keeps_both(app, tmp_path):
    load(tmp_path, GOOD)
    run = load(tmp_path, GOOD.replace("25,00", "22,00"))
    assert (run.created, run.updated, run.unchanged) == (0, 1, 1)
    assert [v.value_cents for v in argus.history(game())] == [2500, 2200]


def test_a_platform_written_another_way_is_the_same_one(app, tmp_path):
    load(tmp_path, GOOD)
    load(tmp_path, "ean;titre;plateforme;argus\n9782070612758;Autre;nintendo-switch;5\n")
    assert game("9782070612758").product.platform.name == "Nintendo Switch"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("titre;argus\nA;1\n", "«\u00a0ean\u00a0» manque"),
        ("bonjour\n", "première ligne doit nommer"),
        (b"", "fichier est vide"),
        (b"%PDF-1.4 ...", "pas un tableau"),
        (b"PK\x03\x04nonsense", "tableur est illisible"),
        (";;;\n;;;\n", "manque"),
        (b"\x89PNG\r\n", "pas un tableau"),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_one_sentence(app, tmp_path, content, says):
    run = load(tmp_path, content)
    assert run.state is ImportState.failed
    assert says in run.error
    assert db.session.scalar(select(func.count(Product.id))) == 0


def test_quotes_line_breaks_and_nul_bytes_do_not_stop_a_file(app, tmp_path):
    run = load(
        tmp_path,
        'ean;titre;argus\n5060327534393;"Titre ""cité""\nsur deux lignes; et'
        ' plus";10\n5390102520885;Nul\0;5\n',
    )
    assert run.created == 2
    assert game().product.title == 'Titre "cité" sur deux lignes; et plus'


def test_cells_that_would_run_as_formulas_are_neutralised_in_the_returned_file(app, tmp_path):
    run = load(tmp_path, "ean;titre;argus\n123;=HYPERLINK(1);10\n")
    assert "'=HYPERLINK" in files.path(run.errors_path).read_text("utf-8-sig")


def test_an_import_killed_before_its_merge_leaves_the_catalogue_as_it_was(
    app, tmp_path, monkeypatch
):
    path = tmp_path / "liste.csv"
    path.write_text(GOOD)
    with unit_of_work():
        id = runs.receive(runs.keep(path, "liste.csv"), "argus", by=COMMAND).id
    monkeypatch.setattr(argus, "_merge", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        runs.load(id)
    monkeypatch.undo()
    assert db.session.scalar(select(func.count(Product.id))) == 0
    runs.load(id)
    db.session.expire_all()
    assert db.session.get(ImportRun, id).created == 2


def test_the_worker_loads_what_was_received_once(app, tmp_path):
    path = tmp_path / "liste.csv"
    path.write_text(GOOD)
    with unit_of_work():
        first = runs.receive(runs.keep(path, "liste.csv"), "argus", by=COMMAND).id
    with unit_of_work():
        assert runs.receive(runs.keep(path, "liste.csv"), "argus", by=COMMAND).id == first
    assert outbox.work() == 1
    assert outbox.work() == 0
    db.session.expire_all()
    assert db.session.get(ImportRun, first).state is ImportState.complete


def test_an_argus_changed_by_hand_keeps_its_history(app):
    variant = factories.a_game(argus_cents=2000)
    with unit_of_work():
        argus.change(variant, 1500, by=factories.MARC)
        argus.change(variant, 1500, by=factories.MARC)
    assert [v.value_cents for v in argus.history(variant)] == [2000, 1500]
    with pytest.raises(Refused), unit_of_work():
        argus.change(variant, -1, by=factories.MARC)


def test_amounts_beyond_reason_are_refused(app, tmp_path):
    run = load(tmp_path, f"ean;titre;argus\n5060327534393;X;{money.MOST_CENTS}\n")
    assert run.refused == 1


def test_prices_a_list_has_no_column_for_stay_as_they_are(app, tmp_path):
    load(tmp_path, GOOD)
    run = load(
        tmp_path, "ean;titre;argus\n5060327534393;A.O.T. 2;24\n5390102520885;3D Mini Golf;30,00\n"
    )
    assert (run.updated, run.unchanged) == (1, 1)
    assert (game().argus_cents, game().voucher_cents, game().cash_cents) == (2400, 1600, 1100)


def test_a_list_pasted_twice_is_loaded_in_one_go(app, tmp_path):
    body = "".join(f"{factories.ean(5000 + n)};Jeu {n};{n + 1}\n" for n in range(3000))
    run = load(tmp_path, "ean;titre;argus\n" + body + body)
    assert (run.created, run.repeated, run.lines_read) == (3000, 3000, 6000)


def test_a_spreadsheet_cut_in_the_middle_is_refused_with_a_sentence(app, tmp_path):
    import zipfile

    book = openpyxl.Workbook()
    book.active.append(["ean", "titre", "argus"])
    for n in range(50):
        book.active.append([factories.ean(n), f"Jeu {n}", n])
    book.save(tmp_path / "ok.xlsx")
    with (
        zipfile.ZipFile(tmp_path / "ok.xlsx") as source,
        zipfile.ZipFile(tmp_path / "cut.xlsx", "w") as target,
    ):
        for part in source.namelist():
            data = source.read(part)
            target.writestr(part, data[: len(data) // 2] if "sheet1" in part else data)
    run = runs.import_file(tmp_path / "cut.xlsx", by=COMMAND)
    assert run.state is ImportState.failed
    assert "illisible" in run.error
