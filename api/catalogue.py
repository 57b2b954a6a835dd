"""The catalogue for tills and vendors' software: one reference, a search, all that changed since a
moment.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from flask import Response, stream_with_context, url_for
from flask_babel import gettext as _
from pydantic import Field

from api import problem, routes
from api.door import store_of, vendor_of
from api.fields import (
    N_,
    Answer,
    At,
    Digits,
    Euros,
    Invalid,
    Moment,
    Page,
    Query,
    Text,
)
from models import MachineKey, Product, ProductKind, ProductState, Variant
from services.buyback import pricing
from services.catalogue import products, referencer, search
from services.people import places, sites
from services.stock import levels


class ProductFields(Answer):
    """What a product is, whatever its sizes."""

    product: int
    title: str
    brand: str | None
    platform: str | None
    supplier_ref: str
    category: str
    family: str
    subfamily: str
    kind: ProductKind
    status: ProductState


class VariantFields(Answer):
    """One size and colour of a product, with its barcode."""

    ean: str
    color: str
    material: str
    size: str
    shoe_size: str
    advised_price: Euros | None


# ── one reference ──


class UnitsHeld(Answer):
    new: int
    used: int


class Reference(ProductFields, VariantFields):
    cover: str
    argus: Euros | None
    buy_price: Euros | None
    buy_status: pricing.Status | None
    lowest_price_30_days: Euros | None
    stock: UnitsHeld
    currency: Literal["EUR"]


@routes.get(
    "/products/<ean>",
    N_(
        "One reference by its barcode: title, cover, argus, what we pay, what to ask, what is in"
        " stock"
    ),
    scopes=("catalogue", "till"),
    returns=N_("Known."),
    problems={404: N_("No barcode (`bad_ean`), or none we know (`unknown_ean`).")},
)
def product(
    key: MachineKey,
    ean: Annotated[
        str,
        Field(min_length=1, max_length=60, pattern="^[0-9A-Za-z ]+$", examples=["5060327534393"]),
    ],
) -> Reference | Response:
    """`stock` counts what the vendor of the key holds."""
    try:
        code = products.read_ean(ean)
    except products.BadEan as bad:
        return problem(404, "bad_ean", str(bad))
    variant = products.by_ean(code)
    if variant is None:
        return problem(404, "unknown_ean", _("The catalogue does not know %(ean)s.", ean=code))
    site = sites.of_vendor(vendor_of(key))
    quote = pricing.quote(site.id, code) if site is not None else None
    new, used = levels.by_condition(vendor_of(key), [variant.id])[variant.id]
    lowest = products.lowest_of_30_days(variant.id)
    return Reference(
        **_product(variant.product),
        **_variant(variant),
        cover=url_for("portal.cover", ean=code),
        argus=variant.argus_cents,
        buy_price=quote.price_cents if quote else None,
        buy_status=quote.status if quote else None,
        lowest_price_30_days=lowest,
        stock=UnitsHeld(new=new, used=used),
        currency="EUR",
    )


# ── a search ──


Word = Annotated[str, Text(100)]


class Search(Page):
    q: Annotated[str, Text(200), Field(description=N_("Words, barcode or reference."))] = ""
    limit: Annotated[
        int, Digits(1, search.MOST_PAGE), Field(description=N_("How many in one page."))
    ] = search.PAGE
    facets: Annotated[
        Literal["1"] | None, Field(description=N_("Count the values of each facet."))
    ] = None
    category: Annotated[Word, Field(description=N_("Department."))] = ""
    family: Annotated[Word, Field(description=N_("Family."))] = ""
    brand: Annotated[Word, Field(description=N_("Its name."))] = ""
    platform: Annotated[Word, Field(description=N_("Its name."))] = ""
    size: Annotated[Word, Field(description=N_("Size."))] = ""
    shoe_size: Annotated[Word, Field(description=N_("Shoe size."))] = ""
    color: Annotated[Word, Field(description=N_("Colour."))] = ""
    material: Annotated[Word, Field(description=N_("Material."))] = ""
    price: Annotated[Word, Field(description=N_("Cents: 2000-5000, or 5000-."))] = ""
    condition: Annotated[Word, Field(description=N_("new or used: in stock so."))] = ""
    store: Annotated[Word, Field(description=N_("Code of one of your stores: in stock there."))] = (
        ""
    )

    def filters(self) -> dict[str, str]:
        """Facets that were given a value, by their names."""
        given = self.model_dump(exclude={"q", "cursor", "limit", "facets"}, exclude_unset=True)
        return {name: value for name, value in given.items() if value}


class FoundProduct(ProductFields):
    variants: list[VariantFields]


class FacetValue(Answer):
    value: str
    count: int
    count_is_capped: bool


class FoundProducts(Answer):
    results: list[FoundProduct]
    next: int | None
    count: int
    count_is_capped: bool
    corrected: Annotated[
        str | None, Field(description=N_("The words used instead of words nothing answered."))
    ]
    facets: dict[str, list[FacetValue]] = {}


@routes.get(
    "/products",
    N_(
        "Search: words (accents and plurals do not matter), a barcode or a reference, narrowed by"
        " facets"
    ),
    scopes=("catalogue",),
    returns=N_("A page."),
)
def find_products(key: MachineKey, query: Search) -> FoundProducts:
    filters = query.filters()
    if code := filters.pop("store", ""):
        filters["store"] = str(store_of(key, code).id)
    wanted = search.Asked(query.q, filters, query.cursor, query.limit)
    found = search.find(wanted)
    answer = FoundProducts(
        results=[
            FoundProduct(
                **_product(one), variants=[VariantFields(**_variant(v)) for v in one.variants]
            )
            for one in search.products(found.ids)
        ],
        next=found.next,
        count=min(found.count, search.COUNT_CAP),
        count_is_capped=found.count > search.COUNT_CAP,
        corrected=found.corrected or None,
    )
    if query.facets:
        counted = search.facets(wanted, (*search.FACETS, "store"), of_vendor=vendor_of(key))
        answer.facets = {
            name: [
                FacetValue(
                    value=value,
                    count=min(count, search.COUNT_CAP),
                    count_is_capped=count > search.COUNT_CAP,
                )
                for value, count in values
            ]
            for name, values in counted.items()
        }
    return answer


class SuggestionsAsked(Query):
    q: Annotated[str, Text(200)] = ""


class Suggestion(Answer):
    id: int
    title: str


class Suggestions(Answer):
    results: list[Suggestion]


@routes.get(
    "/suggestions",
    N_("Titles that go on as the words begin"),
    scopes=("catalogue",),
    returns=N_("Eight at most."),
)
def suggestions(key: MachineKey, query: SuggestionsAsked) -> Suggestions:
    return Suggestions(
        results=[Suggestion(id=id, title=title) for id, title in search.suggest(query.q)]
    )


# ── the whole catalogue ──


class Since(Query):
    since: Moment | None = None


class CataloguePage(Page):
    since: Moment | None = None
    limit: Annotated[int, Digits(1, 1000), Field(description=N_("How many in one page."))] = 500


class CatalogueRow(Answer):
    ean: str
    product: int
    title: str
    brand: str | None
    maker: str
    supplier_ref: str
    category: str
    family: str
    subfamily: str
    color: str
    material: str
    size: str
    shoe_size: str
    platform: str | None
    season: str
    advised_price: Euros | None
    argus: Euros | None
    vat_rate: str
    active: bool
    updated_at: At


class CatalogueRows(Answer):
    results: list[CatalogueRow]
    next: int | None


@routes.get(
    "/catalogue",
    N_("The référencier in pages; with `since`, what changed since"),
    scopes=("catalogue",),
    returns=N_("A page."),
)
def whole_catalogue(key: MachineKey, query: CataloguePage) -> CatalogueRows:
    """In the order of its references."""
    rows = referencer.page(query.cursor, query.limit, query.since)
    return CatalogueRows(
        results=[
            CatalogueRow(
                ean=row.ean,
                product=row.product_id,
                title=row.title,
                brand=row.brand,
                maker=row.maker,
                supplier_ref=row.supplier_ref,
                category=row.category,
                family=row.family,
                subfamily=row.subfamily,
                color=row.color,
                material=row.material,
                size=row.size,
                shoe_size=row.shoe_size,
                platform=row.platform,
                season=row.season,
                advised_price=row.advised_cents,
                argus=row.argus_cents,
                vat_rate=f"{row.vat_bp // 100}.{row.vat_bp % 100:02d}",
                active=bool(row.active) and row.status == "validated",
                updated_at=referencer.changed_at(row),
            )
            for row in rows
        ],
        next=rows[-1].id if len(rows) == query.limit else None,
    )


@routes.get(
    "/catalogue.csv",
    N_("The référencier as a file"),
    scopes=("catalogue",),
    returns=N_("CSV, « ; », UTF-8."),
    media="text/csv",
)
def catalogue_file(key: MachineKey, query: Since) -> Response:
    """Whole or since a moment, with the header of the association."""
    return Response(stream_with_context(_csv(query)), mimetype="text/csv")


def _csv(query: Since) -> Iterator[str]:
    return referencer.as_csv(query.since, buying_prices=referencer.shares_buying_prices())


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@routes.get(
    "/catalogue.xlsx",
    N_("The référencier as a spreadsheet"),
    scopes=("catalogue",),
    returns="XLSX",
    media=XLSX,
)
def catalogue_sheet(key: MachineKey, query: Since) -> Response:
    shared = referencer.shares_buying_prices()
    return Response(referencer.as_xlsx(query.since, buying_prices=shared), mimetype=XLSX)


# ── shops near a place ──


class NearestAsked(Query):
    postcode: Annotated[str, Text(10, blank=False), Field(examples=["44000"])]


class NearStore(Answer):
    store: str
    name: str
    postcode: str
    city: str
    km: int


class NearStores(Answer):
    results: list[NearStore]


@routes.get(
    "/stores/nearest",
    N_("Your stores from a French postal code on"),
    scopes=("catalogue", "stock"),
    returns=N_("The nearest first."),
)
def nearest(key: MachineKey, query: NearestAsked) -> NearStores:
    """Kilometres as the crow flies."""
    if places.of_postcode(query.postcode) is None:
        raise Invalid.field("postcode", "postcode", _("Give a French postal code of 5 digits."))
    return NearStores(
        results=[
            NearStore(
                store=store.code or "",
                name=store.name,
                postcode=store.postcode,
                city=store.city,
                km=km,
            )
            for store, km in places.nearest_stores(query.postcode)
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
        "kind": one.kind,
        "status": one.status,
    }


def _variant(one: Variant) -> dict[str, Any]:
    return {
        "ean": one.ean,
        "color": one.color,
        "material": one.material,
        "size": one.size,
        "shoe_size": one.shoe_size,
        "advised_price": one.advised_cents,
    }
