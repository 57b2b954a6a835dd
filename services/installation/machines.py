"""Which machines serve this installation: each says so when it starts, and with each beat of its
worker. One that would not see the others' files, or has other keys, does not start.
"""

import hashlib
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from models import Pulse
from services import clock, days, files, sealing
from services.unit import db, is_sqlite, unit_of_work

# A machine whose worker did not beat for so long is taken for stopped, or replaced.
LIVES = timedelta(minutes=10)
_PREFIX = "machine:"
_KEYS = "sealing keys"  # the pulse that remembers the print of every key that served


class OtherMachine(RuntimeError):
    """This machine may not start beside the one that runs; the message says what to do."""


class OtherKeys(OtherMachine):
    """A sealing key is not the one that had its name."""


@dataclass(frozen=True)
class Machine:
    """What a machine says of itself. The prints tell keys apart and give nothing of them away."""

    id: str
    host: str
    shares_files: bool
    secret: str
    seals: tuple[str, ...]


_secret_key = ""


def plug(secret_key: str) -> None:
    """Called once by app.py."""
    global _secret_key
    _secret_key = secret_key


def here() -> Machine:
    """This machine: known by a name it made once under its data directory."""
    return Machine(
        id=_own_id(files.data_dir()),
        host=socket.gethostname()[:60],
        shares_files=files.store().is_shared,
        secret=_print(_secret_key.encode()),
        seals=tuple(sealing.prints().values()),
    )


def know_keys() -> None:
    """Compare the sealing keys with those this database was served with, and remember the new ones.
    A key of another content under the name of an old one would seal what nobody can open: raises
    OtherKeys.
    """
    if not inspect(db.engine).has_table(Pulse.__tablename__):
        return  # an installation that is not made yet
    row = db.session.get(Pulse, _KEYS)
    known = dict(row.facts) if row else {}
    prints = sealing.prints()
    for name, own in prints.items():
        if known.get(name, own) != own:
            raise OtherKeys(
                f"The key « {name} » of COMPTOIR_SEALING_KEYS is not the one that this database"
                " was sealed with. Give back the old one; a new key has a new name and stands"
                " first."
            )
    db.session.rollback()
    if prints.keys() <= known.keys():
        return
    try:
        with unit_of_work():
            days.beat(_KEYS, **{**known, **prints})
    except IntegrityError:  # a second process that starts was quicker, with the same keys
        db.session.rollback()


def join(machine: Machine) -> None:
    """Start beside the others, in a unit of its own. Raises OtherMachine with the reason."""
    if is_sqlite() or not inspect(db.engine).has_table(Pulse.__tablename__):
        return  # one machine only, or an installation that is not made yet
    others = [one for one in running() if one.id != machine.id]
    for other in others:
        if not (machine.shares_files and other.shares_files):
            raise OtherMachine(
                f"{other.host} serves this database already, and its files lie in a folder that"
                f" {machine.host} does not see. Give both machines the same store"
                " (COMPTOIR_FILES_URL), or stop the other one first."
            )
        if machine.secret != other.secret:
            raise OtherMachine(
                f"COMPTOIR_SECRET_KEY of {machine.host} is not that of {other.host}: give both the"
                " same."
            )
        if not set(machine.seals[:1]) <= set(other.seals):
            raise OtherMachine(
                f"{other.host} does not have the first key of COMPTOIR_SEALING_KEYS of"
                f" {machine.host}: give both the same keys."
            )
    with unit_of_work():
        beat(machine)


def beat(machine: Machine) -> None:
    """Say that this machine runs, in the caller's unit."""
    days.beat(
        f"{_PREFIX}{machine.id}",
        host=machine.host,
        shares_files=machine.shares_files,
        secret=machine.secret,
        seals=list(machine.seals),
    )


# Seconds between two beats of a process that answers people.
BEAT_SECONDS = 60.0
_beaten_at = 0.0


def serves() -> None:
    """A process answers somebody: its machine is among those that run, also when no worker is on
    it. Asked at each request, written once a minute, beside it.
    """
    global _beaten_at
    now = time.monotonic()
    if is_sqlite() or now - _beaten_at < BEAT_SECONDS:
        return
    _beaten_at = now
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    threading.Thread(target=_beat_aside, args=(app,), name="beat", daemon=True).start()


def _beat_aside(app: Flask) -> None:
    with app.app_context():
        try:
            with unit_of_work():
                beat(here())
        except SQLAlchemyError:  # the next minute tries again
            db.session.rollback()
        finally:
            db.session.remove()


def running() -> list[Machine]:
    """The machines that beat lately."""
    rows = select(Pulse).where(Pulse.name.startswith(_PREFIX), Pulse.at > clock.now() - LIVES)
    return [
        Machine(
            id=row.name.removeprefix(_PREFIX),
            host=row.facts["host"],
            shares_files=row.facts["shares_files"],
            secret=row.facts["secret"],
            seals=tuple(row.facts["seals"]),
        )
        for row in db.session.scalars(rows.order_by(Pulse.name))
    ]


def forget_old() -> None:
    """Machines that are gone for a month, in the caller's unit."""
    for row in db.session.scalars(select(Pulse).where(Pulse.name.startswith(_PREFIX))):
        if row.at < clock.now() - timedelta(days=30):
            db.session.delete(row)


def _own_id(data_dir: Path) -> str:
    path = data_dir / "machine_id"
    if not path.exists():
        path.write_text(secrets.token_hex(8))
    return path.read_text().strip()


def _print(secret: bytes) -> str:
    return hashlib.sha256(b"comptoir print " + secret).hexdigest()[:12]
