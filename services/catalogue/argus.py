"""The argus: what each reference is worth on the market, since when, and who says so.

Lists arrive as files. They are staged beside the catalogue, compared with it in one go, and only
what differs is written, in one short transaction: a file never half-applies, whatever kills it.
"""

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Connection, select, text

from models import ArgusValue, Platform, Variant
from services import clock, words, workflow
from services.catalogue import file_undoing, products, search
from services.imports import runs, tables, undoing
from services.unit import bulk, db, insert_many, is_sqlite, merging, raw
from services.workflow import Actor, Refused

workflow.says(
    "variant",
    argus=_l("Argus changed"),
)
workflow.says(
    "product",
    cover=_l("Cover changed"),
)

COLUMNS: dict[str, tuple[str, ...]] = {
    "ean": ("ean", "code-barres", "code barre", "gtin", "barcode", "ean13", "upc"),
    "title": ("titre", "title", "désignation", "libellé", "nom", "jeu"),
    "platform": ("plateforme", "platform", "console", "support", "machine"),
    "argus": ("argus", "cote", "valeur", "prix argus", "resale", "prix"),
    "voucher": ("bon_achat", "bon d'achat", "voucher", "avoir"),
    "cash": ("especes", "espèces", "cash", "comptant"),
}
REQUIRED = ("ean", "title", "argus")


# ── by hand ──


def change(variant: Variant, value_cents: int, *, by: Actor) -> None:
    """Set what a reference is worth from today on. Raises Refused below zero."""
    if value_cents < 0:
        raise Refused(_("An argus cannot be negative."))
    if variant.argus_cents == value_cents:
        return
    before, today = variant.argus_cents, clock.today()
    variant.argus_cents, variant.argus_on = value_cents, today
    db.session.add(
        ArgusValue(
            variant=variant,
            value_cents=value_cents,
            voucher_cents=variant.voucher_cents,
            cash_cents=variant.cash_cents,
            source=by.name[:40],
            since=today,
        )
    )
    workflow.record(variant, "argus", by=by, before_cents=before, after_cents=value_cents)


def history(variant: Variant, limit: int = 60) -> list[ArgusValue]:
    """What a reference was worth, oldest first."""
    newest = db.session.scalars(
        select(ArgusValue)
        .where(ArgusValue.variant_id == variant.id)
        .order_by(ArgusValue.since.desc(), ArgusValue.id.desc())
        .limit(limit)
    ).all()
    return list(reversed(newest))


# ── by file ──


def _load(loading: runs.Loading) -> None:
    at = loading.open()
    platforms = {tables.fold(name): name for name in db.session.scalars(select(Platform.name))}
    db.session.rollback()
    reader = _Reader(loading, platforms)
    with bulk() as connection:
        _make_stage(connection)
        for chunk in tables.chunks(loading.rows(reader.row), 1000):
            insert_many(
                connection,
                "stage",
                ("line", "ean", "title", "platform", "argus", "voucher", "cash"),
                chunk,
            )
        loading.progress()
        _merge(connection, loading, absent=[name for name in ("voucher", "cash") if name not in at])


class _Reader:
    """Turns lines into rows to stage."""

    def __init__(self, loading: runs.Loading, platforms: dict[str, str]) -> None:
        self.loading, self.at, self.platforms = loading, loading.at, platforms
        self.seen: set[int] = set()
        self.spelled: dict[str, str] = {}

    def row(self, line: int, cells: list[str]) -> tuple[Any, ...]:
        at, width = self.at, len(cells)
        ean = products.read_ean(cells[at["ean"]] if at["ean"] < width else "")
        title = cells[at["title"]].strip() if at["title"] < width else ""
        if not title.isascii() or not title.isprintable() or "  " in title or len(title) > 300:
            title = " ".join(words.visible(title).split())[:300]
        if not title:
            raise Refused(_("The title is missing."))
        argus = self._amount(cells, "argus")
        if argus is None:
            raise Refused(_("The argus is missing."))
        platform = (
            words.visible(cells[at["platform"]]).strip()[:100]
            if at.get("platform", width) < width
            else ""
        )
        if platform:
            known = self.spelled.get(platform)
            if known is None:
                known = self.spelled[platform] = self.platforms.setdefault(
                    tables.fold(platform), platform
                )
            platform = known
        key = int(ean) * 100 + len(ean)
        if key in self.seen:
            self.loading.repeat(line, ean)
        else:
            self.seen.add(key)
        return (
            line,
            ean,
            title,
            platform,
            argus,
            self._amount(cells, "voucher"),
            self._amount(cells, "cash"),
        )

    def _amount(self, cells: list[str], name: str) -> int | None:
        position = self.at.get(name)
        return (
            tables.amount(cells[position])
            if position is not None and position < len(cells)
            else None
        )


# ── private: comparing and applying, the same shape on both engines ──


def _make_stage(connection: Connection) -> None:
    connection.execute(
        text(
            "CREATE TEMPORARY TABLE stage (line INTEGER, ean VARCHAR(14), title TEXT, platform"
            " TEXT, argus INTEGER, voucher INTEGER, cash INTEGER, variant_id INTEGER, product_id"
            " INTEGER, changed INTEGER)"
        )
    )
    connection.execute(text("CREATE INDEX stage_ean ON stage (ean, line)"))


def _merge(connection: Connection, loading: runs.Loading, absent: list[str]) -> None:
    """Apply what differs and end the run with its report, in one transaction. A price the file has
    no column for stays as it is.
    """
    run = _Statements(connection, raw(clock.today()), raw(clock.now()))
    if loading.repeated:  # the last line of a reference counts
        run(
            "DELETE FROM stage WHERE EXISTS (SELECT 1 FROM stage later WHERE later.ean = stage.ean"
            " AND later.line > stage.line)"
        )
    with merging(connection):
        if not is_sqlite():
            run("SELECT pg_advisory_xact_lock(hashtext('argus import'))")
        _name_what_is_known(run, absent)
        _mark_what_differs(run)
        _keep_what_was_before(connection, loading.run_id)
        created = _create_what_is_new(run)
        _keep_the_prices(run, source=f"import:{loading.run_id}")
        updated = run.count("SELECT count(*) FROM stage WHERE changed > 0")
        _change_what_differs(run)
        _keep_what_became(connection, loading.run_id)
        same = run.count(
            "SELECT count(*) FROM stage WHERE variant_id IS NOT NULL AND changed IS NULL"
        )
        run(
            "INSERT INTO search_todo (product_id) SELECT product_id FROM stage WHERE variant_id IS"
            " NULL OR changed > 0 ON CONFLICT (product_id) DO NOTHING"
        )
        loading.ended(
            connection, created=created, updated=updated + loading.repeated, unchanged=same
        )
    search.catch_up(alive=loading.alive)


@dataclass
class _Statements:
    """Statements of one merge, with the day and the moment (UTC) it writes."""

    connection: Connection
    today: Any
    now: Any

    def __call__(self, sql: str, **values: Any) -> int:
        """Run one; returns how many rows it met. `:today` and `:now` are known."""
        dates = {n: getattr(self, n) for n in ("today", "now") if f":{n}" in sql}
        return self.connection.execute(text(sql), {**dates, **values}).rowcount

    def count(self, sql: str) -> int:
        return int(self.connection.execute(text(sql)).scalar_one())


def _name_what_is_known(run: _Statements, absent: list[str]) -> None:
    """Give each line the platform, the reference and the product it is about; new ones get the
    number their product will have.
    """
    run(
        "INSERT INTO platform (name, weight_grams) SELECT DISTINCT platform, 150 FROM stage"
        " WHERE platform <> '' AND NOT EXISTS (SELECT 1 FROM platform p WHERE p.name ="
        " stage.platform)"
    )
    run(
        "UPDATE stage SET variant_id = v.id, product_id = v.product_id FROM variant v WHERE"
        " v.ean = stage.ean"
    )
    for name in absent:
        run(
            f"UPDATE stage SET {name} = v.{name}_cents FROM variant v WHERE v.id = stage.variant_id"
        )
    if is_sqlite():
        run(
            "UPDATE stage SET product_id = (SELECT coalesce(max(id), 0) FROM product) +"
            " stage.rowid WHERE variant_id IS NULL"
        )
    else:
        run("UPDATE stage SET product_id = nextval('product_id_seq') WHERE variant_id IS NULL")


def _mark_what_differs(run: _Statements) -> None:
    """`changed`: 2 where a price differs, 1 where only the title or the platform does."""
    run(
        "UPDATE stage SET changed = CASE WHEN v.argus_cents IS DISTINCT FROM stage.argus OR"
        " v.voucher_cents IS DISTINCT FROM stage.voucher OR v.cash_cents IS DISTINCT FROM"
        " stage.cash THEN 2 ELSE 1 END FROM variant v JOIN product p ON p.id = v.product_id"
        " LEFT JOIN platform pf ON pf.id = p.platform_id WHERE v.id = stage.variant_id AND"
        " (v.argus_cents IS DISTINCT FROM stage.argus OR v.voucher_cents IS DISTINCT FROM"
        " stage.voucher OR v.cash_cents IS DISTINCT FROM stage.cash OR p.title <> stage.title"
        " OR (stage.platform <> '' AND pf.name IS DISTINCT FROM stage.platform))"
    )


PRICES, NAMES = ["argus_cents", "argus_on", "voucher_cents", "cash_cents"], ["title", "platform_id"]


def _keep_what_was_before(connection: Connection, run_id: int) -> None:
    """What the file is about to change, so that it can be undone."""
    priced = "SELECT variant_id FROM stage WHERE changed = 2"
    undoing.keep_changed(connection, run_id, "variant", PRICES, among=priced)
    renamed = (
        "SELECT p.id FROM stage s JOIN product p ON p.id = s.product_id LEFT JOIN platform pf ON"
        " pf.id = p.platform_id WHERE s.changed > 0 AND (p.title <> s.title OR (s.platform <> ''"
        " AND pf.name IS DISTINCT FROM s.platform))"
    )
    undoing.keep_changed(connection, run_id, "product", NAMES, among=renamed)


def _keep_what_became(connection: Connection, run_id: int) -> None:
    """What the file made of it."""
    undoing.keep_what_became(connection, run_id, "variant", PRICES)
    undoing.keep_what_became(connection, run_id, "product", NAMES)
    new = "SELECT product_id FROM stage WHERE variant_id IS NULL"
    undoing.keep_created(connection, run_id, "product", ["title"], among=new)
    variants = f"SELECT v.id FROM variant v WHERE v.product_id IN ({new})"
    said = file_undoing.SAID_OF_NEW
    undoing.keep_created(connection, run_id, "variant", said, among=variants)


def _create_what_is_new(run: _Statements) -> int:
    """New products, each with its reference; returns how many."""
    created = run(
        f"INSERT INTO product (id, title, platform_id, {products.PLAIN_PRODUCT}, created_at,"
        f" updated_at) SELECT s.product_id, s.title, p.id, {products.PLAIN_PRODUCT_VALUES},"
        " :now, :now FROM stage s LEFT JOIN platform p ON p.name = s.platform WHERE"
        " s.variant_id IS NULL"
    )
    run(
        "INSERT INTO variant (product_id, ean, argus_cents, argus_on, voucher_cents,"
        f" cash_cents, {products.PLAIN_VARIANT}, updated_at) SELECT product_id, ean, argus,"
        f" :today, voucher, cash, {products.PLAIN_VARIANT_VALUES}, :now FROM stage WHERE"
        " variant_id IS NULL"
    )
    return created


def _keep_the_prices(run: _Statements, source: str) -> None:
    """Every new or changed price stays on file with its day."""
    run(
        "INSERT INTO argus_value (variant_id, value_cents, voucher_cents, cash_cents, source,"
        " since) SELECT v.id, s.argus, s.voucher, s.cash, :source, :today FROM stage s JOIN"
        " variant v ON v.ean = s.ean WHERE s.variant_id IS NULL OR s.changed = 2",
        source=source,
    )


def _change_what_differs(run: _Statements) -> None:
    run(
        "UPDATE variant SET argus_cents = s.argus, argus_on = :today, voucher_cents ="
        " s.voucher, cash_cents = s.cash, updated_at = :now FROM stage s WHERE s.variant_id ="
        " variant.id AND s.changed = 2"
    )
    run(
        "UPDATE product SET title = s.title, updated_at = :now, platform_id = coalesce((SELECT"
        " id FROM platform WHERE name = s.platform), product.platform_id) FROM stage s WHERE"
        " s.product_id = product.id AND s.changed > 0"
    )


runs.kind(
    "argus",
    _l("Argus"),
    COLUMNS,
    REQUIRED,
    _load,
    for_vendors=False,
    help=_l(
        "Columns, in any order: ean, titre, argus; plateforme, bon_achat, especes if you have them."
    ),
)
undoing.law("argus", file_undoing.undo, afterwards=search.catch_up)
