"""Every table of moves gets these for free: each state reached, each forbidden pair refused in a
sentence, one event a move.
"""

from pathlib import Path

import pytest

import app as _app  # noqa: F401  (every noun declares its table of moves when it is loaded)
from models import (
    LabelState,
    OutboxState,
    ParcelState,
    PaymentState,
)
from services import workflow
from services.buyback.offers import OFFER
from services.workflow import Refused
from tests import factories

FLOWS = [(flow, type(next(iter(flow.moves[0].sources)))) for flow in workflow.all_flows()]
# Where a row may begin besides the first state: a parcel without a label, a return.
BORN = {
    ParcelState.not_sent,
    ParcelState.to_return,
    PaymentState.held,
    OutboxState.todo,
    LabelState.requested,
}


@pytest.mark.parametrize(("flow", "states"), FLOWS, ids=lambda one: getattr(one, "name", ""))
def test_every_state_is_reached_and_has_a_word(flow, states):
    reached = {move.to for move in flow.moves if move.to} | {next(iter(states))} | BORN
    assert set(states) <= reached
    for state in states:
        assert workflow.has_word(state), state


@pytest.mark.parametrize(("flow", "states"), FLOWS, ids=lambda one: getattr(one, "name", ""))
def test_the_log_has_a_word_in_the_past_for_every_move(flow, states):
    for move in flow.moves:
        assert (flow.name, move.verb) in workflow.VERBS


def test_two_nouns_may_use_one_verb_and_each_keeps_its_word(app):
    assert workflow.words_of_event(("offer", "accept")) == "Offre acceptée"
    assert workflow.words_of_event(("offer_line", "accept")) == "Article mis en stock"
    assert workflow.words_of_event(("seller_payment", "release")) == "Paiement libéré"
    assert workflow.words_of_event(("reservation", "release")) == "Réservation libérée"


def test_one_verb_of_one_noun_has_one_word():
    with pytest.raises(ValueError, match=r"offer\.accept"):
        workflow.says("offer", accept="something else")


@pytest.mark.parametrize(("flow", "states"), FLOWS, ids=lambda one: getattr(one, "name", ""))
def test_every_forbidden_pair_is_refused_in_a_sentence(app, flow, states):
    class Row:
        __tablename__ = "row"
        id = version = 1

    for state in states:
        for verb in {move.verb for move in flow.moves}:
            if not any(verb == m.verb and state in m.sources for m in flow.moves):
                row = Row()
                setattr(row, flow.field, state)
                with pytest.raises(Refused, match="n’est plus possible"):
                    flow.fire(row, verb, by=factories.MARC)
                assert flow.state_of(row) is state


def test_a_customer_makes_no_move_of_the_staff_and_the_reverse(app):
    offer = factories.an_offer()
    for verb in ("accept", "refuse", "counter", "delete", "remove_line", "remark"):
        assert OFFER.why_not(offer, verb, workflow.CUSTOMER)
    chance = factories.a_second_chance()
    for verb in ("agree", "disagree"):
        assert OFFER.why_not(chance, verb, workflow.STAFF)
    assert OFFER.why_not(chance, "lapse", workflow.STAFF)


def test_the_diagrams_are_those_of_the_tables():
    path = Path(__file__).parent.parent / "docs" / "workflows.md"
    assert path.read_text() == workflow.diagrams(workflow.all_flows()), (
        "run: flask --app app workflows"
    )
