"""« Essayer avec des données d'exemple »: on an installation nobody used yet, some games with what
they are worth, three people, and their offers to check; made by the verbs everybody uses.

It is a first look, not the demonstration (`flask --app app demo`), which tells two months of
several shops.
"""

import secrets

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import select

from models import Customer, Offer, Platform, Product, Site
from services import clock
from services.buyback import offers
from services.catalogue import argus, products
from services.installation import onboarding
from services.people import customers, passwords, sites
from services.unit import db
from services.workflow import Actor, Refused

# Invented games: title, platform, argus in cents, barcode (of the block kept for examples).
GAMES = (
    ("Astro Renard (exemple)", "Megadrive", 4000, "3760151990007"),
    ("Nitro Corniche (exemple)", "PlayStation 2", 1000, "3760151990014"),
    ("Super Potager (exemple)", "Nintendo DS", 1250, "3760151990021"),
    ("Vallée des Brumes (exemple)", "Nintendo Switch", 3600, "3760151990038"),
    ("Île aux Lampions (exemple)", "Nintendo Switch", 4800, "3760151990045"),
    ("Opéra Mécanique (exemple)", "PlayStation 5", 4500, "3760151990052"),
)
# First name, last name, town, postcode, telephone, and which games they offer.
PEOPLE = (
    ("Camille", "Exemple", "Nantes", "44000", "0612345678", (0, 3, 4)),
    ("Hugo", "Exemple", "Lyon", "69003", "0623456789", (1, 4)),
    ("Aminata", "Exemple", "Lille", "59000", "0634567890", (5, 2)),
)


def why_not() -> str | None:
    """None when examples may be added, else why not: they stay in the books, so never among real
    sales.
    """
    if current_app.extensions["comptoir"].is_production:
        return _("Examples are for a trial: in production they would stay among your sales.")
    if not onboarding.nothing_yet() or db.session.scalar(select(Product.id).limit(1)):
        return _("This installation is used already: examples would mix with what is real.")
    return None


def password_nobody_knows() -> str:
    """The mark of a password for the example people, who never sign in. Slow: outside a unit."""
    return passwords.hashed(secrets.token_urlsafe(32))


def fill(password_hash: str, *, by: Actor) -> int:
    """Add the examples; returns how many offers wait. Raises Refused where `why_not` says so."""
    if reason := why_not():
        raise Refused(reason)
    site = db.session.get_one(Site, sites.default_id())
    eans = [_game(*game, by=by) for game in GAMES]
    for number, (first, last, city, postcode, phone, wanted) in enumerate(PEOPLE, 1):
        seller = customers.open_account(
            site,
            email=f"exemple{number}@example.org",
            password_hash=password_hash,
            first_name=first,
            last_name=last,
            address=f"{number} rue de l’Exemple",
            address_more="",
            postcode=postcode,
            city=city,
            phone=phone,
        )
        db.session.flush()
        _offer(site, seller, [eans[game] for game in wanted])
    return len(PEOPLE)


def _game(title: str, platform: str, value_cents: int, ean: str, *, by: Actor) -> str:
    console = db.session.scalar(select(Platform).where(Platform.name == platform))
    product = Product(
        title=title,
        platform=console or Platform(name=platform, weight_grams=150),
        category="",
        created_at=clock.now(),
    )
    db.session.add(product)
    db.session.flush()
    argus.change(products.add_reference(product, ean), value_cents, by=by)
    return ean


def _offer(site: Site, seller: Customer, eans: list[str]) -> Offer:
    cart = offers.open_cart(site, seller)
    for ean in eans:
        offers.add(cart, ean)
    offers.finalise(cart, seller, by=customers.actor(seller))
    return cart
