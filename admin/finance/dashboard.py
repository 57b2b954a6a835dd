"""The first page of the back office."""

from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from flask_appbuilder import IndexView, expose
from flask_appbuilder.security.decorators import has_access, permission_name
from flask_babel import ngettext

from admin.base import me
from models import PaymentState
from services import clock
from services.finance import dashboards
from services.imports import sources
from services.installation import examples, onboarding
from services.orders import todo as order_todo
from services.payments import seller_payments
from services.stock import todo, watch
from services.unit import unit_of_work


class DashboardView(IndexView):
    route_base = "/gestion"
    base_permissions = ["can_index"]

    @expose("/")
    @has_access
    def index(self) -> Any:
        return render_template(
            "admin/finance/dashboard.html",
            board=dashboards.buyback(),
            stock=todo.counts(),
            orders=order_todo.counts(),
            start=onboarding.steps() if self._sets_up() else [],
            may_try=self._sets_up() and examples.why_not() is None,
            money=seller_payments.counts(),
            S=PaymentState,
            troubled=len(watch.troubled()) + len(sources.in_trouble()),
            now=clock.now(),
        )

    @expose("/exemples", methods=["POST"])
    @has_access
    @permission_name("index")
    def examples(self) -> Any:
        """« Essayer avec des données d'exemple », while the installation is empty."""
        if not self._sets_up():
            abort(403)
        hashed = examples.password_nobody_knows()
        with unit_of_work():
            count = examples.fill(hashed, by=me())
        flash(
            ngettext(
                "%(num)s example offer waits to be checked.",
                "%(num)s example offers wait to be checked.",
                count,
            ),
            "success",
        )
        return redirect(url_for("DashboardView.index"))

    def _sets_up(self) -> bool:
        """Whether this person may set the installation up."""
        return bool(self.appbuilder.sm.has_access("can_settings", "SettingsView"))
