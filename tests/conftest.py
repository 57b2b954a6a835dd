"""One application for the whole run, a fresh database for each test, fakes plugged in, people
signed in without hashing.
"""

import contextvars
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from flask import globals as flask_globals
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import event, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

import commands
import config
from app import create_app
from gateways import live
from gateways.by_hand import ByHand
from gateways.fakes import FakeCarrier, FakeMail, FakeSms, FakeWebhooks
from models import Event, Model
from services import access, clock, limits, outbox, sealing, settings, visits, workflow
from services.catalogue import search
from services.orders import window
from services.people import passwords, sessions, sites, staff
from services.unit import db
from tests.pages import without_layout

POSTGRES = os.environ.get("COMPTOIR_TEST_DATABASE_URL", "")
REDIS = os.environ.get("COMPTOIR_TEST_REDIS_URL", "")
SHM = "/dev/shm" if Path("/dev/shm").is_dir() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("COMPTOIR_LONG"):
        return
    items[:] = [item for item in items if "long" not in item.keywords]


@pytest.fixture(scope="session")
def machine() -> Iterator[config.Config]:
    """This run's machine: a scratch directory, and a database of its own on the engine asked
    for.
    """
    folder = Path(tempfile.mkdtemp(prefix="comptoir-test-", dir=SHM))
    url = f"sqlite:///{folder / 'test.db'}"
    if POSTGRES:
        import psycopg

        name = f"comptoir_test_{os.getpid()}"
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{name}"')
            server.execute(
                f'ALTER DATABASE "{name}" SET synchronous_commit TO off'
            )  # a test's server may forget on a power cut
            info = server.info
            host = f"?host={info.host}" if info.host.startswith("/") else ""
            place = "" if host else f"{info.host}:{info.port}"
            url = f"postgresql+psycopg://{info.user}@{place}/{name}{host}"
    yield config.Config(
        "trial", folder, url, REDIS, "http://127.0.0.1:8000", "x" * 48, "", "", "", 8000
    )
    shutil.rmtree(folder, ignore_errors=True)
    if POSTGRES:
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def application(machine):
    from flask_migrate import upgrade

    passwords.METHOD = "pbkdf2:sha256:1"
    app = create_app(machine, bell=None)
    app.test_client_class = Browser
    app.config.update(
        TESTING=False, PROPAGATE_EXCEPTIONS=False, WTF_CSRF_ENABLED=False, SERVER_NAME=None
    )
    with app.app_context():
        upgrade(directory=str(Path(app.root_path) / "migrations"))
        commands.bring_to_life()
        if POSTGRES:
            _remember_rows()
        db.session.remove()
        db.engine.dispose()
    if not POSTGRES:
        checkpoint(machine.data_dir / "test.db")
        shutil.copyfile(machine.data_dir / "test.db", machine.data_dir / "template.db")
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def restore(folder: Path) -> None:
    """A new file in the place of the old one: a thread or a killed process that still holds the old
    one spoils nothing.
    """
    for end in ("", "-wal", "-shm"):
        (folder / f"test.db{end}").unlink(missing_ok=True)
    shutil.copyfile(folder / "template.db", folder / "test.db")


def checkpoint(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def make_fresh(machine: config.Config) -> None:
    """A database as `flask init` leaves it. In an application context."""
    if POSTGRES:
        db.session.rollback()
        wipe = "; ".join(f'DELETE FROM "{name}"' for name in _filled())
        used = "SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL"
        restart = "; ".join(
            # Not ALTER SEQUENCE … RESTART, which makes a new file of each.
            f"SELECT setval('\"{name}\"', 1, false)"
            for name in db.session.scalars(text(used))
        )
        # The product's own triggers forbid deleting money and the register: only a test's server
        # may set them aside.
        db.session.connection().exec_driver_sql(
            "SET LOCAL session_replication_role = replica; "
            f"{wipe}; {restart}; "
            "DELETE FROM search_index; DELETE FROM search_word; DELETE FROM search_todo; "
            + _template["sql"]
        )
        db.session.commit()
    else:
        db.session.remove()
        db.engine.dispose()
        restore(machine.data_dir)


def _filled() -> list[str]:
    """The tables that hold a row: of some ninety a test fills ten. (Deleting from tables that are
    nearly empty takes a tenth of what TRUNCATE does.)
    """
    names = [table.name for table in Model.metadata.sorted_tables]
    asked = " UNION ALL ".join(
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in names
    )
    found = set(db.session.scalars(text(asked)))
    return [name for name in names if name in found]


# On PostgreSQL: what writes the rows of a new database again, in one go.
_template = {"sql": ""}


def _remember_rows() -> None:
    statements = []
    for name in [*_filled(), "search_index", "search_word", "search_todo"]:
        rows = db.session.scalar(text(f'SELECT json_agg(to_json(row))::text FROM "{name}" AS row'))
        if rows:
            quoted = rows.replace("'", "''")
            statements.append(
                f'INSERT INTO "{name}" SELECT * FROM'
                f" json_populate_recordset(NULL::\"{name}\", '{quoted}')"
            )
    for sequence in db.session.execute(
        text("SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL")
    ):
        statements.append(f"SELECT setval('\"{sequence[0]}\"', {sequence[1]})")
    _template["sql"] = "; ".join(statements).replace("%", "%%")


@pytest.fixture
def fresh_database(application, machine):
    """What makes the database new again, for a test that lives many lives."""
    return lambda: make_fresh(machine)


@pytest.fixture(autouse=True)
def app(application, machine, request) -> Iterator:
    """A fresh database, and nothing remembered from the test before."""
    with application.app_context():
        make_fresh(machine)
        sites.forget()
        settings.forget()
        search.forget()
        window.forget()
        _forget_limits()
        outbox.breaker.forget()
        _forget_visits(machine)
        live.mail, live.sms, live.webhooks = FakeMail(), FakeSms(), FakeWebhooks()
        live.carriers = {"mondial_relay": FakeCarrier(), "by_hand": ByHand()}
        with force_locale("fr"):
            yield application
        db.session.remove()


@event.listens_for(Session, "after_flush")
def _refuse_events_without_a_word(session: Session, _context) -> None:
    """Whatever a test records, the log must be able to say it."""
    for row in session.new:
        if isinstance(row, Event) and row.verb not in workflow.EDITED:
            assert row.happened in workflow.VERBS, f"workflow.says has no word for {row.happened}"


def _forget_limits() -> None:
    limits.storage.reset()


def _forget_visits(machine: config.Config) -> None:
    shutil.rmtree(machine.data_dir / "visits", ignore_errors=True)
    visits.plug(machine.data_dir, machine.redis_url)
    if machine.redis_url:
        for name in visits._spool.names(""):
            visits._spool.drop(name)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a real S3 server on loopback, with the bucket « comptoir »; its keys are « k »
    and « s ».
    """
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    requests.put(f"http://{host}:{port}/comptoir", timeout=10).raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


class Page(TestResponse):
    """An answer whose HTML is read without the line breaks and indentation of its template."""

    @property
    def text(self) -> str:
        text = super().text
        return without_layout(text) if self.mimetype == "text/html" else text


class Browser(FlaskClient):
    """Each request lives in a context of its own, as behind a real server, and sees only what was
    committed.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.response_wrapper = type("Page", (Page, self.application.response_class), {})

    def open(self, *args, **kwargs):
        if flask_globals._cv_app.get(None) is None:
            return super().open(*args, **kwargs)
        db.session.rollback()

        def fresh():
            flask_globals._cv_app.set(None)
            access.begin(None)
            return super(Browser, self).open(*args, **kwargs)

        return contextvars.copy_context().run(fresh)


@pytest.fixture
def counted_statements(app):
    """`with counted_statements() as statements:` → what the database was asked inside."""

    @contextmanager
    def counted() -> Iterator[list[str]]:
        found: list[str] = []

        def note(_connection, _cursor, statement, *_rest):
            if "alembic_version" not in statement:  # asked every few seconds, whatever is done
                found.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield found
        finally:
            event.remove(db.engine, "before_cursor_execute", note)

    return counted


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def mail(app) -> FakeMail:
    return live.mail


@pytest.fixture
def sms(app) -> FakeSms:
    return live.sms


@pytest.fixture
def carrier(app) -> FakeCarrier:
    return live.carriers["mondial_relay"]


@pytest.fixture
def hooks(app) -> FakeWebhooks:
    return live.webhooks


@pytest.fixture
def as_staff(app):
    """`as_staff("Opérateur reprise", vendor)` → a client signed in, with its user."""

    def sign_in(role: str, *vendors, email: str = ""):
        from services.unit import unit_of_work
        from services.workflow import Actor

        email = email or f"{role.lower().replace(' ', '.').replace('é', 'e')}@staff.test"
        with unit_of_work() as session:
            user, _password = staff.add(
                email, role, by=Actor("command", None, "test"), first_name=role
            )
            account = staff.account_of(user)
            account.must_change_password = False
            account.totp_sealed = sealing.seal(
                "JBSWY3DPEHPK3PXP", f"staff_account.totp:{user.id}"
            )  # he has a second factor, and passed it
            for vendor in vendors:
                staff.belongs_to(user, session.merge(vendor))
            id = user.id
            key = sessions.open_for(user, address="127.0.0.1", agent="test")
        client = app.test_client()
        now = int(clock.now().timestamp())
        with client.session_transaction() as cookie:
            cookie.update(
                {"_user_id": str(id), "_fresh": True, "key": key, "seen": now, "proved": now}
            )
        client.user_id = id
        return client

    return sign_in


@pytest.fixture
def as_customer(app):
    """A client signed in as a customer."""

    def sign_in(customer):
        from portal.access import _signer, customer_cookie

        client = app.test_client()
        with app.test_request_context():
            value = _signer().dumps([customer.id, customer.session_epoch])
            name = customer_cookie()
        client.set_cookie(name, value, domain="localhost")
        return client

    return sign_in
