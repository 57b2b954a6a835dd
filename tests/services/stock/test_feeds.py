"""Stock files of shops: every line judged, applied whole, never an old one over a new one, never a
shop emptied by mistake.
"""

from datetime import timedelta

import pytest

from models import (
    ImportRun,
    ImportState,
    Movement,
    StockConflict,
    StockLevel,
    VendorReference,
)
from services import clock, files, outbox, settings
from services.finance import books
from services.imports import runs
from services.stock import feeds
from services.unit import db, unit_of_work
from services.workflow import Refused
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
    assert sorted(feed) == [-2, -1, 2, 2]
    assert books.check() == []


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
    assert (run.ignored, run.refused, run.created) == (1, 0, 1)
    assert quantity(shoe) == 2
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
    assert run.ignored == 1
    assert quantity(shoe) == 2


def test_a_file_that_would_empty_more_than_half_of_a_store_waits_for_a_click(tmp_path):
    games = [a_game(f"Jeu {n}") for n in range(4)]
    for game in games:
        stocked(game, 1)
    run = a_feed(tmp_path, {games[0]: 1}, mode="full")
    assert run.state is ImportState.to_confirm
    assert run.report["would_empty"] == [["Magasin", 3, 4]]
    assert [quantity(g) for g in games] == [1, 1, 1, 1]
    with unit_of_work() as session:
        runs.confirm(session.get_one(ImportRun, run.id), by=LEA)
    outbox.work()
    db.session.expire_all()
    assert db.session.get(ImportRun, run.id).state is ImportState.complete
    assert [quantity(g) for g in games] == [1, 0, 0, 0]
    assert books.check() == []


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
    assert run.report["same_file"]
    assert quantity(shoe) == 4
    assert (run.updated, run.created) == (0, 0)


def test_a_file_older_than_the_last_full_one_is_refused(tmp_path):
    shoe = a_shoe()
    a_feed(tmp_path, {shoe: 5}, mode="full", dated_at=clock.now() - timedelta(hours=1))
    run = a_feed(tmp_path, {shoe: 9}, mode="full", dated_at=clock.now() - timedelta(hours=2))
    assert run.state is ImportState.failed
    assert "plus ancien" in run.error
    assert quantity(shoe) == 5


def test_a_file_dated_in_the_future_is_refused(tmp_path):
    shoe = a_shoe()
    run = a_feed(tmp_path, {shoe: 5}, mode="full", dated_at=clock.now() + timedelta(hours=3))
    assert run.state is ImportState.failed
    assert "futur" in run.error


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
    assert quantity(shoe) == 4
    assert books.check() == []


def test_lines_that_contradict_each_other_are_both_refused_and_a_repeated_one_counts_once(tmp_path):
    shoe, boot = a_shoe(), a_shoe("Botte Aubrac")
    text = f"ean;quantite\n{shoe.ean};2\n{shoe.ean};3\n{boot.ean};1\n{boot.ean};1\n"
    run = given(a_file(tmp_path, text), mode="delta")
    assert (run.refused, run.repeated, run.created) == (2, 1, 1)
    assert quantity(shoe) == 0
    assert set(reasons(run)) == {2, 3}


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
    assert (run.created, run.ignored) == (2, 1)
    assert (
        quantity(shoe),
        quantity(shoe, second),
        quantity(shoe, strange),
    ) == (2, 3, 0)


def test_a_file_that_takes_away_what_an_order_was_promised_opens_a_conflict(tmp_path):
    shoe = a_shoe()
    a_reservation(stocked(shoe, 1), 1, "1702-A", promised=True)
    a_feed(tmp_path, {shoe: 0, a_game(): 1, a_game("B"): 1}, mode="delta")
    assert db.session.scalar(db.select(db.func.count(StockConflict.id))) == 1
    assert books.check() == []


def test_published_stock_says_what_became_of_each_barcode():
    shoe = a_shoe()
    with unit_of_work():
        said = feeds.publish(factories.the_store(), {shoe.ean: 4, ean(903): 1}, by=LEA)
    assert said == {shoe.ean: "changed", ean(903): "unknown_ean"}
    assert quantity(shoe) == 4
    with unit_of_work():
        said = feeds.publish(
            factories.the_store(), {shoe.ean: 9}, by=LEA, dated_at=clock.now() - timedelta(hours=1)
        )
    assert said == {shoe.ean: "older_than_known"}
    assert quantity(shoe) == 4
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
    assert quantity(games[0]) == 2
    assert books.check() == []


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
    assert quantity(shoe) == 7
    assert run.refused == 2
    assert all("deux fois" in why for why in reasons(run).values())


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
    assert run.store_id == factories.the_store().id
    assert quantity(shoe) == 4


def test_a_full_file_takes_nothing_away_that_was_counted_after_it(tmp_path):
    lasting, counted = a_shoe(), a_game("Astro Renard")
    now = clock.now()
    for counts, hours, mode in (
        ({lasting: 3}, 9, "delta"),
        ({counted: 2}, 8, "delta"),
        ({counted: 2, lasting: 3}, 1, "delta"),
    ):
        a_feed(tmp_path, counts, mode=mode, dated_at=now - timedelta(hours=hours))
    run = a_feed(tmp_path, {lasting: 3}, mode="full", dated_at=now - timedelta(hours=2))
    assert run.removed == 0
    assert quantity(counted) == 2


def test_stock_published_with_a_date_in_the_future_is_refused(app):
    shoe = a_shoe()
    ahead = clock.now() + timedelta(hours=1)
    with pytest.raises(Refused, match="futur"), unit_of_work():
        feeds.publish(factories.the_store(), {shoe.ean: 4}, by=LEA, dated_at=ahead)
    assert quantity(shoe) == 0


# ── what a full file may empty ──


@pytest.mark.parametrize("words", ["abc", "-1", "99999", "", "2,5"])
def test_a_line_that_is_not_believed_leaves_its_level_as_it_is(tmp_path, words):
    shoes = [a_shoe() for _n in range(3)]
    for shoe in shoes:
        stocked(shoe, 4)
    rows = f"ean;quantite\n{shoes[0].ean};{words}\n{shoes[1].ean};2\n{shoes[2].ean};2\n"
    run = given(a_file(tmp_path, rows), mode="full")
    assert (run.ignored, run.removed) == (1, 0)
    assert [quantity(shoe) for shoe in shoes] == [4, 2, 2]
    assert books.check() == []


def test_two_lines_that_contradict_each_other_leave_the_level_as_it_is(tmp_path):
    twice, other = a_shoe(), a_shoe()
    stocked(twice, 7), stocked(other, 1)
    rows = f"ean;quantite\n{twice.ean};3\n{twice.ean};4\n{other.ean};1\n"
    run = given(a_file(tmp_path, rows), mode="full")
    assert run.removed == 0
    assert quantity(twice) == 7


def test_a_full_file_with_barcodes_nobody_can_read_waits_and_says_how_many(tmp_path):
    shoes = [a_shoe() for _n in range(8)]
    for shoe in shoes:
        stocked(shoe, 1)
    spoilt = "".join(f"3,76015E+{n};1\n" for n in (12, 13, 14))
    good = "".join(f"{shoe.ean};1\n" for shoe in shoes[3:])
    run = given(a_file(tmp_path, "ean;quantite\n" + spoilt + good), mode="full")
    assert run.state is ImportState.to_confirm
    assert run.report["unreadable"] == [3, 8]
    assert [quantity(shoe) for shoe in shoes] == [1] * 8
    with unit_of_work() as session:
        runs.confirm(session.get_one(ImportRun, run.id), by=LEA)
    outbox.work()
    db.session.expire_all()
    assert [quantity(shoe) for shoe in shoes] == [0] * 3 + [1] * 5


def test_two_unreadable_barcodes_or_a_partial_file_ask_nothing(tmp_path):
    shoe = a_shoe()
    spoilt = "3,76015E+12;1\n3,76015E+13;1\n"
    rows = f"ean;quantite\n{shoe.ean};3\n{spoilt}"
    assert given(a_file(tmp_path, rows), mode="full").state is ImportState.complete
    more = rows + "3,76015E+14;1\n"
    assert given(a_file(tmp_path, more), mode="delta").state is ImportState.complete


def test_a_file_of_another_store_is_a_failure_and_no_question(tmp_path):
    factories.a_store(code="N2")
    shoes = [a_shoe() for _n in range(3)]
    for shoe in shoes:
        stocked(shoe, 1)
    rows = "ean;quantite;magasin\n" + "".join(f"{shoe.ean};1;N2\n" for shoe in shoes)
    run = given(a_file(tmp_path, rows), mode="full")
    assert run.state is ImportState.failed
    assert "autre magasin" in run.error
    assert [quantity(shoe) for shoe in shoes] == [1, 1, 1]


def test_a_line_that_is_deleted_needs_no_quantity(tmp_path):
    shoe = a_shoe()
    stocked(shoe, 3)
    rows = f"offer-sku;quantity;warehouse-code;update-delete\n{shoe.ean};;;delete\n"
    assert given(a_file(tmp_path, rows)).ignored == 0
    assert quantity(shoe) == 0


def test_a_clock_that_is_ahead_swallows_no_sale(tmp_path):
    shoe = a_shoe()
    key, _secret = factories.a_key()
    ahead = clock.now() + timedelta(minutes=8)
    with unit_of_work():
        feeds.publish(factories.the_store(), {shoe.ean: 5}, by=LEA, dated_at=ahead)
    later = clock.now() + timedelta(minutes=1)
    with clock.at(later):
        for number in (1, 2):
            assert factories.told(key, number, "sale", shoe, at=later)["status"] == "ok"
        assert quantity(shoe) == 3
        a_feed(tmp_path, {shoe: 2}, mode="delta", dated_at=later + timedelta(minutes=8))
        assert quantity(shoe) == 2


def test_the_same_file_is_no_repeat_once_somebody_said_otherwise(tmp_path):
    shoe = a_shoe()
    path = a_file(tmp_path, f"ean;quantite\n{shoe.ean};1\n")
    given(path, mode="full")
    stocked(shoe, 77)
    run = given(path, mode="full")
    assert "same_file" not in run.report
    assert quantity(shoe) == 1
    assert given(path, mode="full").report["same_file"]
