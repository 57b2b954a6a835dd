"""Limits of attempts."""

from services import limits, trace

# ── settings, limits, forms ──


def test_without_its_counters_the_shop_stays_open(app, monkeypatch, tmp_path):
    import redis

    class Away(limits.SqliteStorage):
        def incr(self, *_args, **_more):
            raise redis.ConnectionError

        get = get_expiry = clear = incr

    monkeypatch.setattr(limits, "storage", Away(tmp_path / "limits.db"))
    assert limits.spend("x", 1, 60) is None
    assert limits.lock_left("a") == 0
    limits.wrong_password("a"), limits.right_password("a")


def test_a_limit_opens_again_when_its_time_is_over(app):
    assert [limits.spend("x", 2, 60) is None for _n in range(3)] == [True, True, False]
    limits.storage.reset()
    assert limits.spend("x", 2, 60) is None


def test_each_further_wrong_password_doubles_the_wait(app):
    waits = []
    for _n in range(7):
        limits.wrong_password("a")
        waits.append(limits.lock_left("a"))
    assert waits[:4] == [0, 0, 0, 0]
    assert 55 <= waits[4] <= 60
    assert 115 <= waits[5] <= 120
    assert 235 <= waits[6] <= 240


def test_two_processes_share_one_count(app, machine):
    """The limits of a web process and of another are the same ones."""
    import subprocess
    import sys
    from pathlib import Path

    from services import limits

    code = (
        "import sys, pathlib; from services import limits; limits.plug(sys.argv[1],"
        " pathlib.Path(sys.argv[2]));print([limits.spend('partagé:essai', 3, 86400) is None for"
        " _n in range(2)])"
    )
    for expected in ("[True, True]", "[True, False]"):
        done = subprocess.run(
            [sys.executable, "-c", code, machine.redis_url, str(machine.data_dir)],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == expected, done.stderr
    assert limits.spend("partagé:essai", 3, 86400) is not None


def test_one_network_of_ipv6_is_one_place(app):
    def place(address: str) -> str:
        trace.begin("", address)
        return limits.place()

    assert place("2001:db8:1:2::1") == place("2001:db8:1:2:ffff::9") != place("2001:db8:1:3::1")
    assert place("192.0.2.1") != place("192.0.2.2")


def test_a_lock_lasts_an_hour_at_most(app):
    for _n in range(15):
        limits.wrong_password("a")
    assert 3590 <= limits.lock_left("a") <= 3600
