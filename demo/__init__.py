"""A month in the life of a shop, told with the verbs everybody uses: no row is made another way.

The cast: RétroShop buys back on « Chez Manette », PixelCave is a second vendor with its own site.
Léa administers, Marc checks the offers and receives the parcels, Inès pays, Noé works for
PixelCave; Camille and eleven others sell: from the scan to the transfer, with what goes wrong on
the way. Beside them « Souliers du Port », four shoe shops with their référencier, their stock
files, their tills, and one pair sold twice; the shop shows what all three sell, and people
reserve there what they collect in its stores.
"""

import random
from datetime import timedelta

from flask_babel import gettext as _

from demo.buyback import a_month_of_offers, parcels_come, seal, sign_the_contracts
from demo.catalogue import fill_the_catalogue
from demo.orders import fill_the_shelves, people_reserve
from demo.payments import ines_pays
from demo.people import open_accounts, open_the_shop, people_come
from demo.stock import fill_the_stock, the_shoe_shops
from models import Customer, Offer
from services import clock, outbox
from services.buyback import offers
from services.unit import db, unit_of_work


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
    fill_the_shelves(today)
    people_reserve(today)
    for at in (today - timedelta(days=1), today):
        with clock.at(at):
            seal()
    for id in offers.late():  # second chances nobody answered in their time
        with unit_of_work() as session:
            offers.lapse(session.get_one(Offer, id))
    outbox.wait_from_now()
    return _("The demonstration is there: a shop, its month, its people.")
