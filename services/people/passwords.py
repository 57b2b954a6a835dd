"""What makes a password good enough: twelve characters nobody would try first (ANSSI, NIST SP 800-63B)."""

import itertools

from flask_babel import gettext as _
from werkzeug.security import generate_password_hash

from services.workflow import Refused

LEAST, MOST = 12, 128
METHOD = "scrypt"  # 32768:8:1, about 0.1 s: call it outside what holds a lock where you can


def hashed(password: str) -> str:
    return generate_password_hash(password, METHOD)


def chosen(password: str, *personal: str) -> str:
    """The hash of a password somebody chose for himself. Raises Weak. Slow: call it outside a unit."""
    check_strength(password, *personal)
    return hashed(password)


# The start of what people try first, French and English; a password made of one of these and digits is refused.
COMMON = {
    "motdepasse", "azertyuiop", "qwertyuiop", "azerty", "qwerty", "password", "passw0rd", "bonjour", "soleil", "doudou",
    "chouchou", "loulou", "jetaime", "marseille", "football", "iloveyou", "letmein", "welcome", "admin", "administrateur",
    "comptoir", "princesse", "coucou", "amour", "nicolas", "camille", "superman", "batman", "pokemon", "starwars",
    "motdepassemotdepasse", "azertyazerty", "qwertyqwerty", "passwordpassword", "abcdefghijkl", "aaaaaaaaaaaa", "changeme",
}  # fmt: skip


def check_strength(password: str, *personal: str) -> None:
    """Raises Refused with the sentence that says how to do better."""
    if len(password) < LEAST:
        raise Weak(_("Choose at least %(least)s characters: three or four words do well.", least=LEAST))
    if len(password) > MOST:
        raise Weak(_("Choose at most %(most)s characters.", most=MOST))
    bare = password.lower().strip("0123456789 !?.,;:-_*+@#$&")
    if bare in COMMON or len(set(password.lower())) < 5 or _is_run(password):
        raise Weak(_("This password is one of the first people try: choose another."))
    if bare and any(bare in {p.lower(), p.lower().partition("@")[0]} for p in personal if p):
        raise Weak(_("Do not use your name or your address as a password."))


class Weak(Refused):
    field = "password"


def _is_run(password: str) -> bool:
    """« 123456789012 », « abcdefghijkl »: each character follows the one before."""
    steps = {(ord(b) - ord(a)) % 10 if a.isdigit() and b.isdigit() else ord(b) - ord(a) for a, b in itertools.pairwise(password)}
    return steps <= {1} or steps <= {-1, 9}
