"""The reference client of a till: everything is numbered, kept until it is answered, and told again as often as needed."""

import datetime
import json
import urllib.request
from pathlib import Path

BASE, KEY, QUEUE = "https://comptoir.example/api/v1", "cpt_…", Path("queue.json")


def sold(ean: str, price: str, ticket: str) -> None:
    """A counter sale: first into our own queue, then to Comptoir; a line that is cut loses nothing."""
    queue = json.loads(QUEUE.read_text()) if QUEUE.exists() else {"number": 0, "events": []}
    queue["number"] += 1
    queue["events"].append({"number": queue["number"], "kind": "sale", "ean": ean, "price": price, "reference": ticket, "at": now()})
    QUEUE.write_text(json.dumps(queue))
    for event, answer in zip(queue["events"], tell(queue["events"])["results"], strict=True):
        if answer["status"] in ("refused", "invalid", "number_reused"):
            print(event, answer["message"])  # for the person at the till
    QUEUE.write_text(json.dumps({**queue, "events": []}))


def tell(events: list) -> dict:
    body = json.dumps({"sent_at": now(), "events": events}).encode()
    return json.load(urllib.request.urlopen(urllib.request.Request(f"{BASE}/till/events", body, {"Authorization": f"Bearer {KEY}"}), timeout=20))


def now() -> str:
    return datetime.datetime.now().astimezone().isoformat()
