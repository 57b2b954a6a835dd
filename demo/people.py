"""The shop opens; sellers open their accounts; people come and look."""

import random
from datetime import datetime, timedelta

from demo.cast import ACCOUNTS, PASSWORD, SELLERS, TELLER
from demo.stock import SHOE_SHOPS
from models import (
    BuyingRule,
    RuleEffect,
    Site,
    Store,
    Vendor,
)  # fmt: skip
from services import clock, settings, visits
from services.imports import tables
from services.people import customers, passwords, sites, staff
from services.unit import db, unit_of_work


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
        visits.asked_in_vain("3500190021887")
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
