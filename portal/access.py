"""Who am I on a site: which site, which customer, which cart; rows are loaded through their owner
or not at all.
"""

import secrets
from functools import wraps
from typing import Any

from flask import Response, abort, current_app, flash, g, redirect, request, session, url_for
from flask_babel import gettext as _
from itsdangerous import BadSignature, URLSafeTimedSerializer

from models import Cart, Customer, Offer, Order, Site
from portal import bp
from services import clock, settings, visits
from services.buyback import offers
from services.orders import buyers, carts
from services.people import customers, links
from services.unit import db
from services.workflow import Actor


def customer_cookie() -> str:
    return (
        "__Host-comptoir_client"
        if current_app.config["SESSION_COOKIE_SECURE"]
        else "comptoir_client"
    )


def cart_cookie() -> str:
    return (
        "__Host-comptoir_panier"
        if current_app.config["SESSION_COOKIE_SECURE"]
        else "comptoir_panier"
    )


def shop_cart_cookie() -> str:
    return (
        "__Host-comptoir_achats"
        if current_app.config["SESSION_COOKIE_SECURE"]
        else "comptoir_achats"
    )


def site() -> Site:
    """The site of this request (resolved from the Host header by app.py)."""
    found = db.session.get(Site, g.site_id) if g.site_id else None
    if found is None:
        abort(404)
    return found


def me() -> Customer | None:
    """The signed-in customer, or None. A session ends with the password: its epoch must be the
    account's.
    """
    if "customer_id" not in g:
        g.customer_id = _read_cookie()
    if g.customer_id is None:
        return None
    customer = db.session.get(Customer, g.customer_id[0])
    if customer is None or customer.erased_at or customer.session_epoch != g.customer_id[1]:
        return None
    return customer


def signed_in_lately() -> bool:
    """Whether the password was typed less than a quarter of an hour ago: the cookie is as old as
    the sign-in.
    """
    try:
        _who, at = _signer().loads(
            request.cookies.get(customer_cookie(), ""), return_timestamp=True
        )
    except BadSignature:
        return False
    return bool((clock.now() - at).total_seconds() < 900)


def actor() -> Actor:
    customer = me()
    assert customer is not None
    return customers.actor(customer)


def cart() -> Offer | None:
    """The cart of this visitor on this site: the customer's, else the one his cookie names."""
    here, customer = site(), me()
    if customer and (own := offers.cart_of(customer, here)):
        return own
    token = request.cookies.get(cart_cookie(), "")
    found = offers.cart_by_token(token, here) if token else None
    if (
        found
        and found.customer_id is not None
        and (customer is None or found.customer_id != customer.id)
    ):
        return None
    return found


def shop_cart() -> Cart | None:
    """What this visitor wants to buy on this site: the customer's cart, else the one his cookie
    names; never one that became somebody's.
    """
    here, customer = site(), me()
    if customer and (own := carts.of_customer(customer, here)):
        return own
    token = request.cookies.get(shop_cart_cookie(), "")
    found = carts.by_token(token, here) if token else None
    return found if found is not None and found.customer_id is None else None


def adopt_carts(customer: Customer) -> Offer | None:
    """Signing in brings along what was put aside before, to sell and to buy; returns the cart of
    what is to be sold.
    """
    carts.adopt(shop_cart(), customer, site())
    return offers.adopt(cart(), customer, site())


class Mine:
    """Rows of the signed-in customer; anything else is a 404."""

    def order(self, number: str) -> Order:
        customer = me() or abort(404)
        return buyers.find(customer, number[:12]) or abort(404)

    def offer(self, number: str) -> Offer:
        customer = me() or abort(404)
        found: Offer | None = db.session.scalar(
            db.select(Offer).where(Offer.number == number.upper())
        )
        if found is None or found.customer_id != customer.id or not offers.is_before_us(found):
            abort(404)
        return found


mine = Mine()


def customer_required(view: Any) -> Any:
    """Ask who it is first, then come back here with what was typed kept in the cart."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if me() is None:
            here = request.full_path if request.method == "GET" else url_for("portal.sales")
            if request.method == "POST":
                flash(
                    _("Your session has ended: sign in, everything you put aside is kept."),
                    "warning",
                )
            return redirect(url_for("portal.sign_in", suite=here.rstrip("?")))
        return view(*args, **kwargs)

    guarded.needs_customer = True  # type: ignore[attr-defined]
    return guarded


def remember(response: Response, customer: Customer) -> Response:
    """Sign a customer in: his own cookie, which holds no more than his id and the epoch of his
    sessions.
    """
    value = _signer().dumps(
        [customer.id, customer.session_epoch, secrets.token_hex(8)]
    )  # two sign-ins never make the same
    days = settings.value("customer_days")
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie(
        customer_cookie(),
        value,
        max_age=days * 86400,
        httponly=True,
        samesite="Lax",
        secure=secure,
        path="/",
    )
    session.pop("csrf_token", None)
    return response


def forget(response: Response) -> Response:
    response.delete_cookie(
        customer_cookie(),
        path="/",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    said = session.get("_flashes")  # « Vous êtes déconnecté » is still to be read
    session.clear()
    if said:
        session["_flashes"] = said
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def remember_cart(response: Response, token: str) -> Response:
    return _keep(response, cart_cookie(), token, settings.value("cart_days"))


def remember_shop_cart(response: Response, token: str) -> Response:
    return _keep(response, shop_cart_cookie(), token, settings.value("shop_cart_days"))


def _keep(response: Response, name: str, token: str, days: int) -> Response:
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie(
        name,
        token,
        max_age=days * 86400,
        httponly=True,
        samesite="Lax",
        secure=secure,
        path="/",
    )
    return response


def inside(address: str | None, otherwise: str) -> str:
    """A page of this site to go on to: never another host."""
    if (
        address
        and address.startswith("/")
        and address[1:2] != "/"
        and not any(c <= " " or c == "\\" for c in address)
    ):
        return address
    return otherwise


def wants_fragment() -> bool:
    return "X-Fragment" in request.headers


@bp.app_template_global("form_token")
def new_form_token() -> str:
    return secrets.token_urlsafe(18)


def _has_ordered() -> bool:
    customer = me()
    return customer is not None and buyers.has_ordered(customer)


def _read_cookie() -> list[int] | None:
    raw = request.cookies.get(customer_cookie())
    if not raw:
        return None
    try:
        read: list[int] = _signer().loads(raw, max_age=settings.value("customer_days") * 86400)
        return read
    except BadSignature:
        return None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(links.secrets(), salt="portal-session-v1")


@bp.before_request
def _count_the_visit() -> None:
    if (
        request.method == "GET"
        and g.site_id
        and request.endpoint in {"portal.sell", "portal.conditions"}
    ):
        visits.came(g.site_id, request.remote_addr or "", request.user_agent.string)


@bp.context_processor
def _what_pages_need() -> dict[str, Any]:
    return {
        "site": site(),
        "me": me,
        "signed_in_lately": signed_in_lately,
        "has_ordered": _has_ordered,
        "units_in_cart": lambda: carts.units(shop_cart()),
        "now": clock.now(),
        "drop_days": settings.value("drop_off_days"),
        "no_label_from": settings.value("no_label_from"),
    }
