"""« Paiement vendeurs »: what is to pay, one file for the bank, and what the bank answered."""

import re
from collections.abc import Callable
from typing import Any

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import StringField
from wtforms.validators import Optional

from admin import forms
from admin.base import ReferenceView, ScopedView, as_pdf, me, row_or_404
from admin.listing import whole
from models import (
    Customer,
    Offer,
    PayingAccount,
    PaymentState,
    SellerPayment,
    TransferBatch,
    Vendor,
)
from services import audit, files, once, outbox
from services.buyback import reception
from services.payments import (
    bank_answers,
    bank_details,
    bank_statements,
    recaps,
    seller_payments,
    transfers,
)
from services.unit import db, unit_of_work
from services.workflow import Refused

SIZE = 50
AT_ONCE = 1_000
S = PaymentState
SHOWN = (S.to_pay, S.awaiting_iban, S.held, S.in_file, S.paid)


_INCOMPLETE = _l("This form is incomplete: reload the page.")


class ValidateForm(forms.Sent):
    """The word that validates a transfer file, and the count and the total (cents) that were
    shown.
    """

    word = forms.Typed()
    count = forms.Count(needed=_INCOMPLETE)
    total = forms.Cents(needed=_INCOMPLETE)
    form_token = forms.Typed()


class HoldForm(forms.Sent):
    """Why one payment is held, and the tab to come back to."""

    reason = forms.Typed()
    etat = forms.OneOf(PaymentState, wrong=_INCOMPLETE)


class PaymentsView(BaseView):
    asks_proof = {"all_went_through", "answer", "cancel", "try_again", "validate"}
    asks_proof_to_read = {"download", "iban"}
    route_base = "/gestion/paiements"
    default_view = "payments"

    @expose("/")
    @has_access
    def payments(self) -> Any:
        return self._page()

    def _page(self, trouble: str = "") -> str:
        vendors = list(db.session.scalars(db.select(Vendor).order_by(Vendor.id)))
        asked = request.values.get("enseigne", "")
        vendor = next(
            (v for v in vendors if str(v.id) == asked), vendors[0] if vendors else None
        ) or abort(404)
        state = next((s for s in SHOWN if s.value == request.values.get("etat")), S.to_pay)
        words = request.values.get("page", "1")
        number = min(whole(words, 1), 100_000)
        counts = seller_payments.counts([vendor.id])
        rows = seller_payments.page(vendor.id, state, number, SIZE)
        account = db.session.get(PayingAccount, vendor.id)
        return render_template(
            "admin/payments/payments.html",
            vendors=vendors,
            vendor=vendor,
            state=state,
            S=S,
            states=SHOWN,
            counts=counts,
            rows=rows,
            page=number,
            size=SIZE,
            bank=seller_payments.bank_of(rows),
            masked=bank_details.masked,
            totals=transfers.totals(vendor.id),
            account=account,
            batches=transfers.batches(vendor.id),
            trouble=trouble,
            word=transfers.WORD,
            why_held=seller_payments.why_held,
            shows_why=state in (S.held, S.awaiting_iban),
            held_by_hand=seller_payments.is_held_by_hand,
            left_out=seller_payments.left_out(counts),
            next_execution=transfers.next_execution(),
        )

    @expose("/<int:vendor_id>/valider", methods=["POST"])
    @has_access
    def validate(self, vendor_id: int) -> Any:
        """« Valider »: a second click, or a second person, gets the same file."""
        form = ValidateForm.read()
        token = form.form_token.data
        if first := once.seen(token):
            return redirect(first)
        seen = (form.count.data, form.total.data)
        try:
            self._hold_unreadable(vendor_id)
            with unit_of_work():
                batch = transfers.validate(self._vendor(vendor_id), form.word.data, seen, by=me())
                location, key, count = (
                    url_for("PaymentsView.batch", id=batch.id),
                    f"transfer_file:{batch.id}",
                    batch.count,
                )
                once.done(token, location)
        except Refused as refusal:
            db.session.rollback()
            return self._page(str(refusal)), 422
        if count <= AT_ONCE:  # a larger one is made by the worker
            outbox.work_now(key)
        return redirect(location)

    def _hold_unreadable(self, vendor_id: int) -> None:
        """One IBAN that does not open keeps nobody else from being paid."""
        with unit_of_work():
            names = transfers.hold_unreadable(self._vendor(vendor_id), by=me())
        if names:
            raise Refused(
                _(
                    "The IBAN of %(names)s cannot be opened: their payment is held, ask for it"
                    " again. Look at the new total, then type PAIEMENT again for the others.",
                    names=", ".join(names[:5]),
                )
            )

    @expose("/retenir/<int:id>", methods=["POST"])
    @has_access
    def hold(self, id: int) -> Any:
        """« Retenir »: one payment stays out of the next file, with the reason the seller reads."""
        reason = HoldForm.read().reason.data
        return self._change(id, lambda payment: seller_payments.hold(payment, reason, by=me()))

    @expose("/liberer/<int:id>", methods=["POST"])
    @has_access
    def release(self, id: int) -> Any:
        """« Ne plus retenir »: it goes on, unless something else keeps it back."""
        return self._change(id, lambda payment: reception.release(payment, by=me()))

    @expose("/relancer/<int:id>", methods=["POST"])
    @has_access
    def remind(self, id: int) -> Any:
        """« Relancer »: the seller is asked for the IBAN again."""
        return self._change(id, lambda payment: seller_payments.remind(payment, by=me()))

    def _change(self, id: int, verb: Callable[[SellerPayment], Any]) -> Any:
        with unit_of_work():
            payment = row_or_404(SellerPayment, id)
            verb(payment)
            number, vendor, state = payment.reference, payment.vendor_id, payment.status
        flash(_("%(number)s: saved.", number=number), "success")
        shown = HoldForm.read().etat.data or state
        return redirect(url_for("PaymentsView.payments", enseigne=vendor, etat=shown.value))

    @expose("/<int:vendor_id>/recapitulatif.pdf")
    @has_access
    def recap(self, vendor_id: int) -> Response:
        """« Export PDF » of what is to pay."""
        vendor = self._vendor(vendor_id)
        rows = seller_payments.page(vendor.id, S.to_pay, 1, transfers.MOST)
        return as_pdf(recaps.payment_recap(vendor, rows), "paiement-vendeurs.pdf")

    @expose("/fichier/<int:id>")
    @has_access
    def batch(self, id: int) -> Any:
        batch = self._batch(id)
        return render_template(
            "admin/payments/batch.html",
            batch=batch,
            lines=transfers.line_names(batch, 500),
            S=transfers.T,
            ready=bool(batch.sha256),
        )

    @expose("/fichier/<int:id>/telecharger", methods=["GET", "POST"])
    @has_access
    def download(self, id: int) -> Response:
        number, vendor_id = self._batch(id).number, self._batch(id).vendor_id
        audit.note_now("transfer_file_read", by=me(), subject=number, vendor_id=vendor_id)
        batch = self._batch(id)
        response = make_response(transfers.content(batch))
        response.mimetype = "application/xml"
        response.headers["Content-Disposition"] = f'attachment; filename="{batch.number}.xml"'
        return response

    @expose("/fichier/<int:id>/recapitulatif.pdf")
    @has_access
    def batch_recap(self, id: int) -> Response:
        batch = self._batch(id)
        return as_pdf(recaps.batch_recap(batch, transfers.line_names(batch)), f"{batch.number}.pdf")

    @expose("/fichier/<int:id>/passe", methods=["POST"])
    @has_access
    def all_went_through(self, id: int) -> Any:
        with unit_of_work():
            count = bank_answers.all_went_through(self._batch(id), by=me())
        flash(_("%(count)s transfers are executed: the sales are paid.", count=count), "success")
        return redirect(url_for("PaymentsView.batch", id=id))

    @expose("/fichier/<int:id>/annuler", methods=["POST"])
    @has_access
    def cancel(self, id: int) -> Any:
        with unit_of_work():
            batch = self._batch(id)
            transfers.cancel(batch, by=me())
            vendor_id = batch.vendor_id
        flash(
            _("The file is cancelled: nothing had left, its payments are to pay again."), "success"
        )
        return redirect(url_for("PaymentsView.payments", enseigne=vendor_id))

    @expose("/reponse", methods=["POST"])
    @has_access
    def answer(self) -> Any:
        """The bank's answer (pain.002) or its statement (camt.053, camt.054), whichever of our
        files it speaks of.
        """
        given = request.files.get("file")
        if given is None or not given.filename:
            raise Refused(
                _("Choose the bank's answer or statement: an XML file, pain.002 or camt.053.")
            )
        files.check_name(given.filename, ".xml")
        data, name = given.read(10_000_000), given.filename
        with unit_of_work():
            reading = bank_statements.read_any(data, name, by=me())
            ids = [batch.id for batch, _executed, _back in reading.files]
            left = sum(transfers.awaited(batch) for batch, _executed, _back in reading.files)
        for doubt in reading.doubts:
            flash(doubt, "danger")
        flash(
            _(
                "Answer read: %(executed)s executed, %(refused)s sent back, %(left)s still"
                " awaited.",
                executed=reading.executed,
                refused=reading.sent_back,
                left=left,
            ),
            "warning" if reading.sent_back else "success",
        )
        if len(ids) == 1:
            return redirect(url_for("PaymentsView.batch", id=ids[0]))
        return redirect(url_for("PaymentsView.payments"))

    @expose("/<int:id>/reessayer", methods=["POST"])
    @has_access
    def try_again(self, id: int) -> Any:
        with unit_of_work():
            payment = row_or_404(SellerPayment, id)
            seller_payments.try_again(payment, by=me())
        flash(_("It is to pay again."), "success")
        return redirect(url_for("PaymentsView.payments"))

    @expose("/<int:id>/iban", methods=["GET", "POST"])
    @has_access
    def iban(self, id: int) -> Any:
        """The whole IBAN of a seller, when his bank or he asks; each reading is written down."""
        mine = db.select(SellerPayment).where(SellerPayment.id == id)
        payment = db.session.scalar(mine) or abort(404)
        audit.note_now(
            "iban_read",
            by=me(),
            subject=f"customer {payment.customer_id}",
            vendor_id=payment.vendor_id,
            payment=id,
        )
        payment = db.session.scalars(mine).one()
        details = bank_details.of(payment.customer_id) or abort(404)
        return render_template(
            "admin/payments/iban.html",
            payment=payment,
            details=details,
            iban=bank_details.grouped(bank_details.opened(details)),
        )

    @staticmethod
    def _vendor(id: int) -> Vendor:
        return row_or_404(Vendor, id)

    @staticmethod
    def _batch(id: int) -> TransferBatch:
        return row_or_404(TransferBatch, id)


class SellerPaymentView(ScopedView):
    """Every payment to a seller, to search, filter and export."""

    datamodel = SQLAInterface(SellerPayment)
    route_base = "/gestion/versements-vendeurs"
    list_title = _l("Payments to sellers")
    list_columns = [
        "offer.number",
        "part",
        "customer",
        "amount_cents",
        "means",
        "status",
        "received_at",
        "paid_at",
    ]
    show_columns = [
        "offer.number",
        "part",
        "customer",
        "vendor",
        "amount_cents",
        "fee_cents",
        "means",
        "status",
        "held_reason",
        "iban_wait",
        "reject_reason",
        "attempts",
        "received_at",
        "told_at",
        "paid_at",
    ]
    label_columns = {
        "offer.number": _l("Seller ID"),
        "part": _l("Part"),
        "customer": _l("Seller"),
        "vendor": _l("Vendor"),
        "amount_cents": _l("Amount to pay"),
        "fee_cents": _l("Sending back, taken from it"),
        "means": _l("Means"),
        "status": _l("Status"),
        "received_at": _l("Reception"),
        "paid_at": _l("Executed"),
        "held_reason": _l("Why it is held"),
        "iban_wait": _l("Wait of a replaced IBAN"),
        "reject_reason": _l("Why it came back"),
        "attempts": _l("Files it was in"),
        "told_at": _l("Seller told"),
    }
    order_columns = ["amount_cents", "received_at", "paid_at"]
    search_columns = ["status"]
    filter_columns = ("status", "part", "means", "vendor", "received_at", "paid_at")
    find_columns = (Offer.number, Customer.email, Customer.last_name)
    find_through = (SellerPayment.offer, SellerPayment.customer)
    find_hint = _l("CDE, e-mail, name")
    first_order = "-received_at"
    tabs = (
        (_l("To pay"), "?status=to_pay"),
        (_l("Waiting for an IBAN"), "?status=awaiting_iban"),
        (_l("Held"), "?status=held"),
        (_l("File made"), "?status=in_file"),
        (_l("Executed"), "?status=paid"),
    )
    links = ((_l("Pay the sellers"), "PaymentsView.payments", "bank"),)
    empty_sentence = _l("No payment yet: they come with the end of a reception.")


class PayingAccountView(ReferenceView):
    asks_proof = {"add", "delete", "edit"}
    sealed_fields = ("iban",)
    datamodel = SQLAInterface(PayingAccount)
    route_base = "/gestion/parametrages/comptes"
    list_title, noun = _l("Accounts that pay"), _l("New account")
    list_columns = ["vendor", "holder", "iban_tail", "bic", "schema"]
    show_columns = ["vendor", "holder", "iban_tail", "bic", "client_id", "schema"]
    add_columns = ["vendor", "holder", "iban", "bic", "client_id", "schema"]
    edit_columns = ["holder", "iban", "bic", "client_id", "schema"]
    label_columns = {
        "vendor": _l("Vendor"),
        "holder": _l("Holder"),
        "iban": _l("IBAN"),
        "iban_tail": _l("IBAN ends in"),
        "bic": _l("BIC"),
        "client_id": _l("Our number at the bank"),
        "schema": _l("File format"),
    }
    description_columns = {
        "bic": _l("Empty: the one that goes with the IBAN."),
        "client_id": _l(
            "Only when your bank asks for one in its files (« identifiant émetteur », often your"
            " SIREN)."
        ),
        "schema": _l("pain.001.001.09, unless your bank still asks for .03."),
    }
    add_form_extra_fields = edit_form_extra_fields = {
        "iban": StringField(
            _l("IBAN"),
            [Optional()],
            description=_l("Kept sealed; empty keeps the one we have."),
            render_kw={"autocomplete": "off"},
        )
    }
    order_columns = ["holder"]
    search_columns = ["holder"]
    find_columns = (PayingAccount.holder,)
    first_order = "holder"
    empty_sentence = _l("No account pays yet: give the IBAN transfers are paid from.")

    def check(self, row: PayingAccount) -> None:
        row.holder = " ".join((row.holder or "").split())
        row.bic = "".join((row.bic or "").upper().split())
        row.client_id = "".join((row.client_id or "").split())
        if not re.fullmatch(r"[A-Za-z0-9/?:().,'+-]*", row.client_id):
            raise Refused(_("Our number at the bank has letters, digits and dashes only."))
        if not row.holder:
            raise Refused(_("Type the name of the account's holder, as the bank knows it."))
        if row.iban_sealed is None:
            row.iban_sealed = ""

    def kept(self, row: PayingAccount, form: Any, ready: Any) -> None:
        db.session.flush()
        bank_details.keep_paying_account(row, form.iban.data or "")
