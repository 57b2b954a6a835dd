"""Visitors are counted without being known."""

from datetime import timedelta

from sqlalchemy import select

from models import UnknownDemand, VisitDay
from services import clock, visits
from services.unit import db, unit_of_work
from tests import factories

# ── visitors ──

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140"


def test_a_visitor_counts_once_a_day_and_bots_never(app):
    site = factories.the_site().id
    for address, agent in (
        ("1.1.1.1", AGENT),
        ("1.1.1.1", AGENT),
        ("2.2.2.2", AGENT),
        ("3.3.3.3", "Googlebot/2.1"),
        ("4.4.4.4", ""),
    ):
        visits.came(site, address, agent)
    for _twice in range(2):
        with unit_of_work():
            visits.count()
        visits.counted()
    assert [(v.visitors, v.day) for v in db.session.scalars(select(VisitDay))] == [
        (2, clock.today())
    ]


def test_nothing_that_names_a_visitor_is_kept_and_the_salt_goes_each_night(app):
    visits.came(factories.the_site().id, "203.0.113.9", AGENT)
    spool = visits._spool
    kept = "\n".join(line for name in spool.names("visits-") for line in spool.lines(name))
    assert kept
    assert "203.0.113.9" not in kept
    assert "Firefox" not in kept
    with clock.at(clock.now() + timedelta(days=2)), unit_of_work():
        visits.count()
    assert spool.names("") == []


def test_what_was_counted_and_not_yet_dropped_is_counted_again_never_lost(app):
    visits.asked_in_vain("4006381333931")
    assert visits._spool.take("unknown") == ["4006381333931"]
    visits.asked_in_vain("5060327534393")
    assert visits._spool.take("unknown") == ["4006381333931"]
    visits.counted()
    assert visits._spool.take("unknown") == ["5060327534393"]


def test_the_salt_of_a_day_is_the_one_of_whoever_came_first(app):
    salts = {visits._salt("2026-11-29") for _twice in range(2)}
    assert len(salts) == 1
    assert len(salts.pop()) == 32


def test_barcodes_nobody_asks_for_any_more_are_forgotten(app):
    now = clock.now()
    with unit_of_work() as session:
        for ean, times, days in (
            ("3760150000011", 1, 91),
            ("3760150000028", 2, 91),
            ("3760150000035", 9, 367),
            ("3760150000042", 1, 89),
        ):
            then = now - timedelta(days=days)
            session.add(UnknownDemand(ean=ean, times=times, first_at=then, last_at=then))
    with unit_of_work():
        assert visits.forget_old() == 2
    left = db.session.scalars(db.select(UnknownDemand.ean).order_by(UnknownDemand.ean)).all()
    assert left == ["3760150000028", "3760150000042"]
