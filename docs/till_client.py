"""The reference client of a till: everything is numbered, kept until it is answered, and told again
as often as needed.
"""

import datetime
import json
import os
import urllib.request
from pathlib import Path

BASE, KEY, QUEUE = "https://comptoir.example/api/v1", "cpt_…", Path("queue.json")
MOST = 500  # events in one request


def sold(ean: str, price: str, ticket: str) -> None:
    """A counter sale: first into our own queue, then to Comptoir; a line that is cut loses
    nothing.
    """
    queue = json.loads(QUEUE.read_text()) if QUEUE.exists() else {"number": 0, "events": []}
    queue["number"] += 1
    queue["events"].append(
        {
            "number": queue["number"],
            "kind": "sale",
            "ean": ean,
            "price": price,
            "reference": ticket,
            "at": now(),
        }
    )
    keep(queue)
    while some := queue["events"][:MOST]:
        for event, answer in zip(some, tell(some)["results"], strict=True):
            if answer["status"] in ("refused", "invalid", "number_reused"):
                print(event, answer["message"])  # for the person at the till
        queue["events"] = queue["events"][MOST:]
        keep(queue)


def keep(queue: dict) -> None:
    """Whole or not at all, even when the power goes: a lost number would be given twice."""
    new = QUEUE.with_suffix(".new")
    new.write_text(json.dumps(queue))
    os.replace(new, QUEUE)


def tell(events: list) -> dict:
    body = json.dumps({"sent_at": now(), "events": events}).encode()
    return json.load(
        urllib.request.urlopen(
            urllib.request.Request(f"{BASE}/till/events", body, {"Authorization": f"Bearer {KEY}"}),
            timeout=20,
        )
    )


def now() -> str:
    return datetime.datetime.now().astimezone().isoformat()
