"""The dossiers of a product, a store, a vendor: what waits, what is linked, what happened."""

import pytest
from flask import url_for

from models import Product, Store, Vendor
from services.finance import dossiers
from services.stock import items
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC


def told(ways) -> dict[str, int | None]:
    return {str(way.words): way.count for way in ways}


def test_a_product_tells_its_stock_its_sales_and_what_moved_it(app):
    game = factories.a_game("Astro Renard", argus_cents=5000)
    sold, kept = factories.an_item(game), factories.an_item(game)
    other = factories.an_item(factories.a_game("Nitro"))
    factories.an_offer(game)
    with unit_of_work() as session:
        items.sell(session.merge(sold), 1500, by=MARC)
    found = dossiers.of_product(db.session.get_one(Product, game.product_id))
    assert told(found.linked)["Occasion, en stock"] == 1
    assert told(found.linked)["Unités vendues"] == 1
    assert told(found.linked)["Exemplaires proposés par des vendeurs"] == 1
    assert told(found.todo)["Des occasions en stock, aucune en vente"] == 1
    (sale,) = [fact for fact in found.timeline if fact.words.startswith("Vente")]
    assert "15,00" in sale.words
    assert {fact.kind for fact in found.timeline} >= {"movement", "argus_value"}
    assert kept.variant_id != other.variant_id


def test_a_store_tells_its_stock_and_not_that_of_its_neighbour(app):
    here, there = factories.the_store(), factories.a_store()
    factories.an_item(factories.a_game())
    assert told(dossiers.of_store(here).linked)["Occasion, en stock"] == 1
    assert "Occasion, en stock" not in told(
        dossiers.of_store(db.session.get_one(Store, there.id)).linked
    )


def test_a_vendor_tells_what_waits_and_what_is_missing(app):
    factories.an_offer()
    found = dossiers.of_vendor(db.session.get_one(Vendor, factories.the_vendor().id))
    assert told(found.todo)["Offres à contrôler"] == 1
    assert "Aucun compte ne paie encore ses vendeurs." in told(found.todo)
    factories.a_paying_account()
    found = dossiers.of_vendor(db.session.get_one(Vendor, factories.the_vendor().id))
    assert "Aucun compte ne paie encore ses vendeurs." not in told(found.todo)


@pytest.mark.parametrize("noun", ["product", "store", "vendor"])
def test_each_way_leads_to_a_page_that_opens(as_staff, noun):
    boss = as_staff("Administrateur")
    game = factories.a_game("Astro Renard", argus_cents=5000)
    factories.an_item(game), factories.an_offer(game)
    dossier = {
        "product": lambda: dossiers.of_product(db.session.get_one(Product, game.product_id)),
        "store": lambda: dossiers.of_store(factories.the_store()),
        "vendor": lambda: dossiers.of_vendor(factories.the_vendor()),
    }[noun]()
    ways = [way for way in [*dossier.todo, *dossier.linked] if way.endpoint]
    assert ways
    for way in ways:
        with boss.application.test_request_context():
            address = url_for(way.endpoint, **way.asked)
        assert boss.get(address).status_code == 200, way
