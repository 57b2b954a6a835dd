"""The log of accesses, and what browsers refused."""

from typing import Any

from flask import flash, redirect, url_for
from flask_appbuilder import expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin.base import ScopedView
from admin.words import facts_words
from models import AuditEntry, CspReport
from services import audit


class AuditView(ScopedView):
    """Who signed in, who read what is sealed, who changed rights."""

    datamodel = SQLAInterface(AuditEntry)
    route_base = "/gestion/journal-des-acces"
    base_permissions = ["can_list", "can_show", "can_export", "can_save_view", "can_verify"]
    list_title = _l("Audit log")
    list_columns = ["number", "what", "subject", "actor_name", "address", "at"]
    show_columns = [
        "number",
        "what",
        "subject",
        "actor_kind",
        "actor_name",
        "address",
        "request_id",
        "facts",
        "hash",
        "at",
    ]
    label_columns = {
        "number": _l("No."),
        "what": _l("What"),
        "subject": _l("About"),
        "actor_name": _l("By"),
        "actor_kind": _l("Who"),
        "address": _l("Internet address"),
        "request_id": _l("Request"),
        "facts": _l("Facts"),
        "hash": _l("Fingerprint"),
        "at": _l("When"),
    }
    formatters_columns = {
        "what": lambda what: str(audit.WHAT.get(what, what)),
        "facts": lambda facts: facts_words(facts) or "–",
        "subject": lambda subject: (
            _("Seller %(id)s", id=subject[9:])
            if subject.startswith("customer ")
            else subject or "–"
        ),
    }
    order_columns = ["number", "at"]
    search_columns = ["what"]
    filter_columns = ("what", "at")
    find_columns = (AuditEntry.actor_name, AuditEntry.subject, AuditEntry.address)
    find_hint = _l("Person, subject, address")
    first_order = "-number"
    links = ((_l("Verify"), "AuditView.verify", "check"),)
    empty_sentence = _l("Nobody has done anything yet.")

    def title_of(self, row: AuditEntry) -> str:
        return f"{row.number} · {audit.WHAT.get(row.what, row.what)}"

    @expose("/verifier")
    @has_access
    def verify(self) -> Any:
        verdict = audit.verify()
        flash(verdict.sentence, "success" if verdict.broken is None else "danger")
        return redirect(url_for("AuditView.list"))


class CspView(ScopedView):
    datamodel = SQLAInterface(CspReport)
    route_base = "/gestion/rapports-navigateurs"
    list_title = _l("Browser reports")
    list_columns = ["directive", "blocked", "page", "times", "last_at"]
    show_columns = ["directive", "blocked", "page", "times", "first_at", "last_at"]
    label_columns = {
        "directive": _l("Rule"),
        "blocked": _l("What was refused"),
        "page": _l("Page"),
        "times": _l("How often"),
        "first_at": _l("First seen"),
        "last_at": _l("Last seen"),
    }
    order_columns = ["times", "last_at"]
    search_columns = ["directive"]
    filter_columns = ("directive", "last_at")
    find_columns = (CspReport.blocked, CspReport.page)
    first_order = "-last_at"
    empty_sentence = _l("No browser refused anything on our pages.")
