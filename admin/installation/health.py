"""What must keep happening, and the tasks that were given up."""

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.actions import action
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import forms
from admin.base import ScopedView, me
from admin.installation import about
from models import Outbox
from services import clock, days, outbox, sealing
from services.installation import health
from services.unit import unit_of_work

JOBS = {
    "remind": _l("Remind what waits"),
    "tell_feeds": _l("Tell of the stores' stock files"),
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
            "admin/installation/health.html",
            checks=health.checks(),
            runs=sorted(days.latest().values(), key=lambda r: r.job),
            keys=sealing.names(),
            now=clock.now(),
            job_words=lambda name: str(JOBS.get(name, name)),
        )


class AbandonForm(forms.Sent):
    rowid = forms.Typed()
    reason = forms.Typed()


def _number(key: str) -> str:
    """« label:72:1 » as people read it: « n° 72 · 1 »."""
    return _("no. %(number)s", number=key.partition(":")[2].replace(":", " · ") or key)


class TaskView(ScopedView):
    """« Tâches »: what is to be told to the outside, and what was given up, to retry or abandon
    with a reason.
    """

    asks_proof = {"resume"}
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
    formatters_columns = {
        "kind": outbox.label_of,
        "key": _number,
        "last_error": lambda error: (
            _("Nobody knows whether the partner did it: look before it is asked again.")
            if error == outbox.UNSURE
            else error
        ),
    }
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
    show_partials = ("admin/installation/_task.html",)
    empty_sentence = _l("Nothing to tell the outside.")

    def show_more(self, row: Outbox) -> dict[str, Any]:
        return {"why_not_retry": outbox.why_not_retry(row), "about": about.of(row)}

    def action_open(self, name: str, row: Outbox) -> bool:
        return outbox.why_not_retry(row) is None

    def title_of(self, row: Outbox) -> str:
        return f"{outbox.label_of(row.kind)} · {_number(row.key)}"

    @action("retry", _l("Try again"), "", "")
    def retry(self, row: Outbox) -> None:
        outbox.retry(row, by=me())

    @expose("/abandonner", methods=["POST"])
    @has_access
    def abandon(self) -> Any:
        """One row, with the reason."""
        form = AbandonForm.read()
        pk = form.rowid.data
        with unit_of_work():
            outbox.abandon(self.row(pk), form.reason.data, by=me())
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
