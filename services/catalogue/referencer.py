"""The référencier: one supplier catalogue for all shops, taken in as a file and given out as the
same file (AN-030 to AN-038).

Lines are staged beside the catalogue, compared with it in one go, and only what differs is written,
in one short transaction. References of one model (supplier reference, brand or maker, and a like
title: services/catalogue/identity.py) are one product. A column the file lacks leaves what is
there: the same file, cut to a few columns, edits many products at once. What the lines of one
product contradict is left as it is, and told in the report.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache, partial
from itertools import groupby
from typing import Any

import openpyxl
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Connection, select, text

from models import Brand, Platform
from services import clock, money, settings, words
from services.catalogue import (
    file_undoing,
    identity,
    picture_addresses,
    products,
    search,
    sizes,
)
from services.catalogue.file_history import FileHistory
from services.imports import runs, tables, undoing
from services.unit import (
    bulk,
    db,
    insert_many,
    is_sqlite,
    lock_until_commit,
    merging,
    raw,
    read_moment,
)
from services.workflow import Refused

# Ours -> what files call it; the first name is the one of our own header (docs/rules/files.md), in
# its order.
COLUMNS: dict[str, tuple[str, ...]] = {
    "supplier_ref": (
        "reference-fournisseur",
        "ref-fournisseur",
        "reference",
        "ref",
        "supplier-reference",
        "modele",
    ),
    "ean": ("ean", "code-barres", "gtin", "barcode", "ean13", "upc", "code barre"),
    "title": ("designation", "titre", "libelle", "nom", "title", "product-title"),
    "brand": ("marque", "brand"),
    "maker": ("fabricant", "maker", "manufacturer"),
    "category": ("rayon", "category", "categorie"),
    "family": ("famille", "family"),
    "subfamily": ("sous-famille", "sousfamille", "subfamily"),
    "color": ("couleur", "color", "coloris"),
    "material": ("matiere", "material"),
    "size": ("taille", "size"),
    "shoe_size": ("pointure", "shoe-size"),
    "buy": ("prix-achat-ht", "pa-ht", "prix-achat", "buy-price"),
    "advised": (
        "prix-conseille-ttc",
        "pvc",
        "prix-public",
        "prix-ttc",
        "prix-vente-ttc",
        "advised-price",
    ),
    "vat": ("tva", "taux-tva", "vat"),
    "season": ("saison", "season"),
    "active": ("actif", "active"),
    "updated_at": ("maj-le", "updated-at"),
    # Not in the header of the association, understood when they are there.
    "platform": ("plateforme", "platform", "console"),
    "edition": ("edition",),
    "weight": ("poids-g", "poids", "weight-grams"),
    "description": ("description", "descriptif"),
    "images": ("images", "image", "image-url", "photo", "photos", "image urls", "image src"),
}
HEADER = [
    names[0]
    for name, names in COLUMNS.items()
    if name not in ("platform", "edition", "weight", "description", "images")
]
_TEXTS = {
    "supplier_ref": 60,
    "brand": 100,
    "maker": 100,
    "category": 60,
    "family": 60,
    "subfamily": 60,
    "color": 60,
    "material": 60,
    "size": 40,
    "shoe_size": 40,
    "season": 40,
    "platform": 100,
    "edition": 60,
}
# Staged column -> the column of a reference, or of its product.
_OF_VARIANT = {
    "color": "color",
    "material": "material",
    "size": "size",
    "shoe_size": "shoe_size",
    "edition": "edition",
    "buy": "buy_cents",
    "advised": "advised_cents",
    "weight": "weight_grams",
    "active": "active",
}
_OF_PRODUCT = {
    "title": "title",
    "supplier_ref": "supplier_ref",
    "brand_id": "brand_id",
    "maker": "maker",
    "category": "category",
    "family": "family",
    "subfamily": "subfamily",
    "season": "season",
    "vat": "vat_bp",
    "platform_id": "platform_id",
    "description": "description",
}
_VALUES = ("title", *_TEXTS, "buy", "advised", "vat", "active", "weight", "description", "images")


# ── in ──


def _load(loading: runs.Loading) -> None:
    loading.open()
    reader = _Reader(loading)
    db.session.rollback()
    with bulk() as connection:
        _make_stage(connection)
        for chunk in tables.chunks(loading.rows(reader.row), 2000):
            insert_many(connection, "stage", reader.staged, chunk)
        _settle_repeats(connection, loading)
        _part_models(connection, loading)
        loading.progress()
        _merge(connection, loading)
    search.catch_up(alive=loading.alive)


def _tidy(text: str, most: int) -> str:
    """A cell as it is kept."""
    text = text.strip()
    if text[:1] == "'" and text[1:2] in (
        "=",
        "+",
        "-",
        "@",
    ):  # our own exports put it there, so that no spreadsheet runs it
        text = text[1:]
    if not text.isascii() or not text.isprintable() or "  " in text:
        text = " ".join(words.visible(text).split())
    if len(text) > most:
        raise Refused(
            _(
                "« %(words)s… » is too long: %(most)s characters at most in this column.",
                words=text[:30],
                most=most,
            )
        )
    return text


class _Known(dict[str, str]):
    """Cells already seen in a column, as they are kept: most of a long file says what another line
    said.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __missing__(self, text: str) -> str:
        if len(self) > 20_000:
            self.clear()
        kept = self[text] = _tidy(text, self.most)
        return kept


class _Sizes(_Known):
    """The same of sizes, which have one spelling each."""

    def __missing__(self, text: str) -> str:
        if sizes.is_a_date(text):
            raise Refused(
                _(
                    "« %(words)s » is a date: the spreadsheet changed a size such as 3-4. Set the"
                    " column to text and type the size again.",
                    words=text.strip()[:20],
                )
            )
        kept = self[text] = sizes.normal(super().__missing__(text))
        return kept


@lru_cache(maxsize=1000)
def read_vat(text: str) -> int | None:
    """« 20 », « 5,5 % », « 0.055 » as basis points; an empty cell says nothing. Raises Refused."""
    if not text.strip():
        return None
    bare = text.strip().removesuffix("%").strip().replace(",", ".")
    whole, _dot, part = bare.partition(".")
    if not (
        whole.isascii()
        and whole.isdigit()
        and len(whole) < 4
        and (not part or (part.isascii() and part.isdigit() and len(part) < 5))
    ):
        raise Refused(_("« %(words)s » is no VAT rate: write 20 or 5,5.", words=text[:20]))
    points = (
        int(whole) * 100 + int((part + "00")[:2])
        if int(whole) or not part
        else int((part + "0000")[:4])
    )
    if points > 3_000:  # no country of the Union goes beyond 27 %
        raise Refused(_("« %(words)s » is no VAT rate: write 20 or 5,5.", words=text[:20]))
    return points


_YES = {"oui", "o", "yes", "y", "1", "true", "vrai", "x", "actif"}
_NO = {"non", "n", "no", "0", "false", "faux", "inactif"}


@lru_cache(maxsize=100)
def read_yes(text: str) -> bool | None:
    word = text.strip().lower()
    if not word:
        return None
    if word not in _YES | _NO:
        raise Refused(_("« %(words)s » is neither oui nor non.", words=text[:20]))
    return word in _YES


class _Reader:
    """Turns lines into rows to stage."""

    def __init__(self, loading: runs.Loading) -> None:
        at = loading.at
        names = [name for name in _VALUES if name in at]
        reads = {name: self._how(name) for name in names}
        self.columns = [(at[name], reads[name]) for name in names]
        self.staged = ("line", "ean", "content", "model", *names)
        self.ean, self.width = at["ean"], 1 + max(at.values())
        self.title, self.ref, self.brand, self.maker = (
            names.index(name) if name in at else None
            for name in ("title", "supplier_ref", "brand", "maker")
        )
        self.images = names.index("images") if "images" in at else None
        self.loading = loading
        self.makers = _Makers()
        db.session.rollback()

    @staticmethod
    def _how(name: str) -> Callable[..., Any]:
        """What makes a value of a cell of this column; None says nothing."""
        if name in (
            "brand",
            "platform",
        ):  # « NIKE » and « Nike » are one brand: as we spell it, else as the first line does
            noun = Brand if name == "brand" else Platform
            return _Spelled(_TEXTS[name], db.session.scalars(select(noun.name))).__getitem__
        if name in ("title", "supplier_ref"):  # nearly each line has its own
            return partial(_tidy, most=300 if name == "title" else _TEXTS[name])
        if name in ("size", "shoe_size"):
            return _Sizes(_TEXTS[name]).__getitem__
        if name in _TEXTS:
            return _Known(_TEXTS[name]).__getitem__
        reads: dict[str, Callable[..., Any]] = {
            "buy": tables.amount,
            "advised": tables.amount,
            "vat": read_vat,
            "active": read_yes,
            "weight": _grams,
            "description": _description,
            "images": str.strip,
        }
        return reads[name]

    def row(self, line: int, cells: list[str]) -> tuple[Any, ...]:
        if len(cells) < self.width:
            cells = cells + [""] * (self.width - len(cells))
        ean = products.read_ean(cells[self.ean])
        values = tuple([read(cells[place]) for place, read in self.columns])
        if self.title is not None and not values[self.title]:
            raise Refused(_("The title is missing."))
        if self.images is not None and values[self.images]:
            values = self._with_addresses(line, values, self.images)
        ref = self.ref is not None and values[self.ref]
        model = f"{ref}\t{self._maker_of(values)}" if ref else ean
        return (line, ean, hash(values) & 0x7FFFFFFFFFFFFFFF, model, *values)

    def _with_addresses(self, line: int, values: tuple[Any, ...], at: int) -> tuple[Any, ...]:
        """A line whose picture has no address is loaded without it, and told."""
        try:
            addresses = picture_addresses.read(values[at])
        except Refused as refusal:
            self.loading.doubt(line, str(refusal))
            addresses = ""
        return (*values[:at], addresses, *values[at + 1 :])

    def _maker_of(self, values: tuple[Any, ...]) -> str:
        brand = values[self.brand] if self.brand is not None else ""
        name = brand or (values[self.maker] if self.maker is not None else "")
        return self.makers[name] if name else ""


class _Makers(dict[str, str]):
    """Brands and makers already seen, as they are compared."""

    def __missing__(self, name: str) -> str:
        key = self[name] = tables.fold(name) or name
        return key


@lru_cache(maxsize=1000)
def _grams(text: str) -> int | None:
    bare = text.strip()
    if not bare:
        return None
    if not (bare.isascii() and bare.isdigit() and 0 < int(bare[:9]) <= 1_000_000 and len(bare) < 9):
        raise Refused(_("« %(words)s » is no weight in grams.", words=text[:20]))
    return int(bare)


def _description(text: str) -> str:
    lines = products.visible_lines(text)
    if len(lines) > 10_000:
        raise Refused(_("This description is too long: 10,000 characters at most."))
    return lines


class _Spelled(_Known):
    """The same for names of which there is one each: however a file spells them."""

    def __init__(self, most: int, names: Iterable[str]) -> None:
        super().__init__(most)
        self.ours = {tables.fold(name): name for name in names}

    def __missing__(self, text: str) -> str:
        name = _tidy(text, self.most)
        kept = self[text] = self.ours.setdefault(tables.fold(name) or name, name) if name else ""
        return kept


def _make_stage(connection: Connection) -> None:
    texts = ", ".join(f"{name} TEXT" for name in ("title", *_TEXTS))
    connection.execute(
        text(
            "CREATE TEMPORARY TABLE stage (line INTEGER, ean VARCHAR(14), content BIGINT, model"
            f" TEXT, {texts}, buy INTEGER, advised INTEGER, vat INTEGER, active BOOLEAN, weight"
            " INTEGER, description TEXT, images TEXT)"
        )
    )


def _settle_repeats(connection: Connection, loading: runs.Loading) -> None:
    """The same line twice counts once; two lines that contradict each other are both refused, each
    naming the other.
    """
    connection.execute(text("CREATE INDEX stage_ean ON stage (ean, line)"))
    connection.execute(text("CREATE INDEX stage_line ON stage (line)"))
    doubles = connection.execute(
        text("SELECT count(*) - count(DISTINCT ean) FROM stage")
    ).scalar_one()
    if not doubles:
        return
    torn = connection.execute(
        text(
            "SELECT ean, line FROM stage WHERE ean IN (SELECT ean FROM stage GROUP BY ean HAVING"
            " count(DISTINCT content) > 1) ORDER BY ean, line"
        )
    ).all()
    lines: dict[str, list[int]] = {}
    for ean, line in torn:
        lines.setdefault(ean, []).append(line)
    reasons = {
        line: _(
            "%(ean)s is named by lines %(lines)s, which contradict each other: keep the right one.",
            ean=ean,
            lines=", ".join(map(str, named[:6])),
        )
        for ean, named in lines.items()
        for line in named
    }
    connection.execute(
        text(
            "DELETE FROM stage WHERE ean IN (SELECT ean FROM stage GROUP BY ean HAVING"
            " count(DISTINCT content) > 1)"
        )
    )
    for line, ean in connection.execute(
        text(
            "SELECT line, ean FROM stage s WHERE EXISTS (SELECT 1 FROM stage e WHERE e.ean = s.ean"
            f" AND e.line < s.line) ORDER BY line LIMIT {runs.MOST_TOLD}"
        )
    ):
        loading.repeat_lines.append([line, ean])
    loading.repeated += connection.execute(
        text(
            "DELETE FROM stage WHERE EXISTS (SELECT 1 FROM stage e WHERE e.ean = stage.ean AND"
            " e.line < stage.line)"
        )
    ).rowcount
    loading.put_aside(reasons)


def _part_models(connection: Connection, loading: runs.Loading) -> None:
    """Lines with one reference and one maker whose titles are unlike are models of their own."""
    if not {"supplier_ref", "title"} <= set(loading.at):
        return
    rows = connection.execute(
        text(
            "SELECT model, title, min(line) FROM stage WHERE model IN (SELECT model FROM stage"
            " GROUP BY model HAVING min(title) <> max(title)) GROUP BY model, title ORDER BY"
            " model, min(line)"
        )
    )
    apart, model, first_titles = [], None, list[tuple[str, int]]()
    for name, title, line in rows:
        if name != model:
            model, first_titles = name, []
        place = next(
            (i for i, (first, _line) in enumerate(first_titles) if identity.are_like(first, title)),
            len(first_titles),
        )
        if place == len(first_titles):
            first_titles.append((title, line))
            if place:
                loading.doubt(line, _unlike(title, *first_titles[0], name.partition("\t")[0]))
        if place:
            apart.append({"model": name, "title": title, "own": f"{name}\t{place}"})
    if apart:
        connection.execute(text("CREATE INDEX stage_model ON stage (model)"))
        connection.execute(
            text("UPDATE stage SET model = :own WHERE model = :model AND title = :title"), apart
        )


def _unlike(title: str, first: str, line: int, reference: str) -> str:
    return _(
        "« %(title)s » has the reference %(reference)s of « %(first)s » (line %(line)s), and their"
        " titles are unlike: two sheets. If they are one article, merge them.",
        title=title,
        first=first,
        line=line,
        reference=reference,
    )


def _merge(connection: Connection, loading: runs.Loading) -> None:
    """Apply what differs and end the run with its report, in one transaction. A vendor's own file
    proposes what is new and changes nothing else.
    """
    now, vendor = raw(clock.now()), loading.vendor_id

    def run(sql: str, **values: Any) -> int:
        return int(connection.execute(text(sql), values).rowcount)

    def count(sql: str) -> int:
        return int(connection.execute(text(sql)).scalar_one())

    with merging(connection):
        lock_until_commit(connection, "catalogue")
        for table, extra, given in (
            ("brand", "needs_agreement", "false"),
            ("platform", "weight_grams", "150"),
        ):
            run(
                f"INSERT INTO {table} (name, {extra}) SELECT DISTINCT {table}, {given} FROM stage"
                f" WHERE {table} <> '' AND NOT EXISTS (SELECT 1 FROM {table} t WHERE t.name ="
                f" stage.{table})"
            )
        if "title" not in loading.at:
            _refuse_nameless(connection, loading)
        new_id = (
            "(SELECT coalesce(max(id), 0) FROM variant) + s.line"
            if is_sqlite()
            else "nextval('variant_id_seq')"
        )
        run(
            "CREATE TEMPORARY TABLE matched AS SELECT s.*, b.id AS brand_id, f.id AS platform_id,"
            " v.id IS NULL AS is_new, v.product_id AS known_id, CASE WHEN v.id IS NULL THEN"
            f" {new_id} ELSE v.id END AS variant_id FROM stage s LEFT JOIN brand b ON b.name ="
            " s.brand LEFT JOIN platform f ON f.name = s.platform LEFT JOIN variant v ON v.ean ="
            " s.ean"
        )
        run("CREATE INDEX matched_line ON matched (line)")
        _find_sheets(connection, run, loading)
        _tell_torn_models(connection, loading)
        history = FileHistory(
            connection, run=loading.run_id, by_name=loading.by_name, file=loading.name
        )
        created = _create(run, now, vendor)
        history.tell_created()
        for table, columns, made in (
            ("product", ["title"], "SELECT product_id FROM sheet WHERE is_new"),
            ("variant", file_undoing.SAID_OF_NEW, "SELECT variant_id FROM matched WHERE is_new"),
        ):
            undoing.keep_created(connection, loading.run_id, table, columns, among=made)
        if "images" in loading.at:
            _name_pictures(connection, loading)
        if not vendor:
            _update(connection, run, loading, now, history)
        updated = (
            0
            if vendor
            else count(
                "SELECT count(*) FROM (SELECT variant_id FROM changed UNION SELECT m.variant_id"
                " FROM matched m JOIN moved o ON o.known_id = m.known_id WHERE NOT m.is_new)"
                " touched"
            )
        )
        matched = count("SELECT count(*) FROM matched WHERE NOT is_new")
        loading.ended(connection, created=created, updated=updated, unchanged=matched - updated)
    if created > 10_000 and not is_sqlite():
        with merging(connection):
            for table in (
                "product",
                "variant",
                "price_point",
            ):  # or the planner goes on thinking they are empty
                connection.execute(text(f"ANALYZE {table}"))


def _refuse_nameless(connection: Connection, loading: runs.Loading) -> None:
    """A barcode we do not know needs a title: without the column, the line says too little."""
    unknown = "NOT EXISTS (SELECT 1 FROM variant v WHERE v.ean = stage.ean)"
    lines = (
        connection.execute(text(f"SELECT line FROM stage WHERE {unknown} ORDER BY line"))
        .scalars()
        .all()
    )
    connection.execute(text(f"DELETE FROM stage WHERE {unknown}"))
    loading.put_aside(
        {line: _("We do not know this barcode: give its title to create it.") for line in lines}
    )


def _find_sheets(connection: Connection, run: Any, loading: runs.Loading) -> None:
    """Which product each model of the file is: that of a sister we know, else one with this
    supplier reference, maker and a like title, else a new one.

    A vendor adds barcodes to their own proposals only: what is validated is seen by all.
    """
    vendor = loading.vendor_id
    run(
        "CREATE TEMPORARY TABLE sheet AS SELECT model, min(line) AS line, min(CASE WHEN is_new THEN"
        " line END) AS new_line, min(known_id) AS product_id, min(supplier_ref) AS supplier_ref,"
        " min(brand_id) AS brand_id, false AS is_new FROM matched GROUP BY model"
    )
    own = "AND p.status IN ('proposed') AND p.proposed_by_id = :vendor " if vendor else ""
    if vendor:
        run("DELETE FROM sheet WHERE new_line IS NULL")
        run(
            "UPDATE sheet SET product_id = NULL WHERE NOT EXISTS (SELECT 1 FROM product p WHERE"
            f" p.id = sheet.product_id {own})",
            vendor=vendor,
        )
    joined = _join_strangers(connection, loading, own)
    if joined:
        connection.execute(
            text("UPDATE sheet SET product_id = :product WHERE line = :line"), joined
        )
    new_id = (
        "(SELECT coalesce(max(id), 0) FROM product) + line"
        if is_sqlite()
        else "nextval('product_id_seq')"
    )
    run(f"UPDATE sheet SET product_id = {new_id}, is_new = true WHERE product_id IS NULL")
    run("CREATE INDEX sheet_model ON sheet (model)")


def _join_strangers(
    connection: Connection, loading: runs.Loading, own: str
) -> list[dict[str, int]]:
    """The models of the file no barcode of which we know, that are a product of the catalogue all
    the same. One that only bears the reference of another product is told.
    """
    candidates = connection.execute(
        text(
            "SELECT s.line, m.title, m.brand, m.maker, m.supplier_ref, coalesce(p.merged_into_id,"
            " p.id), p.title, coalesce(b.name, ''), p.maker FROM sheet s JOIN matched m ON m.line ="
            " s.line JOIN product p ON p.supplier_ref = s.supplier_ref AND p.supplier_ref <> ''"
            f" LEFT JOIN brand b ON b.id = p.brand_id WHERE s.product_id IS NULL AND"
            f" s.supplier_ref <> '' {own}ORDER BY s.line, p.id"
        ),
        {"vendor": loading.vendor_id} if own else {},
    )
    found: dict[int, int] = {}
    strangers: dict[int, str] = {}
    for (
        line,
        title,
        brand,
        maker,
        reference,
        product,
        its_title,
        its_brand,
        its_maker,
    ) in candidates:
        if line in found:
            continue
        if identity.have_one_maker(
            brand or "", maker or "", its_brand, its_maker
        ) and identity.are_like(title, its_title):
            found[line] = product
            strangers.pop(line, None)
        elif line not in strangers:
            strangers[line] = _(
                "« %(title)s » has the reference %(reference)s of « %(other)s », and its maker or"
                " its title is unlike or not given: a sheet of its own. If they are one article,"
                " merge them.",
                title=title,
                reference=reference,
                other=its_title,
            )
    for line, sentence in strangers.items():
        loading.doubt(line, sentence)
    return [{"line": line, "product": product} for line, product in found.items()]


def _tell_torn_models(connection: Connection, loading: runs.Loading) -> None:
    """A new product takes what its first line says; what its other lines contradict is told."""
    names = [name for name in ("category", "family", "subfamily", "season") if name in loading.at]
    if not names:
        return
    torn = ", ".join(f"min(NULLIF(m.{name}, '')), max(NULLIF(m.{name}, ''))" for name in names)
    unlike = " OR ".join(
        f"min(NULLIF(m.{name}, '')) <> max(NULLIF(m.{name}, ''))" for name in names
    )
    rows = connection.execute(
        text(
            f"SELECT min(m.line), {torn} FROM matched m JOIN sheet h ON h.model = m.model WHERE"
            f" h.is_new GROUP BY m.model HAVING {unlike} ORDER BY 1 LIMIT {runs.MOST_TOLD}"
        )
    )
    for line, *values in rows:
        for name, one, other in zip(names, values[::2], values[1::2], strict=True):
            if one != other:
                loading.doubt(
                    line,
                    _(
                        "The lines of this product disagree on « %(column)s » (%(one)s,"
                        " %(other)s): it has what its first line says.",
                        column=COLUMNS[name][0],
                        one=one,
                        other=other,
                    ),
                )


def _create(run: Any, now: Any, vendor: int | None) -> int:
    run(
        "INSERT INTO product (id, title, kind, status, supplier_ref, brand_id, maker, category,"
        " family, subfamily, season, vat_bp, platform_id, description, attributes, proposed_by_id,"
        " created_at, updated_at) SELECT h.product_id, m.title, 'goods', :status,"
        " coalesce(m.supplier_ref, ''), m.brand_id, coalesce(m.maker, ''), coalesce(m.category,"
        " ''), coalesce(m.family, ''), coalesce(m.subfamily, ''), coalesce(m.season, ''),"
        " coalesce(m.vat, 2000), m.platform_id, coalesce(m.description, ''), '{}', :vendor, :now,"
        " :now FROM sheet h JOIN matched m ON m.line = h.line WHERE h.is_new ORDER BY h.line",
        status="proposed" if vendor else "validated",
        vendor=vendor,
        now=now,
    )
    created: int = run(
        "INSERT INTO variant (id, product_id, ean, color, material, size, shoe_size, edition,"
        " buy_cents, advised_cents, weight_grams, active, updated_at) SELECT m.variant_id,"
        " h.product_id, m.ean, coalesce(m.color, ''), coalesce(m.material, ''), coalesce(m.size,"
        " ''), coalesce(m.shoe_size, ''), coalesce(m.edition, ''), m.buy, m.advised, m.weight,"
        " coalesce(m.active, true), :now FROM matched m JOIN sheet h ON h.model = m.model WHERE"
        " m.is_new ORDER BY m.line",
        now=now,
    )
    run(
        "INSERT INTO price_point (variant_id, price_cents, since) SELECT variant_id, advised, :now"
        " FROM matched WHERE is_new AND advised IS NOT NULL ORDER BY line",
        now=now,
    )
    run(
        "UPDATE product SET updated_at = :now WHERE id IN (SELECT product_id FROM sheet WHERE"
        " new_line IS NOT NULL AND NOT is_new)",
        now=now,
    )
    run(
        "INSERT INTO search_todo (product_id) SELECT product_id FROM sheet WHERE new_line IS NOT"
        " NULL ON CONFLICT (product_id) DO NOTHING"
    )
    return created


def _name_pictures(connection: Connection, loading: runs.Loading) -> None:
    """Pictures of the products of this file: those a vendor may not change are in no sheet."""
    left_out = connection.execute(
        text(
            "SELECT min(m.line), count(*) FROM matched m WHERE m.images <> '' AND NOT EXISTS"
            " (SELECT 1 FROM sheet h WHERE h.model = m.model)"
        )
    ).one()
    if left_out[1]:
        loading.doubt(
            left_out[0],
            _(
                "%(count)s lines name pictures of products that are validated already: only the"
                " operator changes those.",
                count=left_out[1],
            ),
        )
    said = connection.execute(
        text(
            "SELECT h.product_id, m.images FROM matched m JOIN sheet h ON h.model = m.model WHERE"
            " m.images <> '' ORDER BY m.line"
        )
    )
    picture_addresses.stage(
        connection, [(product, images) for product, images in said], run_id=loading.run_id
    )


def _update(
    connection: Connection, run: Any, loading: runs.Loading, now: Any, history: FileHistory
) -> None:
    """Update only the columns present in the file, where they differ: `changed` references, `moved`
    products.
    """
    named = set(loading.at)
    of_variant = {name: column for name, column in _OF_VARIANT.items() if name in named}
    of_product = {
        name: column for name, column in _OF_PRODUCT.items() if name.removesuffix("_id") in named
    }
    optional = ("active", "vat")  # an empty cell says nothing of these

    def differs(mine: str, theirs: str, name: str) -> str:
        return (
            f"({mine} IS NOT NULL AND {theirs} <> {mine})"
            if name in optional
            else f"{theirs} IS DISTINCT FROM {mine}"
        )

    unlike = (
        " OR ".join(
            differs(f"m.{name}", f"v.{column}", name) for name, column in of_variant.items()
        )
        or "false"
    )
    priced = "v.advised_cents IS DISTINCT FROM m.advised" if "advised" in of_variant else "false"
    run(
        f"CREATE TEMPORARY TABLE changed AS SELECT m.*, {priced} AS priced FROM matched m JOIN"
        f" variant v ON v.id = m.variant_id WHERE NOT m.is_new AND ({unlike})"
    )
    history.tell_changed("variant", "changed", "variant_id", of_variant, optional)
    undoing.keep_changed(
        connection,
        loading.run_id,
        "variant",
        list(of_variant.values()),
        among="SELECT variant_id FROM changed",
    )
    if of_variant:
        run("CREATE INDEX changed_variant ON changed (variant_id)")
        run(
            "INSERT INTO price_point (variant_id, price_cents, since) SELECT variant_id, advised,"
            " :now FROM changed WHERE priced AND advised IS NOT NULL",
            now=now,
        )
        values = ", ".join(
            f"{column} = "
            + (f"coalesce(s.{name}, variant.{column})" if name in optional else f"s.{name}")
            for name, column in of_variant.items()
        )
        run(
            f"UPDATE variant SET {values}, updated_at = :now FROM changed s WHERE s.variant_id ="
            " variant.id",
            now=now,
        )

    # The first line of a product speaks for it.
    def differs_from_product(lead: str) -> str:
        return (
            " OR ".join(
                differs(f"{lead}.{name}", f"p.{column}", name)
                for name, column in of_product.items()
            )
            or "false"
        )

    run(
        "CREATE TEMPORARY TABLE lead AS SELECT known_id, min(line) AS line FROM matched WHERE NOT"
        " is_new GROUP BY known_id"
    )
    run(
        "CREATE TEMPORARY TABLE moved AS SELECT m.* FROM lead l JOIN matched m ON m.line = l.line"
        " AND m.known_id = l.known_id JOIN product p ON p.id = m.known_id WHERE"
        f" {differs_from_product('m')}"
    )
    if of_product:
        _leave_what_is_contradicted(connection, loading, of_product)
        run(
            "DELETE FROM moved WHERE NOT EXISTS (SELECT 1 FROM product p WHERE p.id ="
            f" moved.known_id AND ({differs_from_product('moved')}))"
        )
        run("CREATE INDEX moved_known ON moved (known_id)")
        history.tell_changed("product", "moved", "known_id", of_product, optional)
        undoing.keep_changed(
            connection,
            loading.run_id,
            "product",
            list(of_product.values()),
            among="SELECT known_id FROM moved",
        )
        values = ", ".join(
            f"{column} = "
            + (f"coalesce(s.{name}, product.{column})" if name in optional else f"s.{name}")
            for name, column in of_product.items()
        )
        run(
            f"UPDATE product SET {values}, updated_at = :now FROM moved s WHERE s.known_id ="
            " product.id",
            now=now,
        )
        run(
            "UPDATE variant SET updated_at = :now WHERE product_id IN (SELECT known_id FROM moved)",
            now=now,
        )
    for table, staged in (("variant", of_variant), ("product", of_product)):
        undoing.keep_what_became(connection, loading.run_id, table, list(staged.values()))
    run(
        "INSERT INTO search_todo (product_id) SELECT id FROM (SELECT known_id AS id FROM moved"
        " UNION SELECT known_id FROM changed) touched WHERE true ON CONFLICT (product_id) DO"
        " NOTHING"
    )


def _leave_what_is_contradicted(
    connection: Connection, loading: runs.Loading, of_product: dict[str, str]
) -> None:
    """Take out of `moved` what no line may say alone: a column in which the lines of one product
    disagree, and a title or a maker that is another article's while other barcodes of the product
    are not in the file.
    """
    if connection.execute(text("SELECT 1 FROM moved LIMIT 1")).first() is None:
        return
    connection.execute(text("CREATE INDEX matched_known ON matched (known_id)"))
    for name, column in of_product.items():
        if name != "title":
            _leave_a_torn_column(connection, loading, name, column)
    if "title" in of_product:
        _leave_unlike_sheets(connection, loading)


def _leave_a_torn_column(
    connection: Connection, loading: runs.Loading, name: str, column: str
) -> None:
    shown = name.removesuffix("_id")
    said = f"NULLIF(CAST(x.{shown} AS TEXT), '')"
    torn = connection.execute(
        text(
            f"SELECT x.known_id, min(x.line), min({said}), max({said}) FROM matched x WHERE NOT"
            " x.is_new AND x.known_id IN (SELECT known_id FROM moved) GROUP BY x.known_id HAVING"
            f" count(DISTINCT {said}) > 1"
        )
    ).all()
    for product, line, one, other in torn:
        connection.execute(
            text(
                f"UPDATE moved SET {name} = (SELECT p.{column} FROM product p WHERE p.id ="
                " moved.known_id) WHERE known_id = :product"
            ),
            {"product": product},
        )
        loading.doubt(
            line,
            _(
                "The lines of this product disagree on « %(column)s » (%(one)s, %(other)s): it is"
                " left as it was.",
                column=COLUMNS[shown][0],
                one=one,
                other=other,
            ),
        )


def _leave_unlike_sheets(connection: Connection, loading: runs.Loading) -> None:
    lines = connection.execute(
        text(
            "SELECT x.known_id, x.line, x.title, p.title, p.maker, coalesce(b.name, ''), x.maker,"
            " x.brand, (SELECT count(*) FROM variant v WHERE v.product_id = x.known_id) FROM"
            " matched x JOIN product p ON p.id = x.known_id LEFT JOIN brand b ON b.id = p.brand_id"
            " WHERE NOT x.is_new AND x.known_id IN (SELECT known_id FROM moved) ORDER BY"
            " x.known_id, x.line"
        )
    ).all()
    for product, group in groupby(lines, key=lambda row: row[0]):
        rows = list(group)
        _id, line, title, old_title, old_maker, old_brand, maker, brand, barcodes = rows[0]
        unlike = [row for row in rows[1:] if not identity.are_like(title, row[2])]
        if unlike:
            sentence = _(
                "This barcode is on one sheet with that of line %(line)s, « %(other)s »: the sheet"
                " is left as it was. If they are two articles, detach one barcode from « %(sheet)s"
                " ».",
                line=unlike[0][1],
                other=unlike[0][2],
                sheet=old_title,
            )
        elif barcodes > len(rows) and not (
            identity.are_like(title, old_title)
            and _may_be_one(brand, old_brand)
            and _may_be_one(maker, old_maker)
        ):
            sentence = _(
                "« %(title)s » is unlike its sheet « %(sheet)s », which has other barcodes: the"
                " sheet is left as it was. If it is another article, detach this barcode.",
                title=title,
                sheet=old_title,
            )
        else:
            continue
        connection.execute(
            text("DELETE FROM moved WHERE known_id = :product"), {"product": product}
        )
        loading.doubt(line, sentence)


def _may_be_one(name: str | None, old: str) -> bool:
    """Whether a name given and the one we have may be of one maker: one of them is silent, or they
    are the same.
    """
    return not name or not old or tables.fold(name) == tables.fold(old)


runs.kind(
    "catalogue",
    _l("Référencier"),
    COLUMNS,
    ("ean",),
    _load,
    known_by="title",
    help=_l(
        "Columns of the référencier, in any order; ean is enough to change what is there,"
        " designation creates. A column left out changes nothing."
    ),
)
undoing.law("catalogue", file_undoing.undo, afterwards=search.catch_up)


# ── out ──

_PAGE = text(
    "SELECT v.id, p.supplier_ref, v.ean, p.title, b.name AS brand, p.maker, p.category, p.family,"
    " p.subfamily, v.color, v.material, v.size, v.shoe_size, v.buy_cents, v.advised_cents,"
    " p.vat_bp, p.season, v.active, v.updated_at, p.updated_at AS p_updated_at, p.id AS product_id,"
    " p.status, f.name AS platform, v.argus_cents FROM variant v JOIN product p ON p.id ="
    " v.product_id LEFT JOIN brand b ON b.id = p.brand_id LEFT JOIN platform f ON f.id ="
    " p.platform_id WHERE v.id > :after AND (v.updated_at >= :since OR p.updated_at >= :since) AND"
    " p.status IN ('validated', 'disabled') ORDER BY v.id LIMIT :size"
)
_PAGE_ALL = text(str(_PAGE).replace("(v.updated_at >= :since OR p.updated_at >= :since) AND ", ""))
MOST_XLSX_ROWS = 1_000_000


def page(after: int = 0, size: int = 1000, since: datetime | None = None) -> list[Any]:
    """References of the catalogue in their order, from one on; only those that changed since a
    moment, when one is given.
    """
    if since is None:
        return list(db.session.execute(_PAGE_ALL, {"after": after, "size": size}))
    return list(db.session.execute(_PAGE, {"after": after, "size": size, "since": raw(since)}))


def changed_at(row: Any) -> datetime:
    """When a row of `page` last changed, itself or its product."""
    return max(
        moment
        for moment in (read_moment(row.updated_at), read_moment(row.p_updated_at))
        if moment is not None
    )


def lines(since: datetime | None = None, buying_prices: bool = True) -> Iterator[list[str]]:
    """The référencier line by line, as its header says, formulas made harmless. Streamed: any size
    costs the memory of a page.
    """
    after = 0
    while rows := page(after, 1000, since):
        after = rows[-1].id
        for row in rows:
            yield [
                tables.neutral(row.supplier_ref),
                row.ean,
                *(
                    tables.neutral(cell)
                    for cell in (
                        row.title,
                        row.brand or "",
                        row.maker,
                        row.category,
                        row.family,
                        row.subfamily,
                        row.color,
                        row.material,
                        row.size,
                        row.shoe_size,
                    )
                ),
                _price(row.buy_cents) if buying_prices else "",
                _price(row.advised_cents),
                money.percent(row.vat_bp).removesuffix(f"{money.NBSP}%"),
                tables.neutral(row.season),
                "oui" if row.active and row.status == "validated" else "non",
                clock.paris(changed_at(row)).isoformat(timespec="seconds"),
            ]
        db.session.rollback()


def _price(cents: int | None) -> str:
    return "" if cents is None else money.plain(cents)


def shares_buying_prices() -> bool:
    """Whether vendors get what the operator pays its suppliers: a setting, since vendors of other
    trades read the same référencier.
    """
    return bool(settings.value("share_buying_prices") == "yes")


def as_csv(since: datetime | None = None, *, buying_prices: bool = True) -> Iterator[str]:
    """« ; », UTF-8 with its mark, the header of the association: what French spreadsheets and tills
    open. Without `buying_prices` their column stays empty, which changes nothing when it is loaded.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    writer.writerow(HEADER)
    yield "\ufeff"
    for number, line in enumerate(lines(since, buying_prices), 1):
        writer.writerow(line)
        if number % 500 == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def as_xlsx(since: datetime | None = None, *, buying_prices: bool = True) -> bytes:
    """The same as a spreadsheet."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Référencier")
    sheet.append(HEADER)
    for number, line in enumerate(lines(since, buying_prices), 1):
        sheet.append([words.xml_safe(cell) for cell in line])
        if number >= MOST_XLSX_ROWS:
            break
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
