"""When a file came is kept on its run, not looked up in its history.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("import_run") as table:
        table.add_column(sa.Column("received_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE import_run SET received_at = COALESCE((SELECT min(event.at) FROM event WHERE event.subject = 'import_run' "
        "AND event.subject_id = import_run.id AND event.verb = 'import_file'), started_at)"
    )
    with op.batch_alter_table("import_run") as table:
        table.alter_column("received_at", existing_type=sa.DateTime(timezone=True), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("import_run") as table:
        table.drop_column("received_at")
