"""The branded fronts: found by host name, dressed in their six colours, known by their
conditions.
"""

import hashlib
import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from models import BuyingRule, Platform, Site, SiteHost, SiteKind, ValidationMode, Vendor
from services import files, workflow
from services.unit import db
from services.workflow import Actor, Refused

workflow.name_states(
    (SiteKind.buyback, _l("Buy-back"), "info"),
    (SiteKind.shop, _l("Shop"), "info"),
    (SiteKind.both, _l("Buy-back and shop"), "info"),
    (ValidationMode.manual, _l("Manual validation"), "ok"),
    (ValidationMode.automatic, _l("Automatic validation"), "warn"),
)

files.named_by(Site, "logo")
_base_url = "http://127.0.0.1:8000"


def plug(base_url: str) -> None:
    """Called once by app.py: the address a site without a host of its own has."""
    global _base_url
    _base_url = base_url
    forget()


# ── which site a request is for ──

_FRESH_SECONDS = 5.0
_by_host: dict[str, tuple[float, int | None]] = {}


def resolve(host: str) -> int | None:
    """The id of the site that answers a host name; the default site on loopback; None for a
    stranger.
    """
    now = time.monotonic()
    known = _by_host.get(host)
    if known and now - known[0] < _FRESH_SECONDS:
        return known[1]
    found = db.session.scalar(select(SiteHost.site_id).where(SiteHost.host == host))
    if found is None and is_loopback(host):
        found = default_id()
    if len(_by_host) > 1000:  # strangers must not fill the memory
        _by_host.clear()
    _by_host[host] = (now, found)
    return found


def of_vendor(vendor_id: int) -> Site | None:
    """The site a vendor's own notices speak for."""
    return db.session.scalar(
        select(Site)
        .where(Site.vendor_id == vendor_id)
        .order_by(Site.is_default.desc(), Site.id)
        .limit(1)
    )


def default_id() -> int | None:
    return db.session.scalar(select(Site.id).order_by(Site.is_default.desc(), Site.id).limit(1))


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def forget() -> None:
    """What is remembered of sites and rules is stale."""
    _by_host.clear()
    for also in FORGET_TOO:
        also()


FORGET_TOO: list[Callable[[], None]] = []


@event.listens_for(Session, "after_flush")
def _notice(session: Session, _context: object) -> None:
    watched = (Site, SiteHost, BuyingRule, Platform)
    if any(isinstance(row, watched) for row in (*session.new, *session.dirty, *session.deleted)):
        session.info["sites_changed"] = True


@event.listens_for(Session, "after_commit")
def _forget_after_change(session: Session) -> None:
    if session.info.pop("sites_changed", False):
        forget()


def address(site: Site) -> str:
    """Where a site is, for links in mails: its first host, never the host of a request."""
    if site.hosts:
        base = urlsplit(_base_url)
        port = f":{base.port}" if base.port else ""
        return f"{base.scheme}://{site.hosts[0].host}{port}"
    return _base_url


# ── what a site looks like ──

COLORS = (
    "color_brand",
    "color_brand_strong",
    "color_on_brand",
    "color_accent",
    "color_page",
    "color_ink",
)
_HEX = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True)
class Contrast:
    """Two colours that text and background wear together, and what they are for."""

    over: str
    under: str
    what: object


CONTRASTS = (
    Contrast("color_on_brand", "color_brand", _l("text of the buttons on the brand colour")),
    Contrast("color_brand_strong", "color_page", _l("strong brand colour on the page")),
    Contrast("color_ink", "color_page", _l("ink on the page")),
)
ENOUGH = 4.5  # WCAG 2.2, 1.4.3


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two #rrggbb colours, from 1 to 21 (WCAG 2.2)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def check_colors(site: Site) -> None:
    """Raises Refused when a colour is no colour, or two that meet cannot be read."""
    for name in COLORS:
        value = (getattr(site, name) or "").strip().lower()
        if not _HEX.fullmatch(value):
            raise Refused(_("« %(value)s » is no colour: write it as #6a2c5b.", value=value))
        setattr(site, name, value)
    if site.radius not in (0, 8, 16):
        raise Refused(_("The radius is 0, 8 or 16 pixels."))
    for pair in CONTRASTS:
        ratio = contrast(getattr(site, pair.over), getattr(site, pair.under))
        if ratio < ENOUGH:
            raise Refused(
                _(
                    "Too little contrast (%(ratio)s, 4.5 at least): %(what)s. Choose a darker or a"
                    " lighter one.",
                    ratio=f"{ratio:.1f}",
                    what=pair.what,
                )
            )


def stylesheet(site: Site) -> str:
    """The brand of a site as CSS variables; everything else derives from them
    (static/css/tokens.css).
    """
    rules = [
        f"--marque:{site.color_brand}",
        f"--marque-fort:{site.color_brand_strong}",
        f"--sur-marque:{site.color_on_brand}",
        f"--accent:{site.color_accent}",
        f"--rayon:{site.radius}px",
    ]
    if site.logo:
        rules.append(f'--logo:url("/logo/{site.logo}")')
    day = (
        "@media"
        " (prefers-color-scheme:light)"
        f"{{:root{{--fond-2:{site.color_page};--encre:{site.color_ink}}}}}"
    )
    return f":root{{{';'.join(rules)}}}\n{day}\n"


def stylesheet_hash(site: Site) -> str:
    return hashlib.sha256(stylesheet(site).encode()).hexdigest()[:12]


def conditions_hash(site: Site) -> str:
    """Which conditions a seller agreed to, kept on his offer."""
    return hashlib.sha256(f"{site.short_conditions}\n{site.conditions}".encode()).hexdigest()


def _luminance(color: str) -> float:
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# ── life ──

_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+"
)


def open_site(
    vendor: Vendor, name: str, *, by: Actor, hosts: tuple[str, ...] = (), **look: object
) -> Site:
    """Open a buy-back site for a vendor: his domain or a sub-domain."""
    site = Site(vendor=vendor, name=name, **look)
    db.session.add(site)
    for host in hosts:
        answer_to(site, host)
    for column in Site.__table__.columns:
        if column.default is not None and getattr(site, column.name) is None:
            setattr(site, column.name, column.default.arg)
    check_colors(site)
    workflow.record(site, "create", by=by)
    return site


def answer_to(site: Site, host: str) -> None:
    """Let a site answer a host name. Raises Refused when it is none, or another site has it."""
    host = host.strip().lower().rstrip(".")
    if not _HOST.fullmatch(host):
        raise Refused(
            _(
                "« %(host)s » is no domain name: write it as rachat.maboutique.fr, without http://"
                " or path.",
                host=host,
            )
        )
    with db.session.no_autoflush:
        taken = db.session.scalar(select(SiteHost).where(SiteHost.host == host))
    if taken is not None and taken.site_id != site.id:
        raise Refused(_("« %(host)s » is already the address of another site.", host=host))
    if taken is None:
        site.hosts.append(SiteHost(host=host))


def rename_hosts(site: Site, words: str) -> None:
    """Let a site answer exactly these host names, one a line; the first is written in its mails."""
    wanted = [
        line.strip().lower().rstrip(".")
        for line in words.replace(",", "\n").splitlines()
        if line.strip()
    ]
    remaining = [h for h in site.hosts if h.host in wanted]
    if [h.host for h in remaining] == wanted:
        return
    site.hosts.clear()
    db.session.flush()
    for host in wanted:
        answer_to(site, host)
