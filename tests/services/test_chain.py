"""Chains: whatever is taken out, changed or moved is found, at its number."""

from dataclasses import dataclass, replace

import pytest

from services.chain import Verdict, Walk, chain_breaks


@dataclass
class Link:
    number: int
    previous_hash: str
    hash: str
    is_whole: bool = True


CHAIN = [Link(n, f"h{n - 1}", f"h{n}") for n in range(1, 6)]


def read(links: list[Link], number: int = 0, previous: str | None = "h0") -> Verdict | None:
    return Walk(number, previous).read(
        links, lambda link: None if link.is_whole else "Elle ne s’ouvre pas."
    )


def test_a_whole_chain_is_read_to_its_end(app):
    walk = Walk(0, "h0")
    assert walk.read(CHAIN, lambda _link: None) is None
    assert (walk.number, walk.previous, walk.count) == (5, "h5", 5)


@pytest.mark.parametrize(
    ("links", "broken"),
    [
        ([*CHAIN[:2], *CHAIN[3:]], 3),
        ([CHAIN[0], replace(CHAIN[1], hash="x"), *CHAIN[2:]], 3),
        ([CHAIN[0], replace(CHAIN[1], previous_hash="x"), *CHAIN[2:]], 2),
        ([CHAIN[0], CHAIN[2], CHAIN[1]], 2),
        ([replace(CHAIN[0], is_whole=False), *CHAIN[1:]], 1),
    ],
)
def test_a_link_gone_changed_or_moved_is_found_at_its_number(app, links, broken):
    verdict = read(links)
    assert verdict is not None
    assert verdict.broken == broken
    assert verdict.sentence


def test_a_chain_whose_beginning_was_purged_starts_where_it_was_cut(app):
    assert read(CHAIN[2:], 2, None) is None
    assert read(CHAIN[2:], 2, "h2") is None
    wrong = read(CHAIN[2:], 2, "other")
    assert wrong is not None
    assert wrong.sentence == chain_breaks(3)
