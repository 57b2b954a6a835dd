"""Builds the application: configuration, database, back office, sites, api, error pages,
commands.
"""

from services import startup  # first of all: see there

# isort: split

import errno
import hashlib
import logging
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import (
    Flask,
    Response,
    abort,
    current_app,
    flash,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.sessions import SecureCookieSessionInterface
from flask_babel import format_decimal, get_locale
from flask_babel import gettext as _
from flask_login import current_user
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFError, CSRFProtect
from itsdangerous import Signer
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.types import TypeDecorator
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter

import admin
import api
import commands
import config
import portal
from gateways import live
from gateways.by_hand import ByHand
from gateways.fetching import HttpsAndSftp
from gateways.mail import SmtpMail
from gateways.mondial_relay import MondialRelay
from gateways.sms import HttpSms
from gateways.webhooks import HttpWebhooks
from services import (
    dates,
    documents,
    files,
    limits,
    logs,
    money,
    once,
    sealing,
    storage,
    trace,
    unit,
    visits,
    workflow,
)
from services.buyback import amounts, offers
from services.catalogue import products
from services.installation import health, machines
from services.people import customers, sites
from services.unit import db
from services.workflow import Refused

ROOT = Path(__file__).parent
csrf = CSRFProtect()


# HMAC-SHA-256 for everything that is signed: links, cookies, tokens of forms (the libraries'
# default is SHA-1).
Signer.default_digest_method = staticmethod(hashlib.sha256)


class _Sessions(SecureCookieSessionInterface):
    digest_method = staticmethod(hashlib.sha256)


class _RowNumber(IntegerConverter):
    """Ids in URLs: a number above 2**31 - 1, which no row can have, gives 404."""

    regex = "[0-9]+"  # « \\d » also takes the digits of other alphabets

    def __init__(self, map: Any, *args: Any, **kwargs: Any) -> None:
        kwargs["max"] = 2_147_483_647
        super().__init__(map, *args, **kwargs)


def create_app(
    machine: config.Config | None = None, bell: Callable[[int], Any] | str | None = "queue"
) -> Flask:
    """The whole application. `bell` is what to ring after a commit that left something to send: the
    queue, unless told otherwise.
    """
    machine = machine or config.read()
    startup.refuse_preload(machine.files_url, sys.argv)
    logs.plug(machine.log_file, always=machine.is_production)
    _compile_words()  # first of all: views read their labels while they are built
    app = Flask(__name__)
    app.config.update(_flask_settings(machine))
    app.extensions["comptoir"] = machine
    app.session_interface = _Sessions()
    app.url_map.converters["int"] = _RowNumber
    app.wsgi_app = (  # type: ignore[method-assign]  # as Flask's own manual does
        ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
        if machine.is_production
        else app.wsgi_app
    )  # type: ignore[method-assign]
    db.init_app(app)
    Migrate(
        app,
        db,
        directory=str(ROOT / "migrations"),
        compare_type=True,
        compare_server_default=True,
        render_as_batch=True,
        render_item=_render_item,
    )
    app.before_request(_trace)
    app.before_request(
        _which_face
    )  # before CSRFProtect, whose refusal is a page of the right face too
    csrf.init_app(app)
    store = storage.open_store(
        machine.files_url, machine.files_key, machine.files_secret, machine.data_dir
    )
    files.plug(machine.data_dir, store)
    visits.plug(machine.data_dir, machine.redis_url)
    sealing.plug(machine.sealing_keys or config.trial_sealing_key(machine.data_dir))
    limits.plug(machine.redis_url, machine.data_dir)
    sites.plug(machine.base_url)
    health.plug(machine.data_dir, _program_version())
    machines.plug(machine.secret_key)
    live.mail = SmtpMail(machine.smtp_url) if machine.smtp_url else None
    live.sms = HttpSms(machine.sms_url) if machine.sms_url else None
    live.carriers = {"by_hand": ByHand()}
    if machine.mondial_relay_url or machine.is_production:
        live.carriers["mondial_relay"] = MondialRelay(machine.mondial_relay_url)
    live.webhooks = HttpWebhooks(allow_private=not machine.is_production)
    live.fetching = HttpsAndSftp(allow_private=not machine.is_production)
    unit.after_commit[:] = [_queue_bell] if bell == "queue" else [bell] if callable(bell) else []
    with app.app_context():
        unit.tune(db.engine)
        if not os.environ.get("FLASK_RUN_FROM_CLI"):
            machines.know_keys()
            if machine.is_production:
                machines.join(machines.here())
        admin.build(app, db.session)
    app.register_blueprint(portal.bp)
    app.register_blueprint(api.bp)
    csrf.exempt(api.bp)
    app.register_blueprint(api.manual.pages)
    app.extensions["manual"] = api.manual.words
    _speak(app)
    _errors(app)
    app.after_request(_guard)
    app.after_request(_log)
    commands.register(app)
    with app.app_context():
        _leave_nothing_open()
    startup.loaded()
    return app


def _leave_nothing_open() -> None:
    """The web server loads the application once and forks (`gunicorn --preload`, which halves what
    a process holds): no connection of a database is carried across.
    """
    db.session.remove()
    db.engine.dispose()
    if isinstance(limits.storage, limits.SqliteStorage):
        limits.storage.forget_connections()


def _flask_settings(machine: config.Config) -> dict[str, Any]:
    return {
        "SECRET_KEY": machine.secret_key,
        "SECRET_KEY_FALLBACKS": [
            key.strip() for key in machine.old_secret_keys.split(",") if key.strip()
        ],
        "SQLALCHEMY_DATABASE_URI": machine.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(machine.database_url),
        "MAX_CONTENT_LENGTH": 60_000_000,
        "MAX_FORM_MEMORY_SIZE": 2_000_000,
        "SESSION_COOKIE_NAME": "__Host-comptoir" if machine.is_https else "comptoir",
        "SESSION_COOKIE_SECURE": machine.is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # a form is valid as long as the session it was shown in
        "BABEL_DEFAULT_LOCALE": "fr",
        "BABEL_DEFAULT_TIMEZONE": "Europe/Paris",
        "BABEL_TRANSLATION_DIRECTORIES": str(ROOT / "translations"),
        "LANGUAGES": {
            "fr": {"flag": "fr", "name": "Français"},
            "en": {"flag": "gb", "name": "English"},
        },
        "MAIL_DOMAIN": (
            machine.base_host
            if "." in machine.base_host and not machine.base_host[0].isdigit()
            else "comptoir.localhost"
        ),
        "BASE_URL": machine.base_url,
    }


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {}
    # 4 connections a process: on 2 cores, more is slower. Waits are bounded, so that a page never
    # hangs on a lock.
    return {
        "pool_size": 4,
        "max_overflow": 4,
        "pool_pre_ping": True,
        "connect_args": {
            "options": "-c lock_timeout=5000 -c statement_timeout=60000 -c timezone=UTC",
            # A server that is there and says nothing: its own time-outs do not count then.
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        },
    }


def _render_item(kind: str, item: Any, _context: Any) -> Any:
    """Migrations name plain columns, not our types: they must outlive models.py."""
    if kind == "type" and isinstance(item, TypeDecorator) and item.__module__ == "models":
        return f"sa.{item.impl_instance!r}"
    return False


def _queue_bell(seconds: int = 0) -> None:
    """Ring the worker, at once or after so many seconds; when the queue is away the sweep of the
    next minute finds the row.
    """
    import tasks

    try:
        if seconds:
            tasks.ring.schedule(delay=seconds + 1)
        else:
            tasks.ring()
    except Exception:
        logging.getLogger("app").warning(
            "the queue does not answer; the sweep will find what waits", exc_info=True
        )


def _program_version() -> str:
    """The version of the database this program was written for: the last migration beside it."""
    return max(
        path.name.partition("_")[0] for path in (ROOT / "migrations" / "versions").glob("[0-9]*.py")
    )


# ── before and after each request ──


def _trace() -> None:
    """Each request has an id: its proxy's, else ours; the logs, the audit log and the answer carry
    it.
    """
    trusted = request.headers.get("X-Request-Id", "") if _machine().is_production else ""
    trace.begin(trusted, request.remote_addr or "")
    g.began = time.perf_counter()


def _log(response: Response) -> Response:
    """One line a request: what was asked by its route, never by its address, which may hold a name
    or a link.
    """
    response.headers["X-Request-Id"] = trace.here().id
    if _machine().is_production:
        machines.serves()
    if not request.path.startswith("/static/"):
        logging.getLogger("access").info(
            "%s %s %s",
            request.method,
            request.url_rule or "—",
            response.status_code,
            extra={
                "method": request.method,
                "route": str(request.url_rule or ""),
                "status": response.status_code,
                "ms": round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000, 1),
                "bytes": response.calculate_content_length() or 0,
            },
        )
    return response


_right_version_until = 0.0


def _refuse_another_version() -> Any:
    """A program and a database of different versions do not work together: a page says so until one
    of them was brought up to date. Looked at once a minute: the database may be migrated under a
    process that runs.
    """
    global _right_version_until
    if time.monotonic() < _right_version_until:
        return None
    if health.is_another_version():
        return (
            _bare(503, _("Comptoir is being updated: come back in a minute.")),
            503,
            {"Retry-After": "60"},
        )
    _right_version_until = time.monotonic() + 60
    return None


def _which_face() -> Any:
    """The site and the face a Host header asks for; a stranger's host is refused."""
    host = (urlsplit(f"//{request.host}").hostname or "").lower()
    machine = _machine()
    g.is_back_office = host == machine.base_host or (
        not machine.is_production and sites.is_loopback(host)
    )
    # Only lists are large, and only from who is signed in or shows a key.
    if not (
        (request.endpoint == "ImportView.upload" and "key" in session)
        or (request.endpoint == "api.give_file" and "Authorization" in request.headers)
    ):
        request.max_content_length = 13_000_000
    if request.path.startswith("/static/"):
        g.site_id = None
        return None
    if (refused := _refuse_another_version()) is not None:
        return refused
    g.site_id = sites.resolve(host)
    if g.site_id is None and not g.is_back_office:
        abort(400, description=_("No site answers « %(host)s » here.", host=host[:100]))
    if g.site_id is None and request.path == "/":
        abort(redirect(url_for("DashboardView.index")))
    return None


def _machine() -> config.Config:
    machine: config.Config = current_app.extensions["comptoir"]
    return machine


PUBLIC_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src"
    " 'self' blob: mediastream:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri"
    " 'none'; frame-ancestors 'none'; manifest-src 'self'; report-uri /api/v1/csp; report-to csp"
)


def _guard(response: Response) -> Response:
    """The headers of every answer; a picture or a mail may have set a stricter policy of its
    own.
    """
    headers = response.headers
    headers.setdefault("Content-Security-Policy", PUBLIC_POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Frame-Options"] = "DENY"
    headers["Reporting-Endpoints"] = 'csp="/api/v1/csp"'
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
    if _machine().is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if request.path.startswith("/static/"):
        # A module that another one imports has no version in its address: it is asked for anew.
        plain = "no-cache" if request.path.endswith(".js") else "public, max-age=3600"
        headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if "v" in request.args else plain
        )
    elif "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    return response


# ── what templates say ──


def _compile_words() -> None:
    """The catalogues people edit (.po) become those machines read (.mo) when they are newer; no
    build step to forget.
    """
    for source in (ROOT / "translations").glob("*/LC_MESSAGES/messages.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with (
            source.open("rb") as words,
            tempfile.NamedTemporaryFile(dir=source.parent, delete=False) as made,
        ):
            write_mo(made, read_po(words))
        os.chmod(made.name, 0o644)
        os.replace(made.name, target)


def _speak(app: Flask) -> None:
    filters = app.jinja_env.filters
    filters["money"] = money.text
    filters["plain_money"] = money.plain
    filters["percent"] = money.percent
    filters["whole"] = lambda n: f"{int(n):,}".replace(",", money.THIN)
    filters["tenths"] = lambda n: format_decimal(n, "0.0")
    filters["moment"] = dates.moment
    filters["moment_short"] = dates.moment_short
    filters["day"] = dates.day
    filters["iso_day"] = lambda text: dates.day(date.fromisoformat(text))
    filters["ago"] = dates.ago
    filters["word"] = workflow.words_of
    filters["tone"] = workflow.tone_of
    filters["ean"] = products.grouped
    filters["phone"] = customers.shown_phone
    names = app.jinja_env.globals
    names["locale"] = lambda: str(get_locale() or "fr")
    names["asset"] = _asset
    names["can"] = workflow.can
    names["code128"] = documents.bars_path
    names["amounts_of"] = amounts.of
    names["checking_time"] = offers.checking_time
    names["back_office_url"] = lambda path: f"{app.config['BASE_URL']}/gestion/{path}"
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


_hashes: dict[str, str] = {}


def _asset(name: str) -> str:
    """The address of a static file with its fingerprint, so that it may be kept for ever."""
    if name not in _hashes:
        _hashes[name] = hashlib.sha256((ROOT / "static" / name).read_bytes()).hexdigest()[:10]
    return url_for("static", filename=name, v=_hashes[name])


# ── what goes wrong ──


def _errors(app: Flask) -> None:
    """Which sentence, page or answer each kind of error gets."""
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(FileNotFoundError, _lost_file)
    app.register_error_handler(OSError, _disk_error)
    app.register_error_handler(unit.StaleDataError, _somebody_was_faster)
    app.register_error_handler(HTTPException, _known_error)
    app.register_error_handler(Exception, _crashed)


def _refused(error: Refused) -> Any:
    db.session.rollback()
    seconds = getattr(error, "seconds", None)
    if request.path.startswith("/api/"):
        return api.problem(409, error.code, str(error))
    if "X-Fragment" in request.headers:
        return _fragment(str(error), 429 if seconds else 409)
    if already := _sent_before():
        return redirect(already)
    if request.method == "GET":
        return _page(
            429 if seconds else 409,
            str(error),
            {"Retry-After": str(seconds)} if seconds else {},
        )
    flash(str(error), "danger")
    return redirect(_back())


def _stale_form(error: CSRFError) -> Any:
    """The session ended under a form: say so, and show again what was typed."""
    view = current_app.view_functions.get(request.endpoint or "")
    if (
        request.path.startswith("/compte/")
        and view is not None
        and request.endpoint in KEEPS_WHAT_IS_TYPED
    ):
        flash(
            _("This page had been open for too long: check what you typed and send it again."),
            "warning",
        )
        return view(**(request.view_args or {}))
    if "X-Fragment" in request.headers or request.path == "/scanner":
        return _page(400, _("This page had been open for too long: reload it."))
    flash(_("This page had been open for too long: please do it again."), "warning")
    return redirect(_back())


def _database_error(error: DBAPIError) -> Any:
    db.session.rollback()
    if isinstance(error, IntegrityError) and (already := _sent_before()):
        return redirect(already)
    if isinstance(error, DataError):  # a NUL byte, a number no column can hold
        return _page(400, _sentence(400))
    if isinstance(error, IntegrityError):
        return _refused(
            Refused(
                _(
                    "Somebody did the same at the same moment, or this already exists: look at"
                    " it again."
                )
            )
        )
    if unit.is_lock(error):
        return _page(
            503,
            _("Many people are at work: try again in a few seconds. Nothing was lost."),
            {"Retry-After": "3"},
        )
    if unit.is_away(error):
        return _away(error)
    return _crashed(error)


def _away(error: Exception) -> Any:
    """What the machine itself lacks (its database, room on its disk): it passes, and is no bug."""
    logging.getLogger("app").error("the machine cannot work: %s", str(error)[:300])
    return _page(
        503,
        _(
            "Our machine cannot keep anything for the moment: try again in a minute. What you sent"
            " was not kept."
        ),
        {"Retry-After": "60"},
    )


def _disk_error(error: OSError) -> Any:
    """A disk that is full, read-only or gone; another error of the system is a bug of ours."""
    db.session.rollback()
    return _away(error) if error.errno in _NO_ROOM else _crashed(error)


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}


def _lost_file(error: FileNotFoundError) -> Any:
    """A stored file that is no longer there (forgotten, or a disk lost): the page says so, the log
    says which.
    """
    db.session.rollback()
    logging.getLogger("app").error("a stored file is missing: %s", Path(error.filename or "").name)
    return _page(404, _("This file is no longer kept."))


def _somebody_was_faster(_error: Exception) -> Any:
    db.session.rollback()
    return _refused(
        Refused(_("Somebody changed this at the same moment: look at it again before you decide."))
    )


def _known_error(error: HTTPException) -> Any:
    db.session.rollback()
    if error.code is None or error.code < 400:
        return error
    if error.code == 401 and request.path.startswith("/gestion"):
        return redirect(url_for("AuthView.login"))
    if error.code == 404 and (there := _without_slash()):
        return redirect(there, 301)
    said = (
        error.description
        if error.code == 400
        and not isinstance(error, CSRFError)
        and "site" in str(error.description)
        else None
    )
    return _page(error.code, said or _sentence(error.code))


def _without_slash() -> str | None:
    """The page somebody meant who typed a slash after its address; None where there is none, and
    where a page of that very address answered that it is not for this visitor.
    """
    path = request.path.rstrip("/")
    if (
        request.url_rule is not None
        or request.method != "GET"
        or path == request.path
        or "//" in path
        or not path
    ):
        return None
    adapter = current_app.create_url_adapter(request)
    if adapter is None or not adapter.test(path, "GET"):
        return None
    query = request.query_string.decode("ascii", "ignore")
    return path + (f"?{query}" if query else "")


def _crashed(error: Exception) -> Any:
    db.session.rollback()
    reference = secrets.token_hex(4)
    logging.getLogger("app").exception("error %s on %s %s", reference, request.method, request.path)
    return _page(
        500,
        _(
            "Something broke on our side: nothing was kept. Try again; if it comes back, give"
            " us this reference: %(ref)s.",
            ref=reference,
        ),
    )


# Pages whose form checks its own token: they can be shown again with what was typed.
KEEPS_WHAT_IS_TYPED = {
    "portal.open_account",
    "portal.sign_in",
    "portal.forgotten",
    "portal.new_password",
    "portal.correct",
    "portal.change_email",
    "portal.change_password",
}


# What programs read of an error that no route of the API stated.
API_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "too_many",
    500: "internal_error",
    503: "unavailable",
}


def _sentence(code: int) -> str:
    return {
        400: _("This address or this form is incomplete: go back and try again."),
        403: _("Your role does not give access to this page: ask an administrator of your shop."),
        404: _("There is nothing at this address, or it is not yours to see."),
        405: _("This address only answers a button of its page."),
        413: _("This file is too heavy: 12 MB for a photo, 50 MB for a list."),
        429: _("Too many requests: wait a minute."),
    }.get(code, _("This cannot be done."))


def _page(code: int, sentence: str, headers: dict[str, str] | None = None) -> Any:
    """An error as a page of the right face, or as JSON for machines."""
    if request.path.startswith("/api/"):
        if code == 405:
            sentence = _("This address does not answer %(method)s.", method=request.method)
        return api.problem(code, API_CODES.get(code, str(code)), sentence, headers=headers)
    if request.path == "/scanner":
        return jsonify(code=str(code), message=sentence), code, headers or {}
    try:
        staff_face = (
            request.path.startswith("/gestion")
            and g.get("is_back_office")
            and current_user.is_authenticated
        )
        if not staff_face and (not g.get("site_id") or code == 500):
            return _bare(code, sentence), code, headers or {}
        template = "errors/admin.html" if staff_face else "errors/portal.html"
        site = db.session.get(portal.access.Site, g.site_id) if g.get("site_id") else None
        words = {"site": site, "me": portal.access.me} if template == "errors/portal.html" else {}
        return render_template(template, code=code, sentence=sentence, **words), code, headers or {}
    except Exception:
        db.session.rollback()
        return _bare(code, sentence), code, headers or {}


def _bare(code: int, sentence: str) -> str:
    """A page that needs no site, no session and no database."""
    return current_app.jinja_env.get_template("errors/bare.html").render(
        code=code, sentence=sentence
    )


def _sent_before() -> str | None:
    """Where the first sending of this very form led: the loser of a double click is shown the
    winner's page.
    """
    token = request.form.get("form_token", "") if request.method == "POST" else ""
    return once.seen(token) if token else None


def _fragment(sentence: str, code: int) -> Any:
    return render_template("errors/_toast.html", sentence=sentence), code


def _back() -> str:
    """The page a form came from, when it is one of ours."""
    came_from = urlsplit(request.referrer or "")
    if came_from.netloc == request.host and came_from.path:
        return came_from.path + (f"?{came_from.query}" if came_from.query else "")
    return (
        url_for("DashboardView.index")
        if request.path.startswith("/gestion")
        else url_for("portal.cart_page" if request.path.startswith("/boutique/") else "portal.sell")
    )
