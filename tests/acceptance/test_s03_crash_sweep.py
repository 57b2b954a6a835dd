"""S3: each flow killed before every statement, every commit and every outside call; what is left is
all or nothing, and goes on.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateways import Trace, live
from gateways.fakes import FakeCarrier
from models import (  # fmt: skip
    AuditEntry,
    BankDetails,
    BatchState,
    Cart,
    Customer,
    ImportRun,
    Item,
    ItemState,
    Label,
    LabelState,
    LineState,
    MachineKey,
    Message,
    Offer,
    OfferLine,
    OfferState,
    Outbox,
    OutboxState,
    Parcel,
    ParcelState,
    Product,
    Reservation,
    SellerPayment,
    StaffAccount,
    StockConflict,
    StockCount,
    StockLevel,
    StockTransfer,
    Store,
    TillEventKind,
    TransferBatch,
    TransferLine,
    User,
    Variant,
    Vendor,
    VendorOrder,
)
from services import clock, outbox, sealing
from services.buyback import offers, parcels, reception
from services.catalogue import products, referencer, search
from services.imports import runs
from services.installation import keys
from services.orders import checkout, fulfilment, pickup
from services.payments import bank_answers, bank_details, seller_payments, transfers
from services.people import customers, second_factor, staff
from services.shipping import tracking
from services.stock import inventories, items, levels, listings, tills
from services.unit import db, unit_of_work
from tests import factories
from tests.acceptance import killing
from tests.acceptance.killing import invariants, killed
from tests.acceptance.sizes import LONG
from tests.factories import LEA, MARC

EVERY = 1 if LONG else 6  # the short form looks at one point in six


def one(model, id):
    return db.session.get_one(model, id)


# ── flows of one unit: name → (how the shop stands before, what happens, whether it happened) ──


def finalise():
    id = factories.a_cart(factories.a_game(argus_cents=9000), customer=factories.a_customer()).id
    return lambda: offers.finalise(
        one(Offer, id), one(Offer, id).customer, by=customers.actor(one(Offer, id).customer)
    ), state_is(id, "to_check")


def _offer(verb, after, make=factories.an_offer):
    def flow():
        id = make().id
        return lambda: verb(one(Offer, id)), state_is(id, after)

    return flow


def state_is(id, state):
    return lambda: one(Offer, id).status.value == state


def prices(offer):
    return {line.id: line.price_cents - 10 for line in offer.lines}


def grade(verb, after):
    def flow():
        factories.a_register()
        line = factories.an_open_parcel().lines[0]
        id = line.id
        if verb == "undo":
            factories.sent(line)
        if verb == "counter":
            with unit_of_work():
                reception.photograph(one(OfferLine, id), "photo.jpg", by=MARC)
        acts = {
            "send": lambda: reception.send(
                one(OfferLine, id), factories.GRADES, "", factories.the_store(), by=MARC
            ),
            "counter": lambda: reception.counter(
                one(OfferLine, id), factories.GRADES, "", 500, "Boîte fendue.", by=MARC
            ),
            "refuse": lambda: reception.refuse(one(OfferLine, id), {}, "", "Disque rayé.", by=MARC),
            "undo": lambda: reception.undo(one(OfferLine, id), by=MARC),
        }
        return acts[verb], lambda: one(OfferLine, id).status.value == after

    return flow


def end_of_reception():
    factories.a_register()
    offer = factories.an_open_parcel()
    factories.sent(offer.lines[0])
    factories.countered(offer.lines[1])
    id = offer.id

    def act():
        reception.end(one(Offer, id), by=MARC)
        reception.tell(one(Offer, id), by=MARC)

    return act, state_is(id, "received")


def answer():
    offer = factories.an_open_parcel()
    factories.sent(offer.lines[0])
    factories.countered(offer.lines[1])
    second, id = offer.lines[1].id, offer.id
    factories.ended(offer)

    def act():
        sale = one(Offer, id)
        reception.answer(
            sale,
            {line.id: "agree" for line in reception.pending(sale)},
            by=customers.actor(sale.customer),
        )

    return act, lambda: one(OfferLine, second).status is LineState.accepted


def iban():
    offer = factories.a_received_offer()
    id, payment = offer.customer_id, offer.payment.id

    def act():
        bank_details.give(
            one(Customer, id), factories.IBANS[1], "Camille Aubry", site=factories.the_site()
        )

    return act, lambda: one(SellerPayment, payment).status.value == "to_pay"


def another_iban():
    payment = factories.a_payment()
    id, customer = payment.id, payment.customer_id

    def act():
        bank_details.give(
            one(Customer, customer), factories.IBANS[0], "Camille Aubry", site=factories.the_site()
        )

    return act, lambda: one(SellerPayment, id).status.value == "held"


def executed():
    id = factories.a_batch(2).id
    return (
        lambda: bank_answers.all_went_through(one(TransferBatch, id), by=LEA),
        lambda: one(TransferBatch, id).status is BatchState.answered,
    )


def sent_back():
    from tests.services.payments.test_transfers import said

    batch = factories.a_batch(2)
    id, reference = batch.id, batch.lines[0].end_to_end
    data = said(batch, **{reference.replace("-", "_"): "RJCT:AC04"})
    return lambda: bank_answers.read(data, "reponse.xml", by=LEA), lambda: any(
        line.status.value == "sent_back" for line in one(TransferBatch, id).lines
    )


def erased():
    id = factories.a_customer().id
    return (
        lambda: customers.erase(one(Customer, id)),
        lambda: one(Customer, id).erased_at is not None,
    )


def sold():
    id = factories.an_item(factories.a_game()).id
    return (
        lambda: items.sell(one(Item, id), 1500, by=MARC),
        lambda: one(Item, id).status is ItemState.sold,
    )


def _dead_row() -> int:
    factories.an_offer()
    id = db.session.scalars(
        select(Outbox.id).where(Outbox.kind == "message").order_by(Outbox.id)
    ).first()
    with unit_of_work():
        row = one(Outbox, id)
        row.state, row.last_error = OutboxState.dead, "refused"
    return id


def retried_task():
    id = _dead_row()
    return (
        lambda: outbox.retry(one(Outbox, id), by=LEA),
        lambda: one(Outbox, id).state is OutboxState.todo,
    )


def abandoned_task():
    id = _dead_row()
    return (
        lambda: outbox.abandon(one(Outbox, id), "adresse morte", by=LEA),
        lambda: one(Outbox, id).state is OutboxState.abandoned,
    )


def second_factor_on():
    import pyotp

    with unit_of_work():
        id = staff.add("ines@exemple.fr", "Comptable", by=MARC)[0].id
    secret = second_factor.new_secret()
    return (
        lambda: second_factor.turn_on(one(User, id), secret, pyotp.TOTP(secret).now()),
        lambda: bool(one(StaffAccount, id).totp_sealed),
    )


# ── stock ──


def a_till_sells():
    """The shop sells the pair an order had been promised: sale, stock, conflict, all or nothing."""
    level = factories.stocked(factories.a_shoe(), 1)
    factories.a_reservation(level, 1, "1702-A", promised=True)
    key, _secret = factories.a_key()
    told = tills.Told(1, TillEventKind.sale, level.variant.ean, 1, clock.now(), 8900)
    key_id, level_id = key.id, level.id

    def act():
        tills.take(one(MachineKey, key_id), told)

    return act, lambda: one(StockLevel, level_id).quantity == 0


def a_twin_is_taken():
    shoe, other = factories.a_shoe(), factories.a_store()
    factories.stocked(shoe, 1, other)
    act, _done = a_till_sells_of(shoe)
    with unit_of_work():
        act()
    id, store_id = db.session.scalars(select(StockConflict.id)).one(), other.id
    return (
        lambda: levels.replace(one(StockConflict, id), one(Store, store_id), None, by=LEA),
        lambda: one(StockConflict, id).status.value == "moved",
    )


def a_till_sells_of(shoe):
    level = factories.stocked(shoe, 1)
    factories.a_reservation(level, 1, "1702-A", promised=True)
    key, _secret = factories.a_key()
    told = tills.Told(1, TillEventKind.sale, shoe.ean, 1, clock.now(), 8900)
    key_id = key.id
    return lambda: tills.take(one(MachineKey, key_id), told), None


def an_order_is_handed_over():
    id = factories.a_reservation(
        factories.stocked(factories.a_shoe(), 2), 1, "1702-A", promised=True
    ).id
    return (
        lambda: levels.hand_over(one(Reservation, id), 8900, by=LEA),
        lambda: one(Reservation, id).status.value == "handed",
    )


def an_inventory_is_validated():
    shoe, boot = factories.a_shoe(), factories.a_shoe("Botte Aubrac")
    factories.stocked(shoe, 5), factories.stocked(boot, 2)
    with unit_of_work():
        count = inventories.open_count(factories.the_store(), "", whole=True, by=LEA)
        inventories.say(count, shoe.ean, 3, by=LEA)
        id = count.id
    return (
        lambda: inventories.validate(one(StockCount, id), by=LEA),
        lambda: one(StockCount, id).status.value == "counted",
    )


def a_transfer_arrives():
    shoe, there = factories.a_shoe(), factories.a_store()
    factories.stocked(shoe, 5)
    with unit_of_work():
        transfer = inventories.open_transfer(factories.the_store(), one(Store, there.id), by=LEA)
        db.session.flush()
        inventories.put_in(transfer, shoe.ean, 4, by=LEA)
        inventories.send(transfer, by=LEA)
        id = transfer.id
    return (
        lambda: inventories.arrive(one(StockTransfer, id), by=LEA),
        lambda: one(StockTransfer, id).status.value == "arrived",
    )


def two_sheets_are_merged():
    kept, double = factories.a_shoe(), factories.a_shoe("DERBY", "43", brand="")
    factories.stocked(double, 2)
    a, b = double.product_id, kept.product_id
    return (
        lambda: products.merge(one(Product, a), one(Product, b), by=LEA),
        lambda: one(Product, a).status.value == "merged",
    )


def a_unit_is_put_on_sale():
    id = factories.an_item(factories.a_shoe()).id
    return (
        lambda: listings.put_on_sale(one(Item, id), 4500, by=LEA),
        lambda: one(Item, id).status is ItemState.listed,
    )


def an_order_is_placed():
    """Two articles of two stores: all of it, or nothing."""
    factories.a_shop()
    here = factories.keeps_for_buyers()
    there = factories.keeps_for_buyers(factories.a_store())
    derby = factories.on_sale(factories.a_shoe(), 8900, 2, here)
    unit = factories.a_unit_on_sale(factories.a_shoe("Botte Aubrac"), 3500, there)
    buyer = factories.a_buyer()
    id = factories.a_shop_cart((derby, here, 2), (unit, there, 1), customer=buyer).id
    buyer_id = buyer.id
    return (
        lambda: checkout.reserve(
            one(Cart, id), one(Customer, buyer_id), by=customers.actor(one(Customer, buyer_id))
        ),
        lambda: db.session.scalar(select(func.count(VendorOrder.id))) == 2,
    )


def _part(verb, after, before="waiting_acceptance"):
    def flow():
        id = factories.a_part(before).id
        return lambda: verb(
            one(VendorOrder, id)
        ), lambda: one(VendorOrder, id).status.value == after

    return flow


def _fewer(part):
    """Nothing of the only line: the whole report, with what it takes out of the stock."""
    fulfilment.report(part, {part.lines[0].id: 0}, {}, by=MARC)


def _collect(part):
    pickup.collect(part, pickup.code_of(part).digits, by=MARC)


def a_till_refuses_an_order():
    part = factories.a_part("shipping")
    key, _secret = factories.a_key()
    factories.told(key, 1, "sale", part.lines[0].variant, 3)
    id, conflict_id = part.id, db.session.scalars(select(StockConflict.id)).one()
    return (
        lambda: fulfilment.settle(one(StockConflict, conflict_id)),
        lambda: one(VendorOrder, id).status.value == "canceled",
    )


UNITS = {
    "place an order": an_order_is_placed,
    "accept an order": _part(lambda p: fulfilment.accept(p, by=MARC), "shipping"),
    "report a problem": _part(_fewer, "refused"),
    "make ready": _part(lambda p: pickup.ready(p, by=MARC), "to_collect", "shipping"),
    "collect": _part(_collect, "received", "to_collect"),
    "cancel an order": _part(lambda p: fulfilment.cancel(p, by=MARC), "canceled", "to_collect"),
    "a till refuses": a_till_refuses_an_order,
    "till sale": a_till_sells,
    "twin": a_twin_is_taken,
    "hand over": an_order_is_handed_over,
    "inventory": an_inventory_is_validated,
    "transfer": a_transfer_arrives,
    "merge": two_sheets_are_merged,
    "put on sale": a_unit_is_put_on_sale,
    "finalise": finalise,
    "accept": _offer(lambda o: offers.accept(o, by=MARC), "accepted"),
    "counter": _offer(lambda o: offers.counter(o, prices(o), "motif", by=MARC), "second_chance"),
    "agree": _offer(
        lambda o: offers.agree(o, by=customers.actor(o.customer)),
        "accepted",
        factories.a_second_chance,
    ),
    "refuse": _offer(lambda o: offers.refuse(o, "motif", by=MARC), "refused"),
    "abandon": _offer(
        lambda o: offers.abandon(o, by=MARC), "abandoned", factories.an_accepted_offer
    ),
    "open": _offer(
        lambda o: reception.open_parcel(o, by=MARC), "accepted", factories.an_accepted_offer
    ),
    "send": grade("send", "accepted"),
    "bench counter": grade("counter", "countered"),
    "bench refuse": grade("refuse", "refused"),
    "undo": grade("undo", "received"),
    "end": end_of_reception,
    "answer": answer,
    "iban": iban,
    "another iban": another_iban,
    "executed": executed,
    "sent back": sent_back,
    "erase": erased,
    "sell": sold,
    "retry": retried_task,
    "abandon task": abandoned_task,
    "second factor": second_factor_on,
}


@pytest.mark.parametrize("name", UNITS)
def test_a_flow_killed_at_any_point_is_all_or_nothing(app, name, figure):
    act, happened = UNITS[name]()

    def work():
        with unit_of_work():
            act()

    if name == "open":  # the state of the offer does not move: its parcel's does
        happened = lambda: db.session.scalars(select(Parcel.status)).one() is ParcelState.inspecting  # noqa: E731
    point, deaths = 0, 0
    while killed(point, work):
        deaths += 1
        there = happened()
        db.session.rollback()
        invariants()
        if there:  # it died after its commit: there is nothing left to do
            break
        point += EVERY
    assert happened()
    db.session.rollback()
    invariants()
    assert deaths >= 1
    figure(f"points: {name}", deaths, at_least=4)


# ── flows of several units, with the outside in them ──


class SteppingCarrier(FakeCarrier):
    """Dies before the carrier hears us, or after, with the carrier's own memory outside the
    program.
    """

    def __init__(self, log):
        super().__init__()
        self.log = log

    def create_label(self, account, shipment):
        killing.step()
        with self.log.open("a") as file:
            file.write(shipment.reference + "\n")
        label = replace(
            super().create_label(account, shipment),
            number=str(90000000 + int(shipment.reference[3:12])),
        )
        killing.step()
        return label


def test_a_label_killed_anywhere_is_never_ordered_twice(app, tmp_path, figure):
    """A new sale for each point: the worker dies there, another one comes back once the lease has
    run out.
    """
    factories.a_contract()
    log = tmp_path / "labels.log"
    log.touch()
    live.carriers["mondial_relay"] = SteppingCarrier(log)
    seen, point, deaths, done = set(), 0, 0, False
    while not done:
        offer = factories.an_accepted_offer()
        id, number = offer.id, offer.number
        done = not killed(point, outbox.work)
        with clock.at(clock.now() + 2 * outbox.LEASE):
            outbox.work()
            outbox.work()
        db.session.expire_all()
        ordered = log.read_text().split().count(number)
        state = db.session.scalars(
            select(Label.status)
            .join(Parcel, Parcel.id == Label.parcel_id)
            .where(Parcel.offer_id == id)
        ).one()
        # Nobody knows how far a worker that died came: a person looks, and no label is ordered by
        # itself again.
        assert (ordered, state) in {
            (1, LabelState.made),
            (1, LabelState.unknown),
            (0, LabelState.unknown),
        }, (
            point,
            ordered,
            state,
        )
        seen.add((ordered, state))
        invariants()
        deaths += not done
        point += EVERY
    assert seen >= {(1, LabelState.made), (1, LabelState.unknown)}
    figure("points: label", deaths, at_least=20)


def test_a_worker_killed_anywhere_loses_no_letter(app, mail, figure):
    factories.an_offer()
    waiting, point, deaths = outbox.waiting(), 0, 0
    db.session.rollback()
    while killed(point, outbox.work):
        assert db.session.scalar(select(func.count(Outbox.id))) == waiting
        db.session.rollback()
        deaths += 1
        point += EVERY
    with clock.at(clock.now() + timedelta(hours=2)):
        outbox.work()
    db.session.expire_all()
    assert outbox.waiting() == 0
    assert (
        db.session.scalar(select(func.count(Message.id)).where(Message.state == "sent")) == waiting
    )
    invariants()
    figure("points: letters", deaths, at_least=6)


def test_an_import_killed_at_any_point_is_all_or_nothing_and_goes_on(app, tmp_path, figure):
    path = tmp_path / "liste.csv"
    path.write_text(
        "ean;titre;plateforme;argus\n"
        + "".join(f"{factories.ean(900 + n)};Jeu {n};Console {n % 3};{n + 1}\n" for n in range(40))
    )
    with unit_of_work():
        id = runs.receive(runs.keep(path, "liste.csv"), "argus", by=factories.COMMAND).id
    point, deaths = 0, 0
    while killed(point, lambda: runs.load(id)):
        assert db.session.scalar(select(func.count(Product.id))) in (0, 40)
        invariants()
        deaths += 1
        point += EVERY
    assert (one(ImportRun, id).state, db.session.scalar(select(func.count(Product.id)))) == (
        "complete",
        40,
    )
    figure("points: import", deaths, at_least=10)


def test_a_stock_file_killed_at_any_point_is_all_or_nothing_and_goes_on(app, tmp_path, figure):
    """A full file: new, changed, gone, one taken from an order, one unknown; half of it is never
    there.
    """
    games = [factories.a_game(f"Jeu {n}") for n in range(8)]
    for game in games[:6]:
        factories.stocked(game, 2)
    factories.a_reservation(
        db.session.scalars(select(StockLevel).where(StockLevel.variant_id == games[0].id)).one(),
        2,
        "1702-A",
        promised=True,
    )
    rows = {
        games[0].ean: 0,
        games[1].ean: 5,
        games[2].ean: 2,
        games[3].ean: 2,
        games[6].ean: 1,
        games[7].ean: 4,
        factories.ean(950): 3,
    }
    path = factories.a_file(
        tmp_path, "ean;quantite\n" + "".join(f"{e};{q}\n" for e, q in rows.items())
    )
    with unit_of_work() as session:
        id = runs.receive(
            runs.keep(path, "stock.csv"),
            "stock",
            by=factories.COMMAND,
            store=session.merge(factories.the_store()),
            mode="full",
        ).id
    before, after = (
        {g.ean: 2 for g in games[:6]},
        {g.ean: rows.get(g.ean, 0) for g in games if rows.get(g.ean, 0)},
    )
    point, deaths = 0, 0
    while killed(point, lambda: runs.load(id)):
        held = dict(
            db.session.execute(
                select(Variant.ean, StockLevel.quantity)
                .join(Variant)
                .where(StockLevel.quantity > 0)
            ).all()
        )
        assert held in (before, after), held
        invariants()
        deaths += 1
        point += EVERY
    held = dict(
        db.session.execute(
            select(Variant.ean, StockLevel.quantity).join(Variant).where(StockLevel.quantity > 0)
        ).all()
    )
    assert (
        one(ImportRun, id).state,
        held,
        db.session.scalar(select(func.count(StockConflict.id))),
    ) == ("complete", after, 1)
    figure("points: stock file", deaths, at_least=10)


def test_a_referencier_killed_at_any_point_is_all_or_nothing_and_is_found_in_the_end(
    app, tmp_path, figure
):
    rows = "".join(
        f"R{n // 3};{factories.ean(700 + n)};Modèle {n // 3};Marque"
        f" {n % 2};;Rayon;;;Noir;;;{n};;{n + 1};20;;oui;\n"
        for n in range(30)
    )
    path = factories.a_file(tmp_path, ";".join(referencer.HEADER) + "\n" + rows)
    with unit_of_work():
        id = runs.receive(runs.keep(path, "ref.csv"), "catalogue", by=factories.COMMAND).id
    point, deaths = 0, 0
    while killed(point, lambda: runs.load(id)):
        assert db.session.scalar(select(func.count(Variant.id))) in (0, 30)
        invariants()
        deaths += 1
        point += EVERY
    search.catch_up()  # what the worker's sweep does when it died between the file and the index
    assert (one(ImportRun, id).state, db.session.scalar(select(func.count(Variant.id)))) == (
        "complete",
        30,
    )
    assert search.find(search.Asked("modele", size=100)).count == db.session.scalar(
        select(func.count(Product.id))
    )
    figure("points: référencier", deaths, at_least=10)


def test_a_payment_run_killed_anywhere_makes_one_file_and_tells_each_seller_once(app, figure):
    factories.a_paying_account()
    for _n in range(2):
        factories.a_payment()

    def work():
        with unit_of_work():
            transfers.validate(one(Vendor, 1), "PAIEMENT", transfers.totals(1), by=MARC)
        outbox.work()
        for payment_id in seller_payments.untold():
            with unit_of_work():
                seller_payments.tell_paid(one(SellerPayment, payment_id))

    def go_on():  # what the worker does when it comes back
        outbox.work()
        for payment_id in seller_payments.untold():
            with unit_of_work():
                seller_payments.tell_paid(one(SellerPayment, payment_id))

    point, deaths, is_validated = 0, 0, False
    while killed(point, go_on if is_validated else work):
        invariants()
        if not is_validated and db.session.scalar(select(func.count(TransferBatch.id))):
            is_validated, point = True, -EVERY
        db.session.rollback()
        deaths += 1
        point += EVERY
        if (
            is_validated and deaths % 3 == 0
        ):  # the row of a dead worker is taken up once its lease has run out
            with unit_of_work() as session:
                session.execute(
                    Outbox.__table__.update()
                    .where(Outbox.state == OutboxState.running)
                    .values(lease_until=clock.now() - outbox.LEASE)
                )
    with clock.at(clock.now() + 2 * outbox.LEASE):
        go_on()
        go_on()
    db.session.expire_all()
    batch = db.session.scalars(select(TransferBatch)).one()
    assert batch.status is BatchState.ready
    assert db.session.scalar(select(func.count(TransferLine.id))) == 2
    told = db.session.scalars(
        select(Message.recipient).where(Message.event == "payment_sent")
    ).all()
    assert len(told) == 2
    assert all(db.session.scalars(select(SellerPayment.told_at)))
    invariants()
    figure("points: payment run", deaths, at_least=20)


def test_keys_changed_and_killed_anywhere_leave_nothing_unreadable(app, machine, figure):
    """The change of key is stopped at each point, started again, and ends with everything under the
    new key.
    """
    factories.a_batch(3)
    old = sealing.names()[0]
    ring = machine.sealing_keys or (machine.data_dir / "sealing_key").read_text()
    sealing.plug("new:" + "A" * 43 + "=," + ring)
    try:
        point, deaths = 0, 0
        while killed(point, lambda: keys.rotate(by=factories.COMMAND)):
            assert keys.unreadable() == []
            db.session.rollback()
            deaths += 1
            point += EVERY
        assert keys.left() == 0
        assert keys.unreadable() == []
        sealing.plug("new:" + "A" * 43 + "=")
        assert keys.unreadable() == []  # the old key is needed for nothing any more
        assert all(
            d.iban_sealed.startswith("new:") for d in db.session.scalars(select(BankDetails))
        )
        assert db.session.scalars(select(AuditEntry).where(AuditEntry.what == "keys_rotated")).all()
    finally:
        sealing.plug(ring)
    assert old == sealing.names()[0]
    figure("points: keys", deaths, at_least=8)


def test_parcels_followed_by_a_worker_that_dies_are_where_the_carrier_says(app, carrier, figure):
    """Following is repeated until it ends: the state is the carrier's, each of his words once."""
    factories.a_contract()
    offer = factories.an_accepted_offer()
    outbox.work()
    db.session.expire_all()
    parcel = parcels.live_parcel(db.session.get(Offer, offer.id))
    now = clock.now()
    words = ("PRISE EN CHARGE", "DISPONIBLE AU POINT RELAIS", "COLIS LIVRÉ")
    carrier.saw(
        parcel.label_number,
        "delivered",
        words[2],
        *(Trace(now + timedelta(hours=n), w, "FRANCE", "") for n, w in enumerate(words)),
    )
    id, label_id, point, deaths = parcel.id, parcel.label.id, 0, 0
    with clock.at(clock.now() + timedelta(days=1)):
        while killed(point, lambda: tracking.follow([label_id])):
            invariants()
            deaths += 1
            point += EVERY
    moved = one(Parcel, id)
    assert moved.status is ParcelState.delivered
    events = moved.label.events
    assert len(events) == len({(e.at, e.words) for e in events}) == 3
    assert one(Offer, offer.id).status is OfferState.accepted
    figure("points: follow", deaths, at_least=5)
