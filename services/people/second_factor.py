"""The second factor of staff: a code of an authenticator application (TOTP, RFC 6238), ten recovery
codes, nothing by SMS.

A code counts once: the step it belongs to is kept, so that who reads it over a shoulder is too
late. Recovery codes are 50 bits of chance each, kept as fingerprints, used once.
"""

import hashlib
import hmac
import secrets

import pyotp
from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from sqlalchemy import delete, func, select, update

from models import RecoveryCode, StaffAccount
from services import audit, clock, limits, sealing, settings
from services.people import staff
from services.unit import changed, db
from services.workflow import Actor, Refused

CODES = 10
STEP_SECONDS = 30
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
sealing.keeps(StaffAccount, "totp_sealed", lambda row: _place(row.user_id))


# ── turning it on and off ──


def new_secret() -> str:
    """160 bits, as applications read them (base32)."""
    return pyotp.random_base32()


def address(user: User, secret: str) -> str:
    """What the QR code says: « otpauth://totp/Comptoir:… »."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name="Comptoir")


def turn_on(user: User, secret: str, code: str) -> list[str]:
    """Keep the secret once a code proves that the application has it; returns the ten recovery
    codes, shown once.
    """
    step = _step_of(secret, code)
    if step is None:
        raise Refused(
            _(
                "This code does not fit: wait for the next one, and check the time of your"
                " telephone."
            )
        )
    account = staff.account_of(user)
    account.totp_sealed, account.totp_step, account.totp_since = (
        sealing.seal(secret, _place(user.id)),
        step,
        clock.now(),
    )
    audit.note("second_factor_on", by=staff.actor(user), subject=user.username)
    return renew_codes(user)


def renew_codes(user: User) -> list[str]:
    """Ten new recovery codes; the old ones are void."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = ["".join(secrets.choice(_LETTERS) for _n in range(10)) for _code in range(CODES)]
    db.session.add_all(
        RecoveryCode(user_id=user.id, fingerprint=_fingerprint(user.id, code)) for code in codes
    )
    audit.note("recovery_codes_made", by=staff.actor(user), subject=user.username)
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def turn_off(user: User, *, by: Actor) -> None:
    """By himself, or by an administrator when telephone and codes are lost; every session of the
    user ends.
    """
    account = staff.account_of(user)
    if not account.totp_sealed:
        raise Refused(_("%(user)s has no second factor.", user=user.username))
    account.totp_sealed, account.totp_step, account.totp_since = "", 0, None
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    staff.sign_out_everywhere(user)
    audit.note("second_factor_off", by=by, subject=user.username)


# ── checking a code ──


def is_on(user_id: int) -> bool:
    return bool(
        db.session.scalar(select(StaffAccount.totp_sealed).where(StaffAccount.user_id == user_id))
    )


def is_asked_of(user: User) -> bool:
    """Whether this member of staff may not work without one (setting « Second facteur »)."""
    wanted = settings.value("second_factor")
    return wanted == "everybody" or (
        wanted == "money" and any(role.name in staff.NEED_SECOND_FACTOR for role in user.roles)
    )


def codes_left(user_id: int) -> int:
    return (
        db.session.scalar(
            select(func.count(RecoveryCode.id)).where(
                RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
            )
        )
        or 0
    )


def check(user: User, code: str) -> bool:
    """Whether the code is right, and use it up. In a unit; count wrong ones with `wrong` outside
    it. Raises limits.TooMany.
    """
    if seconds := limits.lock_left(_lock(user.id)):
        raise limits.TooMany(
            _("Too many wrong codes: wait %(minutes)s min.", minutes=(seconds + 59) // 60), seconds
        )
    account = staff.account_of(user)
    try:
        secret = sealing.unseal(account.totp_sealed, _place(user.id))
    except sealing.CannotOpen:
        raise Refused(
            _("Your second factor can no longer be read: ask an administrator to take it off.")
        ) from None
    step = _step_of(secret, code)
    if step is not None:
        used = (
            update(StaffAccount)
            .where(StaffAccount.user_id == user.id, StaffAccount.totp_step < step)
            .values(totp_step=step)
        )
        # two at once: one wins
        return changed(used) == 1
    found = (
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.fingerprint == _fingerprint(user.id, code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=clock.now())
    )
    if db.session.execute(found).rowcount == 1:  # type: ignore[attr-defined]
        audit.note(
            "recovery_code_used",
            by=staff.actor(user),
            subject=user.username,
            left=codes_left(user.id),
        )
        return True
    return False


def wrong(user_id: int) -> None:
    """Five wrong codes close the door a minute, then two, four…"""
    limits.wrong_password(_lock(user_id))


def right(user_id: int) -> None:
    limits.right_password(_lock(user_id))


def _lock(user_id: int) -> str:
    return f"staff-code:{user_id}"


def _step_of(secret: str, code: str) -> int | None:
    """The step a code belongs to: this one, or its neighbours when clocks differ by up to thirty
    seconds.
    """
    digits = "".join(code.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    now = int(clock.now().timestamp()) // STEP_SECONDS
    one = pyotp.TOTP(secret)
    return next(
        (
            step
            for step in (now, now - 1, now + 1)
            if hmac.compare_digest(one.generate_otp(step), digits)
        ),
        None,
    )


def _fingerprint(user_id: int, code: str) -> str:
    plain = "".join(c for c in code.upper() if c.isalnum())
    return hashlib.sha256(f"recovery:{user_id}:{plain}".encode()).hexdigest()


def _place(user_id: int) -> str:
    return f"staff_account.totp:{user_id}"
