"""The journal is read by people: no noun of the code in it."""

from sqlalchemy import select

from admin.installation.events import SUBJECTS
from models import Event
from services import workflow
from services.unit import db
from tests import factories


def test_each_noun_of_the_log_has_its_word(app):
    flows = {flow.name for flow in workflow.all_flows()}
    nouns = {noun for noun, _verb in workflow.VERBS} | flows
    assert nouns - set(SUBJECTS) == set()


def test_a_line_of_the_log_opens_what_it_is_about_for_those_who_may_open_it(as_staff):
    offer = factories.an_accepted_offer()
    address = f"/gestion/offres/show/{offer.id}"
    administrator = as_staff("Administrateur")
    assert address in administrator.get("/gestion/journal/list/").text
    event = db.session.scalar(select(Event.id).where(Event.subject == "offer").limit(1))
    assert address in administrator.get(f"/gestion/journal/show/{event}").text
