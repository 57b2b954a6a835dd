"""The log of accesses."""

import pytest
from sqlalchemy import select

from models import (
    AuditEntry,
)
from services import audit
from services.unit import db
from tests import factories
from tests.factories import LEA


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_the_audit_log_shows_who_looked_and_a_changed_entry_is_found(app, boss):
    payment = factories.a_payment()
    boss.get(f"/gestion/paiements/{payment.id}/iban")
    page = boss.get("/gestion/journal-des-acces/list/").text
    assert "IBAN lu" in page
    assert "Connecté" in page
    assert boss.get("/gestion/journal-des-acces/export/csv").status_code == 200
    assert (
        "aucune ne manque"
        in boss.get("/gestion/journal-des-acces/verifier", follow_redirects=True).text
    )
    count = audit.verify().count
    from services.unit import is_sqlite

    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER audit_entry_no_update"
            if is_sqlite()
            else "SET LOCAL session_replication_role = replica"
        )
        connection.exec_driver_sql(
            "UPDATE audit_entry SET actor_name = 'Personne' WHERE number = 2"
        )
    db.session.rollback()
    assert audit.verify().broken == 2
    assert count >= 3
    assert "Journal des accès" in " ".join(
        __import__("services.finance.books", fromlist=["check"]).check()
    )


def test_an_entry_taken_out_of_the_log_is_missed(app, boss):
    from services.unit import is_sqlite

    boss.get("/gestion/")
    for _n in range(3):
        audit.note_now("iban_read", by=LEA)
    last = audit.verify().count
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER audit_entry_no_delete"
            if is_sqlite()
            else "SET LOCAL session_replication_role = replica"
        )
        connection.exec_driver_sql(f"DELETE FROM audit_entry WHERE number = {last - 1}")
    db.session.rollback()
    assert audit.verify().broken == last - 1
    with db.engine.begin() as connection:
        if not is_sqlite():
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(f"DELETE FROM audit_entry WHERE number >= {last - 1}")
    db.session.rollback()
    assert audit.verify().broken == last - 1  # the end cut off is missed too


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET what = 'x'", "DELETE FROM audit_entry"]
)
def test_the_database_itself_refuses_to_change_the_log(app, statement):
    from sqlalchemy.exc import DBAPIError

    audit.note_now("iban_read", by=LEA)
    with pytest.raises(DBAPIError), db.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert audit.verify().broken is None


def test_signing_in_wrong_is_written_without_the_address_whole(app, client):
    client.post(
        "/gestion/login/", data={"username": "camille.secrete@exemple.fr", "password": "faux"}
    )
    entry = db.session.scalars(select(AuditEntry)).one()
    assert (entry.what, entry.actor_name) == ("sign_in_refused", "c•••@exemple.fr")
