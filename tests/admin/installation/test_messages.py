"""Messages in the back office."""

import pytest
from sqlalchemy import select

from models import Message
from services import outbox
from services.unit import db
from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_a_mail_is_read_opened_and_sent_again(boss, mail):
    factories.an_offer()
    outbox.work()
    id = db.session.scalar(select(Message.id).where(Message.event == "offer_received"))
    assert "Votre proposition" in boss.get(f"/gestion/messages/show/{id}").text
    opened = boss.get(f"/gestion/messages/ouvrir/{id}")
    assert "<h1" in opened.text
    assert "sandbox" in opened.headers["Content-Security-Policy"]
    before = len(mail.letters)
    boss.post(f"/gestion/messages/action/resend/{id}")
    outbox.work()
    assert len(mail.letters) == before + 1
