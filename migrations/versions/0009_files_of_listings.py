"""Files of sale offers are of the kind « listings »: « offer » means a buy-back proposal only.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("UPDATE import_run SET kind = 'listings' WHERE kind = 'offers'")
    op.execute(
        "UPDATE column_mapping SET kind = 'listings' WHERE kind = 'offers' AND owner NOT IN"
        " (SELECT owner FROM column_mapping WHERE kind = 'listings')"
    )


def downgrade():
    op.execute("UPDATE import_run SET kind = 'offers' WHERE kind = 'listings'")
    op.execute("UPDATE column_mapping SET kind = 'offers' WHERE kind = 'listings'")
