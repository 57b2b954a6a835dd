"""The papers of the buy-back: slip, labels, commands of the bench, extract of the register."""

import pypdfium2
from sqlalchemy import select

from models import Item, Offer, PoliceRecord
from services import clock
from services.buyback import offers, papers, police_register, reception
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC
from tests.paper import read, scan


def test_the_slip_has_every_mention_and_a_number_one_can_scan(app):
    factories.a_register()
    with unit_of_work():
        vendor = factories.the_vendor()
        vendor.legal_name, vendor.siren, vendor.address = (
            "RétroShop SARL",
            "123456782",
            "3 allée du Port\n44000 Nantes",
        )
    offer = factories.an_accepted_offer(
        customer=factories.a_customer(last_name="Łukasiewicz-Ñandú", address_more="Bât. B")
    )
    pdf = papers.slip(offer)
    text = read(pdf)
    for words in (
        "Bordereau de cession",
        "CDE000000001",
        "RétroShop SARL",
        "SIREN 123456782",
        "12 rue des Tanneurs",
        "Bât. B",
        "44000 Nantes",
        "Vallée des Brumes",
        "12,00 €",
        "Total proposé",
        "28,00 €",
        "vingt-huit euros",
        "non assujetti",
        "sur l’honneur",
        "volés",
        "majeur",
        "Signature du vendeur",
        "première vente",
        "R321-3",
        "À déposer jusqu’au",
        "Lukasiewicz",
    ):
        assert words in text, words
    assert scan(pdf) == ["CDE000000001"]


def test_a_long_slip_goes_over_pages_that_are_numbered(app):
    games = [
        factories.a_game(f"Un titre assez long pour être coupé proprement {n}", argus_cents=1000)
        for n in range(70)
    ]
    pdf = papers.slip(factories.an_accepted_offer(*games))
    assert len(pypdfium2.PdfDocument(pdf)) >= 3
    assert "2 / " in read(pdf)
    assert "soixante" not in read(pdf).split("Soit")[0]


def test_the_labels_of_the_bench_scan_and_say_amount_moment_and_register_number(app):
    factories.a_register()
    offer = factories.a_received_offer()
    label = papers.reception_label(offer)
    moment = clock.paris(offer.received_at).strftime("%d/%m/%Y")
    assert scan(label) == ["CDE000000001"]
    assert "28,00 €" in read(label)
    assert moment in read(label)
    stock = list(db.session.scalars(select(Item).order_by(Item.id)))
    pdf = papers.item_labels(stock)
    assert len(pypdfium2.PdfDocument(pdf)) == 2
    assert scan(pdf, 1, 6) == [f"ART{stock[1].id:07d}"]
    assert "LP 2" in read(pdf)
    assert "Vallée des Brumes" in read(pdf)
    assert "Bon" in read(pdf)


def test_every_command_barcode_is_read_by_a_scanner(app):
    assert sorted(scan(papers.command_sheet())) == sorted(code for code, _words in papers.COMMANDS)


def test_the_extract_has_the_official_columns_and_says_what_was_corrected(app):
    factories.a_register()
    offer = factories.an_open_parcel()
    with unit_of_work() as session:
        reception.record_identity(session.get_one(Offer, offer.id), factories.DOCUMENT, by=MARC)
    for line in offers.active_lines(offer):
        factories.sent(line)
    with unit_of_work() as session:
        police_register.correct(
            session.scalars(select(PoliceRecord)).first(), "Titre mal lu", by=MARC
        )
    rows = db.session.scalars(police_register.entries(1)).all()
    text = read(
        papers.register_extract(factories.the_vendor(), rows, "toutes les inscriptions", "PV 12")
    ).replace("\n", " ")
    for words in (
        "Registre des objets mobiliers",
        "3 inscriptions",
        "Aubry",
        "Passeport",
        "12AB34567",
        "Titre mal lu",
        "12,00 €",
        "Virement",
        rows[-1].hash[:32],
    ):
        assert words in text, words
