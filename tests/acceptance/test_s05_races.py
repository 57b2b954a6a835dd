"""S5: the same thing at once, by many: one unit sold once, one file, one decision, one effect of a
form; and a control without the guard that fails.
"""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, text

from models import (
    AuditEntry,
    Cart,
    Customer,
    Event,
    Item,
    ItemState,
    MachineKey,
    Message,
    Movement,
    Offer,
    OfferLine,
    OfferState,
    Outbox,
    PoliceRecord,
    RecoveryCode,
    Reservation,
    ReservationState,
    SellerPayment,
    StockCount,
    StockCountLine,
    StockLevel,
    StockTransfer,
    Store,
    TillEventKind,
    TransferBatch,
    TransferLine,
    User,
    VendorOrder,
)
from services import audit, clock, limits, numbering, outbox
from services.buyback import offers, reception
from services.imports import runs
from services.orders import checkout, fulfilment, pickup
from services.payments import bank_answers, store_credit, transfers
from services.people import customers, second_factor, staff
from services.stock import inventories, items, levels, tills
from services.unit import db, retried, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.acceptance.killing import invariants
from tests.acceptance.sizes import size
from tests.factories import LEA, MARC

MANY = size(12, 100)


def at_once(count: int, work: Callable[[int], Any], app) -> Counter:
    """Each in a thread and a session of its own, let go together; what each got: its answer, «
    refused », or the class of an error.
    """
    start, lock = threading.Barrier(count), threading.Lock()
    found: Counter[Any] = Counter()

    def one(number: int) -> None:
        with app.app_context():
            start.wait()
            try:
                got = retried(lambda: work(number))
            except Refused:
                got = "refused"
            except Exception as error:
                got = type(error).__name__
            finally:
                db.session.remove()
        with lock:
            found[got] += 1

    db.session.remove()
    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    [t.start() for t in threads], [t.join() for t in threads]
    return found


def test_the_last_unit_is_sold_once_however_many_want_it(app, figure):
    units = size(3, 50)
    game = factories.a_game()
    ids = [factories.an_item(game).id for _n in range(units)]
    sold: Counter[str] = Counter()

    def buy(id: int):
        def work(_number: int) -> str:
            with unit_of_work() as session:
                items.sell(session.get_one(Item, id), 1500, by=MARC)
            return "sold"

        return work

    for id in ids:
        sold += at_once(MANY if MANY < 20 else 20, buy(id), app)
    assert sold["sold"] == units, sold
    assert set(sold) <= {"sold", "refused", "StaleDataError"}, sold
    assert (
        db.session.scalar(select(func.count(Movement.id)).where(Movement.kind == "sale")) == units
    )
    assert (
        db.session.scalar(select(func.count(Item.id)).where(Item.status == ItemState.sold)) == units
    )
    invariants()
    figure("units sold once", sold["sold"], at_least=50)
    figure("buyers who came too late", sum(sold.values()) - sold["sold"], at_least=900)


def test_a_hundred_want_one_unit(app, figure):
    id = factories.an_item(factories.a_game()).id

    def buy(_number: int) -> str:
        with unit_of_work() as session:
            items.sell(session.get_one(Item, id), 1500, by=MARC)
        return "sold"

    found = at_once(MANY, buy, app)
    assert found["sold"] == 1, found
    assert set(found) <= {"sold", "refused", "StaleDataError"}, found
    figure("at once for one unit", sum(found.values()), at_least=100)


def test_without_the_guard_the_same_unit_is_sold_twice(app, figure):
    """The control: read, think, write, without the unit's lock and without the version; the harness
    must see it oversell.
    """
    id = factories.an_item(factories.a_game()).id
    together = threading.Barrier(2)

    def naive(_number: int) -> str:
        with db.engine.connect() as connection:
            state = connection.execute(
                text("SELECT status FROM item WHERE id = :id"), {"id": id}
            ).scalar()
            connection.rollback()
            together.wait(10)  # both have read: what pretix's control does with a sleep
            if state != "in_stock":
                return "refused"
            connection.execution_options(immediate=True)
            connection.execute(text("UPDATE item SET status = 'sold' WHERE id = :id"), {"id": id})
            connection.commit()
        return "sold"

    found = at_once(2, naive, app)
    assert found["sold"] == 2, "the harness shows no race: it proves nothing"
    figure("sold twice without the guard", found["sold"], at_least=2, always=True)


def test_a_hundred_buyers_want_the_last_pair_and_one_gets_it(app, figure):
    """New stock: the conditional update decides, on both engines, without a lock that buyers would
    wait for.
    """
    shoe = factories.a_shoe()
    id = factories.stocked(shoe, 1).id
    until = clock.now() + timedelta(minutes=30)

    def buy(number: int) -> str:
        with unit_of_work() as session:
            levels.reserve(
                session.get_one(StockLevel, id), 1, f"panier {number}", until, by=factories.HUGO
            )
        return "kept"

    found = at_once(MANY, buy, app)
    assert found["kept"] == 1, found
    assert set(found) <= {"kept", "refused"}, found
    invariants()
    figure("buyers of the last pair", sum(found.values()), at_least=100)


def test_a_hundred_buyers_reserve_the_last_pair_and_one_has_an_order(app, figure):
    """Each with a cart of two articles of two stores: one order, and whoever came too late keeps
    nothing, not even of the other store.
    """
    factories.a_shop()
    here = factories.keeps_for_buyers()
    there = factories.keeps_for_buyers(factories.a_store())
    last = factories.on_sale(factories.a_shoe(), 8900, 1, there)
    plenty = factories.on_sale(factories.a_shoe("Botte Aubrac"), 12000, 500, here)
    buyers = [factories.a_buyer() for _n in range(MANY)]
    carts = [
        factories.a_shop_cart((plenty, here, 1), (last, there, 1), customer=buyer).id
        for buyer in buyers
    ]
    ids = [buyer.id for buyer in buyers]

    def buy(number: int) -> str:
        with unit_of_work() as session:
            buyer = session.get_one(Customer, ids[number])
            checkout.reserve(session.get_one(Cart, carts[number]), buyer, by=customers.actor(buyer))
        return "ordered"

    found = at_once(MANY, buy, app)
    assert found["ordered"] == 1, found
    assert set(found) <= {"ordered", "refused"}, found
    assert db.session.scalar(select(func.sum(StockLevel.reserved))) == 2
    invariants()
    figure("orders wanted at once of one pair", sum(found.values()), at_least=100)


def test_one_cart_ordered_by_many_clicks_is_one_order(app, figure):
    factories.a_shop()
    store = factories.keeps_for_buyers()
    buyer = factories.a_buyer()
    pair = factories.on_sale(factories.a_shoe(), 8900, 50, store)
    cart_id, buyer_id = factories.a_shop_cart((pair, store, 1), customer=buyer).id, buyer.id

    def click(_number: int) -> str:
        with unit_of_work() as session:
            person = session.get_one(Customer, buyer_id)
            checkout.reserve(session.get_one(Cart, cart_id), person, by=customers.actor(person))
        return "ordered"

    found = at_once(size(8, 40), click, app)
    assert found["ordered"] == 1, found
    assert set(found) <= {"ordered", "refused"}, found
    invariants()
    figure("clicks on one cart", sum(found.values()), at_least=40)


def test_of_a_buyer_who_cancels_and_a_shop_that_hands_over_one_wins(app, figure):
    rounds = size(2, 20)
    for _n in range(rounds):
        part = factories.a_part("to_collect")
        id, digits, buyer_id = part.id, factories.pickup_code(part), part.order.customer_id

        def act(number: int, id=id, digits=digits, buyer_id=buyer_id) -> str:
            with unit_of_work() as session:
                row = session.get_one(VendorOrder, id)
                if number:
                    fulfilment.cancel(row, by=customers.actor(session.get_one(Customer, buyer_id)))
                    return "cancelled"
                pickup.collect(row, digits, by=MARC)
                return "collected"

        found = at_once(2, act, app)
        assert sum(found[name] for name in ("cancelled", "collected")) == 1, found
        assert found["refused"] == 1, found
        invariants()
    figure("cancelled against collected", 2 * rounds, at_least=40)


def test_codes_guessed_at_once_are_five_tries_and_no_more(app, figure):
    part = factories.a_part("to_collect")
    id, right = part.id, factories.pickup_code(part)

    def guess(number: int) -> str:
        typed = f"{(int(right) + 1 + number) % 1_000_000:06d}"
        with unit_of_work() as session:
            return (
                "wrong"
                if pickup.collect(session.get_one(VendorOrder, id), typed, by=MARC)
                else "in"
            )

    many = size(10, 100)
    found = at_once(many, guess, app)
    assert found == {"wrong": 5, "refused": many - 5}, found
    assert db.session.get_one(VendorOrder, id).code_tries == 5
    figure("codes guessed at once", many, at_least=100)


def test_an_order_answered_at_once_by_many_has_one_answer(app, figure):
    rounds, answers = size(1, 10), ("accept", "refuse", "cancel", "report")
    for _n in range(rounds):
        part = factories.a_part()
        id, line_id = part.id, part.lines[0].id

        def act(number: int, id=id, line_id=line_id) -> str:
            with unit_of_work() as session:
                row = session.get_one(VendorOrder, id)
                verb = answers[number % 4]
                if verb == "report":
                    fulfilment.report(row, {line_id: 0}, {}, by=MARC)
                else:
                    getattr(fulfilment, verb)(row, by=MARC)
                return verb

        found = at_once(8, act, app)
        # An acceptance may be cancelled by the one who comes after it; nothing else has a second.
        won = [verb for verb in answers for _times in range(found[verb])]
        assert won in ([one] for one in answers) or sorted(won) == ["accept", "cancel"], found
        invariants()
    figure("answers at once", 8 * rounds, at_least=80)


def test_without_the_guard_the_last_pair_is_kept_twice(app, figure):
    """The control: look, think, write; the harness must see it oversell."""
    id = factories.stocked(factories.a_shoe(), 1).id
    together = threading.Barrier(2)

    def naive(_number: int) -> str:
        with db.engine.connect() as connection:
            free = connection.execute(
                text("SELECT quantity - reserved FROM stock_level WHERE id = :id"), {"id": id}
            ).scalar()
            connection.rollback()
            together.wait(10)
            if free < 1:
                return "refused"
            connection.execution_options(immediate=True)
            connection.execute(
                text("UPDATE stock_level SET reserved = reserved + 1 WHERE id = :id"), {"id": id}
            )
            connection.commit()
        return "kept"

    found = at_once(2, naive, app)
    reserved = db.session.scalar(select(StockLevel.reserved).where(StockLevel.id == id))
    assert found["kept"] == 2, "the harness shows no race: it proves nothing"
    assert reserved == 2, "the harness shows no race: it proves nothing"
    figure("pairs kept beyond the last without the guard", reserved - 1, at_least=1, always=True)


def test_buyers_the_counter_and_a_file_at_once_leave_every_sum_right(app, tmp_path, figure):
    """One store: carts reserve and give back, the till sells and takes back, files count; in the
    end the sums agree and nobody got what was not there.
    """
    shoe = factories.a_shoe()
    id = factories.stocked(shoe, 6).id
    key, _secret = factories.a_key()
    key_id, store_id, until = key.id, factories.the_store().id, clock.now() + timedelta(minutes=30)
    kept = [
        runs.keep(
            factories.a_file(tmp_path, f"ean;quantite\n{shoe.ean};{n + 3}\n", f"s{n}.csv"),
            f"s{n}.csv",
        )
        for n in range(4)
    ]

    def work(number: int) -> str:
        kind = number % 4
        if kind == 3 and number // 4 < len(kept):
            with unit_of_work() as session:
                run = runs.receive(
                    kept[number // 4],
                    "stock",
                    by=LEA,
                    store=session.get_one(Store, store_id),
                    mode="delta",
                ).id
            runs.load(run)
            return "file"
        with unit_of_work() as session:
            if kind == 0:
                row = levels.reserve(
                    session.get_one(StockLevel, id), 1, f"panier {number}", until, by=factories.HUGO
                )
                if number % 8 == 0:
                    levels.promise(row, by=factories.HUGO)
            else:
                told = tills.Told(
                    number + 1,
                    TillEventKind.sale if kind == 1 else TillEventKind.return_,
                    shoe.ean,
                    1,
                    clock.now(),
                    100,
                )
                tills.take(session.get_one(MachineKey, key_id), told)
        return "done"

    found = at_once(size(16, 60), work, app)
    assert set(found) <= {"done", "refused", "file"}, found
    invariants()
    level = db.session.get_one(StockLevel, id)
    assert level.quantity >= 0
    assert level.reserved <= level.quantity
    figure("at once on one level", sum(found.values()), at_least=60)


def test_one_event_of_a_till_told_by_many_threads_counts_once(app, figure):
    shoe = factories.a_shoe()
    factories.stocked(shoe, 5)
    key_id = factories.a_key()[0].id
    told = tills.Told(1, TillEventKind.sale, shoe.ean, 1, clock.now(), 100)

    def tell(_number: int) -> str:
        with unit_of_work() as session:
            return (
                "again" if tills.take(session.get_one(MachineKey, key_id), told).again else "first"
            )

    found = at_once(size(8, 40), tell, app)
    assert found["first"] == 1, found
    assert set(found) <= {"first", "again"}, found
    assert factories.quantity(shoe) == 4
    figure("one event told at once", sum(found.values()), at_least=40)


def test_a_transfer_that_arrives_under_many_clicks_arrives_once(app, figure):
    shoe, there = factories.a_shoe(), factories.a_store()
    factories.stocked(shoe, 5)
    with unit_of_work() as session:
        transfer = inventories.open_transfer(
            factories.the_store(), session.get_one(Store, there.id), by=LEA
        )
        session.flush()
        inventories.put_in(transfer, shoe.ean, 5, by=LEA)
        inventories.send(transfer, by=LEA)
        id, shoe_id, there_id = transfer.id, shoe.id, there.id

    def arrive(_number: int) -> str:
        with unit_of_work() as session:
            inventories.arrive(session.get_one(StockTransfer, id), by=LEA)
        return "arrived"

    found = at_once(size(8, 40), arrive, app)
    assert found["arrived"] == 1, found
    assert set(found) <= {"arrived", "refused"}, found
    held = select(StockLevel.quantity).where(
        StockLevel.variant_id == shoe_id, StockLevel.store_id == there_id
    )
    assert db.session.scalar(held) == 5
    invariants()
    figure("clicks on one arrival", sum(found.values()), at_least=40)


def test_scanners_on_one_barcode_lose_no_unit(app, figure):
    shoe = factories.a_shoe()
    with unit_of_work() as session:
        count = inventories.open_count(factories.the_store(), "", whole=False, by=LEA)
        session.flush()
        id, barcode = count.id, shoe.ean

    def scan(_number: int) -> str:
        with unit_of_work() as session:
            inventories.scan(session.get_one(StockCount, id), barcode, by=LEA)
        return "counted"

    many = size(8, 40)
    assert at_once(many, scan, app) == {"counted": many}
    assert db.session.scalar(select(StockCountLine.counted)) == many
    figure("scans at once", many, at_least=40)


def test_a_promise_and_a_release_at_once_leave_one_of_them(app, figure):
    shoe = factories.a_shoe()
    level = factories.stocked(shoe, 40)
    level_id = level.id
    kept = [factories.a_reservation(level, holder=f"panier {n}").id for n in range(size(4, 20))]

    def decide(number: int) -> str:
        with unit_of_work() as session:
            row = session.get_one(Reservation, kept[number // 2])
            (levels.promise if number % 2 else levels.release)(row, by=MARC)
        return "done"

    found = at_once(2 * len(kept), decide, app)
    assert set(found) <= {"done", "refused"}, found
    db.session.expire_all()
    held = db.session.scalar(
        select(func.count()).where(Reservation.status == ReservationState.promised)
    )
    assert db.session.get_one(StockLevel, level_id).reserved == held
    invariants()
    figure("promises against releases", 2 * len(kept), at_least=40)


def test_fifty_validations_make_one_file(app, figure):
    factories.a_paying_account()
    for _n in range(3):
        factories.a_payment()
    seen = transfers.totals(1)

    def validate(_number: int) -> str:
        with unit_of_work():
            transfers.validate(factories.the_vendor(), "PAIEMENT", seen, by=LEA)
        return "made"

    found = at_once(size(8, 50), validate, app)
    assert found["made"] == 1, found
    assert set(found) <= {"made", "refused"}, found
    outbox.work()
    assert db.session.scalar(select(func.count(TransferBatch.id))) == 1
    assert (
        db.session.scalar(select(func.count(SellerPayment.id)).where(SellerPayment.attempts == 1))
        == 3
    )
    invariants()
    figure("validations at once", sum(found.values()), at_least=50)


def test_two_people_on_fifty_clicks_make_one_decision(app, as_staff, figure):
    offer = factories.an_offer()
    clients = [
        as_staff("Opérateur reprise", factories.the_vendor(), email=f"marc{n}@staff.test")
        for n in range(size(8, 50))
    ]
    id, version = offer.id, offer.version

    def decide(number: int) -> int:
        return (
            clients[number]
            .post(
                f"/gestion/offres/valider/{id}/{('accept', 'refuse')[number % 2]}",
                data={"version": version},
            )
            .status_code
        )

    codes = at_once(len(clients), decide, app)
    assert set(codes) <= {302, 422, 503}, codes
    verbs = db.session.scalars(
        select(Event.verb).where(Event.subject == "offer", Event.subject_id == id)
    ).all()
    assert sorted(verbs) in (["accept", "finalise"], ["finalise", "refuse"])
    assert (
        db.session.scalar(
            select(func.count(Message.id)).where(
                Message.event.in_(["offer_validated", "offer_refused"])
            )
        )
        == 1
    )
    invariants()
    figure("clicks at once", sum(codes.values()), at_least=50)


def test_a_form_sent_a_hundred_times_at_once_counts_once(app, as_customer, figure):
    """The same token in a hundred requests: one article in the cart, every answer leads to the same
    page.
    """
    customer, game = factories.a_customer(), factories.a_game(argus_cents=9000)
    factories.a_cart(customer=customer)
    clients = [as_customer(customer) for _n in range(MANY)]
    data = {"ean": game.ean, "form_token": "le-meme-jeton-pour-tous"}
    codes = at_once(MANY, lambda n: clients[n].post("/panier/ajouter", data=data).status_code, app)
    assert set(codes) <= {302, 503}, codes
    assert db.session.scalar(select(func.count(OfferLine.id))) == 1
    figure("sendings of one form", sum(codes.values()), at_least=100)


def test_every_seller_gets_his_number_and_no_number_is_missing(app, as_customer, figure):
    count = size(12, 60)
    game = factories.a_game(argus_cents=9000)
    people = [factories.a_customer() for _n in range(count)]
    for person in people:
        factories.a_cart(game, customer=person)
    clients = [as_customer(person) for person in people]
    codes = at_once(count, lambda n: clients[n].post("/finaliser").status_code, app)
    assert set(codes) <= {302, 503}, codes
    assert codes[302] == count, codes
    assert (
        db.session.scalar(select(func.count(Offer.id)).where(Offer.status == OfferState.to_check))
        == count
    )
    invariants()
    figure("numbers taken at once", codes[302], at_least=60)


def test_two_hands_on_every_article_of_a_parcel_make_one_of_each(app, as_staff):
    factories.a_register()
    offer = factories.an_open_parcel(
        *(factories.a_game(f"Jeu {n}", argus_cents=3000) for n in range(7))
    )
    clients = [
        as_staff("Opérateur reprise", factories.the_vendor(), email=f"marc{n}@staff.test")
        for n in range(2)
    ]
    number, ids = offer.number, [line.id for line in offer.lines]
    codes: Counter[int] = Counter()

    def grade(who: int) -> str:
        for id in ids:
            codes[
                clients[who]
                .post(
                    f"/gestion/reception/{number}/article/{id}/send",
                    data=factories.GRADES,
                    headers={"X-Fragment": "bench"},
                )
                .status_code
            ] += 1
        return "done"

    at_once(2, grade, app)
    assert set(codes) <= {200, 409, 422, 503}, codes
    assert (
        db.session.scalar(select(func.count(Item.id)))
        == db.session.scalar(select(func.count(PoliceRecord.id)))
        == 7
    )
    invariants()


def test_the_seller_agrees_while_the_shop_refuses_and_exactly_one_wins(app, figure):
    rounds = size(3, 40)
    won: Counter[str] = Counter()
    for _n in range(rounds):
        offer = factories.a_second_chance()
        id, customer = offer.id, customers.actor(offer.customer)

        def act(number: int, id: int = id, customer=customer) -> str:
            with unit_of_work() as session:
                row = session.get_one(Offer, id)
                (
                    offers.agree(row, by=customer)
                    if number
                    else offers.refuse(row, "Trop tard.", by=MARC)
                )
            return ("refused offer", "agreed")[number]

        found = at_once(2, act, app)
        assert found["agreed"] + found["refused offer"] == 1, found
        won += found
    invariants()
    figure("agree against refuse", rounds, at_least=40)


def test_a_reception_ends_while_an_article_is_taken_back(app, figure):
    rounds = size(3, 30)
    for _n in range(rounds):
        offer = factories.an_open_parcel()
        for line in offer.lines:
            factories.sent(line)
        id, line_id = offer.id, offer.lines[0].id

        def act(number: int, id: int = id, line_id: int = line_id) -> str:
            with unit_of_work() as session:
                (
                    reception.end(session.get_one(Offer, id), by=MARC)
                    if number
                    else reception.undo(session.get_one(OfferLine, line_id), by=MARC)
                )
            return "done"

        assert set(at_once(2, act, app)) <= {"done", "refused", "StaleDataError"}
        invariants()
    figure("end against undo", rounds, at_least=30)


def test_the_seller_answers_while_the_bank_pays_and_the_sale_still_ends(app, figure):
    """Of two payments that end at the same instant, one sees the other, and the sale is settled."""
    rounds = size(4, 40)
    for _n in range(rounds):
        offer = factories.an_open_parcel(factories.a_game(), factories.a_game())
        factories.an_iban(offer.seller)
        factories.sent(offer.lines[0]), factories.refused(offer.lines[1])
        id, line_id = factories.ended(offer).id, offer.lines[1].id
        batch_id = factories.a_batch(0).id
        by = customers.actor(db.session.get_one(Offer, id).seller)

        def act(
            number: int, id: int = id, line_id: int = line_id, batch: int = batch_id, by: Any = by
        ) -> str:
            with unit_of_work() as session:
                (
                    reception.answer(session.get_one(Offer, id), {line_id: "given"}, by=by)
                    if number
                    else bank_answers.all_went_through(
                        session.get_one(TransferBatch, batch), by=LEA
                    )
                )
            return "done"

        assert set(at_once(2, act, app)) == {"done"}
        assert db.session.get_one(Offer, id).status is OfferState.settled
        invariants()
    figure("answer against bank", rounds, at_least=30)


def test_the_seller_answers_while_the_bank_sends_back_and_the_sale_stays_open(app, figure):
    rounds = size(4, 40)
    for _n in range(rounds):
        offer = factories.an_open_parcel(factories.a_game(), factories.a_game())
        factories.an_iban(offer.seller)
        factories.sent(offer.lines[0]), factories.refused(offer.lines[1])
        id, line_id = factories.ended(offer).id, offer.lines[1].id
        batch = factories.a_batch(0)
        with unit_of_work() as session:
            bank_answers.all_went_through(session.get_one(TransferBatch, batch.id), by=LEA)
        sent = next(line.id for line in batch.lines if line.payment.offer_id == id)
        by = customers.actor(db.session.get_one(Offer, id).seller)

        def act(number: int, id: int = id, line_id: int = line_id, sent: int = sent, by: Any = by):
            with unit_of_work() as session:
                if number:
                    reception.answer(session.get_one(Offer, id), {line_id: "given"}, by=by)
                else:
                    line = session.get_one(TransferLine, sent)
                    line.reason = "le compte est clos"
                    bank_answers.apply(
                        line.batch, [], [(line, "AM04")], "r.xml", line.end_to_end, LEA
                    )
            return "done"

        assert set(at_once(2, act, app)) == {"done"}
        assert db.session.get_one(Offer, id).status is OfferState.received
        invariants()
    figure("answer against a transfer that comes back", rounds, at_least=30)


def test_store_credit_is_spent_once_however_many_carts_use_it(app, figure):
    customer = factories.a_customer()
    id = customer.id
    with unit_of_work() as session:
        person = session.merge(customer)
        from models import AccountKind
        from services.payments import ledger
        from services.payments.ledger import Side

        ledger.post(
            1,
            "essai",
            "credit",
            "essai",
            Side(AccountKind.store_credit, -1000, person.id),
            Side(AccountKind.bonus, 1000),
            by=LEA,
        )

    def spend(number: int) -> str:
        with unit_of_work() as session:
            from models import Customer

            store_credit.spend(1, session.get_one(Customer, id), 300, f"achat {number}", by=MARC)
        return "spent"

    found = at_once(size(6, 40), spend, app)
    assert found["spent"] == 3, found
    assert set(found) <= {"spent", "refused"}, found
    assert store_credit.balance(1, id) == 100
    figure("spendings at once", sum(found.values()), at_least=40)


def test_a_code_of_the_second_factor_opens_one_session(app, figure):
    """Ten browsers, the same six digits or the same recovery code, at once."""
    import pyotp

    with unit_of_work():
        id = staff.add("ines@exemple.fr", "Comptable", by=MARC)[0].id
    secret = second_factor.new_secret()
    with unit_of_work() as session:
        codes = second_factor.turn_on(session.get_one(User, id), secret, pyotp.TOTP(secret).now())
        session.get_one(User, id)
        staff.account_of(session.get_one(User, id)).totp_step = 0
    now = pyotp.TOTP(secret).now()
    for code in (now, codes[0]):

        def check(_number: int, code: str = code) -> str:
            with unit_of_work() as session:
                return (
                    "opened" if second_factor.check(session.get_one(User, id), code) else "refused"
                )

        found = at_once(10, check, app)
        assert found["opened"] == 1, (found, code)
    assert (
        db.session.scalar(
            select(func.count(RecoveryCode.id)).where(RecoveryCode.used_at.is_not(None))
        )
        == 1
    )
    figure("browsers with one code", 20, at_least=20)


def test_the_audit_log_is_one_chain_however_many_write_it(app, figure):
    count = size(10, 60)

    def write(number: int) -> str:
        with unit_of_work():
            audit.note("iban_read", by=MARC, subject=f"customer {number}")
        return "written"

    assert at_once(count, write, app) == {"written": count}
    assert audit.verify().broken is None
    assert db.session.scalar(select(func.count(AuditEntry.id))) == numbering.last(audit.SERIES)
    figure("entries at once", count, at_least=60)


def test_two_workers_do_each_thing_once(app, mail, figure):
    for _n in range(size(2, 40)):
        factories.an_offer()
    db.session.rollback()
    at_once(4, lambda _n: outbox.work() and "worked", app)
    letters = db.session.scalars(select(Message)).all()
    assert all(letter.state.value == "sent" for letter in letters)
    assert len(mail.letters) == len(letters)
    assert set(db.session.scalars(select(Outbox.attempts))) == {1}
    figure("letters by four workers", len(letters), at_least=40)


def test_limits_are_one_count_for_all_threads(app, figure):
    """A hundred tries at once against a limit of ten: ten pass, whichever process counts them."""
    found = at_once(
        MANY,
        lambda _n: "passed" if limits.spend("essai:partout", 10, 60) is None else "stopped",
        app,
    )
    assert found["passed"] == 10, found
    figure("tries against a limit of ten", sum(found.values()), at_least=100)
