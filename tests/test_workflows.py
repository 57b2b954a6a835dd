"""Every table of moves gets these for free: each state reached, each forbidden pair refused in a
sentence, one event a move.
"""

from pathlib import Path

import pytest

from models import (
    BatchState,
    ItemState,
    LineState,
    OfferState,
    ParcelState,
    PaymentState,
    TransferState,
)
from services import workflow
from services.buyback.offers import OFFER
from services.buyback.parcels import PARCEL
from services.buyback.reception import LINE
from services.payments.seller_payments import PAYMENT
from services.payments.transfers import BATCH, TRANSFER
from services.stock.items import ITEM
from services.workflow import Refused
from tests import factories

FLOWS = (
    (OFFER, OfferState),
    (ITEM, ItemState),
    (PARCEL, ParcelState),
    (LINE, LineState),
    (PAYMENT, PaymentState),
    (BATCH, BatchState),
    (TRANSFER, TransferState),
)
# Where a row may begin besides the first state: a parcel without a label, a return.
BORN = {ParcelState.not_sent, ParcelState.to_return, PaymentState.held}


@pytest.mark.parametrize(("flow", "states"), FLOWS)
def test_every_state_is_reached_and_has_a_word(flow, states):
    reached = {move.to for move in flow.moves if move.to} | {next(iter(states))} | BORN
    assert set(states) <= reached
    assert all(workflow.has_word(state) for state in states)
    assert all(move.verb in workflow.VERBS for move in flow.moves)


@pytest.mark.parametrize(("flow", "states"), FLOWS)
def test_every_forbidden_pair_is_refused_in_a_sentence(app, flow, states):
    class Row:
        __tablename__ = "row"
        id = version = 1

    for state in states:
        for verb in {move.verb for move in flow.moves}:
            if not any(verb == m.verb and state in m.sources for m in flow.moves):
                row = Row()
                row.status = state
                with pytest.raises(Refused, match="n’est plus possible"):
                    flow.fire(row, verb, by=factories.MARC)
                assert row.status is state


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
