"""Account statements of a bank (camt.053) and its notifications (camt.054), read: which transfers
left the account, and which came back. Pure: bytes in, data out.

Banks write these files alike in the large and unlike in the small: a batch is one entry with its
transfers under it, one entry without them, or an entry a transfer; a return is a credit with the
reference of what it returns (ISO 20022, « Bank-to-Customer Cash Management »).
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from defusedxml import ElementTree
from flask_babel import lazy_gettext as _l

from gateways.sepa import BadFile

_CAMT = re.compile(
    r"\{urn:(?:iso:std:iso:20022:tech:xsd|swift:xsd:\$?)[:\w.$]*camt\.05[34][\w.]*\}Document"
)
REPORTS = {"BkToCstmrStmt": "Stmt", "BkToCstmrDbtCdtNtfctn": "Ntfctn"}
MOST_SHOWN = 140


def is_one(data: bytes) -> bool:
    """Whether these bytes say that they are a statement or a notification."""
    return b"camt.053" in data[:2000] or b"camt.054" in data[:2000]


@dataclass(frozen=True)
class Booked:
    """A movement of the account: cents that left it (`is_debit`) or came to it, under the
    references it gives. `returns`: it brings a transfer back, with the bank's reason. Of a whole
    file at once, `transfers` is how many the bank counted, None where it does not say.
    """

    end_to_end: str
    file: str
    cents: int
    is_debit: bool
    returns: bool = False
    reason: str = ""
    words: str = ""
    transfers: int | None = None


@dataclass(frozen=True)
class Statement:
    """What one account's statement books. `iban` is empty where the bank gives another number;
    `pending` are entries it only announces.
    """

    iban: str = field(repr=False)
    booked: tuple[Booked, ...]
    pending: int


def read(data: bytes) -> list[Statement]:
    """Read a camt.053 or camt.054 of any version. Raises BadFile with the reason."""
    try:
        root = ElementTree.fromstring(data, forbid_dtd=True)
    except Exception as error:
        raise BadFile(str(_l("it is no XML one can read"))) from error
    if not _CAMT.fullmatch(root.tag):
        raise BadFile(str(_l("it is no camt.053 or camt.054 of ISO 20022")))
    found = [
        _statement(one)
        for report in root
        for one in report
        if REPORTS.get(_tag(report)) == _tag(one)
    ]
    if not found:
        raise BadFile(str(_l("it holds no statement")))
    return found


def _statement(report: Any) -> Statement:
    booked: list[Booked] = []
    pending = 0
    for entry in _all(report, "Ntry"):
        state = _first(entry, "Sts")
        word = "" if state is None else _under(state, "Cd") or (state.text or "").strip()
        if word not in ("BOOK", ""):
            pending += 1
            continue
        booked += _entry(entry)
    account = _first(report, "Acct")
    iban = "" if account is None else _under(account, "IBAN")
    return Statement("".join(iban.split()).upper(), tuple(booked), pending)


def _entry(entry: Any) -> list[Booked]:
    """The movements of one entry: those named under it, else the entry as a whole."""
    details = [one for box in _all(entry, "NtryDtls") for one in _all(box, "TxDtls")]
    named = [one for one in details if _reference(one, "EndToEndId")]
    if named:
        return [_movement(one, entry, alone=len(details) == 1) for one in named]
    batch = next((one for box in _all(entry, "NtryDtls") for one in _all(box, "Btch")), None)
    count = "" if batch is None else _text(batch, "NbOfTxs")
    file = "" if batch is None else _text(batch, "MsgId") or _text(batch, "PmtInfId")
    if not file and details:
        file = _reference(details[0], "MsgId") or _reference(details[0], "PmtInfId")
    return [
        Booked(
            end_to_end="",
            file=file,
            cents=_cents(_first(entry, "Amt")),
            is_debit=_is_debit(entry),
            transfers=int(count) if count.isascii() and count.isdigit() else None,
        )
    ]


def _movement(one: Any, entry: Any, *, alone: bool) -> Booked:
    back = _first(one, "RtrInf")
    reason = None if back is None else _first(back, "Rsn")
    amounts = _first(one, "AmtDtls")
    own = _first(one, "Amt")
    if own is None and amounts is not None:
        transaction = _first(amounts, "TxAmt")
        own = None if transaction is None else _first(transaction, "Amt")
    if own is None and alone:
        own = _first(entry, "Amt")
    is_debit = _is_debit(one if _text(one, "CdtDbtInd") else entry)
    return Booked(
        end_to_end=_reference(one, "EndToEndId"),
        file=_reference(one, "MsgId") or _reference(one, "PmtInfId"),
        cents=_cents(own),
        is_debit=is_debit,
        # A credit that names one of our references brings it back, whether the bank says why or
        # not; so does an entry that reverses a debit.
        returns=not is_debit,
        reason="" if reason is None else _text(reason, "Cd") or _text(reason, "Prtry"),
        words="" if back is None else " ".join(_texts(back, "AddtlInf"))[:MOST_SHOWN],
    )


def _is_debit(element: Any) -> bool:
    """Whether money left the account. An entry says its own direction, the reversal of a debit is
    a credit already (« CdtDbtInd » of the entry as booked).
    """
    return _text(element, "CdtDbtInd") == "DBIT"


def _reference(details: Any, name: str) -> str:
    """A reference of a movement; empty for the bank's « none given »."""
    refs = _first(details, "Refs")
    said = "" if refs is None else _text(refs, name)
    return "" if said.upper() in ("NOTPROVIDED", "NONREF") else said


def _cents(amount: Any) -> int:
    """An amount in euros as cents; 0 in another currency, or when it cannot be read."""
    if amount is None or amount.get("Ccy", "EUR") != "EUR":
        return 0
    try:
        cents = Decimal((amount.text or "").strip()) * 100
    except InvalidOperation:
        return 0
    return int(cents) if cents.is_finite() and cents == int(cents) else 0


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _all(element: Any, name: str) -> list[Any]:
    return [one for one in element if _tag(one) == name]


def _first(element: Any, name: str) -> Any:
    return next((one for one in element if _tag(one) == name), None)


def _text(element: Any, name: str) -> str:
    found = _first(element, name)
    return "" if found is None else (found.text or "").strip()


def _under(element: Any, name: str) -> str:
    return next(((one.text or "").strip() for one in element.iter() if _tag(one) == name), "")


def _texts(element: Any, name: str) -> list[str]:
    return [" ".join((one.text or "").split()) for one in element.iter() if _tag(one) == name]
