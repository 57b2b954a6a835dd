"""Goals 7, 8, 15: a price list of 350,000 lines, validated and reported, against plain sqlite3
writing the same rows to the same tables.
"""

import sqlite3
import sys
import time

from _common import import_figures, import_here, imported, installation, price_list, scratch

LINES = 350_000


def ours(folder, lines: int, shift: int = 0) -> tuple[float, float]:
    price_list(folder / "liste.csv", lines, shift)
    return imported(__file__, folder / "liste.csv")


def plain(folder, lines: int) -> float:
    """csv → the same three tables and platforms, prepared in Python, one transaction, no check, no
    report.
    """
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
            for n, row in zip(
                range(chunk_start, min(lines, chunk_start + 10_000)), rows, strict=False
            ):
                if row[2] not in platforms:
                    platforms[row[2]] = len(platforms) + 1
                    database.execute(
                        "INSERT INTO platform (id, name, weight_grams) VALUES (?, ?, 150)",
                        (platforms[row[2]], row[2]),
                    )
                cents = int(row[3].replace(",", ""))
                products.append(
                    (n + 1, row[1], platforms[row[2]], "", "2026-11-22 10:00:00.000000")
                )
                variants.append((n + 1, n + 1, row[0], cents, "2026-11-22", 100, 50))
                values.append((n + 1, cents, 100, 50, "plain", "2026-11-22"))
            database.executemany(
                "INSERT INTO product (id, title, platform_id, category, created_at) VALUES (?, ?,"
                " ?, ?, ?)",
                products,
            )
            database.executemany(
                "INSERT INTO variant (id, product_id, ean, argus_cents, argus_on, voucher_cents,"
                " cash_cents) VALUES (?, ?, ?, ?, ?, ?, ?)",
                variants,
            )
            database.executemany(
                "INSERT INTO argus_value (variant_id, value_cents, voucher_cents, cash_cents,"
                " source, since) VALUES (?, ?, ?, ?, ?, ?)",
                values,
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
    import_figures("argus import", LINES, per_line, memory, again, baseline)


if __name__ == "__main__":
    import_here(sys.argv[2], "argus") if sys.argv[1:2] == ["import"] else main()
