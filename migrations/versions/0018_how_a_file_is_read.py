"""How a file is to be read is said by hand, and remembered for each header.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("import_run") as table:
        table.add_column(sa.Column("reading", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("import_run") as table:
        table.alter_column("reading", server_default=None)
    with op.batch_alter_table("column_mapping") as table:
        table.add_column(sa.Column("header", sa.String(64), nullable=False, server_default=""))
        table.add_column(sa.Column("reading", sa.JSON(), nullable=False, server_default="{}"))
        table.drop_constraint("uq_column_mapping_owner_kind", type_="unique")
    with op.batch_alter_table("column_mapping") as table:
        table.alter_column("header", server_default=None)
        table.alter_column("reading", server_default=None)
        table.create_unique_constraint(
            "uq_column_mapping_owner_kind_header", ["owner", "kind", "header"]
        )


def downgrade():
    # One memory for each owner and kind: the last one.
    op.execute(
        "DELETE FROM column_mapping WHERE id NOT IN (SELECT max(id) FROM column_mapping GROUP BY"
        " owner, kind)"
    )
    with op.batch_alter_table("column_mapping") as table:
        table.drop_constraint("uq_column_mapping_owner_kind_header", type_="unique")
        table.drop_column("header")
        table.drop_column("reading")
        table.create_unique_constraint("uq_column_mapping_owner_kind", ["owner", "kind"])
    with op.batch_alter_table("import_run") as table:
        table.drop_column("reading")
