"""What browsers refused to load or run on our pages (Content-Security-Policy reports): counted,
never kept word for word.

The address that receives them is open to everybody, so it believes nobody: few different rows, no
query strings, short words.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from models import CspReport
from services import clock
from services.unit import changed, db, is_sqlite

MOST_ROWS = 500
KEPT_DAYS = 90
_PLAIN = re.compile(r"[^a-z-]")


def reports(body: Any) -> list[tuple[str, str, str]]:
    """(directive, what was blocked, page) of each report in a body, in either of the two shapes
    browsers send; strange ones are left out.
    """
    given = body if isinstance(body, list) else [body]
    found = []
    for one in given[:20]:
        if not isinstance(one, dict):
            continue
        report = one.get("csp-report") or one.get("body") or {}
        if not isinstance(report, dict):
            continue
        directive = (
            report.get("effective-directive")
            or report.get("effectiveDirective")
            or report.get("violated-directive")
            or ""
        )
        blocked = report.get("blocked-uri") or report.get("blockedURL") or ""
        page = report.get("document-uri") or report.get("documentURL") or ""
        directive, blocked, page = (
            w.encode("utf-8", "replace").decode() if isinstance(w, str) else w
            for w in (directive, blocked, page)
        )
        if all(isinstance(words, str) for words in (directive, blocked, page)) and directive:
            found.append((_PLAIN.sub("", directive.lower())[:40], _place(blocked), _path(page)))
    return [row for row in found if row[0]]


def note(rows: list[tuple[str, str, str]]) -> int:
    """Count them, in the caller's unit; returns how many were kept. Past a few hundred different
    ones only known ones count.
    """
    now, count = clock.now(), 0
    room = MOST_ROWS - (db.session.scalar(select(func.count(CspReport.id))) or 0)
    for directive, blocked, page in rows:
        existing = select(CspReport.id).where(
            CspReport.directive == directive, CspReport.blocked == blocked, CspReport.page == page
        )
        if db.session.scalar(existing) is None:
            if room <= 0:
                continue
            room -= 1
        insert = (sqlite if is_sqlite() else postgresql).insert(CspReport)
        row = insert.values(
            directive=directive, blocked=blocked, page=page, times=1, first_at=now, last_at=now
        ).on_conflict_do_update(
            index_elements=[CspReport.directive, CspReport.blocked, CspReport.page],
            set_={"times": CspReport.times + 1, "last_at": now},
        )
        db.session.execute(row)
        count += 1
    return count


def lately(days: int = 7) -> int:
    """How many were counted on rows seen these days."""
    since = clock.days_later(-days)
    return int(
        db.session.scalar(select(func.sum(CspReport.times)).where(CspReport.last_at > since)) or 0
    )


def forget_old() -> int:
    return changed(delete(CspReport).where(CspReport.last_at < clock.days_later(-KEPT_DAYS)))


def _place(address: str) -> str:
    """Who was blocked: a scheme and a host, or the word the browser uses (« inline », « eval »)."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "?"
    return (f"{parts.scheme}://{parts.netloc}" if parts.netloc else address.partition(":")[0])[
        :200
    ].replace("\0", "")


def _path(address: str) -> str:
    """The page, without what may be personal in its address."""
    try:
        path = urlsplit(address).path
    except ValueError:
        return "?"
    return re.sub(r"[A-Za-z0-9_.~-]{25,}|CDE\d+|\d{2,}", "…", path)[:200].replace("\0", "")
