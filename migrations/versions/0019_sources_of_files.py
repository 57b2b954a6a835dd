"""Places on vendors' own servers from which files are fetched.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "feed_source",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("vendor_id", sa.Integer(), nullable=True),
        sa.Column("store_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("login", sa.String(120), nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("host_key", sa.String(200), nullable=False),
        sa.Column("shown_key", sa.String(200), nullable=False),
        sa.Column("every_minutes", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(24), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_good_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("every_minutes >= 5", name="not_too_often"),
        sa.ForeignKeyConstraint(
            ["vendor_id"], ["vendor.id"], name="fk_feed_source_vendor_id_vendor"
        ),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name="fk_feed_source_store_id_store"),
        sa.PrimaryKeyConstraint("id", name="pk_feed_source"),
    )
    with op.batch_alter_table("feed_source") as table:
        for column in ("vendor_id", "store_id", "status", "next_at"):
            table.create_index(f"ix_feed_source_{column}", [column])


def downgrade():
    op.drop_table("feed_source")
