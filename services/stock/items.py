"""Second-hand units: they enter, they are sold, withdrawn or lost; stock and sales are counted from
what moved.
"""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import exists, func, select
from sqlalchemy.orm import aliased

from models import (
    FREE,
    ON_HAND,
    Condition,
    Grade,
    Item,
    ItemState,
    Listing,
    ListingState,
    Movement,
    MovementKind,
    OfferLine,
    Store,
    Variant,
    VatRegime,
)
from services import clock, webhooks, workflow
from services.unit import db
from services.workflow import Actor, Move, Refused, Workflow

S, K = ItemState, MovementKind
workflow.name_states(
    (S.in_stock, _l("In stock"), "ok"),
    (S.listed, _l("On sale"), "ok"),
    (S.reserved, _l("Reserved"), "warn"),
    (S.sold, _l("Sold"), "info"),
    (S.withdrawn, _l("Withdrawn"), "bad"),
    (S.lost, _l("Lost"), "bad"),
    (S.returned, _l("Returned"), "warn"),
    (K.entry, _l("Entry"), "ok"),
    (K.sale, _l("Sale"), "info"),
    (K.withdrawal, _l("Withdrawal"), "bad"),
    (K.loss, _l("Loss"), "bad"),
    (K.return_, _l("Return"), "warn"),
    (K.feed, _l("Stock file"), "info"),
    (K.count, _l("Counting"), "info"),
    (K.transfer, _l("Transfer between stores"), "info"),
    (K.adjustment, _l("Correction"), "info"),
    (Grade.like_new, _l("Like new"), "ok"),
    (Grade.very_good, _l("Very good"), "ok"),
    (Grade.good, _l("Good"), "ok"),
    (Grade.fair, _l("Fair"), "warn"),
    (Grade.poor, _l("Poor"), "bad"),
    (Grade.missing, _l("Missing"), "bad"),
    (Condition.like_new_unit, _l("Like new"), "ok"),
    (Condition.very_good_unit, _l("Very good"), "ok"),
    (Condition.good_unit, _l("Good"), "ok"),
    (Condition.acceptable_unit, _l("Acceptable"), "warn"),
    (VatRegime.margin, _l("Margin (second-hand)"), "info"),
    (VatRegime.normal, _l("Normal VAT"), "info"),
)
# In a store, whatever is planned for it; and those nobody has reserved.
_ANYBODY = (workflow.STAFF, workflow.CUSTOMER, workflow.TIME)
ITEM = Workflow(
    "item",
    # By the clock where no till told the sale of what was collected.
    Move("sell", _l("Sold"), set(FREE), S.sold, by=(workflow.STAFF, workflow.TIME)),
    Move("withdraw", _l("Withdraw"), set(FREE), S.withdrawn, done=_l("Withdrawn")),
    Move("lose", _l("Declare lost"), set(FREE), S.lost, done=_l("Lost")),
    # Asked by its listing, and by carts, orders and the till; never from the list.
    Move("put_on_sale", _l("Put on sale"), {S.in_stock}, S.listed, by=_ANYBODY),
    Move(
        "take_off_sale",
        _l("Take off sale"),
        {S.listed},
        S.in_stock,
        by=_ANYBODY,
        done=_l("Taken off sale"),
    ),
    Move("reserve", _l("Reserved"), set(FREE), S.reserved, by=_ANYBODY),
    Move(
        "release",
        _l("Free again"),
        {S.reserved},
        S.in_stock,
        by=_ANYBODY,
        done=_l("Unit free again"),
    ),
    Move(
        "give_back",
        _l("Put back in stock"),
        {S.sold, S.withdrawn, S.lost},
        S.in_stock,
        done=_l("Back in stock"),
    ),
    # A purchase undone: the unit is the seller's again. Asked by the bench, never from the list.
    Move("undo_entry", _l("Given back to its seller"), {S.in_stock}, S.returned),
)
workflow.says(
    "item",
    enter=_l("Entered the stock"),
    shelve=_l("Condition and place"),
    send_to=_l("Sent to another store"),
)


LISTING = Workflow(
    "listing",
    Move(
        "withdraw",
        _l("Take off sale"),
        {ListingState.active},
        ListingState.withdrawn,
        by=_ANYBODY,
        done=_l("Taken off sale"),
    ),
    Move(
        "offer_again",
        _l("Offer again"),
        {ListingState.withdrawn},
        ListingState.active,
        done=_l("Offered again"),
    ),
)
workflow.name_states(
    (ListingState.active, _l("On sale"), "ok"),
    (ListingState.withdrawn, _l("Taken off sale"), "off"),
)


def enter(
    variant: Variant,
    store: Store,
    *,
    cost_cents: int,
    by: Actor,
    place: str = "",
    line: OfferLine | None = None,
    reference: str = "",
    at: datetime | None = None,
    condition: Condition | None = None,
) -> Item:
    """One unit enters a store at what it cost us; bought from a person it brings its grades, and
    its margin is what is taxed.

    `condition`: as it is sold, when somebody said it already; without it somebody must, before it
    is offered.
    """
    item = Item(
        vendor_id=store.vendor_id,
        store=store,
        variant=variant,
        cost_cents=cost_cents,
        place=place,
        status=S.in_stock,
        vat_regime=VatRegime.margin,
        entered_at=clock.now(),
        condition=condition,
    )
    if line is not None:
        item.offer_line_id, item.comment = line.id, line.comment
        item.grade_article, item.grade_box, item.grade_manual = (
            line.grade_article,
            line.grade_box,
            line.grade_manual,
        )
        item.condition = selling_condition(line.grade_article, line.grade_box, line.grade_manual)
    db.session.add(item)
    workflow.record(item, "enter", by=by)
    _move(item, K.entry, +1, by=by, reference=reference, at=at)
    return item


def shelve(item: Item, *, condition: Condition | None, place: str, by: Actor) -> None:
    """In which condition a unit is sold, and where it lies, by hand (domain 2.13). Raises Refused
    when it is no longer here, or is offered already.
    """
    if item.status not in ON_HAND:
        raise Refused(_("This unit is no longer in stock."))
    place = " ".join(place.split())[:60]
    if condition is not item.condition and item.status is not S.in_stock:
        raise Refused(
            _(
                "It is offered as « %(condition)s »: take it off sale first.",
                condition=workflow.words_of(item.condition),
            )
        )
    if (condition, place) == (item.condition, item.place):
        return
    before = item.condition
    item.condition, item.place = condition, place
    workflow.record(item, "shelve", by=by, before=before, after=condition, place=place)


_CONDITIONS = {
    Grade.like_new: Condition.like_new_unit,
    Grade.very_good: Condition.very_good_unit,
    Grade.good: Condition.good_unit,
}


def selling_condition(*grades: Grade | None) -> Condition:
    """The worst of article, box and manual, as it is sold; below « Bon » everything is « Acceptable
    ».
    """
    order = list(Grade)
    worst = max((g for g in grades if g is not None), key=order.index, default=Grade.good)
    return _CONDITIONS.get(worst, Condition.acceptable_unit)


def undo_entry(item: Item, *, by: Actor) -> None:
    """The purchase is undone: the unit leaves the stock and is its seller's again."""
    ITEM.fire(item, "undo_entry", by=by)
    _move(item, K.return_, -1, by=by)


def sell(
    item: Item,
    price_cents: int,
    *,
    channel: str = "boutique",
    by: Actor,
    at: datetime | None = None,
    reference: str = "",
) -> None:
    """The unit was sold. It leaves every channel in the same unit. Raises Refused when it is not in
    stock, or the price is not one.
    """
    if price_cents <= 0:
        raise Refused(_("Type the price it was sold for."))
    ITEM.fire(item, "sell", by=by, price_cents=price_cents, channel=channel)
    _move(
        item,
        K.sale,
        -1,
        by=by,
        price_cents=price_cents,
        channel=channel,
        at=at,
        reference=reference,
    )
    _leave_channels(item)


def _leave_channels(item: Item) -> None:
    """What is gone is offered no more (domain 2.21)."""
    for listing in db.session.scalars(
        select(Listing).where(Listing.item_id == item.id, Listing.status == ListingState.active)
    ):
        LISTING.fire(
            listing,
            "withdraw",
            by=workflow.CLOCK,
            set={"updated_at": clock.now(), "was_shown": False},
        )
        gone = {"sku": listing.sku, "reason": "SOLD"}
        webhooks.tell(listing.vendor_id, "listing.delisted", gone)


def is_on_hand(item: Item) -> bool:
    """Whether the unit lies in a store of ours, free or kept for somebody."""
    return item.status in ON_HAND


def can_be_sent(item: Item) -> bool:
    """Whether it may go to another store: neither offered nor kept for somebody."""
    return item.status is S.in_stock


def send_to(item: Item, store: Store, *, by: Actor) -> None:
    """The unit goes to another store of its vendor, at once: it leaves one and enters the other.
    Raises Refused when it is offered, kept for somebody, or gone.
    """
    if not can_be_sent(item):
        raise Refused(
            _("Take it off sale first: what is offered or kept for somebody stays where it is.")
            if is_on_hand(item)
            else _("This unit is no longer in stock.")
        )
    if store.vendor_id != item.vendor_id:
        raise Refused(_("Stock is transferred between the stores of one vendor."))
    if store.id == item.store_id:
        raise Refused(_("Choose two different stores."))
    before = item.store.name
    _move(item, K.transfer, -1, by=by, reference=f"article {item.id}")
    item.store, item.store_id, item.place = store, store.id, ""
    _move(item, K.transfer, +1, by=by, reference=f"article {item.id}")
    workflow.record(item, "send_to", by=by, was=before, now=store.name)


def withdraw(item: Item, *, by: Actor) -> None:
    ITEM.fire(item, "withdraw", by=by)
    _move(item, K.withdrawal, -1, by=by)
    _leave_channels(item)


def lose(item: Item, *, by: Actor) -> None:
    ITEM.fire(item, "lose", by=by)
    _move(item, K.loss, -1, by=by)
    _leave_channels(item)


def give_back(item: Item, *, by: Actor) -> None:
    """It is here after all: the undo of the three above."""
    ITEM.fire(item, "give_back", by=by)
    _move(item, K.return_, +1, by=by)


def free(item: Item) -> None:
    """Nobody keeps it any more: back on sale when it was, else in stock."""
    ITEM.fire(item, "release", by=workflow.CLOCK)
    if db.session.scalar(
        select(Listing.id).where(Listing.item_id == item.id, Listing.status == ListingState.active)
    ):
        ITEM.fire(item, "put_on_sale", by=workflow.CLOCK)


def stock_of(vendor_id: int, variant_ids: list[int]) -> dict[int, int]:
    """« NB Stock »: units in stock of each reference, over the vendor's stores."""
    rows = db.session.execute(
        select(Item.variant_id, func.count())
        .where(
            Item.vendor_id == vendor_id, Item.variant_id.in_(variant_ids), Item.status.in_(ON_HAND)
        )
        .group_by(Item.variant_id)
    ).all()
    return {variant: count for variant, count in rows}


def sold_of(vendor_id: int, variant_ids: list[int]) -> dict[int, tuple[int, int]]:
    """« NB Stock vendu » and average price in cents of each reference, from the sales that were not
    undone.
    """
    later = aliased(Movement)
    undone = exists().where(
        later.item_id == Movement.item_id,
        later.kind == K.return_,
        later.quantity > 0,
        later.id > Movement.id,
    )
    rows = db.session.execute(
        select(Movement.variant_id, func.count(), func.sum(Movement.price_cents))
        .where(
            Movement.vendor_id == vendor_id,
            Movement.variant_id.in_(variant_ids),
            Movement.kind == K.sale,
            ~undone,
        )
        .group_by(Movement.variant_id)
    ).all()
    return {
        variant: (count, (int(total or 0) * 2 + count) // (2 * count))
        for variant, count, total in rows
    }


def _move(
    item: Item,
    kind: MovementKind,
    quantity: int,
    *,
    by: Actor,
    price_cents: int | None = None,
    channel: str = "",
    at: datetime | None = None,
    reference: str = "",
) -> None:
    db.session.add(
        Movement(
            vendor_id=item.vendor_id,
            store_id=item.store_id,
            variant_id=item.variant_id,
            item_id=item.id,
            kind=kind,
            quantity=quantity,
            price_cents=price_cents,
            channel=channel,
            by_name=by.name,
            at=at or clock.now(),
            recorded_at=clock.now(),
            reference=reference[:60],
        )
    )
