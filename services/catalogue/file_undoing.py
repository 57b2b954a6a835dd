"""A référencier or an argus taken back: what it changed of products, references and prices is as
before, what it made is gone unless something depends on it by now.

Nothing is undone when what it wrote into one of its rows was changed again since. What else changed
of them (a picture, another column) does not matter.
"""

from json import dumps
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy import Boolean, Date, Integer, select, text

from models import ImportBefore, ImportRun, Model, PictureAddress, Product, Variant
from services import clock, workflow
from services.catalogue import products
from services.imports import undoing
from services.imports.undoing import Undone
from services.unit import db, is_sqlite, listed, lock_until_commit, one_of, raw
from services.workflow import Actor, Refused

TABLES: dict[str, type[Model]] = {"product": Product, "variant": Variant}
STEP = 2_000
# What a file says of a reference it makes, and somebody may change since.
SAID_OF_NEW = ["product_id", "advised_cents", "argus_cents", "active"]
# What hangs on a reference and goes with it; anything else that names it keeps it.
_GOES_TOO = ("price_point", "argus_value")
_OF_PRODUCT = ("product_text", "product_image", "picture_address")


def undo(run: ImportRun, by: Actor) -> Undone:
    lock_until_commit(db.session.connection(), "argus import")
    lock_until_commit(db.session.connection(), "catalogue")
    run_id, name, kind = run.id, run.file_name, run.kind
    _refuse_what_moved(run_id)
    changed = max(_put_back(run_id, table) for table in TABLES)
    _keep_prices(run_id)
    _tell(run_id, name, by)
    made = _created(run_id, "variant")
    kept = made - _free(run_id, made)
    if kind == "argus":
        _forget_the_argus(kept)
    gone = made - kept
    _delete(run_id, gone)
    _take_pictures_off(run_id, by)
    db.session.expire_all()
    return Undone(changed + len(gone), _eans(kept))


def _eans(ids: set[int], most: int = 20) -> tuple[str, ...]:
    rows = db.session.execute(
        select(Variant.id, Variant.ean).where(Variant.id.in_(sorted(ids)[:most]))
    )
    eans = [row.ean for row in rows]
    return (*eans, *[""] * (len(ids) - len(eans)))


def _run(sql: str, **values: Any) -> Any:
    return db.session.execute(text(sql), values)


_CHANGED = (
    "FROM import_before b {join} {table} t ON t.id = b.subject_id WHERE b.run_id = :run AND"
    " b.subject = '{table}' AND b.before IS NOT NULL"
)


def _refuse_what_moved(run_id: int) -> None:
    moved: list[str] = []
    for table, name in (("variant", "ean"), ("product", "title")):
        if columns := _columns(run_id, table):
            now = undoing.as_text(undoing.as_json("t", columns))
            moved += _run(
                f"SELECT coalesce(t.{name}, '?') {_CHANGED.format(table=table, join='LEFT JOIN')}"
                f" AND (t.id IS NULL OR {now} <> {undoing.as_text('b.after')}) ORDER BY b.id",
                run=run_id,
            ).scalars()
    if moved:
        raise Refused(
            ngettext(
                "%(num)s sheet or reference was changed again since (%(which)s): nothing was"
                " undone. Give the right file; of several wrong ones undo the last first.",
                "%(num)s sheets or references were changed again since (%(which)s): nothing was"
                " undone. Give the right file; of several wrong ones undo the last first.",
                len(moved),
                which=undoing.named(moved),
            )
        )


def _columns(run_id: int, table: str) -> list[str]:
    """The columns a run changed of a table: the same of each row."""
    before = db.session.scalar(
        select(ImportBefore.before)
        .where(
            ImportBefore.run_id == run_id,
            ImportBefore.subject == table,
            ImportBefore.before.is_not(None),
        )
        .limit(1)
    )
    known = TABLES[table].__table__.columns
    return [column for column in before or {} if column in known]


def _put_back(run_id: int, table: str) -> int:
    columns = _columns(run_id, table)
    if not columns:
        return 0
    values = ", ".join(f"{column} = {_as_before(table, column)}" for column in columns)
    done: int = _run(
        f"UPDATE {table} SET {values}, updated_at = :now FROM import_before b WHERE b.run_id = :run"
        f" AND b.subject = '{table}' AND b.before IS NOT NULL AND b.subject_id = {table}.id",
        run=run_id,
        now=raw(clock.now()),
    ).rowcount
    product = "id" if table == "product" else "product_id"
    _run(
        "INSERT INTO search_todo (product_id) SELECT DISTINCT"
        f" t.{product} {_CHANGED.format(table=table, join='JOIN')}"
        " ON CONFLICT (product_id) DO NOTHING",
        run=run_id,
    )
    return done


def _as_before(table: str, column: str) -> str:
    """SQL for a column as it was. PostgreSQL reads text out of a JSON, SQLite the value itself."""
    value = f"b.before ->> '{column}'"
    if is_sqlite():
        return value
    kind = TABLES[table].__table__.columns[column].type
    names = ((Boolean, "BOOLEAN"), (Integer, "INTEGER"), (Date, "DATE"))
    name = next((name for cls, name in names if isinstance(kind, cls)), "")
    return f"CAST({value} AS {name})" if name else f"({value})"


def _keep_prices(run_id: int) -> None:
    """The prices that are asked again, and the argus that counts again, stay on file with their
    day.
    """
    columns = _columns(run_id, "variant")
    if "argus_cents" in columns:
        _run(
            "INSERT INTO argus_value (variant_id, value_cents, voucher_cents, cash_cents, source,"
            " since) SELECT t.id, t.argus_cents, t.voucher_cents, t.cash_cents, :source, :today"
            f" {_CHANGED.format(table='variant', join='JOIN')} AND t.argus_cents IS NOT NULL",
            run=run_id,
            source=f"undo:{run_id}",
            today=raw(clock.today()),
        )
    if "advised_cents" in columns:
        last = (
            "(SELECT p.price_cents FROM price_point p WHERE p.variant_id = t.id AND p.listing_id IS"
            " NULL ORDER BY p.id DESC LIMIT 1)"
        )
        _run(
            "INSERT INTO price_point (variant_id, price_cents, since) SELECT t.id, t.advised_cents,"
            f" :now {_CHANGED.format(table='variant', join='JOIN')} AND t.advised_cents IS NOT NULL"
            f" AND t.advised_cents IS DISTINCT FROM {last}",
            run=run_id,
            now=raw(clock.now()),
        )


def _tell(run_id: int, file_name: str, by: Actor) -> None:
    """The history of each product and reference says that a file was undone."""
    _run(
        "INSERT INTO event (subject, subject_id, verb, actor_kind, actor_id, actor_name, facts, at)"
        " SELECT b.subject, b.subject_id, 'undo_file', :kind, :actor, :name, :facts, :now FROM"
        " import_before b WHERE b.run_id = :run AND b.before IS NOT NULL ORDER BY b.id",
        run=run_id,
        kind=by.kind,
        actor=by.id,
        name=by.name,
        facts=dumps({"file": file_name[:200]}),
        now=raw(clock.now()),
    )


# ── what the file made ──


def _created(run_id: int, table: str) -> set[int]:
    return set(
        db.session.scalars(
            select(ImportBefore.subject_id).where(
                ImportBefore.run_id == run_id,
                ImportBefore.subject == table,
                ImportBefore.before.is_(None),
            )
        )
    )


_MADE = (
    "SELECT subject_id FROM import_before WHERE run_id = :run AND subject = '{table}' AND before IS"
    " NULL"
)


def _free(run_id: int, made: set[int]) -> set[int]:
    """Of the references a file made, those on which nothing depends and which nobody changed."""
    variants = _MADE.format(table="variant")
    now = undoing.as_text(undoing.as_json("t", SAID_OF_NEW))
    held = set(
        _run(
            "SELECT t.id FROM import_before b JOIN variant t ON t.id = b.subject_id WHERE b.run_id"
            " = :run AND b.subject = 'variant' AND b.before IS NULL AND"
            f" {now} <> {undoing.as_text('b.after')}",
            run=run_id,
        ).scalars()
    )
    for table, column in _names_of("variant"):
        of_the_run = ""
        if table in _GOES_TOO:
            of_the_run = (
                "source <> :source AND" if table == "argus_value" else "listing_id IS NOT NULL AND"
            )
        held |= set(
            _run(
                f"SELECT DISTINCT {column} FROM {table} WHERE {of_the_run} {column} IN"
                f" ({variants})",
                run=run_id,
                **({"source": f"import:{run_id}"} if ":source" in of_the_run else {}),
            ).scalars()
        )
    return made - held - _of_held_products(run_id)


def _of_held_products(run_id: int) -> set[int]:
    """References of products somebody worked on, or that something else names."""
    products = _MADE.format(table="product")
    held = set(
        _run(
            "SELECT DISTINCT subject_id FROM event WHERE subject = 'product' AND actor_kind ="
            f" 'staff' AND verb NOT LIKE '%_by_file' AND subject_id IN ({products})",
            run=run_id,
        ).scalars()
    )
    for table, column in _names_of("product"):
        if table not in (*_OF_PRODUCT, "variant"):
            held |= set(
                _run(
                    f"SELECT DISTINCT {column} FROM {table} WHERE {column} IN ({products})",
                    run=run_id,
                ).scalars()
            )
    held |= set(
        _run(
            f"SELECT DISTINCT product_id FROM product_text WHERE product_id IN ({products})",
            run=run_id,
        ).scalars()
    )
    return set(
        _run(
            f"SELECT id FROM variant WHERE product_id {one_of('held')}", held=listed(held)
        ).scalars()
    )


def _names_of(table: str) -> list[tuple[str, str]]:
    """Every column that names rows of a table: (its table, its name)."""
    return [
        (key.parent.table.name, key.parent.name)
        for other in Model.metadata.sorted_tables
        for key in other.foreign_keys
        if key.column.table.name == table
    ]


def _forget_the_argus(kept: set[int]) -> None:
    """What an argus made and something depends on stays, without its price: it had none before."""
    for some in _steps(kept):
        _run(
            "UPDATE variant SET argus_cents = NULL, argus_on = NULL, voucher_cents = NULL,"
            f" cash_cents = NULL, updated_at = :now WHERE id {one_of('ids')}",
            ids=listed(some),
            now=raw(clock.now()),
        )


def _delete(run_id: int, gone: set[int]) -> None:
    """These references, and the products of the file that have none any more."""
    for some in _steps(gone):
        for table in _GOES_TOO:
            _run(f"DELETE FROM {table} WHERE variant_id {one_of('ids')}", ids=listed(some))
        _run(
            "INSERT INTO search_todo (product_id) SELECT DISTINCT product_id FROM variant WHERE id"
            f" {one_of('ids')} ON CONFLICT (product_id) DO NOTHING",
            ids=listed(some),
        )
        _run(f"DELETE FROM variant WHERE id {one_of('ids')}", ids=listed(some))
    empty = _run(
        f"SELECT p.id FROM product p WHERE p.id IN ({_MADE.format(table='product')}) AND NOT EXISTS"
        " (SELECT 1 FROM variant v WHERE v.product_id = p.id)",
        run=run_id,
    ).scalars()
    for some in _steps(set(empty)):
        for table in _OF_PRODUCT:
            _run(f"DELETE FROM {table} WHERE product_id {one_of('ids')}", ids=listed(some))
        _run(f"DELETE FROM product WHERE id {one_of('ids')}", ids=listed(some))


def _take_pictures_off(run_id: int, by: Actor) -> None:
    """The pictures whose addresses a file named, fetched or not yet."""
    kept = select(ImportBefore.subject_id).where(
        ImportBefore.run_id == run_id, ImportBefore.subject == "picture_address"
    )
    for address in db.session.scalars(
        select(PictureAddress).where(PictureAddress.id.in_(kept)).order_by(PictureAddress.id)
    ):
        if address.picture:
            products.take_picture_off(address.product, address.picture, by=by)
        db.session.delete(address)
    db.session.flush()


def _steps(ids: set[int]) -> list[list[int]]:
    every = sorted(ids)
    return [every[start : start + STEP] for start in range(0, len(every), STEP)]


workflow.says("product", undo_file=_l("As before: a file was undone"))
workflow.says("variant", undo_file=_l("As before: a file was undone"))
