"""A month in the life of a shop, told with the verbs everybody uses: no row is made another way.

The cast: RétroShop buys back on « Chez Manette », PixelCave is a second vendor with its own site. Léa administers,
Marc checks the offers, Inès counts, Noé works for PixelCave; Camille and eleven others sell. This is the first half
of the story: from the scan to the accepted offer.
"""

import random
from datetime import UTC, datetime, timedelta

from flask_babel import gettext as _

from models import BuyingRule, Customer, Offer, Platform, Product, RuleEffect, Site, Store, User, Variant, Vendor
from services import clock, visits
from services.buyback import offers
from services.people import customers, passwords, sites, staff
from services.stock import argus, catalogue, imports, items
from services.unit import db, unit_of_work
from services.workflow import Actor, Refused

PASSWORD = "comptoir-essai-2026"
ACCOUNTS = (
    ("lea@demo.comptoir.test", "Léa", "Martin", staff.ADMINISTRATOR, None),
    ("marc@demo.comptoir.test", "Marc", "Diallo", staff.OPERATOR, "RétroShop"),
    ("ines@demo.comptoir.test", "Inès", "Bernard", staff.ACCOUNTANT, None),
    ("noe@demo.comptoir.test", "Noé", "Petit", staff.OPERATOR, "PixelCave"),
)
TELLER = Actor("command", None, "Démo")

# Invented games: title, platform, argus in cents.
GAMES = (
    ("Astro Renard", "Megadrive", 2000), ("Cité des Brumes", "Megadrive", 3450), ("Karting Lunaire", "Megadrive", 1200),
    ("Nitro Corniche", "PlayStation 2", 1000), ("Samouraï Minuit", "PlayStation 2", 1450), ("Héritiers du Sel", "PlayStation 2", 2290),
    ("Super Potager", "Nintendo DS", 625), ("Docteur Calcul", "Nintendo DS", 450), ("Atelier des Fées", "Nintendo DS", 890),
    ("Donjon Minuit", "Game Boy Advance", 925), ("Vallée des Brumes", "Nintendo Switch", 2400), ("Île aux Lampions", "Nintendo Switch", 3200),
    ("Robots du Dimanche", "Nintendo Switch", 1850), ("Chroniques d’Arkéon", "PlayStation 4", 1300), ("Opéra Mécanique", "PlayStation 5", 4500),
    ("Ligue 98 Édition Or", "Nintendo 64", 1850), ("Plongée Profonde", "Xbox One", 1025), ("Gardien du Phare", "Wii", 450),
    ("Rallye Haut Atlas", "GameCube", 1575), ("Le Dernier Tram", "PlayStation 4", 990), ("Orchidée Noire", "PlayStation 3", 780),
    ("Ruche & Royaume", "PC", 350), ("Fanfare !", "Wii", 520), ("Manoir Grisaille", "GameCube", 6400),
)  # fmt: skip

SELLERS = (
    ("Camille", "Aubry", "12 rue des Tanneurs", "44000", "Nantes", "0612345678"), ("Hugo", "Lefèvre", "3 quai de la Fosse", "44100", "Nantes", "0623456789"),
    ("Manon", "Le Goff", "8 rue de Siam", "29200", "Brest", "0634567890"), ("Yanis", "Benali", "27 cours Lafayette", "69003", "Lyon", "0645678901"),
    ("Zoé", "Garnier", "5 place du Capitole", "31000", "Toulouse", "0656789012"), ("Lucas", "Moreau", "14 rue Nationale", "37000", "Tours", "0667890123"),
    ("Aminata", "Traoré", "41 rue de Rome", "13001", "Marseille", "0678901234"), ("Théo", "Schmitt", "9 Grand’Rue", "67000", "Strasbourg", "0689012345"),
    ("Jeanne", "d’Haussy", "2 rue Esquermoise", "59000", "Lille", "0690123456"), ("Kévin", "Hoarau", "18 rue de Paris", "97400", "Saint-Denis", "0692123456"),
    ("Élise", "Núñez", "6 cours Mirabeau", "13100", "Aix-en-Provence", "0755443322"), ("Paul", "Roux", "33 rue Victor-Hugo", "38000", "Grenoble", "0766554433"),
)  # fmt: skip


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
    a_month_of_offers(today, dice)
    return _("The demonstration is there: a shop, its month, its people.")


def accounts() -> str:
    """Who may sign in, for the end of `make run`."""
    lines = [f"  {role:<18} {email}" for email, _first, _last, role, _vendor in ACCOUNTS]
    return "\n".join([*lines, f"  {'Client':<18} camille@demo.comptoir.test", f"  mot de passe : {PASSWORD}"])


def open_the_shop(at: datetime) -> None:
    """RétroShop takes over the vendor `init` made; PixelCave opens beside it; everybody gets access."""
    hashed = passwords.hashed(PASSWORD)
    with clock.at(at), unit_of_work() as session:
        shop = session.scalars(db.select(Vendor).order_by(Vendor.id)).first()
        assert shop is not None
        shop.name, shop.legal_name, shop.email = "RétroShop", "RétroShop SARL", "boutique@demo.comptoir.test"
        front = session.scalars(db.select(Site).where(Site.is_default)).one()
        front.name, front.contact_email, front.radius = "Chez Manette", "boutique@demo.comptoir.test", 16
        front.color_brand, front.color_brand_strong, front.color_accent = "#3b33b8", "#29228c", "#ffc53d"
        front.conditions = (
            "Le prix annoncé est garanti jusqu’à la date limite de dépôt du colis.\n\nChaque jeu est contrôlé à l’arrivée. Si un jeu n’est pas "
            "conforme, nous vous proposons un nouveau prix ou vous le récupérez.\n\nVous êtes payé par virement une fois le contrôle terminé."
        )
        sites.check_colors(front)
        session.scalars(db.select(Store)).one().name = "Nantes Bouffay"
        pixel = Vendor(name="PixelCave", legal_name="PixelCave SAS", email="contact@pixelcave.test", created_at=clock.now())
        session.add(pixel)
        session.flush()
        session.add(Store(vendor=pixel, name="Rennes"))
        sites.open_site(
            pixel, "PixelCave", by=TELLER, hosts=("pixelcave.localhost",), contact_email="contact@pixelcave.test", radius=0,
            color_brand="#0e5c4a", color_brand_strong="#084335", color_accent="#ff9166", short_conditions="Boîte requise",
        )  # fmt: skip
        session.add(BuyingRule(vendor_id=pixel.id, name="30 % de l’argus", rank=100, effect=RuleEffect.percentage, rate_bp=3000, step_cents=10,
                               category="", ean="", active=True))  # fmt: skip
        for email, first_name, last_name, role, vendor in ACCOUNTS:
            user, _password = staff.add(email, role, by=TELLER, first_name=first_name, last_name=last_name)
            staff.change_password(user, hashed)
            if vendor:
                staff.belongs_to(user, session.scalars(db.select(Vendor).where(Vendor.name == vendor)).one())


def fill_the_catalogue(at: datetime) -> None:
    """The games, their argus, and the rules that say more than « 40 % »."""
    with clock.at(at), unit_of_work() as session:
        platforms: dict[str, Platform] = {}
        for number, (title, platform, value) in enumerate(GAMES):
            if platform not in platforms:
                platforms[platform] = Platform(name=platform, weight_grams=150)
                session.add(platforms[platform])
            product = Product(title=title, platform=platforms[platform], category="", created_at=clock.now())
            session.add(product)
            session.flush()
            argus.change(catalogue.add_reference(product, ean_of(number)), value, by=TELLER)
        shop = session.scalars(db.select(Vendor).order_by(Vendor.id)).first()
        assert shop is not None
        common = {"vendor_id": shop.id, "category": "", "ean": "", "active": True}
        session.add_all(
            [
                BuyingRule(name="PC : non repris", rank=10, effect=RuleEffect.exclude, platform=platforms["PC"], **common),
                BuyingRule(name="Megadrive 40 %", rank=20, effect=RuleEffect.percentage, rate_bp=4000, platform=platforms["Megadrive"], **common),
                BuyingRule(name="Petits prix", rank=30, effect=RuleEffect.percentage, rate_bp=3000, argus_to_cents=600, floor_cents=100, **common),
                BuyingRule(name="Déjà trop en stock", rank=40, effect=RuleEffect.percentage, rate_bp=2500, stock_from=5, **common),
            ]
        )
    for weeks, factor in ((6, 104), (4, 97), (1, 103)):
        with clock.at(at + timedelta(days=60 - 7 * weeks)), unit_of_work() as session:
            for variant in session.scalars(db.select(Variant).where(Variant.id % 3 == 0)):
                argus.change(variant, (variant.argus_cents or 0) * factor // 100, by=TELLER)


def ean_of(number: int) -> str:
    """An EAN of our own for each invented game (prefix 376015120, check digit computed)."""
    body = f"376015120{number:03d}"
    weighted = sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(body))
    return body + str(-weighted % 10)


def fill_the_stock(at: datetime, dice: random.Random) -> None:
    """Second-hand units bought before, and those sold since."""
    with unit_of_work() as session:
        store = session.scalars(db.select(Store).where(Store.name == "Nantes Bouffay")).one()
        for variant in session.scalars(db.select(Variant).order_by(Variant.id)).all():
            for _n in range(dice.choice((0, 1, 2, 2, 3, 7))):
                value = variant.argus_cents or 0
                with clock.at(at + timedelta(days=dice.randint(0, 20))):
                    item = items.enter(variant, store, cost_cents=value * 2 // 5, by=TELLER, place=f"R{dice.randint(1, 9)}")
                if dice.random() < 0.55:
                    with clock.at(at + timedelta(days=dice.randint(21, 58))):
                        items.sell(item, value * dice.randint(95, 130) // 100, channel=dice.choice(("boutique", "site")), by=TELLER)


def people_come(today: datetime, dice: random.Random) -> None:
    """Sixty days of visitors, more at the week-end, slowly more."""
    with unit_of_work() as session:
        for site in session.scalars(db.select(Site)):
            for back in range(60):
                day = clock.paris(today - timedelta(days=back)).date()
                base = 26 if site.is_default else 7
                visits.put(site.id, day, int(base * (1.35 if day.weekday() >= 5 else 1) * (1 - back / 180) * dice.uniform(0.8, 1.2)))
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
            email = f"{imports.fold(first_name)}@demo.comptoir.test"
            customer = customers.open_account(
                front, email=email, password_hash=hashed, first_name=first_name, last_name=last_name, address=address, postcode=postcode,
                city=city, phone=phone,
            )  # fmt: skip
            if number != 7:
                customers.confirm_email(customer, customer.email)


def a_month_of_offers(today: datetime, dice: random.Random) -> None:
    """Offers come, Marc decides; the last ones wait for whoever opens the demonstration."""
    with unit_of_work() as session:
        people = list(session.scalars(db.select(Customer.id).order_by(Customer.id)))
        marc_id = session.scalars(db.select(User.id).where(User.username == ACCOUNTS[1][0])).one()
    marc = Actor("staff", marc_id, "Marc Diallo")
    plan = [(back, seller) for back in range(58, 2, -1) for seller in people if dice.random() < 0.07]
    for back, seller in plan:
        sent = today - timedelta(days=back) + timedelta(hours=dice.randint(0, 12), minutes=dice.randint(0, 59))
        number = someone_sells(seller, sent, dice)
        if number:
            marc_decides(number, sent + timedelta(hours=dice.randint(2, 30)), marc, dice)
    for hours, seller in ((30, people[0]), (20, people[3]), (5, people[8])):
        someone_sells(seller, today - timedelta(hours=hours), dice)


def someone_sells(seller_id: int, at: datetime, dice: random.Random) -> str | None:
    """A seller fills a cart and sends it; returns the CDE number, or None when the cart stays under the threshold."""
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
            offers.counter(offer, prices, "Les boîtes de ces titres sont souvent abîmées : nous proposons un peu moins.", by=marc)
        else:
            offers.accept(offer, by=marc)
    if choice > 0.9:
        with clock.at(at + timedelta(hours=20)), unit_of_work() as session:
            offer = session.scalars(db.select(Offer).where(Offer.number == number)).one()
            assert offer.customer is not None
            (offers.agree if choice > 0.94 else offers.disagree)(offer, by=customers.actor(offer.customer))
