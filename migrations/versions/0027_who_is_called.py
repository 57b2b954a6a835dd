"""A call to make names its partner: one that does not answer keeps no other waiting.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column(
        "outbox", sa.Column("partner", sa.String(40), nullable=False, server_default="")
    )
    # By the number of a delivery, which SQLite gives again, to its own name.
    op.execute(
        "UPDATE outbox SET key = (SELECT 'webhook:' || d.message_id FROM webhook_delivery d WHERE"
        " 'webhook:' || d.id = outbox.key) WHERE kind = 'webhook' AND key IN (SELECT 'webhook:' ||"
        " id FROM webhook_delivery)"
    )
    if op.get_bind().dialect.name == "postgresql":  # SQLite would copy the table for it
        op.alter_column("outbox", "partner", server_default=None)


def downgrade():
    with op.batch_alter_table("outbox") as batch:
        batch.drop_column("partner")
