"""The bench: a parcel is opened, each article graded, accepted, counter-offered, refused or
missing; then the seller answers.

Accepted at the agreed price, an article is ours at once: a unit in stock, a line of the register.
Anything else waits for the seller's answer, or its deadline, with a payment of its own: what was
accepted is paid at once (domain.md § 2.14, 2.29).
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import or_, select

from models import (
    AccountKind,
    Condition,
    Grade,
    Item,
    ItemState,
    LineState,
    Offer,
    OfferLine,
    OfferState,
    Parcel,
    ParcelState,
    PaymentMeans,
    PaymentPart,
    Photo,
    SellerPayment,
    Store,
)
from services import clock, dates, files, messages, money, retention, settings, webhooks, workflow
from services.buyback import amounts, letters, offers, parcels, police_register, pricing
from services.catalogue import products
from services.payments import ledger, seller_payments
from services.payments.ledger import Side
from services.people import identity
from services.shipping import tracking
from services.stock import items
from services.unit import db, is_sqlite
from services.workflow import CLOCK, CUSTOMER, TIME, Actor, Move, Refused, Workflow

S = LineState
K = AccountKind
MOST_PHOTOS = 3
workflow.name_states(
    (S.expected, _l("Waiting for reception"), "off"),
    (S.received, _l("Taken in hand"), "info"),
    (S.accepted, _l("Bought"), "ok"),
    (S.countered, _l("Counter-offer"), "warn"),
    (S.refused, _l("Refused (article)"), "bad"),
    (S.missing, _l("Missing"), "bad"),
    (S.to_return, _l("To be sent back"), "warn"),
    (S.sent_back, _l("Sent back to the seller"), "off"),
    (S.given, _l("Given"), "off"),
    (S.recycled, _l("Recycled"), "off"),
)


def _announced(line: OfferLine) -> str | None:
    return (
        _("This article was not announced: propose a price to the seller, or refuse it.")
        if line.is_surplus
        else None
    )


# ruff: disable[E501]
LINE = Workflow(
    "offer_line",
    # verb        label                               from
    # to            only if      by
    Move("take_in",  _l("Received"),                     {S.expected},                                    S.received),
    Move("accept",   _l("Send to stock"),                {S.received},                                    S.accepted,   _announced, done=_l("Article put in stock")),
    Move("counter",  _l("Counter-offer"),                {S.received},                                    S.countered, done=_l("Counter-offer made")),
    Move("refuse",   _l("Refuse the article"),           {S.received},                                    S.refused, done=_l("Article refused")),
    Move("miss",     _l("Missing"),                      {S.received},                                    S.missing),
    Move("undo",     _l("Undo"),                         {S.accepted, S.countered, S.refused, S.missing}, S.received, done=_l("Decision undone")),
    Move("agree",    _l("I accept the new price"),       {S.countered},                                   S.accepted,   None,        (CUSTOMER,), done=_l("New price accepted by the seller")),
    Move("to_return", _l("I take it back"),              {S.countered, S.refused},                        S.to_return,  None,        (CUSTOMER, TIME), done=_l("Taken back by the seller")),
    Move("given",    _l("I give it"),                    {S.countered, S.refused},                        S.given,      None,        (CUSTOMER, TIME), done=_l("Given to the shop")),
    Move("recycled", _l("You recycle it"),               {S.countered, S.refused},                        S.recycled,   None,        (CUSTOMER, TIME), done=_l("Left to be recycled")),
    Move("send_back", _l("Sent back to the seller"),     {S.to_return},                                   S.sent_back),
)  # fmt: skip
# ruff: enable[E501]


workflow.says(
    "offer",
    open_parcel=_l("Reception opened"),
    tell_reception=_l("Reception e-mail sent"),
    answer_reception=_l("Seller's answer"),
)
workflow.says(
    "offer_line",
    surplus=_l("Article not announced"),
    photograph=_l("Photo taken"),
)
CONTROLLED = (S.accepted, S.countered, S.refused, S.missing)
ANSWERABLE = (S.countered, S.refused)


# ── the parcel ──


def find(code: str) -> Offer | None:
    """The offer a bordereau names: « CDE000000123 », scanned, or typed without its zeros."""
    number = "".join(code.upper().split())
    digits = number.removeprefix("CDE")
    if not number.startswith("CDE") or not re.fullmatch(r"[0-9]{1,9}", digits):
        return None
    return db.session.scalar(select(Offer).where(Offer.number == f"CDE{int(digits):09d}"))


def why_not_open(offer: Offer) -> str | None:
    """None when the bench may open this sale (or go on with it), else why not."""
    if is_over(offer):
        return None
    if offer.status not in (OfferState.accepted, OfferState.abandoned):
        return _(
            "This sale is « %(state)s »: its parcel cannot be received.",
            state=workflow.words_of(offer.status),
        )
    return None


def open_parcel(offer: Offer, *, by: Actor) -> Parcel:
    """Begin, or go on with, the control of a parcel: whoever scans its bordereau, today or
    tomorrow.
    """
    if reason := why_not_open(offer):
        raise Refused(reason)
    parcel = parcels.live_parcel(offer) or _last_parcel(offer)
    if parcel is None:
        raise Refused(_("No parcel is expected for this sale."))
    if parcel.status in (ParcelState.inspecting, ParcelState.checked):
        return parcel
    if offer.status is OfferState.abandoned:
        offers.OFFER.fire(offer, "revive", by=by)
    now = clock.now()
    parcels.PARCEL.fire(parcel, "open", by=by)
    parcel.opened_at, parcel.opened_by = now, by.name
    tracking.stop(parcel.label)
    parcel.delivered_at = parcel.delivered_at or now
    parcel.dropped_at = parcel.dropped_at or now
    LINE.fire_all(
        [line for line in letters.active_lines(offer) if line.status is S.expected],
        "take_in",
        by=by,
    )
    workflow.record(offer, "open_parcel", by=by)
    return parcel


def _last_parcel(offer: Offer) -> Parcel | None:
    return next((p for p in reversed(offer.parcels) if not p.is_return), None)


@dataclass(frozen=True)
class Found:
    """What a scanned barcode is in this parcel: « expected », « done » (already controlled), «
    surplus » (known, not announced) or « unknown ».
    """

    kind: str
    line: OfferLine | None
    ean: str
    sentence: str
    quote: pricing.Quote | None = None


def look(offer: Offer, code: str) -> Found:
    """What a barcode scanned at the bench is. Reads only. Raises catalogue.BadEan for what is no
    barcode.
    """
    ean = products.read_ean(code)
    same = [line for line in articles(offer) if line.ean == ean]
    waiting = next((line for line in same if line.status is S.received), None)
    if waiting:
        return Found("expected", waiting, ean, _("Expected in this parcel"))
    if same:
        done = same[-1]
        at = dates.hour(done.controlled_at) if done.controlled_at else "—"
        return Found(
            "done",
            done,
            ean,
            _(
                "Already controlled by %(name)s at %(time)s",
                name=done.controlled_by or "—",
                time=at,
            ),
        )
    quote = pricing.quote(offer.site_id, ean)
    if quote.variant_id is None:
        return Found("unknown", None, ean, _("Unknown in the catalogue, and not announced"), quote)
    return Found("surplus", None, ean, _("Not announced in this parcel"), quote)


def is_late(offer: Offer) -> bool:
    """Whether the parcel was dropped off after the day the prices were guaranteed until."""
    parcel = parcels.live_parcel(offer)
    dropped = parcel.dropped_at if parcel else None
    return bool(dropped and offer.drop_off_by and dropped > offer.drop_off_by)


def is_over(offer: Offer) -> bool:
    """Whether the reception of an offer was ended."""
    return offer.status in (OfferState.received, OfferState.settled)


def waits(line: OfferLine) -> bool:
    """Whether the bench still has to decide on an article."""
    return line.status is S.received


def is_controlled(line: OfferLine) -> bool:
    return line.status in CONTROLLED


def is_countered(line: OfferLine) -> bool:
    """Whether the seller still has to say yes or no to a new price."""
    return line.status is S.countered


def is_missing(line: OfferLine) -> bool:
    return line.status is S.missing


def articles(offer: Offer) -> list[OfferLine]:
    """What the bench deals with: the articles agreed on, and those found besides."""
    return [line for line in offer.lines if line.removed_at is None]


# ── one article ──


def _lock(offer: Offer) -> None:
    """One hand at a time on a sale: what was read before is read again under the lock (SQLite's
    unit already has it).
    """
    if is_sqlite():
        return
    db.session.flush()
    fresh = {"populate_existing": True}
    db.session.scalars(
        select(Offer).where(Offer.id == offer.id).with_for_update().execution_options(**fresh)
    ).one()
    db.session.scalars(
        select(Parcel).where(Parcel.offer_id == offer.id).execution_options(**fresh)
    ).all()
    db.session.scalars(
        select(OfferLine).where(OfferLine.offer_id == offer.id).execution_options(**fresh)
    ).all()
    db.session.expire(offer, ["lines", "parcels", "payments"])


def send(
    line: OfferLine,
    grades: dict[str, str],
    comment: str,
    store: Store,
    place: str = "",
    *,
    by: Actor,
) -> Item:
    """« Envoyer »: accepted at the price agreed; it is ours, in stock, in the register."""
    _lock(line.offer)
    _grade(line, grades, comment)
    if line.grade_article is Grade.missing:
        raise Refused(_("The article itself is missing: use « Missing »."))
    line.paid_cents = line.price_cents
    _control(line, "accept", by)
    return _make_ours(line, store, place, by)


def counter(
    line: OfferLine, grades: dict[str, str], comment: str, cents: int, motive: str, *, by: Actor
) -> None:
    """« Contre-offre »: another price, with the reason and a photo at least; the seller answers."""
    _lock(line.offer)
    _grade(line, grades, comment)
    if not motive.strip():
        raise Refused(_("Write why the price changes: the seller reads it."))
    if not line.photos and not line.is_surplus:
        raise Refused(_("Take a photo first: the seller must see why the price changes."))
    if cents <= 0 or (cents >= line.price_cents and not line.is_surplus):
        raise Refused(
            _(
                "A counter-offer is between 0,01 € and the price agreed (%(price)s).",
                price=money.text(line.price_cents),
            )
        )
    line.bench_cents, line.bench_motive = cents, motive.strip()[:2000]
    _control(line, "counter", by, bench_cents=cents, motive=line.bench_motive)


def refuse(
    line: OfferLine, grades: dict[str, str], comment: str, motive: str, *, by: Actor
) -> None:
    """« Refuser l'article »: with the reason the seller reads; a photo of the defect goes with it
    when one was taken.
    """
    _lock(line.offer)
    _grade(line, grades, comment, all_needed=False)
    if not motive.strip():
        raise Refused(_("Write why it is refused: the seller reads it."))
    line.bench_cents, line.bench_motive = None, motive.strip()[:2000]
    _control(line, "refuse", by, motive=line.bench_motive)
    webhooks.tell(
        line.offer.vendor_id,
        "buyback.item_rejected",
        {"number": line.offer.number, "ean": line.ean},
    )


def miss(line: OfferLine, *, by: Actor) -> None:
    """Announced, and not in the parcel."""
    _lock(line.offer)
    if line.is_surplus:
        raise Refused(_("This article was found besides: it cannot be missing. Undo it instead."))
    _control(line, "miss", by)


def miss_all(offer: Offer, *, by: Actor) -> int:
    """« Tout le reste est manquant »."""
    left = [line for line in articles(offer) if line.status is S.received and not line.is_surplus]
    for line in left:
        miss(line, by=by)
    return len(left)


def undo(line: OfferLine, *, by: Actor) -> None:
    """The control of an article is taken back, until the reception ends: the unit leaves the stock,
    the register says so.
    """
    _lock(line.offer)
    if line.offer.status is not OfferState.accepted:
        raise Refused(_("The reception has ended: the seller was told, nothing is undone here."))
    if line.is_surplus and line.status in (S.countered, S.refused, S.received):
        workflow.record(line, "undo", by=by, ean=line.ean, title=line.title)
        offers_strike(line, by)
        return
    item = item_of(line) if line.status is S.accepted else None
    LINE.fire(line, "undo", by=by, ean=line.ean, title=line.title)
    line.paid_cents = line.bench_cents = line.controlled_at = None
    line.bench_motive = line.controlled_by = ""
    if item is not None:
        items.undo_entry(item, by=by)
        for photo in line.photos:
            photo.item_id = None
        if entry := police_register.of_item(item):
            police_register.correct(
                entry, _("control taken back: the article was not bought"), by=by
            )


def offers_strike(line: OfferLine, by: Actor) -> None:
    """An article added at the bench by mistake leaves the sale."""
    line.removed_at, line.removed_reason, line.removed_by = (
        clock.now(),
        _("scanned by mistake"),
        by.name[:200],
    )


def add_surplus(offer: Offer, code: str, title: str = "", *, by: Actor) -> OfferLine:
    """An article found in the parcel and not announced. A barcode nobody knows enters the catalogue
    under the title given.
    """
    _lock(offer)
    _must_be_open(offer)
    found = look(offer, code)
    if found.kind == "expected":
        raise Refused(_("This article is announced and still waits: grade it first."))
    quote = pricing.quote(offer.site_id, found.ean)
    variant = products.by_ean(found.ean)
    if variant is None:
        if not title.strip():
            raise Refused(_("Type the title of this article: its barcode is unknown."))
        variant = products.new_reference(title.strip()[:300], found.ean)
    price = quote.price_cents or 0
    line = OfferLine(
        offer_id=offer.id,
        variant_id=variant.id,
        ean=found.ean,
        title=variant.product.title,
        platform=str(variant.product.platform or ""),
        argus_cents=quote.argus_cents or 0,
        rule_id=quote.rule.id if quote.rule else None,
        rate_bp=quote.rule.rate_bp if quote.rule else None,
        price_cents=price,
        explanation=quote.explanation or quote.sentence,
        priced_at=clock.now(),
        status=S.received,
        is_surplus=True,
    )
    db.session.add(line)
    db.session.flush()
    db.session.expire(offer, ["lines"])
    workflow.record(line, "surplus", by=by, ean=line.ean, title=line.title)
    return line


def photograph(line: OfferLine, file: str, *, by: Actor) -> Photo:
    """Keep a picture taken at the bench (already made again by services/files.py): three an
    article.
    """
    if len(line.photos) >= MOST_PHOTOS:
        raise Refused(_("Three photos an article: delete one first."))
    _must_be_open(line.offer)
    photo = Photo(
        vendor_id=line.offer.vendor_id, line_id=line.id, file=file, by_name=by.name, at=clock.now()
    )
    item = item_of(line)
    photo.item_id = item.id if item else None
    line.photos.append(photo)
    db.session.flush()
    return photo


def drop_photo(photo: Photo, *, by: Actor) -> None:
    _must_be_open(photo.line.offer)
    workflow.record(photo.line, "photograph", by=by, dropped=photo.id)
    db.session.delete(photo)


def proposed_cents(line: OfferLine, *grades: Grade | None) -> int:
    """The price the bench proposes for the grades found, from the price agreed."""
    condition = items.selling_condition(*grades)
    if condition is Condition.acceptable_unit:
        percent = settings.value("acceptable_percent")
    elif condition is Condition.good_unit:
        percent = settings.value("good_percent")
    else:
        percent = 100
    return money.share(line.price_cents, percent * 100)


def item_of(line: OfferLine) -> Item | None:
    return db.session.scalar(
        select(Item).where(Item.offer_line_id == line.id, Item.status != ItemState.returned)
    )


def _grade(line: OfferLine, grades: dict[str, str], comment: str, all_needed: bool = True) -> None:
    for name in ("article", "box", "manual"):
        code = grades.get(name, "")
        if code not in Grade.__members__:
            if all_needed:
                raise Refused(
                    _(
                        "Grade the article, the box and the manual first (keys 1 to 5, 0 for"
                        " missing)."
                    )
                )
            continue
        setattr(line, f"grade_{name}", Grade[code])
    line.comment = comment.strip()[:1000]


def _control(line: OfferLine, verb: str, by: Actor, **facts: Any) -> None:
    _must_be_open(line.offer)
    if line.status in CONTROLLED:
        at = dates.hour(line.controlled_at) if line.controlled_at else "—"
        raise Refused(
            _(
                "« %(title)s » was already controlled by %(name)s at %(time)s.",
                title=line.title,
                name=line.controlled_by,
                time=at,
            )
        )
    LINE.fire(line, verb, by=by, ean=line.ean, title=line.title, **facts)
    line.controlled_at, line.controlled_by = clock.now(), by.name[:200]


def _must_be_open(offer: Offer) -> None:
    parcel = parcels.live_parcel(offer)
    if parcel is None or parcel.status is not ParcelState.inspecting:
        raise Refused(_("This parcel is not open on the bench: scan its bordereau first."))


def _make_ours(line: OfferLine, store: Store, place: str, by: Actor) -> Item:
    offer = line.offer
    if store.vendor_id != offer.vendor_id:
        raise Refused(_("This store belongs to another vendor."))
    assert line.paid_cents is not None
    item = items.enter(
        line.variant, store, cost_cents=line.paid_cents, by=by, place=place.strip()[:60], line=line
    )
    for photo in line.photos:
        photo.item_id = item.id
    if offer.vendor.police_register:
        police_register.record(item, line, by=by)
    return item


# ── the end ──


def why_not_end(offer: Offer) -> str | None:
    left = [line for line in articles(offer) if waits(line)]
    if left:
        return _(
            "%(count)s articles are not controlled yet: scan them, or say they are missing.",
            count=len(left),
        )
    return None


def end(offer: Offer, *, by: Actor) -> None:
    """« Fin de réception »: what was accepted is owed; the rest waits for the seller's answer."""
    _lock(offer)
    if is_over(offer):
        return
    _must_be_open(offer)
    if reason := why_not_end(offer):
        raise Refused(reason)
    parcel = parcels.live_parcel(offer)
    assert parcel is not None
    now = clock.now()
    parcels.PARCEL.fire(parcel, "check", by=by)
    parcel.checked_at = offer.received_at = now
    if pending(offer):
        offer.reception_answer_by = clock.days_later(settings.value("answer_days"))
    offers.OFFER.fire(offer, "receive", by=by, accepted_cents=amounts.accepted_cents(offer))
    webhooks.tell(offer.vendor_id, "buyback.received", {"number": offer.number})
    total = amounts.accepted_cents(offer)
    if total:
        _owe(offer, "purchase", str(offer.number), total, by)
    review(offer, by=by)


def tell(offer: Offer, *, by: Actor) -> None:
    """« Envoyer l'email de réception »: accepted amount, what was refused and why, what to answer,
    the IBAN to give.
    """
    if offer.received_at is None:
        raise Refused(_("End the reception first."))
    first = offer.reception_told_at is None
    if first and pending(offer):  # the seller's time to answer begins when they are told
        offer.reception_answer_by = clock.days_later(settings.value("answer_days"))
    offer.reception_told_at = clock.now()
    workflow.record(offer, "tell_reception", by=by)
    lines = articles(offer)
    messages.tell(
        offer.seller,
        "reception_recap",
        site=offer.site,
        offer=offer,
        accepted=[line for line in lines if line.status is S.accepted],
        waiting=pending(offer),
        missing=[line for line in lines if line.status is S.missing],
        photos={
            line.id: [
                letters.document_link(offer, "photo", photo.id, photo.file) for photo in line.photos
            ]
            for line in pending(offer)
        },
        needs_iban=_needs_iban(offer),
        needs_identity=parcels.needs_identity(offer),
        next_step=seller_payments.next_step(offer.payment) if offer.payment else "",
        paid_at_once=len(offer.payments) > 1,
        fee=settings.value("return_fee_cents"),
        otherwise=outcome_words(settings.value("default_outcome")),
        **letters.facts(offer),
    )


def untold() -> list[int]:
    """Receptions ended an hour ago whose seller was not written to: it is done for whoever
    forgot.
    """
    limit = clock.now() - timedelta(hours=1)
    return list(
        db.session.scalars(
            select(Offer.id).where(
                Offer.status.in_([OfferState.received, OfferState.settled]),
                Offer.reception_told_at.is_(None),
                Offer.received_at < limit,
            )
        )
    )


def tell_by_clock(offer: Offer) -> None:
    if offer.reception_told_at is None:
        tell(offer, by=CLOCK)


def outcome_words(code: str) -> str:
    return {
        "to_return": _("sent back at your cost"),
        "recycled": _("recycled"),
        "given": _("given away"),
    }[code]


# ── identity ──


def record_identity(offer: Offer, typed: dict[str, str], *, by: Actor) -> None:
    """The document was in the parcel, or came later: the register is completed, the payment goes
    on.
    """
    identity.record(offer.vendor, offer.seller, typed, by=by)
    db.session.flush()
    police_register.identity_came(offer.vendor_id, offer.seller, by=by)
    waiting = select(Offer).where(
        Offer.customer_id == offer.customer_id,
        Offer.vendor_id == offer.vendor_id,
        Offer.status == OfferState.received,
    )
    for other in db.session.scalars(waiting).all():
        review(other, by=by)


def identity_missing(offer: Offer, *, by: Actor) -> None:
    """It is not in the parcel: the seller is reminded at once; the control goes on, the payment
    will wait.
    """
    workflow.record(offer, "identity_missing", by=by)
    messages.tell(
        offer.seller, "identity_missing", site=offer.site, offer=offer, **letters.facts(offer)
    )


files.named_by(Photo, "file")
workflow.says(
    "offer",
    identity_missing=_l("Identity document missing: seller reminded"),
)


def choose_means(offer: Offer, means: PaymentMeans, *, by: Actor) -> None:
    """The seller chooses transfer or store credit: the register, which says how one is paid, is
    completed.
    """
    _lock(offer)
    before = offer.means
    seller_payments.choose(offer, means, by=by)
    if offer.means is not before:
        for line in articles(offer):
            item = item_of(line)
            if item is not None and (entry := police_register.of_item(item)):
                police_register.correct(
                    entry,
                    _("the seller chose another means of payment"),
                    by=by,
                    means=workflow.words_of(means),
                )


# ── the seller answers ──


def pending(offer: Offer) -> list[OfferLine]:
    """Articles that wait for the seller's answer."""
    return [line for line in articles(offer) if line.status in ANSWERABLE]


def choices(line: OfferLine) -> list[str]:
    """What a seller may answer for an article."""
    return (["agree"] if line.status is S.countered else []) + ["to_return", "given", "recycled"]


def answer(offer: Offer, chosen: dict[int, str], relay: str = "", *, by: Actor) -> None:
    """The seller's answer to everything that waits, on one page; the payment goes on."""
    _lock(offer)
    waiting = pending(offer)
    if not waiting:
        raise Refused(_("There is nothing to answer any more."))
    if offer.reception_answer_by and clock.now() > offer.reception_answer_by:
        raise Refused(_("The time to answer is over."))
    for line in waiting:
        if chosen.get(line.id) not in choices(line):
            raise Refused(_("Choose an answer for « %(title)s ».", title=line.title))
    _conclude(offer, {line.id: chosen[line.id] for line in waiting}, relay, by)
    workflow.record(
        offer,
        "answer_reception",
        by=by,
        answers=[f"{line.title} : {workflow.words_of(line.status)}" for line in waiting],
    )
    messages.tell_shop(
        "reception_answered",
        site=offer.site,
        offer=offer,
        seller=offer.seller.name,
        lines=waiting,
    )
    messages.tell_step(
        offer.seller,
        "answers_received",
        site=offer.site,
        offer=offer,
        answered=waiting,
        to_collect=to_collect(offer),
        sentence=seller_payments.next_step(offer.payment) if offer.payment else "",
        **letters.facts(offer),
    )


def unanswered() -> list[int]:
    """Receptions whose seller let the time pass."""
    return list(
        db.session.scalars(
            select(Offer.id).where(
                Offer.status == OfferState.received, Offer.reception_answer_by < clock.now()
            )
        )
    )


def lapse(offer: Offer) -> None:
    """No answer in time: what the conditions say happens."""
    _lock(offer)
    waiting = pending(offer)
    if not waiting:
        offer.reception_answer_by = None
        return
    _conclude(
        offer,
        dict.fromkeys((line.id for line in waiting), settings.value("default_outcome")),
        _first_relay(offer),
        CLOCK,
    )
    messages.tell(
        offer.seller,
        "reception_lapsed",
        site=offer.site,
        offer=offer,
        waiting=waiting,
        outcome=outcome_words(settings.value("default_outcome")),
        to_collect=to_collect(offer),
        **letters.facts(offer),
    )


def _first_relay(offer: Offer) -> str:
    """The relay nearest to the seller, where what they did not answer about is sent; empty where
    their label named none.
    """
    relays = [r for parcel in offer.parcels if parcel.label for r in parcel.label.relays]
    return relays[0]["number"] if relays else ""


def _conclude(offer: Offer, chosen: dict[int, str], relay: str, by: Actor) -> None:
    now = clock.now()
    for line in pending(offer):
        verb = chosen[line.id]
        if verb == "agree":
            line.paid_cents = line.bench_cents
        LINE.fire(line, verb, by=by, ean=line.ean, title=line.title)
        line.answered_at = now
        if verb == "agree":
            _make_ours(line, _store_of(offer), "", by)
            _owe(offer, "purchase_line", f"{offer.number}:{line.id}", line.paid_cents or 0, by)
    offer.reception_answer_by = None
    if (
        any(line.status is S.to_return for line in articles(offer))
        and parcels.return_parcel(offer) is None
    ):
        fee = settings.value("return_fee_cents")
        near = {
            relay["number"]
            for parcel in offer.parcels
            if parcel.label is not None
            for relay in parcel.label.relays
        }
        may_order = relay in near and parcels.why_no_label(offer) is None
        payer = _who_bears(offer, fee) if may_order else None
        parcels.expect_return(offer, relay if payer else "", fee if payer else 0, by=by)
        if payer is not None:
            payer.fee_cents = fee
            ledger.post(
                offer.vendor_id,
                "return_fee",
                str(offer.number),
                _("Sending back articles of %(number)s", number=offer.number),
                Side(K.seller, fee, offer.seller.id),
                Side(K.return_fees, -fee),
                by=by,
            )
    review(offer, by=by)


def _who_bears(offer: Offer, fee: int) -> SellerPayment | None:
    """The payment that sending articles back is taken from, once the answers are known: that of the
    contested articles, else the other one if it has not left. None when neither covers the fee: the
    seller collects them, or sends a label (domain.md § 2.31).
    """
    able = (
        payment
        for payment in reversed(offer.payments)
        if not seller_payments.has_left(payment) and fee <= amounts.part_cents(offer, payment.part)
    )
    return next(able, None) if fee else None


def is_sending_back_covered(offer: Offer) -> bool:
    """Whether something is still to be paid that covers it, whatever the seller answers."""
    return _who_bears(offer, settings.value("return_fee_cents")) is not None


def to_collect(offer: Offer) -> bool:
    """Whether articles that go back wait in the shop: nothing covered a label for them."""
    back = parcels.return_parcel(offer)
    return back is not None and back.label is None and back.status is ParcelState.to_return


def may_send_back(offer: Offer) -> bool:
    """Whether some answer lets the seller pay for having articles sent back."""
    fee = settings.value("return_fee_cents")
    if not fee or offer.status is not OfferState.received or parcels.why_no_label(offer):
        return False
    if is_sending_back_covered(offer):
        return True
    agreed = sum(line.bench_cents or 0 for line in pending(offer) if line.status is S.countered)
    last = offer.payments[-1]  # where an article goes whose new price is taken
    return bool(agreed + amounts.part_cents(offer, last.part) >= fee)


def sent_back(parcel: Parcel, *, by: Actor) -> None:
    """« Expédié au client »: the refused articles left, or the seller collected them."""
    parcels.PARCEL.fire(parcel, "send_back", by=by)
    LINE.fire_all(
        [line for line in articles(parcel.offer) if line.status is S.to_return], "send_back", by=by
    )
    offer = parcel.offer
    messages.tell_step(
        offer.seller,
        "articles_sent_back",
        site=offer.site,
        offer=offer,
        label=parcel.label_number,
        carrier=parcel.label.carrier_name if parcel.label else "",
        **letters.facts(offer),
    )


# ── what is owed ──


def blockers(offer: Offer, part: PaymentPart) -> list[str]:
    """Why a part of a sale may not be paid yet, in words for the staff."""
    found = []
    waits_for_all = len(offer.payments) == 1 or part is PaymentPart.contested
    if waits_for_all and (waiting := pending(offer)):
        found.append(
            _("Waits for the seller's answer about %(count)s articles.", count=len(waiting))
        )
    if offer.vendor.police_register and not parcels.bought_nothing(offer):
        document = identity.of(offer.vendor_id, offer.seller.id)
        if document is None:
            found.append(_("The identity document is missing."))
        elif identity.is_minor(document):
            found.append(_("The seller is under 18: the written consent of a parent is missing."))
    return found


def _payments(offer: Offer) -> list[SellerPayment]:
    """The payments of a received sale, opened when first needed: one, and a second one when
    articles wait for an answer while others are bought.
    """
    seller_payments.open_part(offer, PaymentPart.first)
    if pending(offer) and amounts.accepted_cents(offer) and settings.value("pay_at_once") == "yes":
        seller_payments.open_part(offer, PaymentPart.contested)
    return list(offer.payments)


def review(offer: Offer, *, by: Actor) -> None:
    """Put each payment of a received sale where it belongs now."""
    for payment in _payments(offer):
        seller_payments.review(
            payment,
            amounts.part_cents(offer, payment.part) - payment.fee_cents,
            blockers(offer, payment.part),
            by=by,
        )


def release(payment: SellerPayment, *, by: Actor) -> None:
    """« Ne plus retenir »: a payment a person kept back goes on, unless something else keeps it."""
    seller_payments.let_go(payment)
    review(payment.offer, by=by)


def _owe(offer: Offer, kind: str, reference: str, cents: int, by: Actor) -> None:
    ledger.post(
        offer.vendor_id,
        kind,
        reference,
        _("Purchase %(number)s", number=offer.number),
        Side(K.purchases, cents),
        Side(K.seller, -cents, offer.seller.id),
        by=by,
    )


def _needs_iban(offer: Offer) -> bool:
    return offer.customer_id is not None and not seller_payments.usable(offer.seller.id)


def _store_of(offer: Offer) -> Store:
    """Where the rest of this sale was put, else the vendor's first store."""
    for line in articles(offer):
        if (item := item_of(line)) is not None:
            return item.store
    return db.session.scalars(
        select(Store).where(Store.vendor_id == offer.vendor_id).order_by(Store.id)
    ).first()  # type: ignore[return-value]


# ── how long ──


def _forget_photo(photo: Photo) -> list[str]:
    file = photo.file
    db.session.delete(photo)
    return [file]


retention.rule(
    "photos",
    _l("Photos of the bench"),
    lambda: _l("%(n)s months", n=settings.value("photo_months")),
    _l(
        "Shown to the seller for a counter-offer; those of an article in stock stay until it is"
        " sold."
    ),
    Photo,
    lambda now: (
        select(Photo.id)
        .join(OfferLine, OfferLine.id == Photo.line_id)
        .join(Offer, Offer.id == OfferLine.offer_id)
        .outerjoin(Item, Item.id == Photo.item_id)
        .where(
            Photo.at < now - retention.months(settings.value("photo_months")),
            Offer.status.in_([OfferState.settled, OfferState.abandoned]),
            or_(Item.id.is_(None), Item.status.not_in(items.ON_HAND)),
        )
    ),
    _forget_photo,
)
