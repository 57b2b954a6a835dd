"""The key of a partner opens several vendors, each called by its code.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("vendor") as table:
        table.add_column(sa.Column("code", sa.String(20), nullable=True))
        table.create_unique_constraint("uq_vendor_code", ["code"])
    with op.batch_alter_table("machine_key") as table:
        table.alter_column("vendor_id", existing_type=sa.Integer(), nullable=True)
        table.create_check_constraint(
            "partner_has_no_store", "vendor_id IS NOT NULL OR store_id IS NULL"
        )
    op.create_table(
        "machine_key_vendor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("vendor_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["machine_key.id"], name="fk_machine_key_vendor_key_id_machine_key"
        ),
        sa.ForeignKeyConstraint(
            ["vendor_id"], ["vendor.id"], name="fk_machine_key_vendor_vendor_id_vendor"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_machine_key_vendor"),
        sa.UniqueConstraint("key_id", "vendor_id", name="uq_machine_key_vendor_key_id_vendor_id"),
    )
    with op.batch_alter_table("machine_key_vendor") as table:
        table.create_index("ix_machine_key_vendor_vendor_id", ["vendor_id"])


def downgrade():
    op.drop_table("machine_key_vendor")
    with op.batch_alter_table("machine_key") as table:
        table.drop_constraint("partner_has_no_store", type_="check")
        table.alter_column("vendor_id", existing_type=sa.Integer(), nullable=False)
    with op.batch_alter_table("vendor") as table:
        table.drop_constraint("uq_vendor_code", type_="unique")
        table.drop_column("code")
