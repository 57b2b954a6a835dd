"""The people who act, and the site, the vendor, the store and the keys of tests."""

from datetime import timedelta
from itertools import count

from models import BuyingRule, MachineKey, Message, RuleEffect, Site, Store, Vendor
from services import clock, outbox
from services.people import machine_keys, sites
from services.unit import db, unit_of_work
from services.workflow import Actor

MARC = Actor("staff", 1, "Marc Diallo")
LEA = Actor("staff", 2, "Léa Martin")
HUGO = Actor("customer", 1, "Hugo Petit")
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


def another_vendor(
    name: str = "PixelCave", host: str = "pixelcave.localhost"
) -> tuple[Vendor, Site, Store]:
    """A second merchant with its site, store and rule."""
    with unit_of_work() as session:
        vendor = Vendor(name=name, created_at=clock.now())
        session.add(vendor)
        session.flush()
        store = Store(vendor=vendor, name=f"{name} Rennes")
        session.add(store)
        site = sites.open_site(vendor, name, by=COMMAND, hosts=(host,))
        session.add(
            BuyingRule(
                vendor_id=vendor.id,
                name="50 %",
                rank=10,
                effect=RuleEffect.percentage,
                rate_bp=5000,
                active=True,
                category="",
                ean="",
            )
        )
        session.flush()
        ids = vendor.id, site.id, store.id
    return (
        db.session.get(Vendor, ids[0]),
        db.session.get(Site, ids[1]),
        db.session.get(Store, ids[2]),
    )


def a_store(
    name: str = "Nantes Decré",
    code: str = "N2",
    vendor: Vendor | None = None,
    postcode: str = "44000",
) -> Store:
    with unit_of_work() as session:
        store = Store(
            vendor_id=(vendor or the_vendor()).id, name=name, code=code, postcode=postcode, city=""
        )
        session.add(store)
        session.flush()
        id = store.id
    return db.session.get(Store, id)


def a_key(
    scopes: str = "till",
    store: Store | None = None,
    vendor: Vendor | None = None,
    name: str = "Caisse 1",
    **how,
) -> tuple[MachineKey, str]:
    """A key and its secret; a till's stands in the store."""
    store = store or (the_store() if "till" in scopes and vendor is None else None)
    with unit_of_work() as session:
        key, secret = machine_keys.make(
            session.merge(vendor or the_vendor()),
            name,
            scopes.split(),
            by=MARC,
            store=session.merge(store) if store else None,
            **how,
        )
        session.flush()
        id = key.id
    return db.session.get(MachineKey, id), secret


def a_moment_later(seconds: int = 11) -> None:
    """The seconds in which a decision could be undone are over: what waited leaves."""
    with clock.at(clock.now() + timedelta(seconds=seconds)):
        while outbox.work():
            pass


def letters(event: str) -> list[Message]:
    """The mails that were written about something, oldest first."""
    rows = db.select(Message).where(Message.event == event).order_by(Message.id)
    return list(db.session.scalars(rows))
