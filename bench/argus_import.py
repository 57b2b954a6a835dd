"""Goals 7, 8, 15: a price list of 350,000 lines, validated and reported, against plain sqlite3 writing the same rows to the same tables."""

import sqlite3
import subprocess
import sys
import time

from _common import ROOT, installation, peak_mb, price_list, result, scratch

LINES = 350_000


def ours(folder, lines: int, shift: int = 0) -> tuple[float, float]:
    """Seconds and peak memory of one import, in a process of its own."""
    price_list(folder / "liste.csv", lines, shift)
    out = subprocess.run([sys.executable, __file__, "import", str(folder / "liste.csv")], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    seconds, memory = out.split()[-2:]
    return float(seconds), float(memory)


def plain(folder, lines: int) -> float:
    """csv → the same three tables and platforms, prepared in Python, one transaction, no check, no report."""
    import csv

    database = sqlite3.connect(folder / "comptoir.db")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    start = time.perf_counter()
    with (folder / "liste.csv").open() as file, database:
        rows = csv.reader(file, delimiter=";")
        next(rows)
        platforms: dict[str, int] = {}
        for chunk_start in range(0, lines, 10_000):
            products, variants, values = [], [], []
            for n, row in zip(range(chunk_start, min(lines, chunk_start + 10_000)), rows, strict=False):
                if row[2] not in platforms:
                    platforms[row[2]] = len(platforms) + 1
                    database.execute("INSERT INTO platform (id, name, weight_grams) VALUES (?, ?, 150)", (platforms[row[2]], row[2]))
                cents = int(row[3].replace(",", ""))
                products.append((n + 1, row[1], platforms[row[2]], "", "2026-11-22 10:00:00.000000"))
                variants.append((n + 1, n + 1, row[0], cents, "2026-11-22", 100, 50))
                values.append((n + 1, cents, 100, 50, "plain", "2026-11-22"))
            database.executemany("INSERT INTO product (id, title, platform_id, category, created_at) VALUES (?, ?, ?, ?, ?)", products)
            database.executemany(
                "INSERT INTO variant (id, product_id, ean, argus_cents, argus_on, voucher_cents, cash_cents) VALUES (?, ?, ?, ?, ?, ?, ?)", variants
            )
            database.executemany(
                "INSERT INTO argus_value (variant_id, value_cents, voucher_cents, cash_cents, source, since) VALUES (?, ?, ?, ?, ?, ?)", values
            )
    seconds = time.perf_counter() - start
    database.close()
    return seconds


def main() -> None:
    per_line = {}
    for lines in (LINES // 10, LINES):
        with scratch() as folder:
            installation()
            seconds, memory = ours(folder, lines)
            per_line[lines] = seconds / lines
            if lines == LINES:
                again, _memory = ours(folder, lines, shift=7)
        with scratch() as folder:
            installation()
            price_list(folder / "liste.csv", lines)
            baseline = plain(folder, lines)
    share = baseline / seconds
    result(
        "argus import, 350,000 lines (share of plain sqlite3)",
        f"{LINES / seconds:,.0f}/s",
        f"{LINES / baseline:,.0f}/s",
        share,
        ">= 0.50",
        share >= 0.5,
    )
    result("memory of that import, MB", f"{memory:.0f}", "200", memory / 200, "<= 1.00", memory <= 200)
    result(
        "the same list again, 1 % changed (time of the first)",
        f"{again:.1f} s",
        f"{seconds:.1f} s",
        again / seconds,
        "<= 1.10",
        again <= 1.1 * seconds,
    )
    growth = per_line[LINES] / per_line[LINES // 10]
    result(
        "cost a line, 350,000 against 35,000",
        f"{per_line[LINES] * 1e6:.1f} us",
        f"{per_line[LINES // 10] * 1e6:.1f} us",
        growth,
        "<= 1.30",
        growth <= 1.3,
    )


def one(path: str) -> None:
    from pathlib import Path

    from app import create_app
    from services.workflow import Actor

    app = create_app(bell=None)
    with app.app_context():
        from services.stock import runs

        start = time.perf_counter()
        run = runs.import_file(Path(path), by=Actor("command", None, "bench"))
        assert not run.error and not run.refused, run.error
        print(time.perf_counter() - start, peak_mb())


if __name__ == "__main__":
    one(sys.argv[2]) if sys.argv[1:2] == ["import"] else main()
