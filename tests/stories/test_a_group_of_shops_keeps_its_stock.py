"""The catalogue, the feeds and the tills of a group, told as it happens: from the référencier of
the association to a pair sold twice.
"""

import json
from datetime import timedelta
from typing import Any

from models import ImportState, Product, ProductState, StockConflict, Store, UnmatchedReference
from services import clock, outbox
from services.catalogue import matching, products, referencer, search
from services.finance import books
from services.imports import runs
from services.stock import levels, listings
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA, MARC, a_file, a_key, ean, given, quantity

MODELS = (
    ("LOR-100", "Derby Lormont", "Lormont", 12900),
    ("AUB-01", "Botte Aubrac", "Aubrac", 18900),
    ("POU-12", "Mocassin Pouldu", "Pouldu", 6900),
)


def test_from_the_catalogue_of_the_association_to_a_pair_sold_twice(app, client, tmp_path, hooks):
    # The association sends its référencier; the shops take it back as a file their tills read.
    lines = [
        f"{ref};{ean(n * 10 + size)};{title};{brand};;Chaussures;Ville;;Noir;Cuir;;"
        f"{40 + size};;{cents / 100:.2f};20;;oui;"
        for n, (ref, title, brand, cents) in enumerate(MODELS, 60)
        for size in range(3)
    ]
    run = given(
        a_file(
            tmp_path,
            ";".join(referencer.HEADER) + "\n" + "\n".join(lines) + "\n",
            "referencier.csv",
        ),
        "catalogue",
    )
    assert (run.created, run.refused) == (9, 0)
    assert db.session.scalar(db.select(db.func.count(Product.id))) == 3
    assert "".join(referencer.as_csv()).count("\n") == 10

    # Two shops publish their stock; one file names a stranger, and a reference nobody knows.
    saint_malo, vannes = (
        factories.a_store("Saint-Malo", "SP1", postcode="35400"),
        factories.a_store("Vannes", "SP2", postcode="56000"),
    )
    counts = {ean(600 + size): 2 for size in range(3)} | {ean(610): 1, ean(999): 4, ean(620): -3}
    first = factories.a_feed(tmp_path, counts, store=saint_malo, mode="full")
    assert (first.created, first.ignored) == (4, 2)
    factories.a_feed(tmp_path, {ean(610): 3, ean(611): 1}, store=vannes, mode="full")
    unknown = db.session.scalars(db.select(UnmatchedReference)).one()
    assert unknown.ean == ean(999)
    assert matching.waiting_count() == 1

    # Somebody proposes it; the operator validates; it can be sold.
    with unit_of_work() as session:
        row = session.get_one(UnmatchedReference, unknown.id)
        row.title = "Sabot Concarneau"
        product_id = matching.propose_product(row, by=MARC).id
    with unit_of_work() as session:
        products.validate(session.get_one(Product, product_id), by=LEA)
    assert db.session.get(Product, product_id).status is ProductState.validated
    assert search.find(search.Asked("sabots")).ids == [product_id]

    # Tomorrow's file of Saint-Malo was cut: it would empty the shop, and waits for a click that
    # says no.
    cut = factories.a_feed(tmp_path, {ean(600): 2}, store=saint_malo, mode="full")
    assert cut.state is ImportState.to_confirm
    assert quantity(products.by_ean(ean(610)), saint_malo) == 1
    with unit_of_work() as session:
        runs.cancel(session.get_one(runs.ImportRun, cut.id), by=MARC)

    # A buyer orders the last pair of Saint-Malo on line; the till sells it over the counter the
    # same minute.
    boots = products.by_ean(ean(610))
    level = db.session.scalars(
        db.select(levels.StockLevel).where(
            levels.StockLevel.store_id == saint_malo.id, levels.StockLevel.variant_id == boots.id
        )
    ).one()
    factories.a_reservation(level, 1, "1702-A", promised=True)
    _key, secret = a_key("till stock catalogue", store=saint_malo)
    headers = {"Authorization": f"Bearer {secret}"}
    told = client.post(
        "/api/v1/till/sales",
        headers=headers,
        json={"number": 1, "ean": boots.ean, "price": "189.00", "at": clock.now().isoformat()},
    )
    assert told.json["conflicts"] == 1
    assert told.json["quantity"] == 0
    conflict = db.session.scalars(db.select(StockConflict)).one()
    twins = levels.twins(conflict)
    assert [(t.store.id, t.available) for t in twins] == [(vannes.id, 3)]
    assert twins[0].km > 50
    with unit_of_work() as session:
        levels.replace(
            session.get_one(StockConflict, conflict.id),
            session.get_one(Store, vannes.id),
            None,
            by=LEA,
        )

    # The line was cut at noon; in the evening the till tells its queue twice: nothing doubles.
    shoe = products.by_ean(ean(600))
    queue: dict[str, Any] = {
        "sent_at": clock.now().isoformat(),
        "events": [
            {
                "number": n,
                "kind": kind,
                "ean": shoe.ean,
                "quantity": 1,
                "price": "129.00",
                "at": (clock.now() - timedelta(hours=6 - n)).isoformat(),
            }
            for n, kind in ((2, "sale"), (3, "sale"), (4, "return"))
        ],
    }
    with clock.at(clock.now() + timedelta(hours=8)):
        queue["sent_at"] = clock.now().isoformat()
        for event in queue["events"]:
            event["at"] = (clock.now() - timedelta(hours=6 - event["number"])).isoformat()
        for _twice in range(2):
            answers = client.post("/api/v1/till/events", json=queue, headers=headers).json[
                "results"
            ]
            assert [a["status"] for a in answers] == ["ok"] * 3
        assert quantity(shoe, saint_malo) == 1

    # A vendor's offers; his software was told of each change, and asks what changed from its cursor
    # on.
    offers = a_file(
        tmp_path, f"sku;product-id;price;state\nS-1;{shoe.ean};129.00;11\n", "offres.csv"
    )
    assert given(offers, "offers").created == 1
    offer = db.session.scalars(db.select(listings.Listing)).one()
    assert listings.why_not_shown(offer, clock.today()) is None
    assert listings.stock_of(offer) == 1
    changes = client.get("/api/v1/stock/changes?limit=1000", headers=headers).json
    assert sum(c["quantity"] for c in changes["results"] if c["ean"] == shoe.ean) == 1
    assert not changes["more"]
    outbox.work()
    assert books.check() == []
    assert json.dumps(changes)
