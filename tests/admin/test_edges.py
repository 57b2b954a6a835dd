"""What nobody types in a list, and some do: no page of the back office breaks on it."""

import pytest

from services import audit, clock
from services.unit import unit_of_work
from tests import factories
from tests.factories import MARC

EDGES = (
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "25/11/2026",
    "²",
    "demain",
    "-1",
    "1" * 40,
    "\0",
)


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def lists(app) -> dict[str, tuple[str, ...]]:
    """The address of each list, and its filters."""
    from admin import listing

    return {
        view.route_base: tuple(listing.filter_names(view))
        for view in app.appbuilder.baseviews
        if hasattr(view, "filter_columns") and hasattr(view, "list_columns")
    }


@pytest.mark.parametrize("edge", EDGES)
def test_every_filter_of_every_list_answers_whatever_is_typed(app, boss, edge):
    broken = []
    for address, names in lists(app).items():
        for query in (dict.fromkeys(names, edge), {"page": edge, "taille": edge, "ordre": edge}):
            answer = boss.get(f"{address}/list/", query_string=query)
            if answer.status_code >= 500:
                broken.append((address, query))
    assert broken == []


@pytest.mark.parametrize("journal", ["journal", "journal-des-acces"])
def test_a_journal_is_filtered_by_its_day(boss, journal):
    factories.an_offer()
    with unit_of_work():
        audit.note("rights_changed", by=MARC, subject="Awa")
    page, day = f"/gestion/{journal}/list/", clock.today().isoformat()

    def rows(**days: str) -> int:
        answer = boss.get(page, query_string=days)
        assert answer.status_code == 200
        return int(answer.text.count("<tr"))

    of_today, of_old = rows(**{"at.depuis": day}), rows(**{"at.jusqu": "2020-01-01"})
    assert of_today > of_old


@pytest.mark.parametrize("number", ["²", "99999999", "-1", ""])
def test_a_page_number_nobody_counts_to_is_a_page(boss, number):
    factories.a_payment()
    asked = {"enseigne": "1", "page": number}
    assert boss.get("/gestion/paiements/", query_string=asked).status_code == 200


def test_a_saved_view_never_holds_a_line_break(boss):
    view = {"name": "Urgent", "query": "?q=a\r\nSet-Cookie: x=1"}
    kept = boss.post("/gestion/offres/save-view", data=view)
    assert kept.status_code == 302
    assert boss.get("/gestion/offres/list/").status_code == 200
