"""Sellers and their accounts."""

from models import Customer
from services import clock
from services.payments import bank_details
from services.people import customers, passwords
from services.unit import db, unit_of_work
from tests.factories.house import HASH, PASSWORD, _numbers, the_site


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


IBANS = ("FR7630006000011234567890189", "FR1420041010050500013M02606")
DOCUMENT = {
    "kind": "passport",
    "number": "12AB34567",
    "issued_by": "Préfecture 44",
    "issued_on": "2020-01-01",
    "birth_date": "1990-02-03",
    "first_names": "Camille Jeanne",
    "profession": "Libraire",
}


def an_iban(customer: Customer, iban: str = IBANS[1], holder: str = "Camille Aubry") -> None:
    with unit_of_work() as session:
        person = session.get_one(Customer, customer.id)
        bank_details.give(person, iban, holder, site=the_site())
