"""« Mes ventes »: a shop answers its own orders, and those of nobody else."""

import re

import pytest

from models import CallTask, Store, VendorOrder
from services.orders import parts, pickup
from services.people import staff
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import a_part, a_shoe, a_shop, an_order, on_sale

VENDOR, STORE, ANIMATOR = "Vendeur", "Magasin", "Animateur"


def the(part: VendorOrder) -> VendorOrder:
    db.session.expire_all()
    return db.session.get_one(VendorOrder, part.id)


def at(part: VendorOrder, what: str = "") -> str:
    return f"/gestion/commandes/{part.id}/{what}"


def page(client, part: VendorOrder) -> str:
    return client.get(f"/gestion/commandes/show/{part.id}").text


@pytest.fixture
def awa(as_staff):
    return as_staff(VENDOR, factories.the_vendor())


def test_the_page_shows_the_three_cases_the_buyer_and_the_amounts(awa):
    part = a_part()
    shown = page(awa, part)
    for words in (
        "Commande 100",
        "Commande hybride",
        "Commande incomplète dans sa totalité",
        "Valider",
        "Signaler un problème",
        "Aucun produit de disponible",
        "vérifiez votre stock",
        "Total articles HT",
        "74,17",
        "14,83",
        part.order.name,
    ):
        assert words in shown, words
    assert part.order.email not in shown


def test_a_shop_accepts_undoes_and_accepts_again(awa):
    part = a_part()
    awa.post(at(part, "valider"))
    assert the(part).status is parts.S.shipping
    assert "Annuler" in page(awa, part)
    awa.post(at(part, "annuler-validation"))
    assert the(part).status is parts.S.waiting_acceptance
    awa.post(at(part, "valider"))
    awa.post(at(part, "prete"))
    assert the(part).status is parts.S.to_collect


def test_a_problem_is_shown_with_its_new_total_before_it_is_sent(awa):
    a_shop()
    store = factories.keeps_for_buyers()
    part = an_order((on_sale(a_shoe("Derby"), 8900, 5), store, 3)).parts[0]
    line = part.lines[0].id
    fields = {f"kept-{line}": "2", f"why-{line}": "out_of_stock", "words": "une paire abîmée"}
    seen = awa.post(at(part, "probleme"), data=fields).text
    assert "178,00\u00a0€ au lieu de 267,00\u00a0€" in seen
    assert the(part).status is parts.S.waiting_acceptance
    awa.post(at(part, "probleme"), data={**fields, "send": "1"})
    part = the(part)
    assert (part.status, part.total_cents, part.remark) == (
        parts.S.shipping,
        17800,
        "une paire abîmée",
    )
    assert "Modifiée ✓" in page(awa, part)


@pytest.mark.parametrize("typed", ["4", "-1", "deux", "1000000000", ""])
def test_a_number_that_makes_no_sense_is_a_sentence(awa, typed):
    part = a_part()
    fields = {f"kept-{part.lines[0].id}": typed, "words": "à revoir", "send": "1"}
    answer = awa.post(at(part, "probleme"), data=fields)
    assert answer.status_code == 422
    assert f'value="{typed}"' in answer.text
    assert "à revoir" in answer.text
    assert the(part).status is parts.S.waiting_acceptance


def test_what_is_missing_nowhere_is_said_before_it_is_sent(awa):
    part = a_part()
    fields = {f"kept-{part.lines[0].id}": "1", "words": ""}
    shown = awa.post(at(part, "probleme"), data=fields).text
    assert "Rien ne manque" in shown
    assert 'name="send"' not in shown


def test_an_order_is_found_by_the_telephone_as_people_write_it(awa):
    part = a_part()
    for typed in ("06 12 34 56 78", "0612345678", "+33612345678", "Aubry", part.reference):
        listed = awa.get(f"/gestion/commandes/list/?q={typed.replace('+', '%2B')}").text
        assert part.reference in listed, typed
    assert part.reference not in awa.get("/gestion/commandes/list/?q=0699999999").text


def test_a_vendor_finds_no_buyer_of_what_came_to_nothing(awa, as_staff):
    part = a_part("refused")
    assert part.reference not in awa.get("/gestion/commandes/list/?q=Aubry").text
    assert part.reference in as_staff(ANIMATOR).get("/gestion/commandes/list/?q=Aubry").text


def test_what_came_to_nothing_asks_for_no_money_and_says_why_in_words(awa):
    part = a_part("refused")
    shown = page(awa, part)
    assert "À régler à votre caisse" not in shown
    assert "out_of_stock" not in shown
    assert "Non disponible" in shown


def test_nothing_available_refuses_the_whole_order(awa):
    part = a_part()
    awa.post(at(part, "aucun"))
    assert the(part).status is parts.S.refused
    shown = page(awa, part)
    assert part.order.name not in shown
    assert "Contacter l’acheteur" not in shown


def test_the_code_hands_over_and_a_wrong_one_is_counted(awa):
    part = a_part("to_collect")
    right = factories.pickup_code(part)
    wrong = "000000" if right != "000000" else "111111"
    answer = awa.post(at(part, "retrait"), data={"code": wrong}, follow_redirects=True).text
    assert "encore 4 essais" in answer
    assert the(part).code_tries == 1
    awa.post(at(part, "retrait"), data={"code": right})
    assert the(part).status is parts.S.received


def test_the_code_is_nowhere_on_the_page_of_the_shop(awa):
    part = a_part("to_collect")
    code = pickup.code_of(the(part))
    shown = page(awa, part)
    assert code.digits not in shown
    assert code.shown not in shown
    assert the(part).code_sealed not in shown


def test_a_shop_may_give_up_with_a_reason_and_only_with_one(awa):
    part = a_part("shipping")
    awa.post(at(part, "abandonner"), data={"why": "buyer"})
    awa.post(at(part, "abandonner"), data={})
    assert the(part).status is parts.S.shipping
    awa.post(at(part, "abandonner"), data={"why": "closed", "words": "inondation"})
    assert the(part).why.value == "closed"


def test_an_order_of_another_vendor_is_not_found_by_any_button(as_staff):
    vendor, _site, store = factories.another_vendor()
    stranger = as_staff(VENDOR, vendor)
    part = a_part("to_collect")
    assert stranger.get(f"/gestion/commandes/show/{part.id}").status_code == 404
    for button in ("valider", "aucun", "abandonner", "prete", "retrait", "annuler-validation"):
        answer = stranger.post(at(part, button), data={"code": factories.pickup_code(part)})
        assert answer.status_code == 404, button
    assert stranger.get(at(part, "probleme")).status_code == 404
    assert the(part).status is parts.S.to_collect
    assert "-A" not in stranger.get("/gestion/commandes/export/csv").text
    assert store


def test_an_employee_sees_the_orders_of_his_store_alone(as_staff):
    part = a_part()
    other = factories.a_store("Brest", "B1")
    tom = as_staff(STORE)
    with unit_of_work() as session:
        user = staff.by_id(tom.user_id) if hasattr(staff, "by_id") else None
        user = user or session.get(staff.User, tom.user_id)
        staff.belongs_to(user, session.merge(factories.the_vendor()), session.get(Store, other.id))
    assert tom.get(f"/gestion/commandes/show/{part.id}").status_code == 404


def test_the_operator_cancels_and_gives_a_new_code_and_a_shop_does_not(as_staff, awa):
    part, marc = a_part("to_collect"), as_staff(ANIMATOR)
    before = the(part).code_sealed
    assert awa.post(at(part, "nouveau-code")).status_code in (302, 403)
    assert the(part).code_sealed == before
    marc.post(at(part, "nouveau-code"))
    assert the(part).code_sealed != before
    awa.post(at(part, "annuler"))
    assert the(part).status is parts.S.to_collect
    marc.post(at(part, "annuler"))
    assert the(part).why.value == "operator"


def test_the_list_holds_what_is_to_be_done_the_most_urgent_first(awa):
    first, second = a_part("shipping"), None
    store = factories.keeps_for_buyers()
    second = a_part("waiting_acceptance", (on_sale(a_shoe("Botte"), 9000, 1), store, 1))
    done = a_part("received", (on_sale(a_shoe("Mule"), 9000, 1), store, 1))
    with unit_of_work() as session:
        urgent = session.get_one(VendorOrder, second.id)
        urgent.due_at = the(first).due_at.replace(year=2020)
    listed = awa.get("/gestion/commandes/list/").text
    assert "Mes ventes" in listed
    found = list(dict.fromkeys(re.findall(r"\d+-A", listed)))
    assert found == [second.reference, first.reference]
    over = awa.get("/gestion/commandes/list/?status=received").text
    assert done.reference in over


def test_the_operator_calls_a_buyer_and_notes_what_was_agreed(as_staff):
    part = a_part("refused")
    ana = as_staff(ANIMATOR)
    (task,) = db.session.scalars(db.select(CallTask))
    listed = ana.get("/gestion/rappels/list/").text
    assert part.order.name in listed
    ana.post(f"/gestion/rappels/{task.id}/appele", data={"note": "prendra une pointure 43"})
    db.session.expire_all()
    assert db.session.get_one(CallTask, task.id).note == "prendra une pointure 43"
    assert part.order.name not in ana.get("/gestion/rappels/list/").text
    again = ana.post(
        f"/gestion/rappels/{task.id}/appele", data={"note": "autre"}, follow_redirects=True
    ).text
    assert "a déjà appelé" in again
    assert "43" in db.session.get_one(CallTask, task.id).note


def test_a_shop_switches_reserve_and_collect_by_itself(awa):
    a_shop()
    store = factories.the_store()
    fields = {
        "address": "",
        "postcode": "44000",
        "city": "Nantes",
        "phone": "",
        "opening_hours": "",
    }
    awa.post(f"/gestion/mon-enseigne/magasin/{store.id}", data={**fields, "reserve_collect": "1"})
    db.session.expire_all()
    assert db.session.get_one(Store, store.id).reserve_collect
    awa.post(f"/gestion/mon-enseigne/magasin/{store.id}", data=fields)
    db.session.expire_all()
    assert not db.session.get_one(Store, store.id).reserve_collect
