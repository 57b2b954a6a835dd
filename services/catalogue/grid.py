"""The references of a model as a shop's shelf shows them: a line a colour, a column a size."""

from collections.abc import Sequence
from dataclasses import dataclass

from models import Variant
from services.catalogue import sizes
from services.catalogue.vocabulary import words_of


@dataclass(frozen=True)
class Line:
    """A colour, and for each size of the grid the references that have both; none where the model
    is not made so.
    """

    color: str
    cells: list[list[Variant]]


@dataclass(frozen=True)
class Grid:
    """Sizes in the order of the shelf, and a line for each colour, in the order of the alphabet."""

    sizes: list[str]
    lines: list[Line]

    @staticmethod
    def units(cell: list[Variant], held: dict[int, tuple[int, int]]) -> int:
        """The units of a place, new and second-hand, whatever its barcodes."""
        return sum(sum(held[variant.id]) for variant in cell)


def of(variants: Sequence[Variant]) -> Grid | None:
    """The grid of a model; None where a list says as much: fewer than two sizes, or a model of
    which no reference has one.
    """
    by_place: dict[tuple[str, str], list[Variant]] = {}
    colors: dict[tuple[str, ...], str] = {}
    for variant in variants:
        words = tuple(sorted(set(words_of(variant.color.replace("/", " ")))))
        color = colors.setdefault(words, variant.color)
        by_place.setdefault((color, size_of(variant)), []).append(variant)
    shelf = sorted({size for _color, size in by_place if size}, key=sizes.order)
    if len(shelf) < 2:
        return None
    if any(not size for _color, size in by_place):
        shelf.append("")  # what has no size stands in a column of its own, never left out
    return Grid(
        shelf,
        [
            Line(color, [by_place.get((color, size), []) for size in shelf])
            for color in sorted(colors.values(), key=str.lower)
        ],
    )


def size_of(variant: Variant) -> str:
    """The size a reference has its place by: of a shoe, else of a garment."""
    if variant.shoe_size:
        return sizes.same(variant.shoe_size, of_a_shoe=True)
    return sizes.same(variant.size, of_a_shoe=False)
