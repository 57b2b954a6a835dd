"""The catalogue for tills and vendors' software: one reference, a search, all that changed since a
moment.
"""

from typing import Any

from flask import Response, jsonify, stream_with_context, url_for
from flask_babel import gettext as _

from api import bp, problem
from api.door import Asked, iso, opens, store_of
from models import MachineKey, Product, Variant
from services import money
from services.buyback import pricing
from services.catalogue import products, referencer, search
from services.people import places, sites
from services.stock import levels

FILTERS = (
    "category",
    "family",
    "brand",
    "platform",
    "size",
    "shoe_size",
    "color",
    "material",
    "price",
    "condition",
    "store",
)


@bp.get("/products/<ean>")
@opens("catalogue", "till")
def product(key: MachineKey, ean: str) -> Any:
    """One reference by its barcode: title, cover, argus, what we pay, what to ask, what this vendor
    holds.
    """
    try:
        code = products.read_ean(ean)
    except products.BadEan as bad:
        return problem(404, "bad_ean", str(bad))
    variant = products.by_ean(code)
    if variant is None:
        return problem(404, "unknown_ean", _("The catalogue does not know %(ean)s.", ean=code))
    site = sites.of_vendor(key.vendor_id)
    quote = pricing.quote(site.id, code) if site is not None else None
    new, used = levels.by_condition(key.vendor_id, [variant.id])[variant.id]
    lowest = products.lowest_of_30_days(variant.id)
    return jsonify(
        **_product(variant.product),
        **_variant(variant),
        cover=url_for("portal.cover", ean=code),
        argus=_money(variant.argus_cents),
        buy_price=_money(quote.price_cents) if quote else None,
        buy_status=quote.status.value if quote else None,
        lowest_price_30_days=_money(lowest),
        stock={"new": new, "used": used},
        currency="EUR",
    )


@bp.get("/products", endpoint="products")
@opens("catalogue")
def find_products(key: MachineKey) -> Any:
    """Products by words, barcode or reference, narrowed by facets, in pages; `facets=1` counts the
    values of each facet.
    """
    filters = {name: value for name in FILTERS if (value := Asked.text(name, 100))}
    if code := filters.pop("store", ""):
        filters["store"] = str(store_of(key, code).id)
    asked = search.Asked(
        Asked.text("q"), filters, Asked.whole("cursor", 0, 2_147_483_647, 0),
        Asked.whole("limit", 1, search.MOST_PAGE, search.PAGE),
    )  # fmt: skip
    found = search.find(asked)
    answer: dict[str, Any] = {
        "results": [
            {**_product(one), "variants": [_variant(v) for v in one.variants]}
            for one in search.products(found.ids)
        ],
        "next": found.next,
        "count": min(found.count, search.COUNT_CAP),
        "count_is_capped": found.count > search.COUNT_CAP,
        "corrected": found.corrected or None,
    }
    if Asked.text("facets", 1) == "1":
        answer["facets"] = {
            name: [
                {
                    "value": value,
                    "count": min(count, search.COUNT_CAP),
                    "count_is_capped": count > search.COUNT_CAP,
                }
                for value, count in values
            ]
            for name, values in search.facets(
                asked, (*search.FACETS, "store"), of_vendor=key.vendor_id
            ).items()
        }
    return jsonify(answer)


@bp.get("/suggestions")
@opens("catalogue")
def suggestions(key: MachineKey) -> Any:
    """Titles that go on as the words begin."""
    return jsonify(
        results=[{"id": id, "title": title} for id, title in search.suggest(Asked.text("q"))]
    )


@bp.get("/catalogue")
@opens("catalogue")
def whole_catalogue(key: MachineKey) -> Any:
    """The référencier in pages, in the order of its references; with `since`, what changed since
    that moment.
    """
    since, limit = Asked.moment("since"), Asked.whole("limit", 1, 1000, 500)
    rows = referencer.page(Asked.whole("cursor", 0, 2_147_483_647, 0), limit, since)
    return jsonify(
        results=[
            {
                "ean": row.ean,
                "product": row.product_id,
                "title": row.title,
                "brand": row.brand,
                "maker": row.maker,
                "supplier_ref": row.supplier_ref,
                "category": row.category,
                "family": row.family,
                "subfamily": row.subfamily,
                "color": row.color,
                "material": row.material,
                "size": row.size,
                "shoe_size": row.shoe_size,
                "platform": row.platform,
                "season": row.season,
                "advised_price": _money(row.advised_cents),
                "argus": _money(row.argus_cents),
                "vat_rate": f"{row.vat_bp // 100}.{row.vat_bp % 100:02d}",
                "active": bool(row.active) and row.status == "validated",
                "updated_at": iso(referencer.changed_at(row)),
            }
            for row in rows
        ],
        next=rows[-1].id if len(rows) == limit else None,
    )


@bp.get("/catalogue.csv")
@opens("catalogue")
def catalogue_file(key: MachineKey) -> Any:
    """The référencier as a file, whole or since a moment (header of the association)."""
    return Response(
        stream_with_context(referencer.as_csv(Asked.moment("since"))), mimetype="text/csv"
    )


@bp.get("/catalogue.xlsx")
@opens("catalogue")
def catalogue_sheet(key: MachineKey) -> Any:
    """The same as a spreadsheet."""
    return Response(
        referencer.as_xlsx(Asked.moment("since")),
        mimetype="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    )


@bp.get("/stores/nearest")
@opens("catalogue", "stock")
def nearest(key: MachineKey) -> Any:
    """This vendor's stores from a French postal code on, with their kilometres as the crow
    flies.
    """
    postcode = Asked.text("postcode", 10)
    if places.of_postcode(postcode) is None:
        return problem(
            422,
            "invalid",
            _("What was sent cannot be understood: see « errors »."),
            [
                {
                    "field": "postcode",
                    "code": "postcode",
                    "message": _("Give a French postal code of 5 digits."),
                }
            ],
        )
    return jsonify(
        results=[
            {
                "store": store.code or "",
                "name": store.name,
                "postcode": store.postcode,
                "city": store.city,
                "km": km,
            }
            for store, km in places.nearest_stores(postcode)
        ]
    )


def _product(one: Product) -> dict[str, Any]:
    return {
        "product": one.id,
        "title": one.title,
        "brand": one.brand.name if one.brand else None,
        "platform": one.platform.name if one.platform else None,
        "supplier_ref": one.supplier_ref,
        "category": one.category,
        "family": one.family,
        "subfamily": one.subfamily,
        "kind": one.kind.value,
        "status": one.status.value,
    }


def _variant(one: Variant) -> dict[str, Any]:
    return {
        "ean": one.ean,
        "color": one.color,
        "material": one.material,
        "size": one.size,
        "shoe_size": one.shoe_size,
        "advised_price": _money(one.advised_cents),
    }


def _money(cents: int | None) -> str | None:
    return None if cents is None else money.dotted(cents)
