"""The sheets of contracts with carriers."""

import re

from tests import factories


def test_each_contract_of_a_vendor_is_tested_by_its_own_button(as_staff, carrier):
    factories.a_contract(name="Premier")
    second = factories.a_contract(name="Second", prefers_relay=False)
    client = as_staff("Administrateur")
    sheet = client.get(f"/gestion/parametrages/transporteurs/show/{second.id}").text
    (address,) = re.findall(r'action="([^"]+/tester)"', sheet)
    assert address.endswith(f"/{second.id}/tester")
    client.post(address)
    assert (
        "Connexion testée"
        in client.get(f"/gestion/parametrages/transporteurs/show/{second.id}").text
    )
