"""« Bon d'achat »: worth more by a bonus, spent once, never negative."""

import pytest

from models import AccountKind, Customer, LedgerTransaction
from services import settings
from services.payments import ledger, store_credit
from services.payments.ledger import Side
from services.people import customers
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA


@pytest.fixture
def camille(app):
    return factories.a_customer()


def given(customer, cents: int = 1000, reference: str = "CDE000000001") -> int:
    with unit_of_work() as session:
        vendor = factories.the_vendor()
        return store_credit.pay_out(vendor.id, session.merge(customer), cents, reference, by=LEA)


def spent(customer, cents: int, reference: str = "achat 1") -> None:
    with unit_of_work() as session:
        vendor = factories.the_vendor()
        store_credit.spend(vendor.id, session.merge(customer), cents, reference, by=LEA)


@pytest.mark.parametrize(
    ("percent", "amount", "bonus"), [("20", 1000, 200), ("20", 3, 1), ("0", 1000, 0), ("20", 2, 0)]
)
def test_the_bonus_is_a_share_half_up_to_the_cent(app, percent, amount, bonus):
    with unit_of_work():
        settings.change("credit_bonus_percent", percent, by=LEA)
    assert store_credit.bonus_of(amount) == bonus


def test_credit_is_what_was_owed_and_its_bonus(camille):
    assert given(camille) == 1200
    assert store_credit.balance(factories.the_vendor().id, camille.id) == 1200


def test_credit_is_spent_to_the_cent_and_not_one_more(camille):
    given(camille)
    with pytest.raises(Refused, match="12,00"):
        spent(camille, 1201)
    for nothing in (0, -5):
        with pytest.raises(Refused):
            spent(camille, nothing)
    spent(camille, 1200)
    assert store_credit.balance(factories.the_vendor().id, camille.id) == 0


def test_credit_with_one_vendor_buys_nothing_at_another(camille):
    given(camille)
    other, _site, _store = factories.another_vendor()
    assert store_credit.balance(other.id, camille.id) == 0
    with pytest.raises(Refused), unit_of_work() as session:
        store_credit.spend(other.id, session.merge(camille), 1, "achat", by=LEA)


def test_a_purse_tells_what_moved_it_newest_first(camille):
    given(camille)
    spent(camille, 500)
    (purse,) = store_credit.purses(camille)
    assert purse.left_cents == 700
    assert [move.cents for move in purse.moves] == [-500, 1200]


def test_credit_that_is_left_keeps_an_account_from_being_erased(camille):
    given(camille)
    assert "12,00" in customers.why_not_erase(camille)
    spent(camille, 1200)
    db.session.rollback()
    assert customers.why_not_erase(camille) is None


def test_what_was_turned_into_credit_is_owed_no_more(camille):
    vendor = factories.the_vendor()
    with unit_of_work():
        ledger.post(
            vendor.id,
            "purchase",
            "CDE000000001",
            "achat",
            Side(AccountKind.purchases, 1000),
            Side(AccountKind.seller, -1000, camille.id),
            by=LEA,
        )
    given(camille)
    assert ledger.owed(vendor.id, camille.id) == 0


def test_the_last_cent_of_credit_is_spent_too(camille):
    given(camille)
    spent(camille, 1199)
    spent(camille, 1, "achat 2")
    assert store_credit.balance(factories.the_vendor().id, camille.id) == 0


def test_a_purse_that_was_spent_holds_nothing(camille):
    given(camille)
    spent(camille, 1200)
    (purse,) = store_credit.purses(camille)
    assert purse.left_cents == 0


def test_the_credit_of_one_customer_is_no_other_s(camille):
    given(camille)
    other = factories.a_customer()
    assert store_credit.purses(other) == []
    assert customers.why_not_erase(other) is None


# ── the card, at the till ──


def used(customer, cents: int, ticket: str = "T-17") -> None:
    with unit_of_work() as session:
        vendor = factories.the_vendor()
        store_credit.use_at_till(vendor.id, session.merge(customer), cents, ticket, by=LEA)


def test_the_first_credit_gives_a_card_that_stays(camille):
    given(camille)
    card = db.session.get_one(Customer, camille.id).credit_card
    assert len(card) == 13
    given(camille, reference="CDE000000002")
    db.session.expire_all()
    assert db.session.get_one(Customer, camille.id).credit_card == card
    assert store_credit.of_card(card.lower()).id == camille.id


def test_what_was_used_at_the_till_is_booked_once_and_told(camille):
    given(camille)
    used(camille, 500)
    with pytest.raises(Refused, match="T-17"):
        used(camille, 100)
    assert store_credit.balance(factories.the_vendor().id, camille.id) == 700
    (letter,) = factories.letters("credit_used")
    assert "T-17" in letter.body
    assert "7,00" in letter.body


def test_a_ticket_without_a_number_proves_nothing(camille):
    given(camille)
    with pytest.raises(Refused, match="numéro du ticket"):
        used(camille, 100, " ")


def test_a_purchase_booked_by_mistake_is_taken_back_once(camille):
    given(camille)
    used(camille, 500)
    for again in (False, True):
        with unit_of_work() as session:
            spent_there = session.scalar(
                db.select(LedgerTransaction).where(LedgerTransaction.kind == store_credit.SPENT)
            )
            if again:
                with pytest.raises(Refused, match="rien à rendre"):
                    store_credit.take_back(spent_there, by=LEA)
            else:
                store_credit.take_back(spent_there, by=LEA)
    assert store_credit.balance(factories.the_vendor().id, camille.id) == 1200
    (purse,) = store_credit.purses(camille)
    assert [move.can_be_taken_back for move in purse.moves] == [False, False, False]


def test_a_ticket_taken_back_is_booked_again_at_its_right_amount(camille):
    given(camille)
    for cents in (800, 80):
        used(camille, cents)
        if cents == 800:
            with unit_of_work() as session:
                (wrong,) = session.scalars(
                    db.select(LedgerTransaction).where(LedgerTransaction.kind == store_credit.SPENT)
                )
                store_credit.take_back(wrong, by=LEA)
    assert store_credit.balance(factories.the_vendor().id, camille.id) == 1120
    (purse,) = store_credit.purses(camille)
    assert "ticket T-17" in purse.moves[0].words
    with pytest.raises(Refused, match="déjà enregistré"):
        used(camille, 80)


def test_what_credit_paid_at_the_till_is_no_money_of_the_bank(camille):
    given(camille)
    used(camille, 500)
    vendor = factories.the_vendor()
    assert ledger.balance(vendor.id, AccountKind.till_sales, 0) == -500
    assert ledger.balance(vendor.id, AccountKind.bank, 0) == 0


def test_an_erased_customer_has_no_card_any_more(camille):
    given(camille)
    used(camille, 1200)
    with unit_of_work() as session:
        customers.erase(session.merge(camille), by=LEA)
    db.session.expire_all()
    assert db.session.get_one(Customer, camille.id).credit_card is None
