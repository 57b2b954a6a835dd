"""Members of staff: created with a one-time password, tied to vendors and stores, signed out
everywhere at once.
"""

import secrets
from datetime import datetime, timedelta

from flask_appbuilder.security.sqla.models import Role, User
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select, update

from models import Membership, StaffAccount, StaffSession, Store, Vendor
from services import audit, clock, limits, workflow
from services.people import passwords
from services.people.customers import clean_email, masked
from services.unit import db
from services.workflow import Actor, Refused

workflow.says(
    "ab_user",
    add_staff=_l("Staff added"),
    reset_password=_l("One-time password given"),
    change_own_password=_l("Password changed"),
    remove_staff=_l("Access withdrawn"),
    restore_staff=_l("Access given back"),
)

ADMINISTRATOR, ANIMATOR, ACCOUNTANT, OPERATOR, VENDOR, STORE = (
    "Administrateur", "Animateur", "Comptable", "Opérateur reprise", "Vendeur", "Magasin",
)  # fmt: skip
ROLES = (ADMINISTRATOR, ANIMATOR, ACCOUNTANT, OPERATOR, VENDOR, STORE)
# The operator's own people see all vendors; the others see those they belong to.
SEE_ALL = {ADMINISTRATOR, ANIMATOR, ACCOUNTANT}
ONE_TIME_PASSWORD_LASTS = timedelta(days=3)
# Who can move money or rights: a second factor is asked of them unless the setting says otherwise.
NEED_SECOND_FACTOR = {ADMINISTRATOR, ACCOUNTANT}


def actor(user: User) -> Actor:
    return Actor(
        workflow.STAFF, user.id, f"{user.first_name} {user.last_name}".strip() or user.username
    )


def add(
    email: str, role: str, *, by: Actor, first_name: str = "", last_name: str = ""
) -> tuple[User, str]:
    """Create a member of staff; returns him and the one-time password to change at the first
    sign-in.
    """
    email = clean_email(email)
    if role not in ROLES:
        raise Refused(
            _(
                "There is no role « %(role)s »: choose among %(roles)s.",
                role=role,
                roles=", ".join(ROLES),
            )
        )
    if db.session.scalar(select(User).where(User.username == email)):
        raise Refused(_("%(email)s already has access.", email=email))
    password = secrets.token_urlsafe(12)
    user = _added(email, role, passwords.hashed(password), first_name, last_name, by)
    return user, password


# What no password ever fits.
NO_PASSWORD = ""


def expect(email: str, role: str, *, by: Actor, first_name: str = "", last_name: str = "") -> User:
    """An access that opens nothing yet: somebody gives it a one-time password (« Équipe ») on the
    day it is needed. For lists of people: each password would cost a third of a second, and nobody
    could hand hundreds over. The address and the role were checked.
    """
    return _added(email, role, NO_PASSWORD, first_name, last_name, by)


def _added(
    email: str, role: str, password_hash: str, first_name: str, last_name: str, by: Actor
) -> User:
    name = email.partition("@")[0]
    user = User(
        username=email,
        email=email,
        first_name=first_name or name[:64],
        last_name=last_name or "",
        active=True,
        password=password_hash,
        roles=[db.session.scalars(select(Role).where(Role.name == role)).one()],
    )
    db.session.add(user)
    db.session.flush()
    db.session.add(
        StaffAccount(user_id=user.id, must_change_password=True, password_given_at=clock.now())
    )
    workflow.record(user, "add_staff", by=by, role=role)
    audit.note("access_given", by=by, subject=email, role=role)
    return user


def belongs_to(user: User, vendor: Vendor, store: Store | None = None) -> Membership:
    """Let a member of staff work for a vendor."""
    membership = Membership(user=user, vendor=vendor, store=store)
    db.session.add(membership)
    db.session.flush()
    return membership


def give_password(user: User, *, by: Actor) -> str:
    """A new one-time password; every session of the user ends."""
    password = secrets.token_urlsafe(12)
    user.password = passwords.hashed(password)
    account = account_of(user)
    account.must_change_password, account.password_given_at = True, clock.now()
    # Clear the lock that somebody else's wrong passwords may have caused.
    limits.forgive(f"staff:{user.username}")
    sign_out_everywhere(user)
    workflow.record(user, "reset_password", by=by)
    audit.note("one_time_password", by=by, subject=user.username)
    return password


def change_password(user: User, password_hash: str) -> None:
    """Choose one's own password (`passwords.chosen`); every other session of the user ends."""
    user.password = password_hash
    account = account_of(user)
    account.must_change_password, account.password_given_at = False, None
    sign_out_everywhere(user)
    workflow.record(user, "change_own_password", by=actor(user))
    audit.note("password_changed", by=actor(user), subject=user.username)


def withdraw(user: User, *, by: Actor) -> None:
    """Close somebody's access at once."""
    if by.id == user.id:
        raise Refused(_("You cannot withdraw your own access: ask another administrator."))
    user.active = False
    sign_out_everywhere(user)
    workflow.record(user, "remove_staff", by=by)
    audit.note("access_withdrawn", by=by, subject=user.username)


def restore(user: User, *, by: Actor) -> None:
    user.active = True
    workflow.record(user, "restore_staff", by=by)
    audit.note("access_given", by=by, subject=user.username)


def account_of(user: User) -> StaffAccount:
    account = db.session.get(StaffAccount, user.id)
    if account is None:
        account = StaffAccount(user_id=user.id, must_change_password=False)
        db.session.add(account)
        db.session.flush()
    return account


def sees_all(user: User) -> bool:
    return any(role.name in SEE_ALL for role in user.roles)


def make_roles() -> None:
    """Roles are code (admin/roles.py); the database only knows their names."""
    names = set(db.session.scalars(select(Role.name)))
    for name in (*ROLES, "Admin", "Public"):
        if name not in names:
            db.session.add(Role(name=name))
    db.session.flush()


# ── signing in ──


def sign_in(email: str, password: str, address: str) -> User | None:
    """The member of staff with these, or None. Raises limits.TooMany after wrong passwords. Slow:
    call it outside a unit.
    """
    email = email.strip().lower()
    account = f"staff:{email}"
    tries = f"staff-sign-in:{address}", 30, 600
    seconds = limits.lock_left(account) or limits.spend(*tries)
    if seconds:
        raise passwords.too_many_tries(seconds)
    user = db.session.scalar(select(User).where(User.username == email, User.active))
    if not passwords.is_right(account, user.password if user else "", password) or user is None:
        audit.note_now("sign_in_refused", by=Actor(audit.VISITOR, None, masked(email)))
        return None
    limits.give_back(*tries)  # a shop's people share an address: only wrong passwords count
    if (
        (given := account_of_id(user.id))
        and given.must_change_password
        and given.password_given_at
        and clock.now() - given.password_given_at > ONE_TIME_PASSWORD_LASTS
    ):
        raise Refused(
            _("This one-time password is over three days old: ask an administrator for another.")
        )
    return user


def account_of_id(user_id: int) -> StaffAccount | None:
    return db.session.get(StaffAccount, user_id)


def password_is_right(user: User, password: str) -> bool:
    """Check the password of somebody signed in again, before what asks for it. Wrong ones are
    counted apart from those of a sign-in, which a stranger can lock. Raises limits.TooMany. Slow:
    call it outside a unit.
    """
    if passwords.is_right(f"staff-proof:{user.id}", user.password, password):
        return True
    audit.note_now("proof_refused", by=actor(user), subject=user.username)
    return False


def second_factor_since(user_id: int) -> datetime | None:
    return db.session.scalar(select(StaffAccount.totp_since).where(StaffAccount.user_id == user_id))


def sign_out_everywhere(user: User) -> None:
    """Every session of the user ends, whichever browser holds it."""
    db.session.execute(
        update(StaffSession)
        .where(StaffSession.user_id == user.id, StaffSession.ended_at.is_(None))
        .values(ended_at=clock.now())
    )
