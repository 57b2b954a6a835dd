"""Stock files of shops: every line judged, applied whole, never an old one over a new one, never a
shop emptied by mistake.
"""

from datetime import timedelta

import pytest

from models import (
    ImportRun,
    ImportState,
    Movement,
    Product,
    StockConflict,
    StockLevel,
    UnmatchedReference,
    UnmatchedState,
    VendorReference,
)
from services import clock, files, outbox, settings
from services.catalogue import matching, products
from services.finance import books
from services.imports import runs
from services.stock import feeds
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import (
    LEA,
    a_feed,
    a_file,
    a_game,
    a_reservation,
    a_shoe,
    ean,
    given,
    quantity,
    stocked,
)


def reasons(run: ImportRun) -> dict[int, str]:
    return {line: why for line, _words, why in run.report["refused"]}


def test_a_full_file_says_everything_and_each_difference_is_a_movement(tmp_path):
    kept, gone, new = a_shoe(), a_game("Ancien"), a_game("Nouveau")
    stocked(kept, 3), stocked(gone, 1), stocked(a_game("Autre"), 2)
    others = [a_game(f"Jeu {n}") for n in range(6)]
    for game in others:
        stocked(game, 1)
    run = a_feed(tmp_path, {kept: 5, new: 2, **{g: 1 for g in others}}, mode="full")
    assert (run.state, run.created, run.updated, run.unchanged, run.removed) == (
        ImportState.complete,
        1,
        1,
        6,
        2,
    )
    assert (quantity(kept), quantity(gone), quantity(new)) == (5, 0, 2)
    feed = db.session.scalars(
        db.select(Movement.quantity).where(Movement.kind == "feed").order_by(Movement.id)
    ).all()
    assert sorted(feed) == [-2, -1, 2, 2] and books.check() == []


def test_a_partial_file_leaves_what_it_does_not_name(tmp_path):
    shoe, other = a_shoe(), a_game()
    stocked(other, 4)
    a_feed(tmp_path, {shoe: 2}, mode="delta")
    assert (quantity(shoe), quantity(other)) == (2, 4)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("-3", "dessous"),
        ("12000", "plus"),
        ("beaucoup", "quantité"),
        ("1,5", "quantité"),
        ("", "quantité"),
    ],
)
def test_a_fanciful_quantity_is_ignored_counted_and_explained(tmp_path, words, why):
    shoe, other = a_shoe(), a_game()
    stocked(shoe, 2)
    run = a_feed(tmp_path, {shoe: words, other: 1}, mode="delta")
    assert (run.ignored, run.refused, run.created) == (1, 0, 1) and quantity(shoe) == 2
    assert why in reasons(run)[2]


@pytest.mark.parametrize("words", ["3", "3,0", "3.00", "+3", " 3 ", "3,000"])
def test_a_quantity_is_read_as_tills_write_it(tmp_path, words):
    shoe = a_shoe()
    a_feed(tmp_path, {shoe: words}, mode="delta")
    assert quantity(shoe) == 3


def test_a_jump_above_the_setting_is_fanciful(tmp_path):
    shoe = a_shoe()
    stocked(shoe, 2)
    with unit_of_work():
        settings.change("stock_most_jump", "100", by=LEA)
    run = a_feed(tmp_path, {shoe: 500}, mode="delta")
    assert run.ignored == 1 and quantity(shoe) == 2


def test_unknown_references_are_ignored_counted_and_wait_in_a_queue(tmp_path):
    text = (
        f"ean;designation;marque;quantite\n{ean(901)};Mocassin"
        f" Pouldu;Pouldu;3\n{a_shoe().ean};;;2\n"
    )
    run = given(a_file(tmp_path, text), mode="delta")
    assert (run.ignored, run.created) == (1, 1)
    row = db.session.scalars(db.select(UnmatchedReference)).one()
    assert (row.ean, row.title, row.brand, row.times, row.status) == (
        ean(901),
        "Mocassin Pouldu",
        "Pouldu",
        1,
        UnmatchedState.unmatched,
    )
    given(a_file(tmp_path, text + "\n", "encore.csv"), mode="delta")
    db.session.expire_all()
    assert db.session.get(UnmatchedReference, row.id).times == 2


def test_a_file_that_would_empty_more_than_half_of_a_store_waits_for_a_click(tmp_path):
    games = [a_game(f"Jeu {n}") for n in range(4)]
    for game in games:
        stocked(game, 1)
    run = a_feed(tmp_path, {games[0]: 1}, mode="full")
    assert run.state is ImportState.to_confirm and run.report["would_empty"] == [["Magasin", 3, 4]]
    assert [quantity(g) for g in games] == [1, 1, 1, 1] and runs.to_confirm_count() == 1
    with unit_of_work() as session:
        runs.confirm(session.get_one(ImportRun, run.id), by=LEA)
    outbox.work()
    db.session.expire_all()
    assert db.session.get(ImportRun, run.id).state is ImportState.complete
    assert [quantity(g) for g in games] == [1, 0, 0, 0] and books.check() == []


def test_half_of_a_store_may_go_without_a_click(tmp_path):
    games = [a_game(f"Jeu {n}") for n in range(4)]
    for game in games:
        stocked(game, 1)
    assert a_feed(tmp_path, {games[0]: 1, games[1]: 1}, mode="full").state is ImportState.complete


def test_the_same_file_twice_changes_nothing_even_after_a_sale(tmp_path):
    shoe = a_shoe()
    path = a_file(tmp_path, f"ean;quantite\n{shoe.ean};5\n")
    given(path, mode="full")
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", shoe)
    run = given(path, mode="full")
    assert run.report["same_file"] and quantity(shoe) == 4 and (run.updated, run.created) == (0, 0)


def test_a_file_older_than_the_last_full_one_is_refused(tmp_path):
    shoe = a_shoe()
    a_feed(tmp_path, {shoe: 5}, mode="full", dated_at=clock.now() - timedelta(hours=1))
    run = a_feed(tmp_path, {shoe: 9}, mode="full", dated_at=clock.now() - timedelta(hours=2))
    assert run.state is ImportState.failed and "plus ancien" in run.error and quantity(shoe) == 5


def test_a_file_dated_in_the_future_is_refused(tmp_path):
    shoe = a_shoe()
    run = a_feed(tmp_path, {shoe: 5}, mode="full", dated_at=clock.now() + timedelta(hours=3))
    assert run.state is ImportState.failed and "futur" in run.error


def test_a_late_partial_line_never_undoes_a_newer_one(tmp_path):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    a_feed(tmp_path, {shoe: 5}, mode="delta", dated_at=clock.now() - timedelta(hours=1))
    run = a_feed(
        tmp_path, {shoe: 9, boot: 2}, mode="delta", dated_at=clock.now() - timedelta(hours=2)
    )
    assert (quantity(shoe), quantity(boot), run.ignored) == (5, 2, 1)


def test_what_was_sold_after_the_file_was_made_is_not_brought_back(tmp_path):
    shoe = a_shoe()
    stocked(shoe, 5)
    key, _secret = factories.a_key()
    start = clock.now()
    with clock.at(start + timedelta(minutes=30)):
        factories.told(key, 1, "sale", shoe)
    with clock.at(start + timedelta(minutes=60)):
        a_feed(tmp_path, {shoe: 5}, mode="full", dated_at=start + timedelta(minutes=10))
    assert quantity(shoe) == 4 and books.check() == []


def test_a_file_s_own_name_dates_it():
    for name, said in (
        ("stock_20261120.csv", "20/11/2026 00:00"),
        ("N1-2026-11-20-183000.csv", "20/11/2026 18:30"),
        ("stock 12.csv", None),
    ):
        found = runs.date_in_name(name)
        assert (clock.paris(found).strftime("%d/%m/%Y %H:%M") if found else None) == said


def test_lines_that_contradict_each_other_are_both_refused_and_a_repeated_one_counts_once(tmp_path):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    text = f"ean;quantite\n{shoe.ean};2\n{shoe.ean};3\n{boot.ean};1\n{boot.ean};1\n"
    run = given(a_file(tmp_path, text), mode="delta")
    assert (
        (run.refused, run.repeated, run.created) == (2, 1, 1)
        and quantity(shoe) == 0
        and set(reasons(run)) == {2, 3}
    )


def test_one_file_may_hold_several_stores_and_a_stranger_s_store_is_ignored(tmp_path):
    shoe = a_shoe()
    second = factories.a_store("Nantes 2", "N2")
    _vendor, _site, strange = factories.another_vendor()
    text = (
        "ean;quantity;warehouse-code\n"
        f"{shoe.ean};2;M1\n{shoe.ean};3;N2\n{shoe.ean};9;{strange.name}\n"
    )
    with unit_of_work():
        factories.the_store().code = "M1"
    run = given(a_file(tmp_path, text), vendor=factories.the_vendor(), mode="delta")
    assert (run.created, run.ignored) == (2, 1) and (
        quantity(shoe),
        quantity(shoe, second),
        quantity(shoe, strange),
    ) == (2, 3, 0)


def test_a_file_that_takes_away_what_an_order_was_promised_opens_a_conflict(tmp_path):
    shoe = a_shoe()
    a_reservation(stocked(shoe, 1), 1, "1702-A", promised=True)
    a_feed(tmp_path, {shoe: 0, a_game(): 1, a_game("B"): 1}, mode="delta")
    assert (
        db.session.scalar(db.select(db.func.count(StockConflict.id))) == 1 and books.check() == []
    )


def test_the_refused_lines_are_a_file_that_can_be_corrected_and_sent_back(tmp_path):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    run = a_feed(tmp_path, {shoe: -1, boot: 2}, mode="delta")
    text = files.read(run.errors_path).decode("utf-8-sig")
    assert text.splitlines()[0] == "ean;quantite;error-line;error-message"
    run = given(a_file(tmp_path, text.replace(";-1;", ";4;"), "corrige.csv"), mode="delta")
    assert run.error == "" and quantity(shoe) == 4


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
    assert db.session.get(ImportRun, id).state is ImportState.cancelled and all(
        quantity(g) == 0 for g in games
    )


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

    def cancelled_meanwhile(*said):
        with unit_of_work() as session:
            runs.cancel(session.get_one(ImportRun, id), by=LEA)
        return match(*said)

    monkeypatch.setattr(matching, "match", cancelled_meanwhile)
    runs.load(id)
    db.session.expire_all()
    run = db.session.get(ImportRun, id)
    assert (run.state, run.updated, quantity(shoe)) == (
        ImportState.cancelled,
        0,
        2,
    ) and books.check() == []


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
    assert run.error == "" and quantity(shoe) == 6


# ── mapping ──


def test_a_reference_is_found_by_barcode_then_vendor_name_then_supplier_reference_and_brand(
    tmp_path,
):
    shoe = a_shoe(supplier_ref="LOR-100")
    run = given(
        a_file(tmp_path, "sku;reference-fournisseur;marque;quantite\nCAISSE-7;LOR-100;lormont;3\n"),
        mode="delta",
    )
    assert (run.ignored, quantity(shoe)) == (0, 3)
    assert [(r.sku, r.how) for r in db.session.scalars(db.select(VendorReference))] == [
        ("CAISSE-7", "supplier_ref")
    ]
    given(a_file(tmp_path, "sku;quantite\nCAISSE-7;5\n", "b.csv"), mode="delta")
    assert quantity(shoe) == 5


def test_a_close_title_is_a_proposal_with_its_score_that_somebody_accepts(tmp_path):
    shoe = a_shoe("Mocassin Pouldu cuir")
    given(
        a_file(
            tmp_path,
            "sku;designation;quantite\nM-1;MOCASSIN POULDU CUIRS;3\nM-2;Perceuse à colonne;1\n",
        ),
        mode="delta",
    )
    rows = {r.sku: r for r in db.session.scalars(db.select(UnmatchedReference))}
    assert (
        rows["M-1"].proposal_id == shoe.id
        and rows["M-1"].score >= 90
        and rows["M-2"].proposal_id is None
    )
    with unit_of_work() as session:
        matching.accept_proposal(session.get_one(UnmatchedReference, rows["M-1"].id), by=LEA)
    given(a_file(tmp_path, "sku;quantite\nM-1;4\n", "b.csv"), mode="delta")
    assert quantity(shoe) == 4


def test_one_click_proposes_an_unknown_reference_to_the_catalogue(tmp_path):
    given(
        a_file(tmp_path, f"ean;designation;marque;quantite\n{ean(902)};Botte Aubrac;Aubrac;3\n"),
        mode="delta",
    )
    row = db.session.scalars(db.select(UnmatchedReference)).one()
    with unit_of_work() as session:
        product = matching.propose_product(session.get_one(UnmatchedReference, row.id), by=LEA)
        assert (product.title, product.brand.name, product.status.value) == (
            "Botte Aubrac",
            "Aubrac",
            "proposed",
        )
    assert products.by_ean(ean(902)) is not None and matching.waiting_count() == 0


def test_published_stock_says_what_became_of_each_barcode():
    shoe = a_shoe()
    with unit_of_work():
        said = feeds.publish(factories.the_store(), {shoe.ean: 4, ean(903): 1}, by=LEA)
    assert (
        said
        == {
            "changed": 1,
            "unchanged": 0,
            "ignored": [{"ean": ean(903), "reason": "unknown_ean"}],
        }
        and quantity(shoe) == 4
    )
    with unit_of_work():
        said = feeds.publish(
            factories.the_store(), {shoe.ean: 9}, by=LEA, dated_at=clock.now() - timedelta(hours=1)
        )
    assert said["ignored"][0]["reason"] == "older_than_known" and quantity(shoe) == 4
    assert db.session.scalar(db.select(db.func.count(StockLevel.id))) == 1


def test_a_file_that_waited_speaks_of_the_moment_it_came(tmp_path):
    games = [a_game(f"Jeu {n}") for n in range(4)]
    with clock.at(clock.now() - timedelta(hours=6)):
        for game in games:
            stocked(game, 1)
    with clock.at(clock.now() - timedelta(hours=5)):
        run = a_feed(tmp_path, {games[0]: 3}, mode="full")
    key, _secret = factories.a_key()
    with clock.at(clock.now() - timedelta(hours=2)):
        factories.told(key, 1, "sale", games[0])
    with unit_of_work() as session:
        runs.confirm(session.get_one(ImportRun, run.id), by=LEA)
    outbox.work()
    db.session.expire_all()
    assert quantity(games[0]) == 2 and books.check() == []


def test_two_names_of_one_reference_that_contradict_each_other_are_both_put_aside(tmp_path):
    shoe = a_shoe()
    stocked(shoe, 7)
    with unit_of_work() as session:
        session.add(
            VendorReference(
                vendor_id=factories.the_vendor().id, sku="ABC", variant_id=shoe.id, how="by hand"
            )
        )
    run = given(a_file(tmp_path, f"ean;offer-sku;quantite\n{shoe.ean};;5\n;ABC;3\n"), mode="delta")
    assert (
        quantity(shoe) == 7
        and run.refused == 2
        and all("deux fois" in why for why in reasons(run).values())
    )


# ── how a file is meant, when nobody said it ──


def test_sto01_tells_changes_and_any_other_stock_file_all_there_is(tmp_path):
    shoe, others = a_shoe(), [a_game(f"Jeu {n}") for n in range(3)]
    for game in others:
        stocked(game, 1)
    run = given(
        a_file(tmp_path, f"offer-sku;quantity;warehouse-code;update-delete\n{shoe.ean};4;M1;\n")
    )
    assert (run.mode, run.removed, quantity(shoe), quantity(others[0])) == ("delta", 0, 4, 1)
    run = given(
        a_file(
            tmp_path, "ean;quantite\n" + "".join(f"{g.ean};1\n" for g in (*others, shoe)), "b.csv"
        )
    )
    assert (run.mode, quantity(shoe)) == ("full", 1)


def test_corrected_lines_sent_back_never_empty_what_they_do_not_name(tmp_path):
    shoe, others = a_shoe(), [a_game(f"Jeu {n}") for n in range(3)]
    run = a_feed(tmp_path, {**{g: 1 for g in others}, shoe: -4}, mode="full")
    text = files.path(run.errors_path).read_text("utf-8-sig")
    run = given(a_file(tmp_path, text.replace(";-4;", ";4;"), "corrige.csv"), mode="full")
    assert (run.mode, run.removed, quantity(shoe), quantity(others[0])) == ("delta", 0, 4, 1)
    run = given(a_file(tmp_path, text.replace(";-4;", ";-5;"), "encore.csv"), mode="full")
    assert (
        files.path(run.errors_path).read_text("utf-8-sig").splitlines()[0]
        == "ean;quantite;error-line;error-message"
    )


def test_the_only_store_of_a_vendor_need_not_be_named(tmp_path):
    shoe = a_shoe()
    run = given(a_file(tmp_path, f"ean;quantite\n{shoe.ean};4\n"), vendor=factories.the_vendor())
    assert run.store_id == factories.the_store().id and quantity(shoe) == 4


def test_a_supplier_reference_of_a_merged_sheet_is_still_known(tmp_path):
    kept, double = (
        a_shoe("Derby Ploumanach", supplier_ref="NEW-1"),
        a_shoe("Derby Ploumanach bis", supplier_ref="OLD-1"),
    )
    with unit_of_work() as session:
        products.merge(session.merge(double).product, session.merge(kept).product, by=LEA)
    run = given(
        a_file(
            tmp_path,
            "reference-fournisseur;designation;marque;ean\nOLD-1;Derby;Lormont;" + ean(977) + "\n",
            "ref.csv",
        ),
        "catalogue",
    )
    assert run.created == 1 and products.by_ean(ean(977)).product_id == kept.product_id


def test_a_sheet_without_a_barcode_merged_into_its_twin_leaves_the_supplier_reference_known(
    tmp_path,
):
    shoe = a_shoe("Derby Ploumanach", supplier_ref="P-1")
    with unit_of_work() as session:
        kept = session.merge(shoe).product
        double = Product(
            title="Derby Ploumanac’h",
            supplier_ref="P-1",
            brand_id=kept.brand_id,
            category="",
            created_at=clock.now(),
        )
        session.add(double)
        session.flush()
        products.merge(double, kept, by=LEA)
    given(
        a_file(tmp_path, "sku;reference-fournisseur;marque;quantite\nC-7;P-1;Lormont;3\n"),
        mode="delta",
    )
    assert quantity(shoe) == 3


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
    ] and runs.refusals(run, "dessous", 1).count == 2
    page = as_staff("Administrateur").get(f"/gestion/imports/fichier/{run.id}?q=beaucoup").text
    assert "1 ligne mise de côté" in page and games[2].ean in page and games[0].ean not in page
