"""Facts of several rows on one line of time."""

from datetime import timedelta

from services import clock, timeline
from services.timeline import Fact
from tests import factories


def test_the_log_of_several_rows_is_one_line_and_holds_no_other_row(app):
    one, two, other = (factories.an_offer() for _n in range(3))
    found = timeline.events([("offer", [one.id, two.id]), ("parcel", [])])
    assert len(found) == 2 * len(timeline.events([("offer", [other.id])]))
    assert {fact.kind for fact in found} == {"offer"}


def test_nothing_is_asked_for_no_row(app):
    assert timeline.events([("offer", [])]) == []


def test_facts_of_several_sources_come_newest_first_and_no_more_than_wanted(app):
    now = clock.now()
    facts = [Fact(now - timedelta(hours=n), "message", str(n), "Léa") for n in (3, 1, 2)]
    assert [fact.words for fact in timeline.newest_first(facts, 2)] == ["1", "2"]
