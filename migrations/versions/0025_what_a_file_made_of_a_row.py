"""What a file made of a row, to know whether it was changed since; what an address of a picture gave.

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("import_before", sa.Column("after", sa.JSON(), nullable=True))
    with op.batch_alter_table("picture_address") as table:
        table.add_column(
            sa.Column("picture", sa.String(80), nullable=False, server_default=sa.text("''"))
        )
    with op.batch_alter_table("picture_address") as table:
        table.alter_column("picture", server_default=None)


def downgrade():
    with op.batch_alter_table("picture_address") as table:
        table.drop_column("picture")
    op.drop_column("import_before", "after")
