"""What must keep happening is watched."""

import shutil
import threading
from types import SimpleNamespace
from typing import NamedTuple

from sqlalchemy import event

from services.finance import books
from services.installation import health
from services.unit import db, is_sqlite


def test_a_check_that_breaks_is_never_called_well(app, monkeypatch):
    import tasks

    def broken() -> list[str]:
        raise OSError("plus de disque")

    monkeypatch.setattr(books, "check", broken)
    tasks.check_everything()
    db.session.rollback()
    assert {c.name: c.state for c in health.checks()}["invariants"] != "ok"


class Usage(NamedTuple):
    total: int = 10**12
    used: int = 10**12
    free: int = 4_096


def test_a_machine_without_room_says_that_it_is_not_well(app, client, monkeypatch):
    assert client.get("/api/v1/health").status_code == 200
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage())
    assert client.get("/api/v1/health").status_code == 503


def test_a_database_that_cannot_keep_anything_is_not_well(app, client):
    assert client.get("/api/v1/health").status_code == 200
    say = "PRAGMA query_only = ON" if is_sqlite() else "SET default_transaction_read_only = on"

    def read_only(connection, _record):
        cursor = connection.cursor()
        cursor.execute(say)
        cursor.close()
        if not is_sqlite():
            connection.commit()

    db.session.remove()
    db.engine.dispose()
    event.listen(db.engine, "connect", read_only)
    try:
        assert client.get("/api/v1/health").status_code == 503
        answer = client.post("/panier/ajouter", data={"ean": "5060327534393"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
        assert "ne peut rien garder" in answer.text
    finally:
        event.remove(db.engine, "connect", read_only)
        db.engine.dispose()


def test_a_database_that_says_nothing_does_not_hold_the_answer(app, client, monkeypatch):
    over, answered = threading.Event(), []

    def silent():
        over.wait(20)
        answered.append(True)
        return iter([SimpleNamespace(state=health.BAD)])

    monkeypatch.setattr(health, "_writes", silent)
    monkeypatch.setattr(health, "LOOK_SECONDS", 0.1)
    try:
        assert client.get("/api/v1/health").status_code == 503
        assert answered == []
    finally:
        over.set()
