"""The log of accesses."""

from datetime import timedelta

from sqlalchemy import delete

from models import (
    AuditEntry,
)
from services import audit, clock
from services.unit import db
from tests.factories import LEA


def test_the_beginning_of_the_audit_log_cannot_be_cut_off(app):
    with clock.at(
        clock.now() - timedelta(days=500)
    ):  # old enough for the database to let go of them
        for _n in range(4):
            audit.note_now("iban_read", by=LEA)
    assert audit.verify().broken is None
    db.session.rollback()
    with db.engine.begin() as connection:  # somebody at the database itself
        connection.execute(delete(AuditEntry).where(AuditEntry.number <= 2))
    assert audit.verify().broken == 1
