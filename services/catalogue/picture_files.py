"""An archive of pictures, each named by what it shows: « 3760151250002.jpg », « LOR-100-2.jpg » for
a second one, or « LOR-100/2.jpg ». All are added at once, in the order of their numbers.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, insert, select

from models import ImportBefore, ImportRun, Product, ProductState, Variant
from services import files
from services.catalogue import products
from services.imports import archives, runs, tables, undoing
from services.imports.undoing import Undone
from services.pictures import MOST_BYTES
from services.unit import db, retried, unit_of_work
from services.workflow import Actor, Refused

MOST_AT_ONCE = 1_000  # they are written in one short unit
TOLD_EVERY = 10  # pictures: each takes a while, so people see how far it is
_NUMBER_AT_END = re.compile(r"(.+?)[\s_\-.]*\(?(\d{1,2})\)?")
_WORD_AT_END = re.compile(r"(.+?)[\s_\-.]*\(?[^\W\d_]+\)?")
_ONLY_A_NUMBER = re.compile(r"\(?(\d{1,3})\)?")
_LAST = 50  # the place of a picture whose name gives no number


@dataclass(frozen=True)
class Found:
    """A picture of the archive, kept: its line, of which product, in which order, under which name
    here (none in a trial).
    """

    line: int
    product_id: int
    rank: tuple[int, str]
    picture: str


def _load(loading: runs.Loading) -> None:
    at = loading.open()
    if not archives.is_archive(loading.source):
        raise Refused(_("Pictures are given as a ZIP archive."))
    reader = _Reader(loading, at["file"])
    found = sorted(loading.rows(reader.row), key=lambda one: (one.product_id, one.rank))
    loading.progress()
    mark = loading.mark()

    def work() -> None:
        loading.back_to(mark)
        with unit_of_work() as session:
            _add(loading, session, found)

    retried(work)


class _Reader:
    """Turns the names of an archive into kept pictures."""

    def __init__(self, loading: runs.Loading, place: int) -> None:
        self.loading, self.place = loading, place
        self.products: dict[str, int] = {}
        self.seen: dict[int, set[str]] = {}

    def row(self, line: int, cells: list[str]) -> Found:
        if line > MOST_AT_ONCE:
            raise Refused(
                _(
                    "An archive is read up to its %(most)s first pictures: give the rest in"
                    " another.",
                    most=MOST_AT_ONCE,
                )
            )
        if line % TOLD_EVERY == 0:
            self.loading.progress()
        name = cells[self.place]
        product_id, number = self._product(name)
        data = archives.read(self.loading.source, name, MOST_BYTES)
        made = files.make_again(data)
        print_of_it = _print(made)
        if print_of_it in self._prints(product_id):
            raise runs.Ignored(_("Its sheet has this picture already."))
        self._prints(product_id).add(print_of_it)
        picture = "" if self.loading.is_trial else files.keep(made, ".jpg")
        return Found(line, product_id, (number, name), picture)

    def _product(self, name: str) -> tuple[int, int]:
        """The product a name says, and the number of the picture. Raises Refused."""
        path = PurePosixPath(name)
        ways = _said_by(path.stem)
        if len(path.parts) > 1:  # « LOR-100/2.jpg »
            only = _ONLY_A_NUMBER.fullmatch(path.stem)
            ways.insert(0 if only else len(ways), (path.parts[-2], int(only[1]) if only else _LAST))
        for words, number in ways:
            if words not in self.products:
                self.products[words] = _product_called(words)
            if self.products[words]:
                return self.products[words], number
        raise Refused(
            _(
                "No product has the barcode or the supplier reference « %(words)s »: name the"
                " picture by one of them.",
                words=path.stem[:40],
            )
        )

    def _prints(self, product_id: int) -> set[str]:
        """What the pictures of a product look like, so that none is added twice."""
        if product_id not in self.seen:
            product = db.session.get_one(Product, product_id)
            names = [product.cover, *(image.picture for image in product.images)]
            db.session.rollback()
            self.seen[product_id] = {_print(files.read(name)) for name in names if name}
        return self.seen[product_id]


def _print(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()


def _said_by(stem: str) -> list[tuple[str, int]]:
    """What a name may call a product, and the number of the picture: « ZEF-5-2 », then « ZEF-5 »
    and its second; « ZEF-5 - arrière » too, whose last words are no part of a reference.
    """
    ways, number = [(stem, 0)], 0
    while len(ways) < 5:
        if numbered := _NUMBER_AT_END.fullmatch(stem):
            stem, number = numbered[1], number or int(numbered[2])
        elif worded := _WORD_AT_END.fullmatch(stem):
            stem, number = worded[1], number or _LAST
        else:
            break
        ways.append((stem, number))
    return ways


def _product_called(words: str) -> int:
    """The product of a barcode, or the only one of a supplier reference; 0 when there is none.
    Raises Refused when several have that reference.
    """
    digits = re.sub(r"[\s.\-]", "", words)
    found: list[Any] = []
    if digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 14:
        eans = {digits, digits.zfill(13), digits.removeprefix("0")}
        found = list(
            db.session.scalars(
                select(Variant.product_id).where(Variant.ean.in_(eans)).distinct().limit(2)
            )
        )
    if not found:
        found = list(
            db.session.scalars(
                select(func.coalesce(Product.merged_into_id, Product.id))
                .where(
                    Product.supplier_ref.in_(
                        {
                            way(spelled)
                            for spelled in (words, re.sub(r"[\s_]+", "-", words))
                            for way in (str, str.upper, str.lower)
                        }
                    ),
                    Product.supplier_ref != "",
                    Product.status != ProductState.refused,
                )
                .distinct()
                .limit(2)
            )
        )
    db.session.rollback()
    if len(found) > 1:
        raise Refused(
            _(
                "Several products have the reference « %(words)s »: name the picture by a barcode.",
                words=words[:40],
            )
        )
    return int(found[0]) if found else 0


def _add(loading: runs.Loading, session: Any, found: list[Found]) -> None:
    by = Actor("machine", loading.run_id, loading.by_name)
    added: list[dict[str, Any]] = []
    left_out: dict[int, str] = {}
    for one in found:
        product = session.get_one(Product, one.product_id)
        try:
            products.add_image(product, one.picture, by=by)
        except Refused as refusal:
            left_out[one.line] = str(refusal)
            continue
        added.append(
            {
                "run_id": loading.run_id,
                "subject": "product",
                "subject_id": product.id,
                "after": {"picture": one.picture},
            }
        )
    loading.put_aside_late(left_out, ignored=True)
    if added:
        session.execute(insert(ImportBefore), added)
    loading.ended(session, created=len(added))


def _undo(run: ImportRun, by: Actor) -> Undone:
    """Take off the pictures an archive brought, those somebody took off since excepted."""
    rows = db.session.scalars(
        select(ImportBefore).where(ImportBefore.run_id == run.id).order_by(ImportBefore.id)
    ).all()
    done = 0
    for row in rows:
        product = db.session.get(Product, row.subject_id)
        for one in (product, product.merged_into if product is not None else None):
            if one is not None and row.after:  # merging moved its pictures to the other sheet
                done += products.take_picture_off(one, row.after["picture"], by=by)
    return Undone(done)


KIND = runs.kind(
    "pictures",
    _l("Pictures (ZIP)"),
    {"file": (tables.PICTURE_COLUMN, "photo")},
    ("file",),
    _load,
    for_vendors=False,
    help=_l(
        "An archive of pictures, each named by the barcode or the supplier reference of what it"
        " shows, « -2 » for the second one."
    ),
)
undoing.law(KIND.name, _undo)
