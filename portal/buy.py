"""Buying in the shop: the cart, « Réserver », then « Mes commandes » with the code of the
collection.
"""

from typing import Any

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from models import CartLine, Listing, Store, VendorOrder
from portal import bp
from portal.access import (
    actor,
    customer_required,
    me,
    mine,
    remember_shop_cart,
    shop_cart,
    site,
)
from portal.shop import shop_only
from services import limits, once, settings
from services.orders import buyers, carts, checkout, fulfilment, parts, pickup
from services.unit import unit_of_work
from services.workflow import CUSTOMER, Refused

# Carts opened from one address by visitors who are not signed in.
CARTS_AN_HOUR = 60


# ── the cart ──


@bp.post("/boutique/panier/ajouter")
@shop_only
def add_to_cart() -> Any:
    """« Mettre au panier »: units of an offer, to be collected in one of its stores."""
    if first := once.seen(request.form.get("form_token", "")):
        return redirect(first)
    location, new_token = url_for("portal.cart_page"), ""
    if shop_cart() is None and me() is None:
        _count_a_cart()
    with unit_of_work() as session:
        listing = session.get(Listing, _whole("listing")) or abort(404)
        store = session.get(Store, _whole("store")) or abort(404)
        cart = shop_cart()
        if cart is None:
            cart, new_token = carts.open_cart(site(), me())
        carts.add(cart, listing, store, _whole("quantity", 1))
        title = listing.variant.product.title
        once.done(request.form.get("form_token", ""), location)
    flash(_("« %(title)s » is in your cart.", title=title), "success")
    answer = make_response(redirect(location))
    return remember_shop_cart(answer, new_token) if new_token and me() is None else answer


def _count_a_cart() -> None:
    """Raises TooMany: who keeps no cookie would leave a cart a click."""
    if seconds := limits.spend(f"shop-cart:{limits.place()}", CARTS_AN_HOUR, 3600):
        raise limits.TooMany(
            _(
                "Too many carts were begun from this address: wait %(minutes)s min, or allow the"
                " cookie of this site.",
                minutes=(seconds + 59) // 60,
            ),
            seconds,
        )


def _whole(name: str, otherwise: int = 0) -> int:
    """A whole number that a form sent; what is none counts as 0, which nothing has."""
    words = request.form.get(name, "").strip()
    if not words:
        return otherwise
    is_number = words.isascii() and words.isdigit() and len(words) < 10
    return int(words) if is_number else 0


@bp.get("/boutique/panier")
@shop_only
def cart_page() -> Any:
    """What is in the cart, by the store that hands it over, at today's prices."""
    cart = shop_cart()
    basket = carts.read(cart) if cart is not None else None
    return render_template(
        "portal/shop/cart.html",
        site=site(),
        basket=basket,
        elsewhere=carts.other_stores(basket) if basket else {},
    )


@bp.post("/boutique/panier/<int:line_id>/quantite")
@shop_only
def set_quantity(line_id: int) -> Any:
    with unit_of_work():
        carts.set_quantity(_line(line_id), _whole("quantity"))
    return redirect(url_for("portal.cart_page") + f"#article-{line_id}")


@bp.post("/boutique/panier/<int:line_id>/magasin")
@shop_only
def move_line(line_id: int) -> Any:
    with unit_of_work() as session:
        carts.move_to(_line(line_id), session.get(Store, _whole("store")) or abort(404))
    return redirect(url_for("portal.cart_page"))


@bp.post("/boutique/panier/<int:line_id>/retirer")
@shop_only
def bin_line(line_id: int) -> Any:
    with unit_of_work():
        line = _line(line_id)
        carts.take_out(line)
        title = line.listing.variant.product.title
    undo = url_for("portal.unbin_line", line_id=line_id)
    flash(_("« %(title)s » taken out", title=title), f"undo:{undo}")
    return redirect(url_for("portal.cart_page"))


@bp.post("/boutique/panier/<int:line_id>/remettre")
@shop_only
def unbin_line(line_id: int) -> Any:
    with unit_of_work():
        carts.put_back(_line(line_id))
    return redirect(url_for("portal.cart_page"))


def _line(line_id: int) -> CartLine:
    cart = shop_cart()
    found = next((line for line in cart.lines if line.id == line_id), None) if cart else None
    if found is None:
        raise Refused(_("This article is no longer in your cart."))
    return found


# ── « Réserver » ──


@bp.get("/boutique/reserver")
@customer_required
@shop_only
def reserve_page() -> Any:
    """The last page before the order: who keeps what, until when, what is paid where."""
    cart, customer = shop_cart(), me()
    assert customer is not None
    basket = carts.read(cart) if cart is not None else None
    if basket is None or not basket.is_ready:
        return redirect(url_for("portal.cart_page"))
    return render_template(
        "portal/shop/reserve.html",
        site=site(),
        basket=basket,
        customer=customer,
        why_not=checkout.why_not(customer),
        hours=settings.value("accept_hours"),
        days=settings.value("collect_days"),
    )


@bp.post("/boutique/reserver")
@customer_required
@shop_only
def reserve() -> Any:
    """« Réserver ». A second click gives the same page; what moved since is said first."""
    if first := once.seen(request.form.get("form_token", "")):
        return redirect(first)
    with unit_of_work():
        cart, customer = shop_cart(), me()
        assert customer is not None
        if cart is None:
            raise Refused(_("Your cart is empty."))
        said = carts.agree(cart)
        basket = carts.read(cart)
        if not basket.is_ready:
            flash(_("Something in your cart cannot be had any more: look at it again."), "warning")
            return redirect(url_for("portal.cart_page"))
        if basket.mark != request.form.get("seen"):
            for sentence in said:
                flash(sentence, "warning")
            flash(_("Your cart changed since: look at it again, then reserve."), "warning")
            return redirect(url_for("portal.reserve_page"))
        order = checkout.reserve(cart, customer, by=actor())
        location = url_for("portal.order", number=order.number)
        once.done(request.form.get("form_token", ""), location)
    flash(_("Reserved. The shops answer by e-mail: wait for it before you come."), "success")
    return redirect(location)


# ── « mes commandes » ──


@bp.get("/commandes")
@customer_required
def orders() -> Any:
    customer = me()
    assert customer is not None
    return render_template(
        "portal/shop/orders.html",
        orders=buyers.of_customer(customer),
        words=parts.BUYER_WORDS,
        parts_of=parts.of_order,
    )


@bp.get("/commandes/<number>")
@customer_required
def order(number: str) -> Any:
    found = mine.order(number)
    return render_template(
        "portal/shop/order.html",
        order=found,
        parts=parts.of_order(found),
        words=parts.BUYER_WORDS,
        ends=parts.BUYER_ENDS,
        code_of=pickup.code_of,
        has_reached=parts.has_reached,
        can_cancel=lambda part: parts.VENDOR_ORDER.allows(part, "cancel", CUSTOMER),
    )


@bp.post("/commandes/<number>/<letter>/annuler")
@customer_required
def cancel_part(number: str, letter: str) -> Any:
    with unit_of_work():
        part = _part(number, letter)
        fulfilment.cancel(part, by=actor())
        store = part.store.name
    flash(_("Cancelled: %(store)s was told.", store=store), "success")
    return redirect(url_for("portal.order", number=number))


@bp.get("/commandes/<number>/<letter>/code.svg")
@customer_required
def pickup_qr(number: str, letter: str) -> Response:
    """The QR code that opens a collection, as a picture; kept by nobody on the way."""
    try:
        drawn = pickup.qr_svg(_part(number, letter))
    except LookupError:
        abort(404)
    answer = Response(drawn, mimetype="image/svg+xml")
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _part(number: str, letter: str) -> VendorOrder:
    found = next((one for one in mine.order(number).parts if one.letter == letter), None)
    return found or abort(404)
