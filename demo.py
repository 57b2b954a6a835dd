"""A month in the life of a shop, told with the verbs everybody uses: no row is made another way.

The cast: RétroShop buys back on « Chez Manette », PixelCave is a second vendor with its own site.
Léa administers,
Marc checks the offers and receives the parcels, Inès pays, Noé works for PixelCave; Camille and
eleven others sell:
from the scan to the transfer, with what goes wrong on the way. Beside them « Souliers du Port »,
four shoe shops with their
référencier, their stock files, their tills, and one pair sold twice.
"""

import random
import tempfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

from flask_babel import gettext as _
from PIL import Image, ImageDraw
from schwifty import IBAN

from models import (
    BrandAgreement,
    BuyingRule,
    CarrierContract,
    CarrierService,
    Condition,
    Customer,
    LineState,
    MachineKey,
    Offer,
    OfferLine,
    OfferState,
    Parcel,
    ParcelState,
    PayingAccount,
    PaymentMeans,
    PaymentState,
    Platform,
    Product,
    RuleEffect,
    SellerPayment,
    ShippingRate,
    Site,
    StockLevel,
    Store,
    TillEventKind,
    TransferBatch,
    User,
    Variant,
    Vendor,
)  # fmt: skip
from services import clock, documents, files, outbox, settings, visits
from services.buyback import offers, parcels, police_register, reception
from services.catalogue import argus, products, referencer
from services.imports import runs, tables
from services.payments import bank_details, seller_payments, transfers
from services.people import customers, identity, machine_keys, passwords, sites, staff
from services.stock import items, levels, tills
from services.unit import db, unit_of_work
from services.workflow import Actor, Refused

PASSWORD = "comptoir-essai-2026"
ACCOUNTS = (
    ("lea@demo.comptoir.test", "Léa", "Martin", staff.ADMINISTRATOR, None),
    ("marc@demo.comptoir.test", "Marc", "Diallo", staff.OPERATOR, "RétroShop"),
    ("ines@demo.comptoir.test", "Inès", "Bernard", staff.ACCOUNTANT, None),
    ("noe@demo.comptoir.test", "Noé", "Petit", staff.OPERATOR, "PixelCave"),
    ("awa@demo.comptoir.test", "Awa", "Sow", staff.VENDOR, "Souliers du Port"),
    ("tom@demo.comptoir.test", "Tom", "Le Gall", staff.STORE, "Souliers du Port"),
)
TELLER = Actor("command", None, "Démo")

# Invented games: title, platform, argus in cents.
GAMES = (
    ("Astro Renard", "Megadrive", 2000),
    ("Cité des Brumes", "Megadrive", 3450),
    ("Karting Lunaire", "Megadrive", 1200),
    ("Nitro Corniche", "PlayStation 2", 1000),
    ("Samouraï Minuit", "PlayStation 2", 1450),
    ("Héritiers du Sel", "PlayStation 2", 2290),
    ("Super Potager", "Nintendo DS", 625),
    ("Docteur Calcul", "Nintendo DS", 450),
    ("Atelier des Fées", "Nintendo DS", 890),
    ("Donjon Minuit", "Game Boy Advance", 925),
    ("Vallée des Brumes", "Nintendo Switch", 2400),
    ("Île aux Lampions", "Nintendo Switch", 3200),
    ("Robots du Dimanche", "Nintendo Switch", 1850),
    ("Chroniques d’Arkéon", "PlayStation 4", 1300),
    ("Opéra Mécanique", "PlayStation 5", 4500),
    ("Ligue 98 Édition Or", "Nintendo 64", 1850),
    ("Plongée Profonde", "Xbox One", 1025),
    ("Gardien du Phare", "Wii", 450),
    ("Rallye Haut Atlas", "GameCube", 1575),
    ("Le Dernier Tram", "PlayStation 4", 990),
    ("Orchidée Noire", "PlayStation 3", 780),
    ("Ruche & Royaume", "PC", 350),
    ("Fanfare !", "Wii", 520),
    ("Manoir Grisaille", "GameCube", 6400),
)

SELLERS = (
    ("Camille", "Aubry", "12 rue des Tanneurs", "44000", "Nantes", "0612345678"),
    ("Hugo", "Lefèvre", "3 quai de la Fosse", "44100", "Nantes", "0623456789"),
    ("Manon", "Le Goff", "8 rue de Siam", "29200", "Brest", "0634567890"),
    ("Yanis", "Benali", "27 cours Lafayette", "69003", "Lyon", "0645678901"),
    ("Zoé", "Garnier", "5 place du Capitole", "31000", "Toulouse", "0656789012"),
    ("Lucas", "Moreau", "14 rue Nationale", "37000", "Tours", "0667890123"),
    ("Aminata", "Traoré", "41 rue de Rome", "13001", "Marseille", "0678901234"),
    ("Théo", "Schmitt", "9 Grand’Rue", "67000", "Strasbourg", "0689012345"),
    ("Jeanne", "d’Haussy", "2 rue Esquermoise", "59000", "Lille", "0690123456"),
    ("Kévin", "Hoarau", "18 rue de Paris", "97400", "Saint-Denis", "0692123456"),
    ("Élise", "Núñez", "6 cours Mirabeau", "13100", "Aix-en-Provence", "0755443322"),
    ("Paul", "Roux", "33 rue Victor-Hugo", "38000", "Grenoble", "0766554433"),
)


def tell() -> str:
    """Tell the whole month, once; returns what to say at the end."""
    if db.session.scalar(db.select(Customer.id).limit(1)):
        return _("The demonstration is already there.")
    dice = random.Random(1702)
    today = clock.now().replace(hour=9, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=60)
    open_the_shop(first)
    fill_the_catalogue(first)
    fill_the_stock(first, dice)
    people_come(today, dice)
    open_accounts(first)
    sign_the_contracts(first)
    a_month_of_offers(today, dice)
    parcels_come(today, dice)
    ines_pays(today)
    the_shoe_shops(today, dice)
    for at in (today - timedelta(days=1), today):
        with clock.at(at):
            seal()
    return _("The demonstration is there: a shop, its month, its people.")


def accounts() -> str:
    """Who may sign in, for the end of `make run`."""
    lines = [f"  {role:<18} {email}" for email, _first, _last, role, _vendor in ACCOUNTS]
    return "\n".join(
        [*lines, f"  {'Client':<18} camille@demo.comptoir.test", f"  mot de passe : {PASSWORD}"]
    )


def open_the_shop(at: datetime) -> None:
    """RétroShop takes over the vendor `init` made; PixelCave opens beside it; everybody gets
    access.
    """
    hashed = passwords.hashed(PASSWORD)
    with clock.at(at), unit_of_work() as session:
        shop = session.scalars(db.select(Vendor).order_by(Vendor.id)).first()
        assert shop is not None
        shop.name, shop.legal_name, shop.email = (
            "RétroShop",
            "RétroShop SARL",
            "boutique@demo.comptoir.test",
        )
        front = session.scalars(db.select(Site).where(Site.is_default)).one()
        front.name, front.contact_email, front.radius = (
            "Chez Manette",
            "boutique@demo.comptoir.test",
            16,
        )
        front.color_brand, front.color_brand_strong, front.color_accent = (
            "#3b33b8",
            "#29228c",
            "#ffc53d",
        )
        front.conditions = (
            "Le prix annoncé est garanti jusqu’à la date limite de dépôt du colis.\n\nChaque jeu"
            " est contrôlé à l’arrivée. Si un jeu n’est pas conforme, nous vous proposons un"
            " nouveau prix ou vous le récupérez.\n\nVous êtes payé par virement une fois le"
            " contrôle terminé."
        )
        sites.check_colors(front)
        bouffay = session.scalars(db.select(Store)).one()
        bouffay.name, bouffay.postcode, bouffay.city = "Nantes Bouffay", "44000", "Nantes"
        pixel = Vendor(
            name="PixelCave",
            legal_name="PixelCave SAS",
            email="contact@pixelcave.test",
            created_at=clock.now(),
        )
        session.add(pixel)
        session.flush()
        session.add(Store(vendor=pixel, name="Rennes", code="R1", postcode="35000", city="Rennes"))
        shoes = Vendor(
            name="Souliers du Port",
            legal_name="Souliers du Port SARL",
            email="contact@souliers.test",
            created_at=clock.now(),
        )
        session.add(shoes)
        session.flush()
        for code, name, postcode, city in SHOE_SHOPS:
            session.add(Store(vendor=shoes, name=name, code=code, postcode=postcode, city=city))
        session.flush()
        sites.open_site(
            pixel,
            "PixelCave",
            by=TELLER,
            hosts=("pixelcave.localhost",),
            contact_email="contact@pixelcave.test",
            radius=0,
            color_brand="#0e5c4a",
            color_brand_strong="#084335",
            color_accent="#ff9166",
            short_conditions="Boîte requise",
        )
        session.add(
            BuyingRule(
                vendor_id=pixel.id,
                name="30 % de l’argus",
                rank=100,
                effect=RuleEffect.percentage,
                rate_bp=3000,
                step_cents=10,
                category="",
                ean="",
                active=True,
            )
        )
        settings.change(
            "second_factor", "nobody", by=TELLER
        )  # everybody knows these passwords anyway
        for email, first_name, last_name, role, vendor in ACCOUNTS:
            user, _password = staff.add(
                email, role, by=TELLER, first_name=first_name, last_name=last_name
            )
            staff.change_password(user, hashed)
            if vendor:
                store = (
                    session.scalars(db.select(Store).where(Store.code == SHOE_SHOPS[0][0])).one()
                    if role == staff.STORE
                    else None
                )
                staff.belongs_to(
                    user,
                    session.scalars(db.select(Vendor).where(Vendor.name == vendor)).one(),
                    store,
                )


def fill_the_catalogue(at: datetime) -> None:
    """The games, their argus, and the rules that say more than « 40 % »."""
    with clock.at(at), unit_of_work() as session:
        platforms: dict[str, Platform] = {}
        for number, (title, platform, value) in enumerate(GAMES):
            if platform not in platforms:
                platforms[platform] = Platform(name=platform, weight_grams=150)
                session.add(platforms[platform])
            product = Product(
                title=title, platform=platforms[platform], category="", created_at=clock.now()
            )
            session.add(product)
            session.flush()
            argus.change(products.add_reference(product, ean_of(number)), value, by=TELLER)
        shop = session.scalars(db.select(Vendor).order_by(Vendor.id)).first()
        assert shop is not None
        common = {"vendor_id": shop.id, "category": "", "ean": "", "active": True}
        session.add_all(
            [
                BuyingRule(
                    name="PC : non repris",
                    rank=10,
                    effect=RuleEffect.exclude,
                    platform=platforms["PC"],
                    **common,
                ),
                BuyingRule(
                    name="Megadrive 40 %",
                    rank=20,
                    effect=RuleEffect.percentage,
                    rate_bp=4000,
                    platform=platforms["Megadrive"],
                    **common,
                ),
                BuyingRule(
                    name="Petits prix",
                    rank=30,
                    effect=RuleEffect.percentage,
                    rate_bp=3000,
                    argus_to_cents=600,
                    floor_cents=100,
                    **common,
                ),
                BuyingRule(
                    name="Déjà trop en stock",
                    rank=40,
                    effect=RuleEffect.percentage,
                    rate_bp=2500,
                    stock_from=5,
                    **common,
                ),
            ]
        )
    for weeks, factor in ((6, 104), (4, 97), (1, 103)):
        with clock.at(at + timedelta(days=60 - 7 * weeks)), unit_of_work() as session:
            for variant in session.scalars(db.select(Variant).where(Variant.id % 3 == 0)):
                argus.change(variant, (variant.argus_cents or 0) * factor // 100, by=TELLER)


def ean_of(number: int) -> str:
    """An EAN of our own for each invented article (prefix 376015, check digit computed): games from
    0 on, shoes from 5000 on.
    """
    body = f"376015{120_000 + number}"
    weighted = sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(body))
    return body + str(-weighted % 10)


def fill_the_stock(at: datetime, dice: random.Random) -> None:
    """Second-hand units bought before, and those sold since."""
    conditions = random.Random(11)  # of its own: the rest of the demonstration stays what it was
    with unit_of_work() as session:
        store = session.scalars(db.select(Store).where(Store.name == "Nantes Bouffay")).one()
        for variant in session.scalars(db.select(Variant).order_by(Variant.id)).all():
            for _n in range(dice.choice((0, 1, 2, 2, 3, 7))):
                value = variant.argus_cents or 0
                with clock.at(at + timedelta(days=dice.randint(0, 20))):
                    item = items.enter(
                        variant,
                        store,
                        cost_cents=value * 2 // 5,
                        by=TELLER,
                        place=f"R{dice.randint(1, 9)}",
                        condition=conditions.choice(list(Condition)),
                    )
                if dice.random() < 0.55:
                    with clock.at(at + timedelta(days=dice.randint(21, 58))):
                        items.sell(
                            item,
                            value * dice.randint(95, 130) // 100,
                            channel=dice.choice(("boutique", "site")),
                            by=TELLER,
                        )


def people_come(today: datetime, dice: random.Random) -> None:
    """Sixty days of visitors, more at the week-end, slowly more."""
    with unit_of_work() as session:
        for site in session.scalars(db.select(Site)):
            for back in range(60):
                day = clock.paris(today - timedelta(days=back)).date()
                base = 26 if site.is_default else 7
                visits.put(
                    site.id,
                    day,
                    int(
                        base
                        * (1.35 if day.weekday() >= 5 else 1)
                        * (1 - back / 180)
                        * dice.uniform(0.8, 1.2)
                    ),
                )
    for _n in range(5):
        visits.asked_in_vain("3500190021882")
    visits.asked_in_vain("3307215933466")
    with unit_of_work():
        visits.count()
    visits.counted()


def open_accounts(at: datetime) -> None:
    """The sellers open their accounts; most confirm their address."""
    hashed = passwords.hashed(PASSWORD)
    for number, (first_name, last_name, address, postcode, city, phone) in enumerate(SELLERS):
        with clock.at(at + timedelta(days=number)), unit_of_work() as session:
            front = session.scalars(db.select(Site).where(Site.is_default)).one()
            email = f"{tables.fold(first_name)}@demo.comptoir.test"
            customer = customers.open_account(
                front,
                email=email,
                password_hash=hashed,
                first_name=first_name,
                last_name=last_name,
                address=address,
                postcode=postcode,
                city=city,
                phone=phone,
            )
            if number != 7:
                customers.confirm_email(customer, customer.email)


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
        parcels.keep_secrets(contract, "TestAPI1key", "essai-api2")
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
            prices = {line.id: max(50, line.price_cents * 4 // 5) for line in offers.kept(offer)}
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
            assert offer.customer is not None
            (offers.agree if choice > 0.94 else offers.disagree)(
                offer, by=customers.actor(offer.customer)
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
            if parcel.status is ParcelState.label_requested:
                parcels.the_label_is(parcel, str(90_000_000 + id))
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
        seen = tuple(parcels.seen(e.at, e.words) for e in parcel.events)
        parcels.tracked(parcel, parcels.trace(state, words, (*seen, parcels.seen(at, words))))


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
        assert offer.customer is not None
        him = customers.actor(offer.customer)
        waiting = reception.pending(offer)
        if waiting and not waits:
            relay = offer.parcels[0].relays[0]["number"] if offer.parcels[0].relays else "044001"
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
        if offer.customer.email.startswith("aminata") and offer.status is OfferState.received:
            reception.choose_means(offer, PaymentMeans.store_credit, by=him)
        elif bank_details.of(offer.customer.id) is None and not offer.customer.email.startswith(
            ("theo", "zoe")
        ):
            bank_details.give(
                offer.customer, an_iban(offer.customer.id), offer.customer.name, site=offer.site
            )
            seller_payments.iban_given(offer.customer)


def ines_pays(today: datetime) -> None:
    """One file executed, with one transfer that came back; what is newer waits for Inès."""
    ines = the_staff(2)
    with unit_of_work() as session:
        shop_id = session.scalars(db.select(Vendor.id).where(Vendor.name == "RétroShop")).one()
    at = today - timedelta(days=6)
    with clock.at(at):
        with unit_of_work() as session:
            late = session.scalars(
                db.select(SellerPayment).where(
                    SellerPayment.status == PaymentState.to_pay,
                    SellerPayment.received_at > at - timedelta(days=1),
                )
            ).all()
            later = [(p.id, p.offer_id) for p in late]
            for payment in late:
                seller_payments.hold(payment, "Contrôle de caisse en cours.", by=ines)
            totals = transfers.totals(shop_id)
            if not totals[0]:
                return
            batch = transfers.validate(
                session.get_one(Vendor, shop_id), transfers.WORD, totals, by=ines
            )
            key, batch_id = f"transfer_file:{batch.id}", batch.id
        outbox.work_now(key)
        for payment_id in seller_payments.untold():
            with unit_of_work() as session:
                seller_payments.tell_paid(session.get_one(SellerPayment, payment_id))
    with clock.at(at + timedelta(days=2)), unit_of_work() as session:
        batch = session.get_one(TransferBatch, batch_id)
        victim = batch.lines[-1].end_to_end
        transfers.read_answer(the_bank_says(batch.number, victim), "reponse-banque.xml", by=ines)
        transfers.all_went_through(batch, by=ines)
    with unit_of_work() as session:
        for _payment_id, offer_id in later:
            reception.review(session.get_one(Offer, offer_id), by=ines)


def the_bank_says(number: str, victim: str) -> bytes:
    """A bank's answer (pain.002) that sends one transfer back: the account is closed."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Document'
        ' xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>BANQUE-1</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{number}</OrgnlMsgId><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{number}-1</OrgnlPmtInfId><TxInfAndSts><OrgnlEndToEndId>{victim}</OrgnlEndToEndId><TxSts>RJCT</TxSts>"
        "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    ).encode()


def seal() -> None:
    """The registers' days that are over."""
    with unit_of_work() as session:
        for vendor in session.scalars(db.select(Vendor)):
            for day in police_register.unsealed_days(vendor.id):
                police_register.seal_day(vendor, day)


# ── four shoe shops ──

SHOE_SHOPS = (
    ("SP1", "Souliers du Port – Saint-Malo", "35400", "Saint-Malo"),
    ("SP2", "Souliers du Port – Vannes", "56000", "Vannes"),
    ("SP3", "Souliers du Port – Brest", "29200", "Brest"),
    ("SP4", "Souliers du Port – Nantes", "44000", "Nantes"),
)
# Invented models: reference, title, brand, family, subfamily, colours, material, price in cents.
SHOES = (
    ("LOR-100", "Derby Lormont", "Lormont", "Ville", "Derbies", ("Noir", "Cognac"), "Cuir", 12900),
    ("LOR-210", "Richelieu Bacalan", "Lormont", "Ville", "Richelieus", ("Noir",), "Cuir", 14900),
    (
        "AUB-01",
        "Botte Aubrac",
        "Aubrac",
        "Bottes",
        "Bottes hautes",
        ("Chocolat", "Noir"),
        "Cuir gras",
        18900,
    ),
    ("AUB-07", "Bottine Laguiole", "Aubrac", "Bottes", "Bottines", ("Sable",), "Daim", 13900),
    (
        "POU-12",
        "Mocassin Pouldu",
        "Pouldu",
        "Détente",
        "Mocassins",
        ("Marine", "Blanc"),
        "Toile",
        6900,
    ),
    (
        "POU-33",
        "Espadrille Bidart",
        "Pouldu",
        "Été",
        "Espadrilles",
        ("Écru", "Rouge"),
        "Toile",
        3900,
    ),
    ("ZEF-5", "Basket Zéphyr", "Zéphyr", "Sport", "Running", ("Gris", "Corail"), "Mesh", 9900),
    ("ZEF-9", "Basket Alizé junior", "Zéphyr", "Enfant", "Baskets", ("Vert",), "Synthétique", 5900),
)


def the_shoe_shops(today: datetime, dice: random.Random) -> None:
    """The association sends its référencier; four shops publish their stock; a till plays its week;
    a pair is sold twice; a reference is unknown.
    """
    with clock.at(today - timedelta(days=20)):
        load("referencier-hiver.csv", referencier(), "catalogue", by=the_staff(0))
    awa, eans = the_staff(4), [ean_of(5000 + n) for n in range(len(SHOES) * 12)]
    shops = [
        db.session.scalars(db.select(Store).where(Store.code == code)).one().id
        for code, *_rest in SHOE_SHOPS
    ]
    for days in (7, 1):
        for number, id in enumerate(shops):
            lines = [f"{e};{max(0, dice.randint(-1, 6))}" for e in eans if dice.random() < 0.7]
            lines += [f"{eans[0]};-2", f"{ean_of(5900 + number)};3"] if number == 2 else []
            with clock.at(today - timedelta(days=days, hours=9)):
                load(
                    f"stock-{SHOE_SHOPS[number][0]}.csv",
                    "ean;quantite\n" + "\n".join(dict.fromkeys(lines)),
                    "stock",
                    by=awa,
                    store=id,
                    mode="full",
                )
    with clock.at(today - timedelta(days=1, hours=8)):
        load(
            "inconnus.csv",
            "sku;designation;marque;ean;quantite\nCAI-77;BASKETS ZEPHYR GRIS;Zephyr;;4\n"
            f"CAI-78;Sabot Concarneau;Concarneau;{ean_of(5990)};2\n",
            "stock",
            by=awa,
            store=shops[0],
            mode="delta",
        )
        load(
            "offres.csv",
            "sku;product-id;product-id-type;price;state;discount-price;leadtime-to-ship\n"
            + "".join(
                f"SP-{n};{e};EAN;{SHOES[n // 12][7] / 100:.2f};11;"
                f"{SHOES[n // 12][7] * 0.8 / 100:.2f};2\n"
                for n, e in enumerate(eans[::6])
            ),
            "offers",
            by=awa,
        )
        with unit_of_work() as session:
            agreed = products.brand_named("Aubrac")
            agreed.needs_agreement = True
            vendor = session.scalars(
                db.select(Vendor).where(Vendor.name == "Souliers du Port")
            ).one()
            session.add(
                BrandAgreement(
                    brand=agreed, vendor_id=vendor.id, allowed=True, note="Accord du 3 mars"
                )
            )
            for name, grams, cents, free in (
                ("Point relais", 2000, 490, 9900),
                ("Domicile", 5000, 890, None),
            ):
                session.add(
                    ShippingRate(
                        vendor_id=vendor.id,
                        name=name,
                        up_to_grams=grams,
                        price_cents=cents,
                        free_from_cents=free,
                    )
                )
            key, secret = machine_keys.make(
                vendor,
                "Caisse 1, Saint-Malo",
                ["till", "catalogue", "stock"],
                by=awa,
                store=session.get_one(Store, shops[0]),
            )
            session.flush()
            key_id = key.id
        till_key().write_text(secret)  # of the trial alone: « make till » plays a day with it
    the_till_plays(key_id, shops[0], today, dice, awa)


def till_key() -> Path:
    """Where the demonstration leaves the key of its till."""
    return files.folder().parent / "demo-till-key"


def the_till_plays(
    key_id: int, store_id: int, today: datetime, dice: random.Random, awa: Actor
) -> None:
    """A day of counter sales; the last pair of a model goes to a customer of the shop while an
    order on line had it.
    """
    held = db.session.execute(
        db.select(StockLevel.id, Variant.ean)
        .join(Variant, Variant.id == StockLevel.variant_id)
        .where(StockLevel.store_id == store_id, StockLevel.quantity == 1)
        .order_by(StockLevel.id)
        .limit(1)
    ).one()
    with clock.at(today - timedelta(hours=7)), unit_of_work() as session:
        level = session.get_one(StockLevel, held.id)
        levels.promise(
            levels.reserve(level, 1, "1702-A", clock.now() + timedelta(hours=1), by=TELLER),
            by=TELLER,
        )
    sold = [
        e
        for e in db.session.scalars(
            db.select(Variant.ean)
            .join(StockLevel, StockLevel.variant_id == Variant.id)
            .where(StockLevel.store_id == store_id, StockLevel.quantity > 1)
            .limit(12)
        )
    ]
    for number, ean in enumerate([*sold, held.ean], 1):
        at = today - timedelta(hours=6) + timedelta(minutes=9 * number)
        with clock.at(at), unit_of_work() as session:
            told = tills.Told(
                number,
                TillEventKind.sale,
                ean,
                1,
                at,
                100 * dice.randint(39, 189),
                f"T-{number:04d}",
            )
            tills.take(session.get_one(MachineKey, key_id), told)
    with clock.at(today - timedelta(hours=4)), unit_of_work() as session:
        for level in session.scalars(
            db.select(StockLevel)
            .where(StockLevel.store_id == store_id)
            .order_by(StockLevel.id)
            .limit(6)
        ):
            levels.set_alert(level, 3, by=awa)
            levels.set_place(level, f"R{dice.randint(1, 5)}-B{dice.randint(1, 8)}", by=awa)


def referencier() -> str:
    """The association's file: six sizes of each model and colour."""
    rows, number = [], 5000
    for ref, title, brand, family, subfamily, colors, material, price in SHOES:
        for n in range(12):
            color, size = (
                colors[n // 6 % len(colors)],
                (36 if "junior" not in title else 28)
                + n % 6
                + (4 if n >= 6 and len(colors) == 1 else 0),
            )
            rows.append(
                f"{ref};{ean_of(number)};{title};{brand};Manufacture"
                f" {brand};Chaussures;{family};{subfamily};{color};{material};;{size};"
                f"{price // 220},50;{price // 100},00;20;Hiver"
                " 2026;oui;"
            )
            number += 1
    return ";".join(referencer.HEADER) + "\n" + "\n".join(rows) + "\n"


def load(
    name: str, text: str, kind: str, *, by: Actor, store: int | None = None, mode: str = ""
) -> None:
    """A file given by somebody, taken in as the worker would."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        vendor = (
            None
            if kind == "catalogue"
            else db.session.scalars(
                db.select(Vendor).where(Vendor.name == "Souliers du Port")
            ).one()
        )
        runs.import_file(
            path,
            kind,
            by=by,
            vendor=vendor,
            store=db.session.get(Store, store) if store else None,
            mode=mode,
        )


def the_staff(which: int) -> Actor:
    email, first_name, last_name, *_rest = ACCOUNTS[which]
    return Actor(
        "staff",
        db.session.scalars(db.select(User.id).where(User.username == email)).one(),
        f"{first_name} {last_name}",
    )


def a_document(offer: Offer, dice: random.Random) -> dict[str, str]:
    """An invented identity document."""
    assert offer.customer is not None
    return {
        "kind": dice.choice(("identity_card", "identity_card", "passport", "driving_licence")),
        "number": f"{dice.randint(10, 99)}AB{dice.randint(10000, 99999)}",
        "issued_by": f"Préfecture ({offer.customer.postcode[:2]})",
        "issued_on": f"20{dice.randint(14, 24)}-0{dice.randint(1, 9)}-1{dice.randint(0, 9)}",
        "birth_date": f"19{dice.randint(60, 99)}-0{dice.randint(1, 9)}-1{dice.randint(0, 9)}",
        "first_names": f"{offer.customer.first_name} Claude",
        "profession": dice.choice(("Libraire", "Étudiant", "Infirmière", "Retraité", "Menuisier")),
        "consent_by": "",
    }


def an_iban(number: int) -> str:
    """An IBAN that belongs to nobody, its keys right."""
    return str(
        IBAN.generate("FR", bank_code="30006", branch_code="00001", account_code=f"{number:011d}")
    )


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
