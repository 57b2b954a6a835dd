"""How often a job of the day failed, so that it stops after some tries.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("day_run") as table:
        table.add_column(sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("day_run") as table:
        table.alter_column("failures", server_default=None)


def downgrade():
    with op.batch_alter_table("day_run") as table:
        table.drop_column("failures")
