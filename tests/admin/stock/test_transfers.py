"""Transfers between stores."""

import pytest

from models import (
    Membership,
    StockTransfer,
)
from services.stock import inventories
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC, a_shoe, quantity, stocked


@pytest.fixture
def clerk(app, as_staff):
    """A client of somebody tied to the first store, who may do all its stock."""
    client = as_staff("Opérateur reprise", factories.the_vendor())
    store_id = factories.the_store().id
    with unit_of_work() as session:
        session.scalars(
            db.select(Membership).where(Membership.user_id == client.user_id)
        ).one().store_id = store_id
    return client


def test_each_does_his_end_of_a_transfer(clerk):
    shoe, there = a_shoe(), factories.a_store()
    stocked(shoe, 3)
    opened = clerk.post(
        "/gestion/transferts/preparer/", data={"here": factories.the_store().id, "there": there.id}
    )
    assert opened.status_code == 302
    assert "Nantes Decré" in clerk.get(opened.location).text
    id = db.session.scalars(db.select(StockTransfer.id)).one()
    address = f"/gestion/transferts/preparer/{id}"
    assert (
        clerk.post(f"{address}/article", data={"ean": shoe.ean, "quantity": "2"}).status_code == 302
    )
    assert clerk.post(f"{address}/send").status_code == 302
    assert quantity(shoe) == 1
    refused = clerk.post(f"{address}/arrive")
    assert refused.status_code == 422
    assert "autre magasin" in refused.text
    assert quantity(shoe, there) == 0
    with unit_of_work() as session:
        inventories.arrive(session.get_one(StockTransfer, id), by=MARC)
    assert quantity(shoe, there) == 2


def test_the_list_of_transfers_names_the_end_that_is_not_his(clerk):
    there = factories.a_store()
    clerk.post(
        "/gestion/transferts/preparer/", data={"here": factories.the_store().id, "there": there.id}
    )
    for address in ("/gestion/transferts/list/", "/gestion/transferts/export/csv"):
        page = clerk.get(address).text
        assert there.name in page
        assert factories.the_store().name in page
        assert "None" not in page


def test_what_is_missing_on_arrival_is_said_by_the_store_it_was_for(clerk):
    shoe, there = a_shoe(), factories.a_store()
    stocked(shoe, 3, there)
    with unit_of_work() as session:
        transfer = inventories.open_transfer(session.merge(there), factories.the_store(), by=MARC)
        session.flush()
        inventories.put_in(transfer, shoe.ean, 3, by=MARC)
        inventories.send(transfer, by=MARC)
        id, line_id = transfer.id, transfer.lines[0].id
    db.session.expunge_all()
    address = f"/gestion/transferts/preparer/{id}"
    assert "Nantes Decré" in clerk.get(address).text
    assert clerk.post(f"{address}/send").status_code == 422
    assert clerk.post(f"{address}/arrive", data={f"arrived-{line_id}": "2"}).status_code == 302
    assert db.session.scalar(db.select(StockTransfer.status)) == "arrived"


@pytest.fixture
def seller(as_staff):
    """Somebody of the vendor."""
    return as_staff("Vendeur", factories.the_vendor())


# ── transfers ──


def test_a_barcode_scanned_twice_travels_twice_and_more_than_was_sent_never_arrives(seller):
    shoe, there = a_shoe(), factories.a_store()
    stocked(shoe, 5)
    seller.post(
        "/gestion/transferts/preparer/", data={"here": factories.the_store().id, "there": there.id}
    )
    transfer = db.session.scalars(db.select(StockTransfer)).one()
    address = f"/gestion/transferts/preparer/{transfer.id}"
    for _scan in range(3):
        seller.post(f"{address}/article", data={"ean": shoe.ean, "quantity": ""})
    db.session.expire_all()
    (line,) = transfer.lines
    assert line.quantity == 3
    seller.post(f"{address}/send")
    refused = seller.post(f"{address}/arrive", data={f"arrived-{line.id}": "99"})
    assert refused.status_code == 422
    assert "Au plus 3" in refused.text.replace("\u00a0", " ")
    seller.post(f"{address}/arrive", data={f"arrived-{line.id}": "1"})
    assert quantity(shoe, there) == 1
    assert "manquants\u00a0: 2" in seller.get(address).text
