"""The référencier taken out as a file."""

from datetime import datetime
from typing import Any

from flask import (
    Response,
    render_template,
    request,
    stream_with_context,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _

from models import (
    Variant,
)
from services import clock
from services.catalogue import referencer
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
                # from_paris makes it aware
                since = clock.from_paris(datetime.strptime(words, "%Y-%m-%d"))  # noqa: DTZ007
            except (ValueError, OverflowError):
                raise Refused(_("« %(words)s » is no date.", words=words[:20])) from None
        if kind == "csv":
            answer = Response(stream_with_context(referencer.as_csv(since)), mimetype="text/csv")
        else:
            answer = Response(
                referencer.as_xlsx(since),
                mimetype="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            )
        answer.headers["Content-Disposition"] = (
            f'attachment; filename="referencier-{clock.today():%Y%m%d}.{kind}"'
        )
        return answer
