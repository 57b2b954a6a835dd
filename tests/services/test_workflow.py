"""Moves, on a noun of the test's own rows: refused whole, written whole, told."""

import pytest
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from models import Event, ImportRun, ImportState, Item, ItemState, LineState, Offer, OfferState
from services import workflow
from services.stock.items import ITEM as FLOW
from services.unit import db, unit_of_work
from services.workflow import Actor, Refused
from tests import factories
from tests.factories import HUGO, MARC

MACHINE = Actor("machine", None, "Caisse 1")


def last_event() -> Event:
    return db.session.scalars(db.select(Event).order_by(Event.id.desc())).first()


def test_a_move_writes_state_columns_and_event_together(app):
    id = factories.an_item(factories.a_shoe()).id
    with unit_of_work() as session:
        flow = workflow.flow_of(session.get_one(Item, id))
        flow.fire(
            session.get_one(Item, id), "lose", by=MARC, set={"place": "nulle part"}, why="vol"
        )
    item = db.session.get_one(Item, id)
    assert (item.status, item.place) == (ItemState.lost, "nulle part")
    event = last_event()
    assert (event.verb, event.from_state, event.to_state) == ("lose", "in_stock", "lost")
    assert (event.actor_name, event.facts) == ("Marc Diallo", {"why": "vol"})


def test_a_refused_move_writes_nothing_not_even_its_columns(app):
    id = factories.an_item(factories.a_shoe()).id
    with unit_of_work() as session:
        FLOW.fire(session.get_one(Item, id), "lose", by=MARC)
    before = last_event().id
    with unit_of_work() as session:
        item = session.get_one(Item, id)
        with pytest.raises(Refused, match="Rechargez"):
            FLOW.fire(item, "lose", by=MARC, set={"place": "ici"})
    assert db.session.get_one(Item, id).place != "ici"
    assert last_event().id == before


def test_a_move_is_for_the_kinds_of_people_it_names_and_machines_stand_for_staff(app):
    offer = factories.an_offer()
    flow = workflow.flow_of(offer)
    assert flow.allows(offer, "accept", workflow.STAFF)
    assert flow.allows(offer, "accept", workflow.MACHINE)
    assert not flow.allows(offer, "accept", workflow.CUSTOMER)
    with pytest.raises(Refused):
        flow.require(offer, "accept", by=HUGO)


def test_one_refused_among_many_refuses_all(app):
    first, second = (factories.an_item(factories.a_shoe()).id for _n in range(2))
    with unit_of_work() as session:
        FLOW.fire(session.get_one(Item, second), "lose", by=MARC)
    with pytest.raises(Refused), unit_of_work() as session:
        rows = [session.get_one(Item, id) for id in (first, second)]
        FLOW.fire_all(rows, "lose", by=MARC)
    assert db.session.get_one(Item, first).status is ItemState.in_stock


def test_a_row_that_another_moved_meanwhile_is_not_moved_again(app):
    id = factories.an_item(factories.a_shoe()).id
    with pytest.raises(StaleDataError), unit_of_work() as session:
        item = session.get_one(Item, id)
        session.execute(db.text("UPDATE item SET version = version + 1 WHERE id = :id"), {"id": id})
        FLOW.fire(item, "lose", by=MARC)
    assert db.session.get_one(Item, id).status is ItemState.in_stock


def test_a_row_without_a_version_is_read_again_before_it_is_moved(app):
    run = factories.given(factories.a_file(app.extensions["comptoir"].data_dir, "ean;quantite\n"))
    flow = workflow.flow_of(run)
    assert run.state in (ImportState.failed, ImportState.complete)
    with pytest.raises(Refused), unit_of_work() as session:
        row = session.get_one(ImportRun, run.id)
        set_committed_value(row, "state", ImportState.waiting)  # as it was read a while ago
        flow.fire(row, "begin", by=Actor(workflow.TIME, None, "horloge"))


def test_the_history_is_newest_first_and_of_one_row_only(app):
    first, second = factories.an_accepted_offer(), factories.an_offer()
    verbs = [event.verb for event in workflow.history(db.session.get_one(Offer, first.id))]
    assert verbs[0] == "accept"
    assert "accept" not in [event.verb for event in workflow.history(second)]


def test_words_say_states_that_share_a_code_each_in_its_own_noun(app):
    assert workflow.words_of(OfferState.accepted) != ""
    assert workflow.words_of(LineState.accepted) != ""
    assert workflow.words_of_code("no_such_state") == "no_such_state"
    assert workflow.words_of_code(None) == "–"


def test_a_statement_that_moves_many_rows_takes_states_from_the_table(app):
    assert ItemState.in_stock in FLOW.sources("lose")
    assert FLOW.values("lose") == {"status": ItemState.lost}
