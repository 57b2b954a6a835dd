"""What names a reference or a product is found by it: a file that is undone deletes what it made.

Revision ID: 0026
Revises: 0025
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

COLUMNS = (
    ("movement", "variant_id"),
    ("reservation", "variant_id"),
    ("stock_transfer_line", "variant_id"),
    ("stock_count_line", "variant_id"),
    ("till_event", "variant_id"),
    ("stock_conflict", "variant_id"),
    ("unmatched_reference", "proposal_id"),
    ("product", "merged_into_id"),
)


def upgrade():
    for table, column in COLUMNS:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade():
    for table, column in COLUMNS:
        op.drop_index(f"ix_{table}_{column}", table)
