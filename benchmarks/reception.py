"""The second half on the server: an article at the bench, a tracing tour of 5,000 parcels, the
payment page over 10,000 payments.
"""

import sys
import time
from datetime import timedelta

import _common
from flask import g

sys.path.insert(0, str(_common.ROOT))
ARTICLES, PARCELS, PAYMENTS = 120, 5_000, 10_000


def bench_articles(app) -> None:
    """Scan (read) and « Envoyer » (write, with its register entry), over HTTP without the network;
    the baseline only reads.
    """
    from models import OfferLine
    from services.unit import db
    from tests import factories

    factories.a_register()
    offer = factories.an_open_parcel(
        *(factories.a_game(f"Jeu {n}", argus_cents=3000) for n in range(ARTICLES))
    )
    number, lines = (
        offer.number,
        [(line.id, line.ean) for line in db.session.query(OfferLine).order_by(OfferLine.id)],
    )
    client = _common.signed_in(app, "Administrateur")
    db.session.remove()
    fragment = {"X-Fragment": "bench"}
    app.config["WTF_CSRF_ENABLED"] = False
    scans, sends = [], []
    for id, code in lines:
        start = time.perf_counter()
        assert (
            client.get(f"/gestion/reception/{number}?code={code}", headers=fragment).status_code
            == 200
        )
        scans.append(time.perf_counter() - start)
        start = time.perf_counter()
        assert (
            client.post(
                f"/gestion/reception/{number}/article/{id}/send",
                data=factories.GRADES,
                headers=fragment,
            ).status_code
            == 200
        )
        sends.append(time.perf_counter() - start)
    middle = lambda values: sorted(values)[len(values) // 2] * 1000  # noqa: E731
    both = middle(scans) + middle(sends)
    _common.result(
        f"bench, scan + « Envoyer », ms an article of {ARTICLES}",
        f"{both:.0f}",
        "6000",
        both / 6000,
        "<= 0.05",
        both <= 300,
    )


def bench_tracing() -> None:
    """A tour over the real protocol against the simulator, beside the bare SOAP calls of one
    thread.
    """
    from gateways import live
    from gateways.mondial_relay import MondialRelay
    from models import Label, LabelState, Parcel, ParcelState
    from services import clock
    from services.shipping import contracts, tracking
    from services.unit import db, unit_of_work
    from simulators import mondial_relay as simulator
    from tests import factories

    contract_id = factories.a_contract().id
    offer = factories.an_offer()
    depot, server = simulator.serve(0)
    live.carriers["mondial_relay"] = MondialRelay(f"http://127.0.0.1:{server.server_port}")
    now = clock.now()
    columns = [
        c.name
        for c in db.inspect(type(offer)).local_table.columns
        if c.name not in ("id", "token", "number")
    ]
    with unit_of_work() as session:  # rows for the load only: the same offer, again and again
        for n in range(PARCELS):
            label = depot.make("BDTEST13", f"B{n}", "044001", "0")
            copy = type(offer)(
                token=f"t{n}",
                number=f"B{n}",
                **{name: getattr(session.merge(offer), name) for name in columns},
            )
            copy.parcels = [
                Parcel(
                    vendor_id=1,
                    status=ParcelState.not_sent,
                    created_at=now,
                )
            ]
            session.add(copy)
            session.flush()
            session.add(
                Label(
                    vendor_id=1,
                    parcel_id=copy.parcels[0].id,
                    contract_id=contract_id,
                    carrier="mondial_relay",
                    carrier_name="Mondial Relay",
                    status=LabelState.made,
                    number=label,
                    requested_at=now,
                    made_at=now,
                    follow_at=now,
                )
            )
    depot.offset += timedelta(hours=30)
    account, numbers = (
        contracts.account(contracts.contract_of(1)),
        [n for n in list(depot.labels)[:400]],
    )
    start = time.perf_counter()
    for number in numbers:
        live.carriers["mondial_relay"].track(account, number)
    bare = len(numbers) / (time.perf_counter() - start)
    start, done = time.perf_counter(), 0
    while ids := tracking.to_follow():
        done += tracking.follow(ids)
    ours = done / (time.perf_counter() - start)
    server.shutdown()
    assert done == PARCELS
    _common.result(
        f"tracing tour of {PARCELS:,} parcels, a second",
        f"{ours:.0f}",
        f"{bare:.0f}",
        ours / bare,
        ">= 0.30",
        ours >= 0.3 * bare,
    )


def bench_payments(app) -> None:
    """The page of what is to pay, over 10,000 payments, against the same page over 100."""
    from models import Offer, PaymentState, SellerPayment
    from services import clock
    from services.unit import db, unit_of_work
    from tests import factories

    client = _common.signed_in(app, "Comptable")
    factories.an_iban(factories.a_customer())
    customer_id, offer = 1, factories.an_offer()
    columns = [c.name for c in Offer.__table__.columns if c.name not in ("id", "token", "number")]
    values = {name: getattr(offer, name) for name in columns}

    def add(first: int, last: int) -> None:
        with unit_of_work() as session:
            for n in range(first, last):
                copy = Offer(token=f"p{n}", number=f"P{n}", **values)
                copy.payments = [
                    SellerPayment(
                        vendor_id=1,
                        customer_id=customer_id,
                        status=PaymentState.to_pay,
                        amount_cents=100 + n,
                        received_at=clock.now(),
                    )
                ]
                session.add(copy)

    def page() -> float:
        times = []
        for _n in range(15):
            g.pop("_login_user", None)  # the requests of a bench share one context
            start = time.perf_counter()
            answer = client.get("/gestion/paiements/")
            assert answer.status_code == 200, (answer.status_code, answer.location)
            times.append(time.perf_counter() - start)
        return sorted(times)[7] * 1000

    add(0, 100)
    few = page()
    add(100, PAYMENTS)
    db.session.remove()
    many = page()
    _common.result(
        f"payment page over {PAYMENTS:,}, ms (against 100)",
        f"{many:.0f}",
        f"{few:.0f}",
        many / few,
        "<= 2.00",
        many <= 2 * few,
    )


if __name__ == "__main__":
    for part in (
        lambda app: bench_articles(app),
        lambda _app: bench_tracing(),
        lambda app: bench_payments(app),
    ):
        with _common.scratch():
            app = _common.installation()
            with app.app_context():
                from flask_babel import force_locale

                with force_locale("fr"):
                    part(app)
