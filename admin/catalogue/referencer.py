"""The référencier taken out as a file."""

from datetime import datetime, time
from typing import Any

from flask import (
    Response,
    render_template,
    request,
    stream_with_context,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_login import current_user

from models import (
    Variant,
)
from services import clock, dates
from services.catalogue import referencer
from services.people import staff
from services.unit import db
from services.workflow import Refused


class ReferencerView(BaseView):
    """« Exporter le référencier »: the whole catalogue for members, or what changed since a day."""

    route_base = "/gestion/referencier"
    default_view = "out"
    base_permissions = ["can_out"]
    method_permission_name = {"out": "out", "take": "out"}

    @expose("/")
    @has_access
    def out(self) -> Any:
        count = db.session.scalar(db.select(db.func.count(Variant.id))) or 0
        return render_template(
            "admin/catalogue/referencer.html", count=count, header=referencer.HEADER
        )

    @expose("/referencier.<any(csv,xlsx):kind>")
    @has_access
    def take(self, kind: str) -> Any:
        since = None
        if words := request.args.get("depuis", ""):
            try:
                since = clock.from_paris(datetime.combine(dates.read_day(words), time(0)))
            except ValueError as wrong:
                raise Refused(str(wrong)) from None
        shared = staff.sees_all(current_user) or referencer.shares_buying_prices()
        if kind == "csv":
            lines = referencer.as_csv(since, buying_prices=shared)
            answer = Response(stream_with_context(lines), mimetype="text/csv")
        else:
            answer = Response(
                referencer.as_xlsx(since, buying_prices=shared),
                mimetype="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            )
        answer.headers["Content-Disposition"] = (
            f'attachment; filename="referencier-{clock.today():%Y%m%d}.{kind}"'
        )
        return answer
