"""« Rechercher partout »: one search over what is printed, named or sold."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, false, or_, select

from models import BankDetails, Customer, Item, Label, Offer, OfferState, Parcel, TransferBatch
from services import access
from services.catalogue import products
from services.catalogue import search as catalogue_search
from services.orders import parts
from services.payments import bank_details, store_credit
from services.unit import db


@dataclass(frozen=True)
class Found:
    """Rows by the view that shows them; the words used instead of words nothing answered."""

    rows: dict[str, list[Any]]
    corrected: str = ""


MOST_OPENED = 500  # accounts with the same last four characters


def _parcels_with_label(number: str, limit: int) -> Select[tuple[Parcel]]:
    labels = select(Label.parcel_id).where(Label.number == number)
    return select(Parcel).where(Parcel.id.in_(labels)).limit(limit)


def _by_printed_number(code: str, limit: int) -> Found | None:
    """What a code of ours names, by its first letters; None when it is no code of ours."""
    if code.startswith("CDE"):
        code = re.sub(r"(-C)?(-\d+)?$", "", code)  # a payment is named by its sale
        return Found({"OfferView": _sale(code[3:]) or _sales_beginning_with(code, limit)})
    if re.fullmatch(r"ART\d{1,9}", code):
        units = select(Item).where(Item.id == int(code[3:]))
        return Found({"ItemView": list(db.session.scalars(units))})
    if re.fullmatch(r"BON\d{10}", code):
        with access.limited_to(None):  # a card is shown at the till; its purses are limited there
            holder = store_credit.of_card(code)
        return Found({"StoreCreditView": [holder] if holder else []})
    if code.startswith("VIR-"):
        files = select(TransferBatch).where(TransferBatch.number == code)
        return Found({"PaymentsView": list(db.session.scalars(files))})
    return None


def _sale(digits: str) -> list[Offer]:
    """The sale with this number, typed without its zeros: « 91 » is CDE000000091."""
    if not re.fullmatch(r"\d{1,9}", digits):
        return []
    sale = select(Offer).where(
        Offer.number == f"CDE{int(digits):09d}", Offer.status != OfferState.deleted
    )
    return list(db.session.scalars(sale))


def _sales_beginning_with(code: str, limit: int) -> list[Offer]:
    sales = select(Offer).where(
        Offer.number.like(_like(code), escape="\\"), Offer.status != OfferState.deleted
    )
    return list(db.session.scalars(sales.limit(limit)))


def _by_iban(code: str, limit: int) -> Found | None:
    """Whose account a whole IBAN is; None when nobody's: a label's number may look like one. Who
    types it knows it already.
    """
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}", code):
        return None
    rows = select(BankDetails).where(BankDetails.iban_tail == code[-4:]).limit(MOST_OPENED)
    holders = [
        details.customer_id
        for details in db.session.scalars(rows)
        if bank_details.opens(details) and bank_details.opened(details) == code
    ]
    sellers = select(Customer).where(Customer.id.in_(holders), Customer.erased_at.is_(None))
    found = list(db.session.scalars(sellers.limit(limit)))
    return Found({"SellerView": found}) if found else None


def search(words: str, limit: int = 20) -> Found:
    """What a printed number names (CDE, ART, VIR, a label, a barcode, an IBAN) alone, else sales,
    sellers and products that match.
    """
    upper = words.upper().replace(" ", "")
    if (printed := _by_printed_number(upper, limit)) is not None:
        return printed
    if "-" in upper and (orders := parts.named_by(upper)):
        return Found({"SaleView": orders})
    if (holder := _by_iban(upper, limit)) is not None:
        return holder
    if (
        upper.isalnum()
        and 8 <= len(upper) <= 40
        and (by_label := db.session.scalars(_parcels_with_label(upper, limit)).all())
    ):
        return Found({"ParcelView": list(by_label)})
    try:
        variant = products.by_ean(products.read_ean(words))
        return Found({"ProductView": [variant.product] if variant else []})
    except products.BadEan:
        pass
    like = _like(words)
    digits = "".join(c for c in words if c.isdigit())
    number = digits.lstrip("0")
    people = select(Customer).where(
        Customer.erased_at.is_(None),
        or_(
            Customer.email.ilike(like, escape="\\"),
            Customer.last_name.ilike(like, escape="\\"),
            Customer.phone.like(f"%{number}") if len(number) >= 8 else false(),
            (
                Customer.id.in_(
                    select(BankDetails.customer_id).where(BankDetails.iban_tail == digits)
                )
                if len(digits) == 4
                else false()
            ),
        ),
    )
    sellers = list(db.session.scalars(people.limit(limit)))
    sales = _sale(upper)
    orders = parts.named_by(upper)
    if "@" in words:
        return Found({"SellerView": sellers})
    goods = catalogue_search.find(
        catalogue_search.Asked(words, size=limit, states=catalogue_search.LIVING)
    )
    if goods.corrected and (sales or sellers or orders):
        return Found({"SaleView": orders, "OfferView": sales, "SellerView": sellers})
    return Found(
        {
            "SaleView": orders,
            "OfferView": sales,
            "SellerView": sellers,
            "ProductView": catalogue_search.products(goods.ids),
        },
        goods.corrected,
    )


def _like(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
