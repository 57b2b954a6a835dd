"""Stock files of shops, full or partial: every line judged, a file applied whole, an old one never
over a new one (AN-039 to AN-046).

A full file says everything: what it does not name is no longer there. A partial one says nothing of
the rest. Each carries its date (given, in its name, else the moment it came): movements after that
date are applied on top, an older file than the last full one is refused, and an older line never
undoes a newer one.
"""

import contextlib
from collections.abc import Container, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import bindparam, select, text

from models import ImportRun, ImportState, Movement, MovementKind, StockLevel, Store
from services import clock, dates, settings
from services.catalogue import matching, products
from services.imports import runs, tables
from services.stock import levels
from services.unit import (
    db,
    insert_alike,
    listed,
    lock_until_commit,
    one_of,
    raw,
    read_moment,
    retried,
    unit_of_work,
    update_alike,
)
from services.workflow import Actor, Refused

COLUMNS: dict[str, tuple[str, ...]] = {
    "sku": ("offer-sku", "sku", "reference", "ref", "code-article", "article"),
    "ean": (
        "ean",
        "code-barres",
        "gtin",
        "gencod",
        "gencode",
        "barcode",
        "ean13",
        "code-barre",
        "code-ean",
        "variant-barcode",
        "upc",
        "ean-13",
        "gtin-upc-ean-or-isbn",
        "product-id",  # last: to a web shop it is a number of its own
    ),
    "quantity": (
        "quantity",
        "quantite",
        "qte",
        "stock",
        "stock-reel",
        "dispo",
        "available",
        "en-stock",
        "quantite-en-stock",
        "qte-dispo",
        "qte-stock",
        "qte-en-stock",
        "stock-magasin",
        "stock-dispo",
        "stock-disponible",
        "stock-physique",
        "on-hand",
        "inventory-quantity",
        "variant-inventory-qty",
    ),
    "store": (
        "warehouse-code",
        "magasin",
        "point-de-vente",
        "store",
        "code-magasin",
        "depot",
        "location",
    ),
    "title": ("designation", "libelle", "libelle-produit", "titre", "title", "nom"),
    "brand": ("marque", "brand"),
    "supplier_ref": ("reference-fournisseur", "ref-fournisseur", "supplier-reference"),
    "delete": ("update-delete",),
}
# A clock may be so much ahead of ours; what it dates after now is taken as now.
FUTURE = timedelta(minutes=10)
DOUBT_PERCENT = 2


class Line(NamedTuple):
    """One line of a file: how many there are of something, in one store."""

    line: int
    sku: str
    ean: str
    quantity: int
    store_id: int
    title: str = ""
    brand: str = ""
    supplier_ref: str = ""


# ── lines ──


def _lack(at: dict[str, int], store_id: int | None) -> str:
    """What keeps a stock file from being understood, in words; empty when nothing does."""
    if "ean" not in at and "sku" not in at:
        return _(
            "The column « ean » or « offer-sku » is missing: nothing says which reference a line"
            " counts."
        )
    if store_id is None and "store" not in at:
        return _(
            "Which store is this the stock of? Give the file again and choose it, or name it in a"
            " column « warehouse-code »."
        )
    return ""


class _Reader:
    """Turns lines into quantities. What is fanciful or below zero is ignored, with its reason
    (AN-042).
    """

    def __init__(
        self, at: dict[str, int], only: int | None, stores: dict[str, int], most: int
    ) -> None:
        """`at`: where columns stand; `only`: the store the file is for; `stores`: those it may
        name; `most`: a quantity beyond is fanciful.
        """
        if lack := _lack(at, only):
            raise Refused(lack)
        self.most, self.only, self.stores = most, only, stores
        self.width = 1 + max(at.values())
        # A column the file lacks is read from the empty cell behind its last one.
        (
            self.ean,
            self.sku,
            self.quantity,
            self.store,
            self.title,
            self.brand,
            self.ref,
            self.delete,
        ) = (
            at.get(name, self.width)
            for name in (
                "ean",
                "sku",
                "quantity",
                "store",
                "title",
                "brand",
                "supplier_ref",
                "delete",
            )
        )
        self.is_named = any(name in at for name in ("title", "brand", "supplier_ref"))
        self.has_store = "store" in at
        self.plain: dict[str, int] = {
            str(n): n for n in range(min(self.most, 1000) + 1)
        }  # what nearly every line says
        # Lines whose reference is read and whose count is not believed: they leave the level as it
        # is. Lines whose reference cannot be read: they may be about any. Lines of other stores.
        self.disbelieved: list[Line] = []
        self.unreadable = self.elsewhere = 0

    def row(self, line: int, cells: list[str]) -> Line:
        cells = cells[: self.width] + [""] * (self.width + 1 - min(len(cells), self.width))
        ean, sku = cells[self.ean].strip(), cells[self.sku].strip()[:60]
        if ean:
            try:
                ean = products.read_ean(ean)
            except products.BadEan as bad:
                if not sku:
                    self.unreadable += 1
                    raise runs.Ignored(str(bad)) from None
                ean = ""
        elif not sku:
            self.unreadable += 1
            raise Refused(_("This line names no reference."))
        elif sku.isdigit():  # tills that have no name of their own for an article give its barcode
            with contextlib.suppress(products.BadEan):
                ean = products.read_ean(sku)
        store_id = (
            self._store(cells[self.store]) if self.has_store or self.only is None else self.only
        )
        words = cells[self.quantity]
        quantity = self.plain.get(words)
        if cells[self.delete].strip().lower() == "delete":
            quantity = 0
        elif quantity is None:
            try:
                quantity = self._quantity(words)
            except runs.Ignored:
                self.disbelieved.append(Line(line, sku, ean, 0, store_id))
                raise
        if not self.is_named:
            return Line(line, sku, ean, quantity, store_id)
        return Line(
            line,
            sku,
            ean,
            quantity,
            store_id,
            cells[self.title].strip()[:300],
            cells[self.brand].strip()[:100],
            cells[self.ref].strip()[:60],
        )

    def _quantity(self, words: str) -> int:
        if not words.strip():
            raise runs.Ignored(_("This line gives no quantity."))
        bare = words.strip().replace("\u00a0", "").replace("\u202f", "").replace(" ", "")
        whole, _dot, rest = bare.replace(",", ".").partition(".")
        digits = whole.removeprefix("+").removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 12 or rest.strip("0"):
            raise runs.Ignored(_("« %(words)s » is no quantity.", words=words[:20]))
        quantity = int(digits)
        if whole.startswith("-") and quantity:
            raise runs.Ignored(_("A stock below zero (%(words)s) says nothing.", words=words[:20]))
        if quantity > self.most:
            raise runs.Ignored(
                _(
                    "%(words)s units are more than a shop holds (%(most)s at most).",
                    words=words[:20],
                    most=self.most,
                )
            )
        return quantity

    def _store(self, words: str) -> int:
        code = words.strip().lower()
        if not code:
            if self.only is None:
                raise Refused(_("This line names no store."))
            return self.only
        found = self.stores.get(code)
        self.elsewhere += found is None or (self.only is not None and found != self.only)
        if found is None or (self.only is not None and found != self.only):
            raise runs.Ignored(
                _("« %(code)s » is not the store this file is for.", code=words[:20])
                if self.only
                else _("There is no store « %(code)s » here.", code=words[:20])
            )
        return found


# ── a file ──


def _load(loading: runs.Loading) -> None:
    loading.open()
    dated_at = _date(loading)
    if _is_the_last_one_again(loading, dated_at):
        _nothing_new(loading)
        return
    reader = _Reader(
        loading.at, loading.store_id, _stores_named(loading), settings.value("stock_most_quantity")
    )
    db.session.rollback()
    chosen: dict[tuple[int, str], Line] = {}
    contradictory: dict[int, str] = {}
    for line in loading.rows(reader.row):
        key = (line.store_id, line.ean or line.sku)
        first = chosen.get(key)
        if first is None:
            chosen[key] = line
        elif first.quantity == line.quantity:
            loading.repeat(line.line, line.ean or line.sku)
        else:
            contradictory[first.line] = contradictory[line.line] = _counted_twice(
                line.ean or line.sku, first, line
            )
    if loading.read and reader.elsewhere == loading.read:
        raise Refused(
            _("Every line of this file is about another store than the one it was given for.")
        )
    if _is_doubtful(loading, reader.unreadable):
        loading.facts["unreadable"] = [reader.unreadable, loading.read]
        wait_for_a_click(loading)
        return
    lines = [line for line in chosen.values() if line.line not in contradictory]
    disbelieved = [
        *reader.disbelieved,
        *(line for line in chosen.values() if line.line in contradictory),
    ]
    loading.put_aside(contradictory)
    if loading.read >= runs.PROGRESS_EVERY:
        loading.progress()
    apply(loading, lines, dated_at, disbelieved)


def _is_doubtful(loading: runs.Loading, unreadable: int) -> bool:
    """Whether so many lines name nothing we can read that a full file, which empties what it does
    not name, must be looked at first (domain.md § 2.48).
    """
    return (
        loading.mode == runs.FULL
        and not loading.confirmed
        and unreadable >= settings.value("feed_doubt_lines")
        and unreadable * 100 > loading.read * DOUBT_PERCENT
    )


def _mode_of(header: list[str]) -> str:
    """STO01 tells changes, one line an offer and store (conventions of Mirakl); any other list of a
    shop's stock tells all there is.
    """
    names = {tables.fold(title) for title in header}
    return (
        runs.DELTA
        if {"offersku", "quantity"} <= names and names & {"warehousecode", "updatedelete"}
        else runs.FULL
    )


def _stores_named(loading: runs.Loading) -> dict[str, int]:
    """The vendor's stores by code and by name, when the file says which one a line counts."""
    if "store" not in loading.at:
        return {}
    stores = db.session.scalars(select(Store).where(Store.vendor_id == loading.vendor_id)).all()
    return {code.lower(): store.id for store in stores for code in (store.code, store.name) if code}


def _date(loading: runs.Loading) -> datetime:
    dated_at = loading.dated_at or runs.date_in_name(loading.name) or loading.received_at
    if dated_at > clock.now() + FUTURE:
        raise Refused(
            _(
                "This file is dated %(day)s, in the future: the clock of the till is wrong.",
                day=dates.moment(dated_at),
            )
        )
    return min(dated_at, clock.now())


def _is_the_last_one_again(loading: runs.Loading, dated_at: datetime) -> bool:
    """The same bytes as the last file of this store, without a newer date of its own, and nothing
    moved since that one: sent twice, it changes nothing.
    """
    last = db.session.execute(
        _LAST_FILE, {"vendor": loading.vendor_id, "store": loading.store_id, "this": loading.run_id}
    ).first()
    own_date = loading.dated_at or runs.date_in_name(loading.name)
    return (
        last is not None
        and last.sha256 == loading.sha256
        and (own_date is None or last.dated_at is None or dated_at <= last.dated_at)
        and not _moved_since(loading, last.ended_at)
    )


def _moved_since(loading: runs.Loading, moment: datetime) -> bool:
    """Whether somebody or another file said otherwise, in the store or the stores of a file, after
    a moment (UTC). Sales and returns do not count: a file that is sent again after a sale would
    bring the sold unit back (docs/decisions/0015).
    """
    of_vendor = select(Store.id).where(Store.vendor_id == loading.vendor_id)
    stores = [loading.store_id] if loading.store_id else db.session.scalars(of_vendor).all()
    newest = (
        db.session.execute(_NEWEST_MOVEMENT, {"store": store_id}).scalar() for store_id in stores
    )
    return any(at is not None and at > moment for at in newest)


# Made once: building a statement costs more than asking it, and a group of shops sends thousands of
# small files.
_LAST_FILE = (
    select(ImportRun.sha256, ImportRun.dated_at, ImportRun.ended_at)
    .where(
        ImportRun.kind == "stock",
        ImportRun.vendor_id == bindparam("vendor"),
        ImportRun.store_id.is_not_distinct_from(bindparam("store")),
        ImportRun.state == ImportState.complete,
        ImportRun.id != bindparam("this"),
    )
    .order_by(ImportRun.ended_at.desc(), ImportRun.id.desc())
    .limit(1)
)
_NEWEST_MOVEMENT = (
    select(Movement.recorded_at)
    .where(
        Movement.store_id == bindparam("store"),
        Movement.kind.not_in([MovementKind.sale, MovementKind.return_]),
    )
    .order_by(Movement.id.desc())
    .limit(1)
)
_OVERPROMISED = select(StockLevel).where(
    StockLevel.store_id == bindparam("store"), StockLevel.reserved > StockLevel.quantity
)


def _nothing_new(loading: runs.Loading) -> None:
    loading.facts["same_file"] = True
    with unit_of_work() as session:
        loading.ended(session)


def apply(
    loading: runs.Loading, lines: list[Line], dated_at: datetime, disbelieved: list[Line]
) -> None:
    """Match, compare and write a file's lines: each store whole, all of them in one short
    transaction. What `disbelieved` names keeps its level.
    """
    stores = sorted(
        {line.store_id for line in lines}
        | ({loading.store_id} if loading.store_id and loading.mode == runs.FULL else set())
    )
    by = Actor("machine", loading.run_id, loading.by_name)
    matched = matching.match(loading.vendor_id or 0, lines, remember=not loading.is_trial)
    unknown = [line for line in lines if line.line not in matched]
    lines, contradictory = _one_count_each(loading, lines, matched)
    spared = _references(loading, [*disbelieved, *contradictory])
    loading.put_aside(
        {
            line.line: _(
                "We do not know this reference: it waits in the queue of unknown references."
            )
            for line in unknown
        },
        ignored=True,
    )
    mark, source = (
        loading.mark(),
        _Source(loading.mode, f"import {loading.run_id}", loading.by_name),
    )

    def work() -> None:
        loading.back_to(mark)
        with unit_of_work() as session:
            connection = session.connection()
            written = _Written()
            for store_id in stores:
                wanted = {
                    matched[line.line]: line
                    for line in lines
                    if line.store_id == store_id and line.line in matched
                }
                lock_until_commit(connection, f"stock {store_id}")
                _apply_to(
                    connection,
                    source,
                    store_id,
                    wanted,
                    dated_at,
                    written,
                    spared.get(store_id, set()),
                )
            if written.would_empty and not loading.confirmed:
                session.rollback()
                raise NeedsConfirmation(written.would_empty)
            loading.put_aside_late(written.ignored, ignored=True)
            matching.note_unknown(loading.vendor_id or 0, unknown)
            loading.ended(
                connection,
                created=written.created,
                updated=written.changed,
                unchanged=written.same,
                removed=written.emptied,
                dated_at=dated_at,
            )
            _settle(
                written, _("stock file « %(name)s »", name=loading.name), loading.vendor_id or 0, by
            )

    try:
        retried(work)
    except NeedsConfirmation as needed:
        loading.facts["would_empty"] = needed.counts
        wait_for_a_click(loading)
    if any(line.title or line.supplier_ref for line in unknown):
        matching.look_for_titles(loading.vendor_id or 0)


def _references(loading: runs.Loading, lines: list[Line]) -> dict[int, set[int]]:
    """The references these lines are about, by store."""
    found: dict[int, set[int]] = {}
    matched = matching.match(loading.vendor_id or 0, lines) if lines else {}
    for line in lines:
        if line.line in matched:
            found.setdefault(line.store_id, set()).add(matched[line.line])
    return found


def _one_count_each(
    loading: runs.Loading, lines: list[Line], matched: dict[int, int]
) -> tuple[list[Line], list[Line]]:
    """Two lines, one with a barcode and one with the vendor's own code, may name one reference.
    They are handled as two lines with one code: equal quantities are a repeat, different ones are
    both refused. Returns the lines to apply, and those that contradict each other.
    """
    first: dict[tuple[int, int], Line] = {}
    left_out: set[int] = set()
    contradictory: dict[int, str] = {}
    for line in lines:
        if line.line not in matched:
            continue
        earlier = first.setdefault((line.store_id, matched[line.line]), line)
        if earlier is line:
            continue
        left_out.add(line.line)
        if earlier.quantity == line.quantity:
            loading.repeat(line.line, line.ean or line.sku)
        else:
            contradictory[earlier.line] = contradictory[line.line] = _counted_twice(
                line.ean or line.sku, earlier, line
            )
    loading.put_aside(contradictory)
    return (
        [line for line in lines if line.line not in left_out and line.line not in contradictory],
        [line for line in lines if line.line in contradictory],
    )


def _counted_twice(what: str, a: Line, b: Line) -> str:
    return _(
        "%(what)s is counted twice, %(a)s on line %(la)s and %(b)s on line %(lb)s: keep the right"
        " one.",
        what=what,
        a=a.quantity,
        la=a.line,
        b=b.quantity,
        lb=b.line,
    )


class NeedsConfirmation(Exception):
    """This file would empty most of a store: somebody must say that it is meant."""

    def __init__(self, counts: list[list[Any]]) -> None:
        super().__init__()
        self.counts = counts


def wait_for_a_click(loading: runs.Loading) -> None:
    """Nothing is applied before somebody says that the file is right; its report says why."""
    with unit_of_work() as session:
        loading.ended(session, verb="ask")


class _Source(NamedTuple):
    """Where counts come from, as their movements say it."""

    mode: str
    reference: str
    by_name: str


class _Written:
    """What applying a file did, and what it must do next."""

    def __init__(self) -> None:
        self.created = self.created_some = self.changed = self.same = self.emptied = 0
        self.would_empty: list[list[Any]] = []
        self.ignored: dict[int, str] = {}
        self.codes: dict[int, str] = {}
        self.touched: set[int] = set()
        self.moved: set[int] = set()  # references whose quantity changed, in any store

    def add(self, plan: "_Plan", store_id: int) -> None:
        """Count what a plan does to one store."""
        self.created += len(plan.new)
        self.created_some += sum(1 for _variant, quantity, _counted in plan.new if quantity)
        self.changed += len(plan.changes) - plan.no_longer_named
        self.emptied += plan.no_longer_named
        self.same += plan.same
        self.ignored |= plan.ignored
        self.codes |= plan.codes
        if plan.movements:
            self.touched.add(store_id)
            self.moved.update(variant_id for variant_id, _difference in plan.movements)


def _apply_to(
    connection: Any,
    source: _Source,
    store_id: int,
    wanted: dict[int, Line],
    dated_at: datetime,
    written: _Written,
    spared: Container[int] = (),
) -> None:
    """Apply counts to one store. A full file empties what it does not name, except `spared`."""
    store = connection.execute(
        text("SELECT name, vendor_id, last_feed_at FROM store WHERE id = :id"), {"id": store_id}
    ).one()
    last = read_moment(store.last_feed_at)
    if last is not None and dated_at < last:
        raise Refused(
            _(
                "This file is dated %(day)s, older than the last full one of %(store)s (%(last)s):"
                " it was not loaded.",
                store=store.name,
                day=dates.moment(dated_at),
                last=dates.moment(last),
            )
        )
    full, when = source.mode == runs.FULL, raw(dated_at)
    known, by_till = _levels(connection, store_id, None if full else wanted)
    later = levels.moved_since(store_id, dated_at)
    if full:
        known = {id: level for id, level in known.items() if id in wanted or id not in spared}
    plan = _plan(known, wanted, later, when, full, settings.value("stock_most_jump"))
    written.add(plan, store_id)
    if full:
        if plan.emptied * 100 > plan.held * settings.value("feed_empty_percent"):
            written.would_empty.append([store.name, plan.emptied, plan.held])
        connection.execute(
            text("UPDATE store SET last_feed_at = :at WHERE id = :id"), {"at": when, "id": store_id}
        )
    here = {"vendor_id": store.vendor_id, "store_id": store_id}
    _write(connection, plan, source, here, when, by_till)


class _Plan:
    """What a file changes in one store. `new`: (variant, quantity, counted); `changes`: (quantity,
    counted, variant); `movements`: (variant, difference); `dated`: (counted, variant), where the
    quantity stays.
    """

    def __init__(self) -> None:
        self.new: list[tuple[int, int, int]] = []
        self.changes: list[tuple[int, int, int]] = []
        self.movements: list[tuple[int, int]] = []
        self.dated: list[tuple[int, int]] = []
        self.ignored: dict[int, str] = {}
        self.codes: dict[int, str] = {}
        self.held = self.emptied = self.same = self.no_longer_named = 0

    def holds(self, variant_id: int, counted: int, before: int | None, target: int) -> None:
        """The store holds `target` of a reference, of which the file counted `counted`."""
        if before is None:
            self.new.append((variant_id, target, counted))
        elif target != before:
            self.changes.append((target, counted, variant_id))
        else:
            self.dated.append((counted, variant_id))
        if target != (before or 0):
            self.movements.append((variant_id, target - (before or 0)))
            self.emptied += target == 0


def _plan(
    known: dict[int, tuple[int, Any]],
    wanted: dict[int, Line],
    later: dict[int, tuple[int, int]],
    when: Any,
    full: bool,
    jump: int,
) -> _Plan:
    """What a file counted at `when` changes beside what is known of a store (quantity, counted at)
    and what moved later. Writes nothing.
    """
    plan, left = _Plan(), dict(known)
    plan.held = sum(1 for quantity, _counted_at in known.values() if quantity > 0)
    for variant_id, line in wanted.items():
        quantity, counted_at = left.pop(variant_id, (None, None))
        if counted_at is not None and counted_at > when:
            plan.codes[line.line] = "older_than_known"
            plan.ignored[line.line] = _(
                "A newer count of %(ean)s is known (%(day)s).",
                ean=line.ean or line.sku,
                day=dates.moment_short(read_moment(counted_at) or clock.now()),
            )
            continue
        target = levels.after(line.quantity, *later.get(variant_id, (0, 0)))
        if jump and quantity is not None and abs(target - quantity) > jump:
            plan.codes[line.line] = "fanciful_quantity"
            plan.ignored[line.line] = _(
                "From %(before)s to %(after)s units in one file is fanciful (%(most)s at most).",
                before=quantity,
                after=target,
                most=jump,
            )
            continue
        plan.holds(variant_id, line.quantity, quantity, target)
        plan.same += quantity is not None and target == quantity
    if full:  # what a full file does not name is no longer there
        for variant_id, (quantity, counted_at) in left.items():
            if counted_at is None or counted_at <= when:
                target = levels.after(0, *later.get(variant_id, (0, 0)))
                plan.no_longer_named += target != quantity
                plan.holds(variant_id, 0, quantity, target)
    return plan


def _write(
    connection: Any,
    plan: _Plan,
    source: _Source,
    here: dict[str, int],
    when: Any,
    by_till: set[int],
) -> None:
    """Write a plan: levels, their dates, and the movements that explain them. `by_till`: references
    that a till counted last.
    """
    now, this = raw(clock.now()), {"store_id": here["store_id"]}
    insert_alike(
        connection,
        "stock_level",
        {**here, "reserved": 0, "place": "", "counted_at": when, "updated_at": now},
        ("variant_id", "quantity", "counted"),
        plan.new,
    )
    update_alike(
        connection,
        "stock_level",
        {"counted_at": when, "updated_at": now},
        ("quantity", "counted"),
        plan.changes,
        by="variant_id",
        among=this,
    )
    update_alike(
        connection,
        "stock_level",
        {"counted_at": when},
        ("counted",),
        plan.dated,
        by="variant_id",
        among=this,
    )
    named = (row[-1] for row in (*plan.changes, *plan.dated))
    no_longer = [(variant_id,) for variant_id in named if variant_id in by_till]
    update_alike(connection, "stock_level", _NO_TILL, (), no_longer, by="variant_id", among=this)
    insert_alike(
        connection,
        "movement",
        {
            **here,
            "kind": "feed",
            "reference": source.reference,
            "by_name": source.by_name,
            "at": when,
            "recorded_at": now,
            "channel": "",
        },
        ("variant_id", "quantity"),
        plan.movements,
    )


# Clears the till that counted last. Written only for levels that have one: naming a foreign key
# makes SQLite's update twice as slow.
_NO_TILL = {"counted_key_id": None, "counted_number": None, "counted_through": None}


def _settle(written: _Written, cause: str, vendor_id: int, by: Actor) -> None:
    """What follows from new counts: promises that can no longer be kept, and the software that
    wants to know.
    """
    db.session.expire_all()
    for store_id in sorted(written.touched):
        # Asked after the counts were written: whoever reserved meanwhile is among them.
        for level in db.session.scalars(_OVERPROMISED, {"store": store_id}).all():
            levels.settle(level, cause=cause, by=by)
        levels.changed(store_id, vendor_id)


def _levels(
    connection: Any, store_id: int, wanted: Iterable[int] | None
) -> tuple[dict[int, tuple[int, Any]], set[int]]:
    """What a store is thought to hold, all of it or of these references, and since when; and which
    of them a till counted last.

    Timestamps are raw, as the database returns them; they compare without conversion.
    """
    sql = (
        "SELECT variant_id, quantity, counted_at, counted_key_id FROM stock_level WHERE store_id ="
        " :store"
    )
    if wanted is None:
        rows = connection.execute(text(sql), {"store": store_id}).all()
    else:
        rows = connection.execute(
            text(f"{sql} AND variant_id {one_of('among')}"),
            {"store": store_id, "among": listed(wanted)},
        ).all()
    return {variant: (quantity, counted_at) for variant, quantity, counted_at, _key in rows}, {
        row[0] for row in rows if row[3] is not None
    }


def count(
    store: Store,
    lines: dict[int, Line],
    *,
    dated_at: datetime,
    reference: str,
    cause: str,
    by: Actor,
) -> dict[int, str]:
    """How many there are of some references, said by something else than a stock file, in the
    caller's unit. Returns the lines not believed, and why.
    """
    levels.lock_store(store.id)
    written, store_id, vendor_id = _Written(), store.id, store.vendor_id
    _apply_to(
        db.session.connection(),
        _Source(runs.DELTA, reference, by.name),
        store_id,
        lines,
        dated_at,
        written,
    )
    _settle(written, cause, vendor_id, by)
    return written.ignored


def publish(
    store: Store, counts: dict[str, int], *, by: Actor, dated_at: datetime | None = None
) -> dict[str, str]:
    """A vendor's software says how many there are of some barcodes (a partial statement, without a
    file). Returns what became of each: `changed`, `unchanged` or why it was ignored.
    """
    now = clock.now()
    if dated_at is not None and dated_at > now + FUTURE:
        raise Refused(
            _("This is dated in the future: the clock of your software is wrong."),
            code="dated_ahead",
        )
    dated_at = min(dated_at or now, now)
    most = settings.value("stock_most_quantity")
    levels.lock_store(store.id)
    eans = sorted(counts)
    named = [Line(n, "", ean, counts[ean], store.id) for n, ean in enumerate(eans)]
    matched = matching.match(store.vendor_id, named)
    variants = {line.ean: matched[line.line] for line in named if line.line in matched}
    ignored = {
        ean: "unknown_ean" if ean not in variants else "fanciful_quantity"
        for ean in eans
        if ean not in variants or not 0 <= counts[ean] <= most
    }
    lines = {
        variants[ean]: Line(n, "", ean, counts[ean], store.id)
        for n, ean in enumerate(eans)
        if ean not in ignored
    }
    written = _Written()
    if store.last_feed_at is not None and dated_at < store.last_feed_at:
        ignored |= {line.ean: "older_than_known" for line in lines.values()}
    else:
        _apply_to(
            db.session.connection(),
            _Source(runs.DELTA, "api", by.name),
            store.id,
            lines,
            dated_at,
            written,
        )
        ignored |= {eans[line]: code for line, code in written.codes.items()}
    _settle(written, _("stock published by %(name)s", name=by.name), store.vendor_id, by)
    return {
        ean: ignored.get(ean) or ("changed" if variants[ean] in written.moved else "unchanged")
        for ean in eans
    }


runs.kind(
    "stock",
    _l("Stock of a store"),
    COLUMNS,
    ("quantity",),
    _load,
    needs_store=True,
    modes=(runs.FULL, runs.DELTA),
    mode_of=_mode_of,
    lack=lambda run, at: _lack(at, run.store_id),
    help=_l(
        "Columns: ean (or offer-sku) and quantity; warehouse-code when the file holds several"
        " stores."
    ),
)
