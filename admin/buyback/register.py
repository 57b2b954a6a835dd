"""« Livre de police »: one says why before one sees; each look and each extract is written down."""

import csv
import io
from datetime import timedelta
from typing import Any

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import func, select

from admin import forms
from admin.base import as_pdf, me, row_or_404
from admin.listing import whole
from models import Consultation, PoliceRecord, RegisterSeal, Vendor
from services import clock
from services.buyback import papers, police_register
from services.imports import tables
from services.unit import db, unit_of_work
from services.workflow import Refused

HOURS = 12
SIZE = 50
MOST_ROWS, MOST_PDF_ROWS = 50_000, 5_000


class ConsultForm(forms.Sent):
    """Why the register is opened, and for which days."""

    purpose = forms.Typed()
    authority = forms.Typed()
    since = forms.Day()
    until = forms.Day()


class ExtractForm(forms.Sent):
    q = forms.Text(100)


class CorrectionForm(forms.Sent):
    number = forms.Chosen()
    motive = forms.Typed()


class RegisterView(BaseView):
    route_base = "/gestion/livre-de-police"
    default_view = "index"

    @expose("/")
    @has_access
    def index(self) -> Any:
        keepers = list(
            db.session.scalars(
                db.select(Vendor).where(Vendor.police_register.is_(True)).order_by(Vendor.name)
            )
        )
        counts = {
            id: n
            for id, n in db.session.execute(
                db.select(PoliceRecord.vendor_id, func.count(PoliceRecord.id)).group_by(
                    PoliceRecord.vendor_id
                )
            )
        }
        asked = request.args.get("verifier", "")
        return render_template(
            "admin/buyback/register.html",
            vendors=keepers,
            counts=counts,
            purposes=police_register.PURPOSES,
            typed=request.args,
            verdicts={v.id: police_register.verify(v.id) for v in keepers if str(v.id) == asked},
            seals={v.id: self._last_seal(v.id) for v in keepers},
            looks={v.id: police_register.consultations(v.id) for v in keepers},
        )

    @expose("/<int:vendor_id>/consulter", methods=["POST"])
    @has_access
    def consult(self, vendor_id: int) -> Any:
        form = ConsultForm.read()
        with unit_of_work():
            vendor = self._vendor(vendor_id)
            id = police_register.consult(
                vendor,
                form.purpose.data,
                by=me(),
                what="list",
                authority=form.authority.data,
                since=form.since.data,
                until=form.until.data,
            ).id
        return redirect(url_for("RegisterView.entries", id=id))

    @expose("/consultation/<int:id>")
    @has_access
    def entries(self, id: int) -> Any:
        look = self._look(id)
        words = request.args.get("q", "").strip()[:100].replace("\0", "")
        number = min(whole(request.args.get("page"), 1), 100_000)
        rows = police_register.entries(look.vendor_id, words, look.since, look.until)
        total = (
            db.session.scalar(db.select(func.count()).select_from(rows.order_by(None).subquery()))
            or 0
        )
        shown = db.session.scalars(
            rows.order_by(None)
            .order_by(PoliceRecord.number.desc())
            .limit(SIZE)
            .offset((number - 1) * SIZE)
        ).all()
        return render_template(
            "admin/buyback/register_entries.html",
            look=look,
            words=words,
            page=number,
            size=SIZE,
            total=total,
            columns=police_register.columns(),
            rows=[(entry, police_register.as_row(entry)) for entry in shown],
        )

    @expose("/consultation/<int:id>/extrait/<any(pdf,csv):kind>", methods=["POST"])
    @has_access
    def extract(self, id: int, kind: str) -> Any:
        """The extract for an authority: logged, then made."""
        words = ExtractForm.read().q.data
        with unit_of_work() as session:
            look = self._look(id)
            session.add(
                Consultation(
                    vendor_id=look.vendor_id,
                    user_id=look.user_id,
                    by_name=look.by_name,
                    purpose=look.purpose,
                    authority=look.authority,
                    what=f"extract {kind}",
                    since=look.since,
                    until=look.until,
                    at=clock.now(),
                )
            )
        look = self._look(id)
        rows = police_register.entries(look.vendor_id, words, look.since, look.until).limit(
            MOST_PDF_ROWS + 1 if kind == "pdf" else MOST_ROWS
        )
        found = list(db.session.scalars(rows.execution_options(yield_per=500)))
        if kind == "pdf" and len(found) > MOST_PDF_ROWS:
            raise Refused(
                _(
                    "A PDF holds %(most)s entries at most: choose a shorter period, or take the"
                    " CSV.",
                    most=MOST_PDF_ROWS,
                )
            )
        vendor = self._vendor(look.vendor_id)
        period = _period(look)
        if kind == "pdf":
            reason = f"{look.purpose}{f' : {look.authority}' if look.authority else ''}"
            return as_pdf(
                papers.register_extract(vendor, found, period, reason),
                f"livre-de-police-{clock.today():%Y%m%d}.pdf",
            )
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";")
        writer.writerow([*police_register.columns(), "SHA-256"])
        for entry in found:
            writer.writerow(
                [tables.neutral(cell) for cell in (*police_register.as_row(entry), entry.hash)]
            )
        response = make_response("\ufeff" + out.getvalue())
        response.mimetype = "text/csv"
        response.headers["Content-Disposition"] = (
            f'attachment; filename="livre-de-police-{clock.today():%Y%m%d}.csv"'
        )
        return response

    @expose("/consultation/<int:id>/corriger", methods=["POST"])
    @has_access
    def correct(self, id: int) -> Any:
        form = CorrectionForm.read()
        with unit_of_work():
            look = self._look(id)
            entry = db.session.scalar(
                db.select(PoliceRecord).where(
                    PoliceRecord.vendor_id == look.vendor_id,
                    PoliceRecord.number == form.number.data,
                )
            )
            if entry is None:
                raise Refused(_("There is no entry with this number."))
            made = police_register.correct(entry, form.motive.data, by=me()).number
        flash(
            _(
                "Correction kept as entry %(number)s; entry %(before)s stays as it is.",
                number=made,
                before=entry.number,
            ),
            "success",
        )
        return redirect(url_for("RegisterView.entries", id=id))

    @staticmethod
    def _look(id: int) -> Consultation:
        look = row_or_404(Consultation, id)
        if look.user_id != current_user.id or clock.now() - look.at > timedelta(hours=HOURS):
            abort(404)
        return look

    @staticmethod
    def _vendor(id: int) -> Vendor:
        return row_or_404(Vendor, id)

    @staticmethod
    def _last_seal(vendor_id: int) -> RegisterSeal | None:
        rows = select(RegisterSeal).where(RegisterSeal.vendor_id == vendor_id)
        return db.session.scalars(rows.order_by(RegisterSeal.day.desc()).limit(1)).first()


def _period(look: Consultation) -> str:
    if look.since and look.until:
        return f"du {look.since:%d/%m/%Y} au {look.until:%d/%m/%Y}"
    if look.since:
        return f"depuis le {look.since:%d/%m/%Y}"
    return f"jusqu’au {look.until:%d/%m/%Y}" if look.until else "toutes les inscriptions"
