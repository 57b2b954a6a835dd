"""Forms written by hand: read once, in the shop's units, refused with the sentence of the field."""

import pytest

from admin import forms
from models import Condition
from services.workflow import Refused


class Sale(forms.Sent):
    price = forms.Amount(needed="Type the price.")
    units = forms.Count()
    day = forms.Day()
    store = forms.Chosen()
    condition = forms.OneOf(Condition, wrong="Choose a condition.")
    place = forms.Text(10)
    code = forms.Typed()
    sure = forms.Ticked()
    rows = forms.Several(2)


@pytest.fixture
def read(app):
    def read(**typed):
        with app.test_request_context(method="POST", data=typed):
            return Sale.read()

    return read


def test_what_was_typed_is_read_in_the_shop_s_units(read):
    form = read(
        price="1 234,50 €",
        units=" 12 ",
        day="25/11/2026",
        store="7",
        condition="good_unit",
        place="  R3-B2, en haut ",
        code=" CDE000000001\t",
        sure="1",
        rows=["a", "b", "c"],
    )
    assert form.price.data == 123450
    assert form.units.data == 12
    assert form.day.data.isoformat() == "2026-11-25"
    assert form.store.data == 7
    assert form.condition.data is Condition.good_unit
    assert form.place.data == "R3-B2, en "
    assert form.code.data == " CDE000000001\t"
    assert form.sure.data is True
    assert form.rows.data == ["a", "b"]


def test_what_was_left_empty_is_none_and_was_not_sent(read):
    form = read(price="1", units="")
    assert form.units.data is None
    assert form.holds("units")
    assert not form.holds("day")
    assert (form.day.data, form.store.data, form.condition.data) == (None, None, None)
    assert (form.place.data, form.code.data) == ("", "")
    assert form.sure.data is False


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({}, "Type the price."),
        ({"price": "douze"}, "« douze » n’est pas un montant : écrivez 12,50."),
        ({"price": "-1"}, "Un montant ne peut pas être négatif."),
        ({"price": "1", "units": "-3"}, "« -3 » n’est pas une quantité."),
        ({"price": "1", "units": "99999999"}, "« 99999999 » n’est pas une quantité."),
        ({"price": "1", "units": "٣"}, "« ٣ » n’est pas une quantité."),
        ({"price": "1", "day": "31/02/2026"}, "« 31/02/2026 » n’est pas une date"),
        ({"price": "1", "condition": "mint"}, "Choose a condition."),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_sentence_of_its_field(read, typed, sentence):
    with pytest.raises(Refused) as refusal:
        read(**typed)
    assert sentence.replace(" ", "\u00a0") in str(refusal.value).replace(" ", "\u00a0")


def test_a_number_no_row_can_have_chooses_nothing(read):
    assert read(price="1", store="12345678901").store.data is None
    assert read(price="1", store="7 or 1").store.data is None


def test_one_field_a_row_is_read_by_its_id(app):
    typed = {"price-3": "5,60", "price-4": "", "price-9": "7"}
    with app.test_request_context(method="POST", data=typed):
        assert forms.of_each("price", (3, 4, 5), forms.Amount) == {3: 560, 4: None, 5: None}
    with app.test_request_context(method="POST", data={"price-3": "gratuit"}):
        with pytest.raises(Refused, match="gratuit"):
            forms.of_each("price", (3,), forms.Amount)


def test_a_value_a_colleague_changed_meanwhile_is_not_overwritten():
    forms.refuse_if_changed("quantity", 3, "3")
    forms.refuse_if_changed("alert_under", None, "")
    with pytest.raises(Refused, match="4"):
        forms.refuse_if_changed("quantity", 4, "3")
