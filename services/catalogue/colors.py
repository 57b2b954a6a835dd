"""Colours as people write them, and the family each belongs to.

« NOIR/BLANC », « Noir / Blanc » and « Black/White » are one colour; « marine » and « ciel » are
both blue for who looks for blue shoes.
"""

from functools import lru_cache

from services.catalogue.vocabulary import words_of

# Family -> the words that mean it, folded and singular, in French and in English.
FAMILIES: dict[str, str] = {
    "noir": "noir noire black anthracite ebene jet",
    "blanc": "blanc blanche white ecru ivoire creme cream offwhite craie",
    "gris": "gris grise grey gray argile ardoise taupe",
    "marron": "marron brun brune brown camel cognac tan chocolat noisette tabac",
    "beige": "beige sable sand nude naturel lin",
    "bleu": "bleu bleue blue marine navy ciel indigo jean denim turquoise petrole cobalt",
    "vert": "vert verte green kaki khaki olive sapin menthe emeraude",
    "rouge": "rouge red bordeaux burgundy carmin cerise brique",
    "rose": "rose pink fuchsia saumon poudre",
    "violet": "violet violette purple lila prune mauve aubergine lavande",
    "orange": "orange corail coral rouille abricot",
    "jaune": "jaune yellow moutarde ocre citron",
    "doré": "dore doree gold or bronze cuivre champagne",
    "argent": "argent argente argentee silver metal",
    "multicolore": "multicolore multico multi multicolor imprime leopard",
}
_FAMILY_OF = {word: family for family, words in FAMILIES.items() for word in words.split()}


def is_one(word: str) -> bool:
    """Whether a folded word names a colour."""
    return word in _FAMILY_OF or word.removesuffix("s") in _FAMILY_OF


@lru_cache(maxsize=20_000)
def families(color: str) -> tuple[str, ...]:
    """The families a colour belongs to, in the order of its words: « Noir / Blanc » is black and
    white.
    """
    return tuple(dict.fromkeys(_FAMILY_OF[w] for w in words_of(color) if w in _FAMILY_OF))
