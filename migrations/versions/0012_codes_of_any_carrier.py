"""The codes of a carrier's contract are as long as its carrier wants them.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

LENGTHS = {"account": (8, 40), "brand": (2, 20), "relay_number": (6, 20)}


def upgrade():
    with op.batch_alter_table("carrier_contract") as table:
        for name, (before, after) in LENGTHS.items():
            table.alter_column(
                name, existing_type=sa.String(before), type_=sa.String(after), existing_nullable=False
            )


def downgrade():
    with op.batch_alter_table("carrier_contract") as table:
        for name, (before, after) in LENGTHS.items():
            table.alter_column(
                name, existing_type=sa.String(after), type_=sa.String(before), existing_nullable=False
            )
