"""Following a sale after it is accepted: documents, relays, the answer to the reception, how one is
paid.
"""

import base64
from typing import Any

from flask import (
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask_babel import gettext as _

from models import Customer, Offer, Parcel, PaymentMeans, Photo
from portal import bp
from portal.access import (
    actor,
    customer_required,
    inside,
    me,
    mine,
    remember,
    signed_in_lately,
    site,
)
from portal.account import account_page
from portal.forms import IbanForm, refused, saying_why
from services import files, limits, once, settings, visits
from services.buyback import amounts, papers, parcels, progress, reception
from services.payments import bank_details, seller_payments, store_credit
from services.people import customers, links, sites
from services.shipping import contracts, labels
from services.unit import db, unit_of_work
from services.workflow import Refused

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


# ── documents, by a signed link or from « mes ventes » ──


@bp.get("/documents/<token>")
def document(token: str) -> Any:
    """What a mail links to: signed, expiring, readable without signing in. A click on the label is
    counted.
    """
    try:
        asked = links.read_document(token)
        if asked.what == "label":
            parcel = db.session.get(Parcel, asked.id) or abort(404)
            asked.check(parcel.offer.customer)
            visits.clicked(parcel.id, "link", request.user_agent.string)
            return _label(parcel)
        if asked.what == "slip":
            offer = db.session.get(Offer, asked.id) or abort(404)
            asked.check(offer.customer)
            return _slip(offer)
        if asked.what == "photo":
            photo = db.session.get(Photo, asked.id) or abort(404)
            if asked.mark not in ("", photo.file):  # its number was given to another picture
                abort(404)
            asked.check(photo.line.offer.customer)
            return _photo(photo)
        if asked.what == "seen":
            visits.clicked(asked.id, "open", request.user_agent.string)
            response = make_response(PIXEL)
            response.mimetype = "image/gif"
            return response
    except Refused as refusal:
        return render_template("portal/account/dead_link.html", sentence=str(refusal)), 410
    abort(404)


@bp.get("/ventes/<number>/etiquette.pdf")
@customer_required
def label(number: str) -> Any:
    parcel = parcels.live_parcel(mine.offer(number))
    if parcel is None or parcel.label is None or not labels.sizes(parcel.label):
        abort(404)
    return _label(parcel, request.args.get("format", "A4"))


@bp.get("/ventes/<number>/bordereau.pdf")
@customer_required
def slip(number: str) -> Any:
    return _slip(mine.offer(number))


@bp.get("/ventes/<number>/releve.pdf")
@customer_required
def statement(number: str) -> Any:
    offer = mine.offer(number)
    if not progress.has_statement(offer):
        abort(404)
    return _pdf(papers.statement(offer), f"releve-{offer.number}.pdf")


@bp.get("/ventes/<number>/photo/<int:id>")
@customer_required
def bench_photo(number: str, id: int) -> Any:
    found = db.session.get(Photo, id)
    if found is None or found.line.offer_id != mine.offer(number).id:
        abort(404)
    return _photo(found)


@bp.get("/ventes/<number>/relais")
@customer_required
def relays(number: str) -> Any:
    """Relay points near the seller, or near the postcode he types; without scripts too."""
    offer = mine.offer(number)
    words = request.args.get("cp", offer.seller.postcode)
    sentence, found = "", []
    try:
        postcode = customers.clean_postcode(words)
        if seconds := limits.spend(f"relays:{limits.place()}", 20, 60):
            raise limits.TooMany(
                _("Too many searches: wait %(seconds)s seconds.", seconds=seconds), seconds
            )
        found = labels.relays_near(contracts.contract_of(offer.vendor_id), postcode)
        sentence = (
            "" if found else _("The carrier does not answer just now: try again in a few minutes.")
        )
    except customers.Invalid as wrong:
        postcode, sentence = words[:10], str(wrong)
    return render_template(
        "portal/sell/relays.html",
        offer=mine.offer(number),
        relays=found,
        postcode=postcode,
        sentence=sentence,
    )


def _label(parcel: Parcel, size: str = "A4") -> Response:
    number, label = parcel.label_number, parcel.label
    known = label is not None and size in labels.sizes(label)
    return _pdf(labels.pdf(label, size if known else "A4"), f"etiquette-{number}.pdf")


def _slip(offer: Offer) -> Response:
    if not progress.has_slip(offer):
        raise Refused(
            _(
                "This slip is no longer valid: the sale is being checked again, or it ended. Open"
                " « My sales » to see where it is."
            )
        )
    return _pdf(papers.slip(offer), f"bordereau-{offer.number}.pdf")


def _photo(found: Photo) -> Response:
    response = send_file(files.path(found.file), mimetype="image/jpeg")
    response.headers["Cache-Control"] = "no-store"
    return response


def _pdf(data: bytes, name: str) -> Response:
    response = make_response(data)
    response.mimetype = "application/pdf"
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return response


# ── the answer to the reception ──


@bp.post("/ventes/<number>/articles")
@customer_required
def answer_reception(number: str) -> Any:
    """Four choices an article: take the new price, get it back, give it, have it recycled."""
    if first := once.seen(request.form.get("form_token", "")):
        return redirect(first)
    with unit_of_work():
        offer = mine.offer(number)
        chosen = {
            line.id: (
                "agree"
                if request.form.get("all") == "agree" and "agree" in reception.choices(line)
                else request.form.get(f"line-{line.id}", "")
            )
            for line in reception.pending(offer)
        }
        reception.answer(offer, chosen, request.form.get("relay", "")[:6], by=actor())
        once.done(request.form.get("form_token", ""), url_for("portal.sale", number=number))
    flash(_("Thank you: your answer is on its way to the shop."), "success")
    return redirect(url_for("portal.sale", number=number))


# ── how one is paid ──


@bp.post("/ventes/<number>/paiement")
@customer_required
def choose_means(number: str) -> Any:
    wanted = request.form.get("means", "")
    if wanted not in PaymentMeans.__members__:
        raise Refused(_("Choose a transfer or store credit."))
    with unit_of_work():
        offer = mine.offer(number)
        if wanted == "store_credit" and offer.payment and not request.form.get("confirmed"):
            return redirect(url_for("portal.confirm_credit", number=number))
        reception.choose_means(offer, PaymentMeans[wanted], by=actor())
        credited = progress.is_credited(offer)
    if credited:
        flash(_("You are paid in store credit: here is your card."), "success")
        return redirect(url_for("portal.account") + "#bon")
    flash(_("Your choice is saved."), "success")
    return redirect(url_for("portal.sale", number=number) + "#paiement")


@bp.get("/ventes/<number>/bon-d-achat")
@customer_required
def confirm_credit(number: str) -> Any:
    """What choosing store credit means, before it is given for good."""
    offer = mine.offer(number)
    if offer.payment is None or not progress.can_choose_means(offer):
        return redirect(url_for("portal.sale", number=number))
    cents = sum(payment.amount_cents for payment in offer.payments)
    return render_template(
        "portal/sell/confirm_credit.html",
        offer=offer,
        cents=cents,
        bonus=store_credit.bonus_of(cents),
        stores=store_credit.where_to_spend(offer.vendor_id),
    )


@bp.post("/compte/iban")
@customer_required
def give_iban() -> Any:
    """Keep the IBAN. The password is asked for, unless it was typed minutes ago and no IBAN is
    replaced; a change is announced by mail.
    """
    form = IbanForm(prefix="iban")
    after = inside(request.form.get("suite"), url_for("portal.account") + "#iban")
    if form.validate_on_submit():
        with saying_why(form):
            customer = me()
            assert customer is not None
            proves = not signed_in_lately() or bank_details.of(customer.id) is not None
            if proves:
                customers.check_password(customer, form.password.data or "")
            with unit_of_work():
                customer = me()
                assert isinstance(customer, Customer)
                moved = bank_details.give(customer, form.iban.data, form.holder.data, site=site())
                if proves:
                    customers.sign_out_everywhere(
                        customer
                    )  # whoever gave the password again goes on alone
            flash(
                (
                    _(
                        "Your IBAN is kept: your payment is being prepared. The bank may take a few"
                        " days."
                    )
                    if moved
                    else _("Your IBAN is kept.")
                ),
                "success",
            )
            return remember(make_response(redirect(after)), customer)
    return account_page(iban=form), 422 if refused(form) else 200


def payment_facts(offer: Offer) -> dict[str, Any]:
    """What the page of a sale says about its parcel, its reception and its payment."""
    parcel, back = parcels.live_parcel(offer), parcels.return_parcel(offer)
    label = parcel.label if parcel else None
    details = bank_details.of(offer.customer_id) if offer.customer_id else None
    lines = reception.articles(offer)
    found = amounts.of(offer)
    return {
        "here": f"{sites.address(offer.site)}/ventes/{offer.number}",
        "parcel": parcel,
        "back": back,
        "pending": reception.pending(offer),
        "choices": reception.choices,
        "articles": lines,
        "label": label,
        "sends_to": (
            parcels.address_to_send_to(offer)
            if label is None and parcels.is_out_of_reach(offer.seller.postcode)
            else ""
        ),
        "can_print": label is not None and bool(labels.sizes(label)),
        "finds_relays": label is not None and label.carrier != contracts.BY_HAND,
        "tracking": labels.tracking_address(label),
        "payment": offer.payment,
        "payments": [(one, progress.payment_words(one)) for one in offer.payments],
        "payment_sentence": progress.payment_sentence(offer) if offer.payment else "",
        "is_paid": progress.is_paid(offer),
        "payment_words": seller_payments.words_for_seller(offer.payment) if offer.payment else "",
        "iban": bank_details.masked(details),
        "iban_usable": details is not None and details.refused_at is None,
        "left_cents": found.left_cents - found.left_bonus_cents,
        "paid_cents": (found.paid_cents or 0) - found.left_cents if found.is_partly_paid else 0,
        "is_covered": reception.is_sending_back_covered(offer),
        "may_send_back": bool(label and label.relays) and reception.may_send_back(offer),
        "bonus": store_credit.bonus_of,
        "needs_identity": progress.has_slip(offer) and parcels.needs_identity(offer),
        "has_statement": progress.has_statement(offer),
        "has_slip": progress.has_slip(offer),
        "has_payment": progress.has_payment(offer),
        "asks_for_iban": progress.asks_for_iban(offer),
        "is_missing": reception.is_missing,
        "is_countered": reception.is_countered,
        "article_words": progress.article_words,
        "was_controlled": any(line.controlled_at for line in lines),
        "can_choose": progress.can_choose_means(offer),
        "outcome": reception.outcome_words,
        "default_outcome": settings.value("default_outcome"),
        "return_fee": settings.value("return_fee_cents"),
    }
