"""What rows were before a file changed them.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "import_before",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "run_id",
            sa.Integer(),
            sa.ForeignKey(
                "import_run.id", name="fk_import_before_run_id_import_run", ondelete="CASCADE"
            ),
            nullable=False,
        ),
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
    )
    op.create_index("ix_import_before_run_id", "import_before", ["run_id"])
    op.create_index(
        "ix_import_before_subject_subject_id", "import_before", ["subject", "subject_id"]
    )
    _let_prices_go_with_what_a_file_made()


# The price history of a reference that a file of this week made, and that nobody offered, goes
# with it when the file is undone. Any other row of it stays for ever.
MADE_BY_A_FILE = (
    "OLD.listing_id IS NULL AND EXISTS (SELECT 1 FROM import_before b WHERE b.subject = 'variant'"
    " AND b.subject_id = OLD.variant_id AND b.before IS NULL)"
)
SAID = "price_point is append-only: add a correction"


def _let_prices_go_with_what_a_file_made():
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER price_point_no_delete")
        op.execute(
            "CREATE TRIGGER price_point_no_delete BEFORE DELETE ON price_point WHEN NOT"
            f" ({MADE_BY_A_FILE}) BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
        )
        return
    op.execute("DROP TRIGGER price_point_only_added ON price_point")
    op.execute(
        "CREATE FUNCTION price_point_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP ="
        f" 'DELETE' THEN IF {MADE_BY_A_FILE} THEN RETURN OLD; END IF; END IF; RAISE EXCEPTION"
        f" '{SAID}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER price_point_kept BEFORE UPDATE OR DELETE ON price_point FOR EACH ROW"
        " EXECUTE FUNCTION price_point_kept()"
    )
    op.execute(
        "CREATE TRIGGER price_point_no_truncate BEFORE TRUNCATE ON price_point FOR EACH STATEMENT"
        " EXECUTE FUNCTION price_point_only_added()"
    )


def downgrade():
    raise NotImplementedError("restore the backup made before the upgrade")
