"""Who a machine is, what its key opens, how often it may come, and what happens when it sends the
same request twice.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import timedelta

from flask import Response, request
from flask_babel import gettext as _
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from api import problem
from api.fields import Invalid
from models import IdempotentRequest, MachineKey, Store
from services import access, clock, limits
from services.people import machine_keys
from services.unit import db, unit_of_work
from services.workflow import Refused

ANSWER_KEPT_FOR = timedelta(hours=24)
RUNNING_GIVEN_UP_AFTER = timedelta(seconds=60)


def open_to(scopes: Sequence[str], work: Callable[[MachineKey], Response]) -> Response:
    """Answer a request whose key has one of these scopes. Everything inside is limited to the
    vendor the request is for, and to the key's store when it has one.
    """
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
    try:
        return _carry_out(key, work)
    except Refused as refusal:
        db.session.rollback()
        status = 409 if getattr(refusal, "conflict", False) else 422
        return problem(status, refusal.code, str(refusal))


def _carry_out(key: MachineKey, work: Callable[[MachineKey], Response]) -> Response:
    """The work itself, limited to the vendor the request is for. Raises Refused."""
    # What follows knows one vendor; the key of a partner takes on the one that the call names.
    key.vendor_id = machine_keys.vendor_of(key, request.args.get("vendor", ""))
    scope = access.Scope(
        frozenset({key.vendor_id}), frozenset({key.store_id}) if key.store_id else None
    )

    def limited() -> Response:
        with access.limited_to(scope):
            return work(key)

    if request.method == "GET":
        return limited()
    _note_use(key)
    return _once(key, limited)


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


def _request_fingerprint() -> str:
    """What makes two requests the same: of a form its fields and the bytes of its files, since the
    boundary between them is random for each request.
    """
    found = hashlib.sha256(f"{request.method} {request.full_path}\n".encode())
    if request.mimetype != "multipart/form-data":
        found.update(request.get_data(cache=True))
        return found.hexdigest()
    # A part of a form may have no name.
    found.update(json.dumps(sorted(request.form.items(multi=True), key=repr)).encode())
    for name, file in sorted(request.files.items(multi=True), key=lambda part: str(part[0])):
        found.update(json.dumps([name, file.filename]).encode())
        while block := file.stream.read(1 << 20):
            found.update(block)
        file.stream.seek(0)
    return found.hexdigest()


def _once(key: MachineKey, work: Callable[[], Response]) -> Response:
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
    fingerprint = _request_fingerprint()
    answered = _remembered(key, name, fingerprint)
    if answered is not None:
        return answered
    try:
        response = work()
    except BaseException:
        _forget(key, name)
        raise
    not_to_keep = response.is_streamed or "no-store" in response.headers.get("Cache-Control", "")
    if response.status_code in (409, 429) or response.status_code >= 500 or not_to_keep:
        _forget(key, name)
        return response
    with unit_of_work() as session:
        session.execute(
            update(IdempotentRequest)
            .where(IdempotentRequest.key_id == key.id, IdempotentRequest.key == name)
            .values(code=response.status_code, body=response.get_data(as_text=True))
        )
    return response


def _remembered(key: MachineKey, name: str, fingerprint: str) -> Response | None:
    """The stored answer of the first request, or an error; None when the request is new, which is
    then stored as running.
    """
    now = clock.now()
    mine = (IdempotentRequest.key_id == key.id, IdempotentRequest.key == name)
    try:
        with unit_of_work() as session:
            session.execute(
                delete(IdempotentRequest).where(*mine, IdempotentRequest.at < now - ANSWER_KEPT_FOR)
            )
            session.execute(
                delete(IdempotentRequest).where(
                    *mine,
                    IdempotentRequest.code == 0,
                    IdempotentRequest.at < now - RUNNING_GIVEN_UP_AFTER,
                )
            )
            existing = session.scalar(select(IdempotentRequest).where(*mine))
            if existing is None:
                session.add(
                    IdempotentRequest(
                        key_id=key.id, key=name, request_sha256=fingerprint, code=0, body="", at=now
                    )
                )
                return None
            code, body, same = existing.code, existing.body, existing.request_sha256 == fingerprint
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


def vendor_of(key: MachineKey) -> int:
    """The vendor the request is for."""
    assert key.vendor_id is not None, "a request without a vendor was refused at the door"
    return key.vendor_id


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
        raise Invalid.field("store", "unknown_store", _("Name one of your stores by its code."))
    return found[0]
