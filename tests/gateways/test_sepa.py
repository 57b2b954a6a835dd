"""Transfer files: valid, the same bytes each time, counted twice; and the bank's answers in all
their shapes.
"""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateways import sepa

IBAN = "FR1420041010050500013M02606"


def a_file(*cents: int, schema: str = "pain.001.001.09", **columns) -> sepa.TransferFile:
    transfers = tuple(
        sepa.Transfer(
            f"CDE{n:09d}",
            columns.get("name", "Camille Aubry"),
            IBAN,
            columns.get("bic", "PSSTFRPP"),
            c,
            columns.get("words", "Rachat de vos jeux"),
        )
        for n, c in enumerate(cents or (2360,), 1)
    )
    return sepa.TransferFile(
        "VIR-2026-11-0001",
        datetime(2026, 11, 22, 10, 5, tzinfo=UTC),
        columns.get("holder", "RétroShop SARL"),
        "FR7630006000011234567890189",
        "AGRIFRPP",
        date(2026, 11, 23),
        schema,
        transfers,
    )


@pytest.mark.parametrize("schema", ["pain.001.001.09", "pain.001.001.03"])
def test_a_file_fits_its_xsd_and_is_the_same_bytes_each_time(schema):
    file = a_file(2360, 1, 99_999_999, schema=schema)
    data = sepa.write(file)
    sepa.check(data, file)
    assert sepa.write(file) == data
    assert b"VIR-2026-11-0001" in data
    assert b"<ReqdExctnDt>" in data
    assert data.count(b"<CdtTrfTxInf>") == 3
    assert data.count(b"<CtrlSum>1000023.60</CtrlSum>") == 2


@pytest.mark.parametrize("schema", ["pain.001.001.09", "pain.001.001.03"])
def test_a_bank_that_knows_us_by_a_number_reads_it_in_the_file(schema):
    file = replace(a_file(2360, schema=schema), client_id="812345678")
    data = sepa.write(file)
    sepa.check(data, file)
    root = etree.fromstring(data)
    assert root.findtext(".//{*}InitgPty/{*}Id/{*}OrgId/{*}Othr/{*}Id") == "812345678"
    assert b"<OrgId>" not in sepa.write(a_file(2360, schema=schema))


def test_a_file_tampered_with_does_not_pass_the_second_count():
    file = a_file(2360, 500)
    data = sepa.write(file)
    for wrong in (
        data.replace(b">5.00<", b">6.00<"),
        data.replace(b"28.60", b"28.61"),
        data.replace(b"CDE000000002", b"CDE000000003"),
        data.replace(b"<NbOfTxs>2<", b"<NbOfTxs>3<"),
        data.replace(IBAN.encode(), b"FR7630006000011234567890189", 1),
        data.replace(b"<Cdtr>", b"<Cdtr><X/>"),
    ):
        assert wrong != data
        with pytest.raises(sepa.BadFile):
            sepa.check(wrong, file)


@pytest.mark.parametrize(
    "name",
    [
        "Zoë Łukasz d’Haussy & fils",
        "<b>Œuvre</b> 50 €",
        "Ñandú / São // Tomé",
        "王小明",
        "x" * 200,
        "/",
        "",
    ],
)
def test_any_name_makes_a_valid_file(name):
    file = a_file(100, name=name, words=name, holder=name or "R")
    sepa.check(sepa.write(file), file)


@given(st.text(max_size=200), st.integers(1, 140))
def test_cleaned_words_hold_in_the_banks_alphabet_and_length(words, most):
    said = sepa.clean(words, most)
    assert 1 <= len(said) <= most
    assert "//" not in said
    assert not said.startswith("/")
    assert not said.endswith("/")
    assert set(said) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ "
    )


def test_words_are_mapped_as_banks_expect():
    assert (
        sepa.clean("Élodie Œuvrard – 5 € @ l’atelier", 70)
        == "Elodie Oeuvrard - 5 EUR (at) l'atelier"
    )


def test_nothing_and_less_than_nothing_are_refused():
    for cents in (0, -5):
        with pytest.raises(sepa.BadFile):
            sepa.write(a_file(cents))


@pytest.mark.parametrize(
    ("day", "paid"),
    [
        (date(2026, 11, 21), date(2026, 11, 23)),
        (date(2026, 12, 25), date(2026, 12, 28)),
        (date(2027, 1, 1), date(2027, 1, 4)),
        (date(2027, 3, 26), date(2027, 3, 30)),
        (date(2027, 5, 8), date(2027, 5, 10)),
        (date(2026, 11, 11), date(2026, 11, 11)),
        (date(2027, 7, 14), date(2027, 7, 14)),
        (date(2026, 5, 1), date(2026, 5, 4)),
    ],
)
def test_a_transfer_is_executed_on_a_target_day(day, paid):
    assert sepa.banking_day(day) == paid


def reply(inside: str, version: str = "10", group: str = "PART") -> bytes:
    status = f"<GrpSts>{group}</GrpSts>" if group else ""
    return (
        '<?xml version="1.0"?><Document'
        f' xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}">'
        "<CstmrPmtStsRpt><GrpHdr><MsgId>B1</MsgId></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>VIR-2026-11-0001</OrgnlMsgId>{status}</OrgnlGrpInfAndSts>{inside}</CstmrPmtStsRpt></Document>"
    ).encode()


@pytest.mark.parametrize("version", ["03", "10", "12"])
def test_an_answer_is_read_whatever_its_version(version):
    line = (
        "<TxInfAndSts><OrgnlEndToEndId>CDE000000001</OrgnlEndToEndId><TxSts>RJCT</TxSts>"
        "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf></TxInfAndSts>"
    )
    block = f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId>{line}</OrgnlPmtInfAndSts>"
    answer = sepa.read_answer(reply(block, version))
    assert answer.message_id == "VIR-2026-11-0001"
    assert answer.lines == (sepa.AnswerLine("CDE000000001", "RJCT", "AC04"),)
    assert sepa.read_answer(reply("", version, "ACSC")).status == "ACSC"


BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<a/>",
        BOMB,
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        reply("")[:-30],
    ],
)
def test_what_is_no_answer_is_refused(data):
    with pytest.raises(sepa.BadFile):
        sepa.read_answer(data)
