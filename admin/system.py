"""The installation: sites, vendors, stores, staff, messages, events."""

from typing import Any

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.actions import action
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf.file import FileField
from wtforms import TextAreaField
from wtforms.validators import Optional

from admin.base import ReferenceView, ScopedView, has_access, me, uploaded
from admin.words import facts_words
from models import Event, Membership, Message, Site, Store, Vendor
from services import audit, messages, workflow
from services.people import customers, second_factor, sessions, sites, staff, vendors
from services.unit import db, unit_of_work
from services.workflow import Refused

SUBJECTS = {
    "offer": _l("Offer"),
    "customer": _l("Customer"),
    "item": _l("Item"),
    "variant": _l("Argus"),
    "product": _l("Product"),
    "site": _l("Site"),
    "vendor": _l("Vendor"),
    "store": _l("Store"),
    "buying_rule": _l("Buying rule"),
    "message": _l("Message"),
    "import_run": _l("Import"),
    "ab_user": _l("Staff"),
    "parcel": _l("Parcel"),
    "offer_line": _l("Article"),
    "seller_payment": _l("Payment"),
    "transfer_batch": _l("Transfer file"),
    "transfer_line": _l("Transfer"),
    "carrier_contract": _l("Carrier contract"),
    "paying_account": _l("Account that pays"),
    "membership": _l("Right"),
    "platform": _l("Platform"),
}
ACTORS = {
    "staff": _l("Staff"),
    "customer": _l("Customer"),
    "clock": _l("The clock"),
    "command": _l("Command line"),
}


class SiteView(ReferenceView):
    datamodel = SQLAInterface(Site)
    route_base = "/gestion/sites"
    list_title, noun = _l("Sites"), _l("New site")
    list_columns = [
        "name",
        "vendor",
        "kind",
        "hosts",
        "validation",
        "threshold_cents",
        "is_default",
    ]
    _settings = [
        "contact_email",
        "tagline",
        "short_conditions",
        "conditions",
        "legal_notice",
        "validation",
        "threshold_cents",
        "copies_per_cart",
        "copies_per_seller",
        "stock_cap",
        "color_brand",
        "color_brand_strong",
        "color_on_brand",
        "color_accent",
        "color_page",
        "color_ink",
        "radius",
    ]
    show_columns = ["name", "vendor", "kind", "hosts", "is_default", *_settings]
    add_columns = edit_columns = ["name", "vendor", "kind", "host_names", *_settings, "logo_file"]
    label_columns = {
        "name": _l("Name"),
        "vendor": _l("Vendor"),
        "kind": _l("Kind"),
        "hosts": _l("Domain names"),
        "host_names": _l("Domain names"),
        "validation": _l("Validation"),
        "threshold_cents": _l("Minimum sale"),
        "is_default": _l("Default site"),
        "contact_email": _l("Shop's e-mail"),
        "tagline": _l("Headline"),
        "short_conditions": _l("Conditions in short"),
        "conditions": _l("Buying conditions"),
        "legal_notice": _l("Legal notice"),
        "copies_per_cart": _l("Copies of one game in a cart"),
        "copies_per_seller": _l("Copies of one game from a seller"),
        "stock_cap": _l("Stop buying from (copies in stock)"),
        "color_brand": _l("Brand colour"),
        "color_brand_strong": _l("Strong brand colour"),
        "color_on_brand": _l("Text on the brand colour"),
        "color_accent": _l("Accent"),
        "color_page": _l("Page"),
        "color_ink": _l("Ink"),
        "radius": _l("Radius (0, 8, 16)"),
        "logo": _l("Logo"),
        "logo_file": _l("Logo"),
    }
    description_columns = {
        "contact_email": _l("New offers are announced there; answers to mails go there."),
        "copies_per_cart": _l("Empty: no limit."),
        "copies_per_seller": _l("Empty: no limit."),
        "stock_cap": _l("Empty: no limit."),
        "validation": _l(
            "Manual is recommended: each offer is checked before the seller sends anything."
        ),
    }
    _extra = {
        "host_names": TextAreaField(
            _l("Domain names"),
            [Optional()],
            description=_l("One a line; the first is written in mails."),
        ),
        "logo_file": FileField(_l("Logo"), description=_l("PNG, JPEG or WebP; 12 MB at most.")),
        "short_conditions": TextAreaField(
            _l("Conditions in short"),
            [Optional()],
            description=_l("One a line, shown under each price: « Boîte et notice requises »."),
        ),
        "conditions": TextAreaField(_l("Buying conditions"), [Optional()]),
        "legal_notice": TextAreaField(_l("Legal notice"), [Optional()]),
    }
    add_form_extra_fields = edit_form_extra_fields = _extra
    order_columns = ["name", "threshold_cents"]
    search_columns = ["name"]
    filter_columns = ("vendor", "kind", "validation")
    find_columns = (Site.name,)
    first_order = "name"

    def check(self, row: Site) -> None:
        if row.contact_email:
            row.contact_email = customers.clean_email(row.contact_email)
        sites.check_colors(row)

    def prepare(self, form: Any) -> str | None:
        return uploaded("logo_file", most_side=512, keeps_transparency=True)

    def kept(self, row: Site, form: Any, ready: str | None) -> None:
        sites.rename_hosts(row, form.host_names.data or "")
        if ready:
            row.logo = ready

    def prefill(self, form: Any, row: Site | None) -> None:
        if row is None:
            return
        form.host_names.data = "\n".join(host.host for host in row.hosts)

    def check_delete(self, row: Site) -> None:
        if row.is_default:
            raise Refused(_("This is the default site: it stays."))


class VendorView(ReferenceView):
    datamodel = SQLAInterface(Vendor)
    route_base = "/gestion/enseignes"
    list_title, noun = _l("Vendors"), _l("New vendor")
    list_columns = ["name", "legal_name", "siren", "email", "phone"]
    _register = ["police_register", "declaration_number", "declaration_on", "declaration_by"]
    show_columns = [
        "name",
        "legal_name",
        "siren",
        "vat_number",
        "email",
        "phone",
        "address",
        *_register,
        "created_at",
    ]
    add_columns = edit_columns = [
        "name",
        "legal_name",
        "siren",
        "vat_number",
        "email",
        "phone",
        "address",
        *_register,
    ]
    label_columns = {
        "name": _l("Vendor"),
        "legal_name": _l("Company name"),
        "siren": _l("SIREN"),
        "vat_number": _l("VAT number"),
        "email": _l("E-mail"),
        "phone": _l("Phone"),
        "address": _l("Address"),
        "created_at": _l("Since"),
        "police_register": _l("Keeps a police register"),
        "declaration_number": _l("Number of the declaration"),
        "declaration_on": _l("Declared on"),
        "declaration_by": _l("Declared to"),
    }
    description_columns = {
        "police_register": _l(
            "« Livre de police »: identity at a first sale, an entry for each article bought."
        ),
        "declaration_number": _l("The préfecture's récépissé (art. R321-1 c. pén.)."),
    }
    order_columns = ["name"]
    search_columns = ["name"]
    find_columns = (Vendor.name, Vendor.legal_name, Vendor.siren)
    first_order = "name"

    def check(self, row: Vendor) -> None:
        vendors.check(row)


class StoreView(ReferenceView):
    datamodel = SQLAInterface(Store)
    route_base = "/gestion/magasins"
    list_title, noun = _l("Stores"), _l("New store")
    list_columns = ["name", "code", "vendor", "postcode", "city", "phone"]
    show_columns = [
        "name",
        "code",
        "vendor",
        "address",
        "postcode",
        "city",
        "phone",
        "opening_hours",
        "latitude",
        "longitude",
        "last_feed_at",
    ]
    add_columns = edit_columns = [
        "name",
        "code",
        "vendor",
        "address",
        "postcode",
        "city",
        "phone",
        "opening_hours",
        "latitude",
        "longitude",
    ]
    description_columns = {
        "code": _l(
            "What its files, its till and its watched folder call it: N1, 0042… Letters, digits,"
            " dashes."
        ),
        "latitude": _l("Degrees (WGS 84), such as 47.2184. Empty: its postcode says where it is."),
    }
    label_columns = {
        "code": _l("Code"),
        "latitude": _l("Latitude"),
        "longitude": _l("Longitude"),
        "last_feed_at": _l("Last full stock file"),
        "name": _l("Store"),
        "vendor": _l("Vendor"),
        "address": _l("Address"),
        "postcode": _l("Postcode"),
        "city": _l("Town"),
        "phone": _l("Phone"),
        "opening_hours": _l("Opening hours"),
    }
    order_columns = ["name", "city"]
    search_columns = ["name"]
    filter_columns = ("vendor",)
    find_columns = (Store.name, Store.code, Store.city, Store.postcode)
    first_order = "name"

    def check(self, row: Store) -> None:
        vendors.check_store(row)


class MyVendorView(BaseView):
    """« Mon enseigne »: what a vendor keeps up by himself, and each of his stores."""

    route_base = "/gestion/mon-enseigne"
    default_view = "open"
    base_permissions = ["can_open", "can_contact", "can_store"]

    @expose("/")
    @has_access
    def open(self) -> Any:
        if staff.sees_all(current_user):  # who keeps up all of them has their lists
            return redirect(url_for("VendorView.list"))
        return self._page()

    def _page(self, sentence: str = "", at: str = "") -> Any:
        mine = db.session.scalars(db.select(Vendor).order_by(Vendor.name).limit(20)).all()
        stores = db.session.scalars(db.select(Store).order_by(Store.name).limit(2000)).all()
        page = render_template(
            "admin/my_vendor.html",
            mine=mine,
            stores=stores,
            sentence=sentence,
            at=at,
            typed=request.form,
        )
        return page, 422 if sentence else 200

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def contact(self, id: int) -> Any:
        return self._keep(
            f"v{id}",
            Vendor,
            id,
            lambda row: vendors.keep_contact(row, **_said("email", "phone", "address"), by=me()),
        )

    @expose("/magasin/<int:id>", methods=["POST"])
    @has_access
    def store(self, id: int) -> Any:
        fields = _said("address", "postcode", "city", "phone", "opening_hours")
        return self._keep(
            f"s{id}", Store, id, lambda row: vendors.keep_store(row, **fields, by=me())
        )

    def _keep(self, at: str, model: Any, id: int, verb: Any) -> Any:
        try:
            with unit_of_work() as session:
                verb(session.scalar(db.select(model).where(model.id == id)) or abort(404))
        except Refused as refusal:
            return self._page(str(refusal), at)
        flash(_("Saved."), "success")
        return redirect(url_for("MyVendorView.open"))


def _said(*names: str) -> dict[str, str]:
    return {name: request.form.get(name, "") for name in names}


class StaffView(ScopedView):
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
    show_partials = ("admin/_staff_sessions.html",)
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


class MessageView(ScopedView):
    datamodel = SQLAInterface(Message)
    route_base = "/gestion/messages"
    base_permissions = [*ScopedView.base_permissions, "resend", "can_open"]
    list_title = _l("Messages")
    list_columns = ["subject", "kind", "recipient", "sender", "state", "created_at"]
    show_columns = [
        "subject",
        "kind",
        "event",
        "sender",
        "recipient",
        "state",
        "error",
        "sends",
        "created_at",
        "sent_at",
        "body",
    ]
    label_columns = {
        "subject": _l("Subject"),
        "kind": _l("Kind"),
        "recipient": _l("To"),
        "sender": _l("From"),
        "state": _l("Status"),
        "created_at": _l("Written"),
        "sent_at": _l("Sent"),
        "event": _l("About"),
        "error": _l("What went wrong"),
        "sends": _l("Sendings"),
        "body": _l("Text"),
    }
    order_columns = ["created_at", "recipient"]
    search_columns = ["state"]
    filter_columns = ("kind", "state", "created_at")
    find_columns = (Message.recipient, Message.subject)
    find_hint = _l("E-mail, subject")
    first_order = "-created_at"
    tabs = ((_l("Waiting"), "?state=waiting"), (_l("Failed"), "?state=failed"))
    show_partials = ("admin/_open_message.html",)

    @action("resend", _l("Send again"), "", "")
    def resend(self, message: Message) -> None:
        messages.resend(message, by=me())

    @expose("/ouvrir/<pk>")
    @has_access
    def open(self, pk: str) -> Any:
        """The mail as its reader sees it, alone in the browser; it runs nothing."""
        row = self.row(pk)
        if not row.html:  # an SMS, or a text no longer kept
            abort(404)
        response = make_response(row.html)
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        )
        return response


class EventView(ScopedView):
    datamodel = SQLAInterface(Event)
    route_base = "/gestion/journal"
    list_title = _l("Events")
    list_columns = ["verb", "subject", "subject_id", "actor_name", "at"]
    show_columns = [
        "verb",
        "subject",
        "subject_id",
        "from_state",
        "to_state",
        "actor_kind",
        "actor_name",
        "facts",
        "at",
    ]
    label_columns = {
        "verb": _l("What"),
        "subject": _l("About"),
        "subject_id": _l("ID"),
        "actor_name": _l("By"),
        "at": _l("When"),
        "from_state": _l("From"),
        "to_state": _l("To"),
        "actor_kind": _l("Who"),
        "facts": _l("Facts"),
    }
    formatters_columns = {
        "verb": lambda verb: str(workflow.VERBS.get(verb, verb)),
        "subject": lambda subject: str(SUBJECTS.get(subject, subject)),
        "from_state": workflow.words_of_code,
        "to_state": workflow.words_of_code,
        "actor_kind": lambda kind: str(ACTORS.get(kind, kind)),
        "facts": lambda facts: facts_words(facts) or "–",
    }
    order_columns = ["at"]
    search_columns = ["subject"]
    filter_columns = ("subject", "verb", "at")
    find_columns = (Event.actor_name, Event.verb)
    first_order = "-at"
