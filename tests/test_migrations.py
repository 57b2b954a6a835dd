"""The history of the database: one line, complete, and usable from every earlier point."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask_migrate import Migrate, upgrade

import commands
from models import BuyingRule, Offer, PaymentPart, Site, Store, Vendor
from services import outbox
from services.buyback import parcels
from services.installation import backups, restores
from services.payments import seller_payments
from services.unit import db, is_sqlite, unit_of_work
from tests import factories

ROOT = Path(__file__).parents[1]


def test_the_history_is_one_numbered_line(app):
    scripts = ScriptDirectory(str(Path(app.root_path) / "migrations"))
    revisions = [s.revision for s in scripts.walk_revisions()]
    assert len(scripts.get_heads()) == 1
    assert sorted(revisions, reverse=True) == revisions
    assert all(r.isdigit() for r in revisions)


def test_models_and_migrations_say_the_same(app):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": not is_sqlite()}
        )
        assert differences(compare_metadata(context, db.metadata)) == []
    assert Migrate


def test_an_index_of_a_few_rows_holds_those_only(app):
    """What Alembic's comparison does not look at: the condition of a partial index."""
    sql = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        if is_sqlite()
        else "SELECT indexname, indexdef FROM pg_indexes"
    )
    kept = {name: " WHERE " in words for name, words in db.session.execute(db.text(sql))}
    engine = db.engine.dialect.name
    wanted = {
        str(i.name): i.dialect_options[engine]["where"] is not None
        for table in db.metadata.sorted_tables
        for i in table.indexes
    }
    assert len(wanted) > 50
    assert {name: kept[name] for name in wanted} == wanted


def differences(found: list[Any]) -> list[Any]:
    """Without the tables of the search, which are derived and made by hand
    (services/catalogue/search.py).
    """
    return [
        one
        for one in found
        if not (
            isinstance(one, tuple)
            and one[0] in ("remove_table", "remove_index")
            and "search_" in str(one[1])
        )
    ]


def test_a_new_installation_has_one_of_each_and_a_second_init_adds_nothing(app):
    for _twice in range(2):
        commands.bring_to_life()
        assert [
            db.session.scalar(db.select(db.func.count()).select_from(m))
            for m in (Vendor, Store, Site, BuyingRule)
        ] == [1, 1, 1, 1]
    rule = db.session.scalars(db.select(BuyingRule)).one()
    assert (rule.rate_bp, rule.floor_cents, rule.step_cents) == (
        4000,
        None,
        None,
    )
    assert rule.name.replace("\u00a0", " ") == "40 % de l’argus"


# Tables whose rows stand in another one since.
RENAMED = {"parcel_event": "label_event"}


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def earlier_histories() -> dict[str, dict[str, str]]:
    """Each different set of migrations some commit held: name of the commit, then file name and
    text.
    """
    found: dict[str, dict[str, str]] = {}
    for commit in _git("log", "--format=%h", "--reverse", "--", "migrations/versions").split():
        names = [
            n
            for n in _git("ls-tree", "-r", "--name-only", commit, "migrations/versions").split()
            if n.endswith(".py")
        ]
        texts = {Path(name).name: _git("show", f"{commit}:{name}") for name in names}
        found.setdefault(
            hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest(),
            {"commit": commit, **texts},
        )
    return {texts.pop("commit"): texts for texts in found.values()}


def longest(histories: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The histories that are not the beginning of another one: whoever lives through a longer one,
    a row in each table at each of its steps, was a database of every shorter one.
    """
    return {
        commit: texts
        for commit, texts in histories.items()
        if not any(
            len(other) > len(texts) and texts.items() <= other.items()
            for other in histories.values()
        )
    }


def rows_of(connection: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """How many rows these tables hold, under the names they have now."""
    there = set(sa.inspect(connection).get_table_names())
    now = {name: RENAMED[name] if name not in there else name for name in names}
    return {
        name: connection.execute(sa.text(f'SELECT count(*) FROM "{table}"')).scalar_one()
        for name, table in now.items()
    }


def a_row_in_each_table(connection: sa.Connection, filled: dict[str, int]) -> dict[str, int]:
    """Fill a database of any age: one row in each table beside those `filled` before, wherever its
    rules let a plain one in. Returns how many each holds.
    """
    there = set(sa.inspect(connection).get_table_names())
    counts = {name if name in there else RENAMED[name]: rows for name, rows in filled.items()}
    empty = sa.MetaData()  # reading how tables are made costs more than filling them
    empty.reflect(
        connection,
        only=lambda name, _metadata: (
            name not in counts and name != "alembic_version" and not name.startswith("search_")
        ),
        resolve_fks=False,
    )
    waiting = list(empty.tables.values())
    while ready := [table for table in waiting if _needs(table) <= counts.keys()]:
        waiting = [table for table in waiting if table not in ready]
        for table in ready:
            if held := _filled(connection, table):
                counts[table.name] = held
    return counts


def _needs(table: sa.Table) -> set[str]:
    """The other tables that a row of this one must name a row of."""
    named = {
        key.target_fullname.partition(".")[0]
        for key in table.foreign_keys
        if not key.parent.nullable
    }
    return named - {table.name}


def _filled(connection: sa.Connection, table: sa.Table) -> int:
    """How many rows a table holds, one being added where there is none and its rules allow it."""
    held = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    if held:
        return int(held)
    row = {
        column.name: _plain(column)
        for column in table.columns
        if not column.nullable or column.primary_key
    }
    try:
        with connection.begin_nested():
            connection.execute(table.insert().values(row))
    except sa.exc.DBAPIError:
        return 0  # a rule of its own refuses it
    return 1


def _plain(column: sa.Column) -> Any:
    if column.foreign_keys or isinstance(column.type, sa.Integer | sa.Numeric):
        return 1
    if isinstance(column.type, sa.DateTime | sa.TIMESTAMP):
        return datetime(2026, 3, 1, tzinfo=UTC)
    if isinstance(column.type, sa.Date):
        return datetime(2026, 3, 1, tzinfo=UTC).date()
    if isinstance(column.type, sa.Boolean):
        return True
    if isinstance(column.type, sa.JSON):
        return {}
    if isinstance(column.type, sa.LargeBinary):
        return b"x"
    return "FR"[: column.type.length or 2] if isinstance(column.type, sa.String) else "x"


def test_a_database_of_every_earlier_commit_comes_to_today_with_its_rows(app, machine, tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    histories = earlier_histories()
    if not histories:
        pytest.skip(
            "no history of the repository here: upgrades from earlier commits are not tried"
        )
    for commit, texts in longest(histories).items():
        folder = tmp_path / commit
        shutil.copytree(
            ROOT / "migrations", folder, ignore=shutil.ignore_patterns("versions", "__pycache__")
        )
        (folder / "versions").mkdir()
        for name, text in texts.items():
            (folder / "versions" / name).write_text(text)
        with (
            backups.scratch_database(machine.database_url, tmp_path) as (url, data_dir),
            restores.elsewhere(app, url, data_dir),
        ):
            before: dict[str, int] = {}
            for name in sorted(texts):
                upgrade(directory=str(folder), revision=name[:4])
                with db.engine.begin() as connection:
                    assert (
                        not is_sqlite()
                        or connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
                    ), commit
                    assert rows_of(connection, before) == before, (commit, name)
                    before = a_row_in_each_table(connection, before)
            upgrade(directory=str(ROOT / "migrations"))
            with db.engine.connect() as connection:
                assert (
                    differences(
                        compare_metadata(
                            MigrationContext.configure(connection, opts={"compare_type": True}),
                            db.metadata,
                        )
                    )
                    == []
                ), commit
                after = rows_of(connection, before)
                checks = " ".join(
                    c["sqltext"]
                    for c in sa.inspect(connection).get_check_constraints("transfer_batch")
                )
            assert after == before, (commit, before, after)
            assert len(before) > 15, (commit, before, after)
            assert "cancelled" in checks, commit


def test_a_payment_of_before_knows_what_sending_back_took_from_it(app, carrier):
    """0030: the fee stood only on the parcel that goes back; a payment of two must say its own."""
    module = ScriptDirectory(str(ROOT / "migrations")).get_revision("0030").module
    factories.a_contract()
    offer = factories.an_accepted_offer()
    outbox.work()
    with unit_of_work() as session:
        sale = session.get_one(Offer, offer.id)
        payment = seller_payments.open_part(sale, PaymentPart.first)
        parcels.expect_return(sale, "", 440, by=factories.MARC)
        session.flush()
        session.execute(sa.text(module.BORNE))
        session.refresh(payment)
        assert payment.fee_cents == 440
