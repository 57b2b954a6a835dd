"""The first page of the back office."""

from typing import Any

from flask import render_template
from flask_appbuilder import IndexView, expose
from flask_appbuilder.security.decorators import has_access

from services import clock
from services.finance import dashboards
from services.imports import sources
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
            troubled=len(watch.troubled()) + len(sources.in_trouble()),
            now=clock.now(),
        )
