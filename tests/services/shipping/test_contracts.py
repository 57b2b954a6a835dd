"""Contracts: which one a shipment goes by, what it lacks, how far it insures."""

import pytest
from sqlalchemy import select

from gateways import live
from models import CarrierContract
from services.shipping import contracts
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories


def preferred() -> list[str]:
    db.session.expire_all()
    rows = select(CarrierContract.name).where(CarrierContract.prefers_relay)
    return list(db.session.scalars(rows))


def prefer(contract: CarrierContract, **kinds) -> None:
    id = contract.id
    with unit_of_work() as session:
        row = session.get_one(CarrierContract, id)
        for column, value in kinds.items():
            setattr(row, column, value)
        contracts.prefer(row)


def test_of_several_contracts_the_preferred_one_is_used_and_only_one_is(app):
    first, second = factories.a_contract(name="Ancien"), factories.a_contract(name="Nouveau")
    vendor = first.vendor_id
    assert contracts.contract_of(vendor).name == "Ancien"
    prefer(second, prefers_relay=True)
    assert contracts.contract_of(vendor).name == "Nouveau"
    prefer(db.session.get(CarrierContract, first.id), prefers_relay=True)
    assert preferred() == ["Ancien"]
    assert contracts.contract_of(vendor).name == "Ancien"


def test_a_carrier_is_not_preferred_for_what_it_does_not_deliver(app):
    contract = factories.a_contract()
    with pytest.raises(Refused, match="à domicile"):
        prefer(contract, prefers_home=True)
    assert contracts.contract_of(contract.vendor_id, contracts.HOME) is None


def test_secrets_of_two_contracts_are_sealed_apart(app):
    first, second = factories.a_contract(), factories.a_contract(name="Second")
    with unit_of_work() as session:
        contracts.keep_secrets(session.get_one(CarrierContract, second.id), "AutreCle", "")
    ids = (first.id, second.id)
    keys = [contracts.account(db.session.get(CarrierContract, id)).key for id in ids]
    assert keys == ["TestAPI1key", "AutreCle"]


def test_without_its_carrier_a_contract_orders_nothing(app):
    contract = factories.a_contract()
    assert contracts.why_no_label(contract) is None
    del live.carriers["mondial_relay"]
    assert "COMPTOIR_MONDIAL_RELAY_URL" in contracts.why_no_label(contract)
    assert contracts.carriers_with_contracts() == []


def test_an_amount_takes_the_smallest_cover_that_is_enough(app):
    contract = factories.a_contract(insurance_levels=2)
    asked = [contracts.cover_for(contract, cents) for cents in (0, 5_000, 5_001, 99_999)]
    assert asked == [1, 1, 2, 2]
    assert contracts.cover_for(None, 5_000) == 0
    assert contracts.cover_words(contract, 2) == "Ass2 125 €"
    assert contracts.is_covered(contract, 0)
    assert not contracts.is_covered(contract, 3)


def test_a_preference_leaves_the_one_of_another_merchant(app):
    other, _site, _store = factories.another_vendor()
    theirs, ours = factories.a_contract(other), factories.a_contract()
    prefer(theirs, prefers_relay=True)
    prefer(ours, prefers_relay=True)
    db.session.expire_all()
    assert db.session.get(CarrierContract, theirs.id).prefers_relay
