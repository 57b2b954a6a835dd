"""Who is at the screen: sign-in in two steps, « Mon compte » (password, second factor, open
sessions), and proof before what costs.
"""

from typing import Any, ClassVar

from flask import (
    current_app,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import InputRequired

from admin.base import me
from services import audit, clock, limits, sealing
from services.people import passwords, second_factor, sessions, staff
from services.unit import db, unit_of_work
from services.workflow import Refused

HALF_SECONDS = 600  # between the password and the code
PROOF_SECONDS = 600  # a confirmation counts that long


class SignInForm(FlaskForm):
    username = EmailField(
        _l("E-mail"),
        [InputRequired(_l("Type your e-mail address."))],
        render_kw={"autocomplete": "username"},
    )
    password = PasswordField(
        _l("Password"),
        [InputRequired(_l("Type your password."))],
        render_kw={"autocomplete": "current-password"},
    )


class CodeForm(FlaskForm):
    code = StringField(
        _l("Code"),
        [InputRequired(_l("Type the six digits of your application, or a recovery code."))],
        render_kw={
            "autocomplete": "one-time-code",
            "autocapitalize": "characters",
            "spellcheck": "false",
            "autofocus": True,
        },
    )


class NewPasswordForm(FlaskForm):
    current = PasswordField(
        _l("Current password"),
        [InputRequired(_l("Type your password."))],
        render_kw={"autocomplete": "current-password"},
    )
    password = PasswordField(
        _l("New password"),
        [InputRequired(_l("Choose a password."))],
        render_kw={"autocomplete": "new-password"},
        description=_l("12 characters at least: three or four words do well."),
    )


class AuthView(BaseView):
    route_base = "/gestion"
    base_permissions: ClassVar[list[str]] = []

    @expose("/login/", methods=["GET", "POST"])
    def login(self) -> Any:
        if current_user.is_authenticated:
            # A page nobody clicks on any more leaves the screen, also when its session still lives.
            left = "quitte" in request.args
            return redirect(url_for("DashboardView.index") if left else _after())
        form = SignInForm()
        if form.validate_on_submit():
            try:
                user = staff.sign_in(form.username.data, form.password.data, limits.place())
                if user is None:
                    raise Refused(_("E-mail or password is wrong."))
                if second_factor.is_on(user.id):
                    session.clear()
                    session["half"] = sealing.seal(
                        f"{user.id}:{int(clock.now().timestamp())}", "half-signed-in"
                    )
                    return redirect(url_for("AuthView.code", next=request.args.get("next")))
                sign_in(user)
                return redirect(_after())
            except Refused as refusal:
                form.form_errors.append(str(refusal))
        return render_template("admin/people/login.html", form=form), 422 if form.errors else 200

    @expose("/login/code", methods=["GET", "POST"])
    def code(self) -> Any:
        """The second step: nothing is open before it."""
        user_id = _half()
        if current_user.is_authenticated or user_id is None:
            return redirect(url_for("AuthView.login", next=request.args.get("next")))
        form = CodeForm()
        if form.validate_on_submit():
            try:
                with unit_of_work() as database:
                    user = database.get_one(User, user_id)
                    if not user.active:
                        raise Refused(_("E-mail or password is wrong."))
                    is_right = second_factor.check(user, form.code.data)
                user = db.session.get_one(User, user_id)
                if not is_right:
                    second_factor.wrong(user_id)
                    audit.note_now("code_refused", by=staff.actor(user), subject=user.username)
                    raise Refused(
                        _("This code is wrong, or was used already: wait for the next one.")
                    )
                second_factor.right(user_id)
                sign_in(user)
                return redirect(_after())
            except Refused as refusal:
                form.form_errors.append(str(refusal))
        return render_template("admin/people/code.html", form=form), 422 if form.errors else 200

    @expose("/logout/", methods=["POST"])
    def logout(self) -> Any:
        if current_user.is_authenticated and (standing := g.get("standing")):
            user_id = current_user.id
            with unit_of_work() as database:
                user = database.get_one(User, user_id)
                sessions.end(standing.id, user, by=staff.actor(user))
        logout_user()
        session.clear()
        response = make_response(redirect(url_for("AuthView.login")))
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response


def sign_in(user: User) -> None:
    """A fresh session of this browser, with a key of its own."""
    user_id = user.id
    with unit_of_work() as database:
        key = sessions.open_for(
            database.get_one(User, user_id),
            address=request.remote_addr or "",
            agent=request.user_agent.string,
        )
    session.clear()
    login_user(db.session.get_one(User, user_id))
    now = int(clock.now().timestamp())
    session.update(key=key, seen=now, proved=now)


def _after() -> str:
    after = request.args.get("next", "")
    return (
        after
        if after.startswith("/gestion/") and not any(c <= " " or c == "\\" for c in after)
        else url_for("DashboardView.index")
    )


def _half() -> int | None:
    """Who gave the right password in this browser less than ten minutes ago, and still owes the
    code.
    """
    try:
        user_id, _colon, at = sealing.unseal(session.get("half", ""), "half-signed-in").partition(
            ":"
        )
    except sealing.CannotOpen:
        return None
    return int(user_id) if clock.now().timestamp() - int(at) < HALF_SECONDS else None


# ── proof ──


def ask_for_proof() -> Any:
    """Re-authenticate before an action its view lists in `asks_proof` (money, IBANs, rights, keys):
    return the page that asks for the password, or None when the request may go on. What was typed
    is kept in that page and sent on with the password.
    """
    name, _dot, method = (request.endpoint or "").partition(".")
    view = next(
        (v for v in current_app.extensions["appbuilder"].baseviews if type(v).__name__ == name),
        None,
    )
    reads = method in getattr(view, "asks_proof_to_read", ())
    if not (reads or (request.method == "POST" and method in getattr(view, "asks_proof", ()))):
        return None
    trouble = ""
    if request.method == "POST" and "proof_password" in request.form:
        if staff.password_is_right(current_user, request.form["proof_password"]):
            _renew_key()
            return redirect(request.full_path.rstrip("?")) if reads else None
        trouble = _("This is not your password.")
    elif clock.now().timestamp() - session.get("proved", 0) < PROOF_SECONDS:
        return None
    typed = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in ("csrf_token", "proof_password")
    ]
    page = render_template(
        "admin/people/proof.html",
        typed=typed,
        files=list(request.files),
        trouble=trouble,
        here=request.full_path.rstrip("?"),
    )
    return page, 422 if trouble else 200


def _renew_key() -> None:
    """Who proved himself gets a new key: one that was copied before is worth nothing now."""
    now = int(clock.now().timestamp())
    with unit_of_work():
        session["key"] = sessions.renew(g.standing.id)
        audit.note("proved", by=me(), subject=current_user.username)
    session.update(seen=now, proved=now)


# ── my account ──


class MyPasswordView(BaseView):
    route_base = "/gestion/mot-de-passe"
    default_view = "change"

    @expose("/", methods=["GET", "POST"])
    @has_access
    def change(self) -> Any:
        form = NewPasswordForm()
        if form.validate_on_submit():
            try:
                if not staff.password_is_right(current_user, form.current.data):
                    raise Refused(_("This is not your current password."))
                if form.password.data == form.current.data:
                    raise Refused(_("Choose another password than the current one."))
                id = current_user.id
                new = passwords.chosen(
                    form.password.data,
                    current_user.email,
                    current_user.first_name,
                    current_user.last_name,
                )
                with unit_of_work() as database:
                    user = database.get_one(User, id)
                    staff.change_password(user, new)
                sign_in(user)
                flash(_("Your password is changed; your other devices are signed out."), "success")
                return redirect(url_for("DashboardView.index"))
            except Refused as refusal:
                form.form_errors.append(str(refusal))
        return render_template(
            "admin/people/my_password.html", form=form, first=g.standing.must_change_password
        ), (422 if form.errors else 200)


class MyAccountView(BaseView):
    """« Mon compte »: second factor and sessions of whoever is signed in."""

    asks_proof = {"codes", "enrol", "turn_off"}
    route_base = "/gestion/mon-compte"
    default_view = "account"

    @expose("/")
    @has_access
    def account(self) -> Any:
        return render_template(
            "admin/people/my_account.html",
            sessions=sessions.live(current_user.id),
            here=g.standing.id,
            is_on=g.standing.has_second_factor,
            left=second_factor.codes_left(current_user.id),
            asked=second_factor.is_asked_of(current_user),
            since=staff.second_factor_since(current_user.id),
        )

    @expose("/second-facteur", methods=["GET", "POST"])
    @has_access
    def enrol(self) -> Any:
        """Scan, type the first code, note the recovery codes."""
        if g.standing.has_second_factor:
            return redirect(url_for("MyAccountView.account"))
        place = f"totp-offer:{current_user.id}"
        try:
            secret = sealing.unseal(session.get("offer", ""), place)
        except sealing.CannotOpen:
            secret = second_factor.new_secret()
            session["offer"] = sealing.seal(secret, place)
        form = CodeForm()
        if form.validate_on_submit():
            try:
                user_id, here = current_user.id, g.standing.id
                with unit_of_work() as database:
                    user = database.get_one(User, user_id)
                    codes = second_factor.turn_on(user, secret, form.code.data)
                    sessions.end_all(user, by=staff.actor(user), but=here)
                session.pop("offer", None)
                return render_template("admin/people/recovery_codes.html", codes=codes)
            except Refused as refusal:
                form.form_errors.append(str(refusal))
        spaced = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
        address = second_factor.address(current_user, secret)
        return render_template(
            "admin/people/second_factor.html", form=form, secret=spaced, address=address
        ), (422 if form.errors else 200)

    @expose("/codes", methods=["POST"])
    @has_access
    def codes(self) -> Any:
        """Ten new recovery codes."""
        user_id = current_user.id
        with unit_of_work() as database:
            codes = second_factor.renew_codes(database.get_one(User, user_id))
        return render_template("admin/people/recovery_codes.html", codes=codes)

    @expose("/second-facteur/retirer", methods=["POST"])
    @has_access
    def turn_off(self) -> Any:
        user_id = current_user.id
        with unit_of_work() as database:
            user = database.get_one(User, user_id)
            second_factor.turn_off(user, by=staff.actor(user))
        sign_in(user)
        flash(_("Your second factor is off; your other devices are signed out."), "warning")
        return redirect(url_for("MyAccountView.account"))

    @expose("/sessions/<int:id>/terminer", methods=["POST"])
    @has_access
    def end(self, id: int) -> Any:
        user_id = current_user.id
        with unit_of_work() as database:
            user = database.get_one(User, user_id)
            sessions.end(id, user, by=staff.actor(user))
        flash(_("This session is ended."), "success")
        return redirect(url_for("MyAccountView.account"))

    @expose("/sessions/terminer", methods=["POST"])
    @has_access
    def end_others(self) -> Any:
        user_id, here = current_user.id, g.standing.id
        with unit_of_work() as database:
            user = database.get_one(User, user_id)
            count = sessions.end_all(user, by=staff.actor(user), but=here)
        flash(_("%(count)s other sessions are ended.", count=count), "success")
        return redirect(url_for("MyAccountView.account"))


def gate_of_account() -> Any:
    """Before anything else: a first password to change, a second factor to turn on."""
    here = request.endpoint
    if g.standing.must_change_password:
        return (
            None
            if here in ("MyPasswordView.change", "AuthView.logout")
            else redirect(url_for("MyPasswordView.change"))
        )
    is_missing = not g.standing.has_second_factor and second_factor.is_asked_of(current_user)
    if is_missing and here not in (
        "MyAccountView.enrol",
        "MyPasswordView.change",
        "AuthView.logout",
    ):
        return redirect(url_for("MyAccountView.enrol"))
    return None
