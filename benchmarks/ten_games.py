"""A person sells ten games in less than a minute, from the first barcode to the last « OUI, je le
vends ! », at the pace of a hand, on a small telephone (360 x 640) whose processor is slow.
"""

import shutil
import sys
import time

from _common import ean, installation, price_list, result, scratch, served

GAMES, LIMIT_SECONDS, SLOWER = 10, 60, 4
KEY_MS, LOOK_MS = 150, 700  # a thumb on the keys; reading the price before « OUI »


def measure() -> float:
    from playwright.sync_api import expect, sync_playwright

    with scratch() as folder:
        app = installation()
        price_list(folder / "liste.csv", 1_000)
        with app.app_context():
            from services.imports import runs
            from services.workflow import Actor

            runs.import_file(folder / "liste.csv", by=Actor("command", None, "bench"))
        with served("app:create_app()") as address, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = chromium.new_page(viewport={"width": 360, "height": 640})
            slow = page.context.new_cdp_session(page)
            slow.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
            page.goto(address + "/")
            start = time.monotonic()
            for number in range(1, GAMES + 1):
                page.locator("#ean").press_sequentially(ean(number), delay=KEY_MS)
                page.keyboard.press("Enter")
                yes = page.get_by_role("button", name="OUI, je le vends !")
                yes.wait_for()
                page.wait_for_timeout(LOOK_MS)
                yes.click()
                expect(page.locator("#compteur")).to_contain_text(str(number))
            seconds = time.monotonic() - start
            chromium.close()
    return seconds


if __name__ == "__main__":
    if shutil.which("chromium") is None:
        print("ten games: Chromium is not installed, not measured")
        sys.exit()
    seconds = measure()
    met = seconds <= LIMIT_SECONDS
    result(
        "ten games typed by hand and sold, seconds (360 x 640, slow)",
        f"{seconds:.1f}",
        f"{LIMIT_SECONDS}",
        seconds / LIMIT_SECONDS,
        "≤ 1",
        met,
    )
    sys.exit(not met)
