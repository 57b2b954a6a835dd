"""The first page of the back office."""

from typing import Any

from flask import render_template
from flask_appbuilder import IndexView, expose
from flask_appbuilder.security.decorators import has_access

from models import PaymentState
from services import clock
from services.finance import dashboards
from services.imports import sources
from services.installation import onboarding
from services.payments import seller_payments
from services.stock import todo, watch


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
            start=onboarding.steps() if self._sets_up() else [],
            nothing_yet=onboarding.nothing_yet(),
            money=seller_payments.counts(),
            S=PaymentState,
            troubled=len(watch.troubled()) + len(sources.in_trouble()),
            now=clock.now(),
        )

    def _sets_up(self) -> bool:
        """Whether this person may set the installation up."""
        return bool(self.appbuilder.sm.has_access("can_settings", "SettingsView"))
