"""Titles and descriptions of products for benches: made-up words, common ones common (Zipf). The
peer is filled with the same ones, so that the same words find as much on both sides.
"""

import random

CONSONANTS, VOWELS = "bcdfglmnprstv", "aeiou"
WORDS = 30_000


def vocabulary(dice: random.Random, count: int = WORDS) -> list[str]:
    return [
        "".join(
            dice.choice(letters) for letters in (CONSONANTS, VOWELS, CONSONANTS, VOWELS, CONSONANTS)
        )
        + str(n % 97)
        for n in range(count)
    ]


def _picked(dice: random.Random, count: int) -> list[str]:
    words = vocabulary(dice)
    return dice.choices(words, [1 / (n + 5) for n in range(len(words))], k=count)


def titles(count: int) -> list[list[str]]:
    """So many titles of 3 to 5 words; a smaller number is the beginning of a larger one."""
    words = _picked(random.Random(4), count * 5)
    return [words[n * 5 : n * 5 + 3 + n % 3] for n in range(count)]


def descriptions(count: int) -> list[str]:
    """25 words each; there are a thousand different ones."""
    words = _picked(random.Random(5), 25_000)
    different = [" ".join(words[n * 25 : n * 25 + 25]) for n in range(1_000)]
    return [different[n % 1_000] for n in range(count)]
