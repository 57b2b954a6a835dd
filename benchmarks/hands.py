"""The frequent tasks of a shop at a human pace: how many clicks or keys each takes (words typed
besides), and how many seconds until the screen has answered.

Typing takes 80 ms a key, looking for a button 400 ms: what is measured above that is ours.
"""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from _common import installation, result, scratch, served, signed_in

KEY_MS, LOOK_MS = 80, 400


@dataclass
class Hand:
    """A person at a page: counts what they do, and waits as people do."""

    page: Any
    gestures: int = 0

    def click(self, what: str) -> None:
        self.page.wait_for_timeout(LOOK_MS)
        self.page.locator(what).locator("visible=true").first.click()
        self.gestures += 1

    def press(self, key: str) -> None:
        self.page.wait_for_timeout(KEY_MS)
        self.page.keyboard.press(key)
        self.gestures += 1

    def type(self, words: str) -> None:
        self.page.keyboard.type(words, delay=KEY_MS)

    def sees(self, what: str) -> None:
        self.page.locator(what).first.wait_for()


def accept(hand: Hand) -> None:
    hand.press("a")
    hand.sees("[data-leaves]")


def refuse(hand: Hand) -> None:
    hand.click("[data-opens='refuse']")
    hand.type("Trop en stock")
    hand.click("#refuse button.btn-danger")
    hand.sees("[data-leaves]")


def remind(hand: Hand) -> None:
    hand.click("a.bo-item[href*='/gestion/colis/']")
    hand.click("button[value^='remind ']")
    hand.sees(".notice-ok, .alert-success, [role=status]")


def pay(hand: Hand) -> None:
    hand.click("a.bo-item[href='/gestion/paiements/']")
    hand.click("#word")
    hand.type("PAIEMENT")
    hand.press("Enter")
    hand.sees("a[href$='/telecharger']")


# Task, the page it begins on, gestures and seconds allowed (findings of the shop's staff).
TASKS: tuple[tuple[str, Callable[[Hand], None], str, int, float], ...] = (
    ("accept an offer", accept, "/gestion/offres/valider/", 1, 5),
    ("refuse an offer, with its reason", refuse, "/gestion/offres/valider/", 2, 5),
    ("remind a seller of a parcel, from the home page", remind, "/gestion/", 2, 5),
    ("pay the sellers, from the home page to the file", pay, "/gestion/", 3, 5),
)


def a_day(app) -> None:
    """Offers to check, a label that waits for days, payments to make."""
    from datetime import timedelta

    from gateways import fakes, live
    from services import clock, outbox
    from tests import factories

    with app.app_context():
        live.carriers["mondial_relay"] = fakes.FakeCarrier()
        factories.a_contract()
        factories.a_paying_account()
        with clock.at(clock.now() - timedelta(days=7)):
            factories.an_accepted_offer()
            outbox.work()
        for _n in range(3):
            factories.an_offer()
            factories.a_payment()


def measure() -> list[tuple[str, int, int, float, float]]:
    from playwright.sync_api import sync_playwright

    found = []
    with scratch():
        app = installation()
        a_day(app)
        client = signed_in(app)
        with served("app:create_app()") as address, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            context = chromium.new_context(viewport={"width": 1280, "height": 800})
            cookie = client.get_cookie("comptoir")
            context.add_cookies([{"name": "comptoir", "value": cookie.value, "url": address}])
            for words, task, place, most, limit in TASKS:
                page = context.new_page()
                page.goto(address + place, wait_until="networkidle")
                hand, start = Hand(page), time.monotonic()
                task(hand)
                found.append((words, hand.gestures, most, time.monotonic() - start, limit))
                page.close()
            chromium.close()
    return found


if __name__ == "__main__":
    if shutil.which("chromium") is None:
        print("hands: Chromium is not installed, not measured")
        sys.exit()
    met = True
    for words, gestures, most, seconds, limit in measure():
        fits = gestures <= most and seconds <= limit
        met = met and fits
        result(
            f"{words}, seconds ({gestures} of {most} gestures)",
            f"{seconds:.1f}",
            f"{limit:.0f}",
            seconds / limit,
            "<= 1",
            fits,
        )
    sys.exit(not met)
