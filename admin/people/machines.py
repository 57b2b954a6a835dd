"""Keys of machines, addresses that are told what happens, and the manual of the API."""

import secrets
from typing import Any

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask import session as browser
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from admin import forms
from admin.base import ScopedView, action, action_of, me
from models import MachineKey, Store, Vendor, Webhook, WebhookDelivery
from services import webhooks
from services.people import machine_keys
from services.unit import db, unit_of_work
from services.workflow import Refused

HOOK_MOVE = {move.verb: move for move in webhooks.WEBHOOK.moves}


DELIVERY_MOVE = {move.verb: move for move in webhooks.DELIVERY.moves}


class MachineKeyView(ScopedView):
    datamodel = SQLAInterface(MachineKey)
    route_base = "/gestion/cles"
    base_permissions = [*ScopedView.base_permissions, "revoke", "believe_counts"]
    show_partials = ("admin/people/_partner_key.html",)
    list_title = _l("Keys of tills and software")
    list_columns = [
        "name",
        "start",
        "vendor",
        "store",
        "scopes",
        "counts",
        "per_minute",
        "used_at",
        "revoked_at",
    ]
    show_columns = [*list_columns, "created_at"]
    label_columns = {
        "name": _l("Till or software"),
        "start": _l("Begins with"),
        "vendor": _l("Vendor"),
        "store": _l("Store"),
        "scopes": _l("Opens"),
        "counts": _l("Its counts are believed"),
        "per_minute": _l("Requests a minute"),
        "used_at": _l("Last used"),
        "revoked_at": _l("Revoked"),
        "created_at": _l("Since"),
    }
    formatters_columns = {
        "scopes": lambda scopes: ", ".join(
            str(machine_keys.SCOPES.get(name, name)) for name in scopes.split()
        )
    }
    order_columns = ["created_at"]
    search_columns = ["name"]
    filter_columns = ("vendor", "store")
    find_columns = (MachineKey.name, MachineKey.start)
    first_order = "-created_at"
    links = (
        (_l("Make a key"), "NewKeyView.make", "plus"),
        (_l("Key of a partner"), "PartnerKeyView.make", "plus"),
        (_l("Manual of the door for machines"), "ApiManualView.manual", "book"),
    )
    empty_sentence = _l("No till is connected yet: make a key for it.")

    def show_more(self, row: MachineKey) -> dict[str, Any]:
        if row.vendor_id is not None:
            return {}
        return {"vendors": _vendors(), "is_open": {one.vendor_id for one in row.opened}}

    @action("revoke", _l("Revoke"), _l("It opens nothing any more, at once."), "")
    def revoke(self, row: MachineKey) -> None:
        machine_keys.revoke(row, by=me())

    @action("believe_counts", _l("Believe its counts"), "", "")
    def believe(self, row: MachineKey) -> None:
        machine_keys.believe_counts(row, by=me())

    def action_open(self, name: str, row: MachineKey) -> bool:
        return row.revoked_at is None and (
            name != "believe_counts" or (not row.counts and "till" in row.scopes.split())
        )


class OnceForm(forms.Sent):
    """The mark of one page that shows a secret once."""

    once = forms.Typed()


class KeyForm(OnceForm):
    name = forms.Typed()
    scopes = forms.Several()
    store = forms.Chosen()
    vendor = forms.Chosen()
    per_minute = forms.Count()


class PartnerForm(OnceForm):
    """The vendors that the key of a partner opens."""

    vendors = forms.Several()

    def chosen(self) -> list[Vendor]:
        ids = [int(id) for id in self.vendors.data if id.isascii() and id.isdigit()]
        return list(
            db.session.scalars(select(Vendor).where(Vendor.id.in_(ids)).order_by(Vendor.name))
        )


class PartnerKeyForm(PartnerForm):
    name = forms.Typed()
    scopes = forms.Several()
    per_minute = forms.Count()


class HookForm(OnceForm):
    url = forms.Typed()
    events = forms.Several()
    vendor = forms.Chosen()


class NewKeyView(BaseView):
    """A key is shown once, here, and never again."""

    asks_proof = {"make"}
    route_base = "/gestion/cles/nouvelle"
    default_view = "make"
    base_permissions = ["can_make"]

    @expose("/", methods=["GET", "POST"])
    @has_access
    def make(self) -> Any:
        sentence, secret, made = "", "", None
        if request.method == "POST":
            if _made_before():
                return redirect(url_for("MachineKeyView.list"))
            try:
                form = KeyForm.read()
                with unit_of_work() as session:
                    store = session.scalar(select(Store).where(Store.id == form.store.data))
                    vendor = session.scalar(select(Vendor).where(Vendor.id == form.vendor.data))
                    vendor = vendor or (store.vendor if store else None)
                    if vendor is None:
                        raise Refused(_("Choose the vendor or the store this key is for."))
                    made, secret = machine_keys.make(
                        vendor,
                        form.name.data,
                        form.scopes.data,
                        by=me(),
                        store=store,
                        per_minute=600 if form.per_minute.data is None else form.per_minute.data,
                    )
                    name = made.name
                _remember_made()
                return render_template("admin/people/key_made.html", secret=secret, name=name)
            except Refused as refusal:
                sentence = str(refusal)
        page = render_template(
            "admin/people/key_new.html",
            sentence=sentence,
            typed=request.form,
            scopes=machine_keys.SCOPES,
            stores=_stores(),
            vendors=_vendors(),
            once=secrets.token_hex(8),
        )
        return page, 422 if sentence else 200


class PartnerKeyView(BaseView):
    """The key of software that serves several vendors: the operator makes it, and says whose it
    opens.
    """

    asks_proof = {"make", "open"}
    route_base = "/gestion/cles/partenaire"
    default_view = "make"
    base_permissions = ["can_make"]
    method_permission_name = {"make": "make", "open": "make"}

    @expose("/", methods=["GET", "POST"])
    @has_access
    def make(self) -> Any:
        sentence = ""
        if request.method == "POST":
            if _made_before():
                return redirect(url_for("MachineKeyView.list"))
            try:
                form = PartnerKeyForm.read()
                with unit_of_work():
                    made, secret = machine_keys.make_for_partner(
                        form.chosen(),
                        form.name.data,
                        form.scopes.data,
                        by=me(),
                        per_minute=600 if form.per_minute.data is None else form.per_minute.data,
                    )
                    name = made.name
                _remember_made()
                return render_template("admin/people/key_made.html", secret=secret, name=name)
            except Refused as refusal:
                sentence = str(refusal)
        page = render_template(
            "admin/people/partner_key_new.html",
            sentence=sentence,
            typed=request.form,
            scopes={n: label for n, label in machine_keys.SCOPES.items() if n != "till"},
            vendors=_vendors(),
            once=secrets.token_hex(8),
        )
        return page, 422 if sentence else 200

    @expose("/<int:id>", methods=["POST"])
    @has_access
    def open(self, id: int) -> Any:
        try:
            with unit_of_work() as session:
                row = session.scalar(select(MachineKey).where(MachineKey.id == id)) or abort(404)
                machine_keys.open_vendors(row, PartnerForm.read().chosen(), by=me())
            flash(_("Saved."), "success")
        except Refused as refusal:
            flash(str(refusal), "danger")
        return redirect(url_for("MachineKeyView.show", pk=id))


def _made_before() -> bool:
    """The page that shows a secret once was loaded again: a second key would be made, which nobody
    wants.
    """
    once = OnceForm.read().once.data
    if not once or once != browser.get("made_once"):
        return False
    flash(_("It was made already; its secret is not shown again."), "warning")
    return True


def _remember_made() -> None:
    browser["made_once"] = OnceForm.read().once.data


def _stores() -> list[Store]:
    return list(db.session.scalars(select(Store).order_by(Store.name).limit(2000)))


def _vendors() -> list[Vendor]:
    return list(db.session.scalars(select(Vendor).order_by(Vendor.name).limit(2000)))


class WebhookView(ScopedView):
    datamodel = SQLAInterface(Webhook)
    route_base = "/gestion/webhooks"
    base_permissions = [*ScopedView.base_permissions, "pause", "resume", "send_trial", "can_renew"]
    list_title = _l("Addresses told what happens")
    list_columns = show_columns = ["url", "vendor", "events", "status", "created_at"]
    label_columns = {
        "url": _l("Address"),
        "vendor": _l("Vendor"),
        "events": _l("Is told"),
        "status": _l("Status"),
        "created_at": _l("Since"),
    }
    formatters_columns = {
        "events": lambda events: ", ".join(
            str(webhooks.EVENTS.get(name, name)) for name in events.split()
        )
    }
    order_columns = ["created_at"]
    search_columns = ["url"]
    filter_columns = ("vendor", "status")
    find_columns = (Webhook.url,)
    first_order = "-created_at"
    links = (
        (_l("Add an address"), "NewHookView.open", "plus"),
        (_l("What was told"), "DeliveryView.list", "clock"),
    )
    empty_sentence = _l("No software is told yet: it must ask.")
    flow = webhooks.WEBHOOK
    show_partials = ("admin/people/_webhook.html",)

    pause_hook = action_of(HOOK_MOVE["pause"], webhooks.pause)
    resume_hook = action_of(HOOK_MOVE["resume"], webhooks.resume)
    trial_hook = action_of(HOOK_MOVE["send_trial"], webhooks.send_trial)

    def show_more(self, row: Webhook) -> dict[str, Any]:
        last = (
            select(WebhookDelivery)
            .where(WebhookDelivery.webhook_id == row.id)
            .order_by(WebhookDelivery.id.desc())
            .limit(20)
        )
        return {"deliveries": db.session.scalars(last).all()}


class NewHookView(BaseView):
    asks_proof = {"open", "renew"}
    route_base = "/gestion/webhooks/nouveau"
    default_view = "open"
    base_permissions = ["can_open"]
    method_permission_name = {"open": "open", "renew": "open"}

    @expose("/", methods=["GET", "POST"])
    @has_access
    def open(self) -> Any:
        sentence = ""
        if request.method == "POST":
            if _made_before():
                return redirect(url_for("WebhookView.list"))
            try:
                form = HookForm.read()
                with unit_of_work() as session:
                    vendor = session.scalar(select(Vendor).where(Vendor.id == form.vendor.data))
                    mine = _vendors()
                    vendor = vendor or (mine[0] if len(mine) == 1 else None)
                    if vendor is None:
                        raise Refused(_("Choose the vendor this address belongs to."))
                    row, secret = webhooks.open_for(
                        vendor, form.url.data, form.events.data, by=me()
                    )
                    url = row.url
                _remember_made()
                return render_template("admin/people/key_made.html", secret=secret, name=url)
            except Refused as refusal:
                sentence = str(refusal)
        page = render_template(
            "admin/people/webhook_new.html",
            sentence=sentence,
            typed=request.form,
            events=webhooks.EVENTS,
            vendors=_vendors(),
            once=secrets.token_hex(8),
        )
        return page, 422 if sentence else 200

    @expose("/<int:id>/secret", methods=["POST"])
    @has_access
    def renew(self, id: int) -> Any:
        with unit_of_work() as session:
            row = session.scalar(select(Webhook).where(Webhook.id == id))
            if row is None:
                return redirect(url_for("WebhookView.list"))
            secret, url = webhooks.renew_secret(row, by=me()), row.url
        return render_template("admin/people/key_made.html", secret=secret, name=url)


class DeliveryView(ScopedView):
    datamodel = SQLAInterface(WebhookDelivery)
    route_base = "/gestion/webhooks/envois"
    base_permissions = [*ScopedView.base_permissions, "replay"]
    list_title = _l("What software was told")
    list_columns = ["event", "webhook", "status", "tries", "answer", "created_at", "told_at"]
    show_columns = [*list_columns, "message_id", "body"]
    label_columns = {
        "event": _l("Event"),
        "webhook": _l("Address"),
        "status": _l("Status"),
        "tries": _l("Tries"),
        "answer": _l("Its answer"),
        "created_at": _l("When"),
        "told_at": _l("Delivered"),
        "message_id": _l("webhook-id"),
        "body": _l("Body"),
    }
    formatters_columns = {"event": lambda event: str(webhooks.EVENTS.get(event, event))}
    order_columns = ["created_at"]
    search_columns = ["event"]
    filter_columns = ("status",)
    find_columns = (WebhookDelivery.event, WebhookDelivery.message_id)
    first_order = "-created_at"
    tabs = ((_l("Given up"), "?status=not_delivered"), (_l("To deliver"), "?status=to_deliver"))
    empty_sentence = _l("Nothing was told yet.")
    flow = webhooks.DELIVERY

    replay_delivery = action_of(DELIVERY_MOVE["replay"], webhooks.replay)


class ApiManualView(BaseView):
    """The OpenAPI document as people read it; `/api/v1/openapi.json` is the same for machines."""

    route_base = "/gestion/api"
    default_view = "manual"
    base_permissions = ["can_manual"]

    @expose("/")
    @has_access
    def manual(self) -> Any:
        return render_template(
            "admin/people/api_manual.html",
            **current_app.extensions["manual"](),
        )
