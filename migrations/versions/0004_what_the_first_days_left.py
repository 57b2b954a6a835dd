"""What the first days left: databases made by a commit whose 0002 or 0003 was still being written.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-24 03:50:00

Each step looks first: a database made by the finished 0002 and 0003 has everything already.
"""
import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

OLD_CHECK, NEW_CHECK = "status = 'preparing' OR sha256 != ''", "status IN ('preparing', 'cancelled') OR sha256 != ''"


def upgrade():
    _files_may_be_cancelled()
    there = sa.inspect(op.get_bind())
    columns = {table: {column['name'] for column in there.get_columns(table)} for table in ('staff_session', 'seller_payment')}
    if 'previous' not in columns['staff_session']:
        with op.batch_alter_table('staff_session', schema=None) as batch_op:
            batch_op.add_column(sa.Column('previous', sa.String(length=64), nullable=False, server_default=sa.text("''")))
            batch_op.add_column(sa.Column('renewed_at', sa.DateTime(timezone=True), nullable=True))
            batch_op.create_index(batch_op.f('ix_staff_session_previous'), ['previous'], unique=False)
        with op.batch_alter_table('staff_session', schema=None) as batch_op:
            batch_op.alter_column('previous', server_default=None)
    if 'held_by' not in columns['seller_payment']:
        with op.batch_alter_table('seller_payment', schema=None) as batch_op:
            batch_op.add_column(sa.Column('held_by', sa.String(length=200), nullable=False, server_default=sa.text("''")))
            batch_op.add_column(sa.Column('iban_wait', sa.String(length=300), nullable=False, server_default=sa.text("''")))
        with op.batch_alter_table('seller_payment', schema=None) as batch_op:
            for column in ('held_by', 'iban_wait'):
                batch_op.alter_column(column, server_default=None)
        op.execute("UPDATE customer SET seen_at = CURRENT_TIMESTAMP WHERE erased_at IS NULL")


def _files_may_be_cancelled():
    """The first 0002 did not know cancelled files."""
    bind = op.get_bind()
    if bind.dialect.name == 'postgresql':
        op.drop_constraint('ck_transfer_batch_ready_has_a_file', 'transfer_batch')
        op.create_check_constraint(op.f('ck_transfer_batch_ready_has_a_file'), 'transfer_batch', NEW_CHECK)
        return
    # Changing a CHECK does not change what is stored: the text of the table is enough (sqlite.org/lang_altertable.html, section 7).
    version = bind.exec_driver_sql('PRAGMA schema_version').scalar()
    bind.exec_driver_sql('PRAGMA writable_schema = ON')
    bind.exec_driver_sql("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'transfer_batch'", (OLD_CHECK, NEW_CHECK))
    bind.exec_driver_sql(f'PRAGMA schema_version = {version + 1}')
    bind.exec_driver_sql('PRAGMA writable_schema = OFF')


def downgrade():
    pass  # what 0002 and 0003 say is what is there
