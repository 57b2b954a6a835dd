"""What exists: barcodes read and checked, products found, covers kept or drawn."""

import hashlib
import re
from xml.sax.saxutils import escape

from flask_babel import gettext as _
from sqlalchemy import select

from models import Platform, Product, Variant
from services import clock, files, workflow
from services.unit import db
from services.words import xml_safe
from services.workflow import Actor, Refused

files.named_by(Product, "cover")


class BadEan(Refused):
    """What was typed or read is no barcode; the sentence says what is wrong with it."""


_SPACES = re.compile(r"[\s\u00a0\u202f.\-_'’]+")
_SCIENTIFIC = re.compile(r"\d+(?:[.,]\d+)?[eE]\+?\d+")


def read_ean(words: str) -> str:
    """One key per article: 8, 13 or 14 digits, check digit verified; a UPC of 12 digits is the EAN-13 that starts with 0.

    Raises BadEan with a sentence (domain.md 2.27).
    """
    # A list has hundreds of thousands of these, nearly all written plainly: no regular expression for them.
    digits = words if words.isdigit() else _SPACES.sub("", words.strip().removesuffix(".0").removesuffix(",0"))
    if not digits:
        raise BadEan(_("Type the barcode: the 13 digits under the bars."))
    if _SCIENTIFIC.fullmatch(digits):
        raise BadEan(_("A spreadsheet has rounded this barcode (%(words)s): format the column as text and export again.", words=words[:20]))
    if not digits.isascii() or not digits.isdigit() or words.lstrip()[:1] in "-.":
        raise BadEan(_("« %(words)s » is no barcode: it has digits only.", words=words[:20]))
    if len(digits) == 12:
        digits = "0" + digits
    elif len(digits) == 14 and digits[0] == "0":
        digits = digits[1:]
    if len(digits) not in (8, 13, 14):
        raise BadEan(_("A barcode has 8, 12, 13 or 14 digits; this one has %(count)s.", count=len(digits)))
    if not _check_digit_fits(digits) or not digits.strip("0"):
        raise BadEan(_("The last digit of %(ean)s does not fit the others: one digit is wrong, read it again.", ean=digits))
    return digits


def _check_digit_fits(digits: str) -> bool:
    """GS1 check digit: weights 1, 3, 1, 3… from the right sum to a multiple of 10. (A library takes ten times longer, felt on long lists.)"""
    codes = digits.encode()
    ones, threes = codes[-1::-2], codes[-2::-2]
    return (sum(ones) - 48 * len(ones) + 3 * (sum(threes) - 48 * len(threes))) % 10 == 0


def grouped(ean: str) -> str:
    """« 3 760151 200342 », as printed under the bars."""
    return f"{ean[0]} {ean[1:7]} {ean[7:]}" if len(ean) == 13 else ean


def by_ean(ean: str) -> Variant | None:
    return db.session.scalar(select(Variant).where(Variant.ean == ean))


def give_cover(product: Product, picture: str, *, by: Actor) -> None:
    """Make a kept picture (`files.keep_picture`) the cover of a product."""
    product.cover = picture
    workflow.record(product, "cover", by=by)


# ── the cover drawn when there is no photo: title and platform on a ground that is always the same for a platform ──

_GROUNDS = ("#1d2056", "#2b1248", "#13332c", "#4a101d", "#14395c", "#0d6591", "#5a2710", "#1f5a2a", "#4a3f9e", "#22262f")
_MOST_LINES, _MOST_LETTERS = 5, 11


def drawn_cover(title: str, platform: str) -> str:
    """An SVG picture of 60 × 80: never a broken image, and two platforms told apart at a glance."""
    digest = hashlib.sha256((platform or title).encode()).digest()
    ground = _GROUNDS[digest[0] % len(_GROUNDS)]
    turn = hashlib.sha256(title.encode()).digest()[0] % 30
    lines = "".join(
        f'<tspan x="5" y="{20 + 8 * i}">{escape(line)}</tspan>' for i, line in enumerate(wrap(xml_safe(title).upper(), _MOST_LETTERS, _MOST_LINES))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 80" role="img">'
        f'<rect width="60" height="80" fill="{ground}"/>'
        f'<g fill="none" stroke="#fff" stroke-opacity=".28" stroke-width="1.4" transform="rotate({turn - 15} 42 62)">'
        '<circle cx="42" cy="62" r="9"/><circle cx="42" cy="62" r="15"/><circle cx="42" cy="62" r="3"/></g>'
        f'<text font-family="system-ui,sans-serif" font-size="7" font-weight="800" fill="#fff">{lines}</text>'
        '<rect width="60" height="9" fill="#fff"/>'
        f'<text x="4" y="6.4" font-family="system-ui,sans-serif" font-size="4.6" font-weight="800" fill="{ground}">'
        f"{escape(platform.upper()[:20])}</text></svg>"
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
    """Stored file name, title and platform of the article with this barcode; None when we do not know it."""
    row = db.session.execute(
        select(Product.cover, Product.title, Platform.name)
        .join(Variant, Variant.product_id == Product.id)
        .outerjoin(Platform, Platform.id == Product.platform_id)
        .where(Variant.ean == ean)
    ).first()
    return (row[0], row[1], row[2] or "") if row else None


def new_reference(title: str, words: str) -> Variant:
    """An article nobody had listed, held in one's hand: a product of its own, without a value yet."""
    product = Product(title=title, category="", created_at=clock.now())
    db.session.add(product)
    db.session.flush()
    variant = add_reference(product, words)
    db.session.flush()
    return variant


def add_reference(product: Product, words: str) -> Variant:
    """Give a product a barcode. Raises Refused when it is none, or another product has it."""
    ean = read_ean(words)
    known = by_ean(ean)
    if known is not None:
        raise Refused(_("%(ean)s is already the barcode of « %(title)s ».", ean=ean, title=known.product.title))
    variant = Variant(product=product, ean=ean)
    db.session.add(variant)
    db.session.flush()
    return variant
