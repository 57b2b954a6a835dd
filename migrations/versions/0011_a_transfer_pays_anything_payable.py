"""A line of a transfer file pays exactly one of several things: today a seller.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("transfer_line") as table:
        table.alter_column("payment_id", existing_type=sa.Integer(), nullable=True)
        table.create_check_constraint(
            op.f("ck_transfer_line_pays_exactly_one"),
            "(CASE WHEN payment_id IS NULL THEN 0 ELSE 1 END) = 1",
        )


def downgrade():
    with op.batch_alter_table("transfer_line") as table:
        table.drop_constraint(op.f("ck_transfer_line_pays_exactly_one"))
        table.alter_column("payment_id", existing_type=sa.Integer(), nullable=False)
