"""« Réception mses »: parcels and articles are scanned, graded, photographed, answered.

The page works without scripts; `static/js/bench.js` adds keys and the camera.
"""

from typing import Any

from flask import (
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    send_file,
    session,
    url_for,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from admin import forms
from admin.base import as_pdf, me, row_or_404
from models import (
    DocumentKind,
    Grade,
    IdentityDocument,
    Offer,
    OfferLine,
    Parcel,
    ParcelState,
    Photo,
    Store,
)
from services import clock, files, once, settings, workflow
from services.buyback import offers, papers, parcels, progress, reception
from services.catalogue import products
from services.people import identity
from services.shipping import labels
from services.unit import db, unit_of_work
from services.workflow import Refused


class SlipForm(forms.Sent):
    code = forms.Text(40)


class ControlForm(forms.Sent):
    """What is said of one article: its grades, where it goes, or why it is refused."""

    article = forms.Typed()
    box = forms.Typed()
    manual = forms.Typed()
    comment = forms.Typed()
    motive = forms.Typed()
    store = forms.Chosen()
    place = forms.Text(60)


class CounterForm(ControlForm):
    price = forms.Amount(needed=_l("Type the new price, such as 5,60."))
    counter_motive = forms.Typed()


class SurplusForm(forms.Sent):
    """An article found in the parcel that was not announced."""

    code = forms.Typed()
    title = forms.Typed()
    form_token = forms.Typed()


class IdentityForm(forms.Sent):
    """What the identity document says, or that it is missing; the service reads its days."""

    kind = forms.Typed()
    number = forms.Typed()
    issued_by = forms.Typed()
    issued_on = forms.Typed()
    first_names = forms.Typed()
    birth_date = forms.Typed()
    profession = forms.Typed()
    consent_by = forms.Typed()
    absent = forms.Ticked()

    def typed(self) -> dict[str, str]:
        return {name: value for name, value in self.data.items() if name != "absent"}


class BenchView(BaseView):
    route_base = "/gestion/reception"
    default_view = "scan"

    @expose("/")
    @has_access
    def scan(self) -> Any:
        """Where one scans the bordereau; the parcels one may expect are listed beside."""
        waiting = db.session.scalars(
            db.select(Parcel)
            .where(
                Parcel.is_return.is_(False),
                Parcel.status.in_(
                    [ParcelState.inspecting, ParcelState.delivered, ParcelState.at_relay]
                ),
            )
            .order_by(Parcel.status.desc(), Parcel.delivered_at, Parcel.id)
            .limit(100)
            .options(selectinload(Parcel.offer).selectinload(Offer.customer))
        ).all()
        return render_template(
            "admin/buyback/reception.html", waiting=waiting, sentence="", code=""
        )

    @expose("/ouvrir", methods=["POST"])
    @has_access
    def open(self) -> Any:
        code = SlipForm.read().code.data
        with unit_of_work():
            offer = reception.find(code)
            if offer is None:
                raise Refused(
                    _(
                        "« %(code)s » is no slip of ours: scan the barcode that begins with CDE.",
                        code=code[:20],
                    )
                )
            if reception.is_over(offer):
                return redirect(url_for("BenchView.done", number=offer.number))
            reception.open_parcel(offer, by=me())
            number = offer.number
        return redirect(url_for("BenchView.bench", number=number))

    @expose("/<number>")
    @has_access
    def bench(self, number: str) -> Any:
        offer = self._offer(number)
        if reception.is_over(offer):
            return redirect(url_for("BenchView.done", number=number))
        return self._page(offer, code=request.args.get("code", "").strip()[:40])

    @expose(
        "/<number>/article/<int:line_id>/<any(send,counter,refuse,miss,undo):verb>",
        methods=["POST"],
    )
    @has_access
    def control(self, number: str, line_id: int, verb: str) -> Any:
        token = forms.TokenForm.read().form_token.data
        if once.seen(token):
            return self._after(self._offer(number))
        try:
            form = (CounterForm if verb == "counter" else ControlForm).read()
            grades = {name: form[name].data for name in ("article", "box", "manual")}
            comment = form.comment.data
            with unit_of_work():
                line = self._line(number, line_id)
                if verb == "send":
                    store = self._store(line.offer, form.store.data)
                    reception.send(line, grades, comment, store, form.place.data, by=me())
                    session["bench_store"], session["bench_place"] = store.id, form.place.data
                elif verb == "counter":
                    reception.counter(
                        line, grades, comment, form.price.data, form.counter_motive.data, by=me()
                    )
                elif verb == "refuse":
                    reception.refuse(line, grades, comment, form.motive.data, by=me())
                elif verb == "miss":
                    reception.miss(line, by=me())
                else:
                    reception.undo(line, by=me())
                once.done(token, url_for("BenchView.bench", number=number))
        except Refused as refusal:
            db.session.rollback()
            return (
                self._page(self._offer(number), line_id=line_id, trouble=str(refusal), opened=verb),
                422,
            )
        return self._after(self._offer(number), None if verb == "undo" else line_id)

    @expose("/<number>/en-plus", methods=["POST"])
    @has_access
    def surplus(self, number: str) -> Any:
        form = SurplusForm.read()
        if once.seen(form.form_token.data):
            return self._after(self._offer(number))
        try:
            with unit_of_work():
                line_id = reception.add_surplus(
                    self._offer(number), form.code.data, form.title.data, by=me()
                ).id
                once.done(form.form_token.data, url_for("BenchView.bench", number=number))
        except Refused as refusal:
            db.session.rollback()
            return self._page(self._offer(number), code=form.code.data, trouble=str(refusal)), 422
        return self._page(self._offer(number), line_id=line_id)

    @expose("/<number>/manquants", methods=["POST"])
    @has_access
    def missing(self, number: str) -> Any:
        with unit_of_work():
            count = reception.miss_all(self._offer(number), by=me())
        flash(_("%(count)s articles are declared missing.", count=count), "warning")
        return redirect(url_for("BenchView.bench", number=number))

    @expose("/<number>/identite", methods=["POST"])
    @has_access
    def identity(self, number: str) -> Any:
        """« Pièce d'identité »: what it says, or that it is missing."""
        form = IdentityForm.read()
        if form.absent.data:
            with unit_of_work():
                reception.identity_missing(self._offer(number), by=me())
            flash(
                _("The seller is reminded; the control goes on, the payment will wait."), "success"
            )
            return redirect(url_for("BenchView.bench", number=number))
        try:
            with unit_of_work():
                reception.record_identity(self._offer(number), form.typed(), by=me())
        except Refused as refusal:
            db.session.rollback()
            offer = self._offer(number)
            page = self._end_page if offer.received_at else self._page
            return page(offer, trouble=str(refusal), field=getattr(refusal, "field", "")), 422
        flash(_("Identity document recorded."), "success")
        return redirect(url_for("BenchView.bench", number=number))

    # ── photos ──

    @expose("/<number>/photo/<int:line_id>", methods=["POST"])
    @has_access
    def photograph(self, number: str, line_id: int) -> Any:
        given = request.files.get("photo")
        self._line(number, line_id)
        if given is None or not given.filename:
            raise Refused(_("Choose a photo."))
        name = files.keep_picture(given.read(), most_side=1600)
        with unit_of_work():
            reception.photograph(self._line(number, line_id), name, by=me())
        return self._shots(number, line_id)

    @expose("/<number>/photo/<int:line_id>/<int:photo_id>/supprimer", methods=["POST"])
    @has_access
    def drop_photo(self, number: str, line_id: int, photo_id: int) -> Any:
        with unit_of_work():
            line = self._line(number, line_id)
            photo = next((p for p in line.photos if p.id == photo_id), None) or abort(404)
            reception.drop_photo(photo, by=me())
        return self._shots(number, line_id)

    def _shots(self, number: str, line_id: int) -> Any:
        db.session.expire_all()
        if "X-Fragment" in request.headers:
            return render_template(
                "admin/buyback/_shots.html",
                offer=self._offer(number),
                line=self._line(number, line_id),
                most=reception.MOST_PHOTOS,
            )
        return redirect(
            url_for("BenchView.bench", number=number, code=self._line(number, line_id).ean)
        )

    @expose("/photo/<int:id>")
    @has_access
    def photo(self, id: int) -> Any:
        found = row_or_404(Photo, id)
        response = send_file(files.path(found.file), mimetype="image/jpeg")
        response.headers["Cache-Control"] = "no-store"
        return response

    # ── the end ──

    @expose("/<number>/fin", methods=["POST"])
    @has_access
    def end(self, number: str) -> Any:
        try:
            with unit_of_work():
                reception.end(self._offer(number), by=me())
        except Refused as refusal:
            db.session.rollback()
            return self._page(self._offer(number), trouble=str(refusal)), 422
        return redirect(url_for("BenchView.done", number=number))

    @expose("/<number>/termine")
    @has_access
    def done(self, number: str) -> Any:
        offer = self._offer(number)
        if offer.received_at is None:
            return redirect(url_for("BenchView.bench", number=number))
        return self._end_page(offer)

    def _end_page(self, offer: Offer, trouble: str = "", field: str = "") -> str:
        return render_template(
            "admin/buyback/reception_end.html",
            offer=offer,
            lines=reception.articles(offer),
            article_words=progress.article_words,
            parcel=next((p for p in offer.parcels if not p.is_return), None),
            back=(back := parcels.return_parcel(offer)),
            back_sizes=labels.sizes(back.label) if back and back.label else (),
            payments=offer.payments,
            needs_identity=parcels.needs_identity(offer),
            document=identity.of(offer.vendor_id, offer.customer_id or 0),
            kinds=list(DocumentKind),
            trouble=trouble,
            field=field,
            typed=request.form,
            known_document=_as_typed(identity.of(offer.vendor_id, offer.customer_id or 0)),
        )

    @expose("/<number>/prevenir", methods=["POST"])
    @has_access
    def tell(self, number: str) -> Any:
        with unit_of_work():
            reception.tell(self._offer(number), by=me())
        flash(_("The reception e-mail is on its way."), "success")
        return redirect(url_for("BenchView.done", number=number))

    @expose("/retour/<int:id>/expedie", methods=["POST"])
    @has_access
    def sent_back(self, id: int) -> Any:
        with unit_of_work():
            parcel = row_or_404(Parcel, id)
            reception.sent_back(parcel, by=me())
            number = parcel.offer.number
        flash(_("Sent back; the seller is told."), "success")
        return redirect(url_for("BenchView.done", number=number))

    # ── paper ──

    @expose("/<number>/etiquette-reception.pdf")
    @has_access
    def reception_label(self, number: str) -> Response:
        return as_pdf(papers.reception_label(self._offer(number)), f"reception-{number}.pdf")

    @expose("/<number>/etiquettes.pdf")
    @has_access
    def item_labels(self, number: str) -> Response:
        """The labels of every article of a parcel that is in stock, or of one."""
        offer = self._offer(number)
        asked = request.args.get("article", "")
        lines = [line for line in reception.articles(offer) if not asked or str(line.id) == asked]
        found = [item for line in lines if (item := reception.item_of(line)) is not None]
        if not found:
            raise Refused(_("No article of this parcel is in stock: there is no label to print."))
        return as_pdf(papers.item_labels(found), f"etiquettes-{number}.pdf")

    @expose("/<number>/bordereau.pdf")
    @has_access
    def slip(self, number: str) -> Response:
        return as_pdf(papers.slip(self._offer(number)), f"bordereau-{number}.pdf")

    @expose("/commandes.pdf")
    @has_access
    def commands(self) -> Response:
        return as_pdf(papers.command_sheet(), "commandes-reception.pdf")

    # ── private ──

    def _after(self, offer: Offer, done_id: int | None = None) -> Any:
        if "X-Fragment" not in request.headers:
            return redirect(url_for("BenchView.bench", number=offer.number))
        return self._page(offer, done_id=done_id)

    def _page(
        self,
        offer: Offer,
        code: str = "",
        line_id: int | None = None,
        done_id: int | None = None,
        trouble: str = "",
        opened: str = "",
        field: str = "",
    ) -> str:
        found = None
        if code and not trouble:
            try:
                found = reception.look(offer, code)
            except products.BadEan as bad:
                trouble = str(bad)
        lines = reception.articles(offer)
        line = (
            found.line
            if found and found.kind == "expected"
            else next((one for one in lines if one.id == line_id), None)
        )
        if line is not None and not reception.waits(line):
            line = None
        parcel = parcels.live_parcel(offer)
        stores = list(
            db.session.scalars(
                db.select(Store).where(Store.vendor_id == offer.vendor_id).order_by(Store.id)
            )
        )
        typed = request.form if trouble and request.method == "POST" else {}
        facts = {
            "offer": offer,
            "parcel": parcel,
            "found": found,
            "line": line,
            "lines": lines,
            "trouble": trouble,
            "opened": opened,
            "waiting": [one for one in lines if reception.waits(one)],
            "handled": [one for one in lines if reception.is_controlled(one)],
            "done": next((one for one in lines if one.id == done_id), None),
            "grades": list(Grade),
            "stores": stores,
            "store_id": session.get("bench_store"),
            "place": session.get("bench_place", ""),
            "typed": typed,
            "most": reception.MOST_PHOTOS,
            "needs_identity": parcels.needs_identity(offer),
            "reminded": any(e.verb == "identity_missing" for e in workflow.history(offer, 20)),
            "kinds": list(DocumentKind),
            "field": field,
            "good": settings.value("good_percent"),
            "acceptable": settings.value("acceptable_percent"),
            "code": code,
            "today": clock.today(),
            "first_time": offers.of_customer_count(offer) <= 1,
            "is_late": reception.is_late(offer),
        }
        return render_template(
            "admin/buyback/_bench.html"
            if "X-Fragment" in request.headers
            else "admin/buyback/bench.html",
            **facts,
        )

    def _offer(self, number: str) -> Offer:
        rows = select(Offer).where(Offer.number == number.upper()[:12])
        found = db.session.scalars(rows).first()
        if found is None or not offers.is_before_us(found):
            abort(404)
        return found

    def _line(self, number: str, line_id: int) -> OfferLine:
        line = next((one for one in self._offer(number).lines if one.id == line_id), None)
        return line or abort(404)

    def _store(self, offer: Offer, asked: int | None) -> Store:
        """The store the article goes to: the one that was chosen, else the vendor's first."""
        rows = select(Store).where(Store.vendor_id == offer.vendor_id).order_by(Store.id)
        stores = list(db.session.scalars(rows))
        found = next((s for s in stores if s.id == asked), stores[0] if stores else None)
        if found is None:
            raise Refused(
                _("This vendor has no store to put articles in: an administrator adds one.")
            )
        return found


def _as_typed(document: IdentityDocument | None) -> dict[str, str]:
    """A document as its form shows it again; its number stays sealed, and empty keeps it."""
    if document is None:
        return {}
    names = ("issued_by", "first_names", "profession", "consent_by")
    days = {
        "issued_on": document.issued_on.isoformat(),
        "birth_date": document.birth_date.isoformat(),
    }
    return {
        "kind": document.kind.value,
        **{name: getattr(document, name) for name in names},
        **days,
    }
