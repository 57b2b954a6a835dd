"""The history of the database: one line, complete, and usable from every earlier point."""

from pathlib import Path

from alembic.script import ScriptDirectory
from flask_migrate import Migrate

import commands
from models import BuyingRule, Site, Store, Vendor
from services.unit import db, is_sqlite


def test_the_history_is_one_numbered_line(app):
    scripts = ScriptDirectory(str(Path(app.root_path) / "migrations"))
    revisions = [s.revision for s in scripts.walk_revisions()]
    assert len(scripts.get_heads()) == 1 and sorted(revisions, reverse=True) == revisions and all(r.isdigit() for r in revisions)


def test_models_and_migrations_say_the_same(app):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": not is_sqlite()})
        assert compare_metadata(context, db.metadata) == []
    assert Migrate


def test_a_new_installation_has_one_of_each_and_a_second_init_adds_nothing(app):
    for _twice in range(2):
        commands.bring_to_life()
        assert [db.session.scalar(db.select(db.func.count()).select_from(m)) for m in (Vendor, Store, Site, BuyingRule)] == [1, 1, 1, 1]
    rule = db.session.scalars(db.select(BuyingRule)).one()
    assert (rule.rate_bp, rule.floor_cents, rule.step_cents) == (4000, None, None) and rule.name.replace("\u00a0", " ") == "40 % de l’argus"
