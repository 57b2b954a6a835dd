"""A task leads to what it is about."""

import pytest

from models import Outbox
from services import outbox, webhooks
from services.unit import db, unit_of_work
from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_each_kind_of_task_leads_to_its_letter_parcel_or_event(boss, hooks):
    factories.a_customer_with_password()
    factories.a_contract()
    factories.an_accepted_offer()
    with unit_of_work() as session:
        vendor = session.merge(factories.the_vendor())
        webhooks.open_for(vendor, "https://a.example/b", ["buyback.paid"], by=factories.LEA)
        webhooks.tell(vendor.id, "buyback.paid", {"number": "CDE000000001", "reference": "x"})
    kinds = set()
    for task in db.session.scalars(db.select(Outbox)).all():
        page = boss.get(f"/gestion/taches/show/{task.id}").get_data(as_text=True)
        assert "Il s’agit de" in page, (task.kind, task.payload)
        link = page.split("Il s’agit de")[1].split('href="')[1].split('"')[0]
        assert boss.get(link).status_code == 200, link
        kinds.add(task.kind)
    assert {"message", "label", "webhook"} <= kinds


def test_a_task_nobody_knows_the_end_of_says_so_in_words(boss):
    with unit_of_work() as session:
        task = outbox.add("label", "label:999", label=999)
        session.flush()
        task.last_error = outbox.UNSURE
    page = boss.get("/gestion/taches/list/").get_data(as_text=True)
    assert "unsure" not in page
    assert "Personne ne sait" in page
