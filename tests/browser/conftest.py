"""A real server on loopback with real data, and Chromium; skipped in words when Chromium is
missing.
"""

import io
import shutil
import threading
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from services.unit import db

CHROMIUM = shutil.which("chromium")
ARGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
WCAG = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}


def pytest_collection_modifyitems(items):
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed"))


@pytest.fixture
def address(app):
    """Where the product listens for this test. CSRF is on, as for everybody."""
    app.config["WTF_CSRF_ENABLED"] = True
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture(scope="session")
def camera(tmp_path_factory) -> Path:
    """A film of one picture: a barcode held before the lens (a JPEG named .mjpeg plays for
    ever).
    """
    from PIL import Image

    from tests.services.test_files import barcode

    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    out = io.BytesIO()
    Image.open(io.BytesIO(barcode("5060327534393", blur=0.6, angle=2))).convert("RGB").save(
        out, "JPEG", quality=85
    )
    path.write_bytes(out.getvalue())
    return path


@pytest.fixture(scope="session")
def chromium(camera):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGS, f"--use-file-for-fake-video-capture={camera}"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address):
    """`visit(PHONE)` → a page that fails the test on any console error, page error, dialog or
    outside host.
    """
    contexts, troubles = [], []

    def open_page(size=DESK, **options):
        context = chromium.new_context(viewport=size, locale="fr-FR", base_url=address, **options)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on(
            "console",
            lambda m: (
                troubles.append(m.text)
                if m.type == "error"
                and "status of 4" not in m.text
                and "ERR_INTERNET_DISCONNECTED" not in m.text  # a test that cuts the line
                else None
            ),
        )
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on("dialog", lambda d: (troubles.append(d.message), d.dismiss()))
        page.on(
            "request",
            lambda r: (
                troubles.append(r.url)
                if r.url.startswith("http") and not r.url.startswith(address)
                else None
            ),
        )
        page.on(
            "response",
            lambda r: troubles.append(f"{r.status} {r.url}") if r.status >= 500 else None,
        )
        contexts.append(context)
        return page

    yield open_page
    for context in contexts:
        context.close()
    db.session.remove()
    assert troubles == []


@pytest.fixture
def signed_in(app, as_staff, address):
    """Give a page the session of a member of staff."""

    def give(page, role="Administrateur", *vendors):
        client = as_staff(role, *vendors)
        cookie = client.get_cookie("comptoir")
        page.context.add_cookies([{"name": "comptoir", "value": cookie.value, "url": address}])
        return page

    return give


def serious(page) -> list[str]:
    """Violations of WCAG 2.2 AA that axe finds serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=WCAG).response["violations"]
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:120]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


def fits(page) -> bool:
    """Nothing scrolls sideways, down to 320 px."""
    size = page.viewport_size
    page.set_viewport_size({"width": 320, "height": size["height"]})
    over = page.evaluate("document.documentElement.scrollWidth - 320")
    page.set_viewport_size(size)
    return over <= 0
