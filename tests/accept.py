"""`make accept`: every suite at its figure, on both engines, and a report one can read
(var/accept/report.html).

Two lanes run side by side on two processors: PostgreSQL with Redis in one, SQLite with its queue in
the other, which the first helps when it has done its own. The load test runs alone at the end, so
that nothing else moves its figures. What could not run is said, never passed; the report is written
again after each suite, so that a run that was stopped tells what it saw.
"""

import html
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as tree
from dataclasses import dataclass, field
from pathlib import Path

from tests.run import POSTGRES, REDIS, services_answer

ROOT = Path(__file__).parent.parent
OUT = ROOT / "var" / "accept"
SQLITE, PG = "SQLite", "PostgreSQL + Redis"


@dataclass
class Suite:
    """One line of the report: what it promises, its tests, on which engines."""

    code: str
    what: str
    tests: str
    engines: tuple[str, ...]
    alone: bool = False


ACC = "tests/acceptance/"
SUITES = (
    Suite(
        "S3",
        "killed before every statement, commit and outside call",
        ACC + "test_s03_crash_sweep.py",
        (SQLITE, PG),
    ),
    Suite(
        "S2",
        "sales, stock and orders lived in any order beside a picture of the shop",
        f"{ACC}test_s02_any_order.py {ACC}test_s02_stock_in_any_order.py"
        f" {ACC}test_s02_orders_in_any_order.py",
        (SQLITE, PG),
    ),
    Suite(
        "S4",
        "a day of kills and broken lines on real processes",
        ACC + "test_s04_chaos.py",
        (SQLITE, PG),
    ),
    Suite(
        "S5",
        "the same thing at once, by many; and the control that must fail",
        ACC + "test_s05_races.py",
        (SQLITE, PG),
    ),
    Suite(
        "S6",
        "answers of carrier and bank in any order, and forged ones",
        ACC + "test_s06_answers.py",
        (SQLITE, PG),
    ),
    Suite(
        "S15",
        "backups under load, restored; damaged ones found out",
        ACC + "test_s15_restore.py",
        (SQLITE, PG),
    ),
    Suite("S7", "every route × ten people × two merchants", ACC + "test_s07_access.py", (SQLITE,)),
    Suite("S1", "money: shares, steps, prices, entries", ACC + "test_s01_money.py", (SQLITE,)),
    Suite(
        "S8",
        "the door for machines against its OpenAPI document",
        ACC + "test_s08_api.py",
        (SQLITE,),
    ),
    Suite(
        "S9",
        "parsers of strangers' bytes, guided by coverage",
        ACC + "test_s09_parsers.py",
        (SQLITE,),
    ),
    Suite(
        "S10",
        "hostile words and files refused, honest ones taken",
        ACC + "test_s10_corpus.py",
        (SQLITE,),
    ),
    Suite(
        "S11",
        "journeys in a browser: no policy broken, no dialog, no error",
        "tests/browser",
        (SQLITE,),
    ),
    Suite(
        "S12",
        "read without running: linters, our own rules, secrets, pins",
        ACC + "test_s12_static.py",
        (SQLITE,),
    ),
    Suite(
        "S16",
        "nights that change the hour, clocks that jump",
        ACC + "test_s16_time.py",
        (SQLITE, PG),
    ),
    Suite(
        "S17", "ASVS 5.0 level 1, each line with its evidence", ACC + "test_s17_asvs.py", (SQLITE,)
    ),
    Suite(
        "S18",
        "two machines, one database, one store of files: what one receives the other shows",
        ACC + "test_s18_machines.py",
        (SQLITE, PG),
    ),
    Suite(
        "Upgrade",
        "the database of every earlier commit comes up to date",
        "tests/test_migrations.py",
        (SQLITE, PG),
    ),
    Suite(
        "S13",
        "a million lines, five encodings, killed at random: nothing lost, nothing twice",
        ACC + "test_s13_bulk.py",
        (SQLITE, PG),
    ),
    Suite(
        "S14",
        "fifty requests a second; one, two, four web processes",
        ACC + "test_s14_load.py",
        (PG,),
        alone=True,
    ),
)


@dataclass
class Result:
    suite: Suite
    engine: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    figures: list[dict] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    not_run: str = ""

    @property
    def verdict(self) -> str:
        if self.not_run:
            return "NOT RUN"
        return "FAILED" if self.failed or not self.passed else "SKIPS" if self.skipped else "ok"


def run(suite: Suite, engine: str) -> Result:
    result = Result(suite, engine)
    name = f"{suite.code}-{'pg' if engine == PG else 'sqlite'}".lower()
    xml, figures, log = OUT / f"{name}.xml", OUT / f"{name}.figures", OUT / f"{name}.log"
    figures.unlink(missing_ok=True)
    env = {
        k: v
        for k, v in os.environ.items()
        if k not in ("COMPTOIR_TEST_DATABASE_URL", "COMPTOIR_TEST_REDIS_URL")
    }
    env.update(COMPTOIR_LONG="1", COMPTOIR_FIGURES=str(figures))
    if engine == PG:
        env.update(COMPTOIR_TEST_DATABASE_URL=POSTGRES, COMPTOIR_TEST_REDIS_URL=REDIS)
    began = time.monotonic()
    with log.open("w") as out:
        subprocess.run(
            [sys.executable, "-m", "pytest", *suite.tests.split(), "--junitxml", str(xml), "-q"],
            cwd=ROOT,
            env=env,
            stdout=out,
            stderr=out,
        )
    result.seconds = time.monotonic() - began
    try:
        for case in tree.parse(xml).iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                result.failed += 1
                result.failures.append(f"{case.get('name')}: {_first_message(case)[:300]}")
            elif "skipped" in kinds:
                result.skipped += 1
            else:
                result.passed += 1
    except (OSError, tree.ParseError):
        result.failed, result.failures = 1, [f"pytest did not end: see {log}"]
    if figures.exists():
        result.figures = [json.loads(line) for line in figures.read_text().splitlines()]
    print(line_of(result), flush=True)
    return result


def line_of(r: Result) -> str:
    said = [
        f"{f['what']} {f['got']:g}"
        for f in r.figures
        if f["at_least"] is not None or f["at_most"] is not None
    ]
    if r.suite.code == "S3":
        said = [
            f"points swept {sum(f['got'] for f in r.figures if f['what'].startswith('points')):g}"
        ]
    if r.suite.code == "S9":
        said = [f"executions {sum(f['got'] for f in r.figures):g} in {len(r.figures)} parsers"]
    if r.suite.code == "S10":
        said = said[:3]
    tail = (
        r.not_run
        or f"{r.passed} passed, {r.failed} failed, {r.skipped} skipped, {r.seconds:.0f} s · "
        + " · ".join(said)
    )
    return f"{r.suite.code:>8} {r.engine:<18} {r.verdict:<8} {tail}"


def sabotage() -> tuple[int, list[dict], float]:
    began = time.monotonic()
    code = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.sabotage"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ).returncode
    path = OUT / "sabotage.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    return code, rows, time.monotonic() - began


def _first_message(case: tree.Element) -> str:
    """What pytest wrote of a test that failed or could not run."""
    return next(c.get("message") or "" for c in case if c.tag in ("failure", "error"))


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    wanted = {a.lower() for a in sys.argv[1:]}
    suites = [s for s in SUITES if not wanted or s.code.lower() in wanted]
    missing = services_answer()
    browser = "" if shutil.which("chromium") else "Chromium is not installed"
    began, results, lock = time.monotonic(), [], threading.Lock()

    left = {
        engine: [s for s in suites if engine in s.engines and not s.alone]
        for engine in (SQLITE, PG)
    }

    def lane(*engines: str) -> None:
        for engine in engines:
            while True:
                with lock:
                    if not left[engine]:
                        break
                    suite = left[engine].pop(0)
                one = attempt(suite, engine)
                with lock:
                    results.append(one)
                    write(in_order(results), [], time.monotonic() - began)

    def attempt(suite: Suite, engine: str) -> Result:
        away = (
            "; ".join(missing)
            if engine == PG and missing
            else browser
            if suite.code == "S11"
            else ""
        )
        if away:
            one = Result(suite, engine, not_run=away)
            print(line_of(one), flush=True)
            return one
        return run(suite, engine)

    lanes = [threading.Thread(target=lane, args=engines) for engines in ((SQLITE,), (PG, SQLITE))]
    [t.start() for t in lanes], [t.join() for t in lanes]
    code, faults, seconds = sabotage() if not wanted or "sabotage" in wanted else (0, [], 0.0)
    for suite in suites:
        if suite.alone:
            results.append(attempt(suite, PG))
    results = in_order(results)
    took = time.monotonic() - began
    write(results, faults, took)
    print("\n".join(["", *map(line_of, results)]))
    if faults:
        seen = sum(f["verdict"] == "seen" for f in faults)
        print(
            f"Sabotage {seen} of {len(faults)} faults seen, {seconds:.0f} s"
            + "".join(f"\n         survived: {f['name']}" for f in faults if f["verdict"] != "seen")
        )
    print(f"{took / 60:.0f} min · {OUT / 'report.html'}")
    bad = [r for r in results if r.verdict not in ("ok",)]
    print(
        f"{sum(r.passed for r in results)} passed, {sum(r.failed for r in results)} failed,"
        f" {sum(r.skipped for r in results)} skipped"
    )
    return 1 if bad or code else 0


def in_order(results: list[Result]) -> list[Result]:
    return sorted(results, key=lambda r: ([s.code for s in SUITES].index(r.suite.code), r.engine))


STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;
margin:32px auto;padding:0 16px;color:#1e1b19;background:#fff}
h1{letter-spacing:-.03em}table{border-collapse:collapse;width:100%;margin:16px 0 32px}
th,td{text-align:left;padding:7px 10px;
border-bottom:1px solid #ddd6cf;vertical-align:top}
.ok{color:#126b3a;font-weight:650}.bad{color:#a3222a;font-weight:650}.muted{color:#6b625b}
td.n{text-align:right;font-variant-numeric:tabular-nums}ul{margin:0;padding-left:18px}
@media (prefers-color-scheme:dark){
body{background:#161412;color:#f3eee8}th,td{border-color:#3a342f}
.ok{color:#6fd39b}.bad{color:#ff8d8d}.muted{color:#a99f95}}"""


def write(results: list[Result], faults: list[dict], took: float) -> None:
    """The report: a line a suite and engine, its figures against their goals, then the faults made
    by hand.
    """

    def goal(f: dict) -> str:
        return (
            f"≥ {f['at_least']:g}"
            if f["at_least"] is not None
            else f"≤ {f['at_most']:g}"
            if f["at_most"] is not None
            else ""
        )

    say = html.escape
    head = subprocess.run(
        ["git", "log", "-1", "--format=%h %ad %s", "--date=iso"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.strip()
    rows = ""
    for r in results:
        figures = "".join(
            f"<li>{say(f['what'])}: <b>{f['got']:g}</b> <span class=muted>{goal(f)}</span></li>"
            for f in r.figures
        )
        wrong = "".join(f"<li class=bad>{say(words)}</li>" for words in r.failures)
        tone = "ok" if r.verdict == "ok" else "bad"
        rows += (
            f"<tr><td><b>{r.suite.code}</b><td>{say(r.suite.what)}<td>{r.engine}<td"
            f" class={tone}>{r.verdict}<td class=n>{r.passed}<td class=n>{r.failed}<td"
            f" class=n>{r.skipped}<td"
            f" class=n>{r.seconds:.0f}\u202fs<td><ul>{figures}{wrong}</ul>{say(r.not_run)}"
        )
    seen = sum(f["verdict"] == "seen" for f in faults)
    sabotaged = "".join(
        f"<tr><td>{say(f['name'])}<td"
        f" class={'ok' if f['verdict'] == 'seen' else 'bad'}>{say(f['verdict'])}<td"
        f" class=muted>{say(f.get('by', ''))}"
        for f in faults
    )
    (OUT / "report.html").write_text(
        "<!doctype html><html lang=en><meta"
        f" charset=utf-8><title>Acceptance</title><style>{STYLE}</style><h1>Acceptance</h1><p"
        f" class=muted>{say(head)} · {took / 60:.0f} min on {os.cpu_count()}"
        f" processors</p><table><tr><th><th>What<th>Engine<th><th>Passed<th>Failed<th>Skipped"
        f"<th>Time<th>Figures{rows}</table><h2>Faults"
        f" made by hand: {seen} of {len(faults)}"
        f" seen</h2><table><tr><th>Fault<th><th>By{sabotaged}</table>"
    )
    (OUT / "report.json").write_text(
        json.dumps(
            {
                "commit": head,
                "minutes": round(took / 60, 1),
                "faults": faults,
                "suites": [
                    {
                        "suite": r.suite.code,
                        "engine": r.engine,
                        "verdict": r.verdict,
                        "passed": r.passed,
                        "failed": r.failed,
                        "skipped": r.skipped,
                        "seconds": round(r.seconds),
                        "figures": r.figures,
                        "failures": r.failures,
                        "not_run": r.not_run,
                    }
                    for r in results
                ],
            },
            ensure_ascii=False,
            indent=1,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
