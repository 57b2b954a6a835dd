"""A shop's till in a box: it plays a day against the door for machines, its line cut for an hour,
its clock seven minutes ahead, some things told twice.

python -m simulators.till http://127.0.0.1:8000 cpt_…

It keeps its own books, and says at the end whether the platform holds what it holds.
"""

import http.client
import json
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

AHEAD = timedelta(minutes=7)


@dataclass
class Till:
    """One till: its numbering, what it thinks the shop holds, and the queue of what it could not
    tell yet.
    """

    base: str
    key: str
    dice: random.Random
    held: dict[str, int] = field(default_factory=dict)
    queue: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0
    told: int = 0
    repeated: int = 0
    conflicts: int = 0

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        parts = urlsplit(self.base)
        line = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=20)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        line.request(
            method, "/api/v1" + path, json.dumps(body) if body is not None else None, headers
        )
        answer = line.getresponse()
        said: dict[str, Any] = json.loads(answer.read())
        if answer.status == 429:
            time.sleep(int(answer.headers["Retry-After"]))
            return self.ask(method, path, body)
        if answer.status >= 400:
            raise RuntimeError(f"{answer.status} {said.get('message')}")
        return said

    def now(self) -> str:
        return (datetime.now(ZoneInfo("Europe/Paris")) + AHEAD).isoformat()

    def open_shop(self) -> None:
        """Goes on from its last number, and learns what the platform thinks is there."""
        self.number = self.ask("GET", "/till")["last_number"]
        cursor: int | None = 0
        while cursor is not None:
            page = self.ask("GET", f"/stock?cursor={cursor}&limit=1000")
            self.held.update({row["ean"]: row["quantity"] for row in page["results"]})
            cursor = page["next"]

    def happens(self, kind: str, ean: str, **more: object) -> None:
        self.number += 1
        self.queue.append(
            {"number": self.number, "kind": kind, "ean": ean, "at": self.now(), **more}
        )

    def sell(self) -> None:
        there = [ean for ean, quantity in self.held.items() if quantity > 0]
        if there:
            ean = self.dice.choice(there)
            self.held[ean] -= 1
            self.happens(
                "sale",
                ean,
                quantity=1,
                price=f"{self.dice.randint(19, 189)}.90",
                reference=f"T-{self.number:05d}",
            )

    def take_back(self) -> None:
        ean = self.dice.choice(list(self.held))
        self.held[ean] += 1
        self.happens("return", ean, quantity=1)

    def count(self) -> None:
        """Somebody recounts a shelf and finds one more or one less."""
        ean = self.dice.choice(list(self.held))
        self.held[ean] = max(0, self.held[ean] + self.dice.choice((-1, 0, 1)))
        self.happens("count", ean, quantity=self.held[ean], includes=self.number)

    def tell(self, shuffled: bool = False) -> None:
        """Delivers its queue; after a cut in any order, and the last of it twice, as tills do that
        saw no answer.
        """
        while self.queue:
            batch, self.queue = self.queue[:200], self.queue[200:]
            if shuffled:
                self.dice.shuffle(batch)
            for events in (batch, batch[-3:] if shuffled else []):
                if events:
                    for one in self.ask(
                        "POST", "/till/events", {"sent_at": self.now(), "events": events}
                    )["results"]:
                        if one["status"] not in ("ok", "already_counted", "older_than_known"):
                            raise RuntimeError(
                                f"event {one['number']}: {one.get('message', one['status'])}"
                            )
                        self.told += 1
                        self.repeated += one["again"]
                        self.conflicts += one.get("conflicts") or 0

    def wrong(self) -> dict[str, tuple[int, int]]:
        """Barcodes of which the platform holds something else: ours, theirs."""
        theirs: dict[str, int] = {}
        cursor: int | None = 0
        while cursor is not None:
            page = self.ask("GET", f"/stock?cursor={cursor}&limit=1000")
            theirs.update({row["ean"]: row["quantity"] for row in page["results"]})
            cursor = page["next"]
        return {
            ean: (mine, theirs.get(ean, 0))
            for ean, mine in self.held.items()
            if mine != theirs.get(ean, 0)
        }


def play(base: str, key: str, events: int = 120, seed: int = 7) -> Till:
    """A day: the morning told as it goes, an hour off line, the evening told at once."""
    till = Till(base, key, random.Random(seed))
    till.open_shop()
    if not till.held:
        raise RuntimeError("This shop holds nothing new: give it a stock file first.")
    for n in range(events):
        till.dice.choices((till.sell, till.take_back, till.count), (8, 1, 1))[0]()
        if not events // 3 < n < 2 * events // 3:  # the line is cut in between
            till.tell(shuffled=n == 2 * events // 3)
    till.tell(shuffled=True)
    return till


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    day = play(sys.argv[1].rstrip("/"), sys.argv[2])
    wrong = day.wrong()
    print(
        f"{day.number} numbers, {day.told} events told, {day.repeated} of them again,"
        f" {day.conflicts} conflicts; "
        + (
            "the platform holds what the till holds."
            if not wrong
            else f"{len(wrong)} barcodes differ: {dict(list(wrong.items())[:5])}"
        )
    )
    sys.exit(1 if wrong else 0)
