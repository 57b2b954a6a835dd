"""Goal 12: labels by the second, against the same labels drawn by bare fpdf2; and a list of 1,000
rows against fpdf2's own table.
"""

import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace

import _common
from fpdf import FPDF

sys.path.insert(0, str(_common.ROOT))


def best(make, times: int = 3) -> float:
    found = []
    for _n in range(times):
        start = time.perf_counter()
        make()
        found.append(time.perf_counter() - start)
    return min(found)


def bare_labels(count: int) -> None:
    """What one writes without us: a page, four lines, a Code 128 as rectangles."""
    from barcode import Code128

    pdf = FPDF(format=(62, 29))
    pdf.set_auto_page_break(False)
    for n in range(count):
        pdf.add_page()
        x = 2.0
        for bit in Code128(f"ART{n:07d}").build()[0]:
            if bit == "1":
                pdf.rect(x, 2, 0.3, 9, "F")
            x += 0.3
        pdf.set_font("helvetica", "", 8)
        for line in ("Jeu numéro", "Console", "Bon", "LP 1"):
            pdf.cell(58, 4, line, new_x="LMARGIN", new_y="NEXT")
    pdf.output()


def bare_table(rows: Sequence[tuple[str, ...]]) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", "", 8)
    with pdf.table() as table:
        for row in rows:
            table.row(row)
    pdf.output()


if __name__ == "__main__":
    with _common.scratch():
        app = _common.installation()
        with app.test_request_context():
            from models import Condition
            from services import documents
            from services.buyback import papers

            product = SimpleNamespace(
                title="Vallée des Brumes, édition collector", platform="Nintendo Switch"
            )
            items = [
                SimpleNamespace(
                    id=n,
                    register_number=n,
                    place="R3",
                    condition=Condition.good_unit,
                    comment="Jaquette passée",
                    variant=SimpleNamespace(product=product, ean=_common.ean(n)),
                )
                for n in range(1000)
            ]
            ours, bare = (
                len(items) / best(lambda: papers.item_labels(items)),
                len(items) / best(lambda: bare_labels(len(items))),
            )
            _common.result(
                "labels, pages a second",
                f"{ours:.0f}",
                f"{bare:.0f}",
                ours / bare,
                ">= 700 /s",
                ours >= 700,
            )
            rows = [
                (
                    f"CDE{n:09d}",
                    "Camille Aubry",
                    "FR •••• 2606".replace("•", "."),
                    "22/11/2026",
                    "23,60",
                )
                for n in range(1000)
            ]
            columns = (
                ("ID", 32, "L"),
                ("Vendeur", 54, "L"),
                ("IBAN", 32, "L"),
                ("Date", 40, "L"),
                ("Montant", 28, "R"),
            )

            def listed() -> None:
                pdf = documents.Page()
                pdf.add_page()
                documents.grid(pdf, columns, rows)
                pdf.done()

            ours, bare = best(listed), best(lambda: bare_table(rows), 1)
            _common.result(
                "PDF of 1,000 rows, s (against fpdf2's table)",
                f"{ours:.2f}",
                f"{bare:.2f}",
                ours / bare,
                "<= 0.35 s",
                ours <= 0.35,
            )
