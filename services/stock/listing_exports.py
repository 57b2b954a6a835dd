"""Offers, prices and stock of a vendor as the files marketplaces exchange: OF01, PRI01, STO01
(conventions of Mirakl, docs/rules/files.md), and any table as CSV. Read by `listing_files`.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date
from itertools import chain
from typing import Any

from sqlalchemy import func, select

from models import Listing, ListingState, StockLevel, Store, Variant, VendorReference
from services import money, words
from services.imports import tables
from services.stock import listings
from services.stock.listing_files import CODES
from services.unit import db

L = ListingState
OF01 = [
    "sku",
    "product-id",
    "product-id-type",
    "description",
    "internal-description",
    "price",
    "price-additional-info",
    "quantity",
    "min-quantity-alert",
    "state",
    "available-start-date",
    "available-end-date",
    "logistic-class",
    "discount-price",
    "discount-start-date",
    "discount-end-date",
    "discount-ranges",
    "price-ranges",
    "leadtime-to-ship",
    "min-order-quantity",
    "max-order-quantity",
    "package-quantity",
    "update-delete",
]
PRI01 = ["offer-sku", "price", "discount-price", "discount-start-date", "discount-end-date"]
STO01 = ["offer-sku", "quantity", "warehouse-code", "update-delete"]


def as_table(header: list[str], rows: Iterator[list[Any]]) -> Iterator[str]:
    """CSV as French spreadsheets open it, piece by piece; no cell runs as a formula."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    writer.writerow(header)
    yield "\ufeff"
    for number, row in enumerate(rows, 1):
        writer.writerow(
            [tables.neutral(words.visible(cell)) if isinstance(cell, str) else cell for cell in row]
        )
        if number % 500 == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _pages(vendor_id: int) -> Iterator[list[tuple[Listing, Variant]]]:
    after = 0
    while rows := db.session.execute(
        select(Listing, Variant)
        .join(Variant, Variant.id == Listing.variant_id)
        .where(Listing.vendor_id == vendor_id, Listing.id > after)
        .order_by(Listing.id)
        .limit(500)
    ).all():
        after = rows[-1][0].id
        yield list(rows)


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def as_of01(vendor_id: int) -> Iterator[str]:
    """A vendor's offers as the file he could send back: the quantity is what is there, what carts
    and orders keep included.
    """

    def rows() -> Iterator[list[Any]]:
        for page in _pages(vendor_id):
            held = dict(
                db.session.execute(
                    select(StockLevel.variant_id, func.sum(StockLevel.quantity))
                    .where(
                        StockLevel.vendor_id == vendor_id,
                        StockLevel.variant_id.in_({variant.id for _row, variant in page}),
                    )
                    .group_by(StockLevel.variant_id)
                ).all()
            )
            for row, variant in page:
                there = (
                    listings.stock_of(row)
                    if row.item_id is not None or row.condition is not None
                    else int(held.get(variant.id) or 0)
                )
                yield [
                    row.sku,
                    variant.ean,
                    "EAN",
                    row.description,
                    "",
                    money.dotted(row.price_cents),
                    "",
                    there,
                    row.alert_under or "",
                    CODES[row.condition],
                    _day(row.available_from),
                    _day(row.available_to),
                    row.logistic_class,
                    money.dotted(row.discount_cents) if row.discount_cents else "",
                    _day(row.discount_from),
                    _day(row.discount_to),
                    "",
                    "",
                    "" if row.delay_days is None else row.delay_days,
                    "",
                    "",
                    "",
                    "delete" if row.status is L.withdrawn else "",
                ]

    return as_table(OF01, rows())


def as_pri01(vendor_id: int) -> Iterator[str]:
    return as_table(
        PRI01,
        (
            [
                row.sku,
                money.dotted(row.price_cents),
                money.dotted(row.discount_cents) if row.discount_cents else "",
                _day(row.discount_from),
                _day(row.discount_to),
            ]
            for row, _variant in chain.from_iterable(_pages(vendor_id))
            if row.status is L.active
        ),
    )


def as_sto01(vendor_id: int, store_id: int | None = None) -> Iterator[str]:
    """What a vendor's stores hold, one line a reference and store: the sku he offers or knows it
    under, else its barcode.
    """
    offered = select(func.min(Listing.sku)).where(
        Listing.vendor_id == vendor_id,
        Listing.variant_id == StockLevel.variant_id,
        Listing.item_id.is_(None),
        Listing.condition.is_(None),
    )
    named = select(func.min(VendorReference.sku)).where(
        VendorReference.vendor_id == vendor_id, VendorReference.variant_id == StockLevel.variant_id
    )
    sku = func.coalesce(offered.scalar_subquery(), named.scalar_subquery(), Variant.ean)

    def rows() -> Iterator[list[Any]]:
        after = 0
        codes = {
            store.id: store.code or store.name
            for store in db.session.scalars(select(Store).where(Store.vendor_id == vendor_id))
        }
        wanted = [store_id] if store_id is not None else list(codes)
        while found := db.session.execute(
            select(StockLevel.id, StockLevel.store_id, StockLevel.quantity, sku)
            .join(Variant, Variant.id == StockLevel.variant_id)
            .where(
                StockLevel.vendor_id == vendor_id,
                StockLevel.store_id.in_(wanted),
                StockLevel.id > after,
            )
            .order_by(StockLevel.id)
            .limit(1000)
        ).all():
            after = found[-1].id
            yield from ([name, quantity, codes[store], ""] for _id, store, quantity, name in found)

    return as_table(STO01, rows())
