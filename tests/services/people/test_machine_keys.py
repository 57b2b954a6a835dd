"""Keys of machines: what each opens, its secret, whose counts are believed."""

from datetime import timedelta

import pytest

from models import IdempotentRequest, MachineKey
from services import clock
from services.people import machine_keys
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, a_key


@pytest.mark.parametrize(
    ("name", "scopes"),
    [("  ", ["stock"]), ("Caisse", []), ("Caisse", ["stock", "all"]), ("Caisse", ["till"])],
)
def test_a_key_without_name_scope_or_store_for_its_till_is_refused(app, name, scopes):
    with pytest.raises(Refused):
        machine_keys.make(factories.the_vendor(), name, scopes, by=LEA)


def test_a_key_never_stands_in_the_store_of_another_vendor(app):
    _vendor, _site, strange = factories.another_vendor()
    with pytest.raises(Refused):
        machine_keys.make(factories.the_vendor(), "Caisse", ["till"], by=LEA, store=strange)


def test_a_secret_finds_its_own_key_and_nothing_else_does(app):
    key, secret = a_key()
    assert machine_keys.find(secret).id == key.id
    assert secret.startswith(key.start)
    for other in ("", secret[:-1], secret + "x", secret.upper(), "x" * 200, key.fingerprint):
        assert machine_keys.find(other) is None


def test_the_counts_of_one_till_at_a_time_are_believed_in_a_store(app):
    first, _secret = a_key(name="Caisse 1")
    second, _secret = a_key(name="Caisse 2")
    elsewhere, _secret = a_key(name="Caisse 3", store=factories.a_store())
    for key in (first, elsewhere, second):
        with unit_of_work() as session:
            machine_keys.believe_counts(session.get_one(MachineKey, key.id), by=LEA)
    believed = db.session.scalars(db.select(MachineKey.name).where(MachineKey.counts)).all()
    assert sorted(believed) == ["Caisse 2", "Caisse 3"]


def test_a_revoked_key_opens_nothing_counts_nothing_and_is_revoked_once(app):
    key, secret = a_key()
    with unit_of_work() as session:
        row = session.get_one(MachineKey, key.id)
        machine_keys.believe_counts(row, by=LEA)
        machine_keys.revoke(row, by=LEA)
    assert machine_keys.find(secret) is None
    row = db.session.get_one(MachineKey, key.id)
    assert not row.counts
    with pytest.raises(Refused):
        machine_keys.revoke(row, by=LEA)
    with pytest.raises(Refused):
        machine_keys.believe_counts(row, by=LEA)


def test_a_key_of_no_store_is_never_believed(app):
    key, _secret = a_key("stock")
    with pytest.raises(Refused):
        machine_keys.believe_counts(key, by=LEA)


def test_the_last_use_is_noted_every_ten_minutes(app):
    key, _secret = a_key()
    assert machine_keys.needs_note(key)
    key.used_at = clock.now() - timedelta(minutes=9)
    assert not machine_keys.needs_note(key)
    key.used_at = clock.now() - timedelta(minutes=11)
    assert machine_keys.needs_note(key)
    db.session.rollback()


def test_answers_to_repeated_requests_are_kept_two_days(app):
    key, _secret = a_key()
    with unit_of_work() as session:
        for name, age in (("young", 47), ("old", 49)):
            at = clock.now() - timedelta(hours=age)
            session.add(
                IdempotentRequest(
                    key_id=key.id, key=name, request_sha256="x", code=200, body="", at=at
                )
            )
    with unit_of_work():
        machine_keys.forget_old_requests()
    assert db.session.scalars(db.select(IdempotentRequest.key)).all() == ["young"]


def test_a_store_has_a_till_while_one_of_its_own_is_alive():
    store, other = factories.the_store(), factories.a_store()
    key, _secret = factories.a_key(store=store)
    assert not machine_keys.has_till(store.id)  # it never spoke
    with unit_of_work() as session:
        session.merge(key).used_at = clock.now()
    assert machine_keys.has_till(store.id)
    assert not machine_keys.has_till(other.id)
    with unit_of_work() as session:
        machine_keys.revoke(session.merge(key), by=factories.LEA)
    assert not machine_keys.has_till(store.id)
