"""The installation as its administrator watches it: health, tasks, audit log, personal data, what
browsers refused.
"""

import json
from typing import Any

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.actions import action
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin.base import ScopedView, me
from admin.words import facts_words
from models import AuditEntry, CspReport, Customer, Outbox
from services import audit, clock, days, outbox, retention, sealing
from services.installation import health
from services.people import customers
from services.unit import db, unit_of_work

KINDS = {
    "message": _l("Message to send"),
    "import": _l("Price list to load"),
    "label": _l("Label to order"),
    "transfer_file": _l("Transfer file to make"),
    "relays": _l("Relay points to find"),
}


JOBS = {
    "remind": _l("Remind what waits"),
    "seal_registers": _l("Seal the police registers"),
    "back_up": _l("Back up"),
    "check_everything": _l("Check the accounts"),
    "turn_prices": _l("Reductions that begin or end"),
    "tidy": _l("Tidy up"),
    "forget": _l("Forget what is over its time"),
}


class HealthView(BaseView):
    """« Santé »: what must keep happening, and what to do when it does not."""

    route_base = "/gestion/sante"
    default_view = "health"

    @expose("/")
    @has_access
    def health(self) -> Any:
        return render_template(
            "admin/health.html",
            checks=health.checks(),
            runs=sorted(days.latest().values(), key=lambda r: r.job),
            keys=sealing.names(),
            now=clock.now(),
            job_words=lambda name: str(JOBS.get(name, name)),
        )


class TaskView(ScopedView):
    """« Tâches »: what is to be told to the outside, and what was given up, to retry or abandon
    with a reason.
    """

    datamodel = SQLAInterface(Outbox)
    route_base = "/gestion/taches"
    base_permissions = [
        "can_list",
        "can_show",
        "can_export",
        "can_save_view",
        "retry",
        "can_abandon",
        "can_resume",
    ]
    list_title = _l("Tasks")
    list_columns = ["kind", "key", "state", "attempts", "next_at", "last_error"]
    show_columns = [
        "kind",
        "key",
        "state",
        "attempts",
        "created_at",
        "next_at",
        "lease_until",
        "done_at",
        "provider_ref",
        "last_error",
    ]
    label_columns = {
        "kind": _l("What"),
        "key": _l("About"),
        "state": _l("Status"),
        "attempts": _l("Tries"),
        "next_at": _l("Next try"),
        "last_error": _l("What went wrong"),
        "created_at": _l("Asked for"),
        "lease_until": _l("Taken until"),
        "done_at": _l("Done"),
        "provider_ref": _l("The partner's answer"),
    }
    formatters_columns = {"kind": lambda kind: str(KINDS.get(kind, kind))}
    order_columns = ["next_at", "created_at", "attempts"]
    search_columns = ["state"]
    filter_columns = ("state", "kind", "created_at")
    find_columns = (Outbox.key, Outbox.last_error)
    find_hint = _l("Reference, error")
    first_order = "-next_at"
    tabs = (
        (_l("Given up"), "?state=dead"),
        (_l("Waiting"), "?state=todo"),
        (_l("Abandoned"), "?state=abandoned"),
    )
    show_partials = ("admin/_task.html",)
    empty_sentence = _l("Nothing to tell the outside.")

    def show_more(self, row: Outbox) -> dict[str, Any]:
        return {"why_not_retry": outbox.why_not_retry(row)}

    def action_open(self, name: str, row: Outbox) -> bool:
        return outbox.why_not_retry(row) is None

    @action("retry", _l("Try again"), "", "")
    def retry(self, row: Outbox) -> None:
        outbox.retry(row, by=me())

    @expose("/abandonner", methods=["POST"])
    @has_access
    def abandon(self) -> Any:
        """One row, with the reason."""
        pk = request.form.get("rowid", "")
        with unit_of_work():
            outbox.abandon(self.row(pk), request.form.get("reason", ""), by=me())
        flash(_("Abandoned: it will not leave."), "success")
        return redirect(url_for("TaskView.show", pk=pk))

    @expose("/reprendre", methods=["POST"])
    @has_access
    def resume(self) -> Any:
        """Sendings that were held go on."""
        with unit_of_work():
            outbox.lift(by=me())
        flash(_("Sendings go on."), "success")
        return redirect(url_for("TaskView.list"))


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


class RetentionView(BaseView):
    """« Données personnelles »: what is kept, how long, why; and what was forgotten each night."""

    route_base = "/gestion/donnees-personnelles"
    default_view = "report"

    @expose("/")
    @has_access
    def report(self) -> Any:
        return render_template(
            "admin/retention.html",
            rules=retention.RULES,
            due=retention.overdue(),
            runs=retention.reports(),
        )


class SellerDataView(BaseView):
    """Everything we hold about a seller, as a file: what staff give who asks for his data by letter
    (RGPD art. 15 and 20).
    """

    route_base = "/gestion/donnees-vendeur"
    default_view = "export"

    @expose("/<int:id>", methods=["GET", "POST"])
    @has_access
    def export(self, id: int) -> Any:
        mine = db.select(Customer).where(Customer.id == id)
        if db.session.scalar(mine) is None:
            abort(404)
        audit.note_now("personal_data_exported", by=me(), subject=f"customer {id}")
        found = db.session.scalars(mine).one()
        body = json.dumps(customers.export(found), ensure_ascii=False, indent=2)
        return Response(
            body,
            mimetype="application/json",
            headers={"Content-Disposition": f'attachment; filename="donnees-{id}.json"'},
        )


VIEWS = (HealthView, TaskView, AuditView, CspView, RetentionView, SellerDataView)
