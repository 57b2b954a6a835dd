"""Machines that serve one installation: who may start beside whom."""

from dataclasses import replace
from datetime import timedelta

import pytest

from models import Pulse
from services import clock, sealing
from services.installation import machines
from services.installation.machines import Machine, OtherKeys, OtherMachine
from services.unit import db, is_sqlite, unit_of_work

FIRST = Machine("aaaa", "premiere", True, "secret1", ("key2", "key1"))
SECOND = replace(FIRST, id="bbbb", host="seconde")


@pytest.fixture(autouse=True)
def on_a_server(monkeypatch):
    """SQLite serves one machine, which always starts: the rule is looked at all the same."""
    monkeypatch.setattr(machines, "is_sqlite", lambda: False)


def starts(machine: Machine, after: timedelta = timedelta()) -> None:
    with clock.at(clock.now() + after):
        machines.join(machine)


def test_machines_with_one_store_and_the_same_keys_start_beside_each_other(app):
    starts(FIRST)
    starts(SECOND)
    starts(FIRST)
    assert [one.id for one in machines.running()] == ["aaaa", "bbbb"]


@pytest.mark.parametrize(
    ("different", "sentence"),
    [
        ({"shares_files": False}, "COMPTOIR_FILES_URL"),
        ({"secret": "other"}, "COMPTOIR_SECRET_KEY"),
        ({"seals": ("key3", "key2")}, "COMPTOIR_SEALING_KEYS"),
    ],
)
def test_a_second_machine_that_would_not_fit_is_refused_until_the_first_is_gone(
    app, different, sentence
):
    starts(FIRST)
    second = replace(SECOND, **different)
    with pytest.raises(OtherMachine, match=sentence):
        starts(second)
    assert [one.id for one in machines.running()] == ["aaaa"]
    starts(second, after=machines.LIVES + timedelta(seconds=1))


def test_a_key_being_changed_lets_the_machine_that_has_both_start(app):
    starts(replace(FIRST, seals=("key3", "key2", "key1")))
    starts(SECOND)


def test_this_machine_keeps_its_name_and_says_prints_never_keys(app, machine):
    one = machines.here()
    assert machines.here().id == one.id
    assert machine.secret_key not in repr(one)
    assert one.shares_files is False
    assert len(one.secret) == 12


def test_a_machine_that_is_gone_for_a_month_is_forgotten(app):
    starts(FIRST)
    with clock.at(clock.now() + timedelta(days=31)), unit_of_work():
        machines.forget_old()
    assert db.session.get(Pulse, "machine:aaaa") is None


def test_sqlite_serves_one_machine(app, monkeypatch):
    monkeypatch.undo()
    if is_sqlite():
        machines.join(FIRST)
        assert machines.running() == []


def test_a_machine_is_remembered_for_a_month(app):
    starts(FIRST)
    with clock.at(clock.now() + timedelta(days=29)), unit_of_work():
        machines.forget_old()
    assert db.session.get(Pulse, "machine:aaaa") is not None


def test_a_key_of_another_content_under_a_known_name_is_refused_at_start(app, monkeypatch):
    machines.know_keys()
    monkeypatch.setattr(sealing, "prints", lambda: {"k2": "abc"})
    machines.know_keys()
    monkeypatch.setattr(sealing, "prints", lambda: {"k3": "def", "k2": "abc"})
    machines.know_keys()
    monkeypatch.setattr(sealing, "prints", lambda: {"k2": "other"})
    with pytest.raises(OtherKeys, match="« k2 »"):
        machines.know_keys()
    monkeypatch.setattr(sealing, "prints", lambda: {"k3": "def"})
    machines.know_keys()


def test_a_command_with_another_key_under_a_known_name_does_nothing(app, monkeypatch, tmp_path):
    machines.know_keys()
    own = sealing.prints()
    monkeypatch.setattr(sealing, "prints", lambda: dict.fromkeys(own, "other"))
    done = app.test_cli_runner().invoke(args=["backup", "--to", str(tmp_path)])
    assert done.exit_code == 1
    assert "COMPTOIR_SEALING_KEYS" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_only_serves_people_goes_on_beating(app, monkeypatch):
    monkeypatch.setattr(machines, "_beaten_at", float("-inf"))
    monkeypatch.setattr(machines, "is_sqlite", lambda: False)
    threads = []

    def thread(target, args, **_how):
        threads.append(target)
        return _Here(target, args)

    monkeypatch.setattr(machines.threading, "Thread", thread)
    for _twice in range(2):
        machines.serves()
    assert len(threads) == 1, "once a minute"
    assert machines.here().id in [one.id for one in machines.running()]


class _Here:
    """A thread whose work is done at once."""

    def __init__(self, target, args) -> None:
        self.start = lambda: target(*args)
