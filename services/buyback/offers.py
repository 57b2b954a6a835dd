"""What a person proposes to sell us: a cart, then a numbered proposal that the shop checks and
decides.

The price of a line is the one computed when it was put in the cart (or announced as changed since);
what it was computed from is frozen beside it.
"""

import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from models import (
    Customer,
    Event,
    Message,
    Offer,
    OfferLine,
    OfferState,
    ParcelState,
    Site,
    ValidationMode,
)
from services import (
    clock,
    messages,
    money,
    numbering,
    outbox,
    personal,
    settings,
    webhooks,
    workflow,
)
from services.buyback import letters, parcels, pricing
from services.people import sites
from services.shipping import contracts
from services.unit import db
from services.words import paragraphs
from services.workflow import CLOCK, CUSTOMER, STAFF, TIME, Actor, Move, Refused, Workflow

S = OfferState
workflow.name_states(
    (S.draft, _l("Cart"), "off"),
    (S.to_check, _l("To check"), "warn"),
    (S.second_chance, _l("Second chance"), "info"),
    (S.accepted, _l("Accepted"), "ok"),
    (S.declined, _l("Declined"), "bad"),
    (S.refused, _l("Refused"), "bad"),
    (S.deleted, _l("Deleted"), "off"),
    (S.abandoned, _l("Abandoned"), "bad"),
    (S.received, _l("Received"), "info"),
    (S.settled, _l("Settled"), "ok"),
)

# The same states, as the seller reads them.
SELLER_WORDS = {
    S.to_check: _l("Waiting for validation"),
    S.second_chance: _l("New price to answer"),
    S.accepted: _l("Validated"),
    S.declined: _l("Declined"),
    S.refused: _l("Not bought"),
    S.abandoned: _l("Abandoned"),
    S.received: _l("Being paid"),
    S.settled: _l("Settled"),
}


def _reached(offer: Offer) -> str | None:
    if not offer.articles:
        return _("Your cart is empty: scan a first game.")
    missing = offer.site.threshold_cents - offer.total_cents
    if missing > 0:
        return _(
            "%(missing)s more to reach %(threshold)s.",
            missing=money.text(missing),
            threshold=money.text(offer.site.threshold_cents),
        )
    return None


def _has_articles(offer: Offer) -> str | None:
    return None if offer.articles else _("Every article was taken out: refuse the offer instead.")


def _in_time(offer: Offer) -> str | None:
    if offer.answer_by and clock.now() > offer.answer_by:
        return _("The time to answer is over.")
    return None


def _before_drop_off(offer: Offer) -> str | None:
    parcel = parcels.live_parcel(offer)
    if parcel is not None and parcel.status is not ParcelState.not_sent:
        return _("Your parcel is already on its way: start a new sale.")
    if offer.drop_off_by and clock.now() > offer.drop_off_by:
        return _("The time to drop the parcel off is over: start a new sale.")
    return None


def _has_not_left(offer: Offer) -> str | None:
    parcel = parcels.live_parcel(offer)
    if parcel is not None and parcel.status is not ParcelState.not_sent:
        return _("Your parcel is already on its way: write to the shop.")
    return None


def _fact(offer: Offer) -> str:
    return f"offer:{offer.id}"


def _nothing_left(offer: Offer) -> str | None:
    if offer.decided_at and outbox.can_take_back(_fact(offer), offer.decided_at):
        return None
    return _("It is too late: the mail has left, or is leaving.")


# ruff: disable[E501]
OFFER = Workflow(
    "offer",
    # verb                label                            from                               to
    # only if         by
    Move("finalise",         _l("Finalise the sale"),         {S.draft},                         S.to_check,       _reached,       (CUSTOMER,), done=_l("Offer sent")),
    Move("finalise_at_once", _l("Finalise the sale"),         {S.draft},                         S.accepted,       _reached,       (CUSTOMER,), done=_l("Offer sent, validated at once")),
    Move("accept",           _l("Accept this offer"),         {S.to_check},                      S.accepted,       _has_articles, done=_l("Offer accepted")),
    Move("counter",          _l("Second chance"),             {S.to_check},                      S.second_chance,  _has_articles, done=_l("Second chance offered")),
    Move("agree",            _l("I agree"),                   {S.second_chance},                 S.accepted,       _in_time,       (CUSTOMER,), done=_l("Second chance accepted by the seller")),
    Move("disagree",         _l("I decline"),                 {S.second_chance},                 S.declined,       None,           (CUSTOMER,), done=_l("Second chance declined by the seller")),
    Move("lapse",            _l("No answer in time"),         {S.second_chance},                 S.declined,       None,           (TIME,)),
    Move("withdraw",         _l("I will not send it"),        {S.to_check},                      S.declined,       _has_not_left,  (CUSTOMER,), done=_l("Withdrawn by the seller")),
    Move("give_up",          _l("I will not send it"),        {S.accepted},                      S.abandoned,      _has_not_left,  (CUSTOMER,), done=_l("Given up by the seller")),
    Move("refuse",           _l("Refuse this offer"),         {S.to_check, S.second_chance},     S.refused, done=_l("Offer refused")),
    Move("undo",             _l("Undo"),                      {S.accepted, S.refused},           S.to_check,       _nothing_left, done=_l("Decision taken back")),
    Move("delete",           _l("Delete this offer"),         {S.to_check, S.refused, S.declined}, S.deleted, done=_l("Offer deleted")),
    Move("complete",         _l("Add games"),                 {S.to_check, S.accepted},          None,             _before_drop_off, (CUSTOMER,), done=_l("Games added")),
    Move("check_again",      _l("To be checked again"),       {S.accepted},                      S.to_check,       None,           (CUSTOMER,), done=_l("To be checked again")),
    Move("abandon",          _l("Abandoned"),                 {S.accepted},                      S.abandoned,      None,           (STAFF, TIME)),
    Move("revive",           _l("The parcel came after all"), {S.abandoned},                     S.accepted),
    Move("receive",          _l("Reception ended"),           {S.accepted},                      S.received),
    Move("reopen",           _l("The transfer came back"),    {S.settled},                       S.received),
    Move("settle",           _l("Settled"),                   {S.received},                      S.settled,        None,           (STAFF, CUSTOMER, TIME)),
    Move("remove_line",      _l("Take out"),                  {S.to_check},                      None, done=_l("Article taken out")),
    Move("restore_line",     _l("Put back"),                  {S.to_check},                      None, done=_l("Article put back")),
    Move("remark",           _l("Internal remark"),           set(S) - {S.draft},                None, done=_l("Internal remark changed")),
)  # fmt: skip
# ruff: enable[E501]


# ── the cart ──


def open_cart(site: Site, customer: Customer | None = None) -> Offer:
    """An empty cart on a site; an anonymous one is known by its token."""
    now = clock.now()
    cart = Offer(
        token=secrets.token_urlsafe(18),
        site=site,
        vendor_id=site.vendor_id,
        customer=customer,
        status=S.draft,
        articles=0,
        total_cents=0,
        proposed_cents=0,
        created_at=now,
        touched_at=now,
    )
    db.session.add(cart)
    db.session.flush()
    return cart


def add(cart: Offer, words: str) -> OfferLine:
    """Put one copy of a barcode in a cart at today's price. Raises Refused with the sentence of the
    quote when it is not bought.
    """
    _must_be_cart(cart)
    if len(active_lines(cart)) >= MOST_LINES:
        raise Refused(
            _(
                "A cart holds %(most)s articles at most: finalise this sale, then start another.",
                most=MOST_LINES,
            )
        )
    quote = pricing.quote(cart.site_id, words)
    if quote.variant_id is not None:
        held = sum(1 for line in active_lines(cart) if line.variant_id == quote.variant_id)
        quote = pricing.quote(cart.site_id, words, copies_in_cart=held, seller_id=cart.customer_id)
    if quote.status is not pricing.Status.bought:
        raise Refused(quote.sentence)
    line = OfferLine(
        variant_id=quote.variant_id,
        ean=quote.ean,
        title=quote.title,
        platform=quote.platform or "",
        **_frozen(quote),
    )
    cart.lines.append(line)
    _touch(cart)
    return line


MOST_LINES = 300


def take_out(cart: Offer, line: OfferLine) -> None:
    """Take an article out of a cart; `put_back` undoes it."""
    _must_be_cart(cart)
    if line.removed_at is None:
        line.removed_at = clock.now()
    _touch(cart)


def put_back(cart: Offer, line: OfferLine) -> None:
    _must_be_cart(cart)
    line.removed_at = None
    _touch(cart)


def adopt(cart: Offer | None, customer: Customer, site: Site) -> Offer | None:
    """A cart filled before signing in becomes the customer's; what he had put aside elsewhere joins
    it.
    """
    own = cart_of(customer, site)
    if cart is None or cart.customer_id == customer.id or cart.status is not S.draft:
        return own
    if own is None:
        cart.customer = customer
        return cart
    for line in list(cart.lines):
        line.offer = own
    db.session.flush()
    db.session.expire(cart, ["lines"])
    db.session.delete(cart)
    db.session.flush()
    db.session.expire(own, ["lines"])
    _touch(own)
    return own


@dataclass(frozen=True)
class PriceChange:
    """A price that is no longer what the cart said; `after_cents` None: no longer bought."""

    line: OfferLine
    before_cents: int
    after_cents: int | None
    sentence: str


def price_changes(cart: Offer) -> list[PriceChange]:
    """What today's prices would change in a cart. Reads only."""
    moves, held = [], dict[int, int]()
    for line in active_lines(cart):
        quote = pricing.quote(
            cart.site_id,
            line.ean,
            copies_in_cart=held.get(line.variant_id, 0),
            seller_id=cart.customer_id,
        )
        held[line.variant_id] = held.get(line.variant_id, 0) + 1
        if quote.price_cents is None:
            moves.append(PriceChange(line, line.price_cents, None, quote.sentence))
        elif quote.price_cents != line.price_cents:
            sentence = _(
                "« %(title)s » goes from %(before)s to %(after)s.",
                title=line.title,
                before=money.text(line.price_cents),
                after=money.text(quote.price_cents),
            )
            moves.append(PriceChange(line, line.price_cents, quote.price_cents, sentence))
    return moves


@dataclass(frozen=True)
class Today:
    """A cart at today's prices, before anybody wrote them down: what moved, and what is left."""

    moves: list[PriceChange]
    lines: list[OfferLine]
    total_cents: int

    @property
    def moved(self) -> dict[int, int | None]:
        """Today's price of the lines that moved, by their ids; None: no longer bought."""
        return {move.line.id: move.after_cents for move in self.moves}

    def price_of(self, line: OfferLine) -> int:
        """What a line that is still bought is worth today."""
        return self.moved.get(line.id) or line.price_cents


def at_todays_prices(cart: Offer) -> Today:
    """What a cart is worth today. Reads only: `reprice` writes it down."""
    moves = price_changes(cart)
    gone = {move.line.id for move in moves if move.after_cents is None}
    lines = [line for line in active_lines(cart) if line.id not in gone]
    today = Today(moves, lines, 0)
    return replace(today, total_cents=sum(today.price_of(line) for line in lines))


def reprice(cart: Offer) -> list[PriceChange]:
    """Bring a cart to today's prices and say what moved; what is no longer bought is taken out."""
    _must_be_cart(cart)
    moves = price_changes(cart)
    for moved in moves:
        if moved.after_cents is None:
            moved.line.removed_at = clock.now()
            continue
        for name, value in _frozen(pricing.quote(cart.site_id, moved.line.ean)).items():
            setattr(moved.line, name, value)
    if moves:
        _touch(cart)
    return moves


def finalise(cart: Offer, customer: Customer, *, by: Actor) -> None:
    """Send the proposal: it gets its CDE number, the seller a confirmation, the shop an alert.

    Raises Refused under the threshold. Prices must be today's: call `reprice` first and show what
    it says.
    """
    cart.customer = customer
    at_once = cart.site.validation is ValidationMode.automatic
    now = clock.now()
    OFFER.require(cart, "finalise_at_once" if at_once else "finalise", by=by)
    for line in [line for line in cart.lines if line.removed_at]:
        cart.lines.remove(line)
        db.session.delete(line)
    cart.number, cart.finalised_at = numbering.buyback_slip(), now
    cart.conditions_sha256 = sites.conditions_hash(cart.site)
    _add_up(cart)
    cart.proposed_cents = cart.total_cents
    if at_once:
        cart.decided_at, cart.drop_off_by = now, _drop_off_deadline()
    OFFER.fire(
        cart,
        "finalise_at_once" if at_once else "finalise",
        by=by,
        total_cents=cart.total_cents,
        articles=cart.articles,
    )
    if at_once:
        parcels.request(
            cart, parcels.level_for(contracts.contract_of(cart.vendor_id), cart.total_cents), by=by
        )
    else:
        messages.tell_step(
            customer,
            "offer_received",
            site=cart.site,
            offer=cart,
            out_of_reach=parcels.is_out_of_reach(customer.postcode),
            **letters.facts(cart),
        )
    messages.tell_shop(
        "new_offer", site=cart.site, offer=cart, seller=customer.name, **letters.facts(cart)
    )
    webhooks.tell(cart.vendor_id, "buyback.submitted", {"number": cart.number})


# ── the seller, afterwards ──


def answer(offer: Offer, *, agrees: bool, by: Actor) -> None:
    """The seller's answer to a second chance. The same answer twice is one answer."""
    if offer.status is (S.accepted if agrees else S.declined):
        return
    (agree if agrees else disagree)(offer, by=by)


def agree(offer: Offer, *, by: Actor) -> None:
    """The seller takes the second chance: its prices become the offer's."""
    OFFER.require(offer, "agree", by=by)
    for line in active_lines(offer):
        if line.counter_cents == 0:
            _strike(line, _("not taken at the second chance"), by.name)
        elif line.counter_cents is not None and line.counter_cents != line.price_cents:
            line.explanation = _(
                "new price agreed (%(before)s announced)", before=money.text(line.price_cents)
            )
            line.price_cents = line.counter_cents
    _add_up(offer)
    decided = {"decided_at": clock.now(), "drop_off_by": _drop_off_deadline()}
    OFFER.fire(offer, "agree", by=by, set=decided, total_cents=offer.total_cents)
    parcels.request(offer, by=by)
    messages.tell_shop(
        "second_chance_answered",
        site=offer.site,
        offer=offer,
        seller=offer.seller.name,
        agreed=True,
    )


def disagree(offer: Offer, *, by: Actor) -> None:
    """The seller keeps his games."""
    OFFER.fire(offer, "disagree", by=by)
    parcels.abandon(offer, by=CLOCK)
    offer.decided_at = clock.now()
    messages.tell_shop(
        "second_chance_answered",
        site=offer.site,
        offer=offer,
        seller=offer.seller.name,
        agreed=False,
    )


def withdraw(offer: Offer, *, by: Actor) -> None:
    """« Je n’enverrai pas mes jeux »: the seller ends a sale whose parcel has not left; nobody
    reminds them any more, and the shop is told.
    """
    OFFER.fire(offer, "withdraw" if offer.status is S.to_check else "give_up", by=by)
    parcels.abandon(offer, by=CLOCK)
    offer.decided_at = offer.decided_at or clock.now()
    messages.tell_shop("sale_withdrawn", site=offer.site, offer=offer, seller=offer.seller.name)


def can_withdraw(offer: Offer) -> bool:
    """Whether the seller may still say that they will not send."""
    return OFFER.allows(offer, "withdraw", CUSTOMER) or OFFER.allows(offer, "give_up", CUSTOMER)


def lapse(offer: Offer) -> None:
    """Nobody answered the second chance in time."""
    OFFER.fire(offer, "lapse", by=CLOCK)
    parcels.abandon(offer, by=CLOCK)
    offer.decided_at = clock.now()
    messages.tell(
        offer.seller, "second_chance_lapsed", site=offer.site, offer=offer, **letters.facts(offer)
    )


def complete(offer: Offer, cart: Offer, *, by: Actor) -> None:
    """Add the cart's games to a sale whose parcel has not left (R15); an accepted one is checked
    again, unless validation is automatic.
    """
    _must_be_cart(cart)
    if cart.site_id != offer.site_id or cart.customer_id != offer.customer_id:
        raise Refused(_("These games are in the cart of another account or another site."))
    added = active_lines(cart)
    if not added:
        raise Refused(_("Your cart is empty: scan a first game."))
    added_cents = sum(line.price_cents for line in added)
    count = len(added)
    OFFER.require(offer, "complete", by=by)
    for line in added:
        line.offer = offer
    db.session.flush()
    db.session.expire(cart, ["lines"])
    db.session.expire(offer, ["lines"])
    _add_up(offer)
    offer.proposed_cents += added_cents
    _touch(cart)
    OFFER.fire(offer, "complete", by=by, articles=count, total_cents=offer.total_cents)
    if again := is_checked_again(offer):
        OFFER.fire(offer, "check_again", by=by)
        offer.decided_at = None
    messages.tell_step(
        offer.seller,
        "offer_completed",
        site=offer.site,
        offer=offer,
        added=count,
        again=again,
        **letters.facts(offer),
    )
    messages.tell_shop(
        "new_offer",
        site=offer.site,
        offer=offer,
        seller=offer.seller.name,
        **letters.facts(offer),
    )


# ── the shop decides ──


def remove_line(offer: Offer, line: OfferLine, reason: str, *, by: Actor) -> None:
    """« Retirer »: leave one article out, with the reason the seller will read; `restore_line`
    undoes it.
    """
    if line.removed_at:
        return
    OFFER.fire(offer, "remove_line", by=by, ean=line.ean, title=line.title, reason=reason)
    _strike(line, reason, by.name)
    _add_up(offer)


def restore_line(offer: Offer, line: OfferLine, *, by: Actor) -> None:
    if line.removed_at is None:
        return
    OFFER.fire(offer, "restore_line", by=by, ean=line.ean, title=line.title)
    line.removed_at, line.removed_reason, line.removed_by = None, "", ""
    _add_up(offer)


def remark(offer: Offer, words: str, *, by: Actor) -> None:
    """« Remarque interne »: never shown to the seller."""
    words = words.strip()[:4000]
    if words == offer.remark:
        return
    OFFER.fire(offer, "remark", by=by, set={"remark": words})


def accept(offer: Offer, insurance: int = 0, *, by: Actor, can_be_undone: bool = False) -> None:
    """« Accepter cette proposition »: its label is ordered at this insurance level; the seller is
    told, with all they need to send it. What leaves waits a few seconds (`undo_seconds`) where the
    decision can be undone.
    """
    decided = {"decided_at": clock.now(), "drop_off_by": _drop_off_deadline()}
    OFFER.fire(offer, "accept", by=by, set=decided, total_cents=offer.total_cents)
    with _waiting_a_moment(offer, can_be_undone):
        webhooks.tell(offer.vendor_id, "buyback.validated", {"number": offer.number})
        parcels.request(offer, insurance, by=by)


def _waiting_a_moment(offer: Offer, can_be_undone: bool) -> AbstractContextManager[None]:
    """What a decision sends waits, so that it can be undone; not where a label was replaced, or
    given up, by the decision: that cannot be taken back.
    """
    seconds = settings.value("undo_seconds") if can_be_undone else 0
    return outbox.undoable(_fact(offer), 0 if parcels.live_parcel(offer) else seconds)


def seconds_to_undo(offer: Offer) -> int:
    """How many seconds « Annuler » is offered for; 0 when it is too late."""
    if offer.decided_at is None or not OFFER.allows(offer, "undo"):
        return 0
    passed = (clock.now() - offer.decided_at).total_seconds()
    seconds: int = settings.value("undo_seconds")
    return max(0, round(seconds - passed))


def undo(offer: Offer, *, by: Actor) -> None:
    """« Annuler »: an acceptance or a refusal is taken back before its mail and its label leave
    (domain.md § 2.49). Raises Refused once something left.
    """
    since = offer.decided_at
    OFFER.fire(offer, "undo", by=by, set={"decided_at": None, "drop_off_by": None, "motive": ""})
    assert since is not None
    parcels.take_back(offer, since)
    outbox.take_back(_fact(offer), since)


def counter(offer: Offer, prices: dict[int, int], motive: str, *, by: Actor) -> None:
    """« 2ème chance »: propose new prices (cents by line id; 0: not taken), lower in all, with the
    reason. The seller answers by a date.
    """
    motive = paragraphs(motive)[:2000]
    if not motive:
        raise Refused(_("Write why the price changes: the seller reads it."))
    lines = active_lines(offer)
    new = {line.id: prices.get(line.id, line.price_cents) for line in lines}
    if any(cents < 0 for cents in new.values()):
        raise Refused(_("A price cannot be negative."))
    total = sum(new.values())
    if total >= offer.total_cents:
        raise Refused(
            _(
                "A second chance proposes less than %(total)s; to pay that or more, accept the"
                " offer.",
                total=money.text(offer.total_cents),
            )
        )
    if total <= 0:
        raise Refused(_("Nothing would be paid: refuse the offer instead."))
    offer.answer_by = clock.days_later(settings.value("second_chance_days"))
    offer.motive = motive
    OFFER.fire(
        offer, "counter", by=by, before_cents=offer.total_cents, after_cents=total, motive=motive
    )
    for line in lines:
        line.counter_cents = new[line.id]
    changed = [line for line in lines if line.counter_cents != line.price_cents]
    messages.tell(
        offer.seller,
        "second_chance",
        site=offer.site,
        offer=offer,
        new_total=total,
        changed=changed,
        motive=motive,
        **letters.facts(offer),
    )


def refuse(offer: Offer, motive: str, *, by: Actor, can_be_undone: bool = False) -> None:
    """« Refuser cette proposition »: the whole lot, with the reason the seller reads (it may be
    empty).
    """
    decided = {"motive": paragraphs(motive)[:2000], "decided_at": clock.now()}
    OFFER.fire(offer, "refuse", by=by, set=decided, motive=decided["motive"])
    with _waiting_a_moment(offer, can_be_undone):
        parcels.abandon(offer, by=by)  # games were added to a sale that had its label
        messages.tell_step(
            offer.seller,
            "offer_refused",
            site=offer.site,
            offer=offer,
            motive=offer.motive,
            **letters.facts(offer),
        )


def delete(offer: Offer, *, by: Actor) -> None:
    """« Supprimer cette proposition »: it leaves every list for good. A seller who still waited for
    an answer is told that there is nothing to wait for.
    """
    waited = offer.status is S.to_check
    OFFER.fire(offer, "delete", by=by)
    parcels.abandon(offer, by=by)
    if waited:
        messages.tell_step(
            offer.seller, "offer_deleted", site=offer.site, offer=offer, **letters.facts(offer)
        )


def abandon(offer: Offer, *, by: Actor) -> None:
    """« Abandon définitif »: the parcel will not come; the seller is told."""
    OFFER.fire(offer, "abandon", by=by)
    parcels.abandon(offer, by=by)
    messages.tell_step(
        offer.seller, "sale_abandoned", site=offer.site, offer=offer, **letters.facts(offer)
    )


def abandon_by_clock(offer: Offer) -> None:
    """Nobody dropped the parcel off, long after its deadline."""
    abandon(offer, by=CLOCK)


# ── questions ──


def checking_time() -> str:
    """How long the shop takes to check an offer, as it tells the sellers: « 24 à 48 h »."""
    hours = settings.value("check_hours")
    return _("24 to 48 h") if hours == 48 else _("%(hours)s h", hours=hours)


# Beyond so many articles a screen does not compare each with the price of the day.
MOST_COMPARED = 40


def lower_today(offer: Offer) -> dict[int, int]:
    """The articles the rules would pay less for today, with what they would pay (cents; 0: nothing
    any more), by their ids. Limits of copies are left out: they were checked when the offer came.
    """
    lines = active_lines(offer)
    if len(lines) > MOST_COMPARED:
        return {}
    prices = {
        ean: pricing.quote(offer.site_id, ean).price_cents or 0 for ean in {x.ean for x in lines}
    }
    return {line.id: prices[line.ean] for line in lines if prices[line.ean] < line.price_cents}


def is_under_threshold(offer: Offer) -> bool:
    """Whether what is left of an offer is less than the minimum of its site."""
    return missing_cents(offer) > 0


def is_before_us(offer: Offer) -> bool:
    """Whether the shop sees it: sent by its seller, and not deleted."""
    return offer.status not in (S.draft, S.deleted)


active_lines = letters.active_lines
taken_out = letters.taken_out


def missing_cents(cart: Offer) -> int:
    """What is missing to reach the site's threshold; 0 once it is reached."""
    return max(0, cart.site.threshold_cents - cart.total_cents)


def cart_by_token(token: str, site: Site) -> Offer | None:
    return db.session.scalar(
        select(Offer).where(Offer.token == token, Offer.status == S.draft, Offer.site_id == site.id)
    )


def cart_of(customer: Customer, site: Site) -> Offer | None:
    return db.session.scalar(
        select(Offer)
        .where(Offer.customer_id == customer.id, Offer.status == S.draft, Offer.site_id == site.id)
        .order_by(Offer.id.desc())
        .limit(1)
    )


def of_customer(customer: Customer) -> list[Offer]:
    """Everything a person proposed, newest first."""
    return list(
        db.session.scalars(
            select(Offer)
            .where(Offer.customer_id == customer.id, Offer.status.not_in([S.draft, S.deleted]))
            .order_by(Offer.finalised_at.desc())
            .limit(200)
            .options(
                selectinload(Offer.lines), selectinload(Offer.parcels), selectinload(Offer.payments)
            )
        )
    )


def of_customer_count(offer: Offer) -> int:
    """How many sales of this seller this vendor already accepted, this one included."""
    done = (S.accepted, S.received, S.settled)
    rows = select(func.count(Offer.id)).where(
        Offer.customer_id == offer.customer_id,
        Offer.vendor_id == offer.vendor_id,
        Offer.status.in_(done),
    )
    return db.session.scalar(rows) or 0


def can_complete(customer: Customer, site: Site) -> Offer | None:
    """The sale to which games may still be added."""
    open_ones = (
        select(Offer)
        .where(
            Offer.customer_id == customer.id,
            Offer.site_id == site.id,
            Offer.status.in_(OFFER.sources("complete")),
        )
        .order_by(Offer.finalised_at.desc())
        .limit(200)
    )
    found = db.session.scalars(open_ones)
    return next((o for o in found if OFFER.allows(o, "complete", CUSTOMER)), None)


def is_checked_again(offer: Offer) -> bool:
    """Whether games added to this sale send it back to the shop's check."""
    return offer.status is S.accepted and offer.site.validation is ValidationMode.manual


def waiting() -> list[Offer]:
    """« Offres à contrôler », the oldest first: what was sent first is decided first."""
    return list(
        db.session.scalars(
            select(Offer).where(Offer.status == S.to_check).order_by(Offer.finalised_at).limit(500)
        )
    )


def waiting_count() -> int:
    return db.session.scalar(select(func.count(Offer.id)).where(Offer.status == S.to_check)) or 0


def neighbours(offer: Offer) -> tuple[Offer | None, Offer | None, int, int]:
    """The offers to check before and after this one, its place and how many there are."""
    ids = list(
        db.session.scalars(
            select(Offer.id)
            .where(Offer.status == S.to_check)
            .order_by(Offer.finalised_at, Offer.id)
        )
    )
    if offer.id not in ids:
        after = db.session.get(Offer, ids[0]) if ids else None
        return None, after, 0, len(ids)
    place = ids.index(offer.id)
    before = db.session.get(Offer, ids[place - 1]) if place else None
    after = db.session.get(Offer, ids[place + 1]) if place + 1 < len(ids) else None
    return before, after, place + 1, len(ids)


def late() -> list[int]:
    """Second chances nobody answered in time."""
    return list(
        db.session.scalars(
            select(Offer.id).where(Offer.status == S.second_chance, Offer.answer_by < clock.now())
        )
    )


def stale_carts() -> list[int]:
    """Carts nobody touched for as long as we keep them."""
    limit = clock.now() - timedelta(days=settings.value("cart_days"))
    return list(
        db.session.scalars(
            select(Offer.id).where(Offer.status == S.draft, Offer.touched_at < limit).limit(1000)
        )
    )


def empty_if_stale(cart: Offer) -> None:
    """Forget a cart, unless somebody came back to it meanwhile."""
    if cart.id in stale_carts():
        empty(cart)


def empty(cart: Offer) -> None:
    """Forget a cart."""
    _must_be_cart(cart)
    for line in list(cart.lines):
        db.session.delete(line)
    db.session.flush()
    db.session.expire(cart, ["lines"])
    db.session.delete(cart)


def last_decision(offer: Offer) -> Event | None:
    """Who changed an offer last, and when: shown when two members of staff edit the same offer."""
    return next(iter(workflow.history(offer, 1)), None)


# ── private ──


def _must_be_cart(cart: Offer) -> None:
    if cart.status is not S.draft:
        raise Refused(_("This sale was already sent: its articles no longer change here."))


def _frozen(quote: pricing.Quote) -> dict[str, Any]:
    """What a price was computed from, as it is kept on the line."""
    return {
        "argus_cents": quote.argus_cents or 0,
        "rule_id": quote.rule.id if quote.rule else None,
        "rate_bp": quote.rule.rate_bp if quote.rule else None,
        "price_cents": quote.price_cents,
        "explanation": quote.explanation,
        "priced_at": clock.now(),
    }


def _strike(line: OfferLine, reason: str, by: str) -> None:
    line.removed_at, line.removed_reason, line.removed_by = (
        clock.now(),
        reason.strip()[:300],
        by[:200],
    )


def _touch(cart: Offer) -> None:
    _add_up(cart)
    cart.touched_at = clock.now()


def _add_up(offer: Offer) -> None:
    lines = active_lines(offer)
    offer.articles, offer.total_cents = len(lines), sum(line.price_cents for line in lines)


def _drop_off_deadline() -> datetime:
    return clock.days_later(settings.value("drop_off_days"))


# ── what it holds of a person ──

OPEN_STATES = (
    OfferState.to_check,
    OfferState.second_chance,
    OfferState.accepted,
    OfferState.received,
)  # Abandoned offers may still arrive, and then we must return the games.


def _export(customer: Customer) -> list[dict[str, Any]]:
    rows = select(Offer).where(Offer.customer_id == customer.id).order_by(Offer.id)
    return [
        {
            "number": o.number,
            "state": o.status.value,
            "site": o.site.name,
            "finalised_at": o.finalised_at.isoformat() if o.finalised_at else None,
            "total_cents": o.total_cents,
            "lines": [
                {
                    "ean": line.ean,
                    "title": line.title,
                    "platform": line.platform,
                    "price_cents": line.price_cents,
                    "removed": line.removed_reason or None,
                }
                for line in o.lines
            ],
        }
        for o in db.session.scalars(rows)
    ]


def _why_keep(customer: Customer) -> str | None:
    open_offer = db.session.scalar(
        select(Offer)
        .where(Offer.customer_id == customer.id, Offer.status.in_(OPEN_STATES))
        .limit(1)
    )
    if open_offer is None:
        return None
    return _(
        "Your sale %(number)s is not finished: your account can be erased once it is.",
        number=open_offer.number,
    )


def _stays(customer: Customer) -> str | None:
    count = db.session.scalar(
        select(func.count()).where(
            Offer.customer_id == customer.id, Offer.status.not_in([OfferState.draft])
        )
    )
    if not count:
        return None
    return _(
        "Your account is erased. %(count)s past sales stay without your name, ten years, as"
        " accounting law asks.",
        count=count,
    )


def _erase_letters(customer: Customer) -> None:
    """Also the shop's own letters about these offers: they name the seller."""
    own = select(Offer.id).where(Offer.customer_id == customer.id)
    for message in db.session.scalars(select(Message).where(Message.offer_id.in_(own))):
        messages.blank(message)


personal.rule(
    "offers", export=_export, why_keep=_why_keep, erase=_erase_letters, stays=_stays, first=3
)
