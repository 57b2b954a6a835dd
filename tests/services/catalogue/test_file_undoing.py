"""A référencier or an argus given by mistake is taken back whole."""

import contextlib
import threading

import pytest
from sqlalchemy.exc import DBAPIError

from models import ArgusValue, ImportRun, Listing, PricePoint, Product, Variant
from services import workflow
from services.catalogue import argus, file_undoing, products, search
from services.finance import books
from services.imports import undoing
from services.stock import listings
from services.unit import db, is_sqlite, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_file, a_game, a_shoe, ean, given, stocked

ARGUS = "ean;titre;plateforme;argus\n"


def undo(run):
    with unit_of_work() as session:
        done = undoing.undo(session.get_one(ImportRun, run.id), by=LEA)
    search.catch_up()
    return done


def row(variant):
    db.session.expire_all()
    return db.session.get(Variant, variant.id)


def by_ean(code):
    return db.session.scalar(db.select(Variant).where(Variant.ean == code))


# ── argus ──


@pytest.fixture
def game(app):
    return a_game("Astro Renard", argus_cents=2000)


@pytest.fixture
def wrong_argus(game, tmp_path):
    """An argus that changes a price and a title, and makes a game we did not know."""
    lines = f"{game.ean};Astro Renart;;250,00\n{ean(900)};Nouveau Jeu;;12,00\n"
    return given(a_file(tmp_path, ARGUS + lines), "argus")


def test_an_argus_goes_back_to_what_it_was(game, wrong_argus):
    assert row(game).argus_cents == 25000
    undo(wrong_argus)
    assert row(game).argus_cents == 2000
    assert row(game).product.title == "Astro Renard"
    assert books.check() == []


def test_the_argus_that_counts_again_stays_on_file(game, wrong_argus):
    undo(wrong_argus)
    assert [value.value_cents for value in argus.history(row(game))] == [2000, 25000, 2000]


def test_words_find_a_product_under_its_old_title_again(game, wrong_argus):
    undo(wrong_argus)
    assert search.find(search.Asked("astro renard")).corrected == ""
    assert search.find(search.Asked("astro renard")).count == 1
    assert search.find(search.Asked("nouveau jeu")).count == 0


def test_what_an_argus_made_is_gone(wrong_argus):
    done = undo(wrong_argus)
    assert by_ean(ean(900)) is None
    assert db.session.scalar(db.select(Product).where(Product.title == "Nouveau Jeu")) is None
    assert done.kept == ()


def test_what_it_made_and_is_in_stock_by_now_stays_without_its_price(wrong_argus):
    stocked(by_ean(ean(900)), 3)
    assert undo(wrong_argus).kept == (ean(900),)
    assert by_ean(ean(900)).argus_cents is None


def test_nothing_is_undone_once_a_price_was_changed_by_hand(game, wrong_argus):
    with unit_of_work() as session:
        argus.change(session.merge(row(game)), 3000, by=LEA)
    with pytest.raises(Refused, match=game.ean):
        undo(wrong_argus)
    assert row(game).argus_cents == 3000
    assert by_ean(ean(900)) is not None


def test_a_price_that_was_none_is_none_again(app, tmp_path):
    game = a_game("Sans Prix", argus_cents=None)
    run = given(a_file(tmp_path, f"{ARGUS}{game.ean};Sans Prix;;25,00\n"), "argus")
    undo(run)
    assert row(game).argus_cents is None
    assert (
        db.session.scalar(
            db.select(db.func.count(ArgusValue.id)).where(ArgusValue.variant_id == game.id)
        )
        == 1
    ), "what the file said stays on file"


def test_the_history_of_a_product_says_that_a_file_was_undone(game, wrong_argus):
    undo(wrong_argus)
    told = [event.verb for event in workflow.history(row(game).product)]
    assert "undo_file" in told


def test_of_two_wrong_files_the_last_goes_first_then_the_other(game, wrong_argus, tmp_path):
    again = given(a_file(tmp_path, f"{ARGUS}{game.ean};Astro;;990,00\n", "b.csv"), "argus")
    with pytest.raises(Refused):
        undo(wrong_argus)
    undo(again)
    assert row(game).argus_cents == 25000
    undo(wrong_argus)
    assert row(game).argus_cents == 2000
    assert by_ean(ean(900)) is None


def test_what_the_file_did_not_write_may_change_meanwhile(game, wrong_argus):
    with unit_of_work() as session:
        session.merge(row(game)).weight_grams = 220
        session.get_one(Product, game.product_id).description = "Une notice de plus."
    undo(wrong_argus)
    assert row(game).argus_cents == 2000
    assert row(game).product.description == "Une notice de plus."


def test_an_argus_of_prices_alone_counts_and_watches_no_title(game, tmp_path):
    run = given(a_file(tmp_path, f"{ARGUS}{game.ean};Astro Renard;;25,00\n"), "argus")
    with unit_of_work() as session:
        session.get_one(Product, game.product_id).title = "Astro Renard 2"
    assert undo(run).count == 1
    assert row(game).product.title == "Astro Renard 2"


# ── référencier ──


HEADER = "reference-fournisseur;ean;designation;marque;couleur;pointure;prix-conseille-ttc;actif\n"


@pytest.fixture
def derby(app):
    return a_shoe("Derby Lormont", "42", "Noir", price_cents=8900)


@pytest.fixture
def wrong_catalogue(derby, tmp_path):
    """A référencier that changes a colour, a price and a title, takes off sale, and makes a model
    of two sizes and one more size of ours.
    """
    lines = (
        f"{derby.product.supplier_ref};{derby.ean};Derbi Lormon;Lormont;Rouge;43;1,00;non\n"
        f"NEW-1;{ean(901)};Botte Neuve;Aubrac;Noir;40;50,00;oui\n"
        f"NEW-1;{ean(902)};Botte Neuve;Aubrac;Noir;41;50,00;oui\n"
    )
    return given(a_file(tmp_path, HEADER + lines, "ref.csv"), "catalogue")


def test_a_catalogue_goes_back_to_what_it_was(derby, wrong_catalogue):
    assert (row(derby).color, row(derby).shoe_size, row(derby).active) == ("Rouge", "43", False)
    undo(wrong_catalogue)
    assert (row(derby).color, row(derby).shoe_size, row(derby).active) == ("Noir", "42", True)
    assert row(derby).advised_cents == 8900
    assert row(derby).product.title == "Derby Lormont"
    assert books.check() == []


def test_the_price_asked_again_is_in_the_history_of_prices(derby, wrong_catalogue):
    undo(wrong_catalogue)
    asked = db.session.scalars(
        db.select(PricePoint.price_cents)
        .where(PricePoint.variant_id == derby.id)
        .order_by(PricePoint.id)
    ).all()
    assert asked == [8900, 100, 8900]


def test_the_models_a_catalogue_made_are_gone(wrong_catalogue):
    assert by_ean(ean(901)) is not None
    undo(wrong_catalogue)
    assert (by_ean(ean(901)), by_ean(ean(902))) == (None, None)
    assert db.session.scalar(db.select(Product).where(Product.title == "Botte Neuve")) is None


def test_a_size_that_is_offered_by_now_stays_with_its_model(wrong_catalogue):
    with unit_of_work() as session:
        vendor = session.merge(factories.the_vendor())
        listings.offer(vendor, "B1", session.merge(by_ean(ean(901))), 5000, by=LEA)
    assert undo(wrong_catalogue).kept == (ean(901),)
    assert by_ean(ean(901)).product.title == "Botte Neuve"
    assert by_ean(ean(902)) is None
    assert db.session.scalar(db.select(db.func.count(Listing.id))) == 1


def test_a_model_somebody_worked_on_stays_whole(wrong_catalogue):
    with unit_of_work() as session:
        product = session.merge(by_ean(ean(901)).product)
        products.disable(product, by=LEA)
    assert undo(wrong_catalogue).kept == (ean(901), ean(902))


def test_a_file_given_again_after_an_undo_is_applied(derby, wrong_catalogue, tmp_path):
    undo(wrong_catalogue)
    text = HEADER + f"NEW-1;{ean(901)};Botte Neuve;Aubrac;Noir;40;50,00;oui\n"
    run = given(a_file(tmp_path, text, "ref.csv"), "catalogue")
    assert run.created == 1
    assert by_ean(ean(901)).product.title == "Botte Neuve"


def test_pictures_a_catalogue_named_go_with_it_fetched_or_not(derby, tmp_path, monkeypatch):
    from services import files
    from services.catalogue import picture_addresses
    from tests.services.test_files import picture

    lines = f"{derby.ean};https://photos.example/a.jpg https://photos.example/b.jpg\n"
    run = given(a_file(tmp_path, "ean;images\n" + lines, "ref.csv"), "catalogue")
    kept = files.keep_picture(picture())
    monkeypatch.setattr(
        picture_addresses, "_fetched", lambda url: (kept, "") if "a.jpg" in url else ("", "pas là")
    )
    picture_addresses.fetch()
    assert row(derby).product.cover == kept
    undo(run)
    assert row(derby).product.cover is None
    assert picture_addresses.not_fetched(derby.product_id) == []


# ── what somebody said since is kept ──


def test_a_price_given_since_to_what_an_argus_made_stays(app, tmp_path):
    run = given(a_file(tmp_path, f"{ARGUS}{ean(900)};Nouveau;;12,00\n"), "argus")
    with unit_of_work() as session:
        argus.change(session.merge(by_ean(ean(900))), 3000, by=LEA)
    assert undo(run).kept == (ean(900),)
    assert by_ean(ean(900)).argus_cents == 3000


@pytest.mark.parametrize("again", ["15,00", "12,00"])
def test_what_the_right_argus_said_since_stays(app, tmp_path, again):
    run = given(a_file(tmp_path, f"{ARGUS}{ean(900)};Nouvo;;12,00\n"), "argus")
    given(a_file(tmp_path, f"{ARGUS}{ean(900)};Nouveau;;{again}\n", "right.csv"), "argus")
    undo(run)
    assert by_ean(ean(900)).argus_cents == int(again.replace(",", ""))


def test_an_emptied_price_is_told_in_the_history_of_its_reference(app, tmp_path):
    run = given(a_file(tmp_path, f"{ARGUS}{ean(900)};Nouveau;;12,00\n"), "argus")
    stocked(by_ean(ean(900)), 1)
    undo(run)
    assert [event.verb for event in workflow.history(by_ean(ean(900)))] == ["undo_file"]


NEW = HEADER + f"N1;{ean(901)};Botte;Aubrac;Noir;40;50,00;oui\n"


def test_what_a_later_catalogue_named_again_stays(app, tmp_path):
    more = f"N2;{ean(902)};Faux;Aubrac;Noir;40;50,00;oui\n"
    wrong = given(a_file(tmp_path, NEW + more, "wrong.csv"), "catalogue")
    given(a_file(tmp_path, NEW, "right.csv"), "catalogue")
    undo(wrong)
    assert by_ean(ean(901)) is not None


def test_a_sheet_an_archive_of_pictures_was_given_for_stays(app, tmp_path):
    from tests.services.catalogue.test_picture_files import a_picture
    from tests.services.imports.test_archives import zipped

    wrong = given(a_file(tmp_path, NEW, "wrong.csv"), "catalogue")
    given(zipped(tmp_path, {"N1.jpg": a_picture("red")}, "p.zip"), "pictures")
    undo(wrong)
    assert by_ean(ean(901)) is not None


def test_a_double_that_was_merged_still_leads_to_the_right_sheet(derby, tmp_path):
    wrong = given(a_file(tmp_path, NEW, "wrong.csv"), "catalogue")
    double = by_ean(ean(901)).product_id
    with unit_of_work() as session:
        target = session.get_one(Product, derby.product_id)
        products.merge(session.get_one(Product, double), target, by=LEA)
    undo(wrong)
    db.session.expire_all()
    assert products.sheet(double) is not None


def test_a_brand_deleted_since_is_said_and_nothing_is_undone(app, tmp_path):
    from models import Brand

    shoe = a_shoe(brand="Vieille")
    text = f"ean;designation;marque\n{shoe.ean};Derby Lormont;Neuve\n"
    run = given(a_file(tmp_path, text, "ref.csv"), "catalogue")
    with unit_of_work() as session:
        session.delete(session.scalar(db.select(Brand).where(Brand.name == "Vieille")))
    with pytest.raises(Refused, match="marque"):
        undo(run)


def test_a_title_changed_by_hand_since_is_kept(derby, wrong_catalogue):
    with unit_of_work() as session:
        session.get_one(Product, derby.product_id).title = "Derby Lormont II"
    with pytest.raises(Refused, match="Lormont II"):
        undo(wrong_catalogue)
    assert row(derby).color == "Rouge"


def test_the_other_prices_of_an_argus_go_back_too(app, tmp_path):
    game = a_game("Astro Renard", argus_cents=2000)
    head = "ean;titre;plateforme;argus;bon_achat;especes\n"
    line = f"{game.ean};Astro Renard;;{{}}\n"
    given(a_file(tmp_path, head + line.format("20,00;9,00;8,00"), "a.csv"), "argus")
    run = given(a_file(tmp_path, head + line.format("90,00;45,00;40,00"), "b.csv"), "argus")
    undo(run)
    assert (row(game).voucher_cents, row(game).cash_cents) == (900, 800)


def test_a_file_that_changed_no_price_adds_none_when_it_is_undone(derby, tmp_path):
    text = f"ean;couleur\n{derby.ean};Rouge\n"
    run = given(a_file(tmp_path, text, "ref.csv"), "catalogue")
    undo(run)
    points = db.select(db.func.count(PricePoint.id)).where(PricePoint.variant_id == derby.id)
    assert db.session.scalar(points) == 1


def test_the_number_of_a_deleted_sheet_brings_no_history_to_the_next(app, tmp_path):
    a_shoe()
    undo(given(a_file(tmp_path, NEW, "wrong.csv"), "catalogue"))
    shoes = [a_shoe(f"Autre {n}") for n in range(3)]
    told = [e.verb for shoe in shoes for e in workflow.history(shoe.product)]
    assert "create_by_file" not in told


def test_many_references_are_deleted_in_steps(app, tmp_path, monkeypatch):
    monkeypatch.setattr(file_undoing, "STEP", 2)
    lines = "".join(f"{ean(910 + n)};Jeu {n};;12,00\n" for n in range(5))
    run = given(a_file(tmp_path, ARGUS + lines), "argus")
    assert undo(run).count == 5
    assert [by_ean(ean(910 + n)) for n in range(5)] == [None] * 5


def test_the_price_history_of_a_reference_no_file_made_cannot_be_deleted(derby, wrong_catalogue):
    with pytest.raises(DBAPIError, match="append-only"), unit_of_work() as session:
        session.execute(db.delete(PricePoint).where(PricePoint.variant_id == derby.id))


# ── at the same moment (the write lock of SQLite keeps the other waiting by itself) ──


def meanwhile(app, work):
    """Another hand does something at this moment, in a connection of its own, for some seconds at
    most; it goes on when it had to wait.
    """

    def go():
        with app.app_context(), contextlib.suppress(Refused, DBAPIError):
            work()

    other = threading.Thread(target=go)
    other.start()
    other.join(1 if is_sqlite() else 3)
    return other


def test_a_price_set_by_hand_while_a_file_is_undone_is_not_lost(
    app, game, wrong_argus, monkeypatch
):
    real, id = file_undoing._put_back, game.id
    others: list[threading.Thread] = []

    def by_hand():
        with unit_of_work() as session:
            argus.change(session.get_one(Variant, id), 3000, by=LEA)

    def put_back(run_id, table):
        if not others:
            others.append(meanwhile(app, by_hand))
        return real(run_id, table)

    monkeypatch.setattr(file_undoing, "_put_back", put_back)
    undo(wrong_argus)
    others[0].join(20)
    assert row(game).argus_cents == 3000, "who came second had the last word"
