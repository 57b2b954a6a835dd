"""Stores and the people who work there, enrolled by one file: a group opens a hundred shops in an
afternoon.

One line a store, or one a person of a store. A store is known by its code: what the file says of it
is taken over, an empty cell leaves what is there. People get an access that opens nothing until
somebody gives them a one-time password.
"""

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from models import Membership, Store, User, Vendor
from services import clock, workflow
from services.imports import runs, tables
from services.people import staff, vendors
from services.people.customers import clean_email
from services.unit import unit_of_work
from services.words import visible
from services.workflow import Actor, Refused

COLUMNS: dict[str, tuple[str, ...]] = {
    "code": ("code-magasin", "code", "magasin-code", "warehouse-code", "numero-magasin"),
    "name": ("magasin", "nom-du-magasin", "nom-magasin", "store", "name"),
    "vendor": ("enseigne", "vendeur", "vendor", "societe"),
    "siren": ("siren",),
    "address": ("adresse", "address"),
    "postcode": ("code-postal", "cp", "postcode"),
    "city": ("ville", "city"),
    "phone": ("telephone", "tel", "phone"),
    "opening_hours": ("horaires", "horaires-douverture", "opening-hours"),
    "email": ("e-mail", "email", "courriel", "mail"),
    "first_name": ("prenom", "first-name"),
    "last_name": ("nom-de-famille", "last-name"),
    "role": ("role", "fonction"),
}
_SHEET = {"address": 200, "postcode": 5, "city": 100, "phone": 20, "opening_hours": 1000}
USUAL_ROLE = "Magasin"


@dataclass(frozen=True)
class Line:
    """One line: the store it names, what it says of it (only the cells that say something), perhaps
    a person.
    """

    line: int
    code: str
    name: str
    vendor: str
    siren: str
    sheet: dict[str, str]
    email: str
    first_name: str
    last_name: str
    role: str


def _load(loading: runs.Loading) -> None:
    at = loading.open()

    def read(number: int, cells: list[str]) -> Line:
        def cell(name: str, most: int = 200) -> str:
            place = at.get(name)
            words = cells[place] if place is not None and place < len(cells) else ""
            words = " ".join(visible(words).split())
            if len(words) > most:
                raise Refused(_("« %(words)s… » is too long.", words=words[:30]))
            return words

        code, role = cell("code", 20), cell("role") or USUAL_ROLE
        if not code:
            raise Refused(_("This line names no store: give its code."))
        roles = {tables.fold(name): name for name in staff.ROLES if name not in staff.SEE_ALL}
        if tables.fold(role) not in roles:
            raise Refused(
                _(
                    "« %(role)s » is no role of a store: choose among %(roles)s.",
                    role=role[:30],
                    roles=", ".join(roles.values()),
                )
            )
        return Line(
            number,
            code,
            cell("name"),
            cell("vendor"),
            cell("siren", 20),
            {name: said for name, most in _SHEET.items() if (said := cell(name, most))},
            clean_email(cell("email", 320)) if cell("email", 320) else "",
            cell("first_name", 64),
            cell("last_name", 64),
            roles[tables.fold(role)],
        )

    lines = list(loading.rows(read))
    loading.progress()
    mark = loading.mark()
    with unit_of_work() as session:
        loading.back_to(mark)
        _Enrolment(loading, session).apply(lines)


class _Enrolment:
    """Applies the lines of a file in the caller's unit, one savepoint a line: a line that is
    refused keeps nothing and stops no other.
    """

    def __init__(self, loading: runs.Loading, session: Any) -> None:
        self.loading, self.session = loading, session
        self.by = Actor("machine", loading.run_id, loading.by_name)
        self.created = self.updated = self.unchanged = 0
        self.wrong: dict[int, str] = {}

    def apply(self, lines: list[Line]) -> None:
        for line in lines:
            try:
                with self.session.begin_nested():
                    what = self._line(line)
            except Refused as refusal:
                self.wrong[line.line] = str(refusal)
            else:
                self.created += what == "created"
                self.updated += what == "updated"
                self.unchanged += what == "unchanged"
        self.loading.put_aside_late(self.wrong)
        self.loading.ended(
            self.session,
            created=self.created,
            updated=self.updated,
            unchanged=self.unchanged,
        )

    def _line(self, line: Line) -> str:
        """What became of the store or of the person: created, updated or unchanged."""
        store, what = self._store(line)
        if line.email and self._person(line, store):
            what = "created"
        return what

    def _store(self, line: Line) -> tuple[Store, str]:
        store = self.session.scalar(select(Store).where(Store.code == line.code))
        if store is None:
            if not line.name:
                raise Refused(_("The store « %(code)s » is new: give its name.", code=line.code))
            store = Store(vendor=self._vendor(line), code=line.code, name=line.name, **line.sheet)
            vendors.check_store(store)
            self.session.add(store)
            workflow.record(store, "create", by=self.by)
            return store, "created"
        if line.vendor and tables.fold(store.vendor.name) != tables.fold(line.vendor):
            raise Refused(
                _(
                    "The code « %(code)s » belongs to a store of %(vendor)s.",
                    code=line.code,
                    vendor=store.vendor.name,
                )
            )
        wanted = {**line.sheet, **({"name": line.name} if line.name else {})}
        before = {name: getattr(store, name) or "" for name in wanted}
        for name, value in wanted.items():
            setattr(store, name, value)
        vendors.check_store(store)
        changes = {
            f"store.{name}": (old, getattr(store, name) or "")
            for name, old in before.items()
            if old != (getattr(store, name) or "")
        }
        if changes:
            workflow.record(store, "edit", by=self.by, changes=changes)
        return store, "updated" if changes else "unchanged"

    def _vendor(self, line: Line) -> Vendor:
        """The vendor of a new store: the one named, made when nobody has the name; the only one
        when none is named.
        """
        known: list[Vendor] = self.session.scalars(select(Vendor).order_by(Vendor.id)).all()
        if not line.vendor:
            if len(known) == 1:
                return known[0]
            raise Refused(_("Name the vendor of the store « %(code)s ».", code=line.code))
        for vendor in known:
            if tables.fold(vendor.name) == tables.fold(line.vendor):
                return vendor
        vendor = Vendor(name=line.vendor, siren=line.siren, created_at=clock.now())
        vendors.check(vendor)
        self.session.add(vendor)
        workflow.record(vendor, "create", by=self.by)
        return vendor

    def _person(self, line: Line, store: Store) -> bool:
        """Let somebody work in a store; whether this is new."""
        user = self.session.scalar(select(User).where(User.username == line.email))
        if user is None:
            user = staff.expect(
                line.email,
                line.role,
                by=self.by,
                first_name=line.first_name,
                last_name=line.last_name,
            )
            self.loading.doubt(
                line.line,
                _(
                    "%(email)s has no password yet: give a one-time one under « Staff ».",
                    email=line.email,
                ),
            )
        elif staff.sees_all(user):
            raise Refused(
                _("%(email)s sees all stores already: nothing was changed.", email=line.email)
            )
        here = select(Membership.id).where(
            Membership.user_id == user.id,
            Membership.vendor_id == store.vendor_id,
            (Membership.store_id == store.id) | Membership.store_id.is_(None),
        )
        if self.session.scalar(here) is not None:
            return False
        self.session.flush()
        staff.belongs_to(user, store.vendor, store)
        return True


KIND = runs.kind(
    "stores",
    _l("Stores and their people"),
    COLUMNS,
    ("code",),
    _load,
    for_vendors=False,
    gives_access=True,
    known_by="name",
    help=_l(
        "Columns: code, magasin, enseigne, adresse, cp, ville, telephone, horaires; e-mail, prenom,"
        " nom-de-famille, role of a person. Passwords are given one by one, under « Staff »."
    ),
)
