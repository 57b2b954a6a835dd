"""What a page shows beside its words: covers, logos, the brand's stylesheet. All of it may be
cached.
"""

import mimetypes
import re
from pathlib import Path
from typing import Any

import zxingcpp
from flask import Response, abort, make_response, send_file

from models import Site
from portal import bp
from services import files
from services.catalogue import products
from services.people import sites
from services.storage import StoreAway
from services.unit import db

YEAR = "public, max-age=31536000, immutable"


@bp.get("/jaquette/<ean>")
def cover(ean: str) -> Any:
    """The cover of an article: the photo we have, else one drawn from title and platform; never a
    broken picture.
    """
    found = products.cover_of(ean)
    stored, title, platform = found or (None, ean, "")
    picture = _readable(stored)
    if picture is not None:
        response: Response = make_response(
            send_file(picture, mimetype=mimetypes.guess_type(picture.name)[0])
        )
    else:
        response = make_response(products.drawn_cover(title, platform))
        response.mimetype = "image/svg+xml"
        # A picture of ours runs nothing, whatever a title holds.
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        )
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def _readable(name: str | None) -> Path | None:
    """Where a stored picture can be read now; None without one, or while the store is away."""
    try:
        return files.path(name) if name and files.exists(name) else None
    except (StoreAway, FileNotFoundError):
        return None


@bp.get("/logo/<name>")
def logo(name: str) -> Any:
    if not db.session.scalar(db.select(Site.id).where(Site.logo == name)):
        abort(404)
    response = make_response(send_file(files.path(name), mimetype="image/png"))
    response.headers["Cache-Control"] = YEAR
    return response


@bp.get("/marque/<int:site_id>-<digest>.css")
def brand(site_id: int, digest: str) -> Any:
    """Six colours and a radius as CSS variables; the digest in the address makes it cacheable for
    ever.
    """
    site = db.session.get(Site, site_id)
    if site is None:
        abort(404)
    response = make_response(sites.stylesheet(site))
    response.mimetype = "text/css"
    response.headers["Cache-Control"] = (
        YEAR if digest == sites.stylesheet_hash(site) else "no-cache"
    )
    return response


@bp.app_template_global()
def brand_hash(site: Site) -> str:
    return sites.stylesheet_hash(site)


@bp.app_template_global()
def qr(address: str) -> tuple[int, str]:
    """The squares of a QR code for a page to draw: side with its quiet zone, path of an SVG."""
    drawn = zxingcpp.create_barcode(address, zxingcpp.BarcodeFormat.QRCode).to_svg()
    side, squares = re.search(r'width="(\d+)"', drawn), re.search(r' d="([^"]+)"', drawn)
    assert side, "the barcode library draws its squares otherwise than it did"
    assert squares, "the barcode library draws its squares otherwise than it did"
    return int(side[1]), squares[1]
