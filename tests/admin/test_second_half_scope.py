"""Parcels, bench, register and photos of another vendor do not exist for an operator, whatever he
asks of them.
"""

import io

import pytest
from sqlalchemy import select

from models import Offer, OfferLine, Parcel, ParcelState, Photo, SellerPayment
from services.buyback import reception
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import GRADES, MARC
from tests.stories.test_games_are_bought import a_photo


@pytest.fixture
def theirs(app, as_staff):
    """A sale of another vendor, half controlled; an operator of ours and the boss."""
    vendor, site, store = factories.another_vendor()
    with unit_of_work() as session:
        session.merge(vendor).police_register = True
    customer = factories.a_customer(email="secret@pixelcave.test", last_name="Zzsecret")
    offer = factories.an_open_parcel(site=site, customer=customer)
    id, line_id = offer.id, offer.lines[0].id
    with unit_of_work() as session:
        line = session.get_one(OfferLine, line_id)
        reception.photograph(line, "secret.jpg", by=MARC)
        reception.send(line, GRADES, "", session.merge(store), by=MARC)

    class Theirs:
        pass

    found = Theirs()
    found.offer_id, found.line_id, found.number, found.vendor_id = (
        id,
        line_id,
        offer.number,
        vendor.id,
    )
    found.parcel_id = db.session.scalars(select(Parcel.id)).one()
    found.photo_id = db.session.scalars(select(Photo.id)).one()
    found.second_line = db.session.get(Offer, id).lines[1].id
    found.marc, found.boss = (
        as_staff("Opérateur reprise", factories.the_vendor()),
        as_staff("Administrateur"),
    )
    return found


def test_no_list_shows_them(theirs):
    for name in ("colis", "versements-vendeurs", "parametrages/transporteurs"):
        for query in ("", "?q=secret", "?status=inspecting"):
            page = theirs.marc.get(f"/gestion/{name}/list/{query}")
            assert (
                page.status_code == 200
                and "Zzsecret" not in page.text
                and theirs.number not in page.text
            )
    assert (
        theirs.number not in theirs.marc.get("/gestion/reception/").text
        and theirs.number in theirs.boss.get("/gestion/reception/").text
    )
    assert "PixelCave" not in theirs.marc.get("/gestion/livre-de-police/").text


def test_no_page_paper_or_picture_of_theirs_opens(theirs):
    for address in (
        f"/gestion/colis/show/{theirs.parcel_id}",
        f"/gestion/reception/{theirs.number}",
        f"/gestion/reception/{theirs.number}/termine",
        f"/gestion/reception/{theirs.number}/bordereau.pdf",
        f"/gestion/reception/{theirs.number}/etiquettes.pdf",
        f"/gestion/reception/{theirs.number}/etiquette-reception.pdf",
        f"/gestion/reception/photo/{theirs.photo_id}",
        f"/gestion/colis/{theirs.parcel_id}/etiquette-A4.pdf",
    ):
        assert theirs.marc.get(address).status_code == 404, address


def test_no_verb_moves_them(theirs):
    answer = theirs.marc.post(
        "/gestion/reception/ouvrir", data={"code": theirs.number}, follow_redirects=True
    )
    assert "pas un de nos bordereaux" in answer.text
    for address, data in (
        (f"/gestion/reception/{theirs.number}/article/{theirs.second_line}/send", GRADES),
        (f"/gestion/reception/{theirs.number}/article/{theirs.line_id}/undo", {}),
        (f"/gestion/reception/{theirs.number}/manquants", {}),
        (f"/gestion/reception/{theirs.number}/fin", {}),
        (f"/gestion/reception/{theirs.number}/identite", factories.DOCUMENT),
        (f"/gestion/colis/action/deliver/{theirs.parcel_id}", {}),
        (f"/gestion/colis/{theirs.parcel_id}/etiquette", {"insurance": "1"}),
        (f"/gestion/livre-de-police/{theirs.vendor_id}/consulter", {"purpose": "check"}),
        (f"/gestion/reception/{theirs.number}/photo/{theirs.second_line}", {"photo": a_photo()}),
    ):
        assert theirs.marc.post(address, data=data).status_code == 404, address
    db.session.expire_all()
    assert (
        db.session.get(Parcel, theirs.parcel_id).status is ParcelState.inspecting
        and not db.session.scalars(select(SellerPayment)).all()
    )


def test_a_customer_sees_only_his_own_sale_documents_and_photos(theirs, client, as_customer):
    stranger = as_customer(factories.a_customer())
    for path in ("", "/etiquette.pdf", "/bordereau.pdf", "/relais", f"/photo/{theirs.photo_id}"):
        assert stranger.get(f"/ventes/{theirs.number}{path}").status_code == 404
    for path in ("articles", "paiement"):
        assert (
            stranger.post(
                f"/ventes/{theirs.number}/{path}", data={"means": "store_credit"}
            ).status_code
            == 404
        )
    for token in ("x", "WyJsYWJlbCIsMV0.aaaa.bbbb"):
        assert client.get(f"/documents/{token}").status_code == 410


def test_a_bomb_is_no_photo_and_nothing_is_kept(app, as_staff):
    offer = factories.an_open_parcel()
    marc = as_staff("Opérateur reprise", factories.the_vendor())
    for data in (b"", b"GIF89a", b"\xff\xd8\xff\xe0" + b"0" * 100, b"%PDF-1.4"):
        marc.post(
            f"/gestion/reception/{offer.number}/photo/{offer.lines[0].id}",
            data={"photo": (io.BytesIO(data), "x.jpg")},
        )
    assert not db.session.scalars(select(Photo)).all()


@pytest.mark.parametrize(
    "address",
    [
        "/gestion/colis/list/?status=checked",
        "/gestion/versements-vendeurs/list/",
        "/gestion/paiements/?etat=awaiting_iban",
        "/gestion/reception/",
    ],
)
def test_a_page_costs_the_same_statements_whatever_its_rows(app, as_staff, address):
    from sqlalchemy import event

    boss = as_staff("Administrateur")
    counted: list[str] = []

    def count() -> int:
        counted.clear()
        db.session.remove()
        assert boss.get(address).status_code == 200
        return len(counted)

    def note(_connection, _cursor, statement, *_rest):
        if "alembic_version" not in statement:  # asked every few seconds, whatever the page
            counted.append(statement)

    factories.a_received_offer(), factories.a_parcel("delivered")
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        count()
        few = count()
        for _n in range(4):
            factories.a_received_offer(), factories.a_parcel("delivered")
        assert count() == few, counted
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
