"""A customer's account: open, sign in, confirm, recover, correct, export, erase."""

import json
from typing import Any

from flask import (
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext as _

from models import Customer
from portal import bp
from portal.access import (
    adopt_carts,
    cart,
    cart_cookie,
    customer_required,
    forget,
    inside,
    me,
    remember,
    shop_cart_cookie,
    site,
)
from portal.forms import (
    AccountForm,
    ChangeEmailForm,
    ChangePasswordForm,
    EraseForm,
    ForgottenForm,
    IbanForm,
    NewPasswordForm,
    PersonalForm,
    SignInForm,
    refused,
    saying_why,
)
from services import limits
from services.buyback import offers
from services.payments import bank_details, store_credit
from services.people import customers, links, passwords
from services.unit import unit_of_work
from services.workflow import Refused


@bp.route("/compte/creer", methods=["GET", "POST"])
def open_account() -> Any:
    if me():
        return redirect(_next())
    form = AccountForm()
    if form.validate_on_submit():
        _slow_down("account", 10)
        with saying_why(form):
            data = {name: form[name].data or "" for name in customers.PERSONAL}
            chosen = passwords.chosen(
                form.password.data, form.email.data, data["first_name"], data["last_name"]
            )
            with unit_of_work():
                customer = customers.open_account(
                    site(), email=form.email.data, password_hash=chosen, **data
                )
                held = adopt_carts(customer)
            if held and held.articles:
                flash(_("Your account is open. Last step: finalise the sale."), "success")
            return _signed_in(customer)
    return render_template("portal/account/open.html", form=form, suite=_next(), cart=cart()), (
        422 if refused(form) else 200
    )


@bp.route("/compte/connexion", methods=["GET", "POST"])
def sign_in() -> Any:
    if me():
        return redirect(_next())
    form = SignInForm()
    if form.validate_on_submit():
        _slow_down("sign-in", 30)
        with saying_why(form):
            customer = customers.sign_in(form.email.data, form.password.data)
            if customer is None:
                raise Refused(_("E-mail or password is wrong."))
            id = customer.id
            with unit_of_work() as session:
                customer = session.get_one(Customer, id)
                adopt_carts(customer)
            return _signed_in(customer)
    return render_template("portal/account/sign_in.html", form=form, suite=_next(), cart=cart()), (
        422 if refused(form) else 200
    )


@bp.post("/compte/deconnexion")
def sign_out() -> Any:
    flash(_("You are signed out."), "success")
    response = redirect(url_for("portal.sell"))
    for name in (cart_cookie(), shop_cart_cookie()):
        response.delete_cookie(
            name,
            path="/",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    if customer := me():
        id = customer.id
        with unit_of_work() as session:
            customers.sign_out_everywhere(session.get_one(Customer, id))
    return forget(response)  # type: ignore[arg-type]


@bp.route("/compte/oublie", methods=["GET", "POST"])
def forgotten() -> Any:
    form = ForgottenForm()
    if form.validate_on_submit():
        _slow_down("forgotten", 5)
        with unit_of_work():
            customers.forgot_password(form.email.data, site=site())
        return render_template("portal/account/sent.html", address=form.email.data)
    return render_template("portal/account/forgotten.html", form=form), (
        422 if refused(form) else 200
    )


@bp.route("/compte/nouveau-mot-de-passe/<token>", methods=["GET", "POST"])
def new_password(token: str) -> Any:
    form = NewPasswordForm()
    try:
        links.read_reset(token)
    except Refused as refusal:
        return render_template("portal/account/dead_link.html", sentence=str(refusal)), 410
    if form.validate_on_submit():
        with saying_why(form):
            customer = links.read_reset(token)
            chosen = passwords.chosen(
                form.password.data, customer.email, customer.first_name, customer.last_name
            )
            with unit_of_work():
                customer = links.read_reset(token, lock=True)
                customers.change_password(customer, chosen, site=site())
            flash(_("Your new password is set."), "success")
            return _signed_in(customer)
    return render_template("portal/account/new_password.html", form=form), (
        422 if refused(form) else 200
    )


@bp.route("/compte/confirmer/<token>", methods=["GET", "POST"])
def confirm(token: str) -> Any:
    """The link of a mail: a page with one button, because mail scanners open links too."""
    try:
        customer, address = links.read_confirm(token)
        if request.method == "POST":
            with unit_of_work():
                customer, address = links.read_confirm(token, lock=True)
                customers.confirm_email(customer, address)
            flash(_("Your e-mail address is confirmed."), "success")
            return redirect(url_for("portal.sales" if me() else "portal.sign_in"))
    except Refused as refusal:
        return render_template("portal/account/dead_link.html", sentence=str(refusal)), 410
    return render_template("portal/account/confirm.html", address=address)


# ── personal data ──


@bp.get("/compte")
@customer_required
def account() -> Any:
    return account_page()


@bp.post("/compte/corriger")
@customer_required
def correct() -> Any:
    form = PersonalForm()
    if form.validate_on_submit():
        with saying_why(form):
            with unit_of_work():
                changed = customers.correct(
                    _me(), **{name: form[name].data or "" for name in customers.PERSONAL}
                )
            flash(
                _("Your data are corrected.") if changed else _("Nothing had changed."), "success"
            )
            return redirect(url_for("portal.account"))
    return account_page(personal=form), 422


@bp.post("/compte/email")
@customer_required
def change_email() -> Any:
    form = ChangeEmailForm(prefix="new")
    if form.validate_on_submit():
        with saying_why(form):
            customers.check_password(_me(), form.password.data)
            with unit_of_work():
                customer = _me()
                customers.ask_email(customer, form.email.data, site=site())
                customers.sign_out_everywhere(
                    customer
                )  # whoever gave the password again goes on alone
            flash(_("Open the mail we sent to the new address to confirm it."), "success")
            return remember(make_response(redirect(url_for("portal.account"))), customer)
    return account_page(email=form), 422


@bp.post("/compte/mot-de-passe")
@customer_required
def change_password() -> Any:
    form = ChangePasswordForm(prefix="change")
    if form.validate_on_submit():
        with saying_why(form):
            customers.check_password(_me(), form.current.data)
            chosen = passwords.chosen(
                form.password.data, _me().email, _me().first_name, _me().last_name
            )
            with unit_of_work():
                customer = _me()
                customers.change_password(customer, chosen, site=site())
            flash(_("Your password is changed; your other devices are signed out."), "success")
            return remember(make_response(redirect(url_for("portal.account"))), customer)
    return account_page(password=form), 422


@bp.post("/compte/renvoyer-confirmation")
@customer_required
def confirm_again() -> Any:
    _slow_down("confirm", 5)
    with unit_of_work():
        customers.send_confirmation_again(_me(), site())
    flash(_("The mail is on its way."), "success")
    return redirect(url_for("portal.account"))


@bp.get("/compte/export")
@customer_required
def export() -> Any:
    """Everything we hold about the person, as one JSON file (RGPD art. 15 and 20)."""
    body = json.dumps(customers.export(_me()), ensure_ascii=False, indent=2)
    return Response(
        body,
        mimetype="application/json",
        headers={"Content-Disposition": 'attachment; filename="mes-donnees.json"'},
    )


@bp.post("/compte/effacer")
@customer_required
def erase() -> Any:
    form = EraseForm(prefix="erase")
    if form.validate_on_submit():
        with saying_why(form):
            if form.word.data.strip().upper() != "EFFACER":
                raise Refused(_("Type EFFACER to confirm."))
            customers.check_password(_me(), form.password.data)
            with unit_of_work():
                if (here := cart()) is not None:
                    offers.empty(here)
                sentence = customers.erase(_me())
            flash(sentence, "success")
            return forget(redirect(url_for("portal.sell")))  # type: ignore[arg-type]
    return account_page(erase=form), 422


def account_page(
    personal: Any = None,
    email: Any = None,
    password: Any = None,
    erase: Any = None,
    iban: Any = None,
) -> str:
    customer = _me()
    details = bank_details.of(customer.id)
    if iban is None:
        iban = IbanForm(
            formdata=None, prefix="iban", holder=details.holder if details else customer.name
        )
    if personal is None:
        personal = PersonalForm(formdata=None, obj=customer)
        personal.phone.data = customers.shown_phone(customer.phone)
    return render_template(
        "portal/account/account.html",
        personal=personal,
        email=email or ChangeEmailForm(formdata=None, prefix="new"),
        password=password or ChangePasswordForm(formdata=None, prefix="change"),
        erase=erase or EraseForm(formdata=None, prefix="erase"),
        why_not_erase=customers.why_not_erase(customer),
        iban=iban,
        details=details,
        masked=bank_details.masked(details),
        purses=store_credit.purses(customer),
    )


def _me() -> Customer:
    customer = me()
    assert customer is not None
    return customer


def _next() -> str:
    return inside(request.values.get("suite"), url_for("portal.sales"))


def _signed_in(customer: Customer) -> Any:
    id = customer.id
    with unit_of_work() as session:
        customer = session.get_one(Customer, id)
        customers.came(customer)
    return remember(make_response(redirect(_next())), customer)


def _slow_down(what: str, most: int) -> None:
    if seconds := limits.spend(f"{what}:{limits.place()}", most, 600):
        raise limits.TooMany(
            _(
                "Too many tries from this address: wait %(minutes)s min.",
                minutes=(seconds + 59) // 60,
            ),
            seconds,
        )
