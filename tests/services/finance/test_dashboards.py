"""What a shop looks at first."""

from datetime import timedelta

import pytest

from models import Offer, VisitDay
from services import clock
from services.finance import dashboards
from services.unit import db, unit_of_work
from tests import factories


def visited(days_ago: int, visitors: int) -> None:
    with unit_of_work() as session:
        session.add(
            VisitDay(
                site_id=factories.the_site().id,
                day=clock.today() - timedelta(days=days_ago),
                visitors=visitors,
            )
        )


def test_a_new_shop_has_charts_of_sixty_empty_days(app):
    visitors, conversion = dashboards.charts()
    assert (len(visitors.days), visitors.days[-1]) == (60, clock.today())
    assert (visitors.total, visitors.trend, conversion.trend) == (0, None, None)
    assert visitors.scale > 0


def test_visitors_of_two_sites_are_one_day_and_the_sixty_first_day_is_out(app):
    _vendor, site, _store = factories.another_vendor()
    visited(0, 10)
    with unit_of_work() as session:
        session.add(VisitDay(site_id=site.id, day=clock.today(), visitors=5))
    visited(59, 7)
    visited(60, 100)
    visitors, _conversion = dashboards.charts()
    assert visitors.values[-1] == 15
    assert visitors.values[0] == 7
    assert visitors.total == 22


def test_the_trend_compares_the_last_thirty_days_with_those_before(app):
    visited(40, 100)
    visited(3, 150)
    visitors, _conversion = dashboards.charts()
    assert visitors.trend == 50


def test_the_rate_is_sales_sent_by_visitors_of_the_same_day(app):
    factories.an_offer()
    visited(0, 4)
    _visitors, conversion = dashboards.charts()
    assert conversion.values[-1] == 25
    assert conversion.total == 25


def test_a_week_is_the_sum_of_its_seven_days(app):
    for days_ago in range(8):
        visited(days_ago, 1)
    visitors, _conversion = dashboards.charts()
    (_start, end, last), (_start2, _end2, before) = visitors.weeks()[:2]
    assert (end, last, before) == (clock.today(), 7, 1)


@pytest.mark.parametrize(("hours", "late"), [(1, False), (47, True)])
def test_an_offer_that_waits_too_long_to_be_checked_is_late(app, hours, late):
    offer = factories.an_offer()
    with unit_of_work() as session:
        session.get_one(Offer, offer.id).finalised_at = clock.now() - timedelta(hours=hours)
    board = dashboards.buyback()
    assert (board.to_check, board.late) == (1, late)


def test_the_board_counts_what_waits_at_each_stage(app):
    factories.an_offer()
    factories.a_second_chance()
    factories.a_parcel("in_transit")
    factories.a_parcel("at_relay")
    factories.a_parcel("delivered")
    factories.a_payment()
    board = dashboards.buyback()
    counts = (
        board.to_check,
        board.second_chances,
        board.in_transit,
        board.to_collect,
        board.to_receive,
        board.to_pay,
        board.awaiting_iban,
        board.returns,
        board.failed_messages,
    )
    assert counts == (1, 1, 1, 1, 1, 1, 0, 0, 0)


def test_the_sales_of_a_person_count_once_accepted(app):
    offer = factories.an_accepted_offer()
    factories.an_offer(customer=offer.customer)
    factories.an_accepted_offer()
    assert dashboards.past_sales(offer.customer_id) == 1
    assert dashboards.past_sales(None) == 0
    db.session.rollback()
