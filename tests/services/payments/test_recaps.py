"""What the accountant files: totals, numbers, no whole IBAN."""

from sqlalchemy import select

from models import SellerPayment
from services.payments import recaps, transfers
from services.unit import db
from tests import factories
from tests.paper import read


def test_the_payment_recap_shows_the_totals_and_no_whole_iban(app):
    factories.a_paying_account()
    payment = factories.a_payment()
    text = read(recaps.payment_recap(factories.the_vendor(), [payment]))
    assert "1 transaction" in text
    assert "28,00 €" in text
    assert "•••• 2606" in text
    assert "CDE000000001" in text
    assert factories.IBANS[1] not in text
    batch = factories.a_batch(0)
    assert batch.number in read(recaps.batch_recap(batch, transfers.line_names(batch)))
    assert batch.sha256[:20] in read(recaps.batch_recap(batch, transfers.line_names(batch)))
    assert db.session.scalars(select(SellerPayment)).one()
