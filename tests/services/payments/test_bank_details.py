"""Where people are paid: IBANs checked, sealed, masked, their change told."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import (
    Customer,
    Message,
    PayingAccount,
)
from services import clock, sealing, settings, workflow
from services.payments import bank_details
from services.people import customers
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


def test_an_iban_is_read_by_four_as_on_a_rib():
    assert bank_details.grouped(IBANS[1]) == "FR14 2004 1010 0505 0001 3M02 606"


def test_who_gave_no_iban_has_none_to_show():
    assert bank_details.masked(None) == ""


def moved(customer: Customer, address: str, ago: timedelta) -> None:
    """The customer took another e-mail address, so long ago."""
    with clock.at(clock.now() - ago), unit_of_work() as session:
        person = session.get_one(Customer, customer.id)
        customers.ask_email(person, address, site=factories.the_site())
        customers.confirm_email(person, address)


def test_a_change_of_iban_is_told_to_no_address_of_another_nor_to_one_left_long_ago(app):
    customer, other = factories.a_customer(email="un@exemple.fr"), factories.a_customer()
    factories.an_iban(customer)
    moved(customer, "deux@exemple.fr", timedelta(days=30, hours=1))
    moved(customer, "trois@exemple.fr", timedelta(days=29))
    moved(other, "autre@exemple.fr", timedelta(days=1))
    factories.an_iban(customer, IBANS[0])
    told = set(db.session.scalars(select(Message.recipient).where(Message.event == "iban_changed")))
    assert told == {"deux@exemple.fr", "trois@exemple.fr"}


@pytest.mark.parametrize(
    ("typed", "iban"),
    [
        ("IBAN FR76 3000 6000 0112 3456 7890 189", IBANS[0]),
        ("iban : fr76 3000 6000 0112 3456 7890 189", IBANS[0]),
        ("NL91 ABNA 0417 1643 00", "NL91ABNA0417164300"),
        ("GB29 NWBK 6016 1331 9268 19", "GB29NWBK60161331926819"),
    ],
)
def test_an_iban_copied_with_its_label_or_with_letters_behind_its_key_is_read(typed, iban):
    assert str(bank_details.check(typed)) == iban


@pytest.mark.parametrize(
    "iban",
    [
        "FR0630006000011234567890188",
        "RE0730006000011234567890189",
        "DE36000000000000000000",
        "DE68370400440000000000",
    ],
    ids=["its RIB key is wrong", "its country is a place", "only zeros", "an account of zeros"],
)
def test_an_iban_whose_own_key_is_right_may_still_be_wrong(iban):
    with pytest.raises(Refused, match="erreur"):
        bank_details.check(iban)


def test_a_holder_s_name_is_as_long_as_a_transfer_may_say_it_and_no_shorter_than_two_letters(app):
    customer = factories.a_customer()
    factories.an_iban(customer, holder="  Camille \n Aubry ")
    assert bank_details.of(customer.id).holder == "Camille Aubry"
    factories.an_iban(customer, holder="x" * 100)
    assert bank_details.of(customer.id).holder == "x" * 70
    factories.an_iban(customer, holder="Li")
    with pytest.raises(Refused, match="titulaire"):
        factories.an_iban(customer, holder=" L ")


def test_an_iban_that_was_replaced_waits_until_the_moment_that_was_said(app):
    customer = factories.a_customer()
    factories.an_iban(customer)
    assert bank_details.why_wait(customer.id) is None
    now = clock.now()
    with clock.at(now):
        factories.an_iban(customer, IBANS[0])
    until = bank_details.of(customer.id).held_until
    assert until == now + timedelta(hours=settings.value("iban_hold_hours"))
    with clock.at(until - timedelta(microseconds=1)):
        assert until.astimezone(clock.PARIS).strftime("%d/%m") in bank_details.why_wait(customer.id)
    with clock.at(until):
        assert bank_details.why_wait(customer.id) is None


def test_a_first_iban_is_usable_at_once_and_each_change_is_written_and_says_until_when_it_waits(
    app,
):
    customer = factories.a_customer()
    factories.an_iban(customer, IBANS[0])
    first = bank_details.of(customer.id)
    assert (first.held_until, first.bic) == (None, "AGRIFRPPXXX")
    factories.an_iban(customer)
    verbs = [event.verb for event in workflow.history(db.session.get(Customer, customer.id))]
    assert verbs == ["change_iban", "give_iban"]
    until = clock.paris(bank_details.of(customer.id).held_until)
    letter = db.session.scalars(select(Message).where(Message.event == "iban_changed")).one()
    assert until.strftime("%d/%m") in letter.body


def test_the_account_that_pays_is_known_by_its_last_four_and_kept_when_none_is_typed(app):
    factories.a_paying_account()
    with unit_of_work() as session:
        account = session.get_one(PayingAccount, factories.the_vendor().id)
        assert account.iban_tail == IBANS[0][-4:]
        bank_details.keep_paying_account(account, "  ")
        assert bank_details.paying_iban(account) == IBANS[0]


@pytest.mark.parametrize(
    "iban", ["RS35260005601001611379", "ME25505000012345678951", "MD24AG000225100013104168"]
)
def test_a_country_that_joined_the_sepa_zone_lately_is_paid_too(iban):
    assert str(bank_details.check(iban)) == iban
