"""Store credit has a card: a number its barcode says at the till.

Revision ID: 0028
Revises: 0027
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("customer") as batch:
        batch.add_column(sa.Column("credit_card", sa.String(13)))
        batch.create_unique_constraint("uq_customer_credit_card", ["credit_card"])
    connection = op.get_bind()
    holders = connection.execute(
        sa.text(
            "SELECT DISTINCT c.id FROM customer c JOIN account a ON a.customer_id = c.id WHERE"
            " a.kind = 'store_credit' AND c.erased_at IS NULL"
        )
    ).scalars()
    for id in holders.all():
        card = f"BON{secrets.randbelow(10**10):010d}"
        connection.execute(
            sa.text("UPDATE customer SET credit_card = :card WHERE id = :id"),
            {"card": card, "id": id},
        )


def downgrade():
    with op.batch_alter_table("customer") as batch:
        batch.drop_constraint("uq_customer_credit_card", type_="unique")
        batch.drop_column("credit_card")
