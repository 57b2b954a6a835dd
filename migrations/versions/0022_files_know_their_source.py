"""A file that was fetched knows its source.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("import_run") as table:
        table.add_column(sa.Column("source_id", sa.Integer(), nullable=True))
        table.create_foreign_key(
            "fk_import_run_source_id_feed_source",
            "feed_source",
            ["source_id"],
            ["id"],
            ondelete="SET NULL",
        )
        table.create_index("ix_import_run_source_id", ["source_id"])


def downgrade():
    with op.batch_alter_table("import_run") as table:
        table.drop_index("ix_import_run_source_id")
        table.drop_constraint("fk_import_run_source_id_feed_source", type_="foreignkey")
        table.drop_column("source_id")
