"""Each member of staff chooses the columns of a list.

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "column_choice",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "user_id",
            sa.Integer(),
            sa.ForeignKey("ab_user.id", ondelete="CASCADE", name="fk_column_choice_user_id_ab_user"),
            nullable=False,
        ),
        sa.Column("view", sa.String(40), nullable=False),
        sa.Column("hidden", sa.JSON(), nullable=False),
        sa.Column("added", sa.JSON(), nullable=False),
        sa.UniqueConstraint("user_id", "view", name="uq_column_choice_user_id_view"),
    )
    op.create_index("ix_column_choice_user_id", "column_choice", ["user_id"])


def downgrade():
    op.drop_table("column_choice")
