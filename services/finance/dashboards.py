"""What a shop looks at first: what waits, how many came, how many sold."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from models import (
    Message,
    MessageState,
    Offer,
    OfferState,
    Parcel,
    ParcelState,
    PaymentState,
    UnknownDemand,
    VisitDay,
)
from services import clock, settings
from services.buyback import parcels
from services.payments import seller_payments
from services.unit import db

DAYS = 60
P = ParcelState


@dataclass(frozen=True)
class Chart:
    """60 daily values, oldest first, with what to say of them. `scale` is the round figure at the
    top.
    """

    days: list[date]
    values: list[float]
    scale: float
    total: float
    trend: float | None

    def bars(self) -> list[tuple[float, float, float, float]]:
        """x, y, width and height of each day on a 600 × 120 drawing."""
        width = 600 / len(self.values)
        return [
            (
                round(i * width + width * 0.15, 1),
                round(120 - 120 * v / self.scale, 1),
                round(width * 0.7, 1),
                round(120 * v / self.scale, 1),
            )
            for i, v in enumerate(self.values)
        ]

    def points(self) -> str:
        step = 600 / (len(self.values) - 1)
        return " ".join(
            f"{i * step:.1f},{120 - 120 * v / self.scale:.1f}" for i, v in enumerate(self.values)
        )

    def weeks(self) -> list[tuple[date, date, float]]:
        """Seven days a row, the last one today's: the same figures as a table."""
        rows = []
        for end in range(len(self.values), 6, -7):
            rows.append((self.days[end - 7], self.days[end - 1], sum(self.values[end - 7 : end])))
        return rows


@dataclass(frozen=True)
class Board:
    to_check: int
    oldest: datetime | None
    late: bool
    in_transit: int
    to_collect: int
    to_receive: int
    visitors: Chart
    conversion: Chart
    unknown: int
    most_asked: UnknownDemand | None
    failed_messages: int
    second_chances: int
    troubles: int
    stuck: int
    returns: int
    to_tell: int
    to_pay: int
    awaiting_iban: int


def buyback() -> Board:
    """The dashboard of « Reprise web »."""
    count, oldest = db.session.execute(
        select(func.count(Offer.id), func.min(Offer.finalised_at)).where(
            Offer.status == OfferState.to_check
        )
    ).one()
    oldest = oldest.replace(tzinfo=clock.UTC) if oldest and oldest.tzinfo is None else oldest
    visitors, conversion = charts()
    there, owed = parcels.counts(), seller_payments.counts()
    most = db.session.scalar(select(UnknownDemand).order_by(UnknownDemand.times.desc()).limit(1))
    return Board(
        to_check=count,
        oldest=oldest,
        late=bool(
            oldest and clock.now() - oldest > timedelta(hours=settings.value("check_hours") * 0.75)
        ),
        in_transit=there.get(P.in_transit, 0),
        to_collect=there.get(P.at_relay, 0),
        to_receive=there.get(P.delivered, 0),
        visitors=visitors,
        conversion=conversion,
        unknown=db.session.scalar(select(func.count(UnknownDemand.id))) or 0,
        most_asked=most,
        failed_messages=db.session.scalar(
            select(func.count(Message.id)).where(Message.state == MessageState.failed)
        )
        or 0,
        second_chances=db.session.scalar(
            select(func.count(Offer.id)).where(Offer.status == OfferState.second_chance)
        )
        or 0,
        troubles=parcels.troubles(),
        stuck=len(parcels.stuck()),
        returns=db.session.scalar(select(func.count(Parcel.id)).where(Parcel.status == P.to_return))
        or 0,
        to_tell=db.session.scalar(
            select(func.count(Offer.id)).where(
                Offer.status == OfferState.received, Offer.reception_told_at.is_(None)
            )
        )
        or 0,
        to_pay=owed.get(PaymentState.to_pay, (0, 0))[0],
        awaiting_iban=owed.get(PaymentState.awaiting_iban, (0, 0))[0],
    )


def charts() -> tuple[Chart, Chart]:
    """« Visiteurs uniques » and « taux de transformation » (finalised offers / daily uniques,
    domain.md 2.24), over 60 days.
    """
    today = clock.today()
    days = [today - timedelta(days=n) for n in range(DAYS - 1, -1, -1)]
    came = {
        day: int(n)
        for day, n in db.session.execute(
            select(VisitDay.day, func.sum(VisitDay.visitors))
            .where(VisitDay.day >= days[0])
            .group_by(VisitDay.day)
        )
    }
    since = clock.end_of_day(days[0] - timedelta(days=1))
    sold: dict[date, int] = {}
    for moment in db.session.scalars(select(Offer.finalised_at).where(Offer.finalised_at > since)):
        assert moment is not None  # the condition says so
        day = clock.paris(moment).date()
        sold[day] = sold.get(day, 0) + 1
    visitors = [float(came.get(day, 0)) for day in days]
    rates = [100 * sold.get(day, 0) / came[day] if came.get(day) else 0.0 for day in days]
    half = DAYS // 2

    def rate(part: slice) -> float:
        people = sum(visitors[part])
        return 100 * sum(sold.get(d, 0) for d in days[part]) / people if people else 0.0

    first, last = slice(0, half), slice(half, DAYS)
    before, after = sum(visitors[first]), sum(visitors[last])
    return (
        Chart(
            days,
            visitors,
            _round_up(max(visitors)),
            sum(visitors),
            100 * (after - before) / before if before else None,
        ),
        Chart(
            days,
            rates,
            _round_up(max(rates)),
            rate(slice(0, DAYS)),
            rate(last) - rate(first) if before else None,
        ),
    )


def past_sales(customer_id: int | None) -> int:
    """How many sales a person brought to their end."""
    done = (OfferState.accepted, OfferState.received, OfferState.settled)
    return (
        db.session.scalar(
            select(func.count(Offer.id)).where(
                Offer.customer_id == customer_id, Offer.status.in_(done)
            )
        )
        or 0
    )


def _round_up(top: float) -> float:
    for scale in (
        1,
        2,
        5,
        10,
        20,
        50,
        100,
        200,
        500,
        1000,
        2000,
        5000,
        10_000,
        20_000,
        50_000,
        100_000,
    ):
        if top <= scale:
            return float(scale)
    return top
