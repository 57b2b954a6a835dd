"""The pages of parcels: a label made elsewhere, and what a person gets back when it is refused."""

from io import BytesIO

import pytest

from models import Parcel
from services.shipping import labels
from services.unit import db
from tests import factories

GOOD = {"carrier": "Colissimo", "number": "6A 1234 5678 901", "link": "https://suivi.fr/?n=6A&x=1"}


@pytest.fixture
def marc(app, as_staff):
    return as_staff("Opérateur reprise", factories.the_vendor())


def give(marc, parcel: Parcel, pdf: tuple[bytes, str] | None = None, **typed):
    data = {**GOOD, **typed}
    if pdf:
        data["pdf"] = (BytesIO(pdf[0]), pdf[1])
    id = parcel.id
    return marc.post(f"/gestion/colis/{id}/envoi-a-la-main", data=data, follow_redirects=True)


def test_a_label_made_elsewhere_is_given_from_the_page_and_printed_there(marc):
    parcel = factories.a_parcel()
    page = give(marc, parcel, pdf=(b"%PDF-1.4 x", "étiquette.pdf")).text
    assert "le vendeur l’a reçue" in page
    assert "6A12345678901" in page
    assert "Suivre sur Colissimo" in page
    assert marc.get(f"/gestion/colis/{parcel.id}/etiquette-A4.pdf").data == b"%PDF-1.4 x"
    assert marc.get("/gestion/colis/list/?q=6A12345678901").text.count(parcel.offer.number) >= 1


@pytest.mark.parametrize(
    ("typed", "pdf", "sentence"),
    [
        ({"number": "6A<b>"}, None, "lettres et chiffres"),
        ({"carrier": "Pigeon"}, None, "dans la liste"),
        ({}, (b"GIF89a", "etiquette.pdf"), "doit être un PDF"),
        ({}, (b"\xff\xd8\xff", "photo.jpg"), "n’est pas attendu ici"),
    ],
)
def test_what_is_refused_comes_back_as_it_was_typed_with_the_reason(marc, typed, pdf, sentence):
    parcel = factories.a_parcel()
    page = give(marc, parcel, pdf=pdf, **typed).text
    assert sentence in page
    assert "https://suivi.fr/?n=6A&amp;x=1" in page
    assert db.session.get(Parcel, parcel.id).label is None


def test_labels_nobody_could_make_are_under_to_look_at(marc, carrier):
    factories.a_contract()
    carrier.refuses()
    parcel = factories.a_parcel()
    assert parcel.label.status in labels.IN_TROUBLE
    page = marc.get("/gestion/colis/list/?voir=ennuis").text
    assert parcel.offer.number in page
    assert "Étiquette refusée" in page
    carrier.works_again()
    other = factories.a_parcel()
    assert other.offer.number not in marc.get("/gestion/colis/list/?voir=ennuis").text
