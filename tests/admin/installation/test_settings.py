"""« Paramétrages divers »."""

import pytest


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_settings_are_changed_all_or_none(boss):
    assert (
        "Enregistré"
        in boss.post(
            "/gestion/parametrages/",
            data={"drop_off_days": "12", "cart_days": "3"},
            follow_redirects=True,
        ).text
    )
    wrong = boss.post("/gestion/parametrages/", data={"drop_off_days": "15", "cart_days": "abc"})
    assert wrong.status_code == 422
    assert "nombre entier" in wrong.text
    assert 'value="15"' in wrong.text
    from services import settings

    assert settings.value("drop_off_days") == 12


def test_the_page_of_settings_reads_all_their_decisions_at_once(boss, counted_statements):
    boss.post("/gestion/parametrages/", data={"drop_off_days": "12"})
    boss.post("/gestion/parametrages/", data={"drop_off_days": "13"})
    with counted_statements() as statements:
        page = boss.get("/gestion/parametrages/").get_data(as_text=True)
    assert "12" in page
    assert sum("FROM setting" in one for one in statements) <= 2
    assert len(statements) <= 20
