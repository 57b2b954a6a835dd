"""The real adapters against real servers on loopback; the same contract holds for the fakes."""

import socket
from dataclasses import replace

import pytest

from gateways import GatewayError, Letter
from gateways.fakes import FakeMail, FakeSms
from gateways.mail import SmtpMail
from gateways.sms import HttpSms
from simulators.inbox import serve

LETTER = Letter(
    "ref-1",
    "Chez Manette – l’atelier",
    "ne-pas-repondre@exemple.fr",
    "boutique@exemple.fr",
    "camille@exemple.fr",
    "Votre vente é €",
    "Bonjour é €\n" + "x" * 2000,
    "<p>Bonjour é €</p>",
)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def world():
    smtp, http = free_port(), free_port()
    inbox, mail, web = serve(smtp, http)
    yield inbox, f"smtp://127.0.0.1:{smtp}", f"http://127.0.0.1:{http}/sms"
    mail.stop()
    web.shutdown()


@pytest.fixture(autouse=True)
def no_fault(world):
    world[0].faults.clear()


def test_a_letter_arrives_whole(world):
    inbox, smtp, _http = world
    reference = SmtpMail(smtp).send(LETTER)
    got = inbox.mails[-1]
    assert reference == "<ref-1@exemple.fr>" == got["id"]
    assert got["to"] == "camille@exemple.fr"
    assert got["subject"] == "Votre vente é €"
    assert "Bonjour é €" in got["text"]
    assert "<p>Bonjour é €</p>" in got["html"]
    assert "Chez Manette" in got["from"]


def test_an_address_refused_is_permanent_and_a_busy_server_is_not(world):
    inbox, smtp, _http = world
    inbox.faults["mail"] = "refuse"
    with pytest.raises(GatewayError) as refused:
        SmtpMail(smtp).send(LETTER)
    inbox.faults["mail"] = "busy"
    with pytest.raises(GatewayError) as busy:
        SmtpMail(smtp).send(LETTER)
    assert refused.value.permanent
    assert not busy.value.permanent


def test_a_server_that_is_down_is_tried_again():
    with pytest.raises(GatewayError) as down:
        SmtpMail(f"smtp://127.0.0.1:{free_port()}").send(LETTER)
    assert not down.value.permanent


@pytest.mark.parametrize("subject", ["Bonjour\nBcc: tous@exemple.fr", "a\r\nb"])
def test_a_header_is_never_broken(world, subject):
    before = len(world[0].mails)
    with pytest.raises(GatewayError) as refused:
        SmtpMail(world[1]).send(replace(LETTER, subject=subject))
    assert refused.value.permanent
    assert len(world[0].mails) == before


def test_a_text_arrives_and_a_repeat_is_recognised(world):
    inbox, _smtp, http = world
    for _twice in range(2):
        assert HttpSms(http).send("Manette", "+33612345678", "Votre colis", "ref-7")
    assert [t["text"] for t in inbox.texts if t["reference"] == "ref-7"] == ["Votre colis"]


def test_sms_faults_are_sorted(world):
    inbox, _smtp, http = world
    for fault, permanent in (("down", False), ("refuse", True)):
        inbox.faults["sms"] = fault
        with pytest.raises(GatewayError) as failure:
            HttpSms(http).send("Manette", "+33612345678", "x", "r")
        assert failure.value.permanent is permanent
    with pytest.raises(GatewayError) as off:
        HttpSms(f"http://127.0.0.1:{free_port()}/").send("Manette", "+336", "x", "r")
    assert not off.value.permanent


def test_the_fakes_keep_the_same_contract():
    mail, sms = FakeMail(), FakeSms()
    assert mail.send(LETTER).startswith("<ref-1@")
    assert mail.sent_to("camille@exemple.fr") == [LETTER]
    mail.refuses()
    with pytest.raises(GatewayError) as refused:
        mail.send(LETTER)
    mail.is_down()
    with pytest.raises(GatewayError) as down:
        mail.send(LETTER)
    assert refused.value.permanent
    assert not down.value.permanent
    assert sms.send("M", "+336", "texte", "r")
    assert sms.sent_to("+336") == ["texte"]
