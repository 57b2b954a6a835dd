"""Files fetched over https: new ones only, whole or not at all, from where we may call."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateways import GatewayError, Place, fetching
from gateways.fetching import HttpsAndSftp

TABLE = b"ean;quantite\n5060327534393;3\n"


class Shelf(ThreadingHTTPServer):
    """A web server whose answers a test lays out by path: status, headers, body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.drips = False

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        shelf = self.server
        assert isinstance(shelf, Shelf)
        shelf.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        status, headers, body = shelf.answers.get(self.path, (404, {}, b""))
        if headers.get("etag") and self.headers.get("if-none-match") == headers["etag"]:
            status, body = 304, b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not shelf.drips:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        while shelf.drips:
            self.wfile.write(b"a")
            time.sleep(0.05)
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def shelf():
    server = Shelf()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield server
    server.drips = False
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetched(app, tmp_path):
    """`fetched(url, …)` → name, bytes, mark of what was new."""

    def fetch(url: str, *, allow_private: bool = True, **how):
        found = HttpsAndSftp(allow_private).fetch(Place(url, **how), tmp_path)
        return [(one.name, one.path.read_bytes(), one.mark) for one in found]

    return fetch


def test_a_file_is_fetched_once_until_it_changes(shelf, fetched):
    shelf.answers["/export/stock.csv"] = (200, {"etag": '"v1"'}, TABLE)
    url = shelf.url("/export/stock.csv")
    assert fetched(url) == [("stock.csv", TABLE, '"v1"')]
    assert fetched(url, seen={"": '"v1"'}) == []
    shelf.answers["/export/stock.csv"] = (200, {"etag": '"v2"'}, TABLE)
    assert fetched(url, seen={"": '"v1"'}) == [("stock.csv", TABLE, '"v2"')]


def test_the_name_is_the_one_the_server_says_without_its_folders(shelf, fetched):
    said = {"content-disposition": 'attachment; filename="..\\\\up/stock 25-11-2026.csv"'}
    shelf.answers["/export.php?shop=2"] = (200, said, TABLE)
    ((name, _bytes, _mark),) = fetched(shelf.url("/export.php?shop=2"))
    assert name == "stock 25-11-2026.csv"


def test_the_password_goes_to_its_own_server_and_not_where_that_one_sends_us(shelf, fetched):
    other = Shelf()
    threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        other.answers["/real.csv"] = (200, {}, TABLE)
        shelf.answers["/stock.csv"] = (302, {"location": other.url("/real.csv")}, b"")
        assert fetched(shelf.url("/stock.csv"), login="nantes", secret="chaussures")[0][1] == TABLE
        assert shelf.asked[0][1]["authorization"] == "Basic bmFudGVzOmNoYXVzc3VyZXM="
        assert "authorization" not in other.asked[0][1]
    finally:
        other.shutdown()
        other.server_close()


def test_a_token_without_a_name_is_a_bearer(shelf, fetched):
    shelf.answers["/stock.csv"] = (200, {}, TABLE)
    fetched(shelf.url("/stock.csv"), secret="abc")
    assert shelf.asked[0][1]["authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "refuse ce nom"),
        (404, "aucun fichier à cette adresse"),
        (500, "HTTP 500"),
    ],
)
def test_what_is_no_file_says_why(shelf, fetched, status, sentence):
    shelf.answers["/stock.csv"] = (status, {}, b"")
    with pytest.raises(GatewayError, match=sentence):
        fetched(shelf.url("/stock.csv"))


def test_a_server_that_sends_on_without_an_end_is_left(shelf, fetched):
    shelf.answers["/a"] = (302, {"location": "/a"}, b"")
    with pytest.raises(GatewayError, match="sans fin"):
        fetched(shelf.url("/a"))
    assert len(shelf.asked) == fetching.MOST_HOPS


def test_an_address_that_is_none_is_said_so_wherever_it_comes_from(shelf, fetched):
    shelf.answers["/a"] = (302, {"location": "http://127.0.0.1:99999/b"}, b"")
    for url in (shelf.url("/a"), "https://127.0.0.1:99999/b"):
        with pytest.raises(GatewayError, match="n’en est pas une"):
            fetched(url)


def test_an_address_of_our_own_network_is_never_called_in_production(shelf, fetched):
    shelf.answers["/stock.csv"] = (200, {}, TABLE)
    for url in (
        shelf.url("/stock.csv"),
        f"https://127.0.0.1:{shelf.server_port}/",
        f"sftp://127.0.0.1:{shelf.server_port}/stock.csv",
    ):
        with pytest.raises(GatewayError, match="public"):
            fetched(url, allow_private=False)
    assert shelf.asked == []


def test_a_file_larger_than_we_take_is_refused(shelf, fetched, monkeypatch):
    monkeypatch.setattr(fetching, "MOST_BYTES", 100)
    shelf.answers["/stock.csv"] = (200, {}, b"x" * 101)
    with pytest.raises(GatewayError, match="plus lourd"):
        fetched(shelf.url("/stock.csv"))


def test_a_server_that_drips_is_cut_at_the_deadline(shelf, fetched, monkeypatch):
    monkeypatch.setattr(fetching, "WHOLE_FETCH", 0.6)
    shelf.answers["/stock.csv"] = (200, {}, TABLE)
    shelf.drips = True
    began = time.monotonic()
    with pytest.raises(GatewayError):
        fetched(shelf.url("/stock.csv"))
    assert time.monotonic() - began < 5
