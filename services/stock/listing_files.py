"""Offers and prices as the files marketplaces exchange, OF01 and PRI01: what each line changes
(conventions of Mirakl, docs/rules/files.md). Written by `listing_exports`.

A file is read whole, compared with what the vendor offers, and written in one short transaction of
a few statements, however many lines it has. What a file has no column for stays as it is. New units
go to the vendor's only store; used ones are counted on their offer.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import chain
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy import bindparam, insert, select, update

from models import (
    Condition,
    ImportBefore,
    ImportRun,
    Listing,
    ListingState,
    PricePoint,
    StockLevel,
    Store,
    Vendor,
)
from services import clock, dates, settings, webhooks, workflow
from services.catalogue import matching, products
from services.imports import runs, tables, undoing
from services.stock import feeds, listings
from services.stock.undoing import has_moved, put_levels_back
from services.unit import db, lock_until_commit, retried, unit_of_work
from services.workflow import Actor, Refused

L = ListingState
# Mirakl's numbers, our words, and ours: what files may say of a condition. 11 is new there.
CONDITIONS: dict[str, Condition | None] = {
    "11": None,
    "new": None,
    "neuf": None,
    "": None,
    "1": Condition.like_new_unit,
    "comme neuf": Condition.like_new_unit,
    "used - like new": Condition.like_new_unit,
    "like_new": Condition.like_new_unit,
    "2": Condition.very_good_unit,
    "tres bon": Condition.very_good_unit,
    "very_good": Condition.very_good_unit,
    "tbe": Condition.very_good_unit,
    "3": Condition.good_unit,
    "bon": Condition.good_unit,
    "good": Condition.good_unit,
    "be": Condition.good_unit,
    "4": Condition.acceptable_unit,
    "acceptable": Condition.acceptable_unit,
    "moyen": Condition.acceptable_unit,
}
CODES = {
    None: "11",
    Condition.like_new_unit: "1",
    Condition.very_good_unit: "2",
    Condition.good_unit: "3",
    Condition.acceptable_unit: "4",
}
_FOLDED = {tables.fold(name): condition for name, condition in CONDITIONS.items()}

OFFERS: dict[str, tuple[str, ...]] = {
    "sku": ("sku", "offer-sku", "reference"),
    "product_id": ("product-id", "ean", "code-barres"),
    "id_type": ("product-id-type",),
    "description": ("description",),
    "price": ("price", "prix"),
    "quantity": ("quantity", "quantite"),
    "alert": ("min-quantity-alert",),
    "state": ("state", "etat"),
    "available_from": ("available-start-date",),
    "available_to": ("available-end-date",),
    "logistic": ("logistic-class",),
    "discount": ("discount-price",),
    "discount_from": ("discount-start-date",),
    "discount_to": ("discount-end-date",),
    "delay": ("leadtime-to-ship",),
    "what": ("update-delete",),
}
PRICES = {
    name: OFFERS[name] for name in ("sku", "price", "discount", "discount_from", "discount_to")
}


# ── a line ──


def _day_of(words: str) -> date | None:
    """The day a cell holds; None when it is empty. Raises Refused."""
    try:
        return dates.read_day(words) if words.strip() else None
    except ValueError as wrong:
        raise Refused(str(wrong)) from None


def _whole(words: str, low: int, high: int) -> int | None:
    bare = words.strip()
    if not bare:
        return None
    if not (bare.isascii() and bare.isdigit() and len(bare) < 9 and low <= int(bare) <= high):
        raise Refused(
            _(
                "« %(words)s » is no whole number from %(low)s to %(high)s.",
                words=words[:20],
                low=low,
                high=high,
            )
        )
    return int(bare)


def _condition(words: str) -> Condition | None:
    if tables.fold(words) not in _FOLDED:
        raise Refused(
            _(
                "« %(state)s » is no condition we know: 11 is new, 1 to 4 like new to acceptable.",
                state=words[:20],
            )
        )
    return _FOLDED[tables.fold(words)]


# Columns of OF01 that say something of an offer as they stand: what it is called here, and how it
# is read.
_SAID: dict[str, tuple[str, Callable[[str], Any]]] = {
    "state": ("condition", _condition),
    "available_from": ("available_from", _day_of),
    "available_to": ("available_to", _day_of),
    "delay": ("delay_days", lambda words: _whole(words, 0, 90)),
    "alert": ("alert_under", lambda words: _whole(words, 1, 1_000_000)),
    "logistic": ("logistic_class", lambda words: words[:40]),
    "description": ("description", lambda words: products.visible_lines(words)[:5_000]),
}


# What update-delete may say, folded: whether the offer goes.
_WHAT = {"": False, "update": False, "delete": True, "supprimer": True, "suppression": True}


class Line:
    """One line of an offers or prices file; `ean`, `title`, `brand`, `supplier_ref` and
    `other_name` are what the mapping asks of it.

    `price`: cents, None when none is said; `reduction`: (cents, from, to), None when the file has
    no column for it; `says`: values of the offer by their names, of the columns the file has;
    `quantity`: units, None when none is said.
    """

    __slots__ = (
        "ean",
        "is_deleted",
        "line",
        "other_name",
        "price",
        "quantity",
        "reduction",
        "says",
        "sku",
    )
    title = brand = supplier_ref = ""

    def __init__(self, line: int, cells: list[str], at: dict[str, int]) -> None:
        def cell(name: str) -> str:
            place = at.get(name)
            return cells[place].strip() if place is not None and place < len(cells) else ""

        self.line, self.sku, self.ean, self.other_name = line, cell("sku")[:60], "", ""
        if not self.sku:
            raise Refused(_("This line has no sku: your own name for this offer."))
        product, kind = cell("product_id"), cell("id_type").upper()
        if product and kind in ("", "EAN", "UPC", "GTIN"):
            self.ean = products.read_ean(product)
        elif product:
            self.other_name = product[:60]
        what = tables.fold(cell("what"))
        if what not in _WHAT:
            raise Refused(
                _(
                    "« %(word)s » in update-delete is neither « update » nor « delete »: nothing"
                    " was done with this line.",
                    word=cell("what")[:20],
                )
            )
        self.is_deleted = _WHAT[what]
        self.price = tables.amount(cell("price"))
        if self.price == 0:
            raise Refused(_("A price is above zero."))
        self.reduction = None
        if "discount" in at:
            self.reduction = (
                tables.amount(cell("discount")),
                _day_of(cell("discount_from")),
                _day_of(cell("discount_to")),
            )
            if self.price is not None:
                listings.check_discount(self.price, *self.reduction)
        self.says = {
            attribute: read(cell(name)) for name, (attribute, read) in _SAID.items() if name in at
        }
        self.quantity = _whole(cell("quantity"), 0, 1_000_000)

    def facts(self) -> tuple[Any, ...]:
        return (
            self.ean,
            self.other_name,
            self.is_deleted,
            self.price,
            self.reduction,
            tuple(self.says.values()),
            self.quantity,
        )


def _one_of_each(loading: runs.Loading) -> tuple[list[Line], set[str]]:
    """The lines of a file, one for each offer: said again it is a repeat; said otherwise, neither
    of the two is believed. And all it names, refused or not.
    """
    at, named = loading.at, set()
    first: dict[str, Line] = {}
    torn: dict[int, str] = {}

    def read(number: int, cells: list[str]) -> Line:
        named.add(cells[at["sku"]].strip()[:60] if at["sku"] < len(cells) else "")
        return Line(number, cells, at)

    for line in loading.rows(read):
        earlier = first.setdefault(line.sku, line)
        if earlier is line:
            continue
        if earlier.facts() == line.facts():
            loading.repeat(line.line, line.sku)
        else:
            torn[earlier.line] = torn[line.line] = _(
                "« %(sku)s » is said twice, differently, on lines %(a)s and %(b)s: keep the right"
                " one.",
                sku=line.sku,
                a=earlier.line,
                b=line.line,
            )
    loading.put_aside(torn)
    return [line for line in first.values() if line.line not in torn], named


# ── a file ──


def _load_offers(loading: runs.Loading) -> None:
    loading.open()
    lines, named = _one_of_each(loading)
    loading.progress()
    matched = matching.match(loading.vendor_id or 0, lines, remember=not loading.is_trial)
    mark = loading.mark()

    def work() -> None:
        loading.back_to(mark)
        with unit_of_work() as session:
            _Change(loading, session).offers(lines, matched, named)

    try:
        retried(work)
    except feeds.NeedsConfirmation as needed:
        loading.facts["would_withdraw"] = needed.counts[0]
        feeds.wait_for_a_click(loading)


def _load_prices(loading: runs.Loading) -> None:
    loading.open()
    lines, _named = _one_of_each(loading)
    loading.progress()
    mark = loading.mark()

    def work() -> None:
        loading.back_to(mark)
        with unit_of_work() as session:
            _Change(loading, session).prices(lines)

    retried(work)


_OFFERED = select(Listing.__table__).where(Listing.vendor_id == bindparam("vendor"))


class _Sent:
    """Lines that a vendor's software sends in one request instead of a file: what became of them
    is answered at once.
    """

    mode, confirmed, run_id = "normal", True, None

    def __init__(self, vendor_id: int, by: Actor) -> None:
        self.vendor_id, self.by_name = vendor_id, by.name
        self.facts: dict[str, Any] = {}

    def put_aside_late(self, lines: dict[int, str], *, ignored: bool = False) -> None:
        """They are answered from what `_Change` gathered."""

    def ended(self, session: Any, **counts: int) -> None:
        """Nothing is counted: each line has its own answer."""


@dataclass(frozen=True)
class Became:
    """What became of a line that was sent: a word for programs, and the sentence of one that is
    refused or ignored."""

    status: str
    message: str = ""


def say(
    vendor_id: int, lines: list[dict[str, str]], *, by: Actor, prices_only: bool = False
) -> list[Became]:
    """Publish offers (or their prices alone) line by line, each by the names of `OFFERS`; what a
    line does not name stays as it is. One that is refused stops no other. Opens its own unit.
    """
    read: list[Line | Became] = []
    for place, cells in enumerate(lines):
        try:
            at = {name: n for n, name in enumerate(cells)}
            read.append(Line(place, list(cells.values()), at))
        except Refused as refusal:
            read.append(Became("refused", str(refusal)))
    good = [line for line in read if isinstance(line, Line)]
    skus = Counter(line.sku for line in good)
    twice = _("This sku is named twice in one request: keep the right line.")
    good = [line for line in good if skus[line.sku] == 1]
    matched = {} if prices_only else matching.match(vendor_id, good)

    def work() -> _Change:
        with unit_of_work() as session:
            change = _Change(_Sent(vendor_id, by), session)
            if prices_only:
                change.prices(good)
            else:
                change.offers(good, matched, set())
            return change

    change = retried(work)
    return [
        one
        if isinstance(one, Became)
        else change.became(one)
        if skus[one.sku] == 1
        else Became("refused", twice)
        for one in read
    ]


class _Change:
    """What a file changes of a vendor's offers, gathered line by line and written at once, in the
    caller's unit.
    """

    def __init__(self, loading: runs.Loading | _Sent, session: Any) -> None:
        self.loading, self.session, self.now, self.today = (
            loading,
            session,
            clock.now(),
            clock.today(),
        )
        self.vendor = session.get_one(Vendor, loading.vendor_id)
        self.by = Actor("machine", loading.run_id, loading.by_name)
        lock_until_commit(session.connection(), f"listings {self.vendor.id}")
        self.known = {row.sku: row for row in session.execute(_OFFERED, {"vendor": self.vendor.id})}
        # New articles offered already, by reference: a second offer would show their stock twice.
        self._offered_already = {
            row.variant_id: row.sku
            for row in self.known.values()
            if row.condition is None and row.item_id is None and row.status is L.active
        }
        self.known_by_id = {row.id: row for row in self.known.values()}
        self.new: dict[str, dict[str, Any]] = {}
        self.changed: dict[int, dict[str, Any]] = {}
        self.events: dict[int, list[tuple[int, str, Any, Any, dict[str, Any]]]] = {}
        self.asked: dict[int, dict[str, Any]] = {}
        self.told: dict[int, list[tuple[str, dict[str, Any]]]] = {}
        self.wrong: dict[int, str] = {}
        self.ignored: dict[int, str] = {}
        self.removed = 0
        self.moved: set[int] = set()
        self.by_hand: set[int] = set()  # offers of one unit, which their own verbs change

    def became(self, line: Line) -> Became:
        """What became of a line, once everything is written."""
        if line.line in self.wrong:
            return Became("refused", self.wrong[line.line])
        if line.line in self.ignored:
            return Became("ignored", self.ignored[line.line])
        if line.sku in self.new:
            return Became("created")
        row = self.known.get(line.sku)
        if row is None:  # taken off, and never offered
            return Became("ignored", _("You offer nothing as « %(sku)s ».", sku=line.sku))
        changed = self.changed.get(row.id)
        if changed is None:
            return Became("changed" if row.variant_id in self.moved else "unchanged")
        withdrawn = changed.get("status") is listings.LISTING.values("withdraw")["status"]
        return Became("withdrawn" if withdrawn else "changed")

    # ── what each line says ──

    def offers(self, lines: list[Line], matched: dict[int, int], named: set[str]) -> None:
        variants = {line.line: self._variant(line, matched) for line in lines}
        new = {variants[line.line] for line in lines if line.sku not in self.known} - {0}
        closed = products.why_not_sold(self.vendor.id, new)
        unknown: list[Line] = []
        counted: dict[int, Line] = {}
        for line in sorted(lines, key=lambda line: not line.is_deleted):  # what goes makes room
            variant = variants[line.line]
            try:
                if line.is_deleted and line.sku not in self.known:
                    self.ignored[line.line] = _("You offer nothing as « %(sku)s ».", sku=line.sku)
                elif line.is_deleted:
                    self._take_off(line.sku)
                elif not variant:
                    unknown.append(line)
                elif line.sku in self.known:
                    self._change(line, variant)
                else:
                    self._create(line, variant, closed)
                if (
                    not line.is_deleted
                    and variant
                    and line.quantity is not None
                    and self._is_new(line)
                ):
                    self._count(line, variant, counted)
            except Refused as refusal:
                self.wrong[line.line] = str(refusal)
                self._forget(line.sku)
        if self.loading.mode == "replace":
            self._take_off_what_is_not_in(named)
        self.ignored |= {
            line.line: _(
                "We do not know this reference: it waits in the queue of unknown references."
            )
            for line in unknown
        }
        touched = {row["variant_id"] for row in self.new.values()} | {
            self.known_by_id[id].variant_id for id in self.changed
        }
        moved = self._put_in_store(counted)
        matching.note_unknown(self.vendor.id, unknown)
        self._end(len(lines) - len(unknown), also_changed=len(moved - touched))

    def _take_off_what_is_not_in(self, named: set[str]) -> None:
        """A complete file withdraws what it leaves out; most of the offers at once waits for a
        click, as a stock file that would empty a store does.
        """
        active = [row for row in self.known.values() if row.status is L.active and not row.item_id]
        left_out = [row.sku for row in active if row.sku not in named]
        most = len(active) * settings.value("feed_empty_percent")
        if len(left_out) * 100 > most and not self.loading.confirmed:
            raise feeds.NeedsConfirmation([[len(left_out), len(active)]])
        for sku in left_out:
            self._take_off(sku)

    def prices(self, lines: list[Line]) -> None:
        for line in lines:
            row = self.known.get(line.sku)
            try:
                if row is None:
                    self.ignored[line.line] = _("You offer nothing as « %(sku)s ».", sku=line.sku)
                elif line.price is None:
                    raise Refused(_("A price is above zero."))
                else:
                    self._price(row, line)
            except Refused as refusal:
                self.wrong[line.line] = str(refusal)
        self._end(len(lines) - sum(1 for line in lines if line.sku not in self.known))

    def _variant(self, line: Line, matched: dict[int, int]) -> int:
        known = self.known.get(line.sku)
        return known.variant_id if known is not None and not line.ean else matched.get(line.line, 0)

    def _is_new(self, line: Line) -> bool:
        """Whether it speaks of new units: those a store counts."""
        known = self.known.get(line.sku)
        if known is not None and known.item_id is not None:
            return False
        return line.says.get("condition", known.condition if known is not None else None) is None

    def _create(self, line: Line, variant: int, closed: dict[int, str]) -> None:
        if variant in closed:
            raise Refused(closed[variant])
        if line.price is None:
            raise Refused(_("A new offer needs a price."))
        if line.says.get("condition") is None:
            self._refuse_second(line.sku, variant)
        reduced, starts, ends = line.reduction or (None, None, None)
        row = {
            "vendor_id": self.vendor.id,
            "sku": line.sku,
            "variant_id": variant,
            "status": L.active,
            "condition": None,
            "price_cents": line.price,
            "discount_cents": reduced,
            "discount_from": starts,
            "discount_to": ends,
            "available_from": None,
            "available_to": None,
            "delay_days": None,
            "alert_under": None,
            "logistic_class": "",
            "description": "",
            "quantity": None,
            "created_at": self.now,
            "updated_at": self.now,
            **line.says,
        }
        row["quantity"] = line.quantity if row["condition"] is not None else None
        self.new[line.sku] = row

    def _refuse_second(self, sku: str, variant: int) -> None:
        """Raises Refused when another offer sells this article new."""
        other = self._offered_already.get(variant)
        if other is not None and other != sku:
            raise Refused(
                _(
                    "« %(other)s » already offers this article new: one offer counts its stock.",
                    other=other,
                )
            )
        self._offered_already[variant] = sku

    def _change(self, line: Line, variant: int) -> None:
        row = self.known[line.sku]
        sells_new = line.says.get("condition", row.condition) is None
        did = row.status is L.active and row.condition is None and row.variant_id == variant
        if row.item_id is None and sells_new and not did:
            self._refuse_second(line.sku, variant)
        if line.price is not None:
            self._price(row, line)
        wanted = {**line.says, "variant_id": variant}
        if row.item_id is not None:
            wanted = {
                name: value
                for name, value in wanted.items()
                if name not in ("variant_id", "condition")
            }
        elif wanted.get("condition", row.condition) is None:
            wanted["quantity"] = None
        elif line.quantity is not None:
            wanted["quantity"] = line.quantity
        self._set(row, wanted)
        if row.status is L.withdrawn:
            self._offer_again(row)

    def _price(self, row: Any, line: Line) -> None:
        assert line.price is not None
        reduction = line.reduction or (row.discount_cents, row.discount_from, row.discount_to)
        change = listings.plan_price(row, line.price, *reduction, today=self.today)
        if change is not None:
            self._apply(row, change)

    def _apply(self, row: Any, change: listings.Change) -> None:
        """Keep what a change does until everything is written at once (`write`)."""
        self._set(row, change.values)
        before = after = None
        if change.verb in {move.verb for move in listings.LISTING.moves}:
            moved = listings.LISTING.values(change.verb)
            self._set(row, moved)
            before, after = row.status, moved["status"]
        self._happened(row.id, change.verb, before, after, **change.facts)
        if change.asked_cents is not None:
            self.asked[row.id] = {
                "variant_id": row.variant_id,
                "listing_id": row.id,
                "since": self.now,
                "price_cents": change.asked_cents,
            }
        self.told.setdefault(row.id, []).extend(change.told)

    def _point(self, variant_id: int, listing_id: int, **price: Any) -> dict[str, Any]:
        return {
            "variant_id": variant_id,
            "listing_id": listing_id,
            "since": self.now,
            "price_cents": listings.asked_on(self.today, **price),
        }

    def _happened(
        self,
        id: int,
        verb: str,
        before: StrEnum | None,
        after: StrEnum | None,
        **facts: Any,
    ) -> None:
        self.events.setdefault(id, []).append((id, verb, before, after, facts))

    def _set(self, row: Any, wanted: dict[str, Any]) -> None:
        different = {name: value for name, value in wanted.items() if getattr(row, name) != value}
        if different:
            self.changed.setdefault(row.id, {}).update(different)

    def _take_off(self, sku: str) -> None:
        row = self.known.get(sku)
        if row is None or row.status is not L.active:
            return
        self.removed += 1
        if self._offered_already.get(row.variant_id) == sku:
            del self._offered_already[row.variant_id]
        if row.item_id is not None:  # the unit goes back to its shelf with it
            self.by_hand.add(row.id)
            listings.withdraw(self.session.get_one(Listing, row.id), by=self.by)
            return
        self.changed.pop(row.id, None)
        self._apply(row, listings.plan_withdrawal(row))

    def _offer_again(self, row: Any) -> None:
        if row.item_id is not None:
            self.by_hand.add(row.id)
            listings.offer_again(self.session.get_one(Listing, row.id), by=self.by)
            return
        self._apply(row, listings.plan_return(row))

    def _forget(self, sku: str) -> None:
        """Nothing of a refused line stays."""
        self.new.pop(sku, None)
        if sku in self.known:
            for kept in (self.changed, self.events, self.asked, self.told):
                kept.pop(self.known[sku].id, None)

    def _count(self, line: Line, variant: int, counted: dict[int, Line]) -> None:
        earlier = counted.setdefault(variant, line)
        if earlier.quantity != line.quantity:
            raise Refused(
                _(
                    "%(what)s is counted twice, %(a)s on line %(la)s and %(b)s on line %(lb)s: keep"
                    " the right one.",
                    what=line.ean or line.sku,
                    a=earlier.quantity,
                    la=earlier.line,
                    b=line.quantity,
                    lb=line.line,
                )
            )

    # ── written ──

    def _put_in_store(self, counted: dict[int, Line]) -> set[int]:
        """New units: an offer that says how many there are, without a store, speaks of a vendor who
        has one. Returns the references that moved.
        """
        if not counted:
            return set()
        stores = self.session.scalars(
            select(Store).where(Store.vendor_id == self.vendor.id).limit(2)
        ).all()
        if len(stores) != 1:
            self.loading.facts["quantities_left"] = len(counted)
            return set()
        before = self._held(stores[0], counted)
        lines = {
            variant: feeds.Line(line.line, line.sku, line.ean, line.quantity or 0, stores[0].id)
            for variant, line in counted.items()
        }
        self.ignored |= feeds.count(
            stores[0],
            lines,
            dated_at=self.now,
            reference=f"import {self.loading.run_id}" if self.loading.run_id else "API",
            cause=_("offers file"),
            by=self.by,
        )
        after = self._held(stores[0], counted)
        self.moved = {
            variant for variant in counted if before.get(variant, 0) != after.get(variant, 0)
        }
        return self.moved

    def _held(self, store: Store, variants: Iterable[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        for some in tables.chunks(variants, 500):
            rows = select(StockLevel.variant_id, StockLevel.quantity).where(
                StockLevel.store_id == store.id, StockLevel.variant_id.in_(some)
            )
            found.update(self.session.execute(rows).all())
        return found

    def _end(self, read: int, also_changed: int = 0) -> None:
        withdrawn = listings.LISTING.values("withdraw")
        updated = sum(
            1 for values in self.changed.values() if values.get("status") != withdrawn["status"]
        )
        self.write()
        if self.loading.run_id:
            self._keep_what_was_before(self.loading.run_id)
        self.loading.put_aside_late(self.wrong)
        self.loading.put_aside_late(self.ignored, ignored=True)
        unchanged = read - len(self.new) - updated - also_changed - self.removed - len(self.wrong)
        self.loading.ended(
            self.session,
            created=len(self.new),
            updated=updated + also_changed,
            unchanged=max(0, unchanged),
            removed=self.removed,
        )

    def write(self) -> None:
        session = self.session
        if self.new:
            session.execute(insert(Listing.__table__), list(self.new.values()))  # type: ignore[arg-type]
            skus = select(Listing.sku, Listing.id).where(
                Listing.vendor_id == self.vendor.id, Listing.created_at == self.now
            )
            made = dict(session.execute(skus).all())
            for sku, row in self.new.items():
                self._happened(made[sku], "create", None, None)
                self.asked[made[sku]] = self._point(
                    row["variant_id"], made[sku], **{name: row[name] for name in listings.PRICE}
                )
        session.flush()
        by_shape: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for id in self.by_hand | self.changed.keys():
            values = self.changed.get(id, {})
            by_shape.setdefault(tuple(sorted(values)), []).append(
                {"this": id, "updated_at": self.now, **values}
            )
        table = Listing.__table__
        for rows in by_shape.values():
            session.execute(update(table).where(table.c.id == bindparam("this")), rows)  # type: ignore[arg-type]
        if self.asked:
            session.execute(insert(PricePoint.__table__), list(self.asked.values()))  # type: ignore[arg-type]
        workflow.record_many(
            "listing", self.vendor.id, list(chain.from_iterable(self.events.values())), by=self.by
        )
        for event, data in chain.from_iterable(self.told.values()):
            webhooks.tell(self.vendor.id, event, data)
        session.expire_all()

    def _keep_what_was_before(self, run_id: int) -> None:
        """What the file changed and made, so that it can be undone."""
        self.loading.facts[undoing.WRITTEN] = self.now.isoformat()
        rows: list[dict[str, Any]] = []
        for id in self.by_hand | self.changed.keys():
            known, names = self.known_by_id[id], {"status", *self.changed.get(id, ())}
            before = {name: _plain(getattr(known, name)) for name in names - {"was_shown"}}
            rows.append({"subject_id": id, "before": before})
        now = self._now_of([row["subject_id"] for row in rows])
        for row in rows:
            found = now[row["subject_id"]]
            row["after"] = {name: _plain(getattr(found, name)) for name in row["before"]}
        made = select(Listing.id).where(
            Listing.vendor_id == self.vendor.id,
            Listing.created_at == self.now,
            Listing.sku.in_(bindparam("skus", expanding=True)),
        )
        for some in tables.chunks(self.new, 500):
            ids = self.session.scalars(made, {"skus": list(some)})
            rows += [{"subject_id": id, "before": None, "after": None} for id in ids]
        if rows:
            run = {"run_id": run_id, "subject": "listing"}
            self.session.execute(insert(ImportBefore), [{**run, **row} for row in rows])

    def _now_of(self, ids: list[int]) -> dict[int, Any]:
        """These offers as they are now."""
        table, found = Listing.__table__, dict[int, Any]()
        for some in tables.chunks(ids, 500):
            rows = self.session.execute(select(table).where(table.c.id.in_(some)))
            found.update({row.id: row for row in rows})
        return found

    # ── put back ──

    def put_back(self, id: int, before: dict[str, Any] | None, file: str) -> None:
        """One offer as it was before a file; one the file made is withdrawn."""
        row = self.known_by_id[id]
        if before is None:
            self._take_off(row.sku)
            self._happened(id, "undo_file", None, None, file=file)
            return
        wanted = {name: _value(name, value) for name, value in before.items()}
        price = {name: wanted.pop(name, getattr(row, name)) for name in listings.PRICE}
        status = wanted.pop("status")
        sells_new = row.item_id is None and wanted.get("condition", row.condition) is None
        if status is L.withdrawn:
            self._take_off(row.sku)
        elif sells_new:
            self._refuse_second(row.sku, wanted.get("variant_id", row.variant_id))
        if status is L.active and row.status is L.withdrawn:
            self._offer_again(row)
        change = listings.plan_price(row, *price.values(), today=self.today)
        if change is not None:
            self._apply(row, change)
        self._set(row, wanted)
        self._happened(id, "undo_file", None, None, file=file)


def _undo(run: ImportRun, by: Actor) -> undoing.Undone:
    """Put back the offers or prices a file changed, and the levels it counted; an offer it made is
    withdrawn. Raises Refused when one was changed since, or when another offers its article by now.
    """
    kept = db.session.scalars(
        select(ImportBefore).where(ImportBefore.run_id == run.id, ImportBefore.subject == "listing")
    ).all()
    # Nobody changes these offers from here on: what is read below is what is written over.
    for some in tables.chunks([row.subject_id for row in kept], 500):
        locked = select(Listing.id).where(Listing.id.in_(some)).order_by(Listing.id)
        db.session.execute(locked.with_for_update())
    change = _Change(_Sent(run.vendor_id or 0, by), db.session)
    change.by = by
    before = {row.subject_id: row.before for row in kept}
    moved = [
        change.known_by_id[row.subject_id].sku
        for row in kept
        if any(
            _plain(getattr(change.known_by_id[row.subject_id], name)) != value
            for name, value in (row.after or {}).items()
        )
    ]
    if moved:
        raise Refused(
            ngettext(
                "%(num)s offer was changed again since (%(which)s): nothing was undone. Give the"
                " right file; of several wrong ones undo the last first.",
                "%(num)s offers were changed again since (%(which)s): nothing was undone. Give the"
                " right file; of several wrong ones undo the last first.",
                len(moved),
                which=undoing.named(moved),
            )
        )
    matching.forget_unknown(run)
    counted = put_levels_back(run, by)
    for id, values in sorted(before.items(), key=lambda one: one[1] is not None):
        change.put_back(id, values, run.file_name)  # what the file made goes first: it makes room
    change.write()
    return undoing.Undone(max(len(before), counted))


_READ = {
    "status": ListingState,
    "condition": Condition,
    **dict.fromkeys(
        ("discount_from", "discount_to", "available_from", "available_to"), date.fromisoformat
    ),
}


def _plain(value: Any) -> Any:
    """A value of an offer as JSON keeps it."""
    return value.isoformat() if isinstance(value, date) else value


def _value(name: str, plain: Any) -> Any:
    return plain if plain is None or name not in _READ else _READ[name](plain)


workflow.says("listing", undo_file=_l("As before: a file was undone"))
runs.kind(
    "listings",
    _l("Sale offers (OF01)"),
    OFFERS,
    ("sku",),
    _load_offers,
    modes=("normal", "replace"),
    known_by="price",
    help=_l(
        "Columns of OF01: sku, product-id (EAN), price, state, dates, leadtime-to-ship;"
        " update-delete takes an offer off."
    ),
)
runs.kind("prices", _l("Prices (PRI01)"), PRICES, ("sku", "price"), _load_prices,
          help=_l("Columns of PRI01: offer-sku, price, discount-price and its dates."))  # fmt: skip
undoing.law("listings", _undo, lambda run: undoing.kept_something(run) or has_moved(run))
undoing.law("prices", _undo)
