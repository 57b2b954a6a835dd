"""Somebody who works in one store gives that store's stock, and does his end of a transfer; the
rest of the vendor is not his.
"""

import io

import pytest

from models import ImportRun, Membership, StockTransfer
from services.stock import inventories
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import MARC, a_key, a_shoe, quantity, stocked


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


def given(clerk, **data):
    return clerk.post(
        "/gestion/imports/fichier/",
        data={"file": (io.BytesIO(b"ean;quantite;magasin\n"), "x.csv"), **data},
    )


def test_a_clerk_gives_the_stock_of_his_store_only(clerk):
    assert given(clerk, kind="stock", mode="full").status_code == 302
    run = db.session.scalars(db.select(ImportRun)).one()
    assert run.store_id == factories.the_store().id
    refused = given(clerk, kind="prices")
    assert refused.status_code == 422 and "travaillez dans un magasin" in refused.text


def test_a_key_of_a_store_gives_no_prices(client):
    _key, secret = a_key("imports", store=factories.the_store())
    data = {"kind": "prices", "file": (io.BytesIO(b"offer-sku;price\n"), "x.csv")}
    answer = client.post(
        "/api/v1/imports", data=data, headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 422 and answer.json["errors"][0]["code"] == "store"


def test_a_file_told_again_under_its_key_gets_the_first_answer(client):
    _key, secret = a_key("imports", store=factories.the_store())

    def tell(words: bytes):
        data = {"kind": "stock", "mode": "delta", "file": (io.BytesIO(words), "x.csv")}
        return client.post(
            "/api/v1/imports",
            data=data,
            headers={"Authorization": f"Bearer {secret}", "Idempotency-Key": "1"},
        )

    first = tell(b"ean;quantite\n")
    assert first.status_code == 202 and tell(b"ean;quantite\n").json == first.json
    assert tell(b"ean;quantite;x\n").status_code == 422


def test_each_does_his_end_of_a_transfer(clerk):
    shoe, there = a_shoe(), factories.a_store()
    stocked(shoe, 3)
    opened = clerk.post(
        "/gestion/transferts/preparer/", data={"here": factories.the_store().id, "there": there.id}
    )
    assert opened.status_code == 302 and "Nantes Decré" in clerk.get(opened.location).text
    id = db.session.scalars(db.select(StockTransfer.id)).one()
    address = f"/gestion/transferts/preparer/{id}"
    assert (
        clerk.post(f"{address}/article", data={"ean": shoe.ean, "quantity": "2"}).status_code == 302
    )
    assert clerk.post(f"{address}/send").status_code == 302 and quantity(shoe) == 1
    refused = clerk.post(f"{address}/arrive")
    assert (
        refused.status_code == 422
        and "autre magasin" in refused.text
        and quantity(shoe, there) == 0
    )
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
        assert there.name in page and factories.the_store().name in page and "None" not in page


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
    assert (
        "Nantes Decré" in clerk.get(address).text
        and clerk.post(f"{address}/send").status_code == 422
    )
    assert clerk.post(f"{address}/arrive", data={f"arrived-{line_id}": "2"}).status_code == 302
    assert db.session.scalar(db.select(StockTransfer.status)) == "arrived"


@pytest.mark.parametrize(
    "address", ["stock-a-une-date/?le=9999-12-31", "referencier/referencier.csv?depuis=0001-01-01"]
)
def test_a_day_beyond_the_calendar_is_no_date(app, as_staff, address):
    assert as_staff("Administrateur").get(f"/gestion/{address}").status_code < 500


def test_what_must_be_ordered_again_stays_chosen_on_the_next_page(app, as_staff):
    page = as_staff("Administrateur").get("/gestion/stock-neuf/list/?niveau=bas&taille=50").text
    assert "niveau=bas" in page.split("<main")[1]
