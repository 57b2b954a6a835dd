"""Where people are paid: IBANs checked, sealed, masked, their change told."""

import pytest
from sqlalchemy import select

from models import (
    Customer,
    Message,
)
from services import sealing
from services.payments import bank_details
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import IBANS


@pytest.mark.parametrize(
    "iban",
    [
        "FR1420041010050500013M02606",
        "fr14 2004 1010 0505 0001 3m02 606",
        "DE89370400440532013000",
        "MC5810096180790123456789085",
        " FR76-3000-6000-0112-3456-7890-189 ",
    ],
)
def test_an_iban_of_the_sepa_zone_is_kept_sealed_and_shown_masked(app, iban):
    customer = factories.a_customer()
    factories.an_iban(customer, iban)
    kept = bank_details.of(customer.id)
    plain = "".join(c for c in iban.upper() if c.isalnum())
    assert plain not in kept.iban_sealed
    assert bank_details.opened(kept) == plain
    assert bank_details.masked(kept) == f"{plain[:2]} •••• {plain[-4:]}"


@pytest.mark.parametrize(
    ("iban", "says"),
    [
        ("FR1420041010050500013M02607", "erreur"),
        ("FR1420041010050500013M0260", "erreur"),
        ("", "Saisissez"),
        ("BR1500000000000010932840814P2", "SEPA"),
        ("x" * 500, "erreur"),
        ("FR7630006000011234567890188", "erreur"),
        ("FR76３００06000011234567890189", "erreur"),
    ],
)
def test_an_iban_wrong_by_one_digit_or_too_far_is_refused_in_a_sentence(app, iban, says):
    customer = factories.a_customer()
    with pytest.raises(Refused, match=says), unit_of_work() as session:
        bank_details.give(
            session.get_one(Customer, customer.id), iban, "Camille Aubry", site=factories.the_site()
        )
    assert bank_details.of(customer.id) is None


def test_an_iban_moved_to_another_customer_in_the_database_does_not_open(app):

    one, two = factories.a_customer(), factories.a_customer()
    factories.an_iban(one), factories.an_iban(two, IBANS[0])
    with unit_of_work():
        bank_details.of(one.id).iban_sealed = bank_details.of(two.id).iban_sealed
    with pytest.raises(sealing.CannotOpen):
        bank_details.opened(bank_details.of(one.id))


def test_a_change_of_iban_is_told_to_the_address_and_to_the_one_it_replaced(app):
    from services.people import customers

    customer = factories.a_customer(email="ancienne@exemple.fr")
    factories.an_iban(customer)
    with unit_of_work() as session:
        customers.ask_email(
            session.get_one(Customer, customer.id), "nouvelle@exemple.fr", site=factories.the_site()
        )
    with unit_of_work() as session:
        customers.confirm_email(session.get_one(Customer, customer.id), "nouvelle@exemple.fr")
    factories.an_iban(customer, IBANS[0])
    told = set(db.session.scalars(select(Message.recipient).where(Message.event == "iban_changed")))
    assert told == {"ancienne@exemple.fr", "nouvelle@exemple.fr"}


@pytest.mark.parametrize(
    ("bic", "kept"),
    [("", "AGRIFRPPXXX"), ("agrifrpp", "AGRIFRPP"), ("ABC", None), ("COBADEFFXXX", None)],
)
def test_the_bic_of_the_account_that_pays_is_one_and_of_the_same_bank(app, bic, kept):
    from models import PayingAccount

    def keep():
        with unit_of_work() as session:
            account = PayingAccount(vendor_id=1, holder="R", bic=bic)
            session.add(account)
            session.flush()
            bank_details.keep_paying_account(account, IBANS[0])

    if kept is None:
        with pytest.raises(Refused, match="BIC"):
            keep()
    else:
        keep()
        assert db.session.get(PayingAccount, 1).bic == kept
