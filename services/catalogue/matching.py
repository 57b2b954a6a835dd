"""Automatic mapping of vendors' references to the catalogue (MQ-026): by barcode, by the name the
vendor gives it, by supplier reference and brand together with a like title.

A barcode from 20 to 29 means what its own vendor means by it (services/catalogue/identity.py). A
close title is only ever a proposal, with its score; what nobody knows waits in a queue where one
click makes a catalogue proposal.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from rapidfuzz import fuzz
from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite

from models import (
    ImportRun,
    Product,
    ProductState,
    UnmatchedReference,
    UnmatchedState,
    Variant,
    Vendor,
    VendorReference,
)
from services import clock, workflow
from services.catalogue import identity, products, search
from services.catalogue.vocabulary import words_of
from services.imports import tables
from services.unit import db, is_sqlite, listed, one_of, unit_of_work
from services.workflow import Actor, Move, Workflow

S = UnmatchedState
workflow.name_states(
    (S.unmatched, _l("Unknown"), "warn"),
    (S.matched, _l("Matched"), "ok"),
    (S.set_aside, _l("Set aside"), "off"),
)


def _has_barcode(row: UnmatchedReference) -> str | None:
    return (
        None
        if row.ean and row.title
        else _("Its file gives no barcode or no title: find its sheet, or ask the vendor.")
    )


def _has_proposal(row: UnmatchedReference) -> str | None:
    return None if row.proposal_id else _("No title of the catalogue comes close.")


UNMATCHED = Workflow(
    "unmatched_reference",
    Move(
        "accept_proposal",
        _l("It is this one"),
        {S.unmatched, S.set_aside},
        S.matched,
        _has_proposal,
        done=_l("Matched"),
    ),
    Move(
        "propose_product",
        _l("Propose to the catalogue"),
        {S.unmatched, S.set_aside},
        S.matched,
        _has_barcode,
        done=_l("Proposed to the catalogue"),
    ),
    Move("attach", _l("Attached"), {S.unmatched, S.set_aside}, S.matched, done=_l("Matched")),
    Move("put_aside", _l("Set aside"), {S.unmatched}, S.set_aside),
)

CLOSE_ENOUGH = 70
REFERENCE_ALONE = 50  # the score of a proposal found without a title


def match(vendor_id: int, lines: Iterable[Any], *, remember: bool = True) -> dict[int, int]:
    """Line number -> variant, for the lines that name something we know. What was found by supplier
    reference is remembered, unless the lines are only tried out.
    """
    lines = list(lines)
    found: dict[int, int] = {}
    by_ean = _by_ean(vendor_id, {line.ean for line in lines if line.ean})
    rest = []
    for line in lines:
        id = by_ean.get(line.ean) if line.ean else None
        if id is not None:
            found[line.line] = id
        else:
            rest.append(line)
    if not rest:
        return found
    names = {key for line in rest for key in (line.sku, line.ean, _other_name(line)) if key}
    by_name = dict(
        _pairs(
            "SELECT sku, variant_id FROM listing WHERE vendor_id = :vendor AND sku",
            names,
            vendor=vendor_id,
        )
    )
    by_name |= dict(
        _pairs(
            "SELECT sku, variant_id FROM vendor_reference WHERE vendor_id = :vendor AND sku",
            names,
            vendor=vendor_id,
        )
    )
    learnt = []
    by_ref = _by_supplier_ref(
        {key for line in rest for key in (line.supplier_ref or line.sku, _other_name(line)) if key}
    )
    makers = Counter(ref for ref, _brand in by_ref)
    alone = {ref: model.id for (ref, _brand), model in by_ref.items() if makers[ref] == 1}
    for line in rest:
        id = (
            by_name.get(line.sku)
            or by_name.get(line.ean)
            or by_name.get(_other_name(line))
            or alone.get(_other_name(line))
        )
        if id is None:
            model = (
                by_ref.get((line.supplier_ref or line.sku, tables.fold(line.brand)))
                if line.brand
                else None
            )
            if model is not None and identity.are_like(line.title, model.title):
                id = model.id
                learnt.append((line.sku or line.ean or line.supplier_ref, id))
        if id is not None:
            found[line.line] = id
    if learnt and vendor_id and remember:
        _remember(vendor_id, learnt, "supplier_ref")
    return found


def _other_name(line: Any) -> str:
    """What an offer says of its product when it is no barcode (`product-id-type` SKU): the vendor's
    own name, else a supplier reference only one maker uses.
    """
    return getattr(line, "other_name", "")


def _pairs(sql: str, keys: set[str], **values: Any) -> Sequence[Any]:
    return (
        db.session.connection()
        .execute(text(f"{sql} {one_of('keys')}"), {"keys": listed(sorted(keys)), **values})
        .all()
    )


class _Model(NamedTuple):
    """The only variant of a model, and the title of the model."""

    id: int
    title: str


def _by_ean(vendor_id: int, eans: set[str]) -> dict[str, int]:
    """Barcode -> variant, as this vendor means it: another vendor's own codes are not theirs."""
    rows = _pairs("SELECT ean, id, product_id FROM variant WHERE ean", eans)
    own = {product_id for ean, _id, product_id in rows if identity.in_house(ean)}
    others = {product_id for (product_id,) in _of_others(vendor_id, own)} if own else set()
    return {
        ean: id
        for ean, id, product_id in rows
        if product_id not in others or not identity.in_house(ean)
    }


def _of_others(vendor_id: int, product_ids: set[int]) -> Sequence[Any]:
    """Which of these products another vendor proposed."""
    sql = f"SELECT id FROM product WHERE id {one_of('ids')} AND proposed_by_id <> :vendor"
    values = {"ids": listed(sorted(product_ids)), "vendor": vendor_id}
    return db.session.connection().execute(text(sql), values).all()


def meant_by(vendor_id: int, ean: str) -> Variant | None:
    """The reference a vendor means by a barcode: the catalogue's, else what they call so."""
    return meant_by_each(vendor_id, [ean]).get(ean)


def meant_by_each(vendor_id: int, eans: Iterable[str]) -> dict[str, Variant]:
    """The same for many barcodes at once; those nothing is meant by are left out."""
    eans = list(dict.fromkeys(eans))
    public = [ean for ean in eans if not identity.in_house(ean)]
    found = {
        variant.ean: variant
        for variant in db.session.scalars(select(Variant).where(Variant.ean.in_(public)))
    }
    rest = [ean for ean in eans if ean not in found]
    if rest:
        ids = match(vendor_id, [_Scanned(n, ean) for n, ean in enumerate(rest)])
        variants = {
            variant.id: variant
            for variant in db.session.scalars(select(Variant).where(Variant.id.in_(ids.values())))
        }
        found |= {rest[n]: variants[id] for n, id in ids.items() if id in variants}
    return found


class _Scanned(NamedTuple):
    """A barcode nothing else is known of, as `match` reads lines."""

    line: int
    ean: str
    sku: str = ""
    title: str = ""
    brand: str = ""
    supplier_ref: str = ""


def _by_supplier_ref(refs: set[str]) -> dict[tuple[str, str], _Model]:
    """(supplier reference, folded brand) -> the only variant of that model; a model of several
    sizes needs a barcode.
    """
    sql = (
        "SELECT p.supplier_ref, b.name, min(v.id), min(p.title) FROM product p JOIN brand b ON b.id"
        " = p.brand_id JOIN variant v ON v.product_id = coalesce(p.merged_into_id, p.id) WHERE"
        f" p.supplier_ref {one_of('keys')} AND p.supplier_ref <> '' GROUP BY p.supplier_ref, b.name"
        " HAVING count(DISTINCT v.id) = 1"
    )
    found = db.session.connection().execute(text(sql), {"keys": listed(sorted(refs))})
    return {(ref, tables.fold(brand)): _Model(id, title) for ref, brand, id, title in found}


def _remember(vendor_id: int, pairs: list[tuple[str, int]], how: str) -> None:
    def work() -> None:
        insert = (sqlite if is_sqlite() else postgresql).insert(VendorReference)
        for sku, variant_id in pairs:
            db.session.execute(
                insert.values(
                    vendor_id=vendor_id, sku=sku[:60], variant_id=variant_id, how=how
                ).on_conflict_do_nothing(index_elements=["vendor_id", "sku"])
            )

    if db.session().info.get("in_unit"):
        work()
        return
    with unit_of_work():
        work()


def by_eans(eans: list[str]) -> list[Variant]:
    rows: list[Variant] = []
    for start in range(0, len(eans), 500):
        rows += db.session.scalars(
            select(Variant).where(Variant.ean.in_(eans[start : start + 500]))
        )
    return rows


# ── what nobody knows ──

MOST_NOTED = 5_000


def note_unknown(vendor_id: int, lines: Iterable[Any]) -> None:
    """Keep unknown references for somebody to look at, once each, with how often they came. In the
    caller's unit.
    """
    insert = (sqlite if is_sqlite() else postgresql).insert(UnmatchedReference)
    rows = {}
    for line in lines:
        sku = (line.sku or line.ean or line.supplier_ref)[:60]
        rows[sku] = {
            "vendor_id": vendor_id,
            "store_id": getattr(line, "store_id", None),
            "sku": sku,
            "ean": line.ean,
            "title": line.title,
            "brand": line.brand,
            "supplier_ref": line.supplier_ref,
            "status": S.unmatched,
            "times": 1,
            "last_at": clock.now(),
        }
        if len(rows) == MOST_NOTED:
            break
    if rows:
        new = insert.excluded
        again = {
            "times": UnmatchedReference.times + 1,
            "last_at": new.last_at,
            "ean": func.coalesce(func.nullif(new.ean, ""), UnmatchedReference.ean),
            "title": func.coalesce(func.nullif(new.title, ""), UnmatchedReference.title),
        }
        db.session.execute(
            insert.on_conflict_do_update(index_elements=["vendor_id", "sku"], set_=again),
            list(rows.values()),
        )


def forget_unknown(run: ImportRun) -> None:
    """Unknown references only this file named, and nobody looked at, leave the queue with it. In
    the caller's unit.
    """
    told = delete(UnmatchedReference).where(
        UnmatchedReference.vendor_id == run.vendor_id,
        UnmatchedReference.status == S.unmatched,
        UnmatchedReference.times == 1,
        UnmatchedReference.last_at.between(run.started_at, run.ended_at),
    )
    if run.store_id:
        told = told.where(UnmatchedReference.store_id == run.store_id)
    db.session.execute(told)


def look_for_titles(vendor_id: int, limit: int = 300) -> int:
    """Give unknown references the closest title we have, with its score; one without a title, the
    only reference of a model that bears its maker's reference. One short unit each fifty; returns
    how many got one.
    """
    ids = db.session.scalars(
        select(UnmatchedReference.id)
        .where(
            UnmatchedReference.vendor_id == vendor_id,
            UnmatchedReference.status == S.unmatched,
            UnmatchedReference.proposal_id.is_(None),
            UnmatchedReference.score.is_(None),
            or_(UnmatchedReference.title != "", UnmatchedReference.supplier_ref != ""),
        )
        .limit(limit)
    ).all()
    db.session.rollback()
    found = 0
    for start in range(0, len(ids), 50):
        with unit_of_work() as session:
            for row in session.scalars(
                select(UnmatchedReference).where(UnmatchedReference.id.in_(ids[start : start + 50]))
            ):
                row.proposal_id, row.score = (
                    closest(row.title, row.brand) if row.title else _by_reference(row)
                )
                found += row.proposal_id is not None
    return found


def _by_reference(row: UnmatchedReference) -> tuple[int | None, int]:
    """A reference and a brand alone: somebody looks whether it is this one."""
    model = _by_supplier_ref({row.supplier_ref}).get((row.supplier_ref, tables.fold(row.brand)))
    return (model.id, REFERENCE_ALONE) if model else (None, 0)


def closest(title: str, brand: str = "") -> tuple[int | None, int]:
    """The variant whose title is closest, and how close (0 to 100); none below 70. Candidates share
    a rare word with it.
    """
    words = words_of(f"{brand} {title}")
    candidates: set[int] = set()
    for word in sorted({w for w in words if len(w) > 2}, key=len, reverse=True)[:4]:
        candidates.update(search._find(search.Asked(word, size=50)).ids)
    best: tuple[int, int | None] = (0, None)
    rows = (
        db.session.execute(
            select(Product.id, Product.title).where(
                Product.id.in_(candidates), Product.status != ProductState.merged
            )
        ).all()
        if candidates
        else []
    )
    wanted = " ".join(words_of(title))
    for id, other in rows:
        best = max(
            best,
            (round(fuzz.token_sort_ratio(wanted, " ".join(words_of(other)))), id),
            key=lambda b: b[0],
        )
    if best[1] is None or best[0] < CLOSE_ENOUGH:
        return None, best[0]
    said, sisters = (
        set(words),
        db.session.scalars(
            select(Variant).where(Variant.product_id == best[1]).order_by(Variant.id)
        ).all(),
    )
    # The size and the colour it names. Where it names none of several, no one of them is meant: a
    # click would send the whole model to one size.
    shared = sorted((len(said & set(words_of(one.details))), one.id) for one in sisters)
    if not shared or (len(shared) > 1 and shared[-1][0] == shared[-2][0]):
        return None, best[0]
    return shared[-1][1], best[0]


def accept_proposal(row: UnmatchedReference, *, by: Actor) -> None:
    """« C'est bien celui-là »: from now on this vendor's files mean this reference."""
    UNMATCHED.fire(row, "accept_proposal", by=by, score=row.score)
    _learn(row, row.proposal_id or 0, "title")


def attach(row: UnmatchedReference, variant: Variant, *, by: Actor) -> None:
    """Somebody found its sheet."""
    UNMATCHED.fire(row, "attach", by=by, ean=variant.ean)
    _learn(row, variant.id, "by_hand")


def propose_product(row: UnmatchedReference, *, by: Actor) -> Product:
    """One click: a sheet to validate with what the file says of it; a code of the vendor's own that
    another vendor gave to something else stands for a barcode of ours. Raises Refused when it says
    too little.
    """
    UNMATCHED.fire(row, "propose_product", by=by)
    existing = meant_by(row.vendor_id, row.ean)
    if existing is None:
        vendor = db.session.get_one(Vendor, row.vendor_id)
        ean = products.own_ean() if products.by_ean(row.ean) else row.ean
        existing = products.propose(
            vendor, row.title, ean, by=by, brand=row.brand, supplier_ref=row.supplier_ref
        ).variants[0]
        if ean != row.ean and row.sku != row.ean:
            _remember(row.vendor_id, [(row.ean, existing.id)], "ean")
    _learn(row, existing.id, "ean")
    return existing.product


def put_aside(row: UnmatchedReference, *, by: Actor) -> None:
    """Not ours to sell: out of the queue."""
    UNMATCHED.fire(row, "put_aside", by=by)


def _learn(row: UnmatchedReference, variant_id: int, how: str) -> None:
    existing = db.session.scalar(
        select(VendorReference).where(
            VendorReference.vendor_id == row.vendor_id, VendorReference.sku == row.sku
        )
    )
    if existing is None:
        db.session.add(
            VendorReference(vendor_id=row.vendor_id, sku=row.sku, variant_id=variant_id, how=how)
        )
    else:
        existing.variant_id, existing.how = variant_id, how
    row.proposal_id = variant_id


def waiting_count() -> int:
    return (
        db.session.scalar(
            select(func.count()).select_from(
                select(UnmatchedReference.id)
                .where(UnmatchedReference.status == S.unmatched)
                .limit(1001)
                .subquery()
            )
        )
        or 0
    )
