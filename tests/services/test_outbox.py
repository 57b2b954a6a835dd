"""What is told to the outside: retried, leased, told once."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from gateways import GatewayError, live
from models import (
    Customer,
    Message,
    MessageState,
    Outbox,
    OutboxState,
    Vendor,
    WebhookDelivery,
)
from services import clock, messages, outbox, webhooks
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories

# ── outbox and messages ──


def a_letter(email: str = "camille@exemple.fr") -> Message:
    customer = factories.a_customer(email=email)
    with unit_of_work():
        message = messages.tell(customer, "password_changed", site=factories.the_site())
        id = message.id
    return db.session.get(Message, id)


def test_a_server_that_is_down_is_tried_again_later(app, mail):
    message = a_letter()
    mail.is_down()
    outbox.work()
    assert outbox.work() == 0
    row = db.session.scalars(select(Outbox)).one()
    db.session.refresh(row)
    assert row.state is OutboxState.todo
    assert row.attempts == 1
    assert "refused" in row.last_error
    mail.works_again()
    with clock.at(clock.now() + timedelta(minutes=1)):
        assert outbox.work() == 1
    db.session.expire_all()
    assert message.state is MessageState.sent


def test_a_worker_killed_in_the_middle_leaves_the_row_to_another_after_its_lease(app, mail):
    a_letter()
    id = outbox.due()[0]
    assert outbox._claim(id, "dead worker")
    assert outbox.work() == 0
    with clock.at(clock.now() + outbox.LEASE + timedelta(seconds=1)):
        assert outbox.work() == 1
    assert len(mail.letters) == 1


def test_a_worker_whose_lease_ran_out_does_not_mark_what_another_has(app):
    a_letter()
    id = outbox.due()[0]
    kind, _key, _who, payload, _n, _since, _was_running = outbox._claim(id, "slow")
    with clock.at(clock.now() + timedelta(minutes=5)):
        assert outbox._claim(id, "fast")
        outbox._finish(id, "slow", outbox.KINDS[kind], payload, "late answer", None, False, 1)
    db.session.expire_all()
    assert db.session.get(Outbox, id).state is OutboxState.running


def test_two_workers_send_a_message_once(app, mail):
    a_letter()
    db.session.remove()
    ids = outbox.due()

    def go():
        with app.app_context():
            outbox.work_one(ids[0])

    threads = [threading.Thread(target=go) for _n in range(6)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert len(mail.letters) == 1


def test_a_bug_in_one_row_does_not_stop_the_others(app, mail, monkeypatch):
    first, second = a_letter().id, None
    with unit_of_work():
        second = messages.tell(
            Customer(id=None, email="b@exemple.fr", first_name="B"),
            "password_changed",
            site=factories.the_site(),
        ).id
    real = live.mail.send
    monkeypatch.setattr(
        live.mail, "send", lambda letter: real(letter) if letter.to == "b@exemple.fr" else 1 / 0
    )
    assert outbox.work() == 2
    db.session.expire_all()
    assert db.session.get(Message, second).state is MessageState.sent
    assert db.session.get(Message, first).state is MessageState.waiting
    assert GatewayError


def test_a_bug_of_ours_soon_becomes_a_failure_that_a_person_sees(app, mail, monkeypatch):
    message = a_letter()
    monkeypatch.setattr(live.mail, "send", lambda letter: 1 / 0)
    at = clock.now()
    for n in range(outbox.TRIES_OF_A_BUG):
        with clock.at(at + timedelta(hours=2 * n)):
            assert outbox.work() == 1
    db.session.expire_all()
    assert message.state is MessageState.failed
    assert message.error == "internal error"
    assert outbox.waiting() == 0


# ── one partner never holds up another ──


def tried() -> list[tuple[str, int]]:
    """Kind and number of tries of each row, in their order."""
    db.session.expire_all()
    return [
        (row.kind, row.attempts) for row in db.session.scalars(select(Outbox).order_by(Outbox.id))
    ]


def an_address(url: str, vendor: Vendor | None = None) -> None:
    with unit_of_work():
        webhooks.open_for(
            vendor or factories.the_vendor(),
            url,
            ["stock.changed", "buyback.paid"],
            by=factories.MARC,
        )


def told_of(*, sale: int) -> None:
    with unit_of_work():
        webhooks.tell(factories.the_vendor().id, "buyback.paid", {"number": sale, "reference": "x"})


def test_a_partner_that_fails_three_times_is_left_alone_for_a_minute(app, mail):
    for n in range(6):
        a_letter(f"v{n}@exemple.fr")
    mail.is_down()
    assert outbox.work() == outbox.FAILURES
    assert outbox.work() == 0
    assert [tries for _kind, tries in tried()] == [1, 1, 1, 0, 0, 0]
    mail.works_again()
    with clock.at(clock.now() + timedelta(seconds=outbox.REST_SECONDS + 1)):
        assert outbox.work() == 6
    assert len(mail.letters) == 6


def test_one_try_after_the_minute_decides_whether_the_partner_is_back(app, mail):
    for n in range(6):
        a_letter(f"v{n}@exemple.fr")
    mail.is_down()
    outbox.work()
    with clock.at(clock.now() + timedelta(seconds=outbox.REST_SECONDS + 1)):
        assert outbox.work() == 1  # the first call failed again: the others wait


def test_the_first_of_each_kind_leaves_before_the_second_of_any(app, mail):
    an_address("https://caisse.exemple.fr/a")
    for n in range(5):
        a_letter(f"v{n}@exemple.fr")
    told_of(sale=1)
    kinds = {row.id: row.kind for row in db.session.scalars(select(Outbox))}
    assert [kinds[id] for id in outbox.due()][:2] == ["message", "webhook"]


def test_an_address_that_is_down_costs_its_owner_alone(app):
    for url in ("https://lent.exemple.fr/a", "https://vif.exemple.fr/b"):
        an_address(url)
    live.webhooks.is_down("https://lent.exemple.fr/a")
    for sale in range(5):
        told_of(sale=sale)
    outbox.work()
    assert [url for url, _headers, _body in live.webhooks.told].count(
        "https://vif.exemple.fr/b"
    ) == 5
    assert sorted(tries for _kind, tries in tried()) == [0, 0] + [1] * 8


def test_a_hundred_events_for_a_dead_address_keep_no_other_vendor_waiting(app):
    an_address("https://morte.exemple.fr/a")
    live.webhooks.is_down("https://morte.exemple.fr/a")
    for sale in range(150):
        told_of(sale=sale)
    other, _site, _store = factories.another_vendor()
    an_address("https://vive.exemple.fr/b", other)
    outbox.work(kind="webhook")
    with unit_of_work():
        webhooks.tell(other.id, "buyback.paid", {"number": 1, "reference": "x"})
    outbox.work(kind="webhook")
    assert [url for url, *_rest in live.webhooks.told] == ["https://vive.exemple.fr/b"]


def test_what_waits_for_a_partner_that_is_left_alone_is_not_looked_at(app):
    an_address("https://morte.exemple.fr/a")
    live.webhooks.is_down("https://morte.exemple.fr/a")
    for sale in range(5):
        told_of(sale=sale)
    outbox.work()
    assert outbox.due() == []
    with clock.at(clock.now() + timedelta(seconds=outbox.REST_SECONDS + 1)):
        assert len(outbox.due()) == 5


def test_the_first_of_each_vendor_leaves_before_the_second_of_any(app):
    an_address("https://lente.exemple.fr/a")
    for sale in range(5):
        told_of(sale=sale)
    other, _site, _store = factories.another_vendor()
    an_address("https://vive.exemple.fr/b", other)
    with unit_of_work():
        webhooks.tell(other.id, "buyback.paid", {"number": 1, "reference": "x"})
    whose = dict(db.session.execute(select(Outbox.id, Outbox.partner)).all())
    first_two = [whose[id].partition("/")[0] for id in outbox.due()[:2]]
    assert set(first_two) == {str(other.id), str(factories.the_vendor().id)}


def test_a_slow_answer_counts_as_a_failure_of_an_address(app, monkeypatch):
    an_address("https://lente.exemple.fr/a")
    for sale in range(5):
        told_of(sale=sale)
    monkeypatch.setattr(outbox, "SLOW_SECONDS", -1.0)
    assert outbox.work() == outbox.FAILURES


def test_of_one_vendor_s_addresses_one_is_called_at_a_time(app):
    with outbox.breaker.alone(("webhook", "3/12")) as is_free:
        assert is_free
        with outbox.breaker.alone(("webhook", "3/13")) as another_of_theirs:
            assert not another_of_theirs
        with outbox.breaker.alone(("webhook", "4/1")) as of_another_vendor:
            assert of_another_vendor
    with outbox.breaker.alone(("webhook", "3/13")) as is_free_again:
        assert is_free_again


def test_what_was_given_up_long_ago_keeps_no_new_event_from_leaving(app):
    """SQLite gives the number of a deleted row again; the task that was given up stays."""
    an_address("https://morte.exemple.fr/a")
    told_of(sale=1)
    with unit_of_work() as session:
        session.execute(update(Outbox).values(state=OutboxState.dead))
        session.execute(delete(WebhookDelivery))
    told_of(sale=2)
    outbox.work()
    assert len(live.webhooks.told) == 1


def test_a_letter_refused_for_good_says_nothing_of_the_partner(app, mail):
    for n in range(5):
        a_letter(f"v{n}@exemple.fr")
    mail.refuses()
    assert outbox.work() == 5


def test_what_a_worker_has_taken_is_not_taken_back(app, mail):
    """Asked under the lock, whatever the caller looked at before."""
    began = clock.now()
    customer = factories.a_customer()
    with unit_of_work(), outbox.undoable("sale 1", 10):
        messages.tell(customer, "password_changed", site=factories.the_site())
    (id,) = db.session.scalars(select(Outbox.id))
    with clock.at(clock.now() + timedelta(seconds=11)):
        assert outbox._claim(id, "a worker")
    with pytest.raises(Refused, match="trop tard"), unit_of_work():
        outbox.take_back("sale 1", began)
    assert db.session.scalar(select(Message.state)) is MessageState.waiting
