"""A Redis that hangs costs its time out once, not at every call."""

import contextlib
import socket
import threading

import pytest
import redis

from services import limits, redis_pool, visits


@pytest.fixture
def hanging():
    """A server that takes connections and never answers; how many it has met."""
    met = []
    server = socket.create_server(("127.0.0.1", 0))

    def accept():
        with contextlib.suppress(OSError):
            while True:
                met.append(server.accept())

    threading.Thread(target=accept, daemon=True).start()
    yield f"redis://127.0.0.1:{server.getsockname()[1]}/0", met
    server.close()
    for connection, _address in met:
        connection.close()
    redis_pool.forget()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(redis_pool, "TIMEOUT_SECONDS", 0.1)


def client(url):
    return redis.Redis(connection_pool=redis_pool.pool(url))


def test_a_server_that_did_not_answer_is_left_alone(hanging):
    url, met = hanging
    with pytest.raises(redis.TimeoutError):
        client(url).get("x")
    asked = len(met)
    for _n in range(3):
        with pytest.raises(redis.ConnectionError, match="a moment ago"):
            client(url).get("x")
    assert len(met) == asked, "nothing was asked of it again"


def test_it_is_asked_again_when_its_rest_is_over(hanging, monkeypatch):
    monkeypatch.setattr(redis_pool, "REST_SECONDS", 0.0)
    url, met = hanging
    for _n in range(2):
        with pytest.raises(redis.TimeoutError):
            client(url).get("x")
    assert len(met) == 2


def test_one_server_resting_keeps_no_other_from_being_asked(hanging):
    url, met = hanging
    other = url.removesuffix("/0") + "/1"
    for one in (url, other):
        with pytest.raises(redis.TimeoutError):
            client(one).get("x")
    assert len(met) == 2


def test_what_is_limited_and_counted_goes_on_without_it(hanging, app, monkeypatch):
    url, met = hanging
    spool = visits.RedisSpool(url)
    storage = limits.RedisStorage(url, redis_pool.pool(url))
    monkeypatch.setattr(limits, "storage", storage)
    assert limits.spend("quote:1", 1, 60) is None
    assert limits.spend("quote:1", 1, 60) is None
    spool.add("visits-2026-11-30", "x")
    assert spool.once("salt", lambda: b"made") == b"away"
    assert not limits.answers()
    assert len(met) == 1
