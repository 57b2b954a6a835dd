"""Plain functions with sensible defaults, so that a test shows only what matters to it. Only legal
states, by the verbs.
"""

from datetime import timedelta
from itertools import count

from models import (
    BuyingRule,
    CarrierContract,
    Condition,
    Customer,
    MachineKey,
    Offer,
    OfferLine,
    Parcel,
    PayingAccount,
    Platform,
    Product,
    Reservation,
    RuleEffect,
    SellerPayment,
    Site,
    StockLevel,
    Store,
    TillEventKind,
    TransferBatch,
    Variant,
    Vendor,
)  # fmt: skip
from services import clock, outbox
from services.buyback import offers, parcels, reception
from services.catalogue import argus, products
from services.imports import runs
from services.payments import bank_details, transfers
from services.people import customers, machine_keys, passwords, sites
from services.shipping import contracts
from services.stock import items, levels, tills
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


def a_customer(email: str = "", **columns) -> Customer:
    """A customer whose password is never asked: no hashing."""
    with unit_of_work() as session:
        defaults = {
            "first_name": "Camille",
            "last_name": "Aubry",
            "address": "12 rue des Tanneurs",
            "postcode": "44000",
            "city": "Nantes",
            "phone": "+33612345678",
        }
        customer = Customer(
            email=email or f"camille{next(_numbers)}@exemple.fr",
            password_hash=HASH,
            created_at=clock.now(),
            session_epoch=0,
            **{**defaults, **columns},
        )
        session.add(customer)
        session.flush()
        id = customer.id
    return db.session.get(Customer, id)


def a_customer_with_password(email: str = "camille@exemple.fr") -> Customer:
    with unit_of_work():
        customer = customers.open_account(
            the_site(),
            email=email,
            password_hash=passwords.hashed(PASSWORD),
            first_name="Camille",
            last_name="Aubry",
            address="12 rue des Tanneurs",
            postcode="44000",
            city="Nantes",
            phone="06 12 34 56 78",
        )
        id = customer.id
    return db.session.get(Customer, id)


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


def an_item(variant: Variant, cost_cents: int = 500, store: Store | None = None):
    with unit_of_work() as session:
        place = session.merge(store) if store else the_store()
        item = items.enter(
            session.merge(variant),
            place,
            cost_cents=cost_cents,
            by=COMMAND,
            condition=Condition.good_unit,
        )
        id = item.id
    from models import Item

    return db.session.get(Item, id)


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


# ── the second half ──

IBANS = ("FR7630006000011234567890189", "FR1420041010050500013M02606")
GRADES = {"article": "very_good", "box": "good", "manual": "very_good"}
DOCUMENT = {
    "kind": "passport",
    "number": "12AB34567",
    "issued_by": "Préfecture 44",
    "issued_on": "2020-01-01",
    "birth_date": "1990-02-03",
    "first_names": "Camille Jeanne",
    "profession": "Libraire",
}


def a_contract(vendor: Vendor | None = None, **columns) -> CarrierContract:
    """A Mondial Relay contract, with the public test account."""
    with unit_of_work() as session:
        defaults = {
            "account": "BDTEST13",
            "brand": "11",
            "relay_number": "044001",
            "recipient": "RétroShop",
            "street": "3 allée du Port",
            "postcode": "44000",
            "city": "Nantes",
            "phone": "+33240123456",
            "login": "BDTEST13@business-api.mondialrelay.com",
        }
        contract = CarrierContract(vendor_id=(vendor or the_vendor()).id, **{**defaults, **columns})
        session.add(contract)
        session.flush()
        contracts.keep_secrets(contract, "TestAPI1key", "essai-api2")
        id = contract.id
    return db.session.get(CarrierContract, id)


def a_register() -> None:
    """The vendor keeps a « livre de police »."""
    with unit_of_work():
        the_vendor().police_register = True


def a_paying_account(vendor: Vendor | None = None) -> None:
    with unit_of_work() as session:
        account = PayingAccount(vendor_id=(vendor or the_vendor()).id, holder="RétroShop SARL")
        session.add(account)
        session.flush()
        bank_details.keep_paying_account(account, IBANS[0])


def an_iban(customer: Customer, iban: str = IBANS[1], holder: str = "Camille Aubry") -> None:
    with unit_of_work() as session:
        person = session.get_one(Customer, customer.id)
        bank_details.give(person, iban, holder, site=the_site())


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


def a_payment(customer: Customer | None = None, iban: str = IBANS[1]) -> SellerPayment:
    """A sale whose payment is to pay."""
    customer = customer or a_customer()
    if bank_details.of(customer.id) is None:
        an_iban(customer, iban)
    id = a_received_offer(customer=customer).payment.id
    return db.session.get(SellerPayment, id)


def a_batch(count: int = 2) -> TransferBatch:
    """A transfer file, made and checked."""
    id = a_batch_to_make(count)
    outbox.work_now(f"transfer_file:{id}")
    db.session.expire_all()
    return db.session.get(TransferBatch, id)


def a_batch_to_make(count: int = 2) -> int:
    """A transfer file that was asked for, and that a worker will make; returns its number."""
    if db.session.get(PayingAccount, the_vendor().id) is None:
        a_paying_account()
    for _n in range(count):
        a_payment()
    with unit_of_work():
        seen = transfers.totals(the_vendor().id)
        return transfers.validate(the_vendor(), "PAIEMENT", seen, by=LEA).id


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


# ── catalogue, stock and tills ──


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


def stocked(variant: Variant, quantity: int, store: Store | None = None) -> StockLevel:
    """So many new units in a store, by the hand of somebody."""
    with unit_of_work() as session:
        level = levels.of(session.merge(store or the_store()), session.merge(variant))
        levels.adjust(level, quantity, by=MARC)
        id = level.id
    return db.session.get(StockLevel, id)


def a_reservation(
    level: StockLevel, quantity: int = 1, holder: str = "panier 1", promised: bool = False
) -> Reservation:
    with unit_of_work() as session:
        row = levels.reserve(
            session.get_one(StockLevel, level.id),
            quantity,
            holder,
            clock.now() + timedelta(minutes=30),
            by=HUGO,
        )
        if promised:
            levels.promise(row, by=HUGO)
        id = row.id
    return db.session.get(Reservation, id)


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


def told(
    key: MachineKey,
    number: int,
    kind: str,
    variant: Variant | str,
    quantity: int = 1,
    at=None,
    price_cents: int | None = 1000,
    **how,
) -> dict:
    """A till tells an event; what it is answered."""
    code = variant if isinstance(variant, str) else variant.ean
    event = tills.Told(
        number,
        TillEventKind(kind),
        code,
        quantity,
        at or clock.now(),
        price_cents if kind != "count" else None,
        **how,
    )
    with unit_of_work() as session:
        taken = tills.take(session.get_one(MachineKey, key.id), event)
    return {**taken.answer, "again": taken.again}


def a_file(folder, text: str, name: str = "stock.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def given(path, kind: str = "stock", **how):
    """A file given and loaded; its run."""
    if kind == "stock" and "store" not in how and "vendor" not in how:
        how["store"] = the_store()
    if kind in ("listings", "offers", "prices") and "vendor" not in how:
        how["vendor"] = the_vendor()
    run = runs.import_file(path, kind, by=LEA, **how)
    db.session.expire_all()
    return run


def a_feed(folder, counts: dict, store: Store | None = None, **how):
    """A stock file of EANs and quantities, loaded."""
    rows = "".join(f"{v if isinstance(v, str) else v.ean};{q}\n" for v, q in counts.items())
    return given(a_file(folder, "ean;quantite\n" + rows), store=store or the_store(), **how)


def quantity(variant: Variant, store: Store | None = None) -> int:
    db.session.rollback()
    found = db.session.scalar(
        db.select(StockLevel.quantity).where(
            StockLevel.store_id == (store or the_store()).id, StockLevel.variant_id == variant.id
        )
    )
    return found or 0
