"""A form counts once."""

from datetime import timedelta

from services import clock, once
from services.unit import unit_of_work


def test_a_form_sent_twice_is_led_to_the_same_page(app):
    with unit_of_work():
        once.done("jeton", "/merci/CDE000000001")
    assert once.seen("jeton") == "/merci/CDE000000001"
    assert once.seen("autre") is None
    assert once.seen("") is None
    with clock.at(clock.now() + timedelta(days=3)), unit_of_work():
        once.forget_old()
    assert once.seen("jeton") is None
