"""Games, shoes and what is paid for them."""

from models import BuyingRule, Platform, Product, RuleEffect, Variant
from services import clock
from services.catalogue import argus, products
from services.unit import db, unit_of_work
from tests.factories.house import COMMAND, _numbers, the_vendor


def ean(number: int) -> str:
    body = f"376015{number:06d}"
    return body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)


def a_game(
    title: str = "Astro Renard",
    platform: str = "Megadrive",
    argus_cents: int | None = 2000,
    code: str = "",
) -> Variant:
    with unit_of_work() as session:
        console = session.scalar(db.select(Platform).where(Platform.name == platform)) or Platform(
            name=platform, weight_grams=150
        )
        product = Product(title=title, platform=console, category="", created_at=clock.now())
        session.add(product)
        session.flush()
        variant = products.add_reference(product, code or ean(next(_numbers)))
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


def a_shoe(
    title: str = "Derby Lormont",
    shoe_size: str = "42",
    color: str = "Noir",
    brand: str = "Lormont",
    price_cents: int | None = 8900,
    **columns,
) -> Variant:
    """A reference of a model; the same title and brand make sizes of one product."""
    with unit_of_work() as session:
        mark = products.brand_named(brand) if brand else None
        product = session.scalar(db.select(Product).where(Product.title == title)) or Product(
            title=title,
            brand=mark,
            category="Chaussures",
            family="Ville",
            created_at=clock.now(),
            **columns,
        )
        session.add(product)
        session.flush()
        variant = products.add_reference(product, ean(next(_numbers)))
        variant.shoe_size, variant.color = shoe_size, color
        products.set_price(variant, price_cents, by=COMMAND)
        id = variant.id
    return db.session.get(Variant, id)
