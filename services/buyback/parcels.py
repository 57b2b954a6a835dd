"""Parcels: one is expected for each accepted offer, it gets its label, the seller is reminded,
articles go back.

What the carrier does stands in services/shipping: a label moves, and `_label_moved` picks it up.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm.attributes import set_committed_value

from gateways import Address, Shipment, Tracking
from models import (
    CarrierContract,
    Customer,
    Label,
    LabelEvent,
    LabelState,
    LineState,
    Offer,
    OfferState,
    Parcel,
    ParcelState,
    Platform,
    Product,
    Variant,
    Vendor,
)
from services import clock, messages, personal, settings, workflow
from services.buyback import letters
from services.people import identity
from services.shipping import contracts, labels, tracking
from services.unit import db
from services.workflow import CLOCK, STAFF, TIME, Actor, Move, Refused, Workflow

S = ParcelState
workflow.name_states(
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
)
# The log of earlier days: a parcel had the states of its label.
workflow.formerly(
    label_requested=_l("Label ordered"),
    label_unknown=_l("Label to look for"),
    label_refused=_l("Label refused"),
)
COMING = {S.not_sent, S.in_transit, S.at_relay, S.incident}
OVER = {S.checked, S.abandoned, S.returned}


def _label_can_change(parcel: Parcel) -> str | None:
    if parcel.label is not None and parcel.label.status is LabelState.requested:
        return _("The label is being ordered: wait a few seconds for the carrier's answer.")
    return None


def _label_is_in_trouble(parcel: Parcel) -> str | None:
    if not has_label_in_trouble(parcel):
        return _("Only a parcel whose label could not be made goes without one.")
    return None


# ruff: disable[E501]
PARCEL = Workflow(
    "parcel",
    # verb          label                                 from                                    to
    # only if  by
    Move("ask_label",  _l("Ask for a label again"),          {S.not_sent, S.to_return},              None,              _label_can_change, done=_l("Label asked for again")),
    Move("give_label", _l("Give a label made elsewhere"),    {S.not_sent, S.to_return},              None,              _label_can_change, done=_l("Label made elsewhere")),
    Move("do_without", _l("Do without a label"),             {S.not_sent},                           None,              _label_is_in_trouble, done=_l("Done without a label")),
    Move("drop",       _l("Handed over to the carrier"),     {S.not_sent, S.incident},               S.in_transit,       None,    (TIME, STAFF)),
    Move("arrive",     _l("Arrived at the relay"),           {S.not_sent, S.in_transit, S.incident}, S.at_relay,         None,    (TIME, STAFF)),
    Move("deliver",    _l("Collected"),                      COMING,                                 S.delivered,        None,    (TIME, STAFF)),
    Move("trouble",    _l("Incident"),                       {S.not_sent, S.in_transit, S.at_relay}, S.incident,         None,    (TIME, STAFF)),
    Move("open",       _l("Open the parcel"),                COMING | {S.delivered, S.abandoned},    S.inspecting, done=_l("Parcel opened")),
    Move("check",      _l("Received and checked"),           {S.inspecting},                         S.checked),
    Move("abandon",    _l("Abandoned"),                      {S.not_sent, S.incident},              S.abandoned,        None,    (STAFF, TIME)),
    Move("send_back",  _l("Sent back to the seller"),        {S.to_return},                          S.returned),
)  # fmt: skip
# ruff: enable[E501]
workflow.says(
    "parcel",
    request=_l("Parcel expected"),
    label_made=_l("Label made"),
    lose_label=_l("Answer of the carrier lost"),
    no_label=_l("Label refused by the carrier"),
    remind=_l("Reminder by e-mail"),
    text=_l("Reminder by SMS"),
    return_asked=_l("Return asked for"),
    look=_l("Label looked up"),
)


# ── a parcel is expected, its label ordered ──


def live_parcel(offer: Offer) -> Parcel | None:
    """The parcel of an offer on its way to us."""
    return next((p for p in offer.parcels if not p.is_return and p.status is not S.abandoned), None)


def return_parcel(offer: Offer) -> Parcel | None:
    return next((p for p in offer.parcels if p.is_return), None)


def level_for(contract: CarrierContract | None, amount_cents: int) -> int:
    """Which insurance level an automatic label gets: none for a small lot, else the smallest that
    covers it.
    """
    if amount_cents < settings.value("insure_over_euros") * 100:
        return 0
    return contracts.cover_for(contract, amount_cents)


def request(offer: Offer, insurance: int = 0, *, by: Actor) -> Parcel:
    """Expect the parcel of an accepted offer; with a contract its label is ordered, and the seller
    is told once it is there.
    """
    contract = contracts.contract_of(offer.vendor_id)
    if (parcel := live_parcel(offer)) is not None:
        label = parcel.label
        if insurance and insurance != (label.insurance if label else 0):
            ask_again(parcel, insurance, _weight(offer, contract), by=by)
        elif label is None or label.status not in labels.NOT_MADE:
            _tell_validated(parcel)  # games were added to a sale that had its label already
        return parcel
    why_not = why_no_label(offer)
    if insurance and why_not:
        raise Refused(why_not)
    parcel = Parcel(
        vendor_id=offer.vendor_id,
        offer=offer,
        is_return=False,
        status=S.not_sent,
        weight_grams=_weight(offer, contract),
        created_at=clock.now(),
    )
    db.session.add(parcel)
    level = "" if why_not else contracts.cover_words(contract, insurance)
    workflow.record(parcel, "request", by=by, insurance=level)
    if contract is None or why_not:
        _tell_validated(parcel)
    else:
        _order(parcel, contract, insurance)
    return parcel


def is_out_of_reach(postcode: str) -> bool:
    """Whether the carrier takes no parcel at a seller's postcode: overseas, unless the shop says
    otherwise.
    """
    return postcode.startswith(tuple(settings.value("no_label_from").split()))


def address_to_send_to(offer: Offer) -> str:
    """Where a seller sends a parcel without a label of ours: the shop, on one line."""
    vendor, contract = offer.vendor, contracts.contract_of(offer.vendor_id)
    lines = vendor.address.splitlines()
    if not lines and contract is not None:
        lines = [contract.street, f"{contract.postcode} {contract.city}"]
    return ", ".join(filter(None, (vendor.legal_name or vendor.name, *lines)))


def why_no_label(offer: Offer) -> str | None:
    """None when a label can be ordered for a sale, else the sentence for the staff."""
    if offer.customer is not None and is_out_of_reach(offer.customer.postcode):
        return _(
            "The carrier takes no parcel at %(postcode)s: the seller sends it at their own cost.",
            postcode=offer.customer.postcode,
        )
    return contracts.why_no_label(contracts.contract_of(offer.vendor_id))


def take_back(offer: Offer, since: datetime) -> None:
    """A decision is undone: the parcel it made (not before `since`, UTC) was told to nobody and
    goes, with the label that was not ordered yet. Raises Refused once somebody did something else
    with its label: another one may exist at the carrier, or the seller may know.
    """
    parcel = live_parcel(offer)
    if parcel is None or parcel.created_at < since:
        return
    made = db.session.scalars(select(Label).where(Label.parcel_id == parcel.id)).all()
    if len(made) > 1 or any(label.status is not LabelState.requested for label in made):
        raise Refused(_("It is too late: something was done with the label since."))
    for label in made:
        db.session.delete(label)
    set_committed_value(parcel, "label", None)
    offer.parcels.remove(parcel)
    db.session.delete(parcel)


def _order(parcel: Parcel, contract: CarrierContract, insurance: int = 0) -> None:
    label = labels.order(
        contract,
        insurance=insurance,
        weight_grams=parcel.weight_grams,
        reference=(parcel.offer.number or "") + ("R" if parcel.is_return else ""),
        parcel_id=parcel.id,
    )
    set_committed_value(parcel, "label", label)


def ask_again(
    parcel: Parcel, insurance: int | None = None, weight_grams: int | None = None, *, by: Actor
) -> None:
    """A new label instead of the one there is (another level, a corrected weight), or after the
    carrier refused. A label nobody used costs nothing.
    """
    contract, old = contracts.contract_of(parcel.vendor_id), parcel.label
    if reason := why_no_label(parcel.offer):
        raise Refused(reason)
    assert contract is not None
    level = insurance if insurance is not None else (old.insurance if old else 0)
    facts: dict[str, Any] = {
        "cancelled": parcel.label_number,
        "insurance": contracts.cover_words(contract, level),
    }
    new = {"weight_grams": weight_grams or parcel.weight_grams, "link_clicked_at": None}
    PARCEL.fire(parcel, "ask_label", by=by, set=new, **facts)
    _drop_label(parcel, by)
    _order(parcel, contract, level)


def _drop_label(parcel: Parcel, by: Actor) -> None:
    """Cancel the label there is, so that another may take its place."""
    if parcel.label is not None:
        labels.cancel(parcel.label, by=by)
        db.session.flush()
        set_committed_value(parcel, "label", None)


def give_label(
    parcel: Parcel, *, carrier_name: str, number: str, link: str, pdf: bytes | None, by: Actor
) -> None:
    """The shop made the label elsewhere: the seller gets its number, its link and its PDF."""
    PARCEL.fire(parcel, "give_label", by=by, carrier=carrier_name, number=number)
    _drop_label(parcel, by)
    labels.by_hand(
        parcel.vendor_id,
        carrier_name=carrier_name,
        number=number,
        link=link,
        pdf=pdf,
        weight_grams=parcel.weight_grams,
        reference=parcel.offer.number or "",
        by=by,
        parcel_id=parcel.id,
    )


def do_without(parcel: Parcel, *, by: Actor) -> None:
    """No label of ours: the seller sends it in their own way, or the shop mails them one."""
    PARCEL.fire(parcel, "do_without", by=by)
    _drop_label(parcel, by)
    _tell_validated(parcel)


def label_found(parcel: Parcel, number: str, url: str, *, by: Actor) -> None:
    """After a lost answer: somebody saw the label on the carrier's site, and `labels.look_up` asked
    the carrier about it.
    """
    label = parcel.label
    if label is None or label.status is not LabelState.unknown:
        raise Refused(_("This parcel does not look for its label."))
    workflow.record(parcel, "look", by=by, number=number)
    labels.found(label, number, url, by=by)


# ── what its label does ──


def _shipment(label: Label) -> Shipment:
    """What travels under a label of ours, as it is now."""
    parcel = db.session.get_one(Parcel, label.parcel_id)
    offer, contract, back = parcel.offer, label.contract, parcel.is_return
    assert contract is not None
    seller = _seller_address(offer.seller)
    shop = Address(
        contract.recipient,
        contract.street,
        "",
        contract.postcode,
        contract.city,
        contract.relay_country,
        contract.phone,
        db.session.get_one(Vendor, parcel.vendor_id).email,
    )
    return Shipment(
        reference=label.reference,
        sender=shop if back else seller,
        recipient=seller if back else shop,
        relay_country="FR" if back else contract.relay_country,
        relay_number=parcel.relay_number if back else contract.relay_number,
        weight_grams=label.weight_grams,
        value_cents=offer.total_cents,
        insurance=label.insurance,
        kind=label.kind,
        relays_near="" if back else seller.postcode,
    )


def _label_moved(label: Label, verb: str, seen: Tracking | None, by: Actor) -> None:
    """Take over what happened to the label of a parcel."""
    parcel = db.session.get_one(Parcel, label.parcel_id)
    if verb != "cancel":
        set_committed_value(parcel, "label", label)
    if verb == "lose":
        workflow.record(parcel, "lose_label", by=by)
    elif verb == "refuse":
        workflow.record(parcel, "no_label", by=by, reason=label.error)
    elif verb == "make":
        workflow.record(parcel, "label_made", by=by, number=label.number)
        if parcel.is_return or parcel.status not in COMING:
            tracking.stop(label)  # a return is the seller's to follow; the other is here already
        elif parcel.offer.status is OfferState.accepted:
            _tell_validated(parcel)
    elif verb in tracking.VERBS.values() and PARCEL.allows(parcel, verb, by.kind):
        _went(parcel, verb, seen, by)


labels.serves("parcel_id", shipment=_shipment, moved=_label_moved)


def _went(parcel: Parcel, verb: str, seen: Tracking | None, by: Actor) -> None:
    """Move a parcel with the times of what the carrier saw, or now when a person says so."""
    at = seen.events[-1].at if seen and seen.events else clock.now()
    PARCEL.fire(parcel, verb, by=by, words=seen.words if seen else "")
    if verb == "trouble":
        last = parcel.label.last_words if parcel.label is not None else ""
        messages.tell_shop(
            "parcel_incident", site=parcel.offer.site, offer=parcel.offer, words=last or "—"
        )
        _tell_step(parcel, "parcel_trouble", words=last)
        return
    first = next((e.at for e in seen.events[1:]), at) if seen else at
    is_new = parcel.dropped_at is None  # it may leave an incident, and be taken in charge again
    parcel.dropped_at = parcel.dropped_at or first
    if verb in ("arrive", "deliver"):
        parcel.arrived_at = parcel.arrived_at or at
    if verb == "deliver":
        parcel.delivered_at = at
        _tell_step(parcel, "parcel_arrived")
    elif verb == "drop" and is_new:
        label = parcel.label
        _tell_step(
            parcel,
            "parcel_taken",
            carrier=label.carrier_name if label else "",
            tracking_link=labels.tracking_address(label),
        )


def _tell_step(parcel: Parcel, event: str, **facts: Any) -> None:
    """Tell the seller where the parcel of their sale is; a parcel that goes back has its own
    mail.
    """
    offer = parcel.offer
    if not parcel.is_return and offer.status is OfferState.accepted:
        messages.tell_step(
            offer.seller, event, site=offer.site, offer=offer, **letters.facts(offer), **facts
        )


def say(parcel: Parcel, verb: str, *, by: Actor) -> None:
    """Staff say where a parcel is: it came by another way, or the carrier does not. Its label moves
    with it.
    """
    PARCEL.require(parcel, verb, by=by)
    if parcel.label is not None and labels.LABEL.allows(parcel.label, verb, by.kind):
        tracking.say(parcel.label, verb, by=by)
    else:
        _went(parcel, verb, None, by)


def _tell_validated(parcel: Parcel) -> None:
    """The seller's mail: validated, label, slip, deadline, relays (VX-066 to VX-070)."""
    offer, label = parcel.offer, parcel.label
    messages.tell(
        offer.seller,
        "offer_validated",
        site=offer.site,
        offer=offer,
        parcel=parcel,
        first_sale_papers=needs_identity(offer),
        sends_to=address_to_send_to(offer) if is_out_of_reach(offer.seller.postcode) else "",
        label_link=_label_link(parcel),
        carrier=label.carrier_name if label else "",
        tracking_number=parcel.label_number,
        tracking_link=labels.tracking_address(label),
        slip_link=letters.document_link(offer, "slip", offer.id),
        relays=label.relays[:4] if label else [],
        seen_link=(
            letters.document_link(offer, "seen", parcel.id)
            if settings.value("mail_pixel") == "yes"
            else ""
        ),
        **letters.facts(offer),
    )


def _label_link(parcel: Parcel) -> str:
    """The signed link of the label to print; empty when there is nothing to print."""
    if parcel.label is None or not labels.sizes(parcel.label):
        return ""
    return letters.document_link(parcel.offer, "label", parcel.id)


def needs_identity(offer: Offer) -> bool:
    """Whether the seller must show a document: the vendor keeps a register and has none of him."""
    return bool(
        offer.vendor.police_register
        and offer.customer_id
        and identity.of(offer.vendor_id, offer.seller.id) is None
        and not bought_nothing(offer)
    )


def bought_nothing(offer: Offer) -> bool:
    """Whether a reception ended without an article that was bought, or that may still be."""
    over = offer.status in (OfferState.received, OfferState.settled)
    return over and not any(
        line.status in (LineState.accepted, LineState.countered)
        for line in letters.active_lines(offer)
    )


# ── reminders, abandonment ──


def waiting_days(parcel: Parcel) -> int:
    """Paris days since the seller could drop it off."""
    return (clock.today() - clock.paris(parcel.awaited_since).date()).days


def _waits_for_its_label(parcel: Parcel) -> bool:
    return parcel.label is not None and parcel.label.status in labels.NOT_MADE


def has_label_in_trouble(parcel: Parcel) -> bool:
    """Whether its label could not be made, and a person must look."""
    return parcel.label is not None and parcel.label.status in labels.IN_TROUBLE


def is_at_the_shop(parcel: Parcel) -> bool:
    """Whether the bench can receive it, or is receiving it."""
    return not parcel.is_return and parcel.status in (S.delivered, S.inspecting)


def is_awaited(parcel: Parcel) -> bool:
    """Whether its seller still has to drop it off."""
    return parcel.status is S.not_sent and not parcel.is_return


def why_not_remind(parcel: Parcel) -> str | None:
    """« Relance email »: after 5 days without a drop-off."""
    days = settings.value("remind_days")
    if parcel.status is not S.not_sent or _waits_for_its_label(parcel):
        return _("Only a parcel that was not dropped off is reminded of.")
    if waiting_days(parcel) < days:
        return _("Possible %(days)s days after the validation.", days=days)
    return None


def why_not_text(parcel: Parcel) -> str | None:
    """« Relance SMS »: after 10 days, when the number is a mobile."""
    days = settings.value("text_days")
    if parcel.status is not S.not_sent or _waits_for_its_label(parcel):
        return _("Only a parcel that was not dropped off is reminded of.")
    if waiting_days(parcel) < days:
        return _("Possible %(days)s days after the validation.", days=days)
    if parcel.offer.customer is None or not messages.is_mobile(parcel.offer.seller.phone):
        return _("This number cannot receive an SMS.")
    return None


def remind(parcel: Parcel, *, by: Actor) -> None:
    if reason := why_not_remind(parcel):
        raise Refused(reason)
    offer = parcel.offer
    parcel.reminded_at = clock.now()
    workflow.record(parcel, "remind", by=by)
    messages.tell(
        offer.seller, "drop_off_reminder", site=offer.site, offer=offer, late=_is_late(offer),
        label_link=_label_link(parcel),
        slip_link=letters.document_link(offer, "slip", offer.id), **letters.facts(offer),
    )  # fmt: skip


def text(parcel: Parcel, *, by: Actor) -> None:
    if reason := why_not_text(parcel):
        raise Refused(reason)
    offer = parcel.offer
    parcel.texted_at = clock.now()
    workflow.record(parcel, "text", by=by)
    messages.text_to(
        offer.seller,
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
    rows = _not_dropped_off(clock.now() - timedelta(days=days)).where(column.is_(None))
    return list(db.session.scalars(rows.with_only_columns(Parcel.id).limit(1000)))


def _not_dropped_off(before: datetime) -> Select[Any]:
    """Parcels of accepted offers that could have been dropped off since a moment, and were not."""
    since = func.coalesce(Label.made_at, Parcel.created_at)
    return (
        select(Parcel)
        .join(Offer)
        .outerjoin(Parcel.label)
        .where(
            Offer.status == OfferState.accepted,
            Parcel.status == S.not_sent,
            Parcel.is_return.is_(False),
            or_(Label.id.is_(None), Label.status.not_in(labels.NOT_MADE)),
            since < before,
        )
    )


def remind_by_clock(parcel: Parcel) -> None:
    remind(parcel, by=CLOCK)


def text_by_clock(parcel: Parcel) -> None:
    if parcel.offer.customer and not messages.is_mobile(parcel.offer.seller.phone):
        parcel.texted_at = clock.now()  # nothing to send, nothing to try again
        return
    text(parcel, by=CLOCK)


def _is_late(offer: Offer) -> bool:
    return bool(offer.drop_off_by and clock.now() > offer.drop_off_by)


def given_up() -> list[int]:
    """Offers whose parcel was never dropped off, long after its deadline."""
    limit = clock.now() - timedelta(days=settings.value("abandon_days"))
    rows = _not_dropped_off(limit).with_only_columns(Parcel.offer_id)
    return list(db.session.scalars(rows.limit(1000)))


def abandon(offer: Offer, *, by: Actor) -> None:
    """The parcel will not come (or must not: the sale ended otherwise). Refused once it is on its
    way.
    """
    if (parcel := live_parcel(offer)) is not None:
        PARCEL.fire(parcel, "abandon", by=by)
        if _waits_for_its_label(parcel):
            _drop_label(parcel, by)
        tracking.stop(parcel.label)


def stuck() -> list[int]:
    """Parcels that left and no longer move: somebody must call the carrier."""
    limit = clock.now() - timedelta(days=settings.value("stuck_days"))
    seen = (
        select(func.max(LabelEvent.at))
        .join(Label)
        .where(Label.parcel_id == Parcel.id)
        .scalar_subquery()
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
    else the seller collects them.
    """
    contract = contracts.contract_of(offer.vendor_id)
    orders = bool(relay and fee_cents) and why_no_label(offer) is None
    came = next((p for p in offer.parcels if not p.is_return), None)
    parcel = Parcel(
        vendor_id=offer.vendor_id,
        offer=offer,
        is_return=True,
        status=S.to_return,
        relay_number=relay[:6],
        fee_cents=fee_cents,
        weight_grams=came.weight_grams if came else 300,
        created_at=clock.now(),
    )
    db.session.add(parcel)
    workflow.record(parcel, "return_asked", by=by, fee_cents=fee_cents)
    if orders and contract is not None:
        _order(parcel, contract)
    return parcel


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


def counts_of_tabs() -> dict[ParcelState, int]:
    """How many parcels each tab of « Achats en cours » holds, those that go back included."""
    rows = select(Parcel.status, func.count(Parcel.id)).group_by(Parcel.status)
    found = {state: n for state, n in db.session.execute(rows)}
    return {state: found.get(state, 0) for state in ParcelState}


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
    """« Colis à réceptionner »: the parcels the shop has and has not opened."""
    return in_state_count(S.delivered)


def to_look_at() -> ColumnElement[bool]:
    """The condition of parcels a person must look at: an incident, a label that could not be made,
    or one that was made without something that was asked.
    """
    return or_(
        Parcel.status == S.incident,
        and_(
            Parcel.status.in_([S.not_sent, S.to_return]),
            Parcel.label.has(
                or_(
                    Label.status.in_(labels.IN_TROUBLE),
                    # made, and the carrier left something out
                    and_(Label.status == LabelState.made, Label.error != ""),
                )
            ),
        ),
    )


def troubles() -> int:
    """How many parcels a person must look at."""
    return db.session.scalar(select(func.count(Parcel.id)).where(to_look_at())) or 0


def _weight(offer: Offer, contract: CarrierContract | None) -> int:
    """Grams: of the variant, else of the platform, plus the packaging."""
    ids = [line.variant_id for line in letters.active_lines(offer)]
    rows = db.session.execute(
        select(Variant.id, func.coalesce(Variant.weight_grams, Platform.weight_grams, 150))
        .join(Product, Product.id == Variant.product_id)
        .outerjoin(Platform, Platform.id == Product.platform_id)
        .where(Variant.id.in_(ids))
    ).all()
    each = {id: grams for id, grams in rows}
    return sum(each.get(id, 150) for id in ids) + (contract.packaging_grams if contract else 200)


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
            "carrier": parcel.label.carrier_name if parcel.label else "",
            "events": [
                {"at": e.at.isoformat(), "what": e.words}
                for e in (parcel.label.events if parcel.label else [])
            ],
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
    rows = select(Label).join(Parcel, Parcel.id == Label.parcel_id).join(Offer)
    for label in db.session.scalars(rows.where(Offer.customer_id == customer.id)):
        labels.forget(label)


personal.rule("parcels", export=_export, why_keep=_why_keep, erase=_erase, first=1)
