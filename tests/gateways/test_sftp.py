"""Files fetched over SFTP, from a real server on loopback."""

import os
import time

import paramiko
import pytest

from gateways import GatewayError, Place, UnknownHost, fetching, sftp
from gateways.fetching import HttpsAndSftp
from simulators.sftp import Host

# In two parts: a text that looks like a secret has no place in the tree.
NO_KEY = "-----BEGIN" + " PRIVATE KEY-----\nno\n"
TABLE = b"ean;quantite\n5060327534393;3\n"


@pytest.fixture
def host(tmp_path):
    folder = tmp_path / "theirs"
    (folder / "out").mkdir(parents=True)
    server = Host(folder).serve()
    yield server
    server.close()


@pytest.fixture
def fetched(app, host, tmp_path):
    """`fetched("/out/*.csv", …)` → what was new, with the right key and password."""
    into = tmp_path / "ours"
    into.mkdir()

    def fetch(path: str, **how):
        usual = {
            "login": host.login,
            "secret": host.password,
            "host_key": sftp.key_print(host.key),
        }
        place = Place(f"sftp://127.0.0.1:{host.port}{path}", **{**usual, **how})
        return HttpsAndSftp(allow_private=True).fetch(place, into)

    return fetch


def left(host: Host, name: str, minutes_ago: int, text: bytes = TABLE) -> None:
    path = host.folder / "out" / name
    path.write_bytes(text)
    os.utime(path, (time.time() - 60 * minutes_ago,) * 2)


def test_the_files_a_pattern_fits_come_oldest_first_each_once(host, fetched):
    left(host, "stock_2.csv", 10)
    left(host, "stock_1.csv", 20)
    left(host, "other.csv", 5)
    left(host, ".stock_0.csv", 5)
    found = fetched("/out/stock_*.csv")
    assert [one.name for one in found] == ["stock_1.csv", "stock_2.csv"]
    assert found[0].path.read_bytes() == TABLE
    seen = {one.name: one.mark for one in found}
    assert fetched("/out/stock_*.csv", seen=seen) == []
    left(host, "stock_2.csv", 1)
    assert [one.name for one in fetched("/out/stock_*.csv", seen=seen)] == ["stock_2.csv"]


def test_of_files_that_say_all_there_is_only_the_newest_counts(host, fetched):
    left(host, "stock_1.csv", 20)
    left(host, "stock_2.csv", 10)
    (newest,) = fetched("/out/*", newest_only=True)
    assert newest.name == "stock_2.csv"
    assert fetched("/out/*", newest_only=True, seen={newest.name: newest.mark}) == []


def test_a_folder_or_one_file_may_be_named(host, fetched):
    left(host, "stock.csv", 10)
    assert [one.name for one in fetched("/out")] == ["stock.csv"]
    assert [one.name for one in fetched("/out/stock.csv")] == ["stock.csv"]
    with pytest.raises(GatewayError, match="aucun fichier à cette adresse"):
        fetched("/out/none.csv")


def test_a_file_that_is_still_being_written_waits(host, fetched):
    left(host, "stock.csv", 10)
    host.is_writing = True
    assert fetched("/out/stock.csv") == []
    host.is_writing = False
    assert len(fetched("/out/stock.csv")) == 1


def test_a_server_nobody_accepted_is_told_neither_name_nor_password(host, fetched):
    left(host, "stock.csv", 10)
    with pytest.raises(UnknownHost) as unknown:
        fetched("/out/stock.csv", host_key="")
    assert unknown.value.shown == sftp.key_print(host.key)
    with pytest.raises(UnknownHost):
        fetched("/out/stock.csv", host_key="ecdsa-sha2-nistp256 SHA256:other")
    with pytest.raises(UnknownHost):  # a key of a kind the server no longer has
        fetched("/out/stock.csv", host_key="ssh-ed25519 SHA256:other")
    assert host.tried == []


def test_a_wrong_password_says_so(host, fetched):
    with pytest.raises(GatewayError, match="refuse ce nom"):
        fetched("/out", secret="no")


def test_a_person_may_be_known_by_a_private_key(host, fetched, tmp_path):
    left(host, "stock.csv", 10)
    host.person_key = paramiko.ECDSAKey.generate()
    host.person_key.write_private_key_file(str(tmp_path / "key"))
    secret = (tmp_path / "key").read_text()
    assert len(fetched("/out/stock.csv", secret=secret)) == 1
    assert host.tried[-1] == (host.login, "key")
    with pytest.raises(GatewayError, match="clé privée"):
        fetched("/out/stock.csv", secret=NO_KEY)


def test_a_file_larger_than_we_take_is_not_even_opened(host, fetched, monkeypatch):
    monkeypatch.setattr(sftp, "MOST_BYTES", 10)
    left(host, "stock.csv", 10)
    with pytest.raises(GatewayError, match="plus lourd"):
        fetched("/out/stock.csv")


def test_a_server_that_says_nothing_is_cut_at_the_deadline(app, monkeypatch, tmp_path):
    import socket

    monkeypatch.setattr(sftp, "WHOLE_FETCH", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"sftp://127.0.0.1:{silent.getsockname()[1]}/out"
        began = time.monotonic()
        with pytest.raises(GatewayError):
            HttpsAndSftp(allow_private=True).fetch(Place(url, "a", "b"), tmp_path)
    assert time.monotonic() - began < 5


def test_a_fetch_ends_before_another_worker_may_take_it():
    from services import outbox

    assert outbox.LEASE.total_seconds() > fetching.WHOLE_FETCH
