"""The index of movements by second-hand unit holds those movements only, as the models have said since 0005.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UNITS_ONLY = sa.text("item_id IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_movement_item_id", table_name="movement")
    op.create_index("ix_movement_item_id", "movement", ["item_id"], sqlite_where=UNITS_ONLY, postgresql_where=UNITS_ONLY)


def downgrade() -> None:
    op.drop_index("ix_movement_item_id", table_name="movement")
    op.create_index("ix_movement_item_id", "movement", ["item_id"])
