"""What exists: barcodes read and checked, products proposed, validated, merged, described for each
site; covers kept or drawn.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, func, select, update

from models import (
    ArgusValue,
    Brand,
    BrandAgreement,
    Listing,
    Platform,
    PricePoint,
    Product,
    ProductImage,
    ProductKind,
    ProductState,
    ProductText,
    Site,
    Variant,
    Vendor,
)
from services import clock, files, messages, numbering, webhooks, workflow
from services.imports import tables
from services.people import sites
from services.unit import db
from services.words import visible, xml_safe
from services.workflow import Actor, Move, Refused, Workflow

files.named_by(Product, "cover")
files.named_by(ProductImage, "picture")
S = ProductState
workflow.name_states(
    (S.proposed, _l("To validate"), "warn"),
    (S.refused, _l("Refused"), "off"),
    (S.validated, _l("Validated"), "ok"),
    (S.disabled, _l("Taken off sale"), "off"),
    (S.merged, _l("Merged"), "off"),
    (ProductKind.goods, _l("Goods"), "info"),
    (ProductKind.service, _l("Service"), "info"),
)


def _can_be_sold(product: Product) -> str | None:
    """What a sheet lacks to be sold (AN-043), as a sentence."""
    if not product.variants:
        return _("« %(title)s » has no barcode yet: give it one first.", title=product.title)
    if not product.title.strip():
        return _("A product needs a title.")
    return None


PRODUCT = Workflow(
    "product",
    Move(
        "validate",
        _l("Validate"),
        {S.proposed, S.refused, S.disabled},
        S.validated,
        _can_be_sold,
        done=_l("Validated"),
    ),
    Move(
        "disable",
        _l("Take off sale"),
        {S.validated},
        S.disabled,
        done=_l("Taken off sale"),
    ),
    # Two sheets of one product become one. Asked by `merge`, which moves everything first.
    Move("refuse", _l("Refuse"), {S.proposed}, S.refused, done=_l("Refused")),
    Move(
        "merge_into",
        _l("Merged into another"),
        {S.proposed, S.refused, S.validated, S.disabled},
        S.merged,
    ),
)
workflow.says(
    "product",
    absorb=_l("Took in another sheet"),
    propose=_l("Proposed"),
    detach=_l("Barcode detached"),
    begin_apart=_l("Began with a detached barcode"),
    describe=_l("Description of a site"),
    add_image=_l("Picture added"),
    drop_image=_l("Picture taken off"),
    drop_cover=_l("Cover taken off"),
)
workflow.says(
    "variant",
    price=_l("Catalogue price"),
)
workflow.says(
    "brand_agreement",
    agree_brand=_l("Brand agreement"),
)

# What statements written by hand give a product or a reference nobody said more of.
PLAIN_PRODUCT = (
    "kind, status, maker, supplier_ref, category, family, subfamily, season, vat_bp, description,"
    " attributes"
)
PLAIN_PRODUCT_VALUES = "'goods', 'validated', '', '', '', '', '', '', 2000, '', '{}'"
PLAIN_VARIANT = "color, material, size, shoe_size, edition, active"
PLAIN_VARIANT_VALUES = "'', '', '', '', '', true"


class BadEan(Refused):
    """What was typed or read is no barcode; the sentence says what is wrong with it."""


# Spaces, dashes and invisible marks between digits; the mark of a scanner that says which kind of
# code it read (« ]E0 », « ]C1 »).
_SPACES = re.compile(r"^\][A-Za-z]\d|[\s\u00a0\u202f\u200b-\u200f\u202a-\u202e\u2060\ufeff.\-_'’]+")
_SCIENTIFIC = re.compile(r"\d+(?:[.,]\d+)?[eE]\+?\d+")


def read_ean(words: str) -> str:
    """One key per article: 8, 13 or 14 digits, check digit verified; a UPC of 12 digits is the
    EAN-13 that starts with 0.

    Raises BadEan with a sentence (domain.md 2.27).
    """
    # A list has hundreds of thousands of these, nearly all written plainly.
    if (
        len(words) == 13
        and words.isascii()
        and words.isdigit()
        and _check_digit_fits(words)
        and words != "0000000000000"
    ):
        return words
    digits = (
        words
        if words.isdigit()
        else _SPACES.sub("", words.strip().removesuffix(".0").removesuffix(",0"))
    )
    if not digits:
        raise BadEan(_("Type the barcode: the 13 digits under the bars."))
    if _SCIENTIFIC.fullmatch(digits):
        raise BadEan(
            _(
                "A spreadsheet has rounded this barcode (%(words)s): format the column as text and"
                " export again.",
                words=words[:20],
            )
        )
    if isbn := _from_isbn_10(digits):
        return isbn
    if not digits.isascii() or not digits.isdigit() or words.lstrip()[:1] in "-.":
        raise BadEan(_("« %(words)s » is no barcode: it has digits only.", words=words[:20]))
    if len(digits) == 12:
        digits = "0" + digits
    elif len(digits) == 14 and digits[0] == "0":
        digits = digits[1:]
    elif len(digits) in (15, 18) and _check_digit_fits(digits[:13]):  # of a magazine, a book
        digits = digits[:13]
    elif len(digits) == 11 and _check_digit_fits(digits):  # zeros in front add nothing to its sum
        digits = "00" + digits
    if len(digits) not in (8, 13, 14):
        raise BadEan(
            _(
                "A barcode has 8, 12, 13 or 14 digits; this one has %(count)s. A spreadsheet may"
                " have dropped its first zeros: format the column as text and export again.",
                count=len(digits),
            )
            if len(digits) in (7, 9, 10, 11)
            else _(
                "A barcode has 8, 12, 13 or 14 digits; this one has %(count)s.", count=len(digits)
            )
        )
    if len(digits) == 8 and not _check_digit_fits(digits) and (whole := _from_upc_e(digits)):
        return whole
    if not _check_digit_fits(digits) or not digits.strip("0"):
        raise BadEan(
            _(
                "The last digit of %(ean)s does not fit the others: one digit is wrong, read it"
                " again.",
                ean=digits,
            )
        )
    return digits


_ISBN_10 = re.compile(r"\d{9}[\dXx]")


def _from_isbn_10(text: str) -> str:
    """The EAN-13 of an ISBN of ten characters (ISO 2108), « » when it is none."""
    if not text.isascii() or not _ISBN_10.fullmatch(text):
        return ""
    values = [10 if c in "Xx" else int(c) for c in text]
    if sum(weight * value for weight, value in zip(range(10, 0, -1), values, strict=True)) % 11:
        return ""
    if text.isdigit() and _check_digit_fits(text):  # it may as well be a UPC without its zeros
        return ""
    return _with_check_digit("978" + text[:9])


def _from_upc_e(digits: str) -> str:
    """The EAN-13 of a UPC-E of eight digits (GS1 General Specifications 7.4), « » when it is
    none.
    """
    system, six, check = digits[0], digits[1:7], digits[7]
    if system not in "01":
        return ""
    last = six[5]
    if last in "012":
        body = six[:2] + last + "0000" + six[2:5]
    elif last == "3":
        body = six[:3] + "00000" + six[3:5]
    elif last == "4":
        body = six[:4] + "00000" + six[4]
    else:
        body = six[:5] + "0000" + last
    whole = "0" + system + body + check
    return whole if _check_digit_fits(whole) else ""


def _with_check_digit(body: str) -> str:
    """Twelve digits and the thirteenth that fits them."""
    return body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)


def _check_digit_fits(digits: str) -> bool:
    """GS1 check digit: weights 1, 3, 1, 3… from the right sum to a multiple of 10. (A library takes
    ten times longer, felt on long lists.)
    """
    codes = digits.encode()
    ones, threes = codes[-1::-2], codes[-2::-2]
    return (sum(ones) - 48 * len(ones) + 3 * (sum(threes) - 48 * len(threes))) % 10 == 0


def grouped(ean: str) -> str:
    """« 3 760151 200342 », as printed under the bars."""
    return f"{ean[0]} {ean[1:7]} {ean[7:]}" if len(ean) == 13 else ean


def known_first(codes: list[str]) -> str | None:
    """Of the codes a photo shows, the first that the catalogue knows, else the first; None of
    none. A box often shows its barcode beside a shop's sticker.
    """
    if len(codes) < 2:
        return codes[0] if codes else None
    known = set(db.session.scalars(select(Variant.ean).where(Variant.ean.in_(codes))))
    return next((code for code in codes if code in known), codes[0])


def by_ean(ean: str) -> Variant | None:
    return db.session.scalar(select(Variant).where(Variant.ean == ean))


def give_cover(product: Product, picture: str, *, by: Actor) -> None:
    """Make a kept picture (`files.keep_picture`) the cover of a product."""
    product.cover = picture
    workflow.record(product, "cover", by=by)


def drop_cover(product: Product, *, by: Actor) -> None:
    """Take the cover off: the next picture becomes it, else one is drawn."""
    following = min(product.images, key=lambda image: (image.rank, image.id), default=None)
    product.cover = following.picture if following is not None else None
    if following is not None:
        product.images.remove(following)
    workflow.record(product, "drop_cover", by=by)


# ── the cover drawn when there is no photo: title and platform on a ground that is always the same
# for a platform ──

_GROUNDS = (
    "#1d2056",
    "#2b1248",
    "#13332c",
    "#4a101d",
    "#14395c",
    "#0d6591",
    "#5a2710",
    "#1f5a2a",
    "#4a3f9e",
    "#22262f",
)
_MOST_LINES, _MOST_LETTERS = 5, 11


def drawn_cover(title: str, platform: str) -> str:
    """An SVG picture of 60 × 80: never a broken image, and two platforms told apart at a glance."""
    digest = hashlib.sha256((platform or title).encode()).digest()
    ground = _GROUNDS[digest[0] % len(_GROUNDS)]
    turn = hashlib.sha256(title.encode()).digest()[0] % 30
    lines = "".join(
        f'<tspan x="5" y="{20 + 8 * i}">{escape(line)}</tspan>'
        for i, line in enumerate(wrap(xml_safe(title).upper(), _MOST_LETTERS, _MOST_LINES))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 80" role="img"><rect width="60"'
        f' height="80" fill="{ground}"/><g fill="none" stroke="#fff" stroke-opacity=".28"'
        f' stroke-width="1.4" transform="rotate({turn - 15} 42 62)"><circle cx="42" cy="62"'
        ' r="9"/><circle cx="42" cy="62" r="15"/><circle cx="42" cy="62" r="3"/></g><text'
        ' font-family="system-ui,sans-serif" font-size="7" font-weight="800"'
        f' fill="#fff">{lines}</text><rect width="60" height="9" fill="#fff"/><text x="4" y="6.4"'
        ' font-family="system-ui,sans-serif" font-size="4.6" font-weight="800"'
        f' fill="{ground}">{escape(platform.upper()[:20])}</text></svg>'
    )


def wrap(words: str, width: int, most: int) -> list[str]:
    """Cut a title into short lines; the last one says « … » when something is left over."""
    lines: list[str] = []
    for word in words.split():
        word = word if len(word) <= width else word[: width - 1] + "…"
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += " " + word
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: width - 1] + "…"]
    return lines


def cover_of(ean: str) -> tuple[str | None, str, str] | None:
    """Stored file name, title and platform of the article with this barcode; None when we do not
    know it.
    """
    row = db.session.execute(
        select(Product.cover, Product.title, Platform.name)
        .join(Variant, Variant.product_id == Product.id)
        .outerjoin(Platform, Platform.id == Product.platform_id)
        .where(Variant.ean == ean)
    ).first()
    return (row[0], row[1], row[2] or "") if row else None


def new_reference(title: str, words: str) -> Variant:
    """An article nobody had listed, held in one's hand: a product of its own, without a value
    yet.
    """
    product = Product(title=title, category="", created_at=clock.now())
    db.session.add(product)
    db.session.flush()
    variant = add_reference(product, words)
    db.session.flush()
    return variant


def add_reference(product: Product, words: str) -> Variant:
    """Give a product a barcode. Raises Refused when it is none, or another product has it."""
    ean = read_ean(words)
    existing = by_ean(ean)
    if existing is not None:
        raise Refused(
            _(
                "%(ean)s is already the barcode of « %(title)s ».",
                ean=ean,
                title=existing.product.title,
            )
        )
    variant = Variant(product=product, ean=ean)
    db.session.add(variant)
    db.session.flush()
    return variant


def own_ean() -> str:
    """A barcode of our own for what has none (a service): GS1 keeps 20 to 29 for use inside a
    company.
    """
    while True:
        body = f"29{numbering.take('own EAN'):010d}"
        ean = _with_check_digit(body)
        if by_ean(ean) is None:
            return ean


def new_service(title: str, *, by: Actor) -> Product:
    """Something done rather than delivered (an installation): sold like the rest, under a barcode
    of our own (AN-007).
    """
    product = Product(title=_tidy(title, 300), kind=ProductKind.service, created_at=clock.now())
    if not product.title:
        raise Refused(_("A product needs a title."))
    db.session.add(product)
    db.session.flush()
    add_reference(product, own_ean())
    workflow.record(product, "create", by=by)
    return product


# ── proposed by a vendor, validated by the operator ──


def propose(
    vendor: Vendor, title: str, ean: str, *, by: Actor, brand: str = "", supplier_ref: str = ""
) -> Product:
    """A product a vendor sells and the catalogue does not know: a sheet that waits to be validated.
    Raises Refused.
    """
    if not _tidy(title, 300):
        raise Refused(_("A product needs a title."))
    product = Product(
        title=_tidy(title, 300),
        status=S.proposed,
        supplier_ref=_tidy(supplier_ref, 60),
        proposed_by_id=vendor.id,
        created_at=clock.now(),
    )
    product.brand = brand_named(brand) if brand.strip() else None
    db.session.add(product)
    db.session.flush()
    add_reference(product, ean)
    workflow.record(product, "propose", by=by, vendor=vendor.name)
    return product


def validate(product: Product, *, by: Actor) -> None:
    """It may be sold. Its vendor's software is told. Raises Refused with what is missing."""
    PRODUCT.fire(product, "validate", by=by)
    if product.proposed_by_id:
        webhooks.tell(
            product.proposed_by_id,
            "product.validated",
            {"product": product.id, "eans": [v.ean for v in product.variants]},
        )


def refuse(product: Product, reason: str, *, by: Actor) -> None:
    """A proposal that the catalogue does not take; its vendor is told why, by mail and by webhook.
    Raises Refused without a reason.
    """
    reason = _tidy(reason, 300)
    if not reason:
        raise Refused(_("Say why: its vendor reads it."))
    PRODUCT.fire(product, "refuse", by=by, reason=reason)
    if not product.proposed_by_id:
        return
    webhooks.tell(
        product.proposed_by_id,
        "product.refused",
        {"product": product.id, "eans": [v.ean for v in product.variants], "reason": reason},
    )
    site = sites.of_vendor(product.proposed_by_id)
    if site is not None:
        messages.tell_shop("proposal_refused", site=site, product=product, reason=reason)


def disable(product: Product, *, by: Actor) -> None:
    """It is sold no more; stock and history stay."""
    PRODUCT.fire(product, "disable", by=by)


# ── two sheets of one product ──


def merge(product: Product, into: Product, *, by: Actor) -> None:
    """Move everything a double has (barcodes with their stock and history, descriptions, pictures)
    to the sheet that stays.

    Nothing is lost: what both have, the sheet that stays keeps; the double remains, marked, and
    leads there. Raises Refused.
    """
    if product.id == into.id:
        raise Refused(_("Choose the other sheet: this is the same one."))
    if into.status is S.merged:
        raise Refused(
            _("« %(title)s » was itself merged: choose the sheet that stays.", title=into.title)
        )
    if product.kind is not into.kind:
        raise Refused(_("Goods and a service cannot be one sheet."))
    reason = PRODUCT.why_not(product, "merge_into", by.kind)
    if reason:
        raise Refused(reason)
    moved = [variant.ean for variant in product.variants]
    for variant in list(product.variants):
        variant.product = into
    taken = {text.site_id for text in into.texts}
    for text in list(product.texts):
        if text.site_id not in taken:
            db.session.add(
                ProductText(
                    product_id=into.id,
                    site_id=text.site_id,
                    title=text.title,
                    description=text.description,
                )
            )
    for picture in [image.picture for image in product.images] + (
        [product.cover] if product.cover and into.cover else []
    ):
        db.session.add(ProductImage(product_id=into.id, picture=picture, rank=len(into.images)))
    for name in (*_OF_A_MODEL, "cover"):
        if not getattr(into, name) and getattr(product, name):
            setattr(into, name, getattr(product, name))
    into.attributes = {**product.attributes, **into.attributes}
    product.cover = None
    for image in list(product.images):
        db.session.delete(image)
    db.session.execute(
        update(Product).where(Product.merged_into_id == product.id).values(merged_into_id=into.id)
    )
    product.merged_into_id = into.id
    PRODUCT.fire(
        product, "merge_into", by=by, into=into.id, title=into.title, eans=", ".join(moved)
    )
    workflow.record(into, "absorb", by=by, what=product.title, eans=", ".join(moved))
    db.session.expire(into)
    db.session.expire(product)


def why_not_detach(variant: Variant) -> str | None:
    """None when a barcode may leave its sheet, else the sentence that says why not."""
    if variant.product.status is S.merged:
        return _("This sheet was merged: open the one that took its place.")
    if len(variant.product.variants) < 2:
        return _("It is the only barcode of its sheet: change the sheet itself.")
    return None


def detach(variant: Variant, *, by: Actor) -> Product:
    """Give a barcode a sheet of its own, a copy of the one it was on to be corrected; its stock,
    prices and history stay with it. Raises Refused.

    It is undone by merging the two sheets.
    """
    product = variant.product
    if reason := why_not_detach(variant):
        raise Refused(reason)
    own = Product(
        created_at=clock.now(),
        kind=product.kind,
        status=product.status,
        attributes=dict(product.attributes),
        **{name: getattr(product, name) for name in _COPIED},
    )
    db.session.add(own)
    variant.product = own
    db.session.flush()
    workflow.record(product, "detach", by=by, ean=variant.ean, into=own.id)
    workflow.record(own, "begin_apart", by=by, ean=variant.ean, sheet=product.id)
    db.session.expire(product)
    return own


# What a sheet says of its model, whatever its title.
_OF_A_MODEL = (
    "platform_id",
    "brand_id",
    "maker",
    "supplier_ref",
    "category",
    "family",
    "subfamily",
    "season",
    "description",
)
# What a sheet that begins apart has in common with the one it leaves.
_COPIED = ("title", *_OF_A_MODEL, "vat_bp", "proposed_by_id")


def sheet(id: int) -> Product | None:
    """The sheet of a number, or the one that took its place."""
    product = db.session.get(Product, id)
    return (
        db.session.get(Product, product.merged_into_id)
        if product and product.merged_into_id
        else product
    )


# ── described ──


def describe(product: Product, site: Site, title: str, description: str, *, by: Actor) -> None:
    """How one site speaks of it; both empty: as the sheet does."""
    existing = db.session.scalar(
        select(ProductText).where(
            ProductText.product_id == product.id, ProductText.site_id == site.id
        )
    )
    title, description = _tidy(title, 300), visible_lines(description)[:10_000]
    if existing is None and (title or description):
        db.session.add(
            ProductText(
                product_id=product.id, site_id=site.id, title=title, description=description
            )
        )
    elif existing is not None and not title and not description:
        db.session.delete(existing)
    elif existing is not None:
        existing.title, existing.description = title, description
    workflow.record(product, "describe", by=by, site=site.name)


def words_for(product: Product, site_id: int | None) -> tuple[str, str]:
    """Title and description as a site shows them."""
    own = next((text for text in product.texts if text.site_id == site_id), None)
    return (own and own.title) or product.title, (own and own.description) or product.description


MOST_IMAGES = 8


def add_image(product: Product, picture: str, *, by: Actor) -> None:
    """One more kept picture (`files.keep_picture`); the first becomes the cover. Raises Refused
    above eight.
    """
    if product.cover is None:
        product.cover = picture
    elif len(product.images) >= MOST_IMAGES:
        raise Refused(
            _(
                "A product has at most %(most)s pictures besides its cover: take one off first.",
                most=MOST_IMAGES,
            )
        )
    else:
        product.images.append(ProductImage(picture=picture, rank=len(product.images)))
    workflow.record(product, "add_image", by=by)


def drop_image(product: Product, image: ProductImage, *, by: Actor) -> str:
    """Take a picture off; returns the name of its file, to be dropped once that is kept."""
    db.session.delete(image)
    workflow.record(product, "drop_image", by=by)
    return image.picture


def take_picture_off(product: Product, picture: str, *, by: Actor) -> bool:
    """Take a picture off by its name, the cover or another; False when it is gone already."""
    if product.cover == picture:
        drop_cover(product, by=by)
        return True
    image = next((one for one in product.images if one.picture == picture), None)
    if image is None:
        return False
    product.images.remove(image)
    workflow.record(product, "drop_image", by=by)
    return True


# ── prices: what was asked, and since when ──


def set_price(variant: Variant, price_cents: int | None, *, by: Actor) -> None:
    """The catalogue price (tax included) from now on, kept in its history."""
    if price_cents is not None and price_cents < 0:
        raise Refused(_("A price cannot be negative."))
    if variant.advised_cents == price_cents:
        return
    before = variant.advised_cents
    variant.advised_cents = price_cents
    if price_cents is not None:
        db.session.add(
            PricePoint(variant_id=variant.id, price_cents=price_cents, since=clock.now())
        )
    workflow.record(variant, "price", by=by, before_cents=before, after_cents=price_cents)


def lowest_of_30_days(variant_id: int, listing_id: int | None = None) -> int | None:
    """The lowest price asked in the 30 days before the reduction of today began (art. L112-1-1 c.
    conso.): what must be shown beside it.

    The price in force when the 30 days began counts too; the price in force now does not. None when
    nothing was asked before.
    """
    points = db.session.execute(
        _points().where(
            PricePoint.variant_id == variant_id,
            PricePoint.listing_id.is_not_distinct_from(listing_id),
        )
    )
    return _lowest([(price, since) for _listing, price, since in points])


def lowest_of_listings(ids: Collection[int]) -> dict[int, int | None]:
    """The same of many listings, by their numbers."""
    points: dict[int | None, list[tuple[int, datetime]]] = {}
    for listing, price, since in db.session.execute(
        _points().where(PricePoint.listing_id.in_(ids))
    ):
        points.setdefault(listing, []).append((price, since))
    return {id: _lowest(points.get(id, [])) for id in ids}


def _points() -> Select[int | None, int, datetime]:
    """What was asked until now, the oldest first."""
    return (
        select(PricePoint.listing_id, PricePoint.price_cents, PricePoint.since)
        .where(PricePoint.since <= clock.now())
        .order_by(PricePoint.since, PricePoint.id)
    )


def _lowest(points: Sequence[tuple[int, datetime]]) -> int | None:
    """Of prices in cents and the moments they were asked from, the oldest first."""
    if not points:
        return None
    # The reduction began with the price that is asked now, however often it was said again.
    begins = len(points) - 1
    while begins and points[begins - 1][0] == points[-1][0]:
        begins -= 1
    start = points[begins][1] - timedelta(days=30)
    earlier = points[:begins]
    found = [price for price, since in earlier if since > start]
    found += [price for price, since in earlier if since <= start][-1:]
    return min(found) if found else None


# ── brands and what they agree to ──


def brand_named(name: str) -> Brand:
    """The brand of this name, made when it is new."""
    name = _tidy(name, 100)
    found = db.session.scalar(select(Brand).where(func.lower(Brand.name) == name.lower()))
    if found is None:
        found = Brand(name=name, needs_agreement=False)
        db.session.add(found)
        db.session.flush()
    return found


def why_not_sold_by(vendor_id: int, product: Product) -> str | None:
    """None when a vendor may sell this product, else the sentence that says why not (AN-018,
    AN-043).
    """
    facts = db.session.execute(_selling_facts(vendor_id).where(Product.id == product.id)).one()
    return _why_not_sold(*facts)


def why_not_sold(vendor_id: int, variant_ids: set[int]) -> dict[int, str]:
    """Of many references at once, those a vendor may not sell, each with its sentence."""
    found: dict[int, str] = {}
    facts = _selling_facts(vendor_id).join(Variant, Variant.product_id == Product.id)
    for some in tables.chunks(sorted(variant_ids), 500):
        rows = facts.add_columns(Variant.id).where(Variant.id.in_(some))
        for *facts_of_one, id in db.session.execute(rows):
            if reason := _why_not_sold(*facts_of_one):
                found[id] = reason
    return found


def _selling_facts(vendor_id: int) -> Any:
    """What `_why_not_sold` looks at, of products: None where a product has no brand or the brand
    and the vendor have no agreement.
    """
    agreed = (BrandAgreement.brand_id == Product.brand_id) & (BrandAgreement.vendor_id == vendor_id)
    return (
        select(
            Product.title, Product.status, Brand.name, Brand.needs_agreement, BrandAgreement.allowed
        )
        .outerjoin(Brand, Brand.id == Product.brand_id)
        .outerjoin(BrandAgreement, agreed)
    )


def _why_not_sold(
    title: str, state: ProductState, brand: str | None, asks: bool | None, agreed: bool | None
) -> str | None:
    """The law: a product is validated; its brand did not exclude the vendor, and agreed where it
    asks to be asked.
    """
    if state is not S.validated:
        return _("« %(title)s » is not validated for sale yet.", title=title)
    if agreed is False:
        return _("The brand %(brand)s excluded this vendor.", brand=brand)
    if asks and not agreed:
        return _("The brand %(brand)s asks for its agreement, and has not given it.", brand=brand)
    return None


def closed_brands(vendor_id: int) -> Select[Any]:
    """The brands a vendor may not sell."""
    allowed = select(BrandAgreement.brand_id).where(
        BrandAgreement.vendor_id == vendor_id, BrandAgreement.allowed
    )
    excluded = select(BrandAgreement.brand_id).where(
        BrandAgreement.vendor_id == vendor_id, ~BrandAgreement.allowed
    )
    return select(Brand.id).where(
        (Brand.needs_agreement & Brand.id.not_in(allowed)) | Brand.id.in_(excluded)
    )


def why_not_delete(product: Product) -> str | None:
    """A sheet with references that were priced or sold stays."""
    ids = [variant.id for variant in product.variants]
    used = [
        model
        for model in (ArgusValue, Listing)
        if db.session.scalar(select(model.id).where(model.variant_id.in_(ids)).limit(1))
    ]
    return _("It was priced or sold: take it off sale instead.") if used else None


def _tidy(words: str, most: int) -> str:
    return " ".join(visible(words).split())[:most]


def visible_lines(words: str) -> str:
    return "\n".join(visible(line).rstrip() for line in words.splitlines()).strip()
