"""Second-hand units, and the shoe shops: catalogue, stock files, tills, sale offers."""

import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from demo.cast import TELLER, the_staff
from demo.catalogue import ean_of
from models import (
    BrandAgreement,
    Condition,
    MachineKey,
    ShippingRate,
    StockLevel,
    Store,
    TillEventKind,
    Variant,
    Vendor,
)  # fmt: skip
from services import clock, files
from services.catalogue import products, referencer
from services.imports import runs
from services.people import machine_keys
from services.stock import items, levels, tills
from services.unit import db, unit_of_work
from services.workflow import Actor


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
    return files.data_dir() / "demo-till-key"


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
