"""Mails and SMS are rows first."""

import pytest
from sqlalchemy import func, select

from gateways import live
from models import Customer, Message, MessageState, Outbox, OutboxState
from services import messages, outbox
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import MARC

# ── outbox and messages ──


def a_letter() -> Message:
    customer = factories.a_customer(email="camille@exemple.fr")
    with unit_of_work():
        message = messages.tell(customer, "password_changed", site=factories.the_site())
        id = message.id
    return db.session.get(Message, id)


def test_a_message_is_a_row_first_and_leaves_after(app, mail):
    message = a_letter()
    assert message.state is MessageState.waiting
    assert mail.letters == []
    assert outbox.work() == 1
    db.session.expire_all()
    assert message.state is MessageState.sent
    assert message.sent_at
    assert len(mail.sent_to("camille@exemple.fr")) == 1
    assert outbox.work() == 0


def test_a_message_refused_with_its_unit_never_leaves(app, mail):
    with pytest.raises(ZeroDivisionError), unit_of_work():
        messages.tell(
            Customer(email="x@y.fr", first_name="X"),
            "password_changed",
            site=factories.the_site(),
        )
        raise ZeroDivisionError
    assert outbox.work() == 0
    assert mail.letters == []


def test_an_address_refused_for_good_is_shown_as_failed_and_can_be_sent_again(app, mail):
    message = a_letter()
    mail.refuses()
    outbox.work()
    db.session.expire_all()
    assert message.state is MessageState.failed
    assert "550" in message.error
    mail.works_again()
    with unit_of_work():
        messages.resend(message, by=MARC)
    outbox.work()
    db.session.expire_all()
    assert message.state is MessageState.sent
    assert message.sends == 2


def test_a_message_on_its_way_is_not_sent_again(app):
    message = a_letter()
    with pytest.raises(Refused, match="tout seul"), unit_of_work():
        messages.resend(message, by=MARC)


def test_a_message_with_a_hole_is_never_written(app):
    customer = factories.a_customer()
    with pytest.raises(ValueError, match=r"has no attribute|is undefined"), unit_of_work():
        messages.tell(customer, "offer_received", site=factories.the_site())
    assert db.session.scalar(select(func.count(Message.id))) == 0


@pytest.mark.parametrize("name", ["None", "{{ name }}", "%(x)s", "{% if %}", "Undefined"])
def test_odd_names_and_titles_are_words_like_others(app, name):
    customer = factories.a_customer(first_name=name)
    with unit_of_work():
        assert name in messages.tell(customer, "password_changed", site=factories.the_site()).body
    assert factories.an_offer(factories.a_game(f"Second to {name}", argus_cents=9000)).number


def test_a_value_that_is_nothing_never_leaves_as_a_word(app):
    offer = factories.an_offer()
    with pytest.raises(ValueError, match="hole"), unit_of_work():
        messages.tell(
            offer.customer,
            "offer_received",
            site=offer.site,
            offer=offer,
            total=1,
            out_of_reach=False,
            lines=[],
            taken_out=[],
            link=None,
        )


def test_what_a_seller_writes_never_becomes_html(app):
    customer = factories.a_customer(first_name="<b>Zoé</b>")
    with unit_of_work():
        message = messages.tell(customer, "password_changed", site=factories.the_site())
    assert "<b>Zoé" not in message.html
    assert "&lt;b&gt;Zoé" in message.html
    assert "<b>Zoé</b>" in message.body


def test_sms_go_to_mobiles_only(app, sms):
    assert messages.is_mobile("06 12 34 56 78")
    assert messages.is_mobile("+262692123456")
    assert not messages.is_mobile("02 40 12 34 56")
    assert not messages.is_mobile("bonjour")


def test_without_a_mail_server_messages_wait(app):
    live.mail = None
    message = a_letter()
    outbox.work()
    db.session.expire_all()
    assert message.state is MessageState.waiting


def test_a_letter_that_never_leaves_keeps_no_personal_link_behind(app, mail):
    factories.a_customer_with_password()
    mail.refuses()
    outbox.work()
    db.session.expire_all()
    row = db.session.scalars(select(Outbox)).one()
    assert row.state is OutboxState.dead
    assert list(row.payload) == ["message"]


def test_a_sending_that_ends_after_another_is_over_and_does_not_start_again(app, mail):
    message_id = a_letter().id
    outbox.work()
    with unit_of_work():
        outbox.add("message", "message:again", message=message_id)
    outbox.work()
    states = db.session.scalars(db.select(Outbox.state)).all()
    assert {state.value for state in states} == {"done"}
