"""From an empty installation to the first accepted offer."""

from services.installation import onboarding
from services.unit import unit_of_work
from tests import factories


def left() -> list[str]:
    return [str(step.label) for step in onboarding.steps() if not step.done]


def test_what_is_set_up_leaves_the_list_of_what_is_left(app):
    assert "Le compte qui paie" in left()
    factories.a_paying_account()
    assert "Le compte qui paie" not in left()
    assert "Le transporteur" in left()
    factories.a_contract()
    assert "Le transporteur" not in left()
    with unit_of_work():
        site = factories.the_site()
        site.contact_email, site.conditions = "boutique@exemple.fr", "Nos conditions."
    assert "Le site" not in left()


def test_nobody_begins_any_more_once_an_offer_was_accepted(app):
    assert onboarding.nothing_yet()
    factories.an_offer()
    assert not onboarding.nothing_yet()
    assert onboarding.steps()
    factories.an_accepted_offer()
    assert onboarding.steps() == []
