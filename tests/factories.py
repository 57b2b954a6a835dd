"""Plain functions with sensible defaults, so that a test shows only what matters to it. Only legal states, by the verbs."""

from itertools import count

from models import BuyingRule, Customer, Offer, Platform, Product, RuleEffect, Site, Store, Variant, Vendor
from services import clock
from services.buyback import offers
from services.people import customers, passwords, sites
from services.stock import argus, catalogue, items
from services.unit import db, unit_of_work
from services.workflow import Actor

MARC = Actor("staff", 1, "Marc Diallo")
LEA = Actor("staff", 2, "Léa Martin")
COMMAND = Actor("command", None, "test")
PASSWORD = "trois mots simples"
HASH = "pbkdf2:sha256:1$salt$d9a1a1c9e4b6c7f3"
_numbers = count(1)


def the_site() -> Site:
    return db.session.scalars(db.select(Site).where(Site.is_default)).one()


def the_vendor() -> Vendor:
    return db.session.scalars(db.select(Vendor).order_by(Vendor.id)).first()


def the_store() -> Store:
    return db.session.scalars(db.select(Store).order_by(Store.id)).first()


def ean(number: int) -> str:
    body = f"376015{number:06d}"
    return body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)


def a_game(title: str = "Astro Renard", platform: str = "Megadrive", argus_cents: int | None = 2000, code: str = "") -> Variant:
    with unit_of_work() as session:
        console = session.scalar(db.select(Platform).where(Platform.name == platform)) or Platform(name=platform, weight_grams=150)
        product = Product(title=title, platform=console, category="", created_at=clock.now())
        session.add(product)
        session.flush()
        variant = catalogue.add_reference(product, code or ean(next(_numbers)))
        if argus_cents is not None:
            argus.change(variant, argus_cents, by=COMMAND)
        id = variant.id
    return db.session.get(Variant, id)


def a_rule(**columns) -> BuyingRule:
    with unit_of_work() as session:
        defaults = {
            "vendor_id": the_vendor().id,
            "name": "règle",
            "rank": 10,
            "effect": RuleEffect.percentage,
            "active": True,
            "category": "",
            "ean": "",
        }
        rule = BuyingRule(**{**defaults, **columns})
        session.add(rule)
        session.flush()
        id = rule.id
    return db.session.get(BuyingRule, id)


def a_customer(email: str = "", **columns) -> Customer:
    """A customer whose password is never asked: no hashing."""
    with unit_of_work() as session:
        defaults = {"first_name": "Camille", "last_name": "Aubry", "address": "12 rue des Tanneurs", "postcode": "44000", "city": "Nantes",
                    "phone": "+33612345678"}  # fmt: skip
        customer = Customer(email=email or f"camille{next(_numbers)}@exemple.fr", password_hash=HASH, created_at=clock.now(), session_epoch=0,
                            **{**defaults, **columns})  # fmt: skip
        session.add(customer)
        session.flush()
        id = customer.id
    return db.session.get(Customer, id)


def a_customer_with_password(email: str = "camille@exemple.fr") -> Customer:
    with unit_of_work():
        customer = customers.open_account(the_site(), email=email, password_hash=passwords.hashed(PASSWORD), first_name="Camille", last_name="Aubry",
                                          address="12 rue des Tanneurs", postcode="44000", city="Nantes", phone="06 12 34 56 78")  # fmt: skip
        id = customer.id
    return db.session.get(Customer, id)


def a_cart(*games: Variant, customer: Customer | None = None, site: Site | None = None) -> Offer:
    with unit_of_work() as session:
        cart = offers.open_cart(session.merge(site) if site else the_site(), session.merge(customer) if customer else None)
        for game in games:
            offers.add(cart, game.ean)
        id = cart.id
    return db.session.get(Offer, id)


def an_offer(*games: Variant, customer: Customer | None = None, site: Site | None = None) -> Offer:
    """A proposal sent and waiting to be checked (of two games over the threshold, unless told otherwise)."""
    games = games or (a_game("Vallée des Brumes", "Switch", 3000), a_game("Île aux Lampions", "Switch", 4000))
    customer = customer or a_customer()
    id = a_cart(*games, customer=customer, site=site).id
    with unit_of_work() as session:
        offer = session.get_one(Offer, id)
        offers.finalise(offer, offer.customer, by=customers.actor(offer.customer))
    return db.session.get(Offer, id)


def an_accepted_offer(*games: Variant, **kwargs) -> Offer:
    id = an_offer(*games, **kwargs).id
    with unit_of_work() as session:
        offers.accept(session.get_one(Offer, id), by=MARC)
    return db.session.get(Offer, id)


def a_second_chance(**kwargs) -> Offer:
    id = an_offer(**kwargs).id
    with unit_of_work() as session:
        offer = session.get_one(Offer, id)
        offers.counter(offer, {line.id: line.price_cents - 100 for line in offer.lines}, "Boîtes abîmées.", by=MARC)
    return db.session.get(Offer, id)


def an_item(variant: Variant, cost_cents: int = 500, store: Store | None = None):
    with unit_of_work() as session:
        item = items.enter(session.merge(variant), session.merge(store) if store else the_store(), cost_cents=cost_cents, by=COMMAND)
        id = item.id
    from models import Item

    return db.session.get(Item, id)


def another_vendor(name: str = "PixelCave", host: str = "pixelcave.localhost") -> tuple[Vendor, Site, Store]:
    """A second merchant with its site, store and rule."""
    with unit_of_work() as session:
        vendor = Vendor(name=name, created_at=clock.now())
        session.add(vendor)
        session.flush()
        store = Store(vendor=vendor, name=f"{name} Rennes")
        session.add(store)
        site = sites.open_site(vendor, name, by=COMMAND, hosts=(host,))
        session.add(
            BuyingRule(vendor_id=vendor.id, name="50 %", rank=10, effect=RuleEffect.percentage, rate_bp=5000, active=True, category="", ean="")
        )
        session.flush()
        ids = vendor.id, site.id, store.id
    return db.session.get(Vendor, ids[0]), db.session.get(Site, ids[1]), db.session.get(Store, ids[2])
