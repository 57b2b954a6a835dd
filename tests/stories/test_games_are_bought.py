"""The document « Reprise web jeux vidéo », chapters 5.1 to 9, in its own words: Marc accepts and
receives, Inès pays, Camille reads.
"""

import io
import re
import socket

from PIL import Image
from sqlalchemy import select

import tasks
from gateways import live
from gateways.mondial_relay import MondialRelay
from models import (
    Item,
    Offer,
    OfferState,
    Parcel,
    ParcelState,
    PaymentState,
    SellerPayment,
    TransferBatch,
)
from services import clock, outbox
from services.buyback import police_register
from services.finance import books, dashboards
from services.shipping import labels
from services.unit import db
from simulators import mondial_relay as simulator
from tests import factories
from tests.gateways.test_sepa import reply


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def a_photo() -> tuple[io.BytesIO, str]:
    out = io.BytesIO()
    picture = Image.new("RGB", (640, 480), "#446688")
    exif = picture.getexif()
    exif[0x010F] = "Secret camera"
    picture.save(out, "JPEG", exif=exif)
    out.seek(0)
    return out, "photo.jpg"


def the_offer() -> Offer:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(Offer)).one()


def test_a_lot_of_games_from_the_label_to_the_transfer(
    app, as_staff, as_customer, mail, monkeypatch
):
    monkeypatch.setattr(tasks, "_app", lambda: app)
    boss, ines = as_staff("Administrateur"), as_staff("Comptable", factories.the_vendor())
    marc = as_staff("Opérateur reprise", factories.the_vendor())
    depot, server = simulator.serve(free_port())
    live.carriers["mondial_relay"] = MondialRelay(f"http://127.0.0.1:{server.server_port}")

    # Prérequis: « Paramétrages divers → Transporteurs », the account that pays, « Livre de police
    # ».
    contract = {
        "vendor": 1,
        "carrier": "mondial_relay",
        "service": "soap",
        "account": "bdtest13",
        "brand": "11",
        "private_key": "fausse",
        "relay_country": "FR",
        "relay_number": "044001",
        "recipient": "RétroShop",
        "street": "3 allée du Port",
        "postcode": "44000",
        "city": "Nantes",
        "phone": "0240123456",
        "insurance_levels": "3",
        "packaging_grams": "200",
    }
    boss.post("/gestion/parametrages/transporteurs/add", data=contract)
    assert (
        "Clé de sécurité invalide"
        in boss.post("/gestion/parametrages/transporteurs/1/tester", follow_redirects=True).text
    )
    boss.post(
        "/gestion/parametrages/transporteurs/edit/1",
        data={**contract, "private_key": "TestAPI1key"},
    )
    assert (
        "connaît ce contrat"
        in boss.post("/gestion/parametrages/transporteurs/1/tester", follow_redirects=True).text
    )
    boss.post(
        "/gestion/parametrages/comptes/add",
        data={
            "vendor": 1,
            "holder": "RétroShop SARL",
            "iban": factories.IBANS[0],
            "bic": "",
            "schema": "pain.001.001.09",
        },
    )
    boss.post(
        "/gestion/enseignes/edit/1",
        data={
            "name": "Ma boutique",
            "legal_name": "RétroShop SARL",
            "police_register": "y",
            "declaration_number": "2026-44",
        },
    )

    # 5.1, 5.2: a label button accepts and orders the label; 5.3: one mail with everything.
    games = (
        factories.a_game("Astro Renard", "Megadrive", 5000),
        factories.a_game("Île aux Lampions", "Switch", 4000),
        factories.a_game("Nitro", "PS2", 3000),
    )
    id = factories.an_offer(*games).id
    camille = as_customer(db.session.get(Offer, id).customer)
    screen = marc.get(f"/gestion/offres/valider/{id}").text
    for words in (
        "Créer une étiquette MR",
        "Ass1 50 €",
        "Ass2 125 €",
        "Ass3 250 €",
        "Accepter cette proposition",
        "Refuser cette proposition",
        "2ème chance",
        "Supprimer cette proposition",
    ):
        assert words in screen.replace("\u00a0", " "), words
    marc.post(f"/gestion/offres/valider/{id}/accept", data={"insurance": "1"})
    factories.a_moment_later()  # the label first, then the mail that carries it
    offer = the_offer()
    parcel = offer.parcels[0]
    assert parcel.status is ParcelState.not_sent
    assert depot.labels[parcel.label_number]["insurance"] == "1"
    letter = next(one.text for one in mail.letters if "validée" in one.subject)
    documents = re.findall(r"https?://[^ ]+(/documents/\S+)", letter)
    assert len(documents) == 2
    assert all(camille.get(path).data.startswith(b"%PDF") for path in documents)
    assert "10 jours" not in letter
    assert "Points Relais" in letter
    page = camille.get(f"/ventes/{offer.number}").text
    assert "Étiquette Mondial Relay" in page
    assert "Bordereau de cession" in page
    assert "jours restants" in page
    assert camille.get(f"/ventes/{offer.number}/etiquette.pdf?format=A5").data.startswith(b"%PDF")
    assert "Le Bouffay Presse" in camille.get(f"/ventes/{offer.number}/relais").text

    # 6. « Achats en cours », by status, with its columns; the carrier moves the parcel.
    tasks.count_visits.call_local()
    listed = marc.get("/gestion/colis/list/?status=not_sent").text
    for words in (
        "Achats en cours",
        "Non envoyés",
        "Pris en charge",
        "À récupérer",
        "Livré",
        "ID panier",
        "N° commande",
        offer.number,
        "inconnu",
    ):
        assert words in listed, words
    for hours, state in (
        (21, ParcelState.in_transit),
        (34, ParcelState.at_relay),
        (24, ParcelState.delivered),
    ):
        from datetime import timedelta

        depot.offset += timedelta(hours=hours)
        marc.post(f"/gestion/colis/action/follow_now/{parcel.id}")
        assert the_offer().parcels[0].status is state
    assert dashboards.buyback().to_receive == 1
    assert "suivi" not in labels.tracking_address(the_offer().parcels[0].label)[:5]

    # 7. « Réception mses »: scan CDE, identity at the first sale, then each article.
    assert (
        marc.post(
            "/gestion/reception/ouvrir", data={"code": "CDE999999999"}, follow_redirects=True
        ).status_code
        == 200
    )
    bench = marc.post(
        "/gestion/reception/ouvrir", data={"code": offer.number}, follow_redirects=True
    ).text
    assert "Première vente" in bench
    assert "0/3" in bench
    assert "Astro Renard" in bench
    wrong = marc.post(
        f"/gestion/reception/{offer.number}/identite", data={**factories.DOCUMENT, "number": "1"}
    )
    assert wrong.status_code == 422
    assert "5 à 20" in wrong.text
    assert "Libraire" in wrong.text
    marc.post(f"/gestion/reception/{offer.number}/identite", data=factories.DOCUMENT)
    one, two, three = the_offer().lines
    sheet = marc.get(f"/gestion/reception/{offer.number}?code={one.ean}").text
    for words in (
        "Prix d’achat prévu",
        "20,00",
        "Article",
        "Boîte",
        "Notice",
        "Comme neuf",
        "Manquant",
        "Prendre une photo",
        "Envoyer",
        "Refuser l’article",
    ):
        assert words in sheet.replace("\u00a0", " "), words
    send = {**factories.GRADES, "comment": "Jaquette passée", "form_token": "t1"}
    for _twice in range(2):
        marc.post(f"/gestion/reception/{offer.number}/article/{one.id}/send", data=send)
    assert len(db.session.scalars(select(Item)).all()) == 1
    marc.post(f"/gestion/reception/{offer.number}/photo/{two.id}", data={"photo": a_photo()})
    kept = the_offer().lines[1].photos[0]
    picture = marc.get(f"/gestion/reception/photo/{kept.id}").data
    assert Image.open(io.BytesIO(picture)).getexif() == {}
    assert b"Secret camera" not in picture
    marc.post(
        f"/gestion/reception/{offer.number}/article/{two.id}/counter",
        data={
            **factories.GRADES,
            "box": "poor",
            "price": "9,00",
            "counter_motive": "Boîte fendue.",
        },
    )
    marc.post(
        f"/gestion/reception/{offer.number}/article/{three.id}/refuse",
        data={"motive": "Disque rayé."},
    )

    # 8. End: number, moment, amount accepted, label, mail.
    marc.post(f"/gestion/reception/{offer.number}/fin")
    end = marc.get(f"/gestion/reception/{offer.number}/termine").text.replace("\u00a0", " ")
    for words in (
        "Fin de réception",
        offer.number,
        "Montant effectivement accepté",
        "20,00 €",
        "Disque rayé",
        "Imprimer l’étiquette de réception",
        "Envoyer l’email de réception",
    ):
        assert words in end, words
    assert marc.get(f"/gestion/reception/{offer.number}/etiquette-reception.pdf").data.startswith(
        b"%PDF"
    )
    marc.post(f"/gestion/reception/{offer.number}/prevenir")
    outbox.work()
    recap = mail.letters[-1].text
    assert "Accepté au contrôle : 20,00" in recap.replace("\u00a0", " ")
    assert "Boîte fendue" in recap
    assert "Donner mon IBAN" in recap
    photo = re.search(r"https?://[^ ]+(/documents/\S+)", recap).group(1)
    assert camille.get(photo).mimetype == "image/jpeg"
    page = camille.get(f"/ventes/{offer.number}").text
    assert "J’accepte le nouveau prix" in page
    assert "Je le récupère" in page
    assert "Je le donne" in page
    assert "Vous le recyclez" in page
    camille.post(
        f"/ventes/{offer.number}/articles",
        data={f"line-{two.id}": "agree", f"line-{three.id}": "recycled"},
    )
    assert the_offer().payment.status is PaymentState.awaiting_iban

    # 9. « Paiement vendeurs »: the IBAN comes, PAIEMENT, « Valider », the file, « Payé ».
    assert "En attente d’un IBAN" in ines.get("/gestion/paiements/?etat=awaiting_iban").text
    assert (
        camille.post(
            "/compte/iban",
            data={"iban-iban": "FR14 2004 1010 0505 0001 3M02 607", "iban-holder": "Camille Aubry"},
        ).status_code
        == 422
    )
    camille.post(
        "/compte/iban",
        data={"iban-iban": "FR14 2004 1010 0505 0001 3M02 606", "iban-holder": "Camille Aubry"},
    )
    assert the_offer().payment.status is PaymentState.to_pay
    screen = ines.get("/gestion/paiements/").text.replace("\u00a0", " ")
    for words in (
        "ID vendeur",
        "Montant à payer",
        "IBAN du vendeur",
        "Date de la réception",
        "Export PDF",
        "29,00 €",
        "2 transactions",
        "•••• 2606",
        "PAIEMENT",
        "Valider",
    ):
        assert words in screen, words
    assert ines.get("/gestion/paiements/1/recapitulatif.pdf").data.startswith(b"%PDF")
    form = {"count": 2, "total": 2900, "form_token": "pay"}
    assert (
        ines.post("/gestion/paiements/1/valider", data={**form, "word": "payer"}).status_code == 422
    )
    first = ines.post("/gestion/paiements/1/valider", data={**form, "word": "PAIEMENT"})
    assert (
        ines.post("/gestion/paiements/1/valider", data={**form, "word": "PAIEMENT"}).location
        == first.location
    )
    file = ines.get("/gestion/paiements/fichier/1/telecharger")
    assert b"CDE000000001<" in file.data  # what was bought, and what the answer added to it
    assert b"CDE000000001-C<" in file.data
    assert ines.get("/gestion/paiements/fichier/1/telecharger").data == file.data
    tasks.tell_paid()
    assert "la banque peut prendre quelques jours" in camille.get(f"/ventes/{offer.number}").text
    number = db.session.scalars(select(TransferBatch.number)).one()
    lines = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId>"
        "<TxSts>ACSC</TxSts></TxInfAndSts>"
        for reference in ("CDE000000001", "CDE000000001-C")
    )
    data = reply(
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId>{lines}</OrgnlPmtInfAndSts>"
    ).replace(b"VIR-2026-11-0001", number.encode())
    ines.post("/gestion/paiements/reponse", data={"file": (io.BytesIO(data), "reponse.xml")})
    assert the_offer().status is OfferState.settled
    assert {row.status for row in db.session.scalars(select(SellerPayment))} == {PaymentState.paid}
    assert "Payé" in camille.get("/ventes").text

    # The register, opened with a reason, extracted, verified; and everything agrees.
    look = ines.post(
        "/gestion/livre-de-police/1/consulter",
        data={"purpose": "authority", "authority": "Brigadier Roux, PV 12"},
    )
    listed = ines.get(look.location).text
    assert "Astro Renard" in listed
    assert "12AB34567" in listed
    assert "Île aux Lampions" in listed
    assert ines.post(look.location + "/extrait/pdf").data.startswith(b"%PDF")
    assert "SHA-256" in ines.post(look.location + "/extrait/csv").text
    assert marc.get(look.location).status_code == 404  # each his own look
    assert "relues" in ines.get("/gestion/livre-de-police/?verifier=1").text
    assert police_register.verify(1).count == 2
    assert books.check() == []
    assert clock.now()
    assert db.session.scalars(select(Parcel.status)).one() is ParcelState.checked
    server.shutdown()
