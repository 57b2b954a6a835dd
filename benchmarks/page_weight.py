"""Goal 11: what the seller's first page weighs, HTML + CSS + JS compressed, and how many requests
it makes.
"""

import gzip
import re
import shutil
import urllib.request

from _common import installation, result, scratch, served

OBSERVE = """() => { window.v = {lcp: 0, cls: 0, inp: 0};
 const watch = (type, see, more) => new PerformanceObserver(l => l.getEntries().forEach(see))
  .observe({type, buffered: true, ...more});
 watch('largest-contentful-paint', e => { v.lcp = e.startTime });
 watch('layout-shift', e => { if (!e.hadRecentInput) v.cls += e.value });
 watch('event', e => { v.inp = Math.max(v.inp, e.duration) }, {durationThreshold: 16}); }"""


def vitals(address: str) -> dict[str, float] | None:
    """Cold load and one barcode typed, with the processor four times slower; None without
    Chromium.
    """
    if not shutil.which("chromium"):
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-quic", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.add_init_script(f"({OBSERVE})()")
        page.goto(address + "/", wait_until="networkidle")
        page.locator("#ean").fill("5060327534393")
        page.keyboard.press("Enter")
        page.wait_for_selector("#ticket section")
        page.wait_for_timeout(300)
        found = page.evaluate("window.v")
        browser.close()
        return found


if __name__ == "__main__":
    with scratch():
        installation()
        with served("app:create_app()") as address:
            page = urllib.request.urlopen(address + "/").read()
            parts = sorted(set(re.findall(rb'(?:src|href)="(/(?:static|marque)/[^"#]+)', page)))
            wanted = {p.decode() for p in parts if re.search(rb"\.(css|js)", p)}
            for script in [p for p in wanted if ".js" in p]:
                body = urllib.request.urlopen(address + script).read()
                wanted |= {
                    "/static/js/" + m.decode() for m in re.findall(rb'from "\./([\w.]+)"', body)
                }
            kb = (
                sum(
                    len(gzip.compress(urllib.request.urlopen(address + p).read(), 9))
                    for p in wanted
                )
                / 1024
                + len(gzip.compress(page, 9)) / 1024
            )
            requests = 1 + len(wanted) + len([p for p in parts if b".svg" in p])
            painted = vitals(address)
    result("seller's page, kB compressed", f"{kb:.1f}", "25", kb / 25, "<= 1.00", kb <= 25)
    result("seller's page, requests", f"{requests}", "12", requests / 12, "<= 1.00", requests <= 12)
    if painted is None:
        print("SKIPPED: Chromium is not installed: LCP, CLS, INP")
    else:
        for name, what, most in (
            ("lcp", "LCP, processor / 4, ms", 1200),
            ("cls", "CLS", 0.05),
            ("inp", "INP of a barcode typed, processor / 4, ms", 100),
        ):
            result(
                f"seller's page, {what}",
                f"{painted[name]:.3g}",
                f"{most}",
                painted[name] / most,
                "<= 1.00",
                painted[name] <= most,
            )
