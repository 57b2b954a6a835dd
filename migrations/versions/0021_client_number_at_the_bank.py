"""The number under which a bank knows who sends it files.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
TABLES = ("paying_account", "transfer_batch")


def upgrade():
    for name in TABLES:
        with op.batch_alter_table(name) as table:
            table.add_column(
                sa.Column("client_id", sa.String(35), nullable=False, server_default="")
            )
        with op.batch_alter_table(name) as table:
            table.alter_column("client_id", server_default=None)


def downgrade():
    for name in TABLES:
        with op.batch_alter_table(name) as table:
            table.drop_column("client_id")
