"""What buyers find in the shop: second-hand units of two vendors beside the shoes of a third."""

import random
from datetime import datetime, timedelta

from demo.cast import TELLER
from models import Condition, Item, ItemState, Site, SiteKind, Store, Variant
from services import clock
from services.stock import items, listings
from services.unit import db, unit_of_work


def fill_the_shelves(today: datetime) -> None:
    """« Chez Manette » opens its shop; RétroShop puts two units in three on sale, PixelCave a few
    of the same games, a little cheaper.
    """
    dice = random.Random(15)  # of its own: the rest of the demonstration stays what it was
    with clock.at(today - timedelta(days=3)), unit_of_work() as session:
        session.scalars(db.select(Site).where(Site.is_default)).one().kind = SiteKind.both
        bouffay = session.scalars(db.select(Store).where(Store.name == "Nantes Bouffay")).one()
        rennes = session.scalars(db.select(Store).where(Store.code == "R1")).one()
        units = session.scalars(
            db.select(Item)
            .where(Item.store_id == bouffay.id, Item.status == ItemState.in_stock)
            .order_by(Item.id)
        ).all()
        for unit in units:
            if dice.random() < 0.67 and unit.variant.argus_cents:
                listings.put_on_sale(unit, _asked(unit.variant, dice), by=TELLER)
        games = {unit.variant_id: unit.variant for unit in units}
        for variant in list(games.values())[::3]:
            if not variant.argus_cents:
                continue
            unit = items.enter(
                variant,
                rennes,
                cost_cents=variant.argus_cents // 3,
                by=TELLER,
                condition=dice.choice(list(Condition)),
            )
            listings.put_on_sale(unit, _asked(variant, dice), by=TELLER)


def _asked(variant: Variant, dice: random.Random) -> int:
    """A price as shops write them: « 19,90 € »."""
    value = (variant.argus_cents or 0) * dice.randint(90, 125) // 100
    return max(190, value // 100 * 100 + 90)
