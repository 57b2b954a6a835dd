"""What exists: games with their argus."""

from datetime import datetime, timedelta

from demo.cast import TELLER
from models import (
    BuyingRule,
    Platform,
    Product,
    RuleEffect,
    Variant,
    Vendor,
)  # fmt: skip
from services import clock
from services.catalogue import argus, products
from services.unit import db, unit_of_work

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


def fill_the_catalogue(at: datetime) -> None:
    """The games, their argus, and the rules that say more than « 40 % »."""
    with clock.at(at), unit_of_work() as session:
        platforms: dict[str, Platform] = {}
        for number, (title, platform, value) in enumerate(GAMES):
            if platform not in platforms:
                platforms[platform] = Platform(name=platform, weight_grams=150)
                session.add(platforms[platform])
            product = Product(
                title=title,
                platform=platforms[platform],
                category="Jeux vidéo",
                created_at=clock.now(),
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
