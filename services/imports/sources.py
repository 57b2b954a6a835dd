"""Files that are fetched where a vendor's software leaves them, over https or SFTP, every so often
(AN-040): the counterpart of the watched folder for what lies on somebody else's server.

A source is rung when its time has come; the worker fetches what is new since the last time and
gives it as if somebody had (`runs.receive`). What fails is written on the source and tried at its
next time. A server that shows another key than the one a person accepted is told nothing.
"""

import json
import re
import tempfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NotRequired, TypedDict
from urllib.parse import urlsplit

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from gateways import FetchedFile, GatewayError, Place, UnknownHost, live
from models import FeedSource, SourceState
from services import clock, outbox, sealing, workflow
from services.imports import old_spreadsheets, runs, tables
from services.unit import db
from services.workflow import CLOCK, TIME, Actor, Move, Refused, Workflow

S = SourceState
workflow.name_states(
    (S.active, _l("Active"), "ok"),
    (S.to_trust, _l("Its server's key is to be confirmed"), "warn"),
    (S.paused, _l("Paused"), "off"),
)
# ruff: disable[E501]
SOURCE = Workflow(
    "feed_source",
    Move("fetch_now",   _l("Fetch now"),                {S.active},               None,       done=_l("Fetched by hand")),
    Move("ask_trust",   _l("Server's key to confirm"),  {S.active},               S.to_trust, by=(TIME,)),
    Move("trust",       _l("It is the right server"),   {S.to_trust},             S.active,   done=_l("Server's key accepted")),
    Move("move_elsewhere", _l("Address changed"),       {S.to_trust},             S.active,   by=(TIME,)),
    Move("pause",       _l("Pause"),                    {S.active, S.to_trust},   S.paused,   done=_l("Paused")),
    Move("resume",      _l("Start again"),              {S.paused},               S.active,   done=_l("Started again")),
)  # fmt: skip
# ruff: enable[E501]
sealing.keeps(FeedSource, "secret_sealed", lambda row: _place(row.id))
LEAST_MINUTES, MOST_MINUTES = 5, 7 * 24 * 60
MOST_SEEN = 5_000  # marks kept of a source
FAILURES = 2  # in a row, then somebody is told
_ADDRESS = re.compile(r"(https?|sftp)://[A-Za-z0-9.\-\[\]:]+(/[^\s\x00-\x1f]*)?")


def _place(id: int) -> str:
    return f"feed_source.secret:{id}"


# ── what a source must be ──


def kinds() -> list[runs.Kind]:
    """The kinds of file that may be fetched: all but those that open an access."""
    return [kind for kind in runs.KINDS.values() if not kind.gives_access]


def check(row: FeedSource, secret: str = "") -> None:
    """Tidy a source's sheet. Raises Refused with what is wrong on it. An address that changed
    begins anew: its server is asked for its key again, no file counts as taken, and the password
    of one server (`secret`: as it was typed now) is never told to another.
    """
    before = _address_before(row)
    is_elsewhere = before is not None
    row.name, row.url = (row.name or "").strip(), (row.url or "").strip()
    row.login = (row.login or "").strip()
    if not row.name:
        raise Refused(_("Give this source a name."))
    if row.kind not in {kind.name for kind in kinds()}:
        raise Refused(_("Choose what this file holds."))
    kind = runs.KINDS[row.kind]
    if row.mode and row.mode not in kind.modes:
        raise Refused(_("This mode is not one of files of this kind: « as its header says » is."))
    _check_address(row.url)
    if before is not None and _server(before) != _server(row.url) and not secret.strip():
        if row.login and row.secret_sealed:
            raise Refused(
                _(
                    "It is another server: type its password, or empty the user name if it needs"
                    " none."
                )
            )
        row.secret_sealed = ""
    _check_owner(row, kind)
    if not LEAST_MINUTES <= (row.every_minutes or 0) <= MOST_MINUTES:
        raise Refused(
            _(
                "Fetch it every %(least)s minutes at most, once a week at least.",
                least=LEAST_MINUTES,
            )
        )
    row.created_at = row.created_at or clock.now()
    row.next_at = row.next_at or clock.now()
    if is_elsewhere:
        row.host_key = row.shown_key = row.error = ""
        row.seen, row.failures, row.next_at = {}, 0, clock.now()
        if row.status is S.to_trust:  # the key of the other server is asked about no more
            SOURCE.fire(row, "move_elsewhere", by=CLOCK)


def _check_owner(row: FeedSource, kind: runs.Kind) -> None:
    """The store, where there is one, says whose a source is."""
    if row.store is not None:
        if row.vendor is not None and row.store.vendor_id != row.vendor.id:
            raise Refused(_("This store belongs to another vendor."))
        row.vendor = row.store.vendor
    if row.vendor is None and (kind.needs_store or row.kind in ("listings", "prices")):
        raise Refused(_("Choose the store or the vendor this file comes from."))
    if row.vendor is not None and not kind.for_vendors:
        raise Refused(_("Only the operator gives such files: leave the vendor empty."))


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_one = parts.port is None or parts.port > 0
    except ValueError:
        is_one = False
    if not is_one or not _ADDRESS.fullmatch(url) or len(url) > 500:
        raise Refused(
            _(
                "This is no address we can fetch from: write https://… or sftp://server/folder/"
                "stock_*.csv, the name and the password in their own fields."
            )
        )
    folder, _slash, name = parts.path.rpartition("/")
    if set("*?[") & set(folder):
        raise Refused(_("« * » stands for what changes in a file's name, not in a folder's."))
    if parts.scheme != "sftp" and set("*[") & set(name):
        raise Refused(_("« * » is for sftp:// only: a web address names one file."))


def _address_before(row: FeedSource) -> str | None:
    """The address a source had, when it was edited in this unit: another server, another folder,
    another file.
    """
    history = db.inspect(row).attrs.url.history
    is_other = bool(history.deleted) and history.deleted[0] != row.url
    return str(history.deleted[0]) if is_other else None


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def keep_secret(row: FeedSource, secret: str) -> None:
    """Seal what was typed; nothing typed keeps what there is. The row has its number already.
    Raises Refused when it is a private key that cannot be read.
    """
    if not secret.strip():
        return
    if "PRIVATE KEY" in secret:
        from gateways import sftp  # loads its library, which only this and a worker need

        try:
            sftp.read_key(secret)
        except GatewayError as error:
            raise Refused(str(error)) from error
    row.secret_sealed = sealing.seal(secret.strip(), _place(row.id))
    if row.status is S.active:  # else its error says what a person must compare
        row.error, row.failures, row.next_at = "", 0, clock.now()


# ── its life ──


def pause(row: FeedSource, *, by: Actor) -> None:
    SOURCE.fire(row, "pause", by=by)


def resume(row: FeedSource, *, by: Actor) -> None:
    anew = {"next_at": clock.now(), "failures": 0, "error": ""}
    SOURCE.fire(row, "resume", by=by, set=anew)


def trust(row: FeedSource, *, by: Actor, key: str = "") -> None:
    """The key the server showed is the right one: from now on no other is spoken to. Raises Refused
    when it showed another one since the page was drawn (`key`).
    """
    if key and key != row.shown_key:
        raise Refused(_("The server has shown another key since: compare it again."))
    accepted = {"host_key": row.shown_key, "shown_key": "", "error": "", "next_at": clock.now()}
    SOURCE.fire(row, "trust", by=by, set=accepted)


def fetch_now(row: FeedSource, *, by: Actor) -> None:
    SOURCE.fire(row, "fetch_now", by=by)
    ring(row)


def due() -> list[int]:
    """The sources whose time has come."""
    rows = select(FeedSource.id).where(
        FeedSource.status == S.active, FeedSource.next_at <= clock.now()
    )
    return list(db.session.scalars(rows.order_by(FeedSource.next_at)))


def ring(row: FeedSource) -> None:
    """Ask the worker to fetch from a source, once, and set its next time."""
    now = clock.now()
    row.next_at = now + timedelta(minutes=row.every_minutes)
    key = f"fetch:{row.id}:{int(now.timestamp() * 1000)}"
    outbox.add("fetch", key, source=row.id, vendor=row.vendor_id or 0)


def is_in_trouble(row: FeedSource) -> bool:
    """A key to confirm, two failures in a row, or a file that came and could not be loaded."""
    is_file = bool(row.error) and row.failures == 0
    return row.status is S.to_trust or (
        row.status is S.active and (row.failures >= FAILURES or is_file)
    )


def in_trouble(vendor_id: int | None = None) -> list[FeedSource]:
    """The sources somebody must look at, perhaps of one vendor."""
    rows = select(FeedSource).where(FeedSource.status != S.paused).order_by(FeedSource.id)
    return [
        row
        for row in db.session.scalars(rows)
        if is_in_trouble(row) and vendor_id in (None, row.vendor_id)
    ]


# ── the worker's door ──


class ToFetch(TypedDict):
    """What the outbox keeps of a source to fetch from."""

    source: int
    vendor: NotRequired[int]  # older rows do not name it


class Answer(TypedDict, total=False):
    """What came back from an address: files that are kept already, another key, or why nothing
    came.
    """

    url: str
    files: list[dict[str, Any]]
    shown_key: str
    error: str


def _call(payload: ToFetch, key: str) -> str:
    row = db.session.get(FeedSource, payload["source"])
    if row is None or live.fetching is None:
        raise GatewayError(_("This source is gone."), permanent=True)
    answer: Answer = {"url": row.url}
    if row.status is not S.active:  # paused since it was rung
        return json.dumps(answer)
    try:
        place = Place(
            url=row.url,
            login=row.login,
            secret=sealing.unseal(row.secret_sealed, _place(row.id)) if row.secret_sealed else "",
            host_key=row.host_key,
            seen=dict(row.seen),
            newest_only=_newest_only(row),
        )
        db.session.rollback()
        with tempfile.TemporaryDirectory() as folder:
            answer["files"] = [_kept(one) for one in live.fetching.fetch(place, Path(folder))]
    except UnknownHost as unknown:
        answer["shown_key"] = unknown.shown
    except GatewayError as error:
        answer["error"] = str(error)
    except sealing.CannotOpen:
        answer["error"] = _("Its password cannot be opened with this installation's keys.")
    return json.dumps(answer)


def _newest_only(row: FeedSource) -> bool:
    """A file that says all there is makes those before it worthless."""
    return row.mode in (runs.FULL, "replace")


def _kept(file: FetchedFile) -> dict[str, Any]:
    kept = runs.keep(file.path, _with_ending(file))
    at = runs.date_in_name(kept.name) or file.modified
    return {
        "stored": kept.stored,
        "sha256": kept.sha256,
        "name": kept.name,
        "own_name": file.name,
        "mark": file.mark,
        "at": min(at, clock.now()).isoformat() if at else None,
    }


def _with_ending(file: FetchedFile) -> str:
    """An address such as « export.php » does not say what its file is: its first bytes do."""
    if Path(file.name).suffix.lower() in tables.NAMES:
        return file.name
    with file.path.open("rb") as opened:
        start = opened.read(8)
    if old_spreadsheets.is_one(start):
        return file.name[:190] + ".xls"
    return file.name[:190] + (".xlsx" if start.startswith(b"PK\x03\x04") else ".csv")


def _record(payload: ToFetch, answer: str | None, error: str | None) -> None:
    row = db.session.get(FeedSource, payload["source"], with_for_update=True)
    if row is None:
        return
    came: Answer = json.loads(answer) if answer else {"error": error or ""}
    if row.status is not S.active or came.get("url", row.url) != row.url:
        return  # paused, or its address changed, while the call was under way
    row.last_at = clock.now()
    if key := came.get("shown_key"):
        row.shown_key = key
        row.error = _another_key(row)
        SOURCE.fire(row, "ask_trust", by=CLOCK)
        return
    sentence = came.get("error", "") or _give(row, came.get("files", []))
    if sentence:
        row.error, row.failures = sentence, row.failures + 1
        return
    row.last_good_at = clock.now()
    if row.failures or came.get("files"):  # else what is wrong with its last file still is
        row.error, row.failures = "", 0


def _another_key(row: FeedSource) -> str:
    if row.host_key:
        return _(
            "The server shows another key than before: nothing was said to it. Ask who keeps it"
            " whether it was changed, then compare."
        )
    return _("The server shows its key for the first time: compare it with the one you were given.")


def _give(row: FeedSource, files: Iterable[dict[str, Any]]) -> str:
    """Give the files as somebody would; the sentence of the first that is refused."""
    is_sftp, sentence = row.url.startswith("sftp://"), ""
    seen = dict(row.seen)
    for one in files:
        kept = runs.KeptFile(one["stored"], one["sha256"], one["name"])
        at = datetime.fromisoformat(one["at"]) if one["at"] else None
        try:
            runs.receive(
                kept,
                row.kind,
                by=Actor("machine", None, row.name),
                vendor=row.vendor,
                store=row.store,
                mode=row.mode,
                dated_at=at if row.kind == "stock" else None,
                source_id=row.id,
            )
        except Refused as refusal:
            sentence = sentence or str(refusal)
        name = one["own_name"] if is_sftp else ""
        seen.pop(name, None)
        seen[name] = one["mark"]
    row.seen = dict(list(seen.items())[-MOST_SEEN:])
    return sentence


outbox.handles(
    "fetch",
    _l("Files to fetch"),
    call=_call,
    record=_record,
    partner=lambda payload: f"{payload.get('vendor', 0)}/{payload['source']}",
)
