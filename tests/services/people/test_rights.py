"""The tables of docs/rules/rights.md."""

from pathlib import Path

import pytest

from services.people import rights, staff

PAGE = Path(__file__).parents[3] / "docs/rules/rights.md"


def test_every_table_stands_in_one_line_of_owners(app):
    from models import Model

    lines = rights.owners_table().splitlines()[2:]
    named = [name for line in lines for name in line.split("|")[1].strip().split(", ")]
    tables = [m.class_.__name__ for m in Model.registry.mappers if m.class_.__module__ == "models"]
    assert sorted(named) == sorted(tables)


def test_only_the_administrator_opens_the_settings_and_a_store_pays_nobody(app):
    opens = rights.opens(app.appbuilder)
    assert set(opens) == set(staff.ROLES)
    assert "SettingsView" in opens[staff.ADMINISTRATOR]
    assert "PaymentsView" not in opens["Magasin"]
    assert "PaymentsView" in opens["Comptable"]


def test_the_page_is_made_anew_between_its_marks_and_nothing_else_of_it_changes(app):
    page = PAGE.read_text()
    start = page.index("<!-- pages:")
    spoilt = page[:start] + page[start:].replace("| Magasin |", "| Boutique |")
    assert spoilt != page
    assert rights.written(spoilt, app.appbuilder) == page
    assert rights.written("avant\n" + page, app.appbuilder) == "avant\n" + page


def test_a_page_without_its_marks_is_not_written(app):
    with pytest.raises(AssertionError, match="owners"):
        rights.written("# nothing here", app.appbuilder)
