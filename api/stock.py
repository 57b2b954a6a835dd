"""The stock of a vendor's stores for his software: what there is, what changed since, what he
publishes; and his sale offers.
"""

from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _
from sqlalchemy import select

from api import bp
from api.door import Asked, Given, Invalid, body, iso, opens, store_of
from models import Listing, MachineKey, StockLevel, Variant
from services import clock, money
from services.people import machine_keys
from services.stock import feeds, levels, listing_files, listings
from services.unit import db, retried, unit_of_work

MOST_LINES = 1_000


@bp.get("/stock")
@opens("stock", "till")
def stock(key: MachineKey) -> Any:
    """What a store holds new, in pages; second-hand units are offered one by one."""
    store = store_of(key, Asked.text("store", 20))
    limit = Asked.whole("limit", 1, 1000, 500)
    rows = db.session.execute(
        select(
            StockLevel.id,
            Variant.ean,
            StockLevel.quantity,
            StockLevel.reserved,
            StockLevel.place,
            StockLevel.updated_at,
        )
        .join(Variant, Variant.id == StockLevel.variant_id)
        .where(
            StockLevel.store_id == store.id,
            StockLevel.id > Asked.whole("cursor", 0, 2_147_483_647, 0),
        )
        .order_by(StockLevel.id)
        .limit(limit)
    ).all()
    return jsonify(
        store=store.code or "",
        results=[
            {
                "ean": row.ean,
                "quantity": row.quantity,
                "reserved": row.reserved,
                "available": max(0, row.quantity - row.reserved),
                "place": row.place,
                "updated_at": iso(row.updated_at),
            }
            for row in rows
        ],
        next=rows[-1].id if len(rows) == limit else None,
    )


@bp.get("/stock/changes")
@opens("stock", "till")
def changes(key: MachineKey) -> Any:
    """What moved in a store after a cursor, oldest first. Keep `cursor` for the next call; nothing
    is skipped.
    """
    store = store_of(key, Asked.text("store", 20))
    cursor, limit = Asked.whole("cursor", 0, 2_147_483_647, 0), Asked.whole("limit", 1, 1000, 100)
    rows = levels.changes(store.id, cursor, limit)
    known = {
        level.variant_id: level
        for level in db.session.scalars(
            select(StockLevel).where(
                StockLevel.store_id == store.id,
                StockLevel.variant_id.in_({row.variant_id for row in rows}),
            )
        )
    }
    eans = dict(
        db.session.execute(
            select(Variant.id, Variant.ean).where(Variant.id.in_({row.variant_id for row in rows}))
        ).all()
    )
    return jsonify(
        store=store.code or "",
        results=[
            {
                "id": row.id,
                "ean": eans[row.variant_id],
                "kind": row.kind.value,
                "quantity": row.quantity,
                "item": row.item_id,
                "reference": row.reference,
                "at": iso(row.at),
                "now": known[row.variant_id].quantity if row.variant_id in known else 0,
            }
            for row in rows
        ],
        cursor=rows[-1].id if rows else cursor,
        more=len(rows) == limit,
    )


@bp.put("/stock")
@opens("stock")
def publish(key: MachineKey) -> Any:
    """Absolute quantities of some barcodes in one store (at most 1 000). What is older than what is
    known is ignored, and said.
    """
    given = Given(body())
    code, dated_at = given.text("store", 20), given.moment("dated_at")
    counts: dict[str, int] = {}
    for number, line in enumerate(given.list("lines", MOST_LINES)):
        one = Given(line, f"lines[{number}].")
        ean, quantity = one.ean(), one.whole("quantity", 0, levels.MOST)
        if ean in counts and counts[ean] != quantity:
            one.wrong("ean", "named_twice", _("This barcode is named twice with two quantities."))
        counts[ean] = quantity
        given.errors += one.errors
    given.check()
    store_of(key, code)

    def work() -> dict[str, Any]:
        with unit_of_work():
            return feeds.publish(
                store_of(key, code), counts, by=machine_keys.actor(key), dated_at=dated_at
            )

    return jsonify(retried(work))


@bp.get("/listings")
@opens("listings")
def offers(key: MachineKey) -> Any:
    """The vendor's sale offers in pages, each with what keeps it from being shown, if anything
    does.
    """
    limit = Asked.whole("limit", 1, 100, 50)
    rows = db.session.scalars(
        select(Listing)
        .where(
            Listing.vendor_id == key.vendor_id,
            Listing.id > Asked.whole("cursor", 0, 2_147_483_647, 0),
        )
        .order_by(Listing.id)
        .limit(limit)
    ).all()
    today = clock.today()
    return jsonify(
        results=[
            {
                "id": row.id,
                "sku": row.sku,
                "ean": row.variant.ean,
                "state": listing_files.CODES[row.condition],
                "price": money.dotted(row.price_cents),
                "price_today": money.dotted(listings.price_on(row, today)),
                "quantity": listings.stock_of(row),
                "leadtime_to_ship": row.delay_days,
                "why_not_shown": listings.why_not_shown(row, today),
                "updated_at": iso(row.updated_at),
            }
            for row in rows
        ],
        next=rows[-1].id if len(rows) == limit else None,
    )


@bp.get("/listings.csv")
@opens("listings")
def offers_file(key: MachineKey) -> Any:
    """The same as a file: `file=of01` (default), `pri01` or `sto01`."""
    made = {
        "of01": listing_files.as_of01,
        "pri01": listing_files.as_pri01,
        "sto01": listing_files.as_sto01,
    }.get(Asked.text("file", 10).lower() or "of01")
    if made is None:
        raise Invalid(
            [{"field": "file", "code": "choice", "message": _("Give of01, pri01 or sto01.")}]
        )
    return Response("".join(made(key.vendor_id)), mimetype="text/csv")
