"""It holds: second factor, sessions, audit log, days of the clock, health, retention.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-24 01:58:19.364463

"""
from alembic import op
import sqlalchemy as sa


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('csp_report',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('directive', sa.String(length=40), nullable=False),
    sa.Column('blocked', sa.String(length=200), nullable=False),
    sa.Column('page', sa.String(length=200), nullable=False),
    sa.Column('times', sa.Integer(), nullable=False),
    sa.Column('first_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_csp_report')),
    sa.UniqueConstraint('directive', 'blocked', 'page', name=op.f('uq_csp_report_directive_blocked_page'))
    )
    with op.batch_alter_table('csp_report', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_csp_report_last_at'), ['last_at'], unique=False)

    op.create_table('day_run',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('job', sa.String(length=40), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_day_run')),
    sa.UniqueConstraint('job', 'day', name=op.f('uq_day_run_job_day'))
    )
    op.create_table('outbox_hold',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('by_name', sa.String(length=200), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lifted_by', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox_hold'))
    )
    op.create_table('pulse',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('is_well', sa.Boolean(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_pulse'))
    )
    op.create_table('retention_run',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('by_name', sa.String(length=200), nullable=False),
    sa.Column('counts', sa.JSON(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_retention_run'))
    )
    with op.batch_alter_table('retention_run', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_retention_run_at'), ['at'], unique=False)

    op.create_table('audit_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('what', sa.String(length=40), nullable=False),
    sa.Column('subject', sa.String(length=200), nullable=False),
    sa.Column('vendor_id', sa.Integer(), nullable=True),
    sa.Column('actor_kind', sa.String(length=40), nullable=False),
    sa.Column('actor_id', sa.Integer(), nullable=True),
    sa.Column('actor_name', sa.String(length=200), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('address', sa.String(length=45), nullable=False),
    sa.Column('request_id', sa.String(length=32), nullable=False),
    sa.Column('previous_hash', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['vendor_id'], ['vendor.id'], name=op.f('fk_audit_entry_vendor_id_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry')),
    sa.UniqueConstraint('number', name=op.f('uq_audit_entry_number'))
    )
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audit_entry_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_entry_vendor_id'), ['vendor_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_entry_what'), ['what'], unique=False)

    op.create_table('recovery_code',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['ab_user.id'], name=op.f('fk_recovery_code_user_id_ab_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recovery_code'))
    )
    with op.batch_alter_table('recovery_code', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_recovery_code_user_id'), ['user_id'], unique=False)

    op.create_table('staff_session',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('previous', sa.String(length=64), nullable=False),
    sa.Column('renewed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('address', sa.String(length=45), nullable=False),
    sa.Column('agent', sa.String(length=200), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['ab_user.id'], name=op.f('fk_staff_session_user_id_ab_user'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_staff_session')),
    sa.UniqueConstraint('fingerprint', name=op.f('uq_staff_session_fingerprint'))
    )
    with op.batch_alter_table('staff_session', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_staff_session_ended_at'), ['ended_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_staff_session_previous'), ['previous'], unique=False)
        batch_op.create_index(batch_op.f('ix_staff_session_user_id'), ['user_id'], unique=False)

    with op.batch_alter_table('bank_details', schema=None) as batch_op:
        batch_op.add_column(sa.Column('held_until', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('customer', schema=None) as batch_op:
        batch_op.add_column(sa.Column('seen_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('leaving_told_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f('ix_customer_seen_at'), ['seen_at'], unique=False)

    with op.batch_alter_table('staff_account', schema=None) as batch_op:
        batch_op.add_column(sa.Column('totp_sealed', sa.Text(), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column('totp_step', sa.Integer(), nullable=False, server_default=sa.text("0")))
        batch_op.add_column(sa.Column('password_given_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('totp_since', sa.DateTime(timezone=True), nullable=True))
        batch_op.drop_column('session_epoch')  # sessions are rows now: every open one must sign in again

    with op.batch_alter_table('seller_payment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('held_by', sa.String(length=200), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column('iban_wait', sa.String(length=300), nullable=False, server_default=sa.text("''")))
    with op.batch_alter_table('seller_payment', schema=None) as batch_op:
        for column in ('held_by', 'iban_wait'):
            batch_op.alter_column(column, server_default=None)
    # Nobody wrote down who signed in when: the accounts there are count as used today.
    op.execute("UPDATE customer SET seen_at = CURRENT_TIMESTAMP WHERE erased_at IS NULL")

    with op.batch_alter_table('staff_account', schema=None) as batch_op:
        for column in ('totp_sealed', 'totp_step'):
            batch_op.alter_column(column, server_default=None)

    # Nothing rewrites these; a row may only go once the law no longer asks for it (the register ten years, the audit log one).
    if op.get_bind().dialect.name == 'sqlite':
        op.execute("DROP TRIGGER police_record_no_delete")
    else:
        op.execute("DROP TRIGGER police_record_only_added ON police_record")
    _kept('police_record', 'recorded_at', 3653, updates=op.get_bind().dialect.name != 'sqlite')
    _kept('audit_entry', 'at', 365)


def _kept(table, column, days, updates=True):
    """The database refuses to change a row, and to drop one that is younger."""
    said = f"{table} is append-only, kept {days} days"
    if op.get_bind().dialect.name == 'sqlite':
        if updates:
            op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{said}'); END")
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} WHEN OLD.{column} > datetime('now', '-{days} days') "
            f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' AND OLD.{column} <= now() - interval '{days} days' THEN RETURN OLD; END IF; "
        f"RAISE EXCEPTION '{said}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_kept()")
    op.execute(f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_kept()")


def downgrade():
    raise NotImplementedError('what was read and by whom is not thrown away: restore the backup made before the upgrade')
