"""Payments and transfer files."""

from models import Customer, PayingAccount, SellerPayment, TransferBatch, Vendor
from services import outbox
from services.payments import bank_details, transfers
from services.unit import db, unit_of_work
from tests.factories.buyback import a_received_offer
from tests.factories.house import LEA, the_vendor
from tests.factories.people import IBANS, a_customer, an_iban


def a_paying_account(vendor: Vendor | None = None) -> None:
    with unit_of_work() as session:
        account = PayingAccount(vendor_id=(vendor or the_vendor()).id, holder="RétroShop SARL")
        session.add(account)
        session.flush()
        bank_details.keep_paying_account(account, IBANS[0])


def a_payment(customer: Customer | None = None, iban: str = IBANS[1]) -> SellerPayment:
    """A sale whose payment is to pay."""
    customer = customer or a_customer()
    if bank_details.of(customer.id) is None:
        an_iban(customer, iban)
    id = a_received_offer(customer=customer).payment.id
    return db.session.get(SellerPayment, id)


def a_batch(count: int = 2) -> TransferBatch:
    """A transfer file, made and checked."""
    id = a_batch_to_make(count)
    outbox.work_now(f"transfer_file:{id}")
    db.session.expire_all()
    return db.session.get(TransferBatch, id)


def a_batch_to_make(count: int = 2) -> int:
    """A transfer file that was asked for, and that a worker will make; returns its number."""
    if db.session.get(PayingAccount, the_vendor().id) is None:
        a_paying_account()
    for _n in range(count):
        a_payment()
    with unit_of_work():
        seen = transfers.totals(the_vendor().id)
        return transfers.validate(the_vendor(), "PAIEMENT", seen, by=LEA).id
