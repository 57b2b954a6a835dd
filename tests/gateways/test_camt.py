"""Statements and notifications of a bank, in the forms banks write them."""

import pytest

from gateways import camt
from gateways.sepa import BadFile

IBAN = "FR7630006000011234567890189"


def entry(cents, direction, inside="", state="<Sts>BOOK</Sts>"):
    amount = f"{cents // 100}.{cents % 100:02d}"
    details = f"<NtryDtls>{inside}</NtryDtls>" if inside else ""
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>{state}{details}'
        "</Ntry>"
    )


def named(reference, cents=None, more=""):
    amount = f'<Amt Ccy="EUR">{cents // 100}.{cents % 100:02d}</Amt>' if cents else ""
    return f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{amount}{more}</TxDtls>"


def statement(entries, kind="053", version="001.02", iban=IBAN):
    outer, inner = (
        ("BkToCstmrStmt", "Stmt") if kind == "053" else ("BkToCstmrDbtCdtNtfctn", "Ntfctn")
    )
    account = f"<Acct><Id><IBAN>{iban}</IBAN></Id></Acct>" if iban else ""
    return (
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{kind}.{version}"><{outer}>'
        f"<GrpHdr><MsgId>R1</MsgId></GrpHdr><{inner}><Id>1</Id>{account}{entries}</{inner}>"
        f"</{outer}></Document>"
    ).encode()


@pytest.mark.parametrize("kind", ["053", "054"])
@pytest.mark.parametrize("version", ["001.02", "001.04", "001.08"])
def test_a_debit_under_a_reference_is_a_transfer_that_left(kind, version):
    entries = entry(8400, "DBIT", named("CDE000000001", 5000) + named("CDE000000002", 3400))
    (found,) = camt.read(statement(entries, kind, version))
    assert found.iban == IBAN
    assert [(one.end_to_end, one.cents, one.is_debit) for one in found.booked] == [
        ("CDE000000001", 5000, True),
        ("CDE000000002", 3400, True),
    ]


def test_an_entry_of_one_transfer_gives_its_own_amount():
    for inside in (
        named("CDE000000001"),
        named(
            "CDE000000001",
            more='<AmtDtls><TxAmt><Amt Ccy="EUR">28.00</Amt></TxAmt></AmtDtls>',
        ),
    ):
        (found,) = camt.read(statement(entry(2800, "DBIT", inside)))
        assert found.booked[0].cents == 2800


def test_a_credit_under_a_reference_brings_the_transfer_back_with_the_bank_s_reason():
    why = (
        "<RtrInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>COMPTE</AddtlInf><AddtlInf>CLOS</AddtlInf>"
        "</RtrInf>"
    )
    (found,) = camt.read(statement(entry(2800, "CRDT", named("CDE000000001", more=why))))
    (back,) = found.booked
    assert (back.returns, back.reason, back.words) == (True, "AC04", "COMPTE CLOS")


def test_a_debit_of_a_whole_file_names_the_file():
    batch = "<Btch><MsgId>VIR-2026-11-0001</MsgId><NbOfTxs>3</NbOfTxs></Btch>"
    (found,) = camt.read(statement(entry(8400, "DBIT", batch)))
    (one,) = found.booked
    assert (one.end_to_end, one.file, one.transfers, one.cents) == (
        "",
        "VIR-2026-11-0001",
        3,
        8400,
    )


def test_what_is_only_announced_is_counted_apart():
    pending = entry(100, "DBIT", named("CDE000000001"), "<Sts>PDNG</Sts>")
    newer = entry(100, "DBIT", named("CDE000000002"), "<Sts><Cd>PDNG</Cd></Sts>")
    booked = entry(100, "DBIT", named("CDE000000003"), "<Sts><Cd>BOOK</Cd></Sts>")
    (found,) = camt.read(statement(pending + newer + booked))
    assert (found.pending, [one.end_to_end for one in found.booked]) == (2, ["CDE000000003"])


def test_another_currency_and_an_unreadable_amount_are_no_amount_of_ours():
    for amount in ('<Amt Ccy="CHF">28.00</Amt>', '<Amt Ccy="EUR">28.005</Amt>', "<Amt>x</Amt>"):
        inside = f"<TxDtls><Refs><EndToEndId>A</EndToEndId></Refs>{amount}</TxDtls>"
        (found,) = camt.read(statement(entry(2800, "DBIT", inside)))
        assert found.booked[0].cents == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>camt.053</html>",
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"/>',
        b'<!DOCTYPE x [<!ENTITY a "b">]><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt'
        b'.053.001.02">&a;</Document>',
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03">camt.053</Document>',
    ],
)
def test_what_is_no_statement_is_refused_with_a_reason(data):
    with pytest.raises(BadFile):
        camt.read(data)


def test_a_detail_s_own_direction_counts_and_a_sum_is_nobody_s_alone():
    credit = named("CDE000000001", 2800, "<CdtDbtInd>CRDT</CdtDbtInd>")
    (found,) = camt.read(statement(entry(2800, "DBIT", credit)))
    assert found.booked[0].returns
    two = named("CDE000000001") + named("CDE000000002")
    (found,) = camt.read(statement(entry(2800, "DBIT", two)))
    assert [one.cents for one in found.booked] == [0, 0]
