"""Goal 13: a file of 10,000 transfers written, checked against its XSD and counted again, against
sepaxml's own validate=True.
"""

import sys
import time
from datetime import UTC, date, datetime

import _common
from sepaxml import SepaTransfer

sys.path.insert(0, str(_common.ROOT))
COUNT, IBAN = 10_000, "FR1420041010050500013M02606"


def theirs(schema: str) -> None:
    writer = SepaTransfer(
        {"name": "RetroShop", "IBAN": IBAN, "BIC": "PSSTFRPP", "batch": True, "currency": "EUR"},
        schema=schema,
    )
    for n in range(COUNT):
        writer.add_payment(
            {
                "name": "Camille Aubry",
                "IBAN": IBAN,
                "amount": 100 + n,
                "execution_date": date(2026, 11, 23),
                "description": "Rachat de vos jeux",
                "endtoend_id": f"CDE{n:09d}",
            }
        )
    writer.export(validate=True)


if __name__ == "__main__":
    from gateways import sepa

    for schema in ("pain.001.001.09", "pain.001.001.03"):
        transfers = tuple(
            sepa.Transfer(f"CDE{n:09d}", "Camille Aubry", IBAN, "", 100 + n, "Rachat de vos jeux")
            for n in range(COUNT)
        )
        file = sepa.TransferFile(
            "VIR-2026-11-0001",
            datetime.now(UTC),
            "RétroShop",
            IBAN,
            "PSSTFRPP",
            date(2026, 11, 23),
            schema,
            transfers,
        )
        start = time.perf_counter()
        sepa.check(sepa.write(file), file)
        ours = time.perf_counter() - start
        start = time.perf_counter()
        theirs(schema)
        bare = time.perf_counter() - start
        _common.result(
            f"SEPA file of 10,000, checked, s ({schema[-2:]})",
            f"{ours:.2f}",
            f"{bare:.2f}",
            ours / bare,
            "<= 0.17",
            ours <= bare / 6,
        )
