"""What is the same thing and what is not (domain 2.46).

A barcode with a right check digit means one thing for everybody, except the codes 20 to 29, which
a company gives for its own use. A maker's reference means one model only together with the brand
(or the maker) and a title that is alike. In doubt nothing is joined.
"""

from functools import lru_cache

from services.catalogue import colors
from services.catalogue.vocabulary import words_of
from services.imports import tables

# Words of a title that tell variants of one model apart, or for whom it is, not which model it is.
_SMALL = frozenset(
    words_of(
        "XXS XS S M L XL XXL XXXL US UK EU T taille pointure size le la les de du des en et à pour"
        " avec sans femme homme enfant fille garçon bébé mixte unisexe women men kid junior"
    )
)


def in_house(ean: str) -> bool:
    """Whether a barcode begins with 20 to 29: GS1 leaves these to each company, so two shops give
    the same one to different things.
    """
    return len(ean) == 13 and ean[0] == "2"


def are_like(title: str, other: str) -> bool:
    """Whether two titles may name one model: one holds all words of the other, or at least half
    of the words of the longer one are in the other; sizes, colours and numbers aside.
    """
    if title == other:
        return True
    mine, theirs = _model_words(title), _model_words(other)
    if not mine or not theirs:  # « Noir 42 »: nothing but what is left aside
        mine, theirs = _all_words(title), _all_words(other)
    both = len(mine & theirs)
    return both > 0 and (
        both == min(len(mine), len(theirs)) or 2 * both >= max(len(mine), len(theirs))
    )


@lru_cache(maxsize=20_000)
def _model_words(title: str) -> frozenset[str]:
    return frozenset(
        word
        for word in words_of(title)
        if not word[0].isdigit() and word not in _SMALL and not colors.is_one(word)
    )


def _all_words(title: str) -> frozenset[str]:
    return frozenset(words_of(title))


def have_one_maker(brand: str, maker: str, other_brand: str, other_maker: str) -> bool:
    """Whether two things come from one maker: the same brand, or, where one of them names no brand,
    the same maker. Of a thing without a name nobody knows.
    """
    if brand and other_brand:
        return tables.fold(brand) == tables.fold(other_brand)
    return bool(tables.fold(maker)) and tables.fold(maker) == tables.fold(other_maker)
