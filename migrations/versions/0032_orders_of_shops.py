"""Carts and orders of shops: reserved on line, collected in the store.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "cart",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name="fk_cart_customer_id_customer"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_cart_site_id_site"),
        sa.PrimaryKeyConstraint("id", name="pk_cart"),
        sa.UniqueConstraint("token_sha256", name="uq_cart_token_sha256"),
    )
    with op.batch_alter_table("cart") as table:
        table.create_index("ix_cart_touched_at", ["touched_at"])
        table.create_index(
            "uq_cart_customer_id_site_id",
            ["customer_id", "site_id"],
            unique=True,
            sqlite_where=sa.text("customer_id IS NOT NULL"),
            postgresql_where=sa.text("customer_id IS NOT NULL"),
        )

    op.create_table(
        "customer_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=12), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("total_cents", sa.Integer(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("total_cents > 0", name="ck_customer_order_asks_for_something"),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name="fk_customer_order_customer_id_customer"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_customer_order_site_id_site"),
        sa.PrimaryKeyConstraint("id", name="pk_customer_order"),
        sa.UniqueConstraint("number", name="uq_customer_order_number"),
    )
    with op.batch_alter_table("customer_order") as table:
        table.create_index("ix_customer_order_customer_id", ["customer_id"])
        table.create_index("ix_customer_order_email", ["email"])
        table.create_index("ix_customer_order_placed_at", ["placed_at"])

    op.create_table(
        "vendor_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("letter", sa.String(length=3), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("vendor_id", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.Integer(), nullable=False),
        sa.Column(
            "hand_over",
            sa.Enum("reserve_collect", name="handover", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "waiting_acceptance",
                "shipping",
                "to_collect",
                "received",
                "refused",
                "canceled",
                name="vendororderstate",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("ordered_cents", sa.Integer(), nullable=False),
        sa.Column("total_cents", sa.Integer(), nullable=False),
        sa.Column(
            "why",
            sa.Enum(
                "out_of_stock",
                "price_error",
                "closed",
                "other",
                "too_late",
                "not_collected",
                "buyer",
                "operator",
                name="orderend",
                native_enum=False,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("code_sealed", sa.Text(), nullable=False),
        sa.Column("code_tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accept_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("collect_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status != 'received' OR (accepted_at IS NOT NULL AND ended_at IS NOT NULL)",
            name="ck_vendor_order_received_has_a_date",
        ),
        sa.CheckConstraint(
            "status != 'to_collect' OR (ready_at IS NOT NULL AND collect_by IS NOT NULL)",
            name="ck_vendor_order_ready_has_a_deadline",
        ),
        sa.CheckConstraint(
            "status NOT IN ('refused', 'canceled') OR (why IS NOT NULL AND ended_at IS NOT NULL)",
            name="ck_vendor_order_ended_says_why",
        ),
        sa.CheckConstraint(
            "status NOT IN ('shipping', 'to_collect') OR"
            " (accepted_at IS NOT NULL AND code_sealed != '')",
            name="ck_vendor_order_accepted_has_a_code",
        ),
        sa.CheckConstraint("ordered_cents > 0", name="ck_vendor_order_asks_for_something"),
        sa.CheckConstraint(
            "total_cents BETWEEN 0 AND ordered_cents", name="ck_vendor_order_total_in_bounds"
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["customer_order.id"], name="fk_vendor_order_order_id_customer_order"
        ),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name="fk_vendor_order_store_id_store"),
        sa.ForeignKeyConstraint(
            ["vendor_id"], ["vendor.id"], name="fk_vendor_order_vendor_id_vendor"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_vendor_order"),
        sa.UniqueConstraint("order_id", "letter", name="uq_vendor_order_order_id_letter"),
        sa.UniqueConstraint("reference", name="uq_vendor_order_reference"),
    )
    with op.batch_alter_table("vendor_order") as table:
        table.create_index("ix_vendor_order_created_at", ["created_at"])
        table.create_index("ix_vendor_order_status", ["status"])
        table.create_index("ix_vendor_order_status_due_at", ["status", "due_at"])
        table.create_index(
            "ix_vendor_order_vendor_id_status_due_at", ["vendor_id", "status", "due_at"]
        )

    op.create_table(
        "call_task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("vendor_order_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vendor_order_id"],
            ["vendor_order.id"],
            name="fk_call_task_vendor_order_id_vendor_order",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_call_task"),
        sa.UniqueConstraint("vendor_order_id", name="uq_call_task_vendor_order_id"),
    )
    with op.batch_alter_table("call_task") as table:
        table.create_index("ix_call_task_done_at", ["done_at"])

    op.create_table(
        "cart_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cart_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("seen_cents", sa.Integer(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 99", name="ck_cart_line_quantity_in_bounds"),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["cart.id"], name="fk_cart_line_cart_id_cart", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name="fk_cart_line_listing_id_listing"
        ),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name="fk_cart_line_store_id_store"),
        sa.PrimaryKeyConstraint("id", name="pk_cart_line"),
        sa.UniqueConstraint(
            "cart_id", "listing_id", "store_id", name="uq_cart_line_cart_id_listing_id_store_id"
        ),
    )
    with op.batch_alter_table("cart_line") as table:
        table.create_index("ix_cart_line_listing_id", ["listing_id"])

    op.create_table(
        "order_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("vendor_order_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("variant_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("details", sa.String(length=200), nullable=False),
        sa.Column("ean", sa.String(length=14), nullable=False),
        sa.Column(
            "condition",
            sa.Enum(
                "like_new_unit",
                "very_good_unit",
                "good_unit",
                "acceptable_unit",
                name="condition",
                native_enum=False,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("unit_cents", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column(
            "problem",
            sa.Enum(
                "out_of_stock",
                "price_error",
                "closed",
                "other",
                "too_late",
                "not_collected",
                "buyer",
                "operator",
                name="orderend",
                native_enum=False,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column(
            "vat_regime",
            sa.Enum("margin", "normal", name="vatregime", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("vat_bp", sa.Integer(), nullable=False),
        sa.Column("cost_cents", sa.Integer(), nullable=True),
        sa.CheckConstraint("kept BETWEEN 0 AND quantity", name="ck_order_line_kept_in_bounds"),
        sa.CheckConstraint("quantity BETWEEN 1 AND 99", name="ck_order_line_quantity_in_bounds"),
        sa.CheckConstraint("unit_cents > 0", name="ck_order_line_price_positive"),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_order_line_item_id_item"),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name="fk_order_line_listing_id_listing"
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name="fk_order_line_variant_id_variant"
        ),
        sa.ForeignKeyConstraint(
            ["vendor_order_id"],
            ["vendor_order.id"],
            name="fk_order_line_vendor_order_id_vendor_order",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_order_line"),
    )
    with op.batch_alter_table("order_line") as table:
        table.create_index("ix_order_line_item_id", ["item_id"])
        table.create_index("ix_order_line_listing_id", ["listing_id"])
        table.create_index("ix_order_line_variant_id", ["variant_id"])
        table.create_index("ix_order_line_vendor_order_id", ["vendor_order_id"])

    with op.batch_alter_table("message") as table:
        table.add_column(sa.Column("order_id", sa.Integer(), nullable=True))
        table.create_index("ix_message_order_id", ["order_id"])
        table.create_foreign_key(
            "fk_message_order_id_customer_order", "customer_order", ["order_id"], ["id"]
        )

    with op.batch_alter_table("reservation") as table:
        table.add_column(sa.Column("order_line_id", sa.Integer(), nullable=True))
        table.create_index("ix_reservation_order_line_id", ["order_line_id"])
        table.create_foreign_key(
            "fk_reservation_order_line_id_order_line", "order_line", ["order_line_id"], ["id"]
        )

    with op.batch_alter_table("store") as table:
        table.add_column(
            sa.Column("reserve_collect", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("store") as table:
        table.alter_column("reserve_collect", server_default=None)


def downgrade():
    with op.batch_alter_table("store") as table:
        table.drop_column("reserve_collect")

    with op.batch_alter_table("reservation") as table:
        table.drop_constraint("fk_reservation_order_line_id_order_line", type_="foreignkey")
        table.drop_index("ix_reservation_order_line_id")
        table.drop_column("order_line_id")

    with op.batch_alter_table("message") as table:
        table.drop_constraint("fk_message_order_id_customer_order", type_="foreignkey")
        table.drop_index("ix_message_order_id")
        table.drop_column("order_id")

    with op.batch_alter_table("order_line") as table:
        table.drop_index("ix_order_line_vendor_order_id")
        table.drop_index("ix_order_line_variant_id")
        table.drop_index("ix_order_line_listing_id")
        table.drop_index("ix_order_line_item_id")

    op.drop_table("order_line")
    with op.batch_alter_table("cart_line") as table:
        table.drop_index("ix_cart_line_listing_id")

    op.drop_table("cart_line")
    with op.batch_alter_table("call_task") as table:
        table.drop_index("ix_call_task_done_at")

    op.drop_table("call_task")
    with op.batch_alter_table("vendor_order") as table:
        table.drop_index("ix_vendor_order_vendor_id_status_due_at")
        table.drop_index("ix_vendor_order_status_due_at")
        table.drop_index("ix_vendor_order_status")
        table.drop_index("ix_vendor_order_created_at")

    op.drop_table("vendor_order")
    with op.batch_alter_table("customer_order") as table:
        table.drop_index("ix_customer_order_placed_at")
        table.drop_index("ix_customer_order_email")
        table.drop_index("ix_customer_order_customer_id")

    op.drop_table("customer_order")
    with op.batch_alter_table("cart") as table:
        table.drop_index(
            "uq_cart_customer_id_site_id",
            sqlite_where=sa.text("customer_id IS NOT NULL"),
            postgresql_where=sa.text("customer_id IS NOT NULL"),
        )
        table.drop_index("ix_cart_touched_at")

    op.drop_table("cart")
