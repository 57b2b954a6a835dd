"""Used units that are no `Item` are counted on their offer, no longer with the new ones.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

USED_ONLY = "quantity IS NULL OR (quantity >= 0 AND condition IS NOT NULL AND item_id IS NULL)"


def upgrade() -> None:
    with op.batch_alter_table("listing") as table:
        table.add_column(sa.Column("quantity", sa.Integer(), nullable=True))
        table.create_check_constraint("quantity_of_used_ones", USED_ONLY)


def downgrade() -> None:
    with op.batch_alter_table("listing") as table:
        table.drop_constraint("quantity_of_used_ones", type_="check")
        table.drop_column("quantity")
