"""What the outbox holds back for a moment, so that a person can take it back.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("outbox") as table:
        table.add_column(sa.Column("undo_key", sa.String(80), nullable=False, server_default=""))
    with op.batch_alter_table("outbox") as table:
        table.alter_column("undo_key", server_default=None)
        table.create_index("ix_outbox_undo_key", ["undo_key"])


def downgrade():
    with op.batch_alter_table("outbox") as table:
        table.drop_index("ix_outbox_undo_key")
        table.drop_column("undo_key")
