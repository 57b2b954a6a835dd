"""What a dossier shows of lists its reader may not open."""

from models import Product
from services.catalogue import argus
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA


def test_what_a_game_was_worth_is_told_to_who_may_read_the_argus(as_staff):
    game = factories.a_game(argus_cents=5000)
    with unit_of_work() as session:
        argus.change(session.merge(game), 6200, by=LEA)
    product = db.session.get_one(Product, game.product_id)
    address = f"/gestion/produits/show/{product.id}"
    assert "62,00" in as_staff("Administrateur").get(address).text
    member = as_staff("Vendeur", factories.the_vendor()).get(address)
    assert member.status_code == 200
    assert "62,00" not in member.text
