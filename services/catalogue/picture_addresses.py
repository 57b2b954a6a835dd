"""Pictures that a référencier names by their address: fetched in the background, made again, and
given to their product as if somebody had sent them.

An address is kept once for a product, so that the same file again fetches nothing. One that fails
is tried three times, then a person looks (« Photos à aller chercher »).
"""

import logging
import re
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Connection, select, text

from gateways import GatewayError, Place, live
from models import PictureAddress, PictureAddressState
from services import clock, files, workflow
from services.catalogue import products
from services.imports import undoing
from services.unit import db, insert_many, raw, retried, unit_of_work
from services.workflow import CLOCK, TIME, Actor, Move, Refused, Workflow

log = logging.getLogger(__name__)

S = PictureAddressState
workflow.name_states(
    (S.to_fetch, _l("To be fetched"), "info"),
    (S.fetched, _l("Fetched"), "ok"),
    (S.failed, _l("Could not be fetched"), "bad"),
)
PICTURE_ADDRESS = Workflow(
    "picture_address",
    Move("take_picture", _l("Fetched"), {S.to_fetch}, S.fetched, by=(TIME,)),
    Move("give_up", _l("Given up"), {S.to_fetch}, S.failed, by=(TIME,)),
    Move(
        "fetch_again",
        _l("Fetch again"),
        {S.failed, S.to_fetch},
        S.to_fetch,
        done=_l("Asked for again"),
    ),
)
# Minutes before the second and the third try.
WAITS = (5, 60)
AT_ONCE, BUDGET_SECONDS = 200, 50
MOST_OF_A_LINE = 1 + products.MOST_IMAGES
_BETWEEN = re.compile(r"[\s|]+|,(?=\s*https?://)")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+/[!-~]*")


def read(cell: str) -> str:
    """The addresses of a cell, one space between them; the first is that of the cover. Raises
    Refused with the sentence about the one that is none.
    """
    found = [address for address in _BETWEEN.split(cell.strip()) if address]
    for address in found:
        if not _ADDRESS.fullmatch(address) or len(address) > 500:
            raise Refused(
                _(
                    "« %(words)s » is no address of a picture: https://… is one. The line is loaded"
                    " without it.",
                    words=address[:60],
                )
            )
    return " ".join(dict.fromkeys(found[:MOST_OF_A_LINE]))


def stage(connection: Connection, said: list[tuple[int, str]], *, run_id: int) -> None:
    """Keep the addresses a file names, of products in its order, in the transaction that loads it;
    those that are known stay as they are, and are not undone with the file.
    """
    rows = [
        (product_id, address, place)
        for product_id, cell in said
        for place, address in enumerate(cell.split())
    ]
    if not rows:
        return
    connection.execute(
        text(
            "CREATE TEMPORARY TABLE named_picture (product_id INTEGER, url VARCHAR(500), rank"
            " INTEGER)"
        )
    )
    insert_many(connection, "named_picture", ("product_id", "url", "rank"), rows)
    last = connection.execute(text("SELECT coalesce(max(id), 0) FROM picture_address")).scalar_one()
    connection.execute(
        text(
            "INSERT INTO picture_address (product_id, url, rank, status, tries, error, picture,"
            " next_at) SELECT product_id, url, min(rank), 'to_fetch', 0, '', '', :now FROM"
            " named_picture GROUP BY product_id, url ORDER BY product_id, min(rank) ON CONFLICT"
            " (product_id, url) DO NOTHING"
        ),
        {"now": raw(clock.now())},
    )
    new = f"SELECT id FROM picture_address WHERE id > {int(last)}"
    undoing.keep_created(connection, run_id, "picture_address", ["url"], among=new)
    connection.execute(text("DROP TABLE named_picture"))


def due() -> list[int]:
    """The addresses to fetch now, covers first."""
    rows = select(PictureAddress.id).where(
        PictureAddress.status == S.to_fetch, PictureAddress.next_at <= clock.now()
    )
    order = (PictureAddress.rank, PictureAddress.next_at, PictureAddress.id)
    return list(db.session.scalars(rows.order_by(*order).limit(AT_ONCE)))


def fetch(goes_on: Callable[[], bool] = lambda: True) -> int:
    """Fetch what is due, for some fifty seconds; returns how many products got a picture. No unit
    is open during a call.
    """
    end, done = time.monotonic() + BUDGET_SECONDS, 0
    for id in due():
        if time.monotonic() > end or not goes_on():
            break
        row = db.session.get(PictureAddress, id)
        url = row.url if row is not None else ""
        db.session.rollback()
        picture, error = _fetched(url)

        def write(id: int = id, picture: str = picture, error: str = error) -> bool:
            with unit_of_work():
                return _record(id, picture, error)

        try:
            done += retried(write)
        except Exception:  # one picture must not stop the others; it is tried again
            log.exception("picture address %s failed", id)
    return done


def _fetched(url: str) -> tuple[str, str]:
    """The name of the picture, kept; or why there is none."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = live.fetching.fetch(Place(url), Path(folder))
            return (files.keep_picture(found[0].path.read_bytes()), "") if found else ("", "")
    except (GatewayError, Refused) as refusal:
        return "", str(refusal)
    except Exception:  # one address must not stop the others, at each tour again
        log.exception("the picture at %s could not be fetched", _host(url))
        return "", _("An error of ours: it was written down.")


def _record(id: int, picture: str, error: str) -> bool:
    row = db.session.get(PictureAddress, id, with_for_update=True)
    if row is None or row.status is not S.to_fetch:
        return False  # somebody else did, or the product is gone
    row.tries += 1
    if picture:
        try:
            product = row.product.merged_into or row.product
            products.add_image(product, picture, by=Actor("machine", None, _host(row.url)))
        except Refused as refusal:
            PICTURE_ADDRESS.fire(row, "give_up", by=CLOCK, set={"error": str(refusal)}, log=False)
            return False
        taken = {"error": "", "picture": picture}
        PICTURE_ADDRESS.fire(row, "take_picture", by=CLOCK, set=taken, log=False)
        return True
    row.error = error[:500]
    if row.tries > len(WAITS):
        PICTURE_ADDRESS.fire(row, "give_up", by=CLOCK, log=False)
    else:
        row.next_at = clock.now() + timedelta(minutes=WAITS[row.tries - 1])
    return False


def fetch_again(row: PictureAddress, *, by: Actor) -> None:
    PICTURE_ADDRESS.fire(row, "fetch_again", by=by, set={"tries": 0, "next_at": clock.now()})


def _host(url: str) -> str:
    return url.split("/")[2][:100]


def not_fetched(product_id: int) -> list[PictureAddress]:
    """The addresses of a product that gave no picture yet."""
    rows = select(PictureAddress).where(
        PictureAddress.product_id == product_id, PictureAddress.status != S.fetched
    )
    return list(db.session.scalars(rows.order_by(PictureAddress.rank, PictureAddress.id)))
