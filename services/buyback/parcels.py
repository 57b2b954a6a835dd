"""Parcels: a label is ordered once, the carrier is followed, the seller is reminded, articles go
back.

A label costs money and has no key that makes a repeat harmless: when an answer is lost the parcel
is `label_unknown`
until somebody looked at the carrier's site (docs/decisions/0005).
"""

import json
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from gateways import (
    Address,
    CarrierAccount,
    GatewayError,
    Label,
    Relay,
    Shipment,
    Trace,
    Tracking,
    live,
    mondial_relay,
)
from models import (
    CarrierContract,
    CarrierService,
    Customer,
    Offer,
    OfferState,
    Parcel,
    ParcelEvent,
    ParcelState,
    Platform,
    Product,
    Variant,
    Vendor,
)
from services import (
    clock,
    files,
    messages,
    outbox,
    personal,
    retention,
    sealing,
    settings,
    workflow,
)
from services.buyback import letters
from services.people import identity
from services.unit import db, retried, unit_of_work
from services.workflow import CLOCK, STAFF, TIME, Actor, Move, Refused, Workflow

log = logging.getLogger(__name__)
S = ParcelState
workflow.name_states(
    (S.label_requested, _l("Label ordered"), "info"),
    (S.label_unknown, _l("Label to look for"), "bad"),
    (S.label_refused, _l("Label refused"), "bad"),
    (S.not_sent, _l("Not sent"), "warn"),
    (S.in_transit, _l("On its way"), "info"),
    (S.at_relay, _l("To collect"), "warn"),
    (S.delivered, _l("Delivered"), "warn"),
    (S.inspecting, _l("Being examined"), "info"),
    (S.checked, _l("Received and checked"), "ok"),
    (S.abandoned, _l("Abandoned"), "bad"),
    (S.incident, _l("Incident"), "bad"),
    (S.to_return, _l("To be sent back"), "warn"),
    (S.returned, _l("Sent back to the seller"), "ok"),
    (CarrierService.soap, _l("SOAP (API 1)"), "info"),
    (CarrierService.rest, _l("REST (API 2, Connect)"), "info"),
)
LABELLESS = {S.label_requested, S.label_unknown, S.label_refused}
COMING = {S.not_sent, S.in_transit, S.at_relay, S.incident}


# ruff: disable[E501]
PARCEL = Workflow(
    "parcel",
    # verb          label                                 from                                    to
    # only if  by
    Move("label_made", _l("Label made"),                     LABELLESS,                              S.not_sent,         None,    (TIME, STAFF)),
    Move("lose_label", _l("Answer of the carrier lost"),     {S.label_requested},                    S.label_unknown,    None,    (TIME,)),
    Move("no_label",   _l("Label refused by the carrier"),   {S.label_requested},                    S.label_refused,    None,    (TIME,)),
    Move("ask_label",  _l("Ask for a label again"),          {S.label_refused, S.label_unknown, S.not_sent}, S.label_requested, done=_l("Label asked for again")),
    Move("do_without", _l("Do without a label"),             {S.label_refused, S.label_unknown},     S.not_sent, done=_l("Done without a label")),
    Move("drop",       _l("Handed over to the carrier"),     {S.not_sent, S.incident},               S.in_transit,       None,    (TIME, STAFF)),
    Move("arrive",     _l("Arrived at the relay"),           {S.not_sent, S.in_transit, S.incident}, S.at_relay,         None,    (TIME, STAFF)),
    Move("deliver",    _l("Collected"),                      COMING,                                 S.delivered,        None,    (TIME, STAFF)),
    Move("trouble",    _l("Incident"),                       {S.not_sent, S.in_transit, S.at_relay}, S.incident,         None,    (TIME, STAFF)),
    Move("open",       _l("Open the parcel"),                LABELLESS | COMING | {S.delivered, S.abandoned}, S.inspecting, done=_l("Parcel opened")),
    Move("check",      _l("Received and checked"),           {S.inspecting},                         S.checked),
    Move("abandon",    _l("Abandoned"),                      LABELLESS | {S.not_sent, S.incident},   S.abandoned,        None,    (STAFF, TIME)),
    Move("send_back",  _l("Sent back to the seller"),        {S.to_return},                          S.returned),
)  # fmt: skip
# ruff: enable[E501]
sealing.keeps(CarrierContract, "key_sealed", lambda row: f"carrier_contract.key:{row.vendor_id}")
sealing.keeps(
    CarrierContract, "password_sealed", lambda row: f"carrier_contract.password:{row.vendor_id}"
)
files.named_by(Parcel, "label_files")

workflow.says(
    "parcel",
    request=_l("Parcel expected"),
    remind=_l("Reminder by e-mail"),
    text=_l("Reminder by SMS"),
    return_asked=_l("Return asked for"),
    look=_l("Label looked up"),
)
workflow.says("carrier_contract", check_contract=_l("Connection tested"))
# Only forward: where each state stands on the way to us.
_RANK = {S.not_sent: 0, S.in_transit: 1, S.at_relay: 2, S.delivered: 3}
_VERB = {S.in_transit: "drop", S.at_relay: "arrive", S.delivered: "deliver", S.incident: "trouble"}
# Indemnity of each level in cents (vendor's conditions: 25 € without one, five levels up to 500 €).
INSURANCE = (2500, 5000, 12_500, 25_000, 37_500, 50_000)
FORMATS = mondial_relay.FORMATS


# ── the contract ──


def contract_of(vendor_id: int) -> CarrierContract | None:
    return db.session.get(CarrierContract, vendor_id)


def why_no_label(contract: CarrierContract | None) -> str | None:
    """None when labels can be ordered, else the sentence under the greyed buttons."""
    if contract is None:
        return _(
            "No Mondial Relay contract yet: an administrator gives its codes under « Paramétrages"
            " divers → Transporteurs ». « Offre Start » is enough."
        )
    missing = [
        words
        for words, value in (
            (_("code enseigne"), contract.account),
            (_("private key"), contract.key_sealed),
            (_("destination relay"), contract.relay_number),
            (_("recipient's name"), contract.recipient),
            (_("street"), contract.street),
            (_("postcode"), contract.postcode),
            (_("town"), contract.city),
            (_("phone"), contract.phone),
            (_("API 2 login"), contract.login or contract.service is CarrierService.soap),
            (
                _("API 2 password"),
                contract.password_sealed or contract.service is CarrierService.soap,
            ),
        )
        if not value
    ]
    if missing:
        return _(
            "The Mondial Relay contract is incomplete: %(missing)s. Complete it under «"
            " Paramétrages divers → Transporteurs ».",
            missing=", ".join(missing),
        )
    if live.carrier is None:
        return _(
            "This installation reaches no carrier: set COMPTOIR_MONDIAL_RELAY_URL, or"
            " COMPTOIR_ENV=production."
        )
    return None


def levels(contract: CarrierContract | None) -> list[tuple[int, int]]:
    """The insurance levels a contract opens: (level, indemnity in cents), without the standard
    one.
    """
    return [
        (level, INSURANCE[level])
        for level in range(1, (contract.insurance_levels if contract else 3) + 1)
    ]


def level_for(contract: CarrierContract | None, amount_cents: int) -> int:
    """Which level an automatic label gets: none for a small lot, else the smallest that covers
    it.
    """
    if contract is None or amount_cents < settings.value("insure_over_euros") * 100:
        return 0
    return next(
        (level for level, covers in levels(contract) if covers >= amount_cents),
        contract.insurance_levels,
    )


def keep_secrets(contract: CarrierContract, key: str, password: str) -> None:
    """Seal what was typed; an empty field keeps the secret we have."""
    if key.strip():
        contract.key_sealed = sealing.seal(
            key.strip(), f"carrier_contract.key:{contract.vendor_id}"
        )
    if password.strip():
        contract.password_sealed = sealing.seal(
            password.strip(), f"carrier_contract.password:{contract.vendor_id}"
        )


def account(contract: CarrierContract) -> CarrierAccount:
    """The contract opened for a call."""
    vendor = contract.vendor_id
    return CarrierAccount(
        service=contract.service.value,
        is_test=contract.is_test,
        account=contract.account,
        brand=contract.brand,
        key=(
            sealing.unseal(contract.key_sealed, f"carrier_contract.key:{vendor}")
            if contract.key_sealed
            else ""
        ),
        login=contract.login,
        password=(
            sealing.unseal(contract.password_sealed, f"carrier_contract.password:{vendor}")
            if contract.password_sealed
            else ""
        ),
        relay_country=contract.relay_country,
        relay_number=contract.relay_number,
    )


def test_connection(contract: CarrierContract) -> tuple[bool, str]:
    """« Tester la connexion »: ask the carrier something harmless. Call with no unit open; the
    answer is a sentence.
    """
    if live.carrier is None:
        return False, _(
            "This installation reaches no carrier: set COMPTOIR_MONDIAL_RELAY_URL, or"
            " COMPTOIR_ENV=production."
        )
    opened = account(contract)
    db.session.rollback()
    try:
        live.carrier.check(opened)
    except GatewayError as error:
        return False, str(error)
    return True, _("Mondial Relay knows this contract: labels can be ordered.")


# ── a parcel is expected, its label ordered ──


def live_parcel(offer: Offer) -> Parcel | None:
    """The parcel of an offer on its way to us."""
    return next((p for p in offer.parcels if not p.is_return and p.status is not S.abandoned), None)


def return_parcel(offer: Offer) -> Parcel | None:
    return next((p for p in offer.parcels if p.is_return), None)


def request(offer: Offer, insurance: int = 0, *, by: Actor) -> Parcel:
    """Expect the parcel of an accepted offer; with a contract its label is ordered, and the seller
    is told once it is there.
    """
    if (parcel := live_parcel(offer)) is not None:
        if insurance and insurance != parcel.insurance:
            ask_again(parcel, insurance, _weight(offer, contract_of(offer.vendor_id)), by=by)
        elif (
            parcel.status not in LABELLESS
        ):  # games were added to a sale that had its label already
            _tell_validated(parcel)
        return parcel
    contract = contract_of(offer.vendor_id)
    orders = why_no_label(contract) is None
    if insurance and not orders:
        raise Refused(why_no_label(contract) or "")
    if insurance and insurance not in dict(levels(contract)):
        raise Refused(_("This insurance level is not in the contract."))
    parcel = Parcel(
        vendor_id=offer.vendor_id,
        offer=offer,
        is_return=False,
        status=S.label_requested if orders else S.not_sent,
        carrier="mondial_relay" if orders else "",
        insurance=insurance,
        weight_grams=_weight(offer, contract),
        created_at=clock.now(),
        label_files={},
        relays=[],
    )
    db.session.add(parcel)
    workflow.record(parcel, "request", by=by, insurance=_level_words(insurance) if orders else "")
    if orders:
        _order(parcel)
    else:
        _tell_validated(parcel)
    return parcel


def ask_again(
    parcel: Parcel, insurance: int | None = None, weight_grams: int | None = None, *, by: Actor
) -> None:
    """A new label instead of the one there is (another level, a corrected weight), or after the
    carrier refused. A label nobody used costs nothing.
    """
    contract = contract_of(parcel.vendor_id)
    if reason := why_no_label(contract):
        raise Refused(reason)
    if insurance is not None and insurance and insurance not in dict(levels(contract)):
        raise Refused(_("This insurance level is not in the contract."))
    if weight_grams is not None and not 10 <= weight_grams <= 30_000:
        raise Refused(_("The weight goes from 10 g to 30 kg."))
    PARCEL.fire(
        parcel,
        "ask_label",
        by=by,
        cancelled=parcel.label_number,
        insurance=_level_words(parcel.insurance if insurance is None else insurance),
    )
    parcel.carrier = "mondial_relay"
    parcel.insurance = parcel.insurance if insurance is None else insurance
    parcel.weight_grams = weight_grams or parcel.weight_grams
    parcel.label_number = parcel.label_url = parcel.label_error = ""
    parcel.label_files, parcel.label_at, parcel.follow_at, parcel.link_clicked_at = (
        {},
        None,
        None,
        None,
    )
    _order(parcel)


def do_without(parcel: Parcel, *, by: Actor) -> None:
    """No label of ours: the seller sends it his own way, or the shop mails him one."""
    PARCEL.fire(parcel, "do_without", by=by)
    parcel.carrier, parcel.label_error = "", ""
    _tell_validated(parcel)


def label_found(parcel: Parcel, number: str, *, by: Actor) -> None:
    """After a lost answer: somebody saw the label on the carrier's site. `look_up` asked the
    carrier first.
    """
    if parcel.status is not S.label_unknown and not (parcel.is_return and parcel.label_error):
        raise Refused(_("This parcel does not look for its label."))
    other = db.session.scalar(
        select(Parcel).where(Parcel.label_number == number, Parcel.id != parcel.id)
    )
    if other is not None:
        raise Refused(
            _("This label is the one of %(number)s: look again.", number=other.offer.number)
        )
    _label_made(parcel, Label(number, parcel.label_url), [], {}, by=by)


def look_up(parcel: Parcel, number: str) -> str:
    """The address of a label the carrier knows by its number. Call with no unit open. Raises
    Refused in words.
    """
    number = "".join(number.split())
    if not (number.isascii() and number.isdigit() and len(number) == 8):
        raise Refused(_("A label number has 8 digits: read it on the carrier's site."))
    contract = contract_of(parcel.vendor_id)
    if reason := why_no_label(contract):
        raise Refused(reason)
    assert contract is not None
    opened = account(contract)
    db.session.rollback()
    try:
        return live.carrier.find_label(opened, number)
    except GatewayError as error:
        raise Refused(_("The carrier does not find it: %(why)s", why=str(error))) from None


def _order(parcel: Parcel) -> None:
    parcel.label_asked += 1
    db.session.flush()
    outbox.add(
        "label",
        f"label:{parcel.id}:{parcel.label_asked}",
        parcel=parcel.id,
        asked=parcel.label_asked,
    )


def _order_now(payload: dict[str, Any], key: str) -> str:
    """Order the label, then what may fail without harm: the relays near the seller, the PDF."""
    parcel = db.session.get_one(Parcel, payload["parcel"])
    contract = contract_of(parcel.vendor_id)
    if parcel.label_asked != payload["asked"]:  # another order took its place
        return ""
    if contract is None:
        raise GatewayError(
            _("The Mondial Relay contract was taken away: nobody can order this label."),
            permanent=True,
        )
    if live.carrier is None:
        raise GatewayError("no carrier", waits=True)
    opened, shipment = account(contract), _shipment(parcel, contract)
    postcode, is_return = shipment.sender.postcode, parcel.is_return
    db.session.rollback()
    label = live.carrier.create_label(opened, shipment)
    near: list[Relay] = []
    kept: dict[str, str] = {}
    try:
        near = [] if is_return else live.carrier.relays(opened, postcode, most=5)
        kept = {"A4": files.keep(live.carrier.label_pdf(label.url, "A4"), ".pdf")}
    except Exception:
        # A label that was paid for must not be lost: relays and PDF are asked for again later.
        log.exception("relays or PDF of label %s could not be read", label.number)
    return json.dumps(
        {
            "number": label.number,
            "url": label.url,
            "relays": [asdict(r) for r in near],
            "files": kept,
        }
    )


def _ordered(payload: dict[str, Any], answer: str | None, error: str | None) -> None:
    parcel = db.session.get_one(Parcel, payload["parcel"])
    if parcel.label_asked != payload["asked"]:
        return
    if (
        parcel.status is not S.label_requested and not parcel.is_return
    ):  # opened or abandoned before the answer came
        if answer is not None:
            parcel.label_number = json.loads(answer)["number"]
        return
    if answer is not None:
        made = json.loads(answer)
        _label_made(
            parcel, Label(made["number"], made["url"]), made["relays"], made["files"], by=CLOCK
        )
    elif error == outbox.UNSURE:
        parcel.label_error = _(
            "The carrier's answer was lost: look on its site whether a label %(number)s exists"
            " before asking again.",
            number=parcel.offer.number,
        )
        if not parcel.is_return:
            PARCEL.fire(parcel, "lose_label", by=CLOCK)
    elif error is not None:
        parcel.label_error = error
        if not parcel.is_return:
            PARCEL.fire(parcel, "no_label", by=CLOCK, reason=error)


outbox.handles("label", _l("Label to order"), call=_order_now, record=_ordered, once=True)


def the_label_is(parcel: Parcel, number: str) -> None:
    """For the demonstration only: give the parcel a label number without asking the carrier, and
    void the order that waits.
    """
    parcel.label_asked += 1
    _label_made(parcel, Label(number, _label_path(parcel, number)), [], {}, by=CLOCK)


def _label_path(parcel: Parcel, number: str) -> str:
    contract = contract_of(parcel.vendor_id)
    assert contract is not None
    opened = account(contract)
    crc = mondial_relay.link_signature(opened.account, opened.brand, number, key=opened.key)
    return (
        f"/ww2/PDF/StickerMaker2.aspx?ens={opened.account}{opened.brand}"
        f"&expedition={number}&lg=FR&format=A4&crc={crc}"
    )


def trace(state: str, words: str, events: tuple[Trace, ...]) -> Tracking:
    """What the carrier would answer, said by somebody else."""
    return Tracking(state, words, events)


def seen(at: datetime, words: str) -> Trace:
    return Trace(at, words, "FRANCE", "")


def _label_made(
    parcel: Parcel, label: Label, near: list[dict[str, Any]], kept: dict[str, str], *, by: Actor
) -> None:
    now = clock.now()
    contract = contract_of(parcel.vendor_id)
    parcel.label_number, parcel.label_url, parcel.label_files, parcel.label_error = (
        label.number,
        label.url,
        kept,
        "",
    )
    parcel.label_is_test = bool(contract and contract.is_test)
    parcel.label_at = now
    parcel.relays = near or parcel.relays
    if parcel.is_return:
        workflow.record(parcel, "label_made", by=by, number=label.number)
        return
    PARCEL.fire(parcel, "label_made", by=by, number=label.number)
    parcel.follow_at = now + timedelta(hours=6)
    if parcel.offer.status is OfferState.accepted:
        _tell_validated(parcel)


def _tell_validated(parcel: Parcel) -> None:
    """The seller's mail: validated, label, slip, deadline, relays (VX-066 to VX-070)."""
    offer = parcel.offer
    assert offer.customer is not None
    messages.tell(
        offer.customer,
        "offer_validated",
        site=offer.site,
        offer=offer,
        parcel=parcel,
        first_sale_papers=needs_identity(offer),
        label_link=letters.document_link(offer, "label", parcel.id) if parcel.label_number else "",
        slip_link=letters.document_link(offer, "slip", offer.id),
        relays=parcel.relays[:4],
        seen_link=(
            letters.document_link(offer, "seen", parcel.id)
            if settings.value("mail_pixel") == "yes"
            else ""
        ),
        **letters.facts(offer),
    )


def needs_identity(offer: Offer) -> bool:
    """Whether the seller must show a document: the vendor keeps a register and has none of him."""
    return bool(
        offer.vendor.police_register
        and offer.customer_id
        and identity.of(offer.vendor_id, offer.customer_id) is None
    )


def label_file(parcel: Parcel, size: str) -> bytes:
    """The label in a size, asked of the carrier once and kept. Call with no unit open. Raises
    Refused in words.
    """
    if size not in FORMATS or not parcel.label_number:
        raise Refused(_("This parcel has no label of the carrier."))
    if known := parcel.label_files.get(size):
        return files.read(known)
    if files.path(f"label-{parcel.id}-{parcel.label_number}-{size}.pdf").exists():
        return files.read(f"label-{parcel.id}-{parcel.label_number}-{size}.pdf")
    if live.carrier is None:
        raise Refused(
            _(
                "This installation reaches no carrier: set COMPTOIR_MONDIAL_RELAY_URL, or"
                " COMPTOIR_ENV=production."
            )
        )
    name, url = f"label-{parcel.id}-{parcel.label_number}-{size}.pdf", parcel.label_url
    db.session.rollback()
    try:
        data = live.carrier.label_pdf(url, size)
    except GatewayError:
        raise Refused(
            _(
                "Mondial Relay does not answer just now: the label exists, try again in a few"
                " minutes."
            )
        ) from None
    files.keep_as(name, data)  # on disk only: asking for a document writes nothing in the database
    return data


def relays_near(vendor_id: int, postcode: str) -> list[dict[str, Any]]:
    """Relay points near a postcode, from the carrier. Call with no unit open; an empty list when he
    does not answer.
    """
    contract = contract_of(vendor_id)
    if contract is None or why_no_label(contract):
        return []
    opened = account(contract)
    db.session.rollback()
    try:
        return [asdict(relay) for relay in live.carrier.relays(opened, postcode)]
    except GatewayError:
        return []


def tracking_address(parcel: Parcel) -> str:
    """The carrier's own page about a parcel; empty without a label."""
    contract = contract_of(parcel.vendor_id)
    if not parcel.label_number or contract is None or not contract.key_sealed:
        return ""
    return mondial_relay.tracking_link(account(contract), parcel.label_number)


# ── following ──

HOURS_BETWEEN_LOOKS = 3
AT_ONCE = 4


def to_follow(limit: int = 500) -> list[int]:
    """Parcels it is time to ask the carrier about."""
    states = (S.not_sent, S.in_transit, S.at_relay, S.incident)
    rows = select(Parcel.id).where(
        Parcel.follow_at <= clock.now(), Parcel.status.in_(states), Parcel.label_number != ""
    )
    return list(db.session.scalars(rows.order_by(Parcel.follow_at).limit(limit)))


def follow(ids: Iterable[int]) -> int:
    """Ask the carrier where parcels are, a few at a time, and move each in a unit of its own.
    Returns how many answered.
    """
    if live.carrier is None:
        return 0
    ids = list(ids)
    asked: list[tuple[int, CarrierAccount, str]] = []
    opened: dict[int, CarrierAccount | None] = {}
    for id, vendor_id, number in db.session.execute(
        select(Parcel.id, Parcel.vendor_id, Parcel.label_number).where(Parcel.id.in_(ids))
    ):
        if vendor_id not in opened:
            contract = contract_of(vendor_id)
            try:
                opened[vendor_id] = (
                    account(contract) if contract and not why_no_label(contract) else None
                )
            except sealing.CannotOpen:
                log.exception("the carrier's key of vendor %s cannot be opened", vendor_id)
                opened[vendor_id] = None
        if (known := opened[vendor_id]) is not None and number:
            asked.append((id, known, number))
    db.session.rollback()
    done = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for id, answer in zip(
            (a[0] for a in asked), pool.map(lambda a: _ask(a[1], a[2]), asked), strict=True
        ):

            def keep(id: int = id, answer: Tracking | None = answer) -> None:
                with unit_of_work() as session:
                    parcel = session.get(Parcel, id)
                    if parcel is not None:
                        tracked(parcel, answer)

            try:
                retried(keep)
                done += answer is not None
            except Exception:  # one parcel must not stop the tour; it is asked again at the next
                log.exception("parcel %s could not be followed", id)
    return done


def _ask(opened: CarrierAccount, number: str) -> Tracking | None:
    try:
        return live.carrier.track(opened, number)
    except GatewayError:
        return None
    except Exception:
        log.exception("tracing of %s failed", number)
        return None


def tracked(parcel: Parcel, answer: Tracking | None) -> None:
    """Write down what the carrier saw and move the parcel forward, never back. None: he did not
    answer, asked again later.
    """
    parcel.follow_at = clock.now() + timedelta(hours=HOURS_BETWEEN_LOOKS)
    if answer is None:
        return
    known = {(event.at, event.words) for event in parcel.events}
    for seen in answer.events:
        if (seen.at, seen.words) not in known:
            known.add((seen.at, seen.words))
            db.session.add(
                ParcelEvent(
                    parcel_id=parcel.id,
                    at=seen.at,
                    words=seen.words[:200],
                    place=seen.place[:100],
                    relay=seen.relay[:6],
                )
            )
    parcel.last_words = answer.words[:200]
    if not answer.state or parcel.status not in COMING:
        return
    state = S(answer.state)
    if state is S.incident:
        if parcel.status is not S.incident:
            _went(parcel, state, answer, CLOCK)
    elif _RANK[state] > _RANK.get(parcel.status, -1) and (
        parcel.status is not S.incident or state is not S.not_sent
    ):
        _went(parcel, state, answer, CLOCK)


def _went(parcel: Parcel, state: ParcelState, answer: Tracking | None, by: Actor) -> None:
    at = answer.events[-1].at if answer and answer.events else clock.now()
    PARCEL.fire(parcel, _VERB[state], by=by, words=answer.words if answer else "")
    if state is not S.incident:
        first = next((e.at for e in answer.events[1:]), at) if answer else at
        parcel.dropped_at = parcel.dropped_at or first
    if state in (S.at_relay, S.delivered):
        parcel.arrived_at = parcel.arrived_at or at
    if state is S.delivered:
        parcel.delivered_at = at
    if state is S.incident:
        messages.tell_shop(
            "parcel_incident",
            site=parcel.offer.site,
            offer=parcel.offer,
            words=parcel.last_words or "—",
        )


def say(parcel: Parcel, verb: str, *, by: Actor) -> None:
    """Staff say where a parcel is: it came by another way, or the carrier does not."""
    state = {
        "drop": S.in_transit,
        "arrive": S.at_relay,
        "deliver": S.delivered,
        "trouble": S.incident,
    }[verb]
    if reason := PARCEL.why_not(parcel, verb, by.kind):
        raise Refused(reason)
    _went(parcel, state, None, by)


# ── reminders, abandonment ──


def waiting_days(parcel: Parcel) -> int:
    """Paris days since the seller could drop it off."""
    start = parcel.label_at or parcel.offer.decided_at or parcel.created_at
    return (clock.today() - clock.paris(start).date()).days


def why_not_remind(parcel: Parcel) -> str | None:
    """« Relance email »: after 5 days without a drop-off."""
    days = settings.value("remind_days")
    if parcel.status is not S.not_sent:
        return _("Only a parcel that was not dropped off is reminded of.")
    if waiting_days(parcel) < days:
        return _("Possible %(days)s days after the validation.", days=days)
    return None


def why_not_text(parcel: Parcel) -> str | None:
    """« Relance SMS »: after 10 days, when the number is a mobile."""
    days = settings.value("text_days")
    if parcel.status is not S.not_sent:
        return _("Only a parcel that was not dropped off is reminded of.")
    if waiting_days(parcel) < days:
        return _("Possible %(days)s days after the validation.", days=days)
    if parcel.offer.customer is None or not messages.is_mobile(parcel.offer.customer.phone):
        return _("This number cannot receive an SMS.")
    return None


def remind(parcel: Parcel, *, by: Actor) -> None:
    if reason := why_not_remind(parcel):
        raise Refused(reason)
    offer = parcel.offer
    assert offer.customer is not None
    parcel.reminded_at = clock.now()
    workflow.record(parcel, "remind", by=by)
    messages.tell(
        offer.customer, "drop_off_reminder", site=offer.site, offer=offer, late=_is_late(offer),
        label_link=letters.document_link(offer, "label", parcel.id) if parcel.label_number else "",
        slip_link=letters.document_link(offer, "slip", offer.id), **letters.facts(offer),
    )  # fmt: skip


def text(parcel: Parcel, *, by: Actor) -> None:
    if reason := why_not_text(parcel):
        raise Refused(reason)
    offer = parcel.offer
    assert offer.customer is not None
    parcel.texted_at = clock.now()
    workflow.record(parcel, "text", by=by)
    messages.text_to(
        offer.customer,
        "drop_off_reminder",
        site=offer.site,
        offer=offer,
        late=_is_late(offer),
        link=letters.facts(offer)["link"],
    )


def to_remind() -> list[int]:
    """Parcels nobody was reminded of yet, once the first delay is over."""
    return _silent(Parcel.reminded_at, settings.value("remind_days"))


def to_text() -> list[int]:
    return _silent(Parcel.texted_at, settings.value("text_days"))


def _silent(column: Any, days: int) -> list[int]:
    if settings.value("auto_reminders") != "yes":
        return []
    since = func.coalesce(Parcel.label_at, Parcel.created_at)
    rows = (
        select(Parcel.id)
        .join(Offer)
        .where(
            Offer.status == OfferState.accepted,
            Parcel.status == S.not_sent,
            column.is_(None),
            since < clock.now() - timedelta(days=days),
            Parcel.is_return.is_(False),
        )
    )
    return list(db.session.scalars(rows.limit(1000)))


def remind_by_clock(parcel: Parcel) -> None:
    remind(parcel, by=CLOCK)


def text_by_clock(parcel: Parcel) -> None:
    if parcel.offer.customer and not messages.is_mobile(parcel.offer.customer.phone):
        parcel.texted_at = clock.now()  # nothing to send, nothing to try again
        return
    text(parcel, by=CLOCK)


def _is_late(offer: Offer) -> bool:
    return bool(offer.drop_off_by and clock.now() > offer.drop_off_by)


def given_up() -> list[int]:
    """Offers whose parcel was never dropped off, long after its deadline."""
    limit = clock.now() - timedelta(days=settings.value("abandon_days"))
    rows = (
        select(Parcel.offer_id)
        .join(Offer)
        .where(
            Offer.status == OfferState.accepted,
            Parcel.status == S.not_sent,
            Parcel.is_return.is_(False),
            func.coalesce(Parcel.label_at, Parcel.created_at) < limit,
        )
    )
    return list(db.session.scalars(rows.limit(1000)))


def abandon(offer: Offer, *, by: Actor) -> None:
    """The parcel will not come (or must not: the sale ended otherwise). Refused once it is on its
    way.
    """
    if (parcel := live_parcel(offer)) is not None:
        PARCEL.fire(parcel, "abandon", by=by)


def stuck() -> list[int]:
    """Parcels that left and no longer move: somebody must call the carrier."""
    limit = clock.now() - timedelta(days=settings.value("stuck_days"))
    seen = (
        select(func.max(ParcelEvent.at)).where(ParcelEvent.parcel_id == Parcel.id).scalar_subquery()
    )
    return list(
        db.session.scalars(
            select(Parcel.id)
            .where(Parcel.status == S.in_transit, func.coalesce(seen, Parcel.dropped_at) < limit)
            .limit(200)
        )
    )


# ── going back ──


def expect_return(offer: Offer, relay: str, fee_cents: int, *, by: Actor) -> Parcel:
    """Articles go back to their seller: by a label to the relay he chose when the fee is covered,
    else he collects them.
    """
    contract = contract_of(offer.vendor_id)
    orders = bool(relay and fee_cents) and why_no_label(contract) is None
    came = next((p for p in offer.parcels if not p.is_return), None)
    parcel = Parcel(
        vendor_id=offer.vendor_id,
        offer=offer,
        is_return=True,
        status=S.to_return,
        carrier="mondial_relay" if orders else "",
        relay_number=relay[:6],
        fee_cents=fee_cents,
        weight_grams=came.weight_grams if came else 300,
        created_at=clock.now(),
        label_files={},
        relays=[],
    )
    db.session.add(parcel)
    workflow.record(parcel, "return_asked", by=by, fee_cents=fee_cents)
    if orders:
        _order(parcel)
    return parcel


def retry_return_label(parcel: Parcel, *, by: Actor) -> None:
    """After the carrier refused, or its answer was lost and nobody found the label."""
    if not parcel.is_return or parcel.status is not S.to_return or not parcel.label_error:
        raise Refused(_("This parcel does not wait for a label."))
    parcel.label_error = ""
    workflow.record(parcel, "ask_label", by=by)
    _order(parcel)


# ── clicks and openings, spooled by the portal ──


def clicked(parcel_id: int, what: str, at: datetime) -> None:
    """A signed link of the mail was used (« link ») or its picture shown (« open »): the first time
    counts.
    """
    parcel = db.session.get(Parcel, parcel_id)
    if parcel is None:
        return
    if what == "link" and parcel.link_clicked_at is None:
        parcel.link_clicked_at = at
    if what == "open" and parcel.mail_opened_at is None:
        parcel.mail_opened_at = at


# ── questions ──


def counts() -> dict[ParcelState, int]:
    """How many parcels on their way to us are in each state."""
    rows = (
        select(Parcel.status, func.count(Parcel.id))
        .where(Parcel.is_return.is_(False))
        .group_by(Parcel.status)
    )
    return {state: n for state, n in db.session.execute(rows)}


def in_state_count(*states: ParcelState) -> int:
    return (
        db.session.scalar(
            select(func.count(Parcel.id)).where(
                Parcel.status.in_(states), Parcel.is_return.is_(False)
            )
        )
        or 0
    )


def to_receive_count() -> int:
    return in_state_count(S.delivered, S.inspecting)


def troubles() -> int:
    """Labels and parcels a person must look at."""
    return in_state_count(S.label_unknown, S.label_refused, S.incident)


def _weight(offer: Offer, contract: CarrierContract | None) -> int:
    """Grams: of the variant, else of the platform, plus the packaging."""
    ids = [line.variant_id for line in letters.expected(offer)]
    rows = db.session.execute(
        select(Variant.id, func.coalesce(Variant.weight_grams, Platform.weight_grams, 150))
        .join(Product, Product.id == Variant.product_id)
        .outerjoin(Platform, Platform.id == Product.platform_id)
        .where(Variant.id.in_(ids))
    ).all()
    each = {id: grams for id, grams in rows}
    return sum(each.get(id, 150) for id in ids) + (contract.packaging_grams if contract else 200)


def _shipment(parcel: Parcel, contract: CarrierContract) -> Shipment:
    offer = parcel.offer
    assert offer.customer is not None
    seller = _seller_address(offer.customer)
    vendor = db.session.get_one(Vendor, parcel.vendor_id)
    shop = Address(
        contract.recipient,
        contract.street,
        "",
        contract.postcode,
        contract.city,
        contract.relay_country,
        contract.phone,
        vendor.email,
    )
    back = parcel.is_return
    return Shipment(
        reference=(offer.number or "") + ("R" if back else ""),
        sender=shop if back else seller,
        recipient=seller if back else shop,
        relay_country="FR" if back else contract.relay_country,
        relay_number=parcel.relay_number if back else contract.relay_number,
        weight_grams=parcel.weight_grams,
        value_cents=offer.total_cents,
        insurance=parcel.insurance,
    )


def _seller_address(customer: Customer) -> Address:
    return Address(
        customer.name,
        customer.address,
        customer.address_more,
        customer.postcode,
        customer.city,
        customer.country,
        customer.phone,
        customer.email,
    )


def _level_words(level: int) -> str:
    return f"Ass{level} {INSURANCE[level] // 100} €" if level else _("standard")


# ── how long ──


def _forget_label(parcel: Parcel) -> list[str]:
    kept = list(parcel.label_files.values())
    parcel.label_files, parcel.relays, parcel.label_url = {}, [], ""
    return kept


retention.rule(
    "labels",
    _l("Labels of parcels, relay points near the seller"),
    lambda: _l("%(n)s months", n=settings.value("photo_months")),
    _l("To print them again while the parcel travels."),
    Parcel,
    lambda now: select(Parcel.id).where(
        Parcel.label_at < now - retention.months(settings.value("photo_months")),
        Parcel.label_url != "",
        Parcel.status.in_([S.checked, S.abandoned, S.returned]),
    ),
    _forget_label,
)


# ── what it holds of a person ──


def _of(customer: Customer) -> Iterable[Parcel]:
    rows = select(Parcel).join(Offer).where(Offer.customer_id == customer.id)
    return db.session.scalars(rows.order_by(Parcel.offer_id, Parcel.id))


def _export(customer: Customer) -> list[dict[str, Any]]:
    return [
        {
            "sale": parcel.offer.number,
            "label": parcel.label_number,
            "state": parcel.status.value,
            "return": parcel.is_return,
            "events": [{"at": e.at.isoformat(), "what": e.words} for e in parcel.events],
        }
        for parcel in _of(customer)
    ]


def _why_keep(customer: Customer) -> str | None:
    back = next((parcel for parcel in _of(customer) if parcel.status is S.to_return), None)
    if back is None:
        return None
    return _(
        "Articles of your sale %(number)s still have to be sent back to you: your account can"
        " be erased once they are.",
        number=back.offer.number,
    )


def _erase(customer: Customer) -> None:
    """A label shows the address; its file is swept within days."""
    for parcel in _of(customer):
        _forget_label(parcel)


personal.rule("parcels", export=_export, why_keep=_why_keep, erase=_erase, first=1)
