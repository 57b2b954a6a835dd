"""What every letter about an offer says in the same words."""

from models import Offer, Photo
from services import files
from services.buyback import letters, offers, reception
from services.people import customers
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC
from tests.services.test_files import picture


def test_the_lines_of_a_letter_are_what_its_total_counts(app):
    offer = factories.an_offer(*(factories.a_game(f"Jeu {n}", argus_cents=5000) for n in range(3)))
    with unit_of_work() as session:
        row = session.get_one(Offer, offer.id)
        offers.remove_line(row, row.lines[0], "Ce titre est en double.", by=MARC)
        offers.accept(row, by=MARC)
    offer = db.session.get_one(Offer, offer.id)
    facts = letters.facts(offer)
    assert facts["total"] == sum(line.price_cents for line in facts["lines"])
    assert [line.title for line in facts["taken_out"]] == ["Jeu 0"]
    assert facts["link"].endswith(f"/ventes/{offer.number}")


def test_a_link_to_a_document_is_signed(app, client):
    offer = factories.an_accepted_offer()
    link = letters.document_link(offer, "slip", offer.id)
    path = "/" + link.split("/", 3)[3]
    assert client.get(path).status_code == 200
    payload, moment, signature = path.rsplit(".", 2)
    forged = ".".join((payload, moment, signature[::-1]))
    assert client.get(forged).status_code == 410


def test_a_link_to_a_document_ends_when_its_seller_signs_out_everywhere(app, client):
    offer = factories.an_accepted_offer()
    old = letters.document_link(offer, "slip", offer.id)
    with unit_of_work() as session:
        customers.sign_out_everywhere(session.get_one(Offer, offer.id).seller)
    db.session.expire_all()
    new = letters.document_link(db.session.get_one(Offer, offer.id), "slip", offer.id)
    path = "/" + old.split("/", 3)[3]
    dead = client.get(path)
    assert dead.status_code == 410
    assert "Mes ventes" in dead.text
    assert client.get("/" + new.split("/", 3)[3]).status_code == 200


def is_dead_once_signed_out(client, offer_id: int, what: str, id: int) -> bool:
    """Whether a link to this document opens it, and no longer does once its seller signed out
    everywhere.
    """
    link = letters.document_link(db.session.get_one(Offer, offer_id), what, id)
    path = "/" + link.split("/", 3)[3]
    before = client.get(path).status_code
    with unit_of_work() as session:
        customers.sign_out_everywhere(session.get_one(Offer, offer_id).seller)
    return (before, client.get(path).status_code) == (200, 410)


def test_a_link_to_a_photo_ends_too(app, client):
    offer = factories.an_open_parcel()
    with unit_of_work() as session:
        line = session.get_one(Offer, offer.id).lines[0]
        reception.photograph(line, files.keep_picture(picture()), by=MARC)
        session.flush()
        id = line.photos[0].id
    assert is_dead_once_signed_out(client, offer.id, "photo", id)


def test_a_link_to_a_photo_opens_no_other_that_got_its_number(app, client):
    offer = factories.an_open_parcel()
    with unit_of_work() as session:
        line = session.get_one(Offer, offer.id).lines[0]
        reception.photograph(line, files.keep_picture(picture()), by=MARC)
        session.flush()
        photo = line.photos[0]
        link = letters.document_link(line.offer, "photo", photo.id, photo.file)
    path = "/" + link.split("/", 3)[3]
    assert client.get(path).status_code == 200
    with unit_of_work() as session:  # SQLite gives the number of a deleted row again
        session.get_one(Photo, photo.id).file = files.keep_picture(picture(size=(300, 200)))
    assert client.get(path).status_code == 404


def test_a_link_to_a_label_ends_too(app, client, carrier, mail):
    factories.a_contract()
    parcel = factories.a_parcel()
    assert is_dead_once_signed_out(client, parcel.offer_id, "label", parcel.id)
