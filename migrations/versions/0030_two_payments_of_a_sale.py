"""A sale is paid in two parts when an article is contested.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# What was paid before has one part; its return parcel says what it bore for sending back.
BORNE = (
    "UPDATE seller_payment SET fee_cents = COALESCE((SELECT max(parcel.fee_cents) FROM parcel"
    " WHERE parcel.offer_id = seller_payment.offer_id AND parcel.is_return), 0)"
)


def upgrade():
    with op.batch_alter_table("seller_payment") as table:
        table.add_column(sa.Column("part", sa.String(24), nullable=False, server_default="first"))
        table.add_column(sa.Column("fee_cents", sa.Integer(), nullable=False, server_default="0"))
        table.drop_constraint("uq_seller_payment_offer_id", type_="unique")
        table.create_unique_constraint("uq_seller_payment_offer_id_part", ["offer_id", "part"])
    op.execute(BORNE)
    with op.batch_alter_table("seller_payment") as table:
        table.alter_column("part", server_default=None)
        table.alter_column("fee_cents", server_default=None)


def downgrade():
    two = sa.text("SELECT count(*) FROM seller_payment WHERE part = 'contested'")
    if op.get_bind().scalar(two):
        raise RuntimeError("Sales have two payments: the version before knows one. Restore a backup.")
    with op.batch_alter_table("seller_payment") as table:
        table.drop_constraint("uq_seller_payment_offer_id_part", type_="unique")
        table.create_unique_constraint("uq_seller_payment_offer_id", ["offer_id"])
        table.drop_column("fee_cents")
        table.drop_column("part")
