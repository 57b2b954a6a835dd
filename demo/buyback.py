"""A month of offers: sold, decided, sent, received, graded, answered."""

import random
from datetime import UTC, datetime, timedelta
from io import BytesIO

from PIL import Image, ImageDraw

from demo.cast import ACCOUNTS, an_iban, the_staff
from demo.catalogue import GAMES, ean_of
from gateways import Trace, Tracking
from gateways.mondial_relay import link_signature
from models import (
    CarrierContract,
    CarrierService,
    Customer,
    Label,
    LabelState,
    LineState,
    Offer,
    OfferLine,
    OfferState,
    Parcel,
    PayingAccount,
    PaymentMeans,
    Site,
    Store,
    User,
    Vendor,
)  # fmt: skip
from services import clock, documents, files
from services.buyback import offers, police_register, reception
from services.payments import bank_details
from services.people import customers, identity
from services.shipping import contracts, labels, tracking
from services.unit import db, unit_of_work
from services.workflow import CLOCK, Actor, Refused


def sign_the_contracts(at: datetime) -> None:
    """RétroShop keeps a register, pays from its account, and has Mondial Relay's public test
    contract; PixelCave has none of these.
    """
    with clock.at(at), unit_of_work() as session:
        shop = session.scalars(db.select(Vendor).where(Vendor.name == "RétroShop")).one()
        shop.police_register, shop.siren, shop.address = (
            True,
            "123456782",
            "3 allée du Port-Maillard\n44000 Nantes",
        )
        shop.declaration_number, shop.declaration_on, shop.declaration_by = (
            "2026-44-0117",
            (at - timedelta(days=90)).date(),
            "Préfecture de la Loire-Atlantique",
        )
        contract = CarrierContract(
            vendor_id=shop.id,
            service=CarrierService.soap,
            is_test=True,
            account="BDTEST13",
            brand="11",
            relay_number="044001",
            recipient="RétroShop",
            street="3 allée du Port-Maillard",
            postcode="44000",
            city="Nantes",
            phone="+33240123456",
            insurance_levels=3,
            login="BDTEST13@business-api.mondialrelay.com",
        )
        session.add(contract)
        session.flush()
        contracts.keep_secrets(contract, "TestAPI1key", "essai-api2")
        account = PayingAccount(vendor_id=shop.id, holder="RétroShop SARL", bic="")
        session.add(account)
        session.flush()
        bank_details.keep_paying_account(account, "FR76 3000 6000 0112 3456 7890 189")


def a_month_of_offers(today: datetime, dice: random.Random) -> None:
    """Offers come, Marc decides; the last ones wait for whoever opens the demonstration."""
    with unit_of_work() as session:
        people = list(session.scalars(db.select(Customer.id).order_by(Customer.id)))
        marc_id = session.scalars(db.select(User.id).where(User.username == ACCOUNTS[1][0])).one()
    marc = Actor("staff", marc_id, "Marc Diallo")
    plan = [
        (back, seller) for back in range(58, 2, -1) for seller in people if dice.random() < 0.15
    ]
    for back, seller in plan:
        sent = (
            today
            - timedelta(days=back)
            + timedelta(hours=dice.randint(0, 12), minutes=dice.randint(0, 59))
        )
        number = someone_sells(seller, sent, dice)
        if number:
            marc_decides(number, sent + timedelta(hours=dice.randint(2, 30)), marc, dice)
    for hours, seller in ((30, people[0]), (20, people[3]), (5, people[8])):
        while someone_sells(seller, today - timedelta(hours=hours), dice) is None:
            pass  # under the threshold: he adds a few


def someone_sells(seller_id: int, at: datetime, dice: random.Random) -> str | None:
    """A seller fills a cart and sends it; returns the CDE number, or None when the cart stays under
    the threshold.
    """
    at = at.astimezone(UTC)
    with clock.at(at), unit_of_work() as session:
        seller = session.get_one(Customer, seller_id)
        front = session.scalars(db.select(Site).where(Site.is_default)).one()
        cart = offers.cart_of(seller, front) or offers.open_cart(front, seller)
        for number in dice.sample(range(len(GAMES)), dice.randint(3, 7)):
            try:
                offers.add(cart, ean_of(number))
            except Refused:
                continue
        offers.reprice(cart)
        if offers.missing_cents(cart):
            return None
        offers.finalise(cart, seller, by=customers.actor(seller))
        return cart.number


def marc_decides(number: str, at: datetime, marc: Actor, dice: random.Random) -> None:
    """Mostly yes; sometimes one article less, a second chance, a no."""
    with clock.at(at), unit_of_work() as session:
        offer = session.scalars(db.select(Offer).where(Offer.number == number)).one()
        choice = dice.random()
        if choice < 0.12:
            offers.refuse(offer, "Trop d’exemplaires de ces jeux en ce moment.", by=marc)
            return
        if choice < 0.3 and len(offer.lines) > 3:
            offers.remove_line(offer, offer.lines[0], "jeu import", by=marc)
        if choice > 0.85:
            prices = {
                line.id: max(50, line.price_cents * 4 // 5) for line in offers.active_lines(offer)
            }
            offers.counter(
                offer,
                prices,
                "Les boîtes de ces titres sont souvent abîmées : nous proposons un peu moins.",
                by=marc,
            )
        else:
            offers.accept(offer, by=marc)
    if choice > 0.9:
        with clock.at(at + timedelta(hours=20)), unit_of_work() as session:
            offer = session.scalars(db.select(Offer).where(Offer.number == number)).one()
            (offers.agree if choice > 0.94 else offers.disagree)(
                offer, by=customers.actor(offer.seller)
            )


# ── the second half ──

TRAIL = (
    (20, "in_transit", "PRISE EN CHARGE POINT RELAIS"),
    (28, "in_transit", "PRISE EN CHARGE EN AGENCE"),
    (54, "at_relay", "DISPONIBLE AU POINT RELAIS"),
    (76, "delivered", "COLIS LIVRÉ"),
)


def parcels_come(today: datetime, dice: random.Random) -> None:
    """Each accepted offer got its label; most parcels came and were checked; the latest are in each
    state one can be in.
    """
    with unit_of_work() as session:
        rows = session.execute(
            db.select(Parcel.id, Parcel.created_at)
            .join(Offer)
            .where(Offer.status == OfferState.accepted)
            .order_by(Parcel.created_at.desc())
        ).all()
    marc = the_staff(1)
    latest = [
        "label_refused",
        "not_sent",
        "in_transit",
        "at_relay",
        "not_sent",
        "delivered",
        "inspecting",
        "incident",
        "forgotten",
    ]
    for place, (id, created) in reversed(
        list(enumerate(rows))
    ):  # the oldest first, as the register numbers them
        how = latest[place] if place < len(latest) else "checked"
        at = max(created, today - timedelta(days=12)) if how == "forgotten" else created
        if how == "label_refused":
            continue  # its label is ordered by the worker, for whoever looks
        with clock.at(at + timedelta(minutes=1)), unit_of_work() as session:
            parcel = session.get_one(Parcel, id)
            if parcel.label is not None and parcel.label.status is LabelState.requested:
                number = str(90_000_000 + id)
                labels.found(parcel.label, number, an_address(parcel.label, number), by=CLOCK)
        if how in ("not_sent", "forgotten"):
            continue
        last = {"in_transit": 2, "at_relay": 3, "incident": 2}.get(how, 4)
        for hours, state, words in TRAIL[:last]:
            the_carrier_says(id, created + timedelta(hours=hours), state, words)
        if how == "incident":
            the_carrier_says(
                id, created + timedelta(hours=40), "incident", "ANOMALIE : COLIS ENDOMMAGÉ"
            )
        if how in ("inspecting", "checked"):
            marc_receives(
                id,
                min(created + timedelta(hours=80), today - timedelta(hours=3)),
                how == "checked",
                marc,
                dice,
                place,
            )


def the_carrier_says(id: int, at: datetime, state: str, words: str) -> None:
    if at > clock.now():
        at = clock.now()
    with clock.at(at), unit_of_work() as session:
        parcel = session.get_one(Parcel, id)
        if parcel.label is not None:
            seen = [Trace(e.at, e.words, "FRANCE", "") for e in parcel.label.events]
            seen.append(Trace(at, words, "FRANCE", ""))
            tracking.tracked(parcel.label, Tracking(state, words, tuple(seen)))


def an_address(label: Label, number: str) -> str:
    """Where the simulator of the carrier has the PDF of a label, signed as the carrier signs it."""
    assert label.contract is not None
    opened = contracts.account(label.contract)
    crc = link_signature(opened.account, opened.brand, number, key=opened.key)
    return (
        f"/ww2/PDF/StickerMaker2.aspx?ens={opened.account}{opened.brand}"
        f"&expedition={number}&lg=FR&format=A4&crc={crc}"
    )


def marc_receives(
    id: int, at: datetime, to_the_end: bool, marc: Actor, dice: random.Random, place: int
) -> None:
    """Marc opens the parcel and grades; now and then a counter-offer with its photo, a refusal, a
    missing game.
    """
    with clock.at(at), unit_of_work() as session:
        offer = session.get_one(Parcel, id).offer
        number = offer.number
        reception.open_parcel(offer, by=marc)
        if (
            to_the_end
            and identity.of(offer.vendor_id, offer.customer_id or 0) is None
            and dice.random() < 0.85
        ):
            reception.record_identity(offer, a_document(offer, dice), by=marc)
        store = session.scalars(db.select(Store).where(Store.vendor_id == offer.vendor_id)).one()
        lines = [line for line in reception.articles(offer) if line.status is LineState.received]
        for n, line in enumerate(lines if to_the_end else lines[:2]):
            with clock.at(at + timedelta(seconds=9 * n)):
                grade_one(
                    line,
                    store,
                    marc,
                    dice,
                    force=(
                        "counter"
                        if place == 9 and n == 0
                        else "refuse"
                        if place == 10 and n == 0
                        else ""
                    ),
                )
        if not to_the_end:
            return
        with clock.at(at + timedelta(minutes=4)):
            reception.end(offer, by=marc)
            reception.tell(offer, by=marc)
    the_seller_answers(number, at + timedelta(hours=5), dice, waits=place == 9)


def grade_one(line: OfferLine, store: Store, marc: Actor, dice: random.Random, force: str) -> None:
    fate = force or dice.choices(("accept", "counter", "refuse", "miss"), (88, 6, 4, 2))[0]
    grade = dice.choice(("like_new", "very_good", "very_good", "good"))
    grades = {
        "article": grade,
        "box": dice.choice((grade, "good")),
        "manual": dice.choice((grade, grade, "missing")),
    }
    if fate == "accept":
        reception.send(
            line,
            grades,
            dice.choice(("", "", "", "Jaquette un peu passée au soleil")),
            store,
            place=f"R{dice.randint(1, 9)}",
            by=marc,
        )
        return
    if fate == "miss":
        reception.miss(line, by=marc)
        return
    reception.photograph(line, a_photo(line.title), by=marc)
    if fate == "counter":
        grades["box"] = "poor"
        reception.counter(
            line,
            grades,
            "",
            max(1, line.price_cents * 7 // 10),
            "La boîte est fendue au coin supérieur droit. Le disque est bon.",
            by=marc,
        )
    else:
        reception.refuse(line, grades, "", "Disque très rayé : le jeu ne démarre pas.", by=marc)


def the_seller_answers(number: str | None, at: datetime, dice: random.Random, waits: bool) -> None:
    """He answers what waits (one has not yet), and most give their IBAN."""
    at = min(at, clock.now())
    with clock.at(at), unit_of_work() as session:
        offer = session.scalars(db.select(Offer).where(Offer.number == number)).one()
        him = customers.actor(offer.seller)
        waiting = reception.pending(offer)
        if waiting and not waits:
            label = offer.parcels[0].label
            relay = label.relays[0]["number"] if label and label.relays else "044001"
            reception.answer(
                offer,
                {
                    line.id: (
                        "agree"
                        if line.status is LineState.countered
                        else dice.choice(("to_return", "recycled"))
                    )
                    for line in waiting
                },
                relay,
                by=him,
            )
        if offer.seller.email.startswith("aminata") and offer.status is OfferState.received:
            reception.choose_means(offer, PaymentMeans.store_credit, by=him)
        elif bank_details.of(offer.seller.id) is None and not offer.seller.email.startswith(
            ("theo", "zoe")
        ):
            bank_details.give(
                offer.seller, an_iban(offer.seller.id), offer.seller.name, site=offer.site
            )


def a_document(offer: Offer, dice: random.Random) -> dict[str, str]:
    """An invented identity document."""
    return {
        "kind": dice.choice(("identity_card", "identity_card", "passport", "driving_licence")),
        "number": f"{dice.randint(10, 99)}AB{dice.randint(10000, 99999)}",
        "issued_by": f"Préfecture ({offer.seller.postcode[:2]})",
        "issued_on": f"20{dice.randint(14, 24)}-0{dice.randint(1, 9)}-1{dice.randint(0, 9)}",
        "birth_date": f"19{dice.randint(60, 99)}-0{dice.randint(1, 9)}-1{dice.randint(0, 9)}",
        "first_names": f"{offer.seller.first_name} Claude",
        "profession": dice.choice(("Libraire", "Étudiant", "Infirmière", "Retraité", "Menuisier")),
        "consent_by": "",
    }


def a_photo(title: str) -> str:
    """A drawn picture of a box with a crack, as the webcam would have taken it."""
    picture = Image.new("RGB", (960, 720), "#cbb79b")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 500, 960, 720), fill="#b59d7d")
    pen.rectangle((310, 90, 650, 560), fill="#23272f")
    pen.rectangle((330, 110, 630, 540), fill="#4a6b8a")
    pen.line((560, 110, 530, 190, 600, 240, 560, 330), fill="#f7fafc", width=7)
    pen.ellipse((500, 90, 680, 270), outline="#ffffff", width=6)
    pen.text((350, 460), documents.latin(title), fill="#ffffff")
    out = BytesIO()
    picture.save(out, "JPEG", quality=85)
    return files.keep_picture(out.getvalue(), most_side=1200)


def seal() -> None:
    """The registers' days that are over."""
    with unit_of_work() as session:
        for vendor in session.scalars(db.select(Vendor)):
            for day in police_register.unsealed_days(vendor.id):
                police_register.seal_day(vendor, day)
