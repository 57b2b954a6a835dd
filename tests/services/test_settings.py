"""What a shop decides."""

import pytest
from sqlalchemy import select

from models import Setting
from services import settings
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests.factories import LEA


def test_a_setting_is_typed_dated_and_keeps_its_past(app):
    with unit_of_work():
        assert settings.change("drop_off_days", "12", by=LEA)
        assert not settings.change("drop_off_days", " 12 ", by=LEA)
    assert settings.value("drop_off_days") == 12
    assert settings.value("cart_days") == 7
    for wrong in ("abc", "0", "61", "-1", "1e3"):
        with pytest.raises(Refused), unit_of_work():
            settings.change("drop_off_days", wrong, by=LEA)
    assert [s.value for s in db.session.scalars(select(Setting))] == [12]
    assert settings.history()["drop_off_days"][0].by_name == "Léa Martin"
