"""Generated forms: nothing a colleague changed meanwhile is written over, and the history says what
was there before.
"""

import re

import pytest

from admin import editing
from models import Event, PayingAccount, Store, Vendor
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import IBANS


@pytest.fixture
def lea(as_staff):
    return as_staff("Administrateur", email="lea@staff.test")


@pytest.fixture
def marc(as_staff):
    return as_staff("Administrateur", email="marc@staff.test")


def opened(client, address):
    """What the browser would send back: every field of the form on that page."""
    return fields_of(client.get(address).get_data(as_text=True))


def fields_of(page):
    form = page[page.index("data-keeps") :]
    form = form[: form.index("</form>")]
    form = re.sub(r'<input(?=[^>]*type="checkbox")(?![^>]*\bchecked\b)[^>]*>', "", form)
    fields = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', form))
    areas = re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>(.*?)</textarea>', form, re.S)
    chosen = re.findall(r'<select[^>]*name="(\w+)".*?<option selected value="([^"]*)"', form, re.S)
    seen = fields["seen"].replace("&#34;", '"')
    return {**fields, **dict(chosen), **{n: v.strip() for n, v in areas}, "seen": seen}


def the_store():
    return db.session.scalars(db.select(Store)).first()


def edits(subject="store"):
    db.session.rollback()
    return db.session.scalars(
        db.select(Event).where(Event.subject == subject, Event.verb == "edit").order_by(Event.id)
    ).all()


def test_an_address_of_two_lines_keeps_them_and_an_unchanged_form_changes_nothing(lea):
    with unit_of_work():
        the_store().opening_hours = "lundi fermé\nmardi-samedi 10 h – 19 h"
    form = opened(lea, "/gestion/magasins/edit/1")
    assert "lundi fermé\nmardi-samedi" in form["opening_hours"]
    form["opening_hours"] = form["opening_hours"].replace("\n", "\r\n")
    assert lea.post("/gestion/magasins/edit/1", data=form).status_code == 302
    db.session.rollback()
    assert the_store().opening_hours == "lundi fermé\nmardi-samedi 10 h – 19 h"
    assert edits() == []


def test_the_history_of_a_sheet_says_what_was_there_before(lea):
    with unit_of_work():
        the_store().city = "Nantes"
    form = opened(lea, "/gestion/magasins/edit/1")
    lea.post("/gestion/magasins/edit/1", data={**form, "city": "Rezé"})
    (event,) = edits()
    assert event.facts["changes"] == {"store.city": ["Nantes", "Rezé"]}
    assert "Ville : Nantes → Rezé" in _text(lea.get("/gestion/magasins/show/1"))


def test_what_a_colleague_saved_meanwhile_is_shown_not_written_over(lea, marc):
    with unit_of_work():
        the_store().city, the_store().phone = "Nantes", "0240000000"
    mine = opened(lea, "/gestion/magasins/edit/1")
    theirs = opened(marc, "/gestion/magasins/edit/1")
    changed = {**theirs, "city": "Rezé", "phone": "0251000000"}
    assert marc.post("/gestion/magasins/edit/1", data=changed).status_code == 302

    answer = lea.post("/gestion/magasins/edit/1", data={**mine, "city": "Orvault"})
    page = _text(answer)
    assert answer.status_code == 422
    assert "Modifié par Administrateur" in page
    gaps = page[page.index("data-gaps") :][:3000]
    assert re.search(r"Ville.*?Rezé.*?Orvault", gaps, re.S)
    assert re.search(
        r"Téléphone.*?51.*?repris", gaps, re.S
    )  # she had not touched it: it is taken over
    db.session.rollback()
    assert (the_store().city, the_store().phone) == ("Rezé", "+33251000000")

    again = fields_of(answer.get_data(as_text=True))
    assert lea.post("/gestion/magasins/edit/1", data=again).status_code == 302
    db.session.rollback()
    assert (the_store().city, the_store().phone) == ("Orvault", "+33251000000")


def test_two_people_who_make_the_same_correction_are_not_asked_about_it(lea, marc):
    mine = opened(lea, "/gestion/magasins/edit/1")
    for client in (marc, lea):
        answer = client.post("/gestion/magasins/edit/1", data={**mine, "city": "Rezé"})
        assert answer.status_code == 302
    assert len(edits()) == 1


def test_a_day_is_kept_from_the_calendar_and_as_people_write_it(lea):
    for typed in ("2026-03-02", "02/03/2026"):
        form = opened(lea, "/gestion/enseignes/edit/1")
        answer = lea.post("/gestion/enseignes/edit/1", data={**form, "declaration_on": typed})
        assert answer.status_code == 302, _text(answer)
        db.session.rollback()
        assert db.session.get(Vendor, 1).declaration_on.isoformat() == "2026-03-02"
    answer = lea.post("/gestion/enseignes/edit/1", data={**form, "declaration_on": "31/02/2026"})
    assert answer.status_code == 422
    assert "31/02/2026" in _text(answer)


def test_a_sealed_value_is_changed_and_the_history_never_holds_it(lea):
    factories.a_paying_account()
    account = db.session.scalars(db.select(PayingAccount)).first()
    address = f"/gestion/parametrages/comptes/edit/{account.id}"
    before = account.iban_sealed
    form = {**opened(lea, address), "iban": "FR1420041010050500013M02606", "bic": ""}
    assert lea.post(address, data=form).status_code == 302
    db.session.rollback()
    assert db.session.get(PayingAccount, account.id).iban_sealed != before
    (event,) = edits("paying_account")
    assert "02606" not in str(event.facts)


def _text(answer):
    return answer.get_data(as_text=True).replace("\u00a0", " ").replace("&#39;", "'")


def test_a_form_refused_for_another_reason_still_knows_what_it_showed(lea, marc):
    mine = opened(lea, "/gestion/magasins/edit/1")
    refused = lea.post("/gestion/magasins/edit/1", data={**mine, "postcode": "999"})
    assert refused.status_code == 422
    theirs = opened(marc, "/gestion/magasins/edit/1")
    marc.post("/gestion/magasins/edit/1", data={**theirs, "city": "Rezé"})
    corrected = {**fields_of(refused.get_data(as_text=True)), "postcode": "44000", "city": "Brest"}
    assert lea.post("/gestion/magasins/edit/1", data=corrected).status_code == 422
    db.session.rollback()
    assert the_store().city == "Rezé"


def test_a_secret_changed_alone_is_in_the_history(lea):
    factories.a_paying_account()
    account = db.session.scalars(db.select(PayingAccount)).first()
    address = f"/gestion/parametrages/comptes/edit/{account.id}"
    with unit_of_work():
        db.session.merge(account).bic = ""
    form = {**opened(lea, address), "iban": IBANS[1], "bic": ""}
    lea.post(address, data=form)
    (event,) = edits("paying_account")
    assert IBANS[1] not in str(event.facts)


def test_two_long_texts_are_shown_from_where_they_differ():
    before, after = "x" * 500 + " fin", "x" * 500 + " suite"
    ((was, now),) = editing.changes("site", {"conditions": before}, {"conditions": after}).values()
    assert was != now
    assert "fin" in was
    assert "suite" in now
