"""What reads strangers' bytes, one function a parser: it answers or refuses in the way it promises;
any other exception is a find.

`python -m tests.acceptance.fuzz_one NAME -runs=500000` lets atheris (coverage-guided) look for one;
the short tests change seeds at random.
"""

import contextlib
import json
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import requests

from api import tills as api_tills
from api.fields import Invalid
from gateways import CarrierAccount, GatewayError, mondial_relay, sepa
from portal.access import inside
from services import files, logs, money, webhooks, words
from services.catalogue import products, referencer, search
from services.catalogue.vocabulary import words_of
from services.imports import runs, tables
from services.installation import csp
from services.payments import bank_details
from services.people import customers, passwords
from services.stock import feeds, listing_files
from services.workflow import Refused
from tests.gateways.test_mondial_relay import EMPTY, RELAY, soap

FOLDER = Path(
    tempfile.mkdtemp(prefix="comptoir-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass") if _is_text(data) else data.decode("latin-1")


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def ean(data: bytes) -> None:
    try:
        found = products.read_ean(_text(data))
    except products.BadEan:
        return
    assert found.isascii()
    assert found.isdigit()
    assert len(found) in (8, 13, 14)


def amount(data: bytes) -> None:
    try:
        cents = money.parse(_text(data))
    except ValueError:
        return
    assert money.parse(money.text(cents)) == cents


def person(data: bytes) -> None:
    parts = _text(data).split("\n")
    given = dict(zip(customers.PERSONAL, [*parts, *([""] * 7)][:7], strict=True))
    try:
        tidy = customers.clean(given)
    except Refused:
        return
    assert all(words.visible(value) == value and value == value.strip() for value in tidy.values())


def email(data: bytes) -> None:
    try:
        found = customers.clean_email(_text(data))
    except Refused:
        return
    assert found.isascii()
    assert found.count("@") >= 1
    assert "=?" not in found
    assert not any(c <= " " for c in found)


def iban(data: bytes) -> None:
    try:
        found = str(bank_details.check(_text(data)))
    except Refused:
        return
    assert found.isalnum()
    assert 15 <= len(found) <= 34


def table(data: bytes) -> None:
    path = FOLDER / "table"
    path.write_bytes(data)
    try:
        opened = tables.open_table(path)
        tables.columns(opened.header, {"ean": ("ean",), "title": ("titre",)}, ())
        for number, (_line, cells) in enumerate(opened.rows):
            for cell in cells:
                tables.neutral(cell)
            if number > 200:
                break
    except (Refused, UnicodeError):  # the two a run turns into its sentence
        return


def bank_answer(data: bytes) -> None:
    try:
        reply = sepa.read_answer(data)
    except sepa.BadFile:
        return
    assert reply.message_id


def bank_words(data: bytes) -> None:
    cleaned = sepa.clean(_text(data), 70)
    assert len(cleaned) <= 70
    assert cleaned.isascii()


class _Canned(mondial_relay._Transport):
    """The carrier's service, answering what we are given."""

    data = b""

    def post(self, address, message, headers):
        return _response(self.data)


def _response(data: bytes) -> requests.Response:
    answer = requests.Response()
    answer.status_code, answer._content, answer.headers["Content-Type"] = (
        200,
        data,
        "text/xml; charset=utf-8",
    )
    return answer


_carrier = mondial_relay.MondialRelay("http://127.0.0.1:9")
_carrier._local.transport = _Canned()
_ACCOUNT = CarrierAccount("soap", True, "BDTEST13", "11", "TestAPI1key", "x", "x", "FR", "044001")


def carrier_answer(data: bytes) -> None:
    """An answer of his SOAP service: tracking, relays."""
    _Canned.data = data
    try:
        _carrier.track(_ACCOUNT, "12345678")
        _carrier.relays(_ACCOUNT, "44000")
    except GatewayError:
        return


def carrier_rest(data: bytes) -> None:
    """An answer of his REST service: a label."""
    kept, mondial_relay.requests.post = (
        mondial_relay.requests.post,
        lambda *_a, **_k: _response(data),
    )
    try:
        _carrier._create_by_rest(_ACCOUNT, None)  # type: ignore[arg-type]
    except GatewayError:
        return
    finally:
        mondial_relay.requests.post = kept


def picture(data: bytes) -> None:
    try:
        opened = files.open_picture(data)
    except Refused:
        return
    if opened.width * opened.height < 200_000:
        try:
            opened.load()
        except (OSError, ValueError, SyntaxError):  # what keep_picture turns into its sentence
            return


def browser_report(data: bytes) -> None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return
    for directive, blocked, page in csp.reports(body):
        assert len(directive) <= 40
        assert len(blocked) <= 200
        assert len(page) <= 200
        assert "?" not in page[1:]


def way_back(data: bytes) -> None:
    found = inside(_text(data), "/")
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))


def log_line(data: bytes) -> None:
    assert "camille.aubry@exemple.fr" not in logs.scrub(
        f"{_text(data)} camille.aubry@exemple.fr {_text(data)}"
    )


def password(data: bytes) -> None:
    try:
        passwords.check_strength(_text(data), "camille@exemple.fr", "Camille")
    except Refused:
        return


def feed_line(data: bytes) -> None:
    """One line of a stock file, as bytes of a whole small file."""
    path = FOLDER / "feed"
    path.write_bytes(b"ean;sku;quantite;magasin\n" + data)
    try:
        opened = tables.open_table(path)
        at = tables.columns(opened.header, feeds.COLUMNS, ("quantity",)).at
        reader = feeds._Reader(at, 1, {"m1": 1}, 9_999)
        for line, cells in opened.rows:
            try:
                found = reader.row(line, cells)
            except Refused:  # Ignored is one
                continue
            assert 0 <= found.quantity <= 9_999
            assert found.ean or found.sku
    except (Refused, UnicodeError):
        return


def offer_line(data: bytes) -> None:
    cells = _text(data).split(";")
    at = {name: n for n, name in enumerate(listing_files.OFFERS)}
    try:
        row = listing_files.Line(1, cells, at)
    except Refused:
        return
    assert row.sku
    assert row.price is None or row.price > 0
    assert row.says["delay_days"] is None or row.says["delay_days"] <= 90


def vat_and_yes(data: bytes) -> None:
    words = _text(data)
    with contextlib.suppress(Refused):
        points = referencer.read_vat(words)
        assert points is None if not words.strip() else 0 <= points <= 10_000
    with contextlib.suppress(Refused):
        referencer.read_yes(words)


def api_body(data: bytes) -> None:
    """What a till may send: read field by field, refused field by field."""
    for model in (api_tills.SentSale, api_tills.SentTradeIn, api_tills.SentCount, api_tills.Queue):
        try:
            sent = model.read(data)
        except Invalid as invalid:
            assert all(error["code"] and error["message"] for error in invalid.errors)
        else:
            assert sent.sent_at is None or sent.sent_at.tzinfo is not None


def search_words(data: bytes) -> None:
    words = _text(data)
    for word in words_of(words):
        assert word.isascii()
        assert word.isalnum()
        assert len(word) <= 40
    engine = search.is_sqlite
    for on_sqlite in (True, False):  # no database is open here
        search.is_sqlite = partial(bool, on_sqlite)
        try:
            match = search._match(words)
        finally:
            search.is_sqlite = engine
        assert match is None or "\0" not in match


def hook_address(data: bytes) -> None:
    try:
        url = webhooks.check_url(_text(data))
    except Refused:
        return
    assert url.startswith(("http://", "https://"))
    assert url.isascii()
    assert " " not in url


def file_date(data: bytes) -> None:
    found = runs.date_in_name(_text(data).replace("\0", ""))
    assert found is None or found.tzinfo is not None


TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "ean": (ean, [b"5060327534393", b"0 12345 67890 5", b"3.7E+12"]),
    "amount": (amount, ["1 234,56 €".encode(), b"12,5", b"-3"]),
    "person": (person, [b"Camille\nAubry\n12 rue des Tanneurs\n\n44000\nNantes\n06 12 34 56 78"]),
    "email": (email, [b"camille@exemple.fr", "x@café.fr".encode()]),
    "iban": (iban, [b"FR76 3000 6000 0112 3456 7890 189", b"IBAN : BE68 5390 0754 7034"]),
    "table": (
        table,
        [
            b'ean;titre\n5060327534393;"A""b\nc"\n',
            "ean;titre\n1;é\n".encode("utf-16"),
            b"PK\x03\x04",
        ],
    ),
    "bank_answer": (
        bank_answer,
        [
            b'<?xml version="1.0"?><Document'
            b' xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
            b"<OrgnlGrpInfAndSts><OrgnlMsgId>VIR-1</OrgnlMsgId><GrpSts>ACSC</GrpSts></OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>"
        ],
    ),
    "bank_words": (bank_words, ["Œuvre & fils // « L’été »".encode()]),
    "carrier_answer": (
        carrier_answer,
        [
            soap(
                "WSI2_TracingColisDetaille",
                "<STAT>80</STAT><Libelle01>COLIS</Libelle01><Tracing>" + EMPTY + "</Tracing>",
            ),
            soap(
                "WSI4_PointRelais_Recherche", f"<STAT>0</STAT><PointsRelais>{RELAY}</PointsRelais>"
            ),
            b"<html>",
        ],
    ),
    "carrier_rest": (
        carrier_rest,
        [
            b'<?xml version="1.0"?><ShipmentCreationResponse'
            b' xmlns="http://www.example.org/Response"><ShipmentsList><Shipment '
            b'ShipmentNumber="123"><LabelList><Label><Output>https://x</Output></Label></LabelList></Shipment></ShipmentsList>'
            b"</ShipmentCreationResponse>"
        ],
    ),
    "picture": (
        picture,
        [
            b"\xff\xd8\xff\xe0\x00\x10JFIF",
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
            b"RIFF\x00\x00\x00\x00WEBPVP8 ",
            b"GIF89a\x01\x00\x01\x00",
        ],
    ),
    "browser_report": (
        browser_report,
        [
            b'{"csp-report":{"effective-directive":"img-src","blocked-uri":"https://x/y?z","document-uri":"https://a/b/CDE1"}}'
        ],
    ),
    "way_back": (way_back, [b"/ventes", b"//evil", b"/\\evil"]),
    "log_line": (
        log_line,
        [b"FR7630006000011234567890189 06 12 34 56 78 https://u:p@h/x?token=abc"],
    ),
    "password": (password, [b"trois mots simples"]),
    "feed_line": (
        feed_line,
        [b"5060327534393;;3;\n", b";CAISSE-1;-2;M1\n", b"3,7E+12;x;1 234;N2\n"],
    ),
    "offer_line": (
        offer_line,
        [b"S1;5060327534393;EAN;d;89,00;4;1;11;2026-11-01;;;79.00;2026-11-01;2026-12-31;2;update"],
    ),
    "vat_and_yes": (vat_and_yes, [b"20", b"5,5 %", b"oui"]),
    "api_body": (
        api_body,
        [
            b'{"number":1,"ean":"5060327534393","quantity":3,"at":"2026-11-25T10:30:00+01:00","includes":0,"a":"x","b":true,"c":"1.20","e":[1]}'
        ],
    ),
    "search_words": (search_words, ["Chaussures d'été AB-12/3 œuf".encode(), b'" OR 1* NEAR(']),
    "hook_address": (hook_address, [b"https://caisse.example/crochet?x=1", b"http://[::1]:80/"]),
    "file_date": (file_date, [b"stock_20261125.csv", b"N1-2026-11-25-183000.csv"]),
}


def random_bytes(dice: random.Random, seeds: list[bytes]) -> bytes:
    """A seed changed here and there, or noise."""
    data = bytearray(dice.choice(seeds))
    for _n in range(dice.randint(0, 8)):
        at = dice.randrange(len(data) + 1)
        change = dice.randrange(4)
        if change == 0:
            data[at:at] = bytes(dice.randrange(256) for _b in range(dice.randint(1, 6)))
        elif change == 1 and data:
            del data[at : at + dice.randint(1, 5)]
        elif change == 2 and data:
            data[min(at, len(data) - 1)] = dice.randrange(256)
        else:
            data[at:at] = dice.choice(
                (
                    "é",
                    "\u202e",
                    "\0",
                    "\ufeff",
                    "٣",
                    "＝",
                    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
                    '"',
                    ";",
                    "<",
                )
            ).encode()
    return bytes(data)
