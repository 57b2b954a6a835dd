"""Make the pictures of the README: the demonstration on a scratch directory, Chromium, its main
pages.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "screenshots"
PORT = "8055"
BASE = f"http://127.0.0.1:{PORT}"
sys.path.insert(0, str(ROOT))


def main() -> None:
    OUT.mkdir(exist_ok=True)
    folder = tempfile.mkdtemp(prefix="comptoir-screens-")
    env = {**os.environ, "COMPTOIR_DATA_DIR": folder, "COMPTOIR_BASE_URL": BASE, "FLASK_APP": "app"}
    flask = Path(sys.executable).parent / "flask"
    for command in ("init", "demo"):
        subprocess.run([flask, command], cwd=ROOT, env=env, check=True, capture_output=True)
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "-b",
            f"127.0.0.1:{PORT}",
            "--threads",
            "4",
            "app:create_app()",
        ],
        cwd=ROOT,
        env=env,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _n in range(100):
            try:
                urllib.request.urlopen(BASE + "/", timeout=1)
                break
            except OSError:
                time.sleep(0.2)
        shoot()
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def shoot() -> None:
    from demo import cast, catalogue

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-quic", "--disable-background-networking"],
        )
        phone = browser.new_page(viewport={"width": 390, "height": 844}, locale="fr-FR")
        for number in (0, 10, 14):
            phone.goto(f"{BASE}/?ean={catalogue.ean_of(number)}")
            phone.get_by_role("button", name="OUI, je le vends !").click()
            phone.locator("#toast .toast").first.wait_for()
        phone.goto(f"{BASE}/?ean={catalogue.ean_of(1)}")
        phone.screenshot(path=OUT / "scan.png")
        phone.goto(BASE + "/recapitulatif")
        phone.screenshot(path=OUT / "recap.png")
        phone.goto(BASE + "/boutique")
        phone.wait_for_load_state("networkidle")
        phone.screenshot(path=OUT / "shop.png")
        phone.goto(BASE + "/compte/connexion")
        phone.get_by_label("E-mail").fill("camille@demo.comptoir.test")
        phone.get_by_label("Mot de passe").fill(cast.PASSWORD)
        phone.keyboard.press("Enter")
        phone.wait_for_url("**/ventes")
        phone.screenshot(path=OUT / "sales.png")
        phone.locator(".sale-card a").first.click()
        phone.screenshot(path=OUT / "sale.png")
        desk = browser.new_page(viewport={"width": 1280, "height": 800}, locale="fr-FR")
        desk.goto(BASE + "/gestion/login/")
        desk.get_by_label("E-mail").fill(cast.ACCOUNTS[0][0])
        desk.get_by_label("Mot de passe").fill(cast.PASSWORD)
        desk.keyboard.press("Enter")
        desk.wait_for_url("**/gestion/")
        for name, place in (
            ("dashboard", "/gestion/"),
            ("validate", "/gestion/offres/valider/"),
            ("offers", "/gestion/offres/list/"),
            ("parcels", "/gestion/colis/list/"),
            ("payments", "/gestion/paiements/"),
            ("stock", "/gestion/stock-neuf/list/"),
        ):
            desk.goto(BASE + place)
            desk.screenshot(path=OUT / f"{name}.png")
        for name, place, link in (
            ("import", "/gestion/imports/list/?state=to_confirm", "stock-SP4.csv"),
            ("sold_twice", "/gestion/conflits/list/", "1702-A"),
        ):
            desk.goto(BASE + place)
            desk.get_by_role("link", name=link).first.click()
            desk.wait_for_load_state("networkidle")
            desk.screenshot(path=OUT / f"{name}.png")
        desk.goto(BASE + "/gestion/reception/")
        desk.get_by_role("button", name="Continuer").first.click()
        desk.locator("[data-look]").first.click()
        desk.locator("#art").wait_for()
        desk.wait_for_load_state("networkidle")
        desk.keyboard.press("2")
        desk.wait_for_timeout(500)
        desk.screenshot(path=OUT / "bench.png")
        browser.close()


if __name__ == "__main__":
    main()
