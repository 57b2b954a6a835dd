"""One search for the back office, the machines and the shop: words without accents or plurals,
barcodes, references, facets, corrections.

The words of a product live beside it in `search_index` (FTS5 on SQLite, a tsvector on PostgreSQL;
made by migration 0005). They are derived: whatever changes a product marks it, and what is marked
is indexed, at once for one product, by the worker in small steps for a file of many.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein
from sqlalchemy import ColumnElement, Connection, event, or_, select, text
from sqlalchemy.orm import Session

from models import (
    FREE,
    Brand,
    Platform,
    Product,
    ProductState,
    Variant,
)
from services import clock
from services.catalogue import colors, sizes
from services.catalogue.vocabulary import with_decimals, words_of
from services.unit import db, insert_many, is_sqlite, listed, one_of, raw, unit_of_work

# ── words ──

MOST_WORDS = 8
# The states of units that can be sold, as a list of SQL.
_FREE = "(" + ", ".join(f"'{state}'" for state in FREE) + ")"


# ── the index ──

_PRODUCTS = (
    "SELECT p.id, p.title, p.maker, p.supplier_ref, p.category, p.family, p.subfamily, b.name,"
    " f.name, p.status FROM product p LEFT JOIN brand b ON b.id = p.brand_id LEFT JOIN platform f"
    " ON f.id = p.platform_id WHERE p.id IN "
)
_DETAILS = (
    "SELECT DISTINCT product_id, color, material, edition, size, shoe_size FROM variant WHERE"
    " product_id IN "
)
STEP = 2_000


def refresh(connection: Connection, ids: list[int]) -> None:
    """Index these products anew, in the caller's transaction; one that was merged is no longer
    found.
    """
    among, numbers = f"({', '.join(('?' if is_sqlite() else '%s',) * len(ids))})", tuple(ids)
    if not is_sqlite():
        # Two who change references of one product at once index it one after the other.
        locked = f"SELECT id FROM product WHERE id IN {among} ORDER BY id FOR NO KEY UPDATE"
        connection.exec_driver_sql(locked, numbers)
    details: dict[int, list[str]] = {}
    for id, color, *parts in connection.exec_driver_sql(_DETAILS + among, numbers).all():
        found = details.setdefault(id, [])
        if european := sizes.european(parts[-1]):
            found += _part(european)
        if color:
            found += _part(color)
            found += [word for family in colors.families(color) for word in _part(family)]
        for part in parts:
            if part:
                found += _part(part)
    rows = []
    vocabulary: set[str] = set()
    for id, title, maker, reference, *parts, status in connection.exec_driver_sql(
        _PRODUCTS + among, numbers
    ).all():
        if status == ProductState.merged.value:
            continue
        text = words_of(f"{title} {reference}")
        for part in (maker, *parts):
            if part:
                text += _part(part)
        text += details.get(id, ())
        rows.append((id, " ".join(dict.fromkeys(text))))
        vocabulary.update(text)
    connection.exec_driver_sql(f"DELETE FROM search_index WHERE rowid IN {among}", numbers)
    insert_many(connection, "search_index", ("rowid", "words"), rows)
    _learn(connection, {word for word in vocabulary if len(word) > 2 and not word.isdigit()})
    connection.exec_driver_sql(f"DELETE FROM search_todo WHERE product_id IN {among}", numbers)


@lru_cache(maxsize=5_000)
def _part(text: str) -> tuple[str, ...]:
    """Words of a name many products share: a brand, a department, a colour."""
    return tuple(words_of(text))


def _learn(connection: Connection, vocabulary: set[str]) -> None:
    if vocabulary:
        mark = "?" if is_sqlite() else "%s"
        connection.exec_driver_sql(
            f"INSERT INTO search_word (word) VALUES ({mark}) ON CONFLICT (word) DO NOTHING",
            [(word,) for word in sorted(vocabulary)],
        )


def catch_up(alive: Callable[[], None] = lambda: None) -> int:
    """Index what changed by the thousand, in short units so that nobody waits; returns how many
    products.
    """
    done = 0
    while True:
        with unit_of_work() as session:
            ids = list(
                session.execute(
                    text("SELECT product_id FROM search_todo ORDER BY product_id LIMIT :step"),
                    {"step": STEP},
                ).scalars()
            )
            if not ids:
                if (
                    done and not is_sqlite()
                    # what PostgreSQL keeps aside while it writes is read whole by each search (its
                    # manual, « GIN Fast Update Technique »)
                ):
                    session.execute(text("SELECT gin_clean_pending_list('search_index_tsv')"))
                return done
            refresh(session.connection(), ids)
        done += len(ids)
        if done % (10 * STEP) == 0:
            alive()


@event.listens_for(Session, "before_flush")
def _note_what_changed(session: Session, _context: Any, _instances: Any) -> None:
    """A product or reference touched by a verb is dated, and indexed when its unit ends."""
    now = clock.now()
    marked = session.info.setdefault("to_index", set())
    for row in (*session.new, *session.dirty):
        if isinstance(row, Product | Variant) and (
            row in session.new or session.is_modified(row, include_collections=False)
        ):
            row.updated_at = now
            marked.add(row if isinstance(row, Product) else row.product or row.product_id)
        elif (
            isinstance(row, Brand | Platform)
            and row not in session.new
            and session.is_modified(row, include_collections=False)
        ):
            column = "brand_id" if isinstance(row, Brand) else "platform_id"
            of_it = {"id": row.id, "now": raw(now)}
            session.execute(
                text(f"UPDATE product SET updated_at = :now WHERE {column} = :id"), of_it
            )
            session.execute(
                text(
                    f"INSERT INTO search_todo (product_id) SELECT id FROM product WHERE {column} ="
                    " :id ON CONFLICT (product_id) DO NOTHING"
                ),
                of_it,
            )


@event.listens_for(Session, "before_commit")
def _index_what_changed(session: Session) -> None:
    if session.new or session.dirty:
        session.flush()
    marked = session.info.pop("to_index", set())
    ids = sorted(
        {(row if isinstance(row, int) else row.id) for row in marked if row is not None} - {None}
    )
    for start in range(0, len(ids), STEP):
        refresh(session.connection(), ids[start : start + STEP])


@event.listens_for(Session, "after_rollback")
def _forget_what_changed(session: Session) -> None:
    session.info.pop("to_index", None)


# ── a search ──

# The filter « on_sale »: what one vendor has put on sale (their id), or anybody.
ANY_VENDOR = "any"

PAGE, MOST_PAGE = 25, 100
COUNT_CAP = 1_000
FACET_HITS = 3_000
BANDS = ((0, 2000), (2000, 5000), (5000, 10000), (10000, 20000), (20000, None))
FACETS = (
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
)


LIVING = tuple(state.value for state in ProductState if state is not ProductState.merged)


@dataclass(frozen=True)
class Asked:
    """What somebody looks for: words, a barcode or a reference; what he narrows by; after which row
    the page begins.
    """

    words: str = ""
    filters: dict[str, str] = field(default_factory=dict)
    after: int = 0
    size: int = PAGE
    states: tuple[str, ...] = ("validated",)


@dataclass(frozen=True)
class Found:
    """The page: ids of products in order, how many there are (never counted beyond 1 001), where
    the next page begins, the words used instead.
    """

    ids: list[int]
    count: int
    next: int | None
    corrected: str = ""

    @property
    def count_words(self) -> str:
        return "1 000+" if self.count > COUNT_CAP else str(self.count)


def find(asked: Asked) -> Found:
    """Products that answer, the best first while they are few, the newest first when they are many.

    Words that answer nothing are corrected against the words we know; a barcode finds its product
    alone.
    """
    found = _find(asked)
    if found.count or not asked.words.strip() or asked.after:
        return found
    other = correct(asked.words)
    if other == asked.words:
        return found
    found = _find(replace(asked, words=other))
    return replace(found, corrected=other) if found.count else found


FEW = 200  # up to so many answers are ranked by their titles
# up to so many products of other states are left out by number; beyond, each hit is looked up
MOST_OTHERS = 500


def _find(asked: Asked) -> Found:
    size = max(1, min(asked.size, MOST_PAGE))
    digits = re.sub(r"[\s.\-]", "", asked.words)
    if digits.isascii() and digits.isdigit() and len(digits) >= 6:
        ids = _by_digits(digits, asked)
        if ids:
            return _page(ids, asked.after, size)
    match = _match(asked.words)
    if match is None:
        return Found([], 0, None)
    hits = _Hits(asked, match)
    ids = hits.some(COUNT_CAP + 1)
    if match and len(ids) <= FEW:
        return _ranked(asked, ids, size)
    if len(ids) <= COUNT_CAP or (hits.order_is_free and not asked.after):
        return _page(sorted(ids, reverse=True), asked.after, size)
    newest = hits.newest(size + 1, asked.after, many=True)
    return replace(_page(newest, asked.after, size), count=len(ids))


def _page(ids: list[int], after: int, size: int) -> Found:
    page = [id for id in ids if not after or id < after][: size + 1]
    return Found(page[:size], len(ids), page[size - 1] if len(page) > size else None)


class _Hits:
    """The products that answer: all of them while they are few, and those of a page, in its order,
    when they are many.
    """

    def __init__(self, asked: Asked, match: str) -> None:
        others = _others(asked.states) if match and not any(asked.filters.values()) else None
        answers = (
            "search_index MATCH :match" if is_sqlite() else "x.tsv @@ to_tsquery('simple', :match)"
        )
        self.id, self.source, self.values = "x.rowid", "search_index x", {"match": match}
        self.order_is_free = bool(match) and is_sqlite()  # FTS5 reads its lists from either end
        if (
            others is not None
        ):  # the index alone knows: nearly all it holds is in a state that was asked for
            self.where = [answers]
            if others:
                self.where.append(f"NOT x.rowid {one_of('others')}")
                self.values["others"] = listed(others)
            return
        self.where, values = _where(asked.filters, asked.states)
        if (
            match
        ):  # said by `x.rowid`, SQLite's index is in the order of a page already: nothing is sorted
            self.source += f" {'CROSS ' if is_sqlite() else ''}JOIN product p ON p.id = x.rowid"
            self.where.append(answers)
            self.values |= values
        else:
            self.id, self.source, self.values = "p.id", "product p", values

    def some(self, most: int) -> list[int]:
        """As many as there are up to a number: the newest where that costs nothing, else those the
        engine finds first.
        """
        if self.order_is_free:
            return self.newest(most)
        sql = f"SELECT {self.id} FROM {self.source} WHERE {' AND '.join(self.where)} LIMIT :most"
        return list(db.session.execute(text(sql), {**self.values, "most": most}).scalars())

    def newest(self, most: int, after: int = 0, *, many: bool = False) -> list[int]:
        """The newest first, from one on. `many`: over a thousand answer, so that the newest are
        found soon by walking the products from the last one on; SQLite would rather read all that
        an index of a filter names, and sort them.
        """
        where = [*self.where, f"{self.id} < :after"] if after else self.where
        walked = " NOT INDEXED" if many and is_sqlite() and self.source == "product p" else ""
        sql = (
            f"SELECT {self.id} FROM {self.source}{walked} WHERE {' AND '.join(where)} ORDER BY"
            f" {self.id}"
            " DESC LIMIT :most"
        )
        return list(
            db.session.execute(
                text(sql), {**self.values, "most": most, **({"after": after} if after else {})}
            ).scalars()
        )


def _others(states: tuple[str, ...]) -> set[int] | None:
    """Products the index holds in other states than these, when they are few."""
    rest = [
        state.value
        for state in ProductState
        if state is not ProductState.merged and state.value not in states
    ]
    if not rest:
        return set()
    sql = (
        f"SELECT id FROM product WHERE status IN ({', '.join(f':s{n}' for n in range(len(rest)))})"
        f" LIMIT {MOST_OTHERS + 1}"
    )
    found = set(
        db.session.execute(text(sql), {f"s{n}": state for n, state in enumerate(rest)}).scalars()
    )
    return found if len(found) <= MOST_OTHERS else None


def _ranked(asked: Asked, ids: list[int], size: int) -> Found:
    """Few answers: those whose title says the words first, the shortest first. `after` is then the
    product the last page ended with.
    """
    wanted = set(words_of(asked.words))
    rows = db.session.execute(
        text(f"SELECT id, title FROM product WHERE id {one_of('ids')}"), {"ids": listed(ids)}
    ).all()

    def rank(row: Any) -> tuple[int, int, int]:
        text = words_of(row.title)
        return -len(wanted & set(text)), len(text), -row.id

    order = [row.id for row in sorted(rows, key=rank)]
    start = order.index(asked.after) + 1 if asked.after in order else 0
    page = order[start : start + size]
    return Found(page, len(ids), page[-1] if start + size < len(order) else None)


def _match(words: str) -> str | None:
    """The query of the engine: every word, the last one as a beginning. Empty without words; None
    when they hold no word at all.
    """
    if not words.strip():
        return ""
    rest, either = _sizes_in(words)
    found = list(dict.fromkeys(_plain_words(rest)))[: MOST_WORDS - len(either)] if rest else []
    if not found and not either:
        return None
    both, one, begins = (" AND ", " OR ", '"{}"*') if is_sqlite() else (" & ", " | ", "{}:*")
    whole = '"{}"' if is_sqlite() else "{}"
    terms = [whole.format(word) for word in found[:-1]] + [begins.format(w) for w in found[-1:]]
    for spellings in either:
        ways = [both.join(whole.format(word) for word in spelling) for spelling in spellings]
        terms.append(f"({one.join(f'({way})' for way in ways)})")
    return both.join(terms)


MOST_SIZES = 3  # of one search


def _sizes_in(words: str) -> tuple[str, list[list[list[str]]]]:
    """The words without their sizes in a scale, and for each of these the ways it may be written
    in the index: « UK 8 » as it is typed, or « 42 ».
    """
    plain = sizes.normal(words)
    either: list[list[list[str]]] = []
    for one in reversed(sizes.readings(plain)):
        if one.european and len(either) < MOST_SIZES:
            typed = _plain_words(plain[one.start : one.end])
            either.append([typed, words_of(one.european)])
            plain = plain[: one.start] + " " + plain[one.end :]
    return (plain.strip(), either) if either else (words, [])


def _plain_words(words: str) -> list[str]:
    """As `words_of`, without the joined forms: each part of « AB-1234 » must be there."""
    found = words_of(re.sub(r"[-./]", " ", with_decimals(words.lower())))
    return [word for word in found if word not in _SILENT] or found


# What people say before a size, and the little words of French: nothing is narrowed by them.
_SILENT = {
    *("pointure", "taille", "jeu"),
    *("le", "la", "les", "l", "un", "une", "de", "du", "des", "d", "et", "a", "au", "aux", "en"),
    *("pour", "sur", "avec"),
}
# What people call a console, where the catalogue writes it in full.
SHORT_NAMES = {
    **{f"ps{n}": ["playstation", str(n)] for n in range(1, 6)},
    "n64": ["nintendo", "64"],
    "gb": ["game", "boy"],
    "gba": ["game", "boy", "advance"],
    "gbc": ["game", "boy", "color"],
    "nds": ["nintendo", "ds"],
    "snes": ["super", "nintendo"],
    "gc": ["gamecube"],
    "md": ["megadrive"],
}


def _by_digits(digits: str, asked: Asked) -> list[int]:
    """Products by the beginning of a barcode, whole or not; UPC-A and EAN-13 are one."""
    where, values = _where(asked.filters, asked.states)
    ends = {digits, "0" + digits} if len(digits) == 12 else {digits}
    ranges = " OR ".join(f"(v.ean >= :from{n} AND v.ean < :to{n})" for n in range(len(ends)))
    for n, start in enumerate(sorted(ends)):
        values |= {f"from{n}": start, f"to{n}": start + ":"}  # « : » follows « 9 »
    sql = (
        "SELECT DISTINCT p.id FROM variant v JOIN product p ON p.id = v.product_id WHERE"
        f" ({ranges}) AND {' AND '.join(where)} LIMIT {COUNT_CAP + 1}"
    )
    return sorted(db.session.execute(text(sql), values).scalars(), reverse=True)


_OF_PRODUCT = {
    "category": "p.category",
    "family": "p.family",
    "subfamily": "p.subfamily",
    "kind": "p.kind",
}
_SIZES = ("size", "shoe_size")


def _where(filters: dict[str, str], states: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """What narrows a search, as conditions on `product p`. One variant must have all the details
    asked for.
    """
    values: dict[str, Any] = {f"state{n}": state for n, state in enumerate(states)}
    where = [f"p.status IN ({', '.join(f':state{n}' for n in range(len(states)))})"]
    of_variant = []
    for name, words in filters.items():
        if not words:
            continue
        if name in _OF_PRODUCT:
            where.append(f"{_OF_PRODUCT[name]} = :{name}")
        elif name == "brand":
            where.append("p.brand_id IN (SELECT id FROM brand WHERE lower(name) = lower(:brand))")
        elif name == "color":
            of_variant.append(f"v.color {one_of('colors')}")
            values["colors"] = listed(_spellings(words))
        elif name in _SIZES:
            of_variant.append(f"v.{name} {one_of(name)}")
            values[name] = listed(_same_sizes(name, words))
        elif name == "material":
            of_variant.append("v.material = :material")
        elif name == "platform":
            where.append("p.platform_id = (SELECT id FROM platform WHERE name = :platform)")
        elif name == "price":
            low, _dash, high = words.partition("-")
            if not (
                low.isascii()
                and low.isdigit()
                and len(low) < 10
                and (not high or (high.isascii() and high.isdigit() and len(high) < 10))
            ):
                continue
            of_variant.append(
                "v.advised_cents >= :low" + (" AND v.advised_cents < :high" if high else "")
            )
            values |= {"low": int(low), **({"high": int(high)} if high else {})}
        elif name == "on_sale":
            offered, more = _on_sale_as(words, filters.get("condition", ""))
            values |= more
            if _few_on_sale(words):
                where.append(
                    "p.id IN (SELECT r.product_id FROM listing s JOIN variant r ON r.id ="
                    f" s.variant_id WHERE {offered})"
                )
            of_variant.append(
                f"EXISTS (SELECT 1 FROM listing s WHERE s.variant_id = v.id AND {offered})"
            )
        elif name == "condition" and "on_sale" not in filters:
            _narrow_by_condition(words, of_variant, filters.get("store", ""), values)
        elif name == "store" and "condition" not in filters:
            of_variant.append(
                "(EXISTS (SELECT 1 FROM stock_level l WHERE l.variant_id = v.id AND l.store_id ="
                " :store AND l.quantity > l.reserved) OR EXISTS (SELECT 1 FROM item i WHERE"
                f" i.variant_id = v.id AND i.store_id = :store AND i.status IN {_FREE}))"
            )
            values["store"] = (
                int(words) if words.isascii() and words.isdigit() and len(words) < 10 else 0
            )
        if f":{name}" in " ".join((*where, *of_variant)) and name not in values:
            values[name] = words
    if of_variant:
        where.append(
            "EXISTS (SELECT 1 FROM variant v WHERE v.product_id = p.id AND"
            f" {' AND '.join(of_variant)})"
        )
    return where, values


def _on_sale_as(seller: str, condition: str = "") -> tuple[str, dict[str, Any]]:
    """Whether a listing `s` can be had now: it is active and a unit of it is free. Of one vendor or
    of all, new, second-hand or both.
    """
    where, values = ["s.status = 'active'"], {}
    if seller != ANY_VENDOR:
        where.append("s.vendor_id = :seller")
        values["seller"] = int(seller)
    if condition:
        where.append(f"s.condition IS {'' if condition == 'new' else 'NOT '}NULL")
    where.append(
        "(CASE WHEN s.item_id IS NOT NULL THEN EXISTS (SELECT 1 FROM item i WHERE i.id = s.item_id"
        " AND i.status = 'listed') WHEN s.condition IS NOT NULL THEN coalesce(s.quantity, 0) > 0"
        " ELSE EXISTS (SELECT 1 FROM stock_level l WHERE l.variant_id = s.variant_id AND"
        " l.vendor_id = s.vendor_id AND l.quantity > l.reserved) END)"
    )
    return " AND ".join(where), values


# Up to so many listings, those on sale are read first and the catalogue asked for them; beyond, the
# catalogue is read and each product asked, which finds a page soon.
FEW_LISTINGS = 20_000
_on_sale: dict[str, tuple[float, bool]] = {}


def _few_on_sale(seller: str) -> bool:
    """Whether a vendor, or all of them, have little on sale; counted again every two minutes."""
    read_at, few = _on_sale.get(seller, (0.0, True))
    if not read_at or time.monotonic() - read_at > VOCABULARY_SECONDS:
        whose = "" if seller == ANY_VENDOR else " AND vendor_id = :seller"
        sql = f"SELECT 1 FROM listing WHERE status = 'active'{whose} LIMIT :most"
        values = {"most": FEW_LISTINGS + 1, **({"seller": int(seller)} if whose else {})}
        few = len(db.session.execute(text(sql), values).all()) <= FEW_LISTINGS
        _on_sale[seller] = time.monotonic(), few
    return few


def _narrow_by_condition(
    words: str, of_variant: list[str], store: str, values: dict[str, Any]
) -> None:
    at = ""
    if store:
        at = " AND {0}.store_id = :store"
        values["store"] = (
            int(store) if store.isascii() and store.isdigit() and len(store) < 10 else 0
        )
    if words == "new":
        of_variant.append(
            "EXISTS (SELECT 1 FROM stock_level l WHERE l.variant_id = v.id AND l.quantity >"
            f" l.reserved{at.format('l')})"
        )
    else:
        of_variant.append(
            f"EXISTS (SELECT 1 FROM item i WHERE i.variant_id = v.id AND i.status IN {_FREE}"
            f"{at.format('i')})"
        )


def all_ids(asked: Asked) -> list[int]:
    """All that answers, in no order, up to a thousand products."""
    digits = re.sub(r"[\s.\-]", "", asked.words)
    is_code = digits.isascii() and digits.isdigit() and len(digits) >= 6
    if is_code and (ids := _by_digits(digits, asked)):
        return ids
    match = _match(asked.words)
    return [] if match is None else _Hits(asked, match).some(COUNT_CAP)


def product_ids(words: str) -> list[int]:
    """The same search, mistyped words corrected, for a list that has filters of its own, whatever
    the state of a sheet: at most a thousand products answer.
    """
    asked = Asked(words, states=LIVING)
    digits = re.sub(r"[\s.\-]", "", words)
    ids = (
        _by_digits(digits, asked)
        if digits.isascii() and digits.isdigit() and len(digits) >= 6
        else []
    )
    if ids:
        return ids
    for said in (words, correct(words)):
        if (match := _match(said)) and (found := _Hits(asked, match).newest(COUNT_CAP)):
            return found
    return []


def references(words: str) -> ColumnElement[bool]:
    """Which references answer, as a condition: those of the products found; where a product has
    the size the words name, those of that size alone.
    """
    ids = product_ids(words)
    columns = {"shoe_size": Variant.shoe_size, "size": Variant.size}
    said = {name: _sizes_among(name, words) for name in columns}
    if not any(said.values()):
        return Variant.product_id.in_(ids)
    is_of_size = or_(*(columns[name].in_(values) for name, values in said.items() if values))
    has_it = set(
        db.session.scalars(
            select(Variant.product_id).where(Variant.product_id.in_(ids), is_of_size).distinct()
        )
    )
    return or_(
        Variant.product_id.in_(set(ids) - has_it), Variant.product_id.in_(has_it) & is_of_size
    )


def _sizes_among(column: str, words: str) -> list[str]:
    """The sizes of the catalogue that one of the words means."""
    of_a_shoe = column == "shoe_size"
    plain = sizes.normal(words)
    texts = {*plain.split(), *(one.european for one in sizes.readings(plain))} - {""}
    wanted = {sizes.same(text, of_a_shoe=of_a_shoe) for text in texts}
    return [one for one in _all_of(column) if sizes.same(one, of_a_shoe=of_a_shoe) in wanted]


# ── facets ──


def facets(
    asked: Asked,
    names: tuple[str, ...] = FACETS,
    *,
    of_vendor: int = 0,
    most: int = FACET_HITS,
) -> dict[str, list[tuple[str, int]]]:
    """For each facet its commonest values with how many products have them, among `most` that
    answer.

    `store`: those of one vendor, among the first 200 that answer.
    """
    match = _match(asked.words)
    if match is None:
        return {}
    ids = _Hits(asked, match).some(most)
    hits, values = one_of("hits"), {"hits": listed(ids)}
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    products = text(
        "SELECT p.category, p.family, b.name AS brand, f.name AS platform FROM product p LEFT JOIN"
        " brand b ON b.id = p.brand_id LEFT JOIN platform f ON f.id = p.platform_id WHERE p.id"
        f" {hits}"
    )
    for row in db.session.execute(products, values):
        for name in ("category", "family", "brand", "platform"):
            if name in found and (value := getattr(row, name)):
                found[name][value] += 1
    seller = asked.filters.get("on_sale", "")
    offered, more = _on_sale_as(seller, asked.filters.get("condition", "")) if seller else ("", {})
    if {"size", "shoe_size", "color", "material", "price"} & set(names):
        _count_details(found, hits, {**values, **more}, offered)
    if "condition" in found and seller:
        sql = (
            "SELECT CASE WHEN s.condition IS NULL THEN 'new' ELSE 'used' END, count(DISTINCT"
            " v.product_id) FROM variant v JOIN listing s ON s.variant_id = v.id WHERE"
            f" {offered} AND v.product_id {hits} GROUP BY 1"
        )
        found["condition"].update(dict(db.session.execute(text(sql), {**values, **more}).all()))
    elif "condition" in found:
        for name, table, live in (
            ("new", "stock_level", "s.quantity > s.reserved"),
            ("used", "item", f"s.status IN {_FREE}"),
        ):
            sql = (
                f"SELECT count(DISTINCT v.product_id) FROM variant v JOIN {table} s ON s.variant_id"
                f" = v.id WHERE {live} AND v.product_id {hits}"
            )
            if count := db.session.execute(text(sql), values).scalar_one():
                found["condition"][name] = count
    if "store" in found:
        sql = (
            "SELECT s.name, count(DISTINCT v.product_id) FROM variant v JOIN stock_level l ON"
            " l.variant_id = v.id JOIN store s ON s.id = l.store_id WHERE l.quantity > l.reserved"
            f" AND v.product_id {hits} AND s.vendor_id = :vendor GROUP BY s.name"
        )
        found["store"].update(
            dict(
                db.session.execute(
                    text(sql), {"hits": listed(ids[:200]), "vendor": of_vendor}
                ).all()
            )
        )
    return {name: _in_order(name, counts) for name, counts in found.items() if counts}


MOST_VALUES = 200


def _in_order(name: str, counts: Counter[str]) -> list[tuple[str, int]]:
    """The values of a facet: sizes as they lie on a shelf; else the commonest first."""
    if name in ("size", "shoe_size"):
        return sorted(counts.items(), key=lambda one: sizes.order(one[0]))[:MOST_VALUES]
    return counts.most_common(MOST_VALUES)


_details: dict[str, tuple[float, tuple[str, ...]]] = {}


def _all_of(column: str) -> tuple[str, ...]:
    """Every value of a detail in the catalogue, read again every two minutes."""
    read_at, values = _details.get(column, (0.0, ()))
    if not values or time.monotonic() - read_at > VOCABULARY_SECONDS:
        rows = db.session.execute(text(_EVERY[column]))
        read_at, values = _details[column] = time.monotonic(), tuple(rows.scalars())
    return values


_EVERY = {
    column: f"SELECT DISTINCT {column} FROM variant WHERE {column} <> ''"
    for column in ("color", *_SIZES)
}


def _same_sizes(column: str, size: str) -> list[str]:
    """The sizes of the catalogue that a filter means: « 42 » is also « UK 8 » and « 8 UK / 42 EU »,
    which their labels say.
    """
    of_a_shoe = column == "shoe_size"
    wanted = sizes.same(size, of_a_shoe=of_a_shoe)
    found = [one for one in _all_of(column) if sizes.same(one, of_a_shoe=of_a_shoe) == wanted]
    return sorted({*found, size, wanted})


def _spellings(color: str) -> list[str]:
    """The colours of the catalogue that a filter means: those of a family, else the same colour in
    any spelling.
    """
    wanted, words, mixed = color.lower(), set(words_of(color)), colors.families(color)

    def is_meant(one: str) -> bool:
        found = colors.families(one)
        if len(mixed) > 1:  # « Noir / Blanc » and « Black/White »
            return set(found) == set(mixed)
        return wanted in found or set(words_of(one)) == words

    return [color] + [one for one in _all_of("color") if one != color and is_meant(one)]


def _count_details(
    found: dict[str, Counter[str]], hits: str, values: dict[str, Any], offered: str = ""
) -> None:
    """Count the details of references; with `offered`, of those that can be had alone."""
    seen: set[tuple[str, int, str]] = set()
    sql = (
        "SELECT v.product_id, v.size, v.shoe_size, v.color, v.material, v.advised_cents FROM"
        f" variant v WHERE v.product_id {hits}"
    )
    if offered:
        sql += f" AND EXISTS (SELECT 1 FROM listing s WHERE s.variant_id = v.id AND {offered})"
    for product, size, shoe_size, color, material, price in db.session.execute(text(sql), values):
        for name, value in (
            ("size", sizes.same(size, of_a_shoe=False)),
            ("shoe_size", sizes.same(shoe_size, of_a_shoe=True)),
            *(("color", family) for family in _colors_of(color)),
            ("material", material),
            ("price", _band(price)),
        ):
            if value and name in found and (name, product, value) not in seen:
                seen.add((name, product, value))
                found[name][value] += 1


def _colors_of(color: str) -> tuple[str, ...]:
    """The families a colour counts for, else itself."""
    return tuple(family.capitalize() for family in colors.families(color)) or (color,)


def _band(price_cents: int | None) -> str:
    if price_cents is None:
        return ""
    return next(f"{low}-{high or ''}" for low, high in BANDS if high is None or price_cents < high)


# ── words mistyped, words begun ──

_vocabulary: tuple[float, tuple[str, ...]] = (0.0, ())
VOCABULARY_SECONDS = 120.0


def correct(words: str) -> str:
    """The same words, those we do not know replaced by the closest one we do; as they were when
    nothing is close.
    """
    known = _known_words()
    if not known:
        return words
    better = []
    for word in _plain_words(words)[:MOST_WORDS]:
        if word in SHORT_NAMES and not _is_known(word):
            better += SHORT_NAMES[word]
            continue
        if word.isdigit() or len(word) < 4 or _is_known(word):
            better.append(word)
            continue
        # one slip in a short word, two in a longer one: « mario » is not « marine »
        least = 0.75 if len(word) < 6 else 0.66
        close = process.extractOne(
            word, known, scorer=DamerauLevenshtein.normalized_similarity, score_cutoff=least
        )
        better.append(close[0] if close else word)
    return " ".join(better) if better != _plain_words(words)[:MOST_WORDS] else words


def _is_known(word: str) -> bool:
    sql = text("SELECT 1 FROM search_word WHERE word >= :start AND word < :end LIMIT 1")
    return db.session.execute(sql, {"start": word, "end": word + "~"}).first() is not None


def _known_words() -> tuple[str, ...]:
    global _vocabulary
    if time.monotonic() - _vocabulary[0] > VOCABULARY_SECONDS or not _vocabulary[1]:
        _vocabulary = (
            time.monotonic(),
            tuple(db.session.execute(text("SELECT word FROM search_word")).scalars()),
        )
    return _vocabulary[1]


def suggest(words: str, limit: int = 8) -> list[tuple[int, str]]:
    """Titles that go on as these words begin: number and title, the best first."""
    if len(words.strip()) < 2:
        return []
    found = _find(Asked(words, size=limit))
    titles = dict(
        db.session.execute(select(Product.id, Product.title).where(Product.id.in_(found.ids))).all()
    )
    return [(id, titles[id]) for id in found.ids if id in titles]


def forget() -> None:
    """Forget the vocabulary this process remembers (tests, a new catalogue)."""
    global _vocabulary
    _vocabulary = (0.0, ())
    _details.clear()
    _on_sale.clear()


def products(ids: Iterable[int]) -> list[Product]:
    """The products of a page in its order, with their variants, brand and platform in one statement
    each.
    """
    from sqlalchemy.orm import selectinload

    wanted = list(ids)
    load = (
        selectinload(Product.variants),
        selectinload(Product.brand),
        selectinload(Product.platform),
    )
    rows = {
        p.id: p
        for p in db.session.scalars(select(Product).where(Product.id.in_(wanted)).options(*load))
    }
    return [rows[id] for id in wanted if id in rows]
