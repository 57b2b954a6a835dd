"""Kill -9 before the k-th statement, commit or outside call, in a forked child; then look at what
is left.

The child inherits the program loaded and nothing of its connections: a point costs a tenth of a
second, so every point can be swept.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from sqlalchemy import event, func, select

from models import (
    Counter,
    Event,
    Message,
    Offer,
    OfferState,
    Outbox,
    Product,
    ProductState,
    Variant,
)
from services import limits
from services.finance import books
from services.unit import db


def _nothing(*_args: object) -> None:
    pass


step: Callable[..., None] = (
    _nothing  # what a fake partner calls before and after it acts; the child replaces it
)


def killed(point: int, work: Callable[[], Any]) -> bool:
    """Run `work` in a child that dies at its point-th step. False when it came to its end alive."""
    db.session.remove()
    db.engine.dispose()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _live_and_die(point, work)
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        return True
    assert os.WEXITSTATUS(status) == 0, "the child failed: see its traceback above"
    return False


def _live_and_die(point: int, work: Callable[[], Any]) -> None:
    global step
    left = point

    def count(*_args: object) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    try:
        step = count
        if isinstance(limits.storage, limits.SqliteStorage):
            limits.storage.forget_connections()
        event.listen(db.engine, "before_cursor_execute", count)
        event.listen(db.engine, "commit", count)
        work()
        db.session.remove()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(3)


def invariants() -> None:
    """Everything that must hold whatever died: sums, numbers, histories, chains, letters
    (I1–I10).
    """
    db.session.rollback()
    db.session.expire_all()
    assert books.check() == []
    numbers = sorted(n for n in db.session.scalars(select(Offer.number)) if n)
    last = db.session.scalar(select(Counter.value).where(Counter.name == "CDE")) or 0
    assert numbers == [f"CDE{n:09d}" for n in range(1, last + 1)]
    for id, state in db.session.execute(
        select(Offer.id, Offer.status).where(Offer.status != OfferState.draft)
    ):
        said = db.session.scalars(
            select(Event.to_state)
            .where(Event.subject == "offer", Event.subject_id == id, Event.to_state.is_not(None))
            .order_by(Event.id.desc())
            .limit(1)
        ).first()
        assert said == state
    letters = select(func.count(Outbox.id)).where(Outbox.kind == "message")
    assert (db.session.scalar(select(func.sum(Message.sends))) or 0) == (
        db.session.scalar(letters) or 0
    )
    bare = select(func.count(Product.id)).where(
        Product.status != ProductState.merged, Product.id.not_in(select(Variant.product_id))
    )
    assert db.session.scalar(bare) == 0  # a sheet without a barcode is half of a file
    db.session.rollback()
