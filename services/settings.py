"""What a shop changes under « Paramétrages divers »: typed here, kept with its date and author,
newest in force.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import event, func
from sqlalchemy.orm import Session

from models import Setting
from services import clock, money
from services.unit import db
from services.workflow import Actor, Refused


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(words: str) -> int:
        try:
            value = int(words.strip())
        except ValueError:
            raise Refused(_("Type a whole number.")) from None
        if not low <= value <= high:
            raise Refused(_("Type a number from %(low)s to %(high)s.", low=low, high=high))
        return value

    return read


@dataclass(frozen=True)
class Option:
    """One thing a shop may decide."""

    key: str
    chapter: Any
    label: Any
    help: Any
    default: Any
    read: Callable[[str], Any]
    unit: Any = ""


def _amount(low: int, high: int) -> Callable[[str], int]:
    """Euros typed with a comma, kept in cents."""

    def read(words: str) -> int:
        try:
            cents = money.parse(words)
        except ValueError:
            raise Refused(_("« %(words)s » is no amount: write 12,50.", words=words[:20])) from None
        if not low <= cents <= high:
            raise Refused(
                _(
                    "Type an amount from %(low)s to %(high)s.",
                    low=money.text(low),
                    high=money.text(high),
                )
            )
        return cents

    read.shown = money.plain  # type: ignore[attr-defined]
    return read


def _postcodes(words: str) -> str:
    """Beginnings of postcodes, « 97 98 »; none is allowed."""
    found = words.replace(",", " ").replace(";", " ").split()
    if not all(one.isascii() and one.isdigit() and len(one) <= 5 for one in found):
        raise Refused(_("Write beginnings of postcodes, such as 97 98; or nothing."))
    return " ".join(found)


def _one_of(**words: Any) -> Callable[[str], str]:
    def read(given: str) -> str:
        if given not in words:
            raise Refused(_("Choose one of the answers."))
        return given

    read.choices = words  # type: ignore[attr-defined]
    return read


_BUYING, _PEOPLE, _MACHINES = _l("Buying back"), _l("People"), _l("Machines")
_STOCK = _l("Stock of the shops")
_ORDERS = _l("Orders of the shop")
_MAILS = _l("E-mails to the sellers, step by step")
_PARCELS, _PAYING = _l("Parcels and reception"), _l("Payment")
_YES_NO = _one_of(yes=_l("Yes"), no=_l("No"))

# The mails about a step of a sale, which a shop may do without (MG-013). What the law, the money or
# the safety of an account asks for is not among them.
STEP_MAILS = {
    "offer_received": _l("Offer received"),
    "offer_completed": _l("Games added to the sale"),
    "offer_refused": _l("Offer refused"),
    "offer_deleted": _l("Offer deleted before an answer"),
    "parcel_taken": _l("Parcel taken in charge by the carrier"),
    "parcel_arrived": _l("Parcel arrived at the shop"),
    "parcel_trouble": _l("Incident of transport"),
    "sale_abandoned": _l("Sale abandoned"),
    "answers_received": _l("Answers to the reception received"),
    "payment_held": _l("Payment held, and why"),
    "payment_sent": _l("Transfer made"),
    "credit_given": _l("Store credit given"),
    "articles_sent_back": _l("Articles sent back"),
}


def _of_mails() -> tuple[Option, ...]:
    return tuple(
        Option(f"mail_{event}", _MAILS, words, "", "yes", _YES_NO)
        for event, words in STEP_MAILS.items()
    )


OPTIONS: dict[str, Option] = {
    o.key: o
    for o in (
        Option(
            "undo_seconds",
            _BUYING,
            _l("Time to undo a decision"),
            _l("The mail and the label of an accepted or refused offer wait so long. 0: no undo."),
            10,
            _whole(0, 60),
            _l("seconds"),
        ),
        Option(
            "second_chance_days",
            _BUYING,
            _l("Time to answer a second chance"),
            _l("Without an answer by then, the offer is declined by itself."),
            7,
            _whole(1, 60),
            _l("days"),
        ),
        Option(
            "drop_off_days",
            _BUYING,
            _l("Time to drop the parcel off"),
            _l("Printed deadline and end of the price guarantee."),
            10,
            _whole(1, 60),
            _l("days"),
        ),
        Option(
            "cart_days",
            _BUYING,
            _l("Carts are kept"),
            _l("A cart nobody touched for longer is emptied."),
            7,
            _whole(1, 90),
            _l("days"),
        ),
        Option(
            "check_hours",
            _BUYING,
            _l("Time announced for checking an offer"),
            _l("The dashboard warns when an offer is about to wait longer."),
            48,
            _whole(1, 240),
            _l("hours"),
        ),
        Option(
            "accept_hours",
            _ORDERS,
            _l("Time of a store to accept an order"),
            _l("Working hours, Monday to Friday; without an answer the order is cancelled."),
            48,
            _whole(1, 240),
            _l("hours"),
        ),
        Option(
            "order_undo_seconds",
            _ORDERS,
            _l("Time to undo an acceptance"),
            _l("The mail to the buyer waits so long. 0: no undo."),
            30,
            _whole(0, 60),
            _l("seconds"),
        ),
        Option(
            "prepare_days",
            _ORDERS,
            _l("Time of a store to make an order ready"),
            _l("Working days after its acceptance; it is shown, nothing is cancelled."),
            2,
            _whole(1, 30),
            _l("days"),
        ),
        Option(
            "collect_days",
            _ORDERS,
            _l("What is ready is kept"),
            _l("Working days after « Ready to collect »; then it goes back on the shelf."),
            2,
            _whole(1, 30),
            _l("days"),
        ),
        Option(
            "reservations_open",
            _ORDERS,
            _l("Reservations a person may have open"),
            _l("Who reserves pays nothing: more wait until one is collected or cancelled."),
            3,
            _whole(1, 50),
        ),
        Option(
            "shop_cart_days",
            _ORDERS,
            _l("Carts of the shop are kept"),
            _l("A cart nobody touched for longer is emptied."),
            30,
            _whole(1, 365),
            _l("days"),
        ),
        Option(
            "stock_most_quantity",
            _STOCK,
            _l("A quantity is fanciful above"),
            _l("A line of a stock file that says more is ignored and counted."),
            9_999,
            _whole(1, 1_000_000),
            _l("units"),
        ),
        Option(
            "stock_most_jump",
            _STOCK,
            _l("A jump is fanciful above"),
            _l("From one stock file to the next, for one reference; 0: never."),
            0,
            _whole(0, 1_000_000),
            _l("units"),
        ),
        Option(
            "feed_doubt_lines",
            _STOCK,
            _l("A full file waits from so many unreadable barcodes"),
            _l("When they are more than 2 % of its lines too: what they name is not known."),
            3,
            _whole(1, 100_000),
            _l("lines"),
        ),
        Option(
            "share_buying_prices",
            _STOCK,
            _l("Vendors get the suppliers' prices"),
            _l("« prix-achat-ht » in the référencier vendors download; you always see it."),
            "no",
            _YES_NO,
        ),
        Option(
            "feed_silent_hours",
            _STOCK,
            _l("A store is silent without a good stock file for"),
            _l("« Files of the stores » shows it first; 0: never."),
            48,
            _whole(0, 10_000),
            _l("hours"),
        ),
        Option(
            "feed_empty_percent",
            _STOCK,
            _l("A full file that empties a store waits above"),
            _l("Of the references it held: somebody confirms that the store is really empty."),
            50,
            _whole(1, 100),
            "%",
        ),
        Option(
            "cart_minutes",
            _STOCK,
            _l("A unit stays in a cart"),
            _l("Then it is free again for others."),
            30,
            _whole(1, 1_440),
            _l("minutes"),
        ),
        Option(
            "insure_over_euros",
            _PARCELS,
            _l("Insure labels made by themselves from"),
            _l(
                "With automatic validation: the smallest level that covers the sale, from this"
                " amount on."
            ),
            100,
            _whole(0, 100_000),
            _l("euros"),
        ),
        Option(
            "auto_reminders",
            _PARCELS,
            _l("Reminders leave by themselves"),
            _l(
                "A parcel not dropped off: an e-mail after the first delay, an SMS after the"
                " second."
            ),
            "yes",
            _YES_NO,
        ),
        Option(
            "remind_days",
            _PARCELS,
            _l("E-mail reminder after"),
            _l("Without a drop-off."),
            5,
            _whole(1, 60),
            _l("days"),
        ),
        Option(
            "text_days",
            _PARCELS,
            _l("SMS reminder after"),
            _l("Without a drop-off, when the number is a mobile."),
            10,
            _whole(1, 60),
            _l("days"),
        ),
        Option(
            "abandon_days",
            _PARCELS,
            _l("A parcel never dropped off is abandoned after"),
            "",
            30,
            _whole(5, 365),
            _l("days"),
        ),
        Option(
            "no_label_from",
            _PARCELS,
            _l("No label is made for postcodes that begin with"),
            _l(
                "The carrier takes no parcel there: the seller is told before the offer, and sends"
                " it at their own cost. Empty: everywhere is reached."
            ),
            "97 98",
            _postcodes,
        ),
        Option(
            "stuck_days",
            _PARCELS,
            _l("Warn about a parcel that no longer moves after"),
            "",
            7,
            _whole(1, 60),
            _l("days"),
        ),
        Option(
            "mail_pixel",
            _PARCELS,
            _l("Know which e-mails were opened"),
            _l(
                "A picture in the mail tells; the law asks for the seller's consent first. Without"
                " it the column says « unknown »."
            ),
            "no",
            _YES_NO,
        ),
        Option(
            "pay_at_once",
            _PARCELS,
            _l("Pay what was bought without waiting for a contested article"),
            _l(
                "« No » makes one payment, once the seller has answered: the cost of sending"
                " articles back can always be taken from it."
            ),
            "yes",
            _YES_NO,
        ),
        Option(
            "answer_days",
            _PARCELS,
            _l("Time to answer after the reception"),
            _l("For what was refused or has a new price."),
            14,
            _whole(1, 60),
            _l("days"),
        ),
        Option(
            "default_outcome",
            _PARCELS,
            _l("Without an answer, what was not bought is"),
            _l("As your conditions say."),
            "to_return",
            _one_of(
                to_return=_l("sent back at the seller's cost"),
                recycled=_l("recycled"),
                given=_l("given away"),
            ),
        ),
        Option(
            "return_fee_cents",
            _PARCELS,
            _l("Cost of sending articles back"),
            _l("Deducted from the payment."),
            440,
            _amount(0, 5000),
            "€",
        ),
        Option(
            "good_percent",
            _PARCELS,
            _l("New price proposed for « Bon »"),
            _l("Of the price agreed."),
            100,
            _whole(1, 100),
            "%",
        ),
        Option(
            "acceptable_percent",
            _PARCELS,
            _l("New price proposed for « Acceptable »"),
            _l("Of the price agreed."),
            70,
            _whole(1, 100),
            "%",
        ),
        Option(
            "credit_bonus_percent",
            _PAYING,
            _l("Bonus of store credit"),
            _l("What choosing credit rather than a transfer adds."),
            20,
            _whole(0, 100),
            "%",
        ),
        Option(
            "second_factor",
            _PEOPLE,
            _l("A second factor is asked of"),
            _l("A code of an application on the telephone, besides the password."),
            "money",
            _one_of(
                money=_l("administrators and accountants"),
                everybody=_l("all the staff"),
                nobody=_l("nobody"),
            ),
        ),
        Option(
            "staff_idle_minutes",
            _PEOPLE,
            _l("Staff are signed out after"),
            _l("Without a click."),
            30,
            _whole(5, 720),
            _l("minutes"),
        ),
        Option(
            "customer_days",
            _PEOPLE,
            _l("Customers stay signed in"),
            "",
            30,
            _whole(1, 365),
            _l("days"),
        ),
        Option(
            "iban_hold_hours",
            _PAYING,
            _l("A replaced IBAN is not paid to before"),
            _l("The seller is told of the change at once, and has that long to say it was not he."),
            72,
            _whole(0, 240),
            _l("hours"),
        ),
        Option(
            "account_months",
            _PEOPLE,
            _l("An account nobody uses is erased after"),
            _l("The person is told a month before."),
            24,
            _whole(6, 36),
            _l("months"),
        ),
        Option(
            "letter_months",
            _PEOPLE,
            _l("The text of mails and SMS is kept"),
            "",
            24,
            _whole(3, 60),
            _l("months"),
        ),
        Option(
            "photo_months",
            _PEOPLE,
            _l("Photos of the bench and labels are kept"),
            _l("From the end of the sale."),
            12,
            _whole(1, 60),
            _l("months"),
        ),
        Option(
            "quotes_per_minute",
            _MACHINES,
            _l("Public prices per address"),
            _l("How many barcodes one Internet address may ask a minute; 0: no limit."),
            300,
            _whole(0, 100_000),
            _l("a minute"),
        ),
        Option(
            "photos_per_minute",
            _MACHINES,
            _l("Camera pictures per address"),
            _l("How many pictures one Internet address may have read a minute."),
            240,
            _whole(10, 10_000),
            _l("a minute"),
        ),
        *_of_mails(),
    )
}

_FRESH_SECONDS = 5.0
_known: tuple[float, dict[str, Any]] | None = None


def value(key: str) -> Any:
    """What is in force for a key; remembered a few seconds, so that every process follows a
    change.
    """
    global _known
    if _known is None or time.monotonic() - _known[0] > _FRESH_SECONDS:
        rows = db.session.execute(
            db.select(Setting.key, Setting.value).order_by(Setting.since, Setting.id)
        ).all()
        _known = (time.monotonic(), {k: v for k, v in rows})
    return _known[1].get(key, OPTIONS[key].default)


def change(key: str, words: str, *, by: Actor) -> bool:
    """Decide a new value from now on; False when it is what was already in force. Raises Refused
    with the bounds.
    """
    read = OPTIONS[key].read(words)
    forget()
    if read == value(key):
        return False
    db.session.add(Setting(key=key, value=read, by_name=by.name, since=clock.now()))
    db.session.flush()
    forget()
    db.session().info["settings_changed"] = True
    return True


def history(limit: int = 5) -> dict[str, list[Setting]]:
    """The last decisions of each setting by its key, newest first, in one read."""
    place = func.row_number().over(partition_by=Setting.key, order_by=Setting.id.desc())
    ranked = db.select(Setting.id, place.label("place")).subquery()
    rows = (
        db.select(Setting)
        .join(ranked, ranked.c.id == Setting.id)
        .where(ranked.c.place <= limit)
        .order_by(Setting.id.desc())
    )
    found: dict[str, list[Setting]] = {key: [] for key in OPTIONS}
    for row in db.session.scalars(rows):
        found.setdefault(row.key, []).append(row)
    return found


def forget() -> None:
    global _known
    _known = None


@event.listens_for(Session, "after_commit")
def _forget_after_change(session: Session) -> None:
    if session.info.pop("settings_changed", False):
        forget()
