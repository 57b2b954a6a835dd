"""The orders of one store are found by an index of their own.

Revision ID: 0033
Revises: 0032
"""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

NAME = "ix_vendor_order_store_id_status_due_at"


def upgrade():
    op.create_index(NAME, "vendor_order", ["store_id", "status", "due_at"])


def downgrade():
    op.drop_index(NAME, "vendor_order")
