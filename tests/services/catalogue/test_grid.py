"""A model as its shelf shows it: a line a colour, a column a size."""

from services.catalogue import grid
from tests.factories import a_shoe


def drawn(*references):
    """The grid of references, as (size, colour): its columns, and its lines with their cells."""
    variants = [a_shoe(shoe_size=size, color=color) for size, color in references]
    found = grid.of(variants)
    return found and (
        found.sizes,
        [(line.color, [len(cell) for cell in line.cells]) for line in found.lines],
    )


def test_colours_are_lines_and_sizes_are_columns_in_the_order_of_the_shelf():
    sizes, lines = drawn(("42,5", "Noir"), ("9", "Noir"), ("42", "Noir"), ("42", "Beige"))
    assert sizes == ["9", "42", "42,5"]
    assert lines == [("Beige", [0, 1, 0]), ("Noir", [1, 1, 1])]


def test_labels_that_mean_the_same_share_a_place():
    sizes, lines = drawn(("42", "Noir / Blanc"), ("UK 8", "BLANC/NOIR"), ("43", "Noir / Blanc"))
    assert sizes == ["42", "43"]
    assert [cells for _color, cells in lines] == [[2, 1]]


def test_a_reference_without_size_keeps_a_column_of_its_own():
    sizes, lines = drawn(("41", "Noir"), ("42", "Noir"), ("", "Noir"))
    assert sizes == ["41", "42", ""]
    assert lines == [("Noir", [1, 1, 1])]


def test_one_size_needs_no_grid():
    assert drawn(("42", "Noir"), ("42", "Beige")) is None
    assert drawn(("", "Noir")) is None


def test_clothes_have_their_grid_by_size():
    variants = [a_shoe("Pull Aubrac", shoe_size="") for _n in range(3)]
    for variant, size in zip(variants, ("XXL", "2XL", "S"), strict=True):
        variant.size = size
    assert grid.of(variants).sizes == ["S", "XXL"]
