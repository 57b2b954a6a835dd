"""Files that other people's servers hold, fetched over https or SFTP: at most twenty, within one
deadline, each whole or not at all.
"""

import base64
import contextlib
import posixpath
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import urllib3
from flask_babel import gettext as _

from gateways import FetchedFile, GatewayError, Place, silence
from gateways.outside import Outside

# Seconds for one place, its files included; under `outbox.LEASE`.
WHOLE_FETCH = 60.0
MOST_BYTES = 60_000_000
MOST_HOPS = 4
TIMEOUT = urllib3.Timeout(connect=5, read=15)


class HttpsAndSftp:
    def __init__(self, allow_private: bool, **how: Any) -> None:
        self._outside = Outside(allow_private, **how)

    def fetch(self, place: Place, into: Path) -> list[FetchedFile]:
        """The files of a place that are new since `place.seen`, oldest first, written into a
        folder. Raises UnknownHost, before anything is said to it, when a server does not show the
        key that was accepted; GatewayError for anything else.
        """
        try:
            parts = urlsplit(place.url)
            if parts.scheme == "sftp":
                from gateways import sftp  # its library takes 12 MB, which only a worker needs

                return sftp.fetch(self._outside, place, into)
            return self._over_http(place, into)
        except urllib3.exceptions.HTTPError as error:
            raise GatewayError(silence(error)) from error
        except ValueError as error:  # a port that is none, in an address we were sent on to
            raise GatewayError(_("It sends us on to an address that is none.")) from error
        except OSError as error:
            raise GatewayError(_why(error)) from error

    # ── https ──

    def _over_http(self, place: Place, into: Path) -> list[FetchedFile]:
        first = parts = urlsplit(place.url)
        end = time.monotonic() + WHOLE_FETCH
        for _hop in range(MOST_HOPS):
            is_same = (parts.scheme, parts.netloc) == (first.scheme, first.netloc)
            headers = _headers(parts, place, with_secret=is_same)
            answer = self._asked(parts, headers, max(1.0, end - time.monotonic()))
            with contextlib.closing(answer):
                if answer.status == 304:
                    return []
                where = answer.headers.get("location", "")
                if answer.status in (301, 302, 303, 307, 308) and where:
                    parts = urlsplit(urljoin(parts.geturl(), where))
                    if parts.scheme not in ("http", "https"):
                        raise GatewayError(_("It sends us on to an address that is none."))
                    continue
                if answer.status != 200:
                    raise GatewayError(_refusal(answer.status))
                target = into / "0"
                write(target, answer.stream(1 << 16, decode_content=True))
                if time.monotonic() >= end:  # cut by us: half a file would look like all there is
                    raise GatewayError(_("The file did not come whole in time."))
                name = _name_said(answer.headers.get("content-disposition", ""))
                changed = answer.headers.get("last-modified", "")
                return [
                    FetchedFile(
                        name=name
                        or unquote(posixpath.basename(parts.path))
                        or parts.hostname
                        or "",
                        path=target,
                        modified=_moment(changed),
                        mark=answer.headers.get("etag", "") or changed,
                    )
                ]
        raise GatewayError(_("It sends us on from address to address without an end."))

    def _asked(self, parts: SplitResult, headers: dict[str, str], seconds: float) -> Any:
        """The answer of the first of its addresses that takes the call."""
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        failed: Exception | None = None
        for address in self._outside.web_addresses(parts):
            pool = self._outside.pool(parts, address, seconds)
            try:
                return pool.urlopen(
                    "GET",
                    target,
                    headers=headers,
                    redirect=False,
                    retries=False,
                    timeout=TIMEOUT,
                    preload_content=False,
                )
            except (
                urllib3.exceptions.NewConnectionError,
                urllib3.exceptions.ConnectTimeoutError,
            ) as error:
                failed = error
        raise GatewayError(
            silence(failed) if failed else _("This name leads nowhere: check the address.")
        )


def write(target: Path, blocks: Iterator[bytes]) -> None:
    """Raises GatewayError when it is larger than what we take by hand."""
    size = 0
    with target.open("wb") as file:
        for block in blocks:
            size += len(block)
            if size > MOST_BYTES:
                raise GatewayError(too_large())
            file.write(block)


def _headers(parts: SplitResult, place: Place, *, with_secret: bool) -> dict[str, str]:
    """`with_secret`: only to the server it was given for, never where that one sends us on."""
    headers = {
        "host": parts.netloc.rpartition("@")[2],
        "user-agent": "Comptoir",
        "accept-encoding": "gzip",
    }
    mark = place.seen.get("", "")
    if mark:
        is_tag = mark.startswith(('"', 'W/"'))
        headers["if-none-match" if is_tag else "if-modified-since"] = mark
    if with_secret and place.login:
        both = f"{place.login}:{place.secret}".encode()
        headers["authorization"] = f"Basic {base64.b64encode(both).decode()}"
    elif with_secret and place.secret:
        headers["authorization"] = f"Bearer {place.secret}"
    return headers


def too_large() -> str:
    return _("This file is larger than %(most)s MB.", most=MOST_BYTES // 1_000_000)


def refused_sign_in() -> str:
    return _("The server refuses this name or this password (or key): check them.")


def no_file() -> str:
    return _("The server has no file at this address.")


def _refusal(status: int) -> str:
    if status in (401, 403):
        return refused_sign_in()
    if status in (404, 410):
        return no_file()
    return _("The server answers « %(status)s » instead of a file.", status=f"HTTP {status}")


def _name_said(disposition: str) -> str:
    """« attachment; filename="stock.csv" »: the name; empty without one."""
    message = Message()
    message["content-disposition"] = disposition
    return posixpath.basename((message.get_filename() or "").replace("\\", "/"))


def _moment(words: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(words) if words else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return no_file()
    if isinstance(error, PermissionError):
        return _("The server does not let us read there.")
    return silence(error)
