"""A unit of work keeps everything or nothing."""

import sqlite3

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from models import Counter
from services import unit
from services.unit import db, unit_of_work

# ── units ──


def test_a_unit_keeps_everything_or_nothing(app):
    with pytest.raises(ZeroDivisionError), unit_of_work() as session:
        session.add(Counter(name="x", value=1))
        session.flush()
        raise ZeroDivisionError
    assert db.session.get(Counter, "x") is None


def test_a_unit_does_not_open_another(app):
    with pytest.raises(RuntimeError), unit_of_work(), unit_of_work():
        pass


# ── a machine that cannot work ──


def test_a_database_that_does_not_answer_is_away():
    with pytest.raises(OperationalError) as raised:
        create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none").connect()
    assert unit.is_away(raised.value)


def test_a_database_that_may_not_write_is_away_and_a_wrong_statement_is_not(tmp_path):
    path = tmp_path / "a.db"
    sqlite3.connect(path).execute("CREATE TABLE t (x)")
    engine = create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    with engine.connect() as connection:
        with pytest.raises(OperationalError) as raised:
            connection.execute(text("INSERT INTO t VALUES (1)"))
        assert unit.is_away(raised.value)
        with pytest.raises(OperationalError) as raised:
            connection.execute(text("SELECT nothing FROM nowhere"))
        assert not unit.is_away(raised.value)
