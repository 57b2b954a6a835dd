"""Contracts with carriers."""

from models import CarrierContract, Vendor
from services.shipping import contracts
from services.unit import db, unit_of_work
from tests.factories.house import the_vendor


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
