"""Every mail and SMS, to read and to send again."""

from typing import Any

from flask import abort, make_response
from flask_appbuilder import expose
from flask_appbuilder.actions import action
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _l

from admin.base import ScopedView, has_access, me
from models import Message
from services import messages


class MessageView(ScopedView):
    datamodel = SQLAInterface(Message)
    route_base = "/gestion/messages"
    base_permissions = [*ScopedView.base_permissions, "resend", "can_open"]
    list_title = _l("Messages")
    list_columns = ["subject", "kind", "recipient", "sender", "state", "created_at"]
    show_columns = [
        "subject",
        "kind",
        "sender",
        "recipient",
        "state",
        "error",
        "sends",
        "created_at",
        "sent_at",
        "body",
    ]
    label_columns = {
        "subject": _l("Subject"),
        "kind": _l("Kind"),
        "recipient": _l("To"),
        "sender": _l("From"),
        "state": _l("Status"),
        "created_at": _l("Written"),
        "sent_at": _l("Sent"),
        "error": _l("What went wrong"),
        "sends": _l("Sendings"),
        "body": _l("Text"),
    }
    order_columns = ["created_at", "recipient"]
    search_columns = ["state"]
    filter_columns = ("kind", "state", "created_at")
    find_columns = (Message.recipient, Message.subject)
    find_hint = _l("E-mail, subject")
    first_order = "-created_at"
    tabs = ((_l("Waiting"), "?state=waiting"), (_l("Failed"), "?state=failed"))
    show_partials = ("admin/installation/_open_message.html",)

    @action("resend", _l("Send again"), "", "")
    def resend(self, message: Message) -> None:
        messages.resend(message, by=me())

    @expose("/ouvrir/<pk>")
    @has_access
    def open(self, pk: str) -> Any:
        """The mail as its reader sees it, alone in the browser; it runs nothing."""
        row = self.row(pk)
        if not row.html:  # an SMS, or a text no longer kept
            abort(404)
        response = make_response(row.html)
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        )
        return response
