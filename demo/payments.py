"""Sellers are paid, and the bank answers."""

from datetime import datetime, timedelta

from demo.cast import the_staff
from models import (
    PaymentState,
    SellerPayment,
    TransferBatch,
    Vendor,
)  # fmt: skip
from services import clock, outbox
from services.buyback import reception
from services.payments import bank_answers, seller_payments, transfers
from services.unit import db, unit_of_work


def ines_pays(today: datetime) -> None:
    """One file executed, with one transfer that came back; what is newer is to pay, but one that
    Inès still keeps back.
    """
    ines = the_staff(2)
    with unit_of_work() as session:
        shop_id = session.scalars(db.select(Vendor.id).where(Vendor.name == "RétroShop")).one()
    at = today - timedelta(days=6)
    with clock.at(at):
        with unit_of_work() as session:
            late = session.scalars(
                db.select(SellerPayment).where(
                    SellerPayment.status == PaymentState.to_pay,
                    SellerPayment.received_at > at - timedelta(days=1),
                )
            ).all()
            later = [payment.id for payment in late]
            for payment in late:
                seller_payments.hold(payment, "Contrôle de caisse en cours.", by=ines)
            totals = transfers.totals(shop_id)
            if not totals[0]:
                return
            batch = transfers.validate(
                session.get_one(Vendor, shop_id), transfers.WORD, totals, by=ines
            )
            key, batch_id = f"transfer_file:{batch.id}", batch.id
        outbox.work_now(key)
        for payment_id in seller_payments.untold():
            with unit_of_work() as session:
                seller_payments.tell_paid(session.get_one(SellerPayment, payment_id))
    with clock.at(at + timedelta(days=2)), unit_of_work() as session:
        batch = session.get_one(TransferBatch, batch_id)
        victim = batch.lines[-1].end_to_end
        bank_answers.read(the_bank_says(batch.number, victim), "reponse-banque.xml", by=ines)
        bank_answers.all_went_through(batch, by=ines)
    with unit_of_work() as session:
        for payment_id in later[:-1]:
            reception.release(session.get_one(SellerPayment, payment_id), by=ines)


def the_bank_says(number: str, victim: str) -> bytes:
    """A bank's answer (pain.002) that sends one transfer back: the account is closed."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Document'
        ' xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>BANQUE-1</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{number}</OrgnlMsgId><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{number}-1</OrgnlPmtInfId><TxInfAndSts><OrgnlEndToEndId>{victim}</OrgnlEndToEndId><TxSts>RJCT</TxSts>"
        "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    ).encode()
