"""The back office: its menu as one table, its gate, and how Flask-AppBuilder is told to build no
more than we use.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Flask,
    abort,
    current_app,
    flash,
    g,
    has_request_context,
    redirect,
    request,
    session,
    url_for,
)
from flask_appbuilder import AppBuilder
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_login import current_user, logout_user
from sqlalchemy.exc import DBAPIError

from admin import listing
from admin.buyback import bench, register, rules, validation
from admin.buyback import offers as offer_pages
from admin.buyback import parcels as parcel_pages
from admin.catalogue import argus, brands, matching, products, referencer
from admin.finance import dashboard, search
from admin.imports import imports
from admin.imports import sources as import_sources
from admin.imports import watch as import_watch
from admin.installation import audit, events, health, messages, personal
from admin.installation import settings as setting_pages
from admin.orders import call_tasks, sales
from admin.payments import credit, payments
from admin.people import account, machines, sites, vendors
from admin.people import staff as staff_pages
from admin.roles import FAB_ROLES
from admin.shipping import carriers
from admin.shipping import labels as label_pages
from admin.stock import conflicts, counts, items, levels, listings, movements, tills, transfers
from admin.words import facts_words
from services import access, clock, outbox, settings, workflow
from services.buyback import offers, parcels
from services.orders import todo as order_todo
from services.payments import seller_payments
from services.people import sessions, staff
from services.stock import todo
from services.unit import db, unit_of_work


@dataclass(frozen=True)
class Entry:
    """A line of the menu: the view it opens (endpoint), its label, its icon, how many wait there,
    and whether the operator's own people and those of vendors need it.
    """

    endpoint: str
    label: Any
    icon: str
    count: Any = None
    for_operator: bool = True
    for_vendors: bool = True


# The five modules of the product (VX-004), then what is set up once. Daily entries come first.
MENU: tuple[tuple[Any, tuple[Entry, ...]], ...] = (
    (
        _l("Web buy-back"),
        (
            Entry("ValidateView.first", _l("Purchase to validate"), "tag", offers.waiting_count),
            Entry("ParcelView.list", _l("Purchases under way"), "truck", parcels.troubles),
            Entry("BenchView.scan", _l("Goods reception"), "scan", parcels.to_receive_count),
            Entry(
                "PaymentsView.payments", _l("Pay the sellers"), "bank", seller_payments.to_pay_count
            ),
            Entry("RegisterView.index", _l("Police register"), "shield"),
            Entry("OfferView.list", _l("Offers"), "doc"),
            Entry("SellerPaymentView.list", _l("Payments to sellers"), "euro"),
            Entry("StoreCreditView.find", _l("Store credit"), "gift"),
            Entry("SellerView.list", _l("Sellers"), "user"),
            Entry("UnknownDemandView.list", _l("Unknown barcodes"), "barcode"),
        ),
    ),
    (
        _l("Shop buy-back"),
        (
            Entry("SimulateView.simulate", _l("Simulate"), "search"),
            Entry("RuleView.list", _l("Buying rules"), "euro"),
            Entry("ArgusView.list", _l("Argus"), "chart"),
        ),
    ),
    (
        _l("Stock management"),
        (
            Entry("StockLevelView.list", _l("New stock"), "stock", lambda: stock_counts().low),
            Entry("ItemView.list", _l("Second-hand stock"), "recycle"),
            Entry("ConflictView.list", _l("Sold twice"), "alert", lambda: stock_counts().conflicts),
            Entry("StockCountView.list", _l("Inventories"), "check"),
            Entry("StockTransferView.list", _l("Transfers between stores"), "truck"),
            Entry("MovementView.list", _l("Movements"), "arrow"),
            Entry("TillEventView.list", _l("What tills told"), "euro"),
            Entry(
                "ImportRunView.list", _l("Imports"), "download", lambda: stock_counts().to_confirm
            ),
        ),
    ),
    (
        _l("Orders & shipping"),
        (
            Entry(
                "SaleView.list",
                _l("Orders"),
                "basket",
                lambda: order_counts().to_answer,
                for_vendors=False,
            ),
            Entry(
                "SaleView.list",
                _l("My sales (vendor)"),
                "basket",
                lambda: order_counts().to_answer,
                for_operator=False,
            ),
            Entry(
                "CallTaskView.list", _l("Buyers to call"), "user", lambda: order_counts().to_call
            ),
            Entry("LabelView.list", _l("Shipping labels"), "print"),
            Entry("CarrierView.list", _l("Carriers"), "truck"),
            Entry("ShippingRateView.list", _l("Shipping rates"), "parcel"),
        ),
    ),
    (
        _l("Marketplaces & repricing"),
        (Entry("ListingView.list", _l("Sale offers"), "market"),),
    ),
    (
        _l("Catalogue"),
        (
            Entry("ProductView.list", _l("Products"), "pad", lambda: stock_counts().to_validate),
            Entry("VariantView.list", _l("References"), "barcode"),
            Entry(
                "UnmatchedView.list",
                _l("Unknown references"),
                "search",
                lambda: stock_counts().unmatched,
            ),
            Entry("BrandView.list", _l("Brands"), "tag"),
            Entry("BrandAgreementView.list", _l("Brand agreements"), "keys"),
            Entry("ReferencerView.out", _l("Référencier"), "book"),
            Entry("PlatformView.list", _l("Platforms"), "box"),
        ),
    ),
    (
        _l("Settings"),
        (
            Entry("SettingsView.settings", _l("Miscellaneous settings"), "gear"),
            Entry("SiteView.list", _l("Sites"), "market"),
            Entry("PayingAccountView.list", _l("Accounts that pay"), "bank"),
            Entry("VendorView.list", _l("Vendors"), "bank"),
            Entry("StoreView.list", _l("Stores"), "store"),
            Entry("MyVendorView.open", _l("My company"), "store", for_operator=False),
            Entry("StaffView.list", _l("Staff"), "id"),
            Entry("MembershipView.list", _l("Who works where"), "keys"),
            Entry("MessageView.list", _l("Messages"), "mail"),
            Entry("EventView.list", _l("Events"), "clock"),
        ),
    ),
    (
        _l("Tills and software"),
        (
            Entry("MachineKeyView.list", _l("Keys"), "keys"),
            Entry("WebhookView.list", _l("Addresses told"), "mail"),
            Entry("DeliveryView.list", _l("What was told"), "clock"),
            Entry("ApiManualView.manual", _l("API documentation"), "book"),
        ),
    ),
    (
        _l("Installation"),
        (
            Entry("HealthView.health", _l("Health"), "chart"),
            Entry("TaskView.list", _l("Tasks"), "clock", outbox.dead),
            Entry("AuditView.list", _l("Audit log"), "shield"),
            Entry("RetentionView.report", _l("Personal data"), "user"),
            Entry("CspView.list", _l("Browser reports"), "alert"),
        ),
    ),
)

VIEWS = (
    # people
    account.MyPasswordView,
    account.MyAccountView,
    machines.MachineKeyView,
    machines.NewKeyView,
    machines.PartnerKeyView,
    machines.WebhookView,
    machines.NewHookView,
    machines.DeliveryView,
    machines.ApiManualView,
    sites.SiteView,
    staff_pages.StaffView,
    staff_pages.MembershipView,
    staff_pages.AddStaffView,
    vendors.VendorView,
    vendors.StoreView,
    vendors.MyVendorView,
    vendors.ShippingRateView,
    # imports
    imports.ImportRunView,
    imports.ImportView,
    import_watch.FeedWatchView,
    import_sources.SourceView,
    import_sources.SourceTrustView,
    # catalogue
    argus.ArgusView,
    argus.PlatformView,
    brands.BrandView,
    brands.BrandAgreementView,
    matching.UnmatchedView,
    matching.AttachView,
    matching.UnknownDemandView,
    products.ProductView,
    products.SheetView,
    products.PictureView,
    products.PictureAddressView,
    products.MergeView,
    products.VariantView,
    referencer.ReferencerView,
    # stock
    conflicts.ConflictView,
    conflicts.TwinView,
    counts.StockCountView,
    counts.CountView,
    items.ItemView,
    items.SellItemView,
    levels.StockLevelView,
    levels.AdjustView,
    levels.StockAtView,
    listings.ListingView,
    listings.ListingFileView,
    listings.PriceView,
    movements.MovementView,
    tills.TillEventView,
    transfers.StockTransferView,
    transfers.TransferView,
    # payments
    payments.PaymentsView,
    payments.SellerPaymentView,
    payments.PayingAccountView,
    credit.StoreCreditView,
    # shipping
    carriers.CarrierView,
    carriers.CarrierTestView,
    label_pages.LabelView,
    # buyback
    bench.BenchView,
    offer_pages.OfferView,
    offer_pages.SellerView,
    parcel_pages.ParcelView,
    parcel_pages.ParcelActionsView,
    register.RegisterView,
    rules.RuleView,
    rules.SimulateView,
    validation.ValidateView,
    # orders
    sales.SaleView,
    sales.SaleActionsView,
    call_tasks.CallTaskView,
    call_tasks.CallView,
    # finance
    search.SearchView,
    # installation
    audit.AuditView,
    audit.CspView,
    events.EventView,
    health.HealthView,
    health.TaskView,
    messages.MessageView,
    personal.RetentionView,
    personal.SellerDataView,
    setting_pages.SettingsView,
)


class StaffSecurity(SecurityManager):
    """The generator's users and roles; sign-in and passwords are ours, its other security screens
    are not registered.
    """

    def register_views(self) -> None:
        self.auth_view = account.AuthView()
        self.appbuilder.add_view_no_menu(self.auth_view)

    def load_user(self, pk: int) -> Any:
        with access.limited_to(None):
            return super().load_user(pk)

    def _has_access_builtin_roles(self, role: Any, permission_name: str, view_name: str) -> bool:
        return _opens(role.name, permission_name, view_name)


@cache
def _opens(role: str, permission: str, view: str) -> bool:
    """Whether a role has a permission: its patterns, matched once and remembered, since a page asks
    some fifty times.
    """
    return any(
        re.match(of_views, view) and re.match(of_permissions, permission)
        for of_views, of_permissions in FAB_ROLES.get(role, ())
    )


class BackOffice(AppBuilder):
    """Only the index and the sign-in: no public API, no menu API, no /back, nothing on « / »."""

    def _add_admin_views(self) -> None:
        self._indexview = self.add_view_no_menu(self.indexview)
        self.sm.register_views()

    def _add_menu_permissions(self, *_args: Any, **_kwargs: Any) -> None:
        pass


def build(app: Flask, database_session: Any) -> BackOffice:
    app.config.update(
        FAB_ROLES=FAB_ROLES,
        FAB_CREATE_DB=False,
        FAB_UPDATE_PERMS=False,
        FAB_ADD_SECURITY_API=False,
        AUTH_ROLE_PUBLIC="Public",
        FAB_BASE_TEMPLATE="admin/base.html",
        APP_NAME="Comptoir",
    )
    office = BackOffice(
        app,
        database_session,
        indexview=dashboard.DashboardView,
        security_manager_class=StaffSecurity,
    )
    # The generator's own selector writes the language into everybody's session, visitors of the API
    # included.
    app.extensions["babel"].locale_selector = _language
    for view in VIEWS:
        office.add_view_no_menu(view)
    app.before_request(gate)
    app.teardown_request(lambda _error: access.begin(None))
    _teach_templates(app)
    return office


def _language() -> str:
    return (
        session.get("locale", "fr")
        if has_request_context() and not request.path.startswith("/api/")
        else "fr"
    )


def gate() -> Any:
    """Before anything of the back office: the right host, an open session, the vendors this person
    may see.
    """
    if not request.path.startswith("/gestion"):
        return None
    if not g.is_back_office:
        abort(404)
    if not current_user.is_authenticated:
        access.begin(access.NOTHING)
        if request.endpoint in ("AuthView.login", "AuthView.code", "AuthView.logout"):
            return None
        return redirect(url_for("AuthView.login", next=_page_to_come_back_to()))
    user, now = current_user._get_current_object(), int(clock.now().timestamp())
    standing = sessions.standing(session.get("key", ""), session.get("seen", 0))
    if standing is None or standing.user_id != user.id or standing.why_closed or not user.active:
        logout_user()
        session.clear()
        access.begin(access.NOTHING)
        if standing and standing.why_closed:
            flash(standing.why_closed, "warning")
        out = redirect(url_for("AuthView.login", next=_page_to_come_back_to()))
        # What was typed waits in the tab of a session that merely ended (static/js/kept.js); one
        # that somebody closed leaves nothing.
        merely_late = standing is not None and not standing.was_ended
        out.headers["Clear-Site-Data"] = '"cache"' if merely_late else '"cache", "storage"'
        return out
    g.standing = standing
    if (
        now - session["seen"] > 60
        and not standing.is_leaving
        and "X-Refresh" not in request.headers
    ):  # a page that refreshes itself is nobody's click
        session["seen"] = now
    if standing.is_stale:
        _note_seen(standing.id)
    if (refused := account.gate_of_account()) is not None:
        return refused
    if (asked := account.ask_for_proof()) is not None:
        return asked
    user = current_user._get_current_object()
    access.begin(None if staff.sees_all(user) else access.scope_of(user.id))
    return None


def _page_to_come_back_to() -> str | None:
    """Where signing in leads: the page asked for, or the page whose form was sent."""
    if request.method == "GET":
        return None if "X-Fragment" in request.headers else request.full_path.rstrip("?")
    sent_from = urlsplit(request.referrer or "")
    if sent_from.netloc != request.host or not sent_from.path.startswith("/gestion/"):
        return None
    return sent_from.path + (f"?{sent_from.query}" if sent_from.query else "")


def _note_seen(id: int) -> None:
    """The only thing a page that is looked at writes: when its browser was last used. Not worth an
    error.
    """
    try:
        with unit_of_work():
            sessions.note_seen(id)
    except DBAPIError:
        db.session.rollback()


def may_open(endpoint: str) -> bool:
    """Whether this person may open a page, by the same permission its view asks for."""
    asked = _asked_by(endpoint)
    return asked is not None and current_app.extensions["appbuilder"].sm.has_access(*asked)


@cache
def _asked_by(endpoint: str) -> tuple[str, str] | None:
    """The permission a page asks for, and its view; None of a page that does not exist."""
    view_name, _dot, method = endpoint.partition(".")
    views = current_app.extensions["appbuilder"].baseviews
    view = next((v for v in views if v.__class__.__name__ == view_name), None)
    if view is None:
        return None
    return "can_" + view.get_method_permission(method), view.class_permission_name


def stock_counts() -> todo.Counts:
    """What waits in stock and catalogue, counted once a request."""
    if "stock_counts" not in g:
        g.stock_counts = todo.counts()
    counted: todo.Counts = g.stock_counts
    return counted


def order_counts() -> order_todo.Counts:
    """What waits in orders, counted once a request."""
    if "order_counts" not in g:
        g.order_counts = order_todo.counts()
    counted: order_todo.Counts = g.order_counts
    return counted


@dataclass(frozen=True)
class Chapter:
    """A chapter of the menu as a person sees it: what waits in it is added up where it is folded.
    The first one is open, and the one of the page shown.
    """

    label: str
    entries: list[dict[str, Any]]
    is_open: bool

    @property
    def count(self) -> int:
        return sum(entry["count"] for entry in self.entries)


def menu() -> list[Chapter]:
    """The chapters and entries this person may open, with their counters."""
    roles = frozenset(role.name for role in current_user.roles)
    chapters = _chapters(
        roles, staff.sees_all(current_user), str(get_locale()), request.script_root
    )
    here = (request.endpoint or "").partition(".")[0]
    found = []
    for number, (label, lines) in enumerate(chapters):
        entries = [_shown(line, here) for line in lines]
        found.append(
            Chapter(label, entries, not number or any(entry["current"] for entry in entries))
        )
    return found


@dataclass(frozen=True)
class Line:
    """An entry as it is written for a set of roles, without what changes from page to page."""

    entry: Entry
    label: str
    url: str


@lru_cache(maxsize=200)
def _chapters(
    roles: frozenset[str], sees_all: bool, _locale: str, _root: str
) -> tuple[tuple[str, tuple[Line, ...]], ...]:
    """The menu of a set of roles, in the language and under the address of this request."""
    chapters = []
    for chapter, entries in MENU:
        lines = tuple(
            Line(entry, str(entry.label), url_for(entry.endpoint))
            for entry in entries
            if (asked := _asked_by(entry.endpoint))
            and any(_opens(role, *asked) for role in roles)
            and (entry.for_operator if sees_all else entry.for_vendors)
        )
        if lines:
            chapters.append((str(chapter), lines))
    return tuple(chapters)


def _shown(line: Line, here: str) -> dict[str, Any]:
    count = line.entry.count() if line.entry.count else 0
    return {
        "label": line.label,
        "icon": line.entry.icon,
        "url": line.url,
        "count": count,
        "hot": bool(count),
        "current": here == line.entry.endpoint.partition(".")[0],
    }


def _teach_templates(app: Flask) -> None:
    names = app.jinja_env.globals
    names.update(
        menu=menu,
        may_open=may_open,
        value_of=listing.value,
        key_of=lambda view, row: getattr(row, view.datamodel.get_pk_name()),
        is_number=_is_number,
        chosen=_chosen,
        day_words=listing.day_words,
        facts_words=lambda event: facts_words(event.facts),
        facts_text=facts_words,
        held=outbox.held,
        last_decision=validation.last_decision,
        idle_minutes=lambda: settings.value("staff_idle_minutes"),
        event_words=lambda event: workflow.words_of_event(event.happened),
    )
    app.jinja_env.tests.update(
        moment_value=lambda v: isinstance(v, datetime),
        list_value=lambda v: isinstance(v, list),
        day_value=lambda v: isinstance(v, date),
        state_value=lambda v: isinstance(v, Enum),
    )


def _is_number(view: Any, name: str) -> bool:
    column = view.datamodel.obj.__table__.columns.get(name.rpartition(".")[2])
    return name.endswith(("_cents", "_bp")) or (
        column is not None and column.type.python_type is int and not name.endswith("_id")
    )


def _chosen(choices: Any, words: str) -> str:
    known = dict(choices or [])
    return ", ".join(str(known.get(code, code)) for code in words.split(","))
