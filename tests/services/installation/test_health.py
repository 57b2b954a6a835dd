"""What must keep happening is watched."""

from services.finance import books
from services.installation import health
from services.unit import db


def test_a_check_that_breaks_is_never_called_well(app, monkeypatch):
    import tasks

    def broken() -> list[str]:
        raise OSError("plus de disque")

    monkeypatch.setattr(books, "check", broken)
    tasks.check_everything()
    db.session.rollback()
    assert {c.name: c.state for c in health.checks()}["invariants"] != "ok"
