"""A référencier or an argus taken back: what it changed of products, references and prices is as
before, what it made is gone unless something depends on it by now.

Nothing is undone when what it wrote into one of its rows was changed again since. What else changed
of them (a picture, another column) does not matter.
"""

from json import dumps
from typing import Any

from flask_babel import gettext as _
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
    """Put back what a file changed, in the caller's unit. Raises Refused when something of it was
    changed since: then nothing is put back.
    """
    lock_until_commit(db.session.connection(), "argus import")
    lock_until_commit(db.session.connection(), "catalogue")
    run_id, name, kind = run.id, run.file_name, run.kind
    _lock(run_id)
    _refuse_what_moved(run_id)
    _refuse_what_names_nothing(run_id)
    changed = max(_put_back(run_id, table) for table in TABLES)
    _keep_prices(run_id)
    _tell(run_id, name, by)
    made = _created(run_id, "variant")
    # A file loaded since may have named what this one made, and found nothing to change of it.
    said_again = undoing.since(run, ("catalogue", "argus"))
    held = _held_products(run_id)
    kept = made if said_again else made - _free(run_id, made, held)
    if kind == "argus" and not said_again:
        _forget_the_argus(run_id, kept, name, by)
    gone = made - kept
    _delete(run_id, gone, held)
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


def _lock(run_id: int) -> None:
    """Nobody changes these rows, or names them, until this is kept."""
    if not is_sqlite():
        for table in ("variant", "product"):  # in the order in which verbs change them
            _run(
                f"SELECT t.id FROM {table} t JOIN import_before b ON t.id = b.subject_id WHERE"
                f" b.run_id = :run AND b.subject = '{table}' ORDER BY t.id FOR UPDATE OF t",
                run=run_id,
            )


def _refuse_what_names_nothing(run_id: int) -> None:
    """Raises Refused when a brand or a platform a row had before is gone."""
    columns = _columns(run_id, "product")
    for column, table in (("brand_id", "brand"), ("platform_id", "platform")):
        if column in columns:
            value = f"CAST(b.before ->> '{column}' AS INTEGER)"
            gone = _run(
                f"SELECT count(*) {_CHANGED.format(table='product', join='JOIN')} AND {value} IS"
                f" NOT NULL AND NOT EXISTS (SELECT 1 FROM {table} n WHERE n.id = {value})",
                run=run_id,
            ).scalar_one()
            if gone:
                raise Refused(
                    _(
                        "The brand or the platform of %(count)s products was deleted since: nothing"
                        " was undone. Give the right file.",
                        count=gone,
                    )
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


def _free(run_id: int, made: set[int], held_products: set[int]) -> set[int]:
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
    of_held = _run(
        f"SELECT id FROM variant WHERE product_id {one_of('held')}", held=listed(held_products)
    ).scalars()
    return made - held - set(of_held)


def _held_products(run_id: int) -> set[int]:
    """The products of the file that somebody worked on, or that something else names: another file
    too. The pictures its own addresses gave do not hold it.
    """
    made = _MADE.format(table="product")
    held = set(
        _run(
            "SELECT DISTINCT subject_id FROM event WHERE subject = 'product' AND verb NOT IN"
            " ('create_by_file', 'undo_file') AND NOT (verb = 'add_image' AND actor_kind ="
            f" 'machine') AND subject_id IN ({made})",
            run=run_id,
        ).scalars()
    )
    held |= set(
        _run(
            "SELECT DISTINCT b.subject_id FROM import_before b JOIN import_run r ON r.id = b.run_id"
            " WHERE b.subject = 'product' AND b.run_id <> :run AND r.state = 'complete' AND"
            f" b.subject_id IN ({made})",
            run=run_id,
        ).scalars()
    )
    for table, column in _names_of("product"):
        if table not in (*_OF_PRODUCT, "variant"):
            held |= set(
                _run(
                    f"SELECT DISTINCT {column} FROM {table} WHERE {column} IN ({made})",
                    run=run_id,
                ).scalars()
            )
    held |= set(
        _run(
            f"SELECT DISTINCT product_id FROM product_text WHERE product_id IN ({made})",
            run=run_id,
        ).scalars()
    )
    return held


def _names_of(table: str) -> list[tuple[str, str]]:
    """Every column that names rows of a table: (its table, its name)."""
    return [
        (key.parent.table.name, key.parent.name)
        for other in Model.metadata.sorted_tables
        for key in other.foreign_keys
        if key.column.table.name == table
    ]


def _forget_the_argus(run_id: int, kept: set[int], file_name: str, by: Actor) -> None:
    """What an argus made and something depends on stays without the price it gave: it had none
    before. A price somebody gave since stays.
    """
    facts = dumps({"file": file_name[:200]})
    for some in _steps(kept):
        same = (
            "EXISTS (SELECT 1 FROM import_before b WHERE b.run_id = :run AND b.subject = 'variant'"
            " AND b.subject_id = variant.id AND variant.argus_cents = CAST(b.after ->>"
            " 'argus_cents' AS INTEGER))"
        )
        _run(
            "INSERT INTO event (subject, subject_id, verb, actor_kind, actor_id, actor_name, facts,"
            " at) SELECT 'variant', id, 'undo_file', :kind, :actor, :name, :facts, :now FROM"
            f" variant WHERE id {one_of('ids')} AND {same}",
            run=run_id,
            ids=listed(some),
            kind=by.kind,
            actor=by.id,
            name=by.name,
            facts=facts,
            now=raw(clock.now()),
        )
        _run(
            "UPDATE variant SET argus_cents = NULL, argus_on = NULL, voucher_cents = NULL,"
            f" cash_cents = NULL, updated_at = :now WHERE id {one_of('ids')} AND {same}",
            run=run_id,
            ids=listed(some),
            now=raw(clock.now()),
        )


def _delete(run_id: int, gone: set[int], held: set[int]) -> None:
    """These references, and the products of the file that have none any more."""
    emptied: set[int] = set()
    for some in _steps(gone):
        for table in _GOES_TOO:
            _run(f"DELETE FROM {table} WHERE variant_id {one_of('ids')}", ids=listed(some))
        touched = list(
            _run(
                f"SELECT DISTINCT product_id FROM variant WHERE id {one_of('ids')}",
                ids=listed(some),
            ).scalars()
        )
        emptied.update(touched)
        _run(
            "INSERT INTO search_todo (product_id) SELECT id FROM product WHERE id"
            f" {one_of('ids')} ON CONFLICT (product_id) DO NOTHING",
            ids=listed(touched),
        )
        _run(f"DELETE FROM variant WHERE id {one_of('ids')}", ids=listed(some))
        _forget_rows(run_id, "variant", some)
    mine = _created(run_id, "product") & emptied - held
    for some in _steps(mine):
        free = list(
            _run(
                f"SELECT p.id FROM product p WHERE p.id {one_of('ids')} AND p.merged_into_id IS"
                " NULL AND NOT EXISTS (SELECT 1 FROM variant v WHERE v.product_id = p.id)",
                ids=listed(some),
            ).scalars()
        )
        for table in _OF_PRODUCT:
            _run(f"DELETE FROM {table} WHERE product_id {one_of('ids')}", ids=listed(free))
        _run(f"DELETE FROM product WHERE id {one_of('ids')}", ids=listed(free))
        _forget_rows(run_id, "product", free)


def _forget_rows(run_id: int, table: str, ids: list[int]) -> None:
    """The number of a row that is gone may be given again (SQLite): what was said of it goes."""
    _run(
        "DELETE FROM event WHERE subject = :table AND verb = 'create_by_file' AND subject_id"
        f" {one_of('ids')}",
        table=table,
        ids=listed(ids),
    )
    _run(
        "DELETE FROM import_before WHERE run_id = :run AND subject = :table AND subject_id"
        f" {one_of('ids')}",
        run=run_id,
        table=table,
        ids=listed(ids),
    )


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
