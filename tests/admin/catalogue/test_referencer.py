"""The référencier taken out by people and by machines."""

from services import settings
from services.unit import unit_of_work
from tests import factories


def test_a_vendor_gets_the_suppliers_prices_only_when_they_are_shared(as_staff, client):
    shoe = factories.a_shoe()
    with unit_of_work() as session:
        session.merge(shoe).buy_cents = 4321
    _key, secret = factories.a_key("catalogue")
    boss, shop = as_staff("Administrateur"), as_staff("Vendeur", factories.the_vendor())

    def seen():
        machine = client.get("/api/v1/catalogue.csv", headers={"Authorization": f"Bearer {secret}"})
        answers = [one.get("/gestion/referencier/referencier.csv") for one in (boss, shop)]
        return ["43,21" in answer.get_data(as_text=True) for answer in (*answers, machine)]

    assert seen() == [True, False, False]
    with unit_of_work():
        settings.change("share_buying_prices", "yes", by=factories.LEA)
    assert seen() == [True, True, True]
