"""What is forgotten and when; what is kept of one seller."""

import json
from typing import Any

from flask import Response, abort, flash, redirect, render_template, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _

from admin.base import me
from models import Customer
from services import audit, retention
from services.people import customers
from services.unit import db, unit_of_work


class RetentionView(BaseView):
    """« Données personnelles »: what is kept, how long, why; and what was forgotten each night."""

    asks_proof = {"believe"}
    route_base = "/gestion/donnees-personnelles"
    default_view = "report"
    method_permission_name = {"report": "report", "believe": "believe"}

    @expose("/")
    @has_access
    def report(self) -> Any:
        return render_template(
            "admin/installation/retention.html",
            rules=retention.RULES,
            due=retention.overdue(),
            runs=retention.reports(),
            leap=retention.leap(),
        )

    @expose("/date", methods=["POST"])
    @has_access
    def believe(self) -> Any:
        """The date of the machine is right, although it went on by more than six weeks."""
        with unit_of_work():
            retention.believe_the_clock(by=me())
        flash(_("Noted: what is due is forgotten in the night."), "success")
        return redirect(url_for("RetentionView.report"))


class SellerDataView(BaseView):
    """Everything we hold about a seller, as a file: what staff give who asks for his data by letter
    (RGPD art. 15 and 20).
    """

    asks_proof_to_read = {"export"}
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
