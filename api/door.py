"""Who a machine is, what its key opens, how often it may come, and what it sent, read field by
field.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, current_app, request
from flask_babel import gettext as _
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from api import problem
from models import IdempotentRequest, MachineKey, Store
from services import access, clock, limits, money, words
from services.catalogue import products
from services.people import machine_keys
from services.unit import db, unit_of_work
from services.workflow import Refused

KEPT = timedelta(hours=24)
ABANDONED = timedelta(seconds=60)


class Invalid(Exception):
    """What was sent cannot be understood: the fields at fault, each with its reason."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__()
        self.errors = errors


def opens(*scopes: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A route for keys with one of these scopes. Everything inside is limited to the key's vendor,
    and to its store when it has one.
    """

    def wrap(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def run(**values: Any) -> Any:
            key = _key()
            if key is None:
                return problem(
                    401,
                    "unauthorized",
                    _("Show a key: Authorization: Bearer cpt_…"),
                    headers={"WWW-Authenticate": "Bearer"},
                )
            if not set(scopes) & set(key.scopes.split()):
                return problem(
                    403,
                    "forbidden",
                    _("This key does not open this: it lacks « %(scope)s ».", scope=scopes[0]),
                )
            if seconds := limits.spend(f"key:{key.id}", key.per_minute, 60):
                return problem(
                    429,
                    "too_many",
                    _("Too many requests: wait %(seconds)s seconds.", seconds=seconds),
                    headers={"Retry-After": str(seconds)},
                )
            scope = access.Scope(
                frozenset({key.vendor_id}), frozenset({key.store_id}) if key.store_id else None
            )
            try:
                with access.limited_to(scope):
                    if request.method == "GET":
                        return view(key, **values)
                    _note_use(key)
                    return _once(key, lambda: view(key, **values))
            except Invalid as invalid:
                return problem(
                    422,
                    "invalid",
                    _("What was sent cannot be understood: see « errors »."),
                    invalid.errors,
                )
            except Refused as refusal:
                db.session.rollback()
                return problem(
                    409 if getattr(refusal, "conflict", False) else 422, "refused", str(refusal)
                )

        return run

    return wrap


def _key() -> MachineKey | None:
    kind, _space, secret = request.headers.get("Authorization", "").partition(" ")
    key = machine_keys.find(secret.strip()) if kind.lower() == "bearer" else None
    if key is not None:
        db.session.expunge(key)  # it lives longer than the transactions of the request
    return key


def _note_use(key: MachineKey) -> None:
    if machine_keys.needs_note(key):
        with unit_of_work() as session:
            session.execute(
                update(MachineKey).where(MachineKey.id == key.id).values(used_at=clock.now())
            )
        key.used_at = clock.now()


# ── the same request twice ──


def _print_of_request() -> str:
    """What makes two requests the same: of a form with files its fields and their bytes, since each
    client draws its own boundary each time.
    """
    found = hashlib.sha256(f"{request.method} {request.full_path}\n".encode())
    if request.mimetype != "multipart/form-data":
        found.update(request.get_data(cache=True))
        return found.hexdigest()
    found.update(json.dumps(sorted(request.form.items(multi=True))).encode())
    for name, file in sorted(request.files.items(multi=True), key=lambda one: one[0]):
        found.update(json.dumps([name, file.filename]).encode())
        while block := file.stream.read(1 << 20):
            found.update(block)
        file.stream.seek(0)
    return found.hexdigest()


def _once(key: MachineKey, work: Callable[[], Any]) -> Any:
    """Under an Idempotency-Key a request is carried out once in 24 hours; a repeat gets the first
    answer.
    """
    name = request.headers.get("Idempotency-Key") or request.headers.get("X-Idempotency-Key") or ""
    if not name:
        return work()
    if len(name) > 120 or not name.isascii() or not name.isprintable():
        return problem(
            422, "invalid", _("An Idempotency-Key has at most 120 printable characters.")
        )
    print_ = _print_of_request()
    known = _remembered(key, name, print_)
    if known is not None:
        return known
    try:
        response = current_app.make_response(work())
    except BaseException:
        _forget(key, name)
        raise
    if response.status_code in (409, 429) or response.status_code >= 500 or response.is_streamed:
        _forget(key, name)
        return response
    with unit_of_work() as session:
        session.execute(
            update(IdempotentRequest)
            .where(IdempotentRequest.key_id == key.id, IdempotentRequest.key == name)
            .values(code=response.status_code, body=response.get_data(as_text=True))
        )
    return response


def _remembered(key: MachineKey, name: str, print_: str) -> Any:
    """The answer of the first request, a refusal, or None: this one is the first, and from now on
    known.
    """
    now = clock.now()
    mine = (IdempotentRequest.key_id == key.id, IdempotentRequest.key == name)
    try:
        with unit_of_work() as session:
            session.execute(
                delete(IdempotentRequest).where(*mine, IdempotentRequest.at < now - KEPT)
            )
            session.execute(
                delete(IdempotentRequest).where(
                    *mine, IdempotentRequest.code == 0, IdempotentRequest.at < now - ABANDONED
                )
            )
            known = session.scalar(select(IdempotentRequest).where(*mine))
            if known is None:
                session.add(
                    IdempotentRequest(
                        key_id=key.id, key=name, request_sha256=print_, code=0, body="", at=now
                    )
                )
                return None
            code, body, same = known.code, known.body, known.request_sha256 == print_
    except IntegrityError:
        code, body, same = 0, "", True
    if not same:
        return problem(422, "key_reused", _("This Idempotency-Key was used for another request."))
    if code == 0:
        return problem(
            409,
            "still_running",
            _("The same request is still being carried out: ask again in 5 seconds."),
            headers={"Retry-After": "5"},
        )
    return Response(body, code, {"Idempotent-Replay": "true"}, mimetype="application/json")


def _forget(key: MachineKey, name: str) -> None:
    db.session.rollback()
    with unit_of_work() as session:
        session.execute(
            delete(IdempotentRequest).where(
                IdempotentRequest.key_id == key.id, IdempotentRequest.key == name
            )
        )


# ── what was sent ──


class Given:
    """The fields of a JSON object, read one by one; `check()` says all that is wrong at once."""

    def __init__(self, body: Any, where: str = "") -> None:
        self.errors: list[dict[str, str]] = []
        self.where = where
        self.body: dict[str, Any] = body if isinstance(body, dict) else {}
        if not isinstance(body, dict):
            self.wrong("", "object", _("Send a JSON object."))

    def wrong(self, name: str, code: str, message: str) -> None:
        self.errors.append({"field": f"{self.where}{name}", "code": code, "message": message})

    def check(self) -> None:
        if self.errors:
            raise Invalid(self.errors)

    def text(self, name: str, most: int = 200, needed: bool = False) -> str:
        value = self.body.get(name)
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or not value.strip() or len(value) > most or "\0" in value:
            if needed or value not in (None, ""):
                self.wrong(name, "text", _("Give a text of 1 to %(most)s characters.", most=most))
            return ""
        return words.visible(value).strip()

    def ean(self, name: str = "ean") -> str:
        value = self.text(name, 40, needed=True)
        try:
            return products.read_ean(value) if value else ""
        except products.BadEan as bad:
            self.wrong(name, "bad_ean", str(bad))
            return ""

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self.body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.wrong(
                name,
                "whole_number",
                _("Give a whole number from %(low)s to %(high)s.", low=low, high=high),
            )
            return low
        return value

    def perhaps_whole(self, name: str, low: int, high: int) -> int | None:
        return None if self.body.get(name) is None else self.whole(name, low, high)

    def cents(self, name: str, needed: bool = False) -> int | None:
        """Money is a decimal string: « 23.42 »."""
        value = self.body.get(name)
        if value is None and not needed:
            return None
        try:
            amount = money.parse(value) if isinstance(value, str) else -1
        except ValueError:
            amount = -1
        if amount < 0:
            self.wrong(name, "amount", _('Give an amount as a text: "23.42".'))
            return None
        return amount

    def moment(self, name: str, needed: bool = False) -> datetime | None:
        value = self.body.get(name)
        if value is None and not needed:
            return None
        found = read_moment(value) if isinstance(value, str) else None
        if found is None:
            self.wrong(
                name, "moment", _("Give a moment with its offset: 2026-11-25T10:30:00+01:00.")
            )
        return found

    def flag(self, name: str) -> bool:
        value = self.body.get(name, False)
        if not isinstance(value, bool):
            self.wrong(name, "boolean", _("Give true or false."))
            return False
        return value

    def list(self, name: str, most: int) -> list[Any]:
        value = self.body.get(name)
        if not isinstance(value, list) or not 0 < len(value) <= most:
            self.wrong(name, "list", _("Give a list of 1 to %(most)s.", most=most))
            return []
        return value


def body() -> Any:
    """The JSON that was sent. Raises Invalid."""
    try:
        return json.loads(request.get_data(cache=True) or b"null")
    except (ValueError, RecursionError):
        raise Invalid([{"field": "", "code": "json", "message": _("This is no JSON.")}]) from None


def read_moment(words: str) -> datetime | None:
    """ISO 8601 with an offset, in years one can store; None when it is not."""
    try:
        found = datetime.fromisoformat(
            words.replace(" ", "+", 1) if words.count(" ") == 1 and "T" in words else words
        )
        return (
            found.astimezone(UTC)
            if found.tzinfo is not None and 2000 <= found.year <= 2100
            else None
        )
    except (ValueError, OverflowError):
        return None


class Asked:
    """The parameters of an address, read one by one; the first that is wrong ends it."""

    @staticmethod
    def whole(name: str, low: int, high: int, default: int) -> int:
        value = request.args.get(name, "")
        if not value:
            return default
        if not (
            value.isascii() and value.isdigit() and len(value) < 10 and low <= int(value) <= high
        ):
            raise Invalid(
                [
                    {
                        "field": name,
                        "code": "whole_number",
                        "message": _(
                            "Give a whole number from %(low)s to %(high)s.", low=low, high=high
                        ),
                    }
                ]
            )
        return int(value)

    @staticmethod
    def text(name: str, most: int = 200) -> str:
        value = request.args.get(name, "")
        if len(value) > most or "\0" in value:
            raise Invalid(
                [
                    {
                        "field": name,
                        "code": "text",
                        "message": _("Give a text of 1 to %(most)s characters.", most=most),
                    }
                ]
            )
        return words.visible(value).strip()

    @staticmethod
    def moment(name: str) -> datetime | None:
        value = request.args.get(name, "")
        found = read_moment(value) if value else None
        if value and found is None:
            raise Invalid(
                [
                    {
                        "field": name,
                        "code": "moment",
                        "message": _("Give a moment with its offset: 2026-11-25T10:30:00+01:00."),
                    }
                ]
            )
        return found


def store_of(key: MachineKey, code: str = "") -> Store:
    """The store a request speaks of: by its code, else the key's own, else the vendor's only one.
    Raises Invalid.
    """
    rows = select(Store).where(Store.vendor_id == key.vendor_id).order_by(Store.id)
    if code:
        found = db.session.scalars(rows.where(Store.code == code)).all()
    elif key.store_id:
        found = db.session.scalars(rows.where(Store.id == key.store_id)).all()
    else:
        found = db.session.scalars(rows.limit(2)).all()
    if len(found) != 1 or (key.store_id and found[0].id != key.store_id):
        raise Invalid(
            [
                {
                    "field": "store",
                    "code": "unknown_store",
                    "message": _("Name one of your stores by its code."),
                }
            ]
        )
    return found[0]


def iso(moment: datetime) -> str:
    return clock.paris(moment).isoformat(timespec="seconds")
