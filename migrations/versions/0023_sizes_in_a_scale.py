"""Words find a size in the European scale where its label names another one.

Revision ID: 0023
Revises: 0022
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade():
    scaled = " OR ".join(
        f"upper(shoe_size) LIKE '%{scale}%'" for scale in ("UK", "GB", "US", "EU", "FR")
    )
    op.execute(
        "INSERT INTO search_todo (product_id) SELECT DISTINCT product_id FROM variant WHERE"
        f" ({scaled}) AND product_id NOT IN (SELECT product_id FROM search_todo)"
    )


def downgrade():
    pass
