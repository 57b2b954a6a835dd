"""Whether buyers saw a listing when its vendor's software was last told.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("listing") as table:
        table.add_column(sa.Column("was_shown", sa.Boolean(), nullable=True))


def downgrade():
    with op.batch_alter_table("listing") as table:
        table.drop_column("was_shown")
