"""A unit of work keeps everything or nothing."""

import pytest

from models import Counter
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
