"""SEPA files: credit transfers written (pain.001) and the bank's answers read (pain.002). Pure:
data in, bytes out.

sepaxml writes; we impose its identifiers so that the same payments always give the same bytes,
check against the XSD with lxml (forty times faster than its own check), and count the money a
second time from the bytes themselves.
"""

import contextlib
import functools
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import holidays
import sepaxml
from anyascii import anyascii
from defusedxml import ElementTree
from flask_babel import lazy_gettext as _l
from lxml import etree
from sepaxml import SepaTransfer


class BadFile(Exception):
    """The file may not leave, or cannot be read; the message says why."""


@dataclass(frozen=True)
class Transfer:
    """One transfer: cents to an account, under a reference that comes back with the bank's
    answer.
    """

    end_to_end: str
    name: str
    iban: str = field(repr=False)
    bic: str
    cents: int
    words: str


@dataclass(frozen=True)
class TransferFile:
    """A file of transfers from one account, executed on one TARGET day. `client_id`: the number
    under which some banks know who sends files (InitgPty/Id), empty for the others.
    """

    message_id: str
    created_at: datetime
    holder: str
    iban: str = field(repr=False)
    bic: str
    execution_on: date
    schema: str
    transfers: tuple[Transfer, ...]
    client_id: str = ""


def write(file: TransferFile) -> bytes:
    """The XML of a file, the same bytes each time. Raises BadFile."""
    config = {"name": clean(file.holder, 70), "IBAN": file.iban, "batch": True, "currency": "EUR"}
    if file.bic:
        config["BIC"] = file.bic
    writer = SepaTransfer(config, schema=file.schema, clean=False)  # our own cleaning came first
    for transfer in file.transfers:
        if transfer.cents <= 0:
            raise BadFile(f"{transfer.end_to_end}: nothing to pay")
        payment = {
            "name": clean(transfer.name, 70),
            "IBAN": transfer.iban,
            "amount": transfer.cents,
            "execution_date": file.execution_on,
            "description": clean(transfer.words, 140),
            "endtoend_id": transfer.end_to_end,
        }
        if transfer.bic:
            payment["BIC"] = transfer.bic
        try:
            writer.add_payment(payment)
        except Exception as error:
            raise BadFile(f"{transfer.end_to_end}: {error}") from error
    data: bytes = writer.export(validate=False)
    created = file.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    # The writer's own identifiers hold the time of day and chance: ours come from the file.
    for tag, value in (
        ("MsgId", file.message_id),
        ("CreDtTm", created),
        ("PmtInfId", f"{file.message_id}-1"),
    ):
        data, found = re.subn(
            f"<{tag}>[^<]*</{tag}>".encode(), f"<{tag}>{value}</{tag}>".encode(), data
        )
        if found != 1:
            raise BadFile(f"{found} {tag} instead of one")
    return _with_client_id(data, file.client_id) if file.client_id else data


def _with_client_id(data: bytes, client_id: str) -> bytes:
    """The writer knows no InitgPty/Id: ours is put after the name. Raises BadFile."""
    told = f"<Id><OrgId><Othr><Id>{clean(client_id, 35)}</Id></Othr></OrgId></Id>".encode()
    data, found = re.subn(rb"(<InitgPty>\s*<Nm>[^<]*</Nm>)", rb"\g<1>" + told, data)
    if found != 1:
        raise BadFile(f"{found} InitgPty instead of one")
    return data


def check(data: bytes, file: TransferFile) -> None:
    """What must hold before anyone may download: the XSD, the bank's character set, the sums, and
    each transfer as it was meant.
    """
    root = _parse(data)
    schema = _schema(file.schema)
    if not schema.validate(root):
        raise BadFile(f"line {schema.error_log[0].line}: {schema.error_log[0].message}")
    sums = [
        (int(e.findtext("{*}NbOfTxs")), _cents(e.findtext("{*}CtrlSum")))
        for e in (*root.iter("{*}GrpHdr"), *root.iter("{*}PmtInf"))
    ]
    meant = (len(file.transfers), sum(t.cents for t in file.transfers))
    if any(said != meant for said in sums):
        raise BadFile(f"the file announces {sums}, it should announce {meant}")
    found = {
        e.findtext("{*}PmtId/{*}EndToEndId"): (
            _cents(e.findtext("{*}Amt/{*}InstdAmt")),
            e.findtext("{*}CdtrAcct/{*}Id/{*}IBAN"),
        )
        for e in root.iter("{*}CdtTrfTxInf")
    }
    if found != {t.end_to_end: (t.cents, t.iban) for t in file.transfers} or len(found) != len(
        file.transfers
    ):
        raise BadFile("a transfer of the file is not one that was asked for")


@functools.cache
def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(
        etree.parse(str(Path(sepaxml.__file__).parent / "schemas" / f"{name}.xsd"))
    )


def _parse(data: bytes) -> Any:
    return etree.fromstring(
        data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    )


def _cents(words: str) -> int:
    euros, _dot, decimals = words.partition(".")
    return int(euros) * 100 + int(decimals.ljust(2, "0")[:2] or 0)


# ── the bank's answer ──

# ISO 20022 external reason codes a French bank answers, as sentences for the accountant and the
# seller.
REASONS: dict[str, Any] = {
    "AC01": _l("the account number is wrong"),
    "AC03": _l("the account number is wrong"),
    "AC04": _l("the account is closed"),
    "AC06": _l("the account is blocked"),
    "AC13": _l("this account cannot receive a transfer"),
    "AG01": _l("this account cannot receive a transfer"),
    "AG02": _l("the bank refused this kind of transfer"),
    "AM04": _l("there is not enough money on the account that pays"),
    "AM05": _l("the bank thinks it is a duplicate"),
    "BE01": _l("the name does not match the account"),
    "BE04": _l("an address is missing"),
    "CNOR": _l("the bank of the seller cannot be reached"),
    "DNOR": _l("our bank cannot be reached"),
    "FF01": _l("the file is badly formed"),
    "MD07": _l("the holder of the account is deceased"),
    "MS02": _l("the seller's bank refused it without a reason"),
    "MS03": _l("the seller's bank refused it without a reason"),
    "RC01": _l("the bank's code is wrong"),
    "RR04": _l("for a regulatory reason"),
    "TM01": _l("the file came too late"),
}
EXECUTED, REFUSED = {"ACSC", "ACCC"}, {"RJCT"}
# Reasons that are about the account it was sent to: another IBAN is needed. The others are ours or
# the bank's to mend.
ABOUT_THE_ACCOUNT = {"AC01", "AC03", "AC04", "AC06", "AC13", "AG01", "BE01", "MD07", "RC01", "MS02"}
# On its way, nothing decided yet: ACTC, ACCP, ACSP, ACWC, PDNG, RCVD, PART.


_PAIN_002 = re.compile(
    r"\{urn:(iso:std:iso:20022:tech|swift):xsd:\$?pain\.002\.00\d\.\d\d\}Document"
)


@dataclass(frozen=True)
class AnswerLine:
    """What is said of one transfer: the code of the reason, and the bank's own words about it."""

    end_to_end: str
    status: str
    reason: str
    words: str = ""


@dataclass(frozen=True)
class BankReply:
    """What a pain.002 says: of which file of ours, the group's status (may be empty), and each
    transfer it names.

    What it counts of itself, where it does: the transfers and the total (cents) of the file it
    answers, how many have which status, and the statuses of transfers it names by no reference.
    """

    message_id: str
    status: str
    reason: str
    lines: tuple[AnswerLine, ...]
    words: str = ""
    transfers: int | None = None
    total_cents: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    nameless: tuple[str, ...] = ()


def read_answer(data: bytes) -> BankReply:
    """Read a pain.002 of any version. A transfer's status is its own, else its block's, else the
    group's. Raises BadFile with the reason.
    """
    try:
        root = ElementTree.fromstring(data, forbid_dtd=True)
    except Exception as error:
        raise BadFile(str(_l("it is no XML one can read"))) from error
    if not _PAIN_002.fullmatch(root.tag):  # it must say itself what it is
        raise BadFile(str(_l("it is no pain.002 of ISO 20022")))
    report = next((e for e in root.iter() if _tag(e) == "CstmrPmtStsRpt"), None)
    if report is None:
        raise BadFile(str(_l("it says nothing of transfers")))
    group = next((e for e in report.iter() if _tag(e) == "OrgnlGrpInfAndSts"), None)
    if group is None or not _child(group, "OrgnlMsgId"):
        raise BadFile(str(_l("it does not say which file it answers")))
    status, reason, words = _child(group, "GrpSts"), _reason_of(group), _words_of(group)
    lines: dict[str, AnswerLine] = {}
    nameless: list[str] = []
    counted = [group]
    for block in (
        e for e in report if _tag(e) == "OrgnlPmtInfAndSts"
    ):  # one block a file of ours: its status is the file's
        counted.append(block)
        own = _child(block, "PmtInfSts")
        if own:
            status, reason = own, _reason_of(block) or reason
            words = _words_of(block) or words
        for e in (e for e in block if _tag(e) == "TxInfAndSts"):
            line = AnswerLine(
                _inside(e, "OrgnlEndToEndId"),
                _child(e, "TxSts") or status,
                _reason_of(e) or reason,
                _words_of(e) or words,
            )
            if not line.end_to_end:  # it may be left out (a summary)
                nameless.append(line.status)
                continue
            if (
                line.end_to_end not in lines or line.status in REFUSED
            ):  # said twice: the bad news counts
                lines[line.end_to_end] = line
    return BankReply(
        _child(group, "OrgnlMsgId"),
        status,
        reason,
        tuple(lines.values()),
        words,
        transfers=_first_number(counted, "OrgnlNbOfTxs", 1),
        total_cents=_first_number(counted, "OrgnlCtrlSum", 100),
        counts=_counts_of(counted),
        nameless=tuple(nameless),
    )


def _first_number(elements: list[Any], name: str, times: int) -> int | None:
    """The number an element of this name holds, in the first of these that has one."""
    for element in elements:
        with contextlib.suppress(InvalidOperation, ValueError):
            if text := _child(element, name):
                return int(Decimal(text) * times)
    return None


def _counts_of(elements: list[Any]) -> dict[str, int]:
    """How many transfers have which status, where the bank says so (NbOfTxsPerSts): the block's
    word, which is more precise, before the group's.
    """
    for element in reversed(elements):
        found: dict[str, int] = {}
        for one in (e for e in element if _tag(e) == "NbOfTxsPerSts"):
            with contextlib.suppress(ValueError):
                found[_child(one, "DtldSts")] = int(_child(one, "DtldNbOfTxs"))
        if found:
            return found
    return {}


def _reason_of(element: Any) -> str:
    """The reason code an element gives itself, not one of its children's: the code of ISO 20022, or
    the bank's own (Prtry).
    """
    found = next((e for e in element if _tag(e) == "StsRsnInf"), None)
    reason = found if found is None else next((e for e in found if _tag(e) == "Rsn"), None)
    return "" if reason is None else _child(reason, "Cd") or _child(reason, "Prtry")


def _words_of(element: Any) -> str:
    """What the bank writes beside its code (AddtlInf), in its own language."""
    found = next((e for e in element if _tag(e) == "StsRsnInf"), None)
    texts = [] if found is None else [e.text or "" for e in found.iter() if _tag(e) == "AddtlInf"]
    return " ".join(" ".join(texts).split())


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _inside(element: Any, name: str) -> str:
    return next(((e.text or "").strip() for e in element.iter() if _tag(e) == name), "")


def _child(element: Any, name: str) -> str:
    return next(((e.text or "").strip() for e in element if _tag(e) == name), "")


# ── words and days a bank accepts ──

# What a map of alphabets would spell otherwise than banks do.
_MAPPED = str.maketrans(
    {"&": "+", "@": "(at)", "_": "-", ";": ",", '"': "'", "“": "'", "”": "'", "«": "'", "»": "'",
     "–": "-", "—": "-", "°": "."}
)  # fmt: skip


def clean(words: str, most: int) -> str:
    """Words in the EPC's Latin set, cut after mapping; never begins or ends with « / » nor holds «
    // ».
    """
    plain = anyascii(words.translate(_MAPPED))
    allowed = " ".join(re.sub(r"[^a-zA-Z0-9/\-?:().,'+ ]", ".", plain).split())
    return re.sub(r"//+", "/", allowed)[:most].strip("/ ") or "."


def banking_day(day: date) -> date:
    """The day itself, or the first TARGET day after it (closed at week-ends, 1 January, Good
    Friday, Easter Monday, 1 May, 25 and 26 December).
    """
    while day.weekday() >= 5 or day in holidays.financial_holidays("ECB", years=day.year):
        day += timedelta(days=1)
    return day
