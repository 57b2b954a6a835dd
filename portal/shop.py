"""The shop: home, search, a product, a vendor. Every page is a link that can be shared."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from flask import Response, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from models import Product, Vendor
from portal import bp
from portal.access import site
from services import clock, money, workflow
from services.catalogue import grid, products, search
from services.orders import window
from services.people import places

# The names a filter has in an address, and its title on the page.
FILTERS = {
    "rayon": ("category", _l("Department")),
    "famille": ("family", _l("Family")),
    "plateforme": ("platform", _l("Platform")),
    "marque": ("brand", _l("Brand")),
    "pointure": ("shoe_size", _l("Shoe size")),
    "taille": ("size", _l("Size")),
    "couleur": ("color", _l("Colour")),
    "etat": ("condition", _l("Condition")),
}
CONDITIONS = {"new": _l("New"), "used": _l("Second-hand")}
ORDERS = {
    "": _l("Best answers"),
    "prix": _l("Lowest price"),
    "prix-haut": _l("Highest price"),
}
MOST_WORDS, MOST_VALUE, MOST_STEPS = 120, 100, 60


def shop_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """A page that a site has only when it has a shop; elsewhere it is not found."""

    @wraps(view)
    def guarded(**names: Any) -> Any:
        if not window.opens(site()):
            abort(404)
        return view(**names)

    return guarded


@bp.app_template_global()
def has_shop() -> bool:
    """Whether the site of this page has a shop."""
    return window.opens(site())


@bp.get("/boutique")
@shop_only
def shop() -> Any:
    """The home of the shop: its departments, what came last, who sells."""
    here = site()
    every = window.departments(here)
    return render_template(
        "portal/shop/home.html",
        site=here,
        departments=every.get("category", []),
        platforms=every.get("platform", [])[:30],
        brands=every.get("brand", [])[:30],
        newest=window.newest(here),
        vendors=window.sellers(here),
    )


# ── the search ──


@bp.get("/boutique/recherche")
@shop_only
def search_shop() -> Any:
    """What answers to words and filters, a page at a time; the address says all of it."""
    here, words = site(), _short(request.args.get("q", ""), MOST_WORDS)
    chosen = {name: _short(request.args.get(name, ""), MOST_VALUE) for name in FILTERS}
    chosen = {name: value for name, value in chosen.items() if value}
    if chosen.get("etat") not in CONDITIONS:
        chosen.pop("etat", None)
    filters = {FILTERS[name][0]: value for name, value in chosen.items()}
    order = window.ORDERS.get(request.args.get("tri", ""), "")
    # The pages behind, by the product each one began after; 0 is the first.
    steps = _numbers(request.args.get("pages", ""))
    after = steps[-1] if steps else 0
    found = window.find(here, words, filters, after=after, order=order)
    used = found.corrected or words
    facets = window.facets(here, used, filters) if found.count else {}

    def link(**changes: Any) -> str:
        """This search with some of its names changed; a page number holds for this search alone."""
        asked = {"q": used, **chosen, "tri": request.args.get("tri") if order else "", **changes}
        query = urlencode({name: value for name, value in asked.items() if value})
        return url_for("portal.search_shop") + (f"?{query}" if query else "")

    is_sorted = bool(order) and found.count <= window.MOST_SORTED
    forward = [*steps, found.next] if found.next and len(steps) < MOST_STEPS else []
    return render_template(
        "portal/shop/search.html",
        site=here,
        words=words,
        title=_title(words, chosen),
        # Search engines read what is narrowed by one thing, and holds something.
        canonical=link(tri="", pages="")
        if found.count and not words and len(chosen) < 2 and not after and not order
        else "",
        found=found,
        cards=window.cards(here, found.ids),
        chosen=[
            (name, FILTERS[name][1], _value(name, v), link(**{name: ""}))
            for name, v in chosen.items()
        ],
        groups=[
            (title, [(_value(name, v), n, link(**{name: v})) for v, n in facets.get(facet, [])])
            for name, (facet, title) in FILTERS.items()
            if name not in chosen and len(facets.get(facet, [])) > 1
        ],
        orders=[
            (label, link(tri=name, pages=""), window.ORDERS[name] == (order if is_sorted else ""))
            for name, label in ORDERS.items()
        ],
        clear=url_for("portal.search_shop", q=words or None),
        before=link(pages=_joined(steps[:-1])) if steps else "",
        following=link(pages=_joined(forward)) if forward else "",
        page=len(steps) + 1,
        too_many_to_sort=bool(order) and not is_sorted,
        departments=[] if found.count else _departments(),
    )


def _title(words: str, chosen: dict[str, str]) -> str:
    """What a list is of: « Chaussures · Pointure 42 »."""
    parts = [f"« {words} »"] if words else []
    for name, value in chosen.items():
        is_size = name in ("pointure", "taille")
        parts.append(f"{FILTERS[name][1]} {value}" if is_size else str(_value(name, value)))
    return " · ".join(parts) or str(_("Everything on sale"))


def _departments() -> list[tuple[str, int]]:
    return window.departments(site()).get("category", [])


def _value(name: str, value: str) -> Any:
    return CONDITIONS.get(value, value) if name == "etat" else value


def _short(words: str, most: int) -> str:
    return " ".join(words.split())[:most]


def _numbers(words: str) -> list[int]:
    """« 120.96 », as an address carries it; what makes no sense is the first page."""
    parts = words[:700].split(".") if words else []
    if len(parts) > MOST_STEPS or not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        return []
    return [int(part) for part in parts if int(part)]


def _joined(steps: list[int]) -> str:
    return ".".join(str(step) for step in steps)


@bp.get("/boutique/suggestions")
@shop_only
def suggestions() -> Any:
    """What goes on as the words begin, as a list to put under the field."""
    here, words = site(), _short(request.args.get("q", ""), MOST_WORDS)
    found = search.find(window.asked(here, words, {}, size=8)) if len(words) > 1 else None
    return render_template(
        "portal/shop/_suggestions.html", cards=window.cards(here, found.ids) if found else []
    )


# ── a product, a vendor ──


@bp.get("/produit/<int:id>")
@bp.get("/produit/<int:id>-<slug>")
@shop_only
def product(id: int, slug: str = "") -> Any:
    """One product with everybody who sells it; its own address is the one of its title."""
    here = site()
    found = window.product(id) if id < 2**31 else None
    if found is None:
        abort(404)
    title, description = products.words_for(found, here.id)
    if found.id != id or slug != slug_of(title):
        return redirect(_address(found, title), code=301)
    postcode = request.args.get("cp", "").strip()
    choices = window.choices(here, found, postcode)
    return render_template(
        "portal/shop/product.html",
        site=here,
        product=found,
        title=title,
        description=description,
        choices=choices,
        best=choices[0] if choices else None,
        grid=grid.of([v for v in found.variants if v.active]),
        free={one.listing.variant_id: one for one in reversed(choices)},
        postcode=postcode,
        is_known_place=not postcode or places.of_postcode(postcode) is not None,
        similar=window.similar(here, found),
        canonical=_address(found, title, whole=True),
        facts=_facts(found, title, description, choices),
        summary=_summary(title, choices),
    )


def _summary(title: str, choices: list[window.Choice]) -> str:
    """One line for who reads the page in a list of answers."""
    if not choices:
        return _("%(title)s: none left for now.", title=title)
    return _(
        "%(title)s: %(count)s offers from %(price)s, new or second-hand, in shops near you.",
        title=title,
        count=len(choices),
        price=money.text(choices[0].price_cents),
    )


def _facts(
    found: Product, title: str, description: str, choices: list[window.Choice]
) -> list[dict[str, Any]]:
    """What the page says, for search engines (schema.org): the same offers and prices, in euros."""
    at = _address(found, title, whole=True)
    steps = [(_("Shop"), url_for("portal.shop", _external=True))]
    if found.category:
        narrowed = url_for("portal.search_shop", rayon=found.category, _external=True)
        steps.append((found.category, narrowed))
    if found.family:
        narrowed = url_for(
            "portal.search_shop",
            rayon=found.category or None,
            famille=found.family,
            _external=True,
        )
        steps.append((found.family, narrowed))
    steps.append((title, at))
    trail = {
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": place, "name": name, "item": address}
            for place, (name, address) in enumerate(steps, 1)
        ],
    }
    of_product: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": title,
        "url": at,
        "description": description,
        "image": url_for("portal.cover", ean=found.variants[0].ean, _external=True)
        if found.variants
        else None,
        "gtin": found.variants[0].ean if len(found.variants) == 1 else None,
        "brand": {"@type": "Brand", "name": found.brand.name} if found.brand else None,
        "offers": [
            {
                "@type": "Offer",
                "price": f"{one.price_cents / 100:.2f}",
                "priceCurrency": "EUR",
                "availability": "https://schema.org/InStock",
                "itemCondition": "https://schema.org/"
                + ("NewCondition" if one.condition is None else "UsedCondition"),
                "seller": {"@type": "Organization", "name": one.listing.vendor.name},
                "gtin": one.listing.variant.ean,
                "url": f"{at}#offre-{one.listing.id}",
            }
            for one in choices
        ],
    }
    return [trail, {name: value for name, value in of_product.items() if value}]


def _address(found: Product, title: str, *, whole: bool = False) -> str:
    return url_for("portal.product", id=found.id, slug=slug_of(title) or None, _external=whole)


@bp.get("/vendeur/<int:id>")
@bp.get("/vendeur/<int:id>-<slug>")
@shop_only
def vendor(id: int, slug: str = "") -> Any:
    """One vendor: who they are, their stores, what they sell."""
    here = site()
    found = window.vendor(here, id) if id < 2**31 else None
    if found is None:
        abort(404)
    if slug != slug_of(found.name):
        return redirect(vendor_url(found), code=301)
    return render_template(
        "portal/shop/vendor.html",
        site=here,
        vendor=found,
        stores=window.stores_of(found),
        newest=window.newest(here, 24, vendor_id=found.id),
    )


@bp.app_template_global()
def vendor_url(found: Vendor) -> str:
    """The page of a vendor."""
    return url_for("portal.vendor", id=found.id, slug=slug_of(found.name) or None)


@bp.app_template_global()
def product_url(card: window.Card) -> str:
    """The page of a product that a list shows."""
    return _address(card.product, card.title)


# ── for search engines ──


@bp.get("/robots.txt")
def robots() -> Response:
    """What programs that read the web may visit: the shop's pages, never a cart or an account."""
    lines = [
        "User-agent: *",
        "Disallow: /gestion/",
        "Disallow: /compte/",
        "Disallow: /recapitulatif",
        "Disallow: /boutique/suggestions",
        "Disallow: /boutique/panier",
        "Disallow: /boutique/reserver",
        "Disallow: /commandes",
    ]
    if has_shop():
        lines.append(f"Sitemap: {url_for('portal.sitemap', _external=True)}")
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


@bp.get("/sitemap.xml")
@shop_only
def sitemap() -> Response:
    """The parts of the site map."""
    addresses = [
        url_for("portal.sitemap_part", part=part, _external=True)
        for part in range(window.parts(site()) + 1)
    ]
    return _xml("sitemapindex", "sitemap", [(address, None) for address in addresses])


@bp.get("/sitemap-<int:part>.xml")
@shop_only
def sitemap_part(part: int) -> Response:
    """The products of one part, each with the day it last changed."""
    here = site()
    if not 0 <= part <= window.parts(here):
        abort(404)
    if not part:  # what is no product: the home, the departments, who sells
        home = url_for("portal.shop", _external=True)
        departments = [
            url_for("portal.search_shop", rayon=name, _external=True)
            for name, _count in _departments()
        ]
        who = [home.removesuffix("/boutique") + vendor_url(one) for one in window.sellers(here)]
        return _xml("urlset", "url", [(at, None) for at in (home, *departments, *who)])
    found = [
        (
            url_for("portal.product", id=id, slug=slug_of(title) or None, _external=True),
            clock.paris(changed).date(),
        )
        for id, title, changed in window.part_of(here, part)
    ]
    return _xml("urlset", "url", found)


def _xml(root: str, name: str, addresses: Sequence[tuple[str, date | None]]) -> Response:
    """A document of sitemaps.org; addresses of ours hold nothing that must be escaped."""
    lines = [
        f"<{name}><loc>{address}</loc>"
        + (f"<lastmod>{day.isoformat()}</lastmod>" if day else "")
        + f"</{name}>"
        for address, day in addresses
    ]
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    head = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="{space}">'
    return Response(head + "".join(lines) + f"</{root}>", mimetype="application/xml")


def slug_of(words: str) -> str:
    """« Vallée des Brumes » → « vallee-des-brumes », for an address."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")


@bp.app_template_global()
def condition_words(condition: Any) -> str:
    """« Neuf », or the condition of a second-hand unit."""
    return str(_("New")) if condition is None else str(workflow.words_of(condition))
