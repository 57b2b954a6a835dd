"""Offers, at each step until the reception is ended."""

from models import Customer, Offer, OfferLine, Parcel, Site, Variant
from services import outbox
from services.buyback import offers, parcels, reception
from services.people import customers
from services.unit import db, unit_of_work
from tests.factories.catalogue import a_game
from tests.factories.house import MARC, _numbers, the_site, the_store, the_vendor
from tests.factories.people import a_customer


def a_cart(*games: Variant, customer: Customer | None = None, site: Site | None = None) -> Offer:
    with unit_of_work() as session:
        cart = offers.open_cart(
            session.merge(site) if site else the_site(),
            session.merge(customer) if customer else None,
        )
        for game in games:
            offers.add(cart, game.ean)
        id = cart.id
    return db.session.get(Offer, id)


def an_offer(*games: Variant, customer: Customer | None = None, site: Site | None = None) -> Offer:
    """A proposal sent and waiting to be checked (of two games over the threshold, unless told
    otherwise).
    """
    games = games or (
        a_game("Vallée des Brumes", "Switch", 3000),
        a_game("Île aux Lampions", "Switch", 4000),
    )
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
        offers.counter(
            offer,
            {line.id: line.price_cents - 100 for line in offer.lines},
            "Boîtes abîmées.",
            by=MARC,
        )
    return db.session.get(Offer, id)


GRADES = {"article": "very_good", "box": "good", "manual": "very_good"}


def a_register() -> None:
    """The vendor keeps a « livre de police »."""
    with unit_of_work():
        the_vendor().police_register = True


def an_open_parcel(*games: Variant, **kwargs) -> Offer:
    """An accepted offer whose parcel is open on the bench."""
    id = an_accepted_offer(*games, **kwargs).id
    with unit_of_work() as session:
        reception.open_parcel(session.get_one(Offer, id), by=MARC)
    return db.session.get(Offer, id)


def sent(line: OfferLine, **grades) -> None:
    """« Envoyer », in a unit of its own."""
    id = line.id
    with unit_of_work() as session:
        reception.send(
            session.get_one(OfferLine, id), {**GRADES, **grades}, "", the_store(), by=MARC
        )


def countered(line: OfferLine, cents: int = 500, motive: str = "Boîte fendue.") -> None:
    id = line.id
    with unit_of_work() as session:
        line = session.get_one(OfferLine, id)
        reception.photograph(line, f"photo-{next(_numbers)}.jpg", by=MARC)
        reception.counter(line, GRADES, "", cents, motive, by=MARC)


def refused(line: OfferLine, motive: str = "Disque rayé.") -> None:
    id = line.id
    with unit_of_work() as session:
        reception.refuse(session.get_one(OfferLine, id), {}, "", motive, by=MARC)


def ended(offer: Offer) -> Offer:
    id = offer.id
    with unit_of_work() as session:
        offer = session.get_one(Offer, id)
        reception.end(offer, by=MARC)
        reception.tell(offer, by=MARC)
    return db.session.get(Offer, id)


def a_received_offer(*games: Variant, **kwargs) -> Offer:
    """Every article accepted, the reception ended."""
    offer = an_open_parcel(*games, **kwargs)
    for line in offers.active_lines(offer):
        sent(line)
    return ended(offer)


def a_parcel(status: str = "", **kwargs) -> Parcel:
    """A parcel of an accepted offer, where the carrier said it is."""
    id = an_accepted_offer(**kwargs).id
    outbox.work()
    with unit_of_work() as session:
        parcel = parcels.live_parcel(session.get_one(Offer, id))
        if status:
            parcels.say(
                parcel,
                {
                    "in_transit": "drop",
                    "at_relay": "arrive",
                    "delivered": "deliver",
                    "incident": "trouble",
                }[status],
                by=MARC,
            )
        id = parcel.id
    return db.session.get(Parcel, id)
