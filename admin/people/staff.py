"""Staff accounts, and who works where."""

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.actions import action
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from admin import forms
from admin.base import ReferenceView, ScopedView, has_access, me
from models import (
    Membership,
    Vendor,
)
from services import audit
from services.people import second_factor, sessions, staff
from services.unit import db, unit_of_work
from services.workflow import Refused


class StaffView(ScopedView):
    asks_proof = {"action", "action_post"}
    datamodel = SQLAInterface(User)
    route_base = "/gestion/utilisateurs"
    base_permissions = [
        *ScopedView.base_permissions,
        "give_password",
        "withdraw_access",
        "restore_access",
        "end_sessions",
        "take_second_factor",
    ]
    list_title = _l("Staff")
    list_columns = ["username", "first_name", "last_name", "roles", "active"]
    show_columns = ["username", "first_name", "last_name", "roles", "active"]
    show_partials = ("admin/people/_staff_sessions.html",)
    label_columns = {
        "username": _l("E-mail"),
        "first_name": _l("First name"),
        "last_name": _l("Last name"),
        "roles": _l("Role"),
        "active": _l("Has access"),
    }
    order_columns = ["username", "last_name"]
    search_columns = ["username"]
    filter_columns = ("active",)
    find_columns = (User.username, User.last_name)
    first_order = "username"
    links = ((_l("Add a member of staff"), "AddStaffView.add", "plus"),)

    def show_more(self, row: User) -> dict[str, Any]:
        return {"sessions": sessions.live(row.id), "since": staff.second_factor_since(row.id)}

    def action_open(self, name: str, row: User) -> bool:
        if name == "take_second_factor":
            return second_factor.is_on(row.id)
        if name == "restore_access":
            return not row.active
        return bool(row.active)

    @action("give_password", _l("Give a one-time password"), "", "", multiple=False)
    def give_password(self, user: User) -> None:
        password = staff.give_password(user, by=me())
        flash(
            _(
                "One-time password of %(user)s: %(password)s. It is shown once.",
                user=user.username,
                password=password,
            ),
            "success",
        )

    @action("withdraw_access", _l("Withdraw access"), "", "")
    def withdraw_access(self, user: User) -> None:
        staff.withdraw(user, by=me())

    @action("end_sessions", _l("End the sessions"), "", "")
    def end_sessions(self, user: User) -> None:
        sessions.end_all(user, by=me())

    @action(
        "take_second_factor",
        _l("Take the second factor off"),
        _l("For who lost both telephone and recovery codes: be sure who asks."),
        "",
        multiple=False,
    )
    def take_second_factor(self, user: User) -> None:
        second_factor.turn_off(user, by=me())

    @action("restore_access", _l("Give access back"), "", "")
    def restore_access(self, user: User) -> None:
        staff.restore(user, by=me())


class MembershipView(ReferenceView):
    asks_proof = {"add", "delete", "edit"}
    datamodel = SQLAInterface(Membership)
    route_base = "/gestion/droits"
    list_title, noun = _l("Who works where"), _l("New right")
    list_columns = show_columns = add_columns = edit_columns = ["user", "vendor", "store"]
    label_columns = {"user": _l("Staff"), "vendor": _l("Vendor"), "store": _l("Store")}
    order_columns = ["id"]
    search_columns = ["id"]
    filter_columns = ("vendor",)

    def check(self, row: Membership) -> None:
        if (
            row.store is not None
            and row.vendor is not None
            and row.store.vendor_id != row.vendor.id
        ):
            raise Refused(_("This store belongs to another vendor."))

    def kept(self, row: Membership, form: Any, ready: Any) -> None:
        audit.note(
            "rights_changed",
            by=me(),
            subject=str(row.user),
            vendor=str(row.vendor),
            store=str(row.store or ""),
        )

    def check_delete(self, row: Membership) -> None:
        audit.note("rights_changed", by=me(), subject=str(row.user), withdrawn=str(row.vendor))


class AddStaffForm(FlaskForm):
    email = EmailField(_l("E-mail"), [InputRequired(_l("This is needed."))])
    first_name = StringField(_l("First name"), [Length(max=60)], filters=[forms.tidy])
    last_name = StringField(_l("Last name"), [Length(max=60)], filters=[forms.tidy])
    role = SelectField(_l("Role"), choices=[(role, role) for role in staff.ROLES])
    vendor = SelectField(_l("Vendor"), [Optional()], coerce=lambda v: int(v) if v else None)


class AddStaffView(BaseView):
    asks_proof = {"add"}
    route_base = "/gestion/utilisateurs/ajouter"
    default_view = "add"
    class_permission_name = "StaffView"
    method_permission_name = {"add": "add"}
    base_permissions = ["can_add"]

    @expose("/", methods=["GET", "POST"])
    @has_access
    def add(self) -> Any:
        form = AddStaffForm()
        vendors = list(db.session.scalars(db.select(Vendor).order_by(Vendor.name)))
        form.vendor.choices = [("", "—"), *((str(v.id), v.name) for v in vendors)]
        if form.validate_on_submit():
            try:
                with unit_of_work():
                    user, password = staff.add(
                        form.email.data,
                        form.role.data,
                        by=me(),
                        first_name=form.first_name.data,
                        last_name=form.last_name.data,
                    )
                    if form.vendor.data:
                        staff.belongs_to(user, db.session.get_one(Vendor, form.vendor.data))
                    id, name = user.id, user.username
                flash(
                    _(
                        "One-time password of %(user)s: %(password)s. It is shown once.",
                        user=name,
                        password=password,
                    ),
                    "success",
                )
                return redirect(url_for("StaffView.show", pk=id))
            except Refused as refusal:
                form.form_errors.append(str(refusal))
        return render_template(
            "admin/people/add_staff.html", form=form
        ), 422 if form.errors else 200
