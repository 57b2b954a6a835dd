"""Keys are changed without losing what they sealed."""

from services import sealing
from services.installation import keys
from tests import factories
from tests.factories import LEA

# ── keys and secrets ──


def test_what_an_older_key_sealed_is_sealed_again_and_says_what_must_stay(app, machine):
    factories.a_register()
    factories.a_received_offer()
    factories.a_payment()
    ring = (machine.data_dir / "sealing_key").read_text()
    try:
        sealing.plug("neuve:" + "C" * 43 + "=," + ring)
        said = app.test_cli_runner().invoke(args=["rotate-keys"])
        assert said.exit_code == 0
        assert "doit rester" in said.output
        assert "dix ans" in said.output
        assert keys.left() == 0
        assert keys.unreadable() == []
        again = app.test_cli_runner().invoke(args=["rotate-keys"])
        assert "0 textes" in again.output
        sealing.plug("neuve:" + "C" * 43 + "=")
        assert any("police_record" in place for place in keys.unreadable())
    finally:
        sealing.plug(ring)


# ── keys, sessions, places ──


def test_a_change_of_key_goes_on_to_the_last_row(app, machine, monkeypatch):
    monkeypatch.setattr(keys, "AT_ONCE", 2)
    for n in range(5):
        factories.an_iban(factories.a_customer(email=f"v{n}@exemple.fr"), factories.IBANS[n % 2])
    ring = (machine.data_dir / "sealing_key").read_text()
    try:
        sealing.plug("neuve:" + "C" * 43 + "=," + ring)
        report = keys.rotate(by=LEA)
        assert report.sealed >= 5
        assert keys.left() == 0
        assert report.unreadable == []
    finally:
        sealing.plug(ring)
