"""Labels: one is ordered once, given by hand, printed, cancelled.

An order costs money and has no key that makes a repeat harmless: when an answer is lost the label
is `unknown` until somebody looked at the carrier's site (docs/decisions/0005). This chapter does
not know what travels: the chapter whose parcel it is says so with `serves`.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, TypedDict
from urllib.parse import urlsplit

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from gateways import GatewayError, Relay, Shipment, Tracking
from gateways.by_hand import CARRIERS
from models import CarrierContract, Label, LabelState
from services import clock, files, outbox, retention, settings, workflow
from services.shipping import contracts
from services.unit import db
from services.workflow import CLOCK, CUSTOMER, STAFF, TIME, Actor, Move, Refused, Workflow

log = logging.getLogger(__name__)
S = LabelState
workflow.name_states(
    (S.requested, _l("Label ordered"), "info"),
    (S.unknown, _l("Label to look for"), "bad"),
    (S.refused, _l("Label refused"), "bad"),
    (S.made, _l("Label made"), "ok"),
    (S.in_transit, _l("On its way"), "info"),
    (S.at_relay, _l("To collect"), "warn"),
    (S.delivered, _l("Delivered"), "ok"),
    (S.incident, _l("Incident"), "bad"),
    (S.cancelled, _l("Cancelled"), "off"),
)
NOT_MADE = {S.requested, S.unknown, S.refused}
IN_TROUBLE = {S.unknown, S.refused}
TRAVELLING = {S.made, S.in_transit, S.at_relay, S.incident}
ANYBODY = (STAFF, TIME, CUSTOMER)
# The carrier is asked for the first time after this: nobody hands a parcel over at once.
FIRST_LOOK = timedelta(hours=6)

# ruff: disable[E501]
LABEL = Workflow(
    "label",
    # verb      label                                     from                                 to            only if  by
    Move("make",    _l("Label made"),                     NOT_MADE,                            S.made,       None,    (TIME, STAFF)),
    Move("lose",    _l("Answer of the carrier lost"),     {S.requested},                       S.unknown,    None,    (TIME,)),
    Move("refuse",  _l("Label refused by the carrier"),   {S.requested},                       S.refused,    None,    (TIME,)),
    Move("drop",    _l("Handed over to the carrier"),     {S.made, S.incident},                S.in_transit, None,    (TIME, STAFF)),
    Move("arrive",  _l("Arrived at the relay"),           {S.made, S.in_transit, S.incident},  S.at_relay,   None,    (TIME, STAFF)),
    Move("deliver", _l("Collected"),                      TRAVELLING,                          S.delivered,  None,    (TIME, STAFF)),
    Move("trouble", _l("Incident"),                       {S.made, S.in_transit, S.at_relay},  S.incident,   None,    (TIME, STAFF)),
    Move("cancel",  _l("Cancel this label"),              NOT_MADE | {S.made},                 S.cancelled,  None,    ANYBODY, done=_l("Label cancelled")),
)  # fmt: skip
# ruff: enable[E501]
workflow.says("label", warn=_l("Made, with a warning of the carrier"))
files.named_by(Label, "files")


# ── whose labels ──


@dataclass(frozen=True)
class Chapter:
    """What the owner of a label gives and hears. `shipment` says what travels; `moved` is called in
    the unit of a move, with the verb, what the carrier said (None when a person said it) and who.
    """

    shipment: Callable[[Label], Shipment]
    moved: Callable[[Label, str, Tracking | None, Actor], None]


# By the column of Label that names the owner.
_CHAPTERS: dict[str, Chapter] = {}


def serves(
    column: str,
    *,
    shipment: Callable[[Label], Shipment],
    moved: Callable[[Label, str, Tracking | None, Actor], None],
) -> None:
    """Declare whose labels have this column set, and how their chapter answers."""
    _CHAPTERS[column] = Chapter(shipment, moved)


def _chapter(label: Label) -> Chapter:
    return next(one for column, one in _CHAPTERS.items() if getattr(label, column) is not None)


def move(
    label: Label,
    verb: str,
    *,
    by: Actor,
    seen: Tracking | None = None,
    set: dict[str, Any] | None = None,
) -> None:
    """Move a label and tell its chapter, in the caller's unit. The log belongs to what travels."""
    LABEL.fire(label, verb, by=by, set=set, log=False)
    _chapter(label).moved(label, verb, seen, by)


# ── ordered ──


def order(
    contract: CarrierContract,
    *,
    kind: str = contracts.RELAY,
    insurance: int = 0,
    weight_grams: int,
    reference: str,
    **whose: int,
) -> Label:
    """Order a label by a contract; `whose` is the one column that names what travels. The worker
    asks the carrier. Raises Refused for a level or a weight no carrier takes.
    """
    if not contracts.is_covered(contract, insurance):
        raise Refused(_("This insurance level is not in the contract."))
    if not 10 <= weight_grams <= 30_000:
        raise Refused(_("The weight goes from 10 g to 30 kg."))
    label = Label(
        vendor_id=contract.vendor_id,
        contract=contract,
        carrier=contract.carrier,
        carrier_name=contract.name,
        kind=kind,
        status=S.requested,
        insurance=insurance,
        weight_grams=weight_grams,
        reference=reference,
        requested_at=clock.now(),
        files={},
        relays=[],
        **whose,
    )
    db.session.add(label)
    db.session.flush()
    outbox.add("label", f"label:{label.id}", label=label.id)
    return label


class LabelOrder(TypedDict):
    """What the outbox keeps of a label to order."""

    label: int


def _order_now(payload: LabelOrder, key: str) -> str:
    """Order the label, then what may fail without harm: the relays near the sender, the PDF."""
    label = db.session.get(Label, payload["label"])
    if label is None or label.status is not S.requested:  # cancelled, or given by hand meanwhile
        return ""
    contract, carrier = label.contract, contracts.carrier(label.carrier)
    if contract is None:
        raise GatewayError(
            _("The carrier's contract was taken away: nobody can order this label."),
            permanent=True,
        )
    if carrier is None:
        raise GatewayError(_("This installation speaks to no such carrier."), waits=True)
    opened, shipment = contracts.account(contract), _chapter(label).shipment(label)
    db.session.rollback()
    made = carrier.create_label(opened, shipment)
    near: list[Relay] = []
    stored: dict[str, str] = {}
    try:
        if shipment.relays_near:
            near = carrier.relays(opened, shipment.relays_near, most=5)
        size = carrier.formats[0]
        stored = {size: files.keep(carrier.label_pdf(made.url, size), ".pdf")}
    except Exception:
        # A label that was paid for must not be lost: relays and PDF are asked for again later.
        log.exception("relays or PDF of label %s could not be read", made.number)
    return json.dumps(
        {
            "number": made.number,
            "url": made.url,
            "relays": [asdict(relay) for relay in near],
            "files": stored,
            "warning": made.warning,
        }
    )


def _warn(label: Label, warning: str) -> None:
    """The label was made without something that was asked: it is kept, and a person looks."""
    label.error = _(
        "The label was made, and the carrier left something out: %(warning)s", warning=warning[:300]
    )
    workflow.record(label, "warn", by=CLOCK, words=warning[:300])


def _ordered(payload: LabelOrder, answer: str | None, error: str | None) -> None:
    label = db.session.get(Label, payload["label"])
    if label is None:
        return
    made = json.loads(answer) if answer else None
    if label.status is not S.requested:
        if made and not label.number:  # cancelled before the answer came: it exists at the carrier
            label.number = made["number"]
        return
    if made:
        values = {"files": made["files"], "relays": made["relays"]}
        found(label, made["number"], made["url"], by=CLOCK, **values)
        if warning := made.get("warning"):
            _warn(label, warning)
    elif error == outbox.UNSURE:
        sentence = _(
            "The carrier's answer was lost: look on its site whether a label %(number)s exists"
            " before asking again.",
            number=label.reference,
        )
        move(label, "lose", by=CLOCK, set={"error": sentence})
    elif error is not None:
        move(label, "refuse", by=CLOCK, set={"error": error})


outbox.handles("label", _l("Label to order"), call=_order_now, record=_ordered, once=True)


def found(label: Label, number: str, url: str = "", *, by: Actor, **facts: Any) -> None:
    """The label exists: the carrier answered, or somebody saw it on the carrier's site. From now on
    the carrier is asked where the parcel is.
    """
    carrier, now = contracts.carrier(label.carrier), clock.now()
    follow_at = now + FIRST_LOOK if carrier is not None and carrier.follows else None
    columns = {
        "number": number,
        "url": url,
        "error": "",
        "is_test": bool(label.contract and label.contract.is_test),
        "made_at": now,
        "follow_at": follow_at,
        **facts,
    }
    move(label, "make", by=by, set=columns)


def look_up(label: Label, typed: str) -> tuple[str, str]:
    """Number and address of a label the carrier knows by its number. Call with no unit open. Raises
    Refused in words.
    """
    number, contract = "".join(typed.split()), label.contract
    carrier = contracts.carrier(label.carrier)
    if reason := contracts.why_no_label(contract):
        raise Refused(reason)
    assert contract is not None and carrier is not None  # noqa: PT018 (one fact for the reader)
    if reason := carrier.why_no_number(number):
        raise Refused(reason)
    opened = contracts.account(contract)
    db.session.rollback()
    try:
        return number, carrier.find_label(opened, number)
    except GatewayError as error:
        raise Refused(_("The carrier does not find it: %(why)s", why=str(error))) from None


def cancel(label: Label, *, by: Actor) -> None:
    """The label serves no more. One that nobody used costs nothing."""
    move(label, "cancel", by=by, set={"follow_at": None})


# ── made elsewhere ──


def carriers_by_hand() -> list[str]:
    """The carriers whose label may be made elsewhere."""
    return list(CARRIERS)


def by_hand(
    vendor_id: int,
    *,
    carrier_name: str,
    number: str,
    link: str = "",
    pdf: bytes | None = None,
    kind: str = contracts.RELAY,
    weight_grams: int = 0,
    reference: str = "",
    by: Actor,
    **whose: int,
) -> Label:
    """« Envoi suivi à la main »: a label that a person made elsewhere; `pdf` is what to print, when
    they have it. Raises Refused for a carrier, a number or a link that cannot be one.
    """
    number, link = "".join(number.split()), link.strip()
    if carrier_name not in CARRIERS:
        raise Refused(_("Choose the carrier in the list."))
    if reason := contracts.carrier(contracts.BY_HAND).why_no_number(number):  # type: ignore[union-attr]
        raise Refused(reason)
    if link and not _is_link(link):
        raise Refused(
            _("The link begins with https:// and has 500 characters at most: copy it whole.")
        )
    if pdf is not None and not pdf.startswith(b"%PDF"):
        raise Refused(_("The label must be a PDF: save it from the carrier's site."))
    now = clock.now()
    label = Label(
        vendor_id=vendor_id,
        carrier=contracts.BY_HAND,
        carrier_name=carrier_name,
        kind=kind,
        status=S.requested,
        weight_grams=weight_grams,
        reference=reference,
        tracking_link=link,
        requested_at=now,
        files={"A4": files.keep(pdf, ".pdf")} if pdf else {},
        relays=[],
        **whose,
    )
    db.session.add(label)
    db.session.flush()
    found(label, number, by=by)
    return label


# ── printed, followed by link ──


def is_uncertain(label: Label | None) -> bool:
    """Whether the carrier may have made a label whose number we did not read."""
    return label is not None and label.status is S.unknown


def is_followed(label: Label | None) -> bool:
    """Whether its carrier can be asked where the parcel is."""
    return label is not None and label.status in TRAVELLING and bool(label.follow_at)


def sizes(label: Label) -> tuple[str, ...]:
    """The formats a label can be printed in; none for one that was made elsewhere without its
    PDF.
    """
    carrier = contracts.carrier(label.carrier)
    if carrier is None or not carrier.formats:
        return tuple(label.files)
    return carrier.formats if label.number else ()


def _is_link(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and "." in (parts.hostname or "") and len(link) <= 500


def pdf(label: Label | None, size: str) -> bytes:
    """The label in a size, asked of the carrier once and kept. Call with no unit open. Raises
    Refused in words.
    """
    if label is None or not label.number:
        raise Refused(_("This parcel has no label of the carrier."))
    if kept := label.files.get(size):
        return files.read(kept)
    name = f"label-{label.id}-{label.number}-{size}.pdf"
    if files.exists(name):
        return files.read(name)
    carrier, url = contracts.carrier(label.carrier), label.url
    if carrier is None or size not in carrier.formats:
        raise Refused(_("This label cannot be printed here: the carrier's site has it."))
    db.session.rollback()
    try:
        data = carrier.label_pdf(url, size)
    except GatewayError:
        raise Refused(
            _(
                "%(carrier)s does not answer just now: the label exists, try again in a few"
                " minutes.",
                carrier=carrier.name,
            )
        ) from None
    files.keep_as(name, data)  # a file only: asking for a document writes nothing in the database
    return data


def tracking_address(label: Label | None) -> str:
    """The carrier's public page about a parcel; empty when there is none."""
    if label is None or not label.number:
        return ""
    if label.tracking_link:
        return label.tracking_link
    carrier = contracts.carrier(label.carrier)
    if carrier is None or (label.carrier != contracts.BY_HAND and label.contract is None):
        return ""
    opened = contracts.account(label.contract) if label.contract is not None else None
    return carrier.tracking_link(opened, label.number, label.carrier_name)


def relays_near(contract: CarrierContract | None, postcode: str) -> list[dict[str, Any]]:
    """Relay points near a postcode, from the carrier. Call with no unit open; an empty list when it
    does not answer.
    """
    if contract is None or contracts.why_no_label(contract):
        return []
    carrier, opened = contracts.carrier(contract.carrier), contracts.account(contract)
    assert carrier is not None
    db.session.rollback()
    try:
        return [asdict(relay) for relay in carrier.relays(opened, postcode)]
    except GatewayError:
        return []


# ── how long ──


def forget(label: Label) -> list[str]:
    """Forget what shows an address: the files of the label and the relays near the sender. Returns
    the files to remove.
    """
    names = list(label.files.values())
    label.files, label.relays, label.url = {}, [], ""
    return names


retention.rule(
    "labels",
    _l("Labels of parcels, relay points near the seller"),
    lambda: _l("%(n)s months", n=settings.value("photo_months")),
    _l("To print them again while the parcel travels."),
    Label,
    lambda now: select(Label.id).where(
        Label.made_at < now - retention.months(settings.value("photo_months")),
        Label.url != "",
        Label.follow_at.is_(None),
    ),
    forget,
)
