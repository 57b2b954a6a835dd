"""Goals 10, 15: the list of offers in the back office, signed in, over HTTP, at 10,000, 100,000 and
300,000 rows; statements a page.
"""

import statistics
import time
import urllib.request
from datetime import timedelta

import _peer
from _common import installation, result, scratch, served, signed_in

PEER_PAGES = ("/dashboard/catalogue/", "/dashboard/catalogue/?page=4")


def fill(rows: int) -> None:
    """So many offers, five a customer, one in fifty to check."""
    from sqlalchemy import insert

    from models import Customer, Offer, OfferState
    from services import clock
    from services.unit import unit_of_work

    now = clock.now()
    with unit_of_work() as session:
        for start in range(1, rows + 1, 50_000):
            numbers = range(start, min(start + 50_000, rows + 1))
            session.execute(
                insert(Customer.__table__),
                [
                    {
                        "id": n // 5,
                        "email": f"c{n}@exemple.fr",
                        "password_hash": "",
                        "first_name": "Camille",
                        "last_name": f"Nom{n}",
                        "address": "",
                        "phone": "",
                        "postcode": "44000",
                        "city": "Nantes",
                        "created_at": now,
                    }
                    for n in numbers
                    if n % 5 == 0
                ],
            )
            session.execute(
                insert(Offer.__table__),
                [
                    {
                        "id": n,
                        "token": f"t{n}",
                        "number": f"CDE{n:09d}",
                        "site_id": 1,
                        "vendor_id": 1,
                        "customer_id": (n + 4) // 5,
                        "status": OfferState.to_check if n % 50 == 0 else OfferState.accepted,
                        "articles": 3,
                        "total_cents": 1500 + n % 9000,
                        **dict.fromkeys(
                            ("created_at", "touched_at", "finalised_at", "drop_off_by"),
                            now - timedelta(minutes=n % 500_000),
                        ),
                    }
                    for n in numbers
                ],
            )
        session.connection().exec_driver_sql("ANALYZE")


def measure(rows: int) -> tuple[float, int]:
    """Median milliseconds of a page over HTTP, and the statements it runs."""
    with scratch():
        app = installation()
        with app.app_context():
            fill(rows)
            from sqlalchemy import event

            from services.unit import db

            counted: list[str] = []
            event.listen(db.engine, "before_cursor_execute", lambda *a: counted.append(a[2]))
        client = signed_in(app)
        value = client.get_cookie("comptoir").value
        client.get("/gestion/offres/list/")
        counted.clear()
        assert client.get("/gestion/offres/list/").status_code == 200
        with served("app:create_app()") as address:
            times = []
            for n in range(24):
                page = urllib.request.Request(
                    f"{address}/gestion/offres/list/?page={n % 4 + 1}",
                    headers={"Cookie": f"comptoir={value}"},
                )
                start = time.perf_counter()
                body = urllib.request.urlopen(page).read()
                times.append(1000 * (time.perf_counter() - start))
                assert b"CDE0" in body
        return statistics.median(times[4:]), len(counted)


if __name__ == "__main__":
    found = {rows: measure(rows) for rows in (10_000, 100_000, 300_000)}
    ms, statements = found[100_000]
    with _peer.served() as peer:
        if peer:
            theirs = peer.median_ms(*PEER_PAGES)
            result(
                "back-office list, 100,000 offers, ms (django-oscar's dashboard)",
                f"{ms:.0f}",
                f"{theirs:.0f}",
                ms / theirs,
                "<= 0.10",
                ms <= theirs / 10,
            )
    result(
        "statements a page, 300,000 against 10,000 rows",
        f"{found[300_000][1]}",
        f"{found[10_000][1]}",
        found[300_000][1] / found[10_000][1],
        "= 1.00",
        found[300_000][1] == found[10_000][1],
    )
    growth = found[300_000][0] / ms
    result(
        "the same page at 300,000 rows against 100,000, ms",
        f"{found[300_000][0]:.0f}",
        f"{ms:.0f}",
        growth,
        "<= 1.50",
        growth <= 1.5,
    )
