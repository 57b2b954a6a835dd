"""The window of a shop: what buyers find on a site, who sells it, at which price and where.

What can be had is one rule (`listings.shown`), read at each page; a search and its filters ask the
same of each reference in SQL of their own (`search.py`), dates and brand agreements left out.
Nothing here writes.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import selectinload

from models import (
    Condition,
    Item,
    Listing,
    Product,
    ProductState,
    ProductText,
    Site,
    SiteKind,
    StockLevel,
    Store,
    Variant,
    Vendor,
)
from services import clock
from services.catalogue import products, search
from services.people import places, vendors
from services.stock import listings
from services.unit import db

FACETS = ("category", "family", "platform", "brand", "shoe_size", "size", "color", "condition")
PAGE = 24
MOST_CHOICES = 100
SIMILAR = 6


def opens(site: Site) -> bool:
    """Whether a site has a shop."""
    return site.kind in (SiteKind.shop, SiteKind.both)


def seller_of(site: Site) -> int | None:
    """The vendor whose goods a site shows; None on the operator's own site, which shows those of
    all (domain.md § 1).
    """
    return None if site.vendor_id == vendors.operator_id() else site.vendor_id


# ── what is found ──


def asked(
    site: Site, words: str, filters: dict[str, str], *, after: int = 0, size: int = 0
) -> search.Asked:
    """A search among what vendors of this site put on sale."""
    seller = seller_of(site)
    narrowed = {name: value for name, value in filters.items() if name in FACETS and value}
    on_sale = str(seller) if seller is not None else search.ANY_VENDOR
    return search.Asked(words, {**narrowed, "on_sale": on_sale}, after, size or PAGE)


# The orders of a list, by their names in an address.
ORDERS = {"": "", "prix": "price", "prix-haut": "-price"}
MOST_SORTED = 1_000


def find(
    site: Site, words: str, filters: dict[str, str], *, after: int = 0, order: str = ""
) -> search.Found:
    """A page of what answers, the best first, or by price while at most `MOST_SORTED` products
    answer; more of them are shown the best first.
    """
    wanted = asked(site, words, filters, after=after)
    if order not in ("price", "-price"):
        return search.find(wanted)
    first = search.find(replace(wanted, after=0))
    if not first.count or first.count > MOST_SORTED:
        return search.find(wanted)
    ids = search.all_ids(replace(wanted, words=first.corrected or words))
    prices = listings.lowest_prices(ids, clock.today(), seller_of(site))
    sign = -1 if order == "-price" else 1
    in_order = sorted(prices, key=lambda id: (sign * prices[id], id))
    start = in_order.index(after) + 1 if after in in_order else 0
    page = in_order[start : start + PAGE]
    following = page[-1] if start + PAGE < len(in_order) else None
    return replace(first, ids=page, next=following)


MOST_COUNTED = 1_000
Facets = dict[str, list[tuple[str, int]]]


def facets(site: Site, words: str, filters: dict[str, str]) -> Facets:
    """By what a list can be narrowed, with how many products each value has, among the first
    thousand that answer.
    """
    return search.facets(asked(site, words, filters), FACETS, most=MOST_COUNTED)


_departments: dict[int, tuple[float, Facets]] = {}
DEPARTMENTS_SECONDS = 60.0


def departments(site: Site) -> Facets:
    """The departments, platforms and brands of a shop, counted again every minute: each visitor of
    its home reads them.
    """
    read_at, found = _departments.get(site.id, (0.0, {}))
    if not found or time.monotonic() - read_at > DEPARTMENTS_SECONDS:
        names = ("category", "platform", "brand")
        found = search.facets(asked(site, "", {}), names)
        _departments[site.id] = time.monotonic(), found
    return found


def forget() -> None:
    """Forget what this process remembers of its shops (tests, a new catalogue)."""
    _departments.clear()


@dataclass(frozen=True)
class Card:
    """A product as a list shows it: its cheapest price in cents, how many offers, by how many
    vendors, at how many prices; no price when nothing of it can be had now.
    """

    product: Product
    title: str
    ean: str
    from_cents: int | None
    offers: int
    vendors: int
    has_new: bool
    has_used: bool
    prices: int


def cards(site: Site, ids: Sequence[int], *, vendor_id: int | None = None) -> list[Card]:
    """Products in the order of their ids, with the offers of one vendor or of all."""
    if not ids:
        return []
    day = clock.today()
    rows = db.session.scalars(
        select(Product)
        .where(Product.id.in_(ids))
        .options(
            selectinload(Product.platform),
            selectinload(Product.brand),
            selectinload(Product.variants),
            selectinload(Product.texts),
        )
    ).all()
    by_product: dict[int, list[Listing]] = {}
    seller = vendor_id if vendor_id is not None else seller_of(site)
    for listing in listings.shown(ids, day, vendor_id=seller):
        by_product.setdefault(listing.variant.product_id, []).append(listing)
    found = {row.id: _card(site, row, by_product.get(row.id, []), day) for row in rows}
    return [found[id] for id in ids if id in found]


def _card(site: Site, product: Product, offered: list[Listing], day: date) -> Card:
    cheapest = min(offered, key=lambda row: listings.price_on(row, day), default=None)
    if cheapest is not None:
        ean = cheapest.variant.ean
    else:
        ean = product.variants[0].ean if product.variants else ""
    return Card(
        product=product,
        title=products.words_for(product, site.id)[0] or product.title,
        ean=ean,
        from_cents=listings.price_on(cheapest, day) if cheapest is not None else None,
        offers=len(offered),
        vendors=len({row.vendor_id for row in offered}),
        has_new=any(row.condition is None for row in offered),
        has_used=any(row.condition is not None for row in offered),
        prices=len({listings.price_on(row, day) for row in offered}),
    )


def newest(site: Site, size: int = 12, *, vendor_id: int | None = None) -> list[Card]:
    """What was put on sale last, of one vendor or of all: the newest listings, a product once."""
    seller = vendor_id if vendor_id is not None else seller_of(site)
    recent = listings.newest_shown(clock.today(), 8 * size, seller)
    ids = list(dict.fromkeys(recent))[:size]
    at_hand = cards(site, ids, vendor_id=vendor_id)
    return [card for card in at_hand if card.from_cents is not None][:size]


def similar(site: Site, product: Product) -> list[Card]:
    """Products of the same family that can be had; of the same rayon where none is."""
    for filters in (
        {"family": product.family, "category": product.category},
        {"platform": product.platform.name if product.platform else ""},
        {"category": product.category},
    ):
        if not any(filters.values()):
            continue
        found = search.find(asked(site, "", filters, size=4 * SIMILAR))
        ids = [id for id in found.ids if id != product.id]
        if at_hand := [card for card in cards(site, ids) if card.from_cents is not None]:
            return at_hand[:SIMILAR]
    return []


# ── one product ──


@dataclass(frozen=True)
class Place:
    """A store that has units, how many, and how far it is in kilometres, where that is known."""

    store: Store
    units: int
    km: int | None


@dataclass(frozen=True)
class Choice:
    """One listing of a product as a buyer compares it. `before_cents` is the price a reduction is
    shown from: the lowest of the 30 days before it (art. L112-1-1 c. conso.), whatever the listing
    calls its full price; none when it was never sold dearer.
    """

    listing: Listing
    price_cents: int
    before_cents: int | None
    units: int
    places: list[Place]

    @property
    def condition(self) -> Condition | None:
        return self.listing.condition

    @property
    def unit(self) -> Item | None:
        """The very unit that is sold, when it is a graded one."""
        return self.listing.item


def choices(site: Site, product: Product, postcode: str = "") -> list[Choice]:
    """Who sells a product, the cheapest first."""
    day = clock.today()
    rows = listings.shown([product.id], day, seller_of(site), MOST_CHOICES)
    stocked = _stores_that_have(rows)
    here = places.of_postcode(postcode) if postcode else None
    reduced = [row.id for row in rows if listings.price_on(row, day) < row.price_cents]
    before = products.lowest_of_listings(reduced)
    found = [
        _choice(row, day, before.get(row.id), stocked.get(_key(row), []), here) for row in rows
    ]
    return sorted(found, key=_rank)


_BEST_FIRST = (None, *Condition)  # new, then as `Condition` is written


def _rank(one: Choice) -> tuple[int, int, int, int]:
    """The cheapest first; at one price the best condition, then the nearest."""
    km = min((place.km for place in one.places if place.km is not None), default=99_999)
    return one.price_cents, _BEST_FIRST.index(one.condition), km, one.listing.id


def _key(row: Listing) -> tuple[int, int]:
    return row.vendor_id, row.variant_id


def _stores_that_have(rows: Iterable[Listing]) -> dict[tuple[int, int], list[tuple[Store, int]]]:
    """The stores that have new units free, by vendor and reference."""
    free = StockLevel.quantity - StockLevel.reserved
    of_new = [row for row in rows if row.condition is None and row.item_id is None]
    found: dict[tuple[int, int], list[tuple[Store, int]]] = {}
    levels = (
        select(StockLevel, free)
        .where(
            StockLevel.variant_id.in_({row.variant_id for row in of_new}),
            StockLevel.vendor_id.in_({row.vendor_id for row in of_new}),
            free > 0,
        )
        .options(selectinload(StockLevel.store))
        .order_by(StockLevel.store_id)
    )
    for level, units in db.session.execute(levels):
        key = (level.vendor_id, level.variant_id)
        found.setdefault(key, []).append((level.store, units))
    return found


def _choice(
    row: Listing,
    day: date,
    before: int | None,
    stocked: list[tuple[Store, int]],
    here: tuple[float, float] | None,
) -> Choice:
    price = listings.price_on(row, day)
    if row.item is not None:
        stocked = [(row.item.store, 1)]
    elif row.condition is not None:
        stocked = []
    units = sum(n for _store, n in stocked) if row.condition is None or row.item else row.quantity
    at = [Place(store, n, _km(store, here)) for store, n in stocked]
    return Choice(
        listing=row,
        price_cents=price,
        before_cents=before if before is not None and before > price else None,
        units=units or 0,
        places=sorted(at, key=lambda one: (one.km is None, one.km or 0, one.store.name)),
    )


def _km(store: Store, here: tuple[float, float] | None) -> int | None:
    there = places.of_store(store)
    return round(places.km(here, there)) if here and there else None


def product(id: int) -> Product | None:
    """The validated sheet of a number, or the one that took its place where two were one; else
    None. It has a page also when nothing of it can be had.
    """
    found = products.sheet(id)
    if found is None or found.status is not ProductState.validated:
        return None
    return found


# ── for search engines ──

PART = 10_000  # product numbers of one part of the site map


def parts(site: Site) -> int:
    """How many parts the site map of a shop has."""
    highest = db.session.scalar(select(func.max(Product.id))) or 0
    return -(-highest // PART) if opens(site) else 0


def part_of(site: Site, part: int) -> list[tuple[int, str, datetime]]:
    """The products on sale of one part, from 1 on: number, title, last change (UTC)."""
    sold = (
        select(Listing.id)
        .join(Variant, Variant.id == Listing.variant_id)
        .where(Variant.product_id == Product.id, Listing.status == listings.L.active)
    )
    if (seller := seller_of(site)) is not None:
        sold = sold.where(Listing.vendor_id == seller)
    own_title = (
        select(ProductText.title)
        .where(ProductText.product_id == Product.id, ProductText.site_id == site.id)
        .scalar_subquery()
    )
    title = func.coalesce(func.nullif(own_title, ""), Product.title)
    rows = (
        select(Product.id, title, Product.updated_at)
        .where(
            Product.id > (part - 1) * PART,
            Product.id <= part * PART,
            Product.status == ProductState.validated,
            sold.exists(),
        )
        .order_by(Product.id)
    )
    return [(id, title, changed) for id, title, changed in db.session.execute(rows)]


# ── one vendor ──


def vendor(site: Site, id: int) -> Vendor | None:
    """A vendor who sells on this site; None when nothing of theirs was ever put on sale here."""
    seller = seller_of(site)
    if seller is not None and id != seller:
        return None
    sells = exists().where(Listing.vendor_id == Vendor.id)
    return db.session.scalar(select(Vendor).where(Vendor.id == id, sells))


def stores_of(vendor: Vendor) -> list[Store]:
    """The stores of a vendor, by town."""
    return list(
        db.session.scalars(
            select(Store).where(Store.vendor_id == vendor.id).order_by(Store.city, Store.name)
        )
    )


def sellers(site: Site, most: int = 30) -> list[Vendor]:
    """Who sells on a site, by name. Counting their listings would read all of them at each page."""
    seller = seller_of(site)
    on_sale = exists().where(Listing.vendor_id == Vendor.id, Listing.status == listings.L.active)
    statement = select(Vendor).where(on_sale).order_by(Vendor.name).limit(most)
    if seller is not None:
        statement = statement.where(Vendor.id == seller)
    return list(db.session.scalars(statement))
