"""Sellers are asked for an IBAN more than once.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column(
        "seller_payment",
        sa.Column("iban_reminders", sa.Integer(), nullable=False, server_default="0"),
    )
    op.add_column("seller_payment", sa.Column("iban_reminded_at", sa.DateTime(timezone=True)))
    if op.get_bind().dialect.name == "postgresql":  # SQLite would copy the table for it
        op.alter_column("seller_payment", "iban_reminders", server_default=None)


def downgrade():
    with op.batch_alter_table("seller_payment") as batch:
        batch.drop_column("iban_reminded_at")
        batch.drop_column("iban_reminders")
