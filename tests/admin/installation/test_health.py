"""« Santé »."""

from datetime import timedelta

import pytest

import tasks
from services import clock, days, limits
from services.installation import health
from services.unit import db, unit_of_work
from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def found() -> dict[str, health.Check]:
    db.session.rollback()
    return {check.name: check for check in health.checks()}


def test_the_health_page_says_what_is_missing_and_what_to_do(app, boss):
    page = boss.get("/gestion/sante/").text
    assert "n’a jamais été vu" in page
    assert "make worker" in page
    assert found()["worker"].state == "bad"
    assert found()["database"].state == "ok"
    with unit_of_work():
        days.beat("worker", queue=3)
        days.beat("backup", file="x", bytes=12_000_000, files=2)
        days.beat("invariants", found=0, sentences=[])
    state = found()
    assert {state[name].state for name in ("worker", "queue", "backup", "invariants")} == {"ok"}
    assert state["queue"].figure == 3
    with clock.at(clock.now() + timedelta(minutes=5)):
        assert found()["worker"].state == "bad"
    with clock.at(clock.now() + timedelta(hours=40)):
        assert found()["backup"].state == "warn"
    factories.an_offer()
    with clock.at(clock.now() + timedelta(minutes=30)):
        assert found()["outbox"].state == "warn"
    with clock.at(clock.now() + timedelta(hours=3)):
        assert found()["outbox"].state == "bad"


def test_health_for_a_load_balancer_is_a_word_and_no_secret(client):
    page = client.get("/api/v1/health")
    assert (page.status_code, page.json) == (
        200,
        {"status": "ok"},
    )
    assert "Set-Cookie" not in page.headers


def test_a_database_of_another_version_is_not_worked_on(app, client, monkeypatch):
    import app as program

    monkeypatch.setattr(program, "_right_version_until", 0.0)
    monkeypatch.setattr(health, "_program", "9999")
    page = client.get("/")
    assert page.status_code == 503
    assert "mise à jour" in page.text
    assert page.headers["Retry-After"] == "60"
    monkeypatch.setattr(tasks, "_app", tasks._app.__wrapped__)
    with pytest.raises(SystemExit):
        if not health.is_another_version():
            raise AssertionError
        raise SystemExit


def test_the_nights_check_tells_what_does_not_agree(app, monkeypatch, boss):
    monkeypatch.setattr(tasks, "_app", lambda: app)
    tasks.check_everything.call_local()
    assert found()["invariants"].state == "ok"
    offer = factories.an_offer()
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE offer SET total_cents = total_cents + 1 WHERE id = {offer.id}"
        )
    tasks.check_everything.call_local()
    assert found()["invariants"].state == "bad"
    assert "n’est pas la somme" in boss.get("/gestion/sante/").text


def test_limits_tell_when_they_cannot_be_counted(app, monkeypatch):
    import redis

    class Away:
        def get(self, key):
            raise redis.RedisError

    monkeypatch.setattr(limits, "storage", Away())
    assert found()["limits"].state == "warn"
