"""S14: the peak of an event. Fifty requests a second, on a clock that does not wait for the answers
(a slow one is counted from when it was due), the mix of a busy day; then how much more four web
processes carry than one.
"""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles

import pytest
import requests
from sqlalchemy import func, select

from models import Offer, OfferState
from services.unit import db, unit_of_work
from tests import factories
from tests.acceptance.killing import invariants
from tests.acceptance.sizes import LONG, size
from tests.acceptance.stack import Person, Stack, customer_cookies, staff_cookies

RATE, SECONDS = size(15, 50), size(4, 120)


@pytest.fixture
def shop(app, machine):
    stack = Stack(machine)
    yield stack
    stack.close()


def a_shop_with_a_past(count: int) -> tuple[list[str], list]:
    from services import settings

    games = [factories.a_game(f"Jeu {n}", argus_cents=6000 + n).ean for n in range(size(5, 60))]
    sellers = [factories.a_customer(email=f"seller{n}@exemple.fr") for n in range(count)]
    for seller in sellers[: size(3, 60)]:
        factories.an_offer(customer=seller)
    with unit_of_work():
        settings.change("quotes_per_minute", "0", by=factories.LEA)
    return games, sellers


def test_fifty_requests_a_second_are_answered_in_half_a_second(app, shop, as_staff, figure):
    games, sellers = a_shop_with_a_past(size(20, 400))
    people = [customer_cookies(app, seller) for seller in sellers]
    marc = staff_cookies(app, as_staff("Opérateur reprise", factories.the_vendor()))
    db.session.remove()
    db.engine.dispose()
    shop.start(processes=1, threads=4)
    broken: list[str] = []
    codes: Counter[int] = Counter()
    took, lock, dice = [], threading.Lock(), random.Random(14)
    free = [Person(shop, cookies) for cookies in people]
    staff = [Person(shop, marc) for _n in range(8)]
    local = threading.local()

    def visitor() -> requests.Session:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        return local.session

    def get(session: requests.Session, path: str) -> int:
        return session.get(
            f"http://127.0.0.1:{shop.dice.choice(shop.ports)}{path}", timeout=30
        ).status_code

    def quote(n: int) -> int:
        return get(visitor(), f"/api/v1/quote?ean={games[n % len(games)]}")

    def scan(n: int) -> int:
        return get(visitor(), f"/?ean={games[n % len(games)]}")

    def my_sales(n: int) -> int:
        return get(free[n % len(free)].session, "/ventes")

    def office(n: int) -> int:
        return get(
            staff[n % 8].session,
            (
                "/gestion/",
                "/gestion/offres/list/",
                "/gestion/stock/list/",
                "/gestion/offres/list/?q=seller1",
            )[n % 4],
        )

    def add(n: int) -> int:
        person = free[n % len(free)]
        page = person.see(f"/?ean={games[n % len(games)]}")
        return person.send(page, "/panier/ajouter", ean=games[n % len(games)]).status_code

    def finalise(n: int) -> int:
        person = free[n % len(free)]
        page = person.see("/recapitulatif")
        return person.send(page, "/finaliser").status_code if "/finaliser" in page else 200

    # A busy day: most look, some fill a cart, few send it, the shop works.
    mix = [quote] * 8 + [scan] * 5 + [my_sales] * 2 + [office] * 3 + [add] + [finalise]
    due_from = time.monotonic() + 0.5

    def one(number: int, act, due: float) -> None:
        threading.Event().wait(max(0.0, due - time.monotonic()))
        try:
            code = act(number)
        except (requests.RequestException, AssertionError) as error:
            code = 599
            with lock:
                broken.append(f"{act.__name__}: {type(error).__name__} {error}"[:300])
        with lock:
            took.append(time.monotonic() - due)
            codes[code] += 1

    count = RATE * SECONDS
    with ThreadPoolExecutor(64) as pool:
        for number in range(count):
            act = dice.choice(mix)
            pool.submit(one, number, act, due_from + number / RATE)
    shop.stop()
    cuts = quantiles(took, n=100)
    bad = sum(n for code, n in codes.items() if code >= 500)
    done = db.session.scalar(select(func.count(Offer.id)).where(Offer.status != OfferState.draft))
    invariants()
    figure("requests", sum(codes.values()), at_least=6_000)
    figure("requests a second", round(count / (max(SECONDS, 1)), 1), at_least=50)
    figure("p50 (ms)", round(cuts[49] * 1000))
    figure("p95 (ms)", round(cuts[94] * 1000), at_most=500)
    figure("p99 (ms)", round(cuts[98] * 1000))
    assert broken == [], (codes, broken[:5])
    figure("errors (5xx)", bad, at_most=0)
    figure("sales sent meanwhile", done)
    if not LONG:
        assert bad == 0, codes


def test_what_one_two_and_four_web_processes_carry(app, shop, as_staff, figure):
    """Closed loop, as many as come: pages of the seller and of the office, for some seconds
    each.
    """
    games, _sellers = a_shop_with_a_past(size(5, 40))
    marc = staff_cookies(app, as_staff("Opérateur reprise", factories.the_vendor()))
    db.session.remove()
    db.engine.dispose()
    seconds, rates = size(1, 15), {}
    for processes in (1, 2, 4)[: size(1, 3)]:
        shop.ports, shop._web = shop.ports[:1], 1
        shop.start(processes=processes, threads=4)
        end, lock = time.monotonic() + seconds, threading.Lock()
        done: Counter[int] = Counter()

        def hammer(number: int, end: float = end, done: Counter = done, lock=lock) -> None:
            person = Person(shop, marc if number % 4 == 0 else {})
            n = 0
            while time.monotonic() < end:
                path = (
                    "/gestion/offres/list/" if number % 4 == 0 else f"/?ean={games[n % len(games)]}"
                )
                answer = person.session.get(f"http://127.0.0.1:{shop.ports[0]}{path}", timeout=30)
                n += 1
                with lock:
                    done[answer.status_code] += 1

        threads = [threading.Thread(target=hammer, args=(n,)) for n in range(8)]
        began = time.monotonic()
        [t.start() for t in threads], [t.join() for t in threads]
        rates[processes] = sum(done.values()) / (time.monotonic() - began)
        assert not any(code >= 500 for code in done), done
        shop.stop()
        figure(f"pages a second, {processes} process(es)", round(rates[processes]))
    if LONG:
        figure("four processes against one", round(rates[4] / rates[1], 2))
