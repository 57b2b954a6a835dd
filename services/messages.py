"""Telling someone: a row with its final words, then an outbox row that sends it.

Each event has one text in templates/messages/<event>.txt: the first line is the subject, the rest
paragraphs; a line that is only `[label](address)` is a button, lines starting with `- ` are a list,
lines that are only `![words](address)` are pictures.
The HTML is the same words, dressed. A name a template does not get is an error here, so no message
leaves with a hole in it.
"""

import re
import secrets
from typing import Any, NotRequired, TypedDict

import phonenumbers
from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from jinja2 import Environment, StrictUndefined, UndefinedError
from sqlalchemy import select

from gateways import GatewayError, Letter, Mail, Sms, live
from models import (
    Customer,
    Message,
    MessageKind,
    MessageState,
    Offer,
    Order,
    Site,
    VendorOrder,
)
from services import clock, outbox, personal, retention, settings, workflow
from services.unit import db
from services.workflow import CLOCK, TIME, Actor, Move, Refused, Workflow

workflow.name_states(
    (MessageKind.mail, _l("E-mail"), "info"),
    (MessageKind.sms, _l("SMS"), "info"),
    (MessageState.waiting, _l("Waiting"), "warn"),
    (MessageState.sent, _l("Sent"), "ok"),
    (MessageState.failed, _l("Failed"), "bad"),
)


def _has_no_secret(message: Message) -> str | None:
    if SECRET in message.body:
        return _(
            "This message held a personal link that works once: the person asks for a new one."
        )
    if HIDDEN_CODE in message.body:
        return _("This message held a collection code: give the buyer a new one instead.")
    return None


# A sending may end for a message that has ended already (a dead task tried again after the message
# was sent anew): refusing its end would send the mail again at each lease.
_ANY = set(MessageState)
MESSAGE = Workflow(
    "message",
    Move("send", _l("Sent"), _ANY, MessageState.sent, by=(TIME,)),
    Move("fail", _l("Failed"), _ANY, MessageState.failed, by=(TIME,)),
    Move(
        "resend",
        _l("Send again"),
        {MessageState.sent, MessageState.failed},
        MessageState.waiting,
        _has_no_secret,
        done=_l("Sent again"),
    ),
    field="state",
)

# Stands in the kept words where a link that opens an account would be: the link itself is only in
# what leaves.
SECRET = "https://lien-personnel.invalid/"
# Stands in them where the code of a collection would be: the shop that hands over must not know it.
HIDDEN_CODE = "••• •••"


def tell_step(
    person: Customer, event: str, *, site: Site, offer: Offer, **facts: Any
) -> Message | None:
    """Tell a seller about a step of their sale, unless the shop does without this mail
    (`settings.STEP_MAILS`); None then.
    """
    if settings.value(f"mail_{event}") != "yes":
        return None
    return tell(person, event, site=site, offer=offer, **facts)


def tell(
    person: Customer, event: str, *, site: Site, offer: Offer | None = None, **facts: Any
) -> Message:
    """Tell a customer something by mail: the words are frozen now, the sending follows the commit.

    `secret_link` opens an account: it is put in when the mail leaves and is nowhere to be read by
    the staff. `seen_link` is a picture that says the mail was opened: only where the shop has the
    seller's consent (settings).
    """
    return _mail(
        person.email, event, site=site, offer=offer, customer=person, person=person, **facts
    )


def tell_shop(
    event: str, *, site: Site, offer: Offer | None = None, **facts: Any
) -> Message | None:
    """Alert the shop; None when the site has no contact address yet."""
    address = site.contact_email or site.vendor.email
    return (
        _mail(address, event, site=site, offer=offer, customer=None, **facts) if address else None
    )


def tell_buyer(order: Order, event: str, **facts: Any) -> Message:
    """Tell the buyer of an order something, at the address it was placed with. `secret_code` is the
    code of a collection: like a `secret_link`, it is put in when the mail leaves.
    """
    return _mail(
        order.email,
        event,
        site=order.site,
        offer=None,
        customer=order.customer,
        order=order,
        **facts,
    )


def tell_vendor(part: VendorOrder, event: str, **facts: Any) -> Message | None:
    """Tell the vendor of a part of an order something; None when they gave no address."""
    if not part.vendor.email:
        return None
    return _mail(
        part.vendor.email,
        event,
        site=part.order.site,
        offer=None,
        customer=None,
        order=part.order,
        vendor_id=part.vendor_id,
        part=part,
        **facts,
    )


def tell_address(
    address: str, event: str, *, site: Site, person: Customer, **facts: Any
) -> Message:
    """Tell a customer at another address than his own (a new address to confirm, the old one that
    must know).
    """
    return _mail(address, event, site=site, offer=None, customer=person, person=person, **facts)


def text_to(
    person: Customer, event: str, *, site: Site, offer: Offer | None = None, **facts: Any
) -> Message:
    """Send a customer an SMS. Raises Refused when the number is no mobile."""
    if not is_mobile(person.phone):
        raise Refused(_("This number cannot receive an SMS."))
    words = _render(f"messages/{event}.sms", site=site, offer=offer, person=person, **facts).strip()
    # A no-break space would make the whole message one of 70 characters a part.
    words = words.replace("\u00a0", " ").replace("\u202f", " ")
    return _add(MessageKind.sms, event, person.phone, "", words, "", site, offer, person)


def is_mobile(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(number, "FR")
    except phonenumbers.NumberParseException:
        return False
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    return phonenumbers.is_valid_number(parsed) and phonenumbers.number_type(parsed) in kinds


def forget(message: Message) -> None:
    """Its text and its recipient are no longer needed: what is left says that something was sent,
    when, and about which sale.
    """
    message.recipient, message.subject, message.body, message.html = (
        "",
        _("Text no longer kept"),
        "",
        "",
    )


def resend(message: Message, *, by: Actor) -> None:
    """Send the very same words again. Refused while the first sending is still on its way."""
    if message.state is MessageState.waiting:
        raise Refused(_("This message has not left yet: it will leave by itself."))
    MESSAGE.fire(message, "resend", by=by, set={"error": ""})
    _enqueue(message, {})


# ── private ──


def _mail(
    address: str,
    event: str,
    *,
    site: Site,
    offer: Offer | None,
    customer: Customer | None,
    order: Order | None = None,
    vendor_id: int | None = None,
    secret_link: str = "",
    secret_code: str = "",
    seen_link: str = "",
    **facts: Any,
) -> Message:
    if secret_link:
        facts["link"] = SECRET
    if secret_code:
        facts["code"] = HIDDEN_CODE
    secrets = {"secret_link": secret_link, "secret_code": secret_code}
    if order is not None:
        facts["order"] = order
    raw = _render(f"messages/{event}.txt", site=site, offer=offer, **facts)
    subject, _break, body = raw.strip().partition("\n")
    body = re.sub(r"\n{3,}", "\n\n", body).strip()
    html = _render(
        "messages/_letter.html",
        site=site,
        subject=subject,
        blocks=blocks(body),
        seen_link=seen_link,
    )
    plain = _BUTTON.sub(r"\1 : \2", _PICTURE.sub(r"\1 : \2", body))
    return _add(
        MessageKind.mail,
        event,
        address,
        subject.strip(),
        plain,
        html,
        site,
        offer,
        customer,
        {name: value for name, value in secrets.items() if value},
        order,
        vendor_id,
    )


def _render(name: str, **facts: Any) -> str:
    """Fill a template; a name it lacks, or a value that is nothing, is an error and nothing is
    sent.
    """
    strict: Environment = current_app.extensions.get("letters") or current_app.jinja_env.overlay(
        undefined=StrictUndefined, finalize=_something
    )
    current_app.extensions["letters"] = strict
    with force_locale("fr"):
        try:
            return strict.get_template(name).render(**facts)
        except UndefinedError as error:
            raise ValueError(f"{name}: {error}") from error


def _something(value: Any) -> Any:
    if value is None:
        raise ValueError("a message would leave with a hole: a value is missing")
    return value


def _add(
    kind: MessageKind, event: str, recipient: str, subject: str, body: str, html: str,
    site: Site, offer: Offer | None, customer: Customer | None,
    secrets_inside: dict[str, str] | None = None,
    order: Order | None = None, vendor_id: int | None = None,
) -> Message:  # fmt: skip
    message = Message(
        public_id=secrets.token_urlsafe(18),
        kind=kind,
        event=event,
        vendor_id=vendor_id or site.vendor_id,
        site_id=site.id,
        customer_id=customer.id if customer else None,
        offer_id=offer.id if offer else None,
        order_id=order.id if order else None,
        sender=site.name,
        recipient=recipient,
        subject=subject[:200],
        body=body,
        html=html,
        created_at=clock.now(),
    )
    db.session.add(message)
    db.session.flush()
    _enqueue(message, secrets_inside or {})
    return message


def _enqueue(message: Message, secrets_inside: dict[str, str]) -> None:
    message.sends += 1
    outbox.add(
        "message",
        f"message:{message.id}:{message.sends}",
        message=message.id,
        **secrets_inside,
    )


class Sending(TypedDict):
    """What the outbox keeps of a message to send."""

    message: int
    secret_link: NotRequired[str]  # a personal link, which no table keeps
    secret_code: NotRequired[str]  # the code of a collection, likewise


def _send(payload: Sending, key: str) -> str:
    message = db.session.get_one(Message, payload["message"])
    site = db.session.get_one(Site, message.site_id)
    reference = f"{message.public_id}.{message.sends}"
    reply_to = site.contact_email
    kind, recipient, sender, subject, body, html = (
        message.kind,
        message.recipient,
        message.sender,
        message.subject,
        message.body,
        message.html,
    )
    db.session.rollback()  # no transaction stays open while the partner thinks
    if kind == MessageKind.sms:
        if live.sms is None:
            raise GatewayError(_("No SMS service is set (COMPTOIR_SMS_URL)."), waits=True)
        sms: Sms = live.sms
        return sms.send(
            sender,
            phonenumbers.format_number(
                phonenumbers.parse(recipient, "FR"), phonenumbers.PhoneNumberFormat.E164
            ),
            body,
            reference,
        )
    if live.mail is None:
        raise GatewayError(_("No mail service is set (COMPTOIR_SMTP_URL)."), waits=True)
    if link := payload.get("secret_link"):
        body, html = body.replace(SECRET, link), html.replace(SECRET, link)
    if code := payload.get("secret_code"):
        body, html = body.replace(HIDDEN_CODE, code), html.replace(HIDDEN_CODE, code)
    mail: Mail = live.mail
    return mail.send(
        Letter(
            reference,
            sender,
            f"ne-pas-repondre@{current_app.config['MAIL_DOMAIN']}",
            reply_to,
            recipient,
            subject,
            body,
            html,
        )
    )


def _sent(payload: Sending, answer: str | None, error: str | None) -> None:
    message = db.session.get_one(Message, payload["message"])
    if answer is not None:
        sent = {"sent_at": clock.now(), "error": ""}
        MESSAGE.fire(message, "send", by=CLOCK, set=sent, log=False)
    elif error is not None:
        MESSAGE.fire(message, "fail", by=CLOCK, set={"error": error}, log=False)


def _why_not_again(payload: Sending) -> str | None:
    return _has_no_secret(db.session.get_one(Message, payload["message"]))


def _taken_back(payload: Sending) -> None:
    """Nobody was written to: the message goes."""
    db.session.delete(db.session.get_one(Message, payload["message"]))


outbox.handles(
    "message",
    _l("Message to send"),
    call=_send,
    record=_sent,
    why_not_again=_why_not_again,
    taken_back=_taken_back,
)

retention.rule(
    "letters",
    _l("Text and recipient of mails and SMS"),
    lambda: _l("%(n)s months", n=settings.value("letter_months")),
    _l("Proof of what was said, the time of a dispute."),
    Message,
    lambda now: select(Message.id).where(
        Message.created_at < now - retention.months(settings.value("letter_months")),
        Message.recipient != "",
        Message.state != MessageState.waiting,
    ),
    forget,
)

_BUTTON = re.compile(r"\[([^\]]+)\]\((https?://[^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]\n]+)\]\((https?://[^)\s]+)\)")


def blocks(body: str) -> list[tuple[str, Any]]:
    """The parts of a text, for its HTML dress: ('p', words), ('list', [words]), ('button', (label,
    address)), ('pictures', [(words, address)]).
    """
    parts: list[tuple[str, Any]] = []
    for block in body.split("\n\n"):
        lines = [line.strip() for line in block.strip().splitlines()]
        if len(lines) == 1 and (button := _BUTTON.fullmatch(lines[0])):
            parts.append(("button", button.groups()))
        elif lines and all(_PICTURE.fullmatch(line) for line in lines):
            parts.append(("pictures", [_PICTURE.fullmatch(line).groups() for line in lines]))  # type: ignore[union-attr]
        elif lines and all(line.startswith("- ") for line in lines):
            parts.append(("list", [line[2:] for line in lines]))
        elif lines:
            parts.append(("p", "\n".join(lines)))
    return parts


# ── what it holds of a person ──


def blank(message: Message) -> None:
    """Take out of a letter what names a person; that it was sent stays."""
    message.recipient = message.recipient if message.customer_id is None else ""
    message.subject, message.body, message.html = (
        _("Erased customer"),
        _("Erased at the customer's request."),
        "",
    )


def _export(customer: Customer) -> list[dict[str, Any]]:
    rows = select(Message).where(Message.customer_id == customer.id).order_by(Message.id)
    return [
        {
            "at": m.created_at.isoformat(),
            "to": m.recipient,
            "subject": m.subject,
            "text": m.body,
        }
        for m in db.session.scalars(rows)
    ]


def _erase(customer: Customer) -> None:
    for message in db.session.scalars(select(Message).where(Message.customer_id == customer.id)):
        blank(message)


personal.rule("messages", export=_export, erase=_erase)
