"""The pages of stock, catalogue and files as people who work with them all day meet them."""

import io
import re
from datetime import date, timedelta

import pytest

from models import (
    ImportRun,
    Listing,
    MachineKey,
    Membership,
    StockCount,
    StockTransfer,
    Store,
    Webhook,
)
from services import clock
from services.finance import books
from services.stock import levels, listings
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import a_game, a_shoe, quantity, stocked


@pytest.fixture
def seller(as_staff):
    """Somebody of the vendor."""
    return as_staff("Vendeur", factories.the_vendor())


def level_id() -> int:
    return db.session.scalar(db.text("SELECT max(id) FROM stock_level"))


# ── nothing lost between two people, two tabs, two clicks ──


def test_a_correction_made_on_an_old_page_does_not_undo_another(seller):
    shoe = a_shoe()
    stocked(shoe, 31)

    def save(value, was):
        return seller.post(
            f"/gestion/stock-neuf/corriger/{level_id()}",
            data={"quantity": value, "was": was},
            headers={"X-Fragment": "1"},
        )

    assert save("40", "31").status_code == 200
    refused = save("9", "31")
    assert (
        refused.status_code == 409
        and "maintenant «\u00a040" in refused.text
        and quantity(shoe) == 40
    )


def test_a_key_and_an_address_are_made_once_however_often_their_page_is_loaded_again(as_staff):
    boss = as_staff("Administrateur")
    for page, model, data in (
        (
            "/gestion/cles/nouvelle/",
            MachineKey,
            {"name": "Caisse", "scopes": "till", "store": factories.the_store().id},
        ),
        (
            "/gestion/webhooks/nouveau/",
            Webhook,
            {
                "url": "https://caisse.example/ici",
                "events": "stock.changed",
                "vendor": factories.the_vendor().id,
            },
        ),
    ):
        once = re.search(r'name="once" value="(\w+)"', boss.get(page).text)[1]
        first = boss.post(page, data={**data, "once": once})
        again = boss.post(page, data={**data, "once": once}, follow_redirects=True)
        assert first.status_code == 200 and "déjà fait" in again.text
        assert db.session.scalar(db.select(db.func.count(model.id))) == 1


def test_a_title_of_spaces_is_no_title(as_staff):
    game = a_game("Astro Renard")
    page = as_staff("Administrateur").post(
        f"/gestion/produits/edit/{game.product_id}", data={"title": "   "}
    )
    assert page.status_code == 422 and "titre" in page.text


# ── inventories ──


def counted_store(seller, *counted) -> int:
    seller.post(
        "/gestion/inventaires/compter/",
        data={"store": factories.the_store().id, "name": "Novembre", "whole": "1"},
    )
    id = db.session.scalars(db.select(StockCount.id)).one()
    for game, number in counted:
        seller.post(
            f"/gestion/inventaires/compter/{id}/scan", data={"ean": game.ean, "quantity": number}
        )
    return id


def test_an_inventory_says_what_it_would_take_away_and_asks_when_that_is_most_of_it(
    seller,
):
    games = [a_game(f"Jeu {n}") for n in range(5)]
    for game in games:
        stocked(game, 4)
    id = counted_store(seller, (games[0], 3), (games[1], 4))
    page = seller.get(f"/gestion/inventaires/compter/{id}").text
    assert (
        "4 références seraient corrigées" in page
        and "3 que personne n’a comptées passeraient à zéro (12 unités)" in page
    )
    refused = seller.post(f"/gestion/inventaires/compter/{id}/validate", follow_redirects=True)
    assert "plus grande partie" in refused.text and quantity(games[4]) == 4
    seller.post(f"/gestion/inventaires/compter/{id}/validate", data={"sure": "1"})
    assert [quantity(game) for game in games] == [3, 4, 0, 0, 0] and books.check() == []
    after = seller.get(f"/gestion/inventaires/compter/{id}?ecarts=1").text
    assert after.count('data-l="Pensé"') == 4 or after.count('class="r bad"') == 4


def test_a_code_that_is_refused_is_said_and_the_next_scan_takes_its_place(seller):
    id = counted_store(seller)
    page = seller.post(f"/gestion/inventaires/compter/{id}/scan", data={"ean": "9999999999999"})
    assert page.status_code == 422 and "9999999999999" in page.text and "data-scan" in page.text


# ── transfers ──


def test_a_barcode_scanned_twice_travels_twice_and_more_than_was_sent_never_arrives(seller):
    shoe, there = a_shoe(), factories.a_store()
    stocked(shoe, 5)
    seller.post(
        "/gestion/transferts/preparer/", data={"here": factories.the_store().id, "there": there.id}
    )
    transfer = db.session.scalars(db.select(StockTransfer)).one()
    address = f"/gestion/transferts/preparer/{transfer.id}"
    for _scan in range(3):
        seller.post(f"{address}/article", data={"ean": shoe.ean, "quantity": ""})
    db.session.expire_all()
    (line,) = transfer.lines
    assert line.quantity == 3
    seller.post(f"{address}/send")
    refused = seller.post(f"{address}/arrive", data={f"arrived-{line.id}": "99"})
    assert refused.status_code == 422 and "Au plus 3" in refused.text.replace("\u00a0", " ")
    seller.post(f"{address}/arrive", data={f"arrived-{line.id}": "1"})
    assert quantity(shoe, there) == 1 and "2 manquant" in seller.get(address).text


# ── files ──


def give(person, words: bytes, name: str = "stock.csv", **data):
    return person.post(
        "/gestion/imports/fichier/",
        data={"kind": "stock", "file": (io.BytesIO(words), name), **data},
        content_type="multipart/form-data",
    )


@pytest.mark.parametrize("words", [b"", b"\x00\x01\x02\x03", b"rien"])
def test_what_is_no_table_is_refused_before_anything_is_kept(seller, words):
    page = give(seller, words)
    assert page.status_code == 422 and "pas un tableau" in page.text
    assert db.session.scalar(db.select(db.func.count(ImportRun.id))) == 0


def test_a_stock_file_without_a_store_is_told_before_it_is_started_and_not_after(seller):
    factories.a_store()
    page = give(seller, b"ean;quantite\n3760150000011;2\n")
    preview = seller.get(page.location)
    assert "De quel magasin" in preview.text
    seller.post(page.location + "/start", data={"col-ean": "ean", "col-quantity": "quantite"})
    assert db.session.scalars(db.select(ImportRun.state)).one().value == "draft"


def test_somebody_of_one_store_is_only_offered_its_stock_file(as_staff):
    clerk, store_id = as_staff("Magasin", factories.the_vendor()), factories.the_store().id
    with unit_of_work() as session:
        session.scalars(
            db.select(Membership).where(Membership.user_id == clerk.user_id)
        ).one().store_id = store_id
    page = clerk.get("/gestion/imports/fichier/").text
    assert page.count('name="kind"') == 1


# ── found ──


def test_a_whole_barcode_finds_its_size_alone_in_the_lists(seller):
    small, large = a_shoe(shoe_size="38"), a_shoe(shoe_size="45")
    stocked(small, 1), stocked(large, 1)
    rows = seller.get(f"/gestion/stock-neuf/list/?q={small.ean}").text
    assert "38" in rows and "· 45" not in rows
    assert (
        "· 45" in seller.get("/gestion/stock-neuf/list/?q=derbys+lormnt").text
    )  # mistyped, in the plural


def test_a_store_has_a_code_that_is_its_own(as_staff):
    boss, store = as_staff("Administrateur"), factories.the_store()
    data = {"name": "Nantes Decré", "vendor": store.vendor_id, "code": "N2", "postcode": "44000"}
    assert boss.post("/gestion/magasins/add", data=data).status_code == 302
    for code, why in (("N2", "déjà"), ("n2", "déjà"), ("a b", "tirets")):
        page = boss.post("/gestion/magasins/add", data={**data, "name": "Autre", "code": code})
        assert page.status_code == 422 and why in page.text, (
            code,
            page.text[page.text.index('<form method="post" enctype') :][:2500],
        )


# ── second-hand units ──


def test_a_unit_goes_to_another_store_and_the_past_knows_where_it_was(seller):
    shoe, there = a_shoe(), factories.a_store()
    with clock.at(clock.now() - timedelta(days=2)):
        item = factories.an_item(shoe)
    seller.post(f"/gestion/stock/vendre/{item.id}/magasin", data={"store": there.id})
    now = clock.now()
    held = [
        levels.all_at(store.id, moment)
        for store in (factories.the_store(), there)
        for moment in (now - timedelta(days=1), now)
    ]
    assert held == [[(shoe.id, 0, 1)], [], [], [(shoe.id, 0, 1)]] and books.check() == []
    _vendor, _site, strange = factories.another_vendor()
    assert (
        seller.post(
            f"/gestion/stock/vendre/{item.id}/magasin", data={"store": strange.id}
        ).status_code
        == 404
    )


def test_an_offer_is_given_its_dates_and_its_delay_by_hand(seller):
    shoe = a_shoe()
    with unit_of_work() as session:
        row = listings.offer(
            session.merge(factories.the_vendor()), "S1", session.merge(shoe), 8900, by=factories.LEA
        ).id
    data = {
        "price": "89,00",
        "available_from": "2026-12-01",
        "available_to": "2026-12-31",
        "delay": "3",
    }
    seller.post(f"/gestion/offres-de-vente/prix/{row}", data=data)
    found = db.session.get(Listing, row)
    assert (found.available_from, found.available_to, found.delay_days) == (
        date(2026, 12, 1),
        date(2026, 12, 31),
        3,
    )
    refused = seller.post(
        f"/gestion/offres-de-vente/prix/{row}",
        data={**data, "available_to": "2026-11-01"},
        follow_redirects=True,
    )
    assert "avant le début" in refused.text


# ── a vendor's own account ──


def test_the_operator_has_the_lists_instead(as_staff):
    boss = as_staff("Administrateur")
    assert (
        boss.get("/gestion/mon-enseigne/").location.endswith("/gestion/enseignes/list/")
        and "Mon enseigne" not in boss.get("/gestion/").text
    )


def test_a_vendor_keeps_up_how_to_reach_him_and_his_stores_and_nobody_else_s(seller):
    vendor, store = factories.the_vendor(), factories.the_store()
    theirs, _site, strange = factories.another_vendor()
    page = seller.get("/gestion/mon-enseigne/").text
    assert vendor.name in page and theirs.name not in page
    seller.post(
        f"/gestion/mon-enseigne/{vendor.id}",
        data={"email": "contact@boutique.example", "phone": "02 40 00 00 00", "address": "1 quai"},
    )
    seller.post(
        f"/gestion/mon-enseigne/magasin/{store.id}",
        data={"postcode": "44000", "city": "Nantes", "opening_hours": "10 h – 19 h"},
    )
    db.session.expire_all()
    assert (vendor.email, store.city, store.opening_hours) == (
        "contact@boutique.example",
        "Nantes",
        "10 h – 19 h",
    )
    for address in (
        f"/gestion/mon-enseigne/{theirs.id}",
        f"/gestion/mon-enseigne/magasin/{strange.id}",
    ):
        assert seller.post(address, data={"email": "x@y.example"}).status_code == 404
    wrong = seller.post(
        f"/gestion/mon-enseigne/magasin/{store.id}", data={"postcode": "ABC", "city": "Rezé"}
    )
    assert wrong.status_code == 422 and "code postal" in wrong.text and 'value="Rezé"' in wrong.text
    assert db.session.get(Store, store.id).city == "Nantes"
