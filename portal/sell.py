"""Selling to the shop: scan, price, cart, recap, finalise; then follow, answer, complete."""

from typing import Any
from urllib.parse import quote as url_quote

from flask import (
    Response,
    flash,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext as _

from models import Offer, OfferLine, SiteKind
from portal import bp
from portal.access import (
    actor,
    cart,
    cart_cookie,
    customer_required,
    me,
    mine,
    remember_cart,
    site,
    wants_fragment,
)
from portal.follow import payment_facts
from services import files, limits, once, settings
from services.buyback import amounts, offers, parcels, pricing, progress, reception
from services.buyback.progress import Stage
from services.catalogue import products
from services.payments import seller_payments
from services.unit import unit_of_work
from services.workflow import CUSTOMER, Refused

# ── scan and price ──


@bp.get("/")
def sell() -> Any:
    """The scan page; with `?ean=` also the price of that barcode. A site that only sells shows its
    shop instead.
    """
    if site().kind is SiteKind.shop:
        return redirect(url_for("portal.shop"))
    words = request.args.get("ean", "")
    quote = _quote(words) if words.strip() else None
    return _sell_page(quote)


def _quote(words: str) -> pricing.Quote:
    if seconds := limits.spend(f"quote:{limits.place()}", settings.value("quotes_per_minute"), 60):
        raise limits.TooMany(
            _("Too many barcodes in one minute: wait %(seconds)s seconds.", seconds=seconds),
            seconds,
        )
    here, customer = cart(), me()
    quote = pricing.quote(g.site_id, words, seller_id=customer.id if customer else None)
    if here and quote.variant_id:
        held = sum(1 for line in offers.active_lines(here) if line.variant_id == quote.variant_id)
        if held:
            quote = pricing.quote(
                g.site_id, words, copies_in_cart=held, seller_id=customer.id if customer else None
            )
    return quote


def _sell_page(quote: pricing.Quote | None = None, toast: dict[str, Any] | None = None) -> Response:
    template = "portal/sell/_vente.html" if wants_fragment() else "portal/sell/scan.html"
    page = make_response(
        render_template(
            template,
            quote=quote,
            cart=cart(),
            toast=toast,
            grouped=products.grouped,
            trust=None if wants_fragment() else seller_payments.paid_so_far(site().vendor_id),
        )
    )
    page.headers["Vary"] = "X-Fragment, Cookie"
    return page


@bp.post("/scanner")
def scan() -> Any:
    """Read the barcode on one camera picture (the request's body, a JPEG). Nothing is kept or
    logged.
    """
    if seconds := limits.spend(f"photo:{limits.place()}", settings.value("photos_per_minute"), 60):
        return (
            jsonify(ean=None, error=_("Slow down: wait %(seconds)s seconds.", seconds=seconds)),
            429,
        )
    try:
        found = products.known_first(files.read_frame(request.get_data(cache=False)))
    except Refused as refusal:
        return jsonify(ean=None, error=str(refusal)), 422
    if not found:
        return jsonify(ean=None)
    try:
        return jsonify(ean=products.read_ean(found))
    except products.BadEan:
        return jsonify(ean=None)


@bp.post("/photo")
def photo() -> Any:
    """Read the barcode on a photo sent by a form: the way without camera access and without
    JavaScript.
    """
    if limits.spend(f"photo:{limits.place()}", settings.value("photos_per_minute"), 60):
        raise Refused(_("Too many pictures in one minute: type the barcode instead."))
    upload = request.files.get("photo")
    seen = files.read_barcodes(upload.read()) if upload and upload.filename else []
    found = products.known_first(seen)
    if found is None:
        flash(
            _("No barcode was found on this photo: come closer, or type the 13 digits."), "warning"
        )
        return redirect(url_for("portal.sell") + "#ean")
    return redirect(url_for("portal.sell", ean=found))


# ── the cart ──

# Of one address. Customers who signed in are not counted: each has one cart at a time, and a
# telephone network puts thousands of them behind one address.
CARTS_AN_HOUR = 60


def _count_a_cart() -> None:
    """Raises TooMany: who keeps no cookie would leave a cart a click."""
    if me() is not None:
        return
    if seconds := limits.spend(f"cart:{limits.place()}", CARTS_AN_HOUR, 3600):
        raise limits.TooMany(
            _(
                "Too many sales were begun from this address: wait %(minutes)s min, or allow the"
                " cookie of this site.",
                minutes=(seconds + 59) // 60,
            ),
            seconds,
        )


@bp.post("/panier/ajouter")
def add() -> Any:
    token, words = request.form.get("form_token", ""), request.form.get("ean", "")
    if not once.seen(token):
        if cart() is None:
            _count_a_cart()
        with unit_of_work():
            here = cart() or offers.open_cart(site(), me())
            line = offers.add(here, words)
            once.done(token, url_for("portal.sell"))
            cart_token, title, price = here.token, line.title, line.price_cents
        toast: dict[str, Any] | None = {
            "text": _("« %(title)s » is in your sale.", title=title),
            "good": True,
            "price": price,
        }
    else:
        held = cart()
        cart_token, toast = held.token if held else "", None
    if not wants_fragment():
        if toast:
            flash(toast["text"], "success")
        return remember_cart(make_response(redirect(url_for("portal.sell"))), cart_token)
    with_new_cookie = request.cookies.get(cart_cookie()) != cart_token
    page = _after_change(toast, cart_token)
    return remember_cart(page, cart_token) if with_new_cookie else page


@bp.post("/panier/retirer/<int:line_id>")
def take_out(line_id: int) -> Any:
    with unit_of_work():
        here, line = _line(line_id)
        offers.take_out(here, line)
        title = line.title
    toast = {
        "text": _("« %(title)s » taken out", title=title),
        "undo": url_for("portal.put_back", line_id=line_id),
    }
    return _after_change(toast)


@bp.post("/panier/remettre/<int:line_id>")
def put_back(line_id: int) -> Any:
    with unit_of_work():
        here, line = _line(line_id)
        offers.put_back(here, line)
    return _after_change(None)


def _line(line_id: int) -> tuple[Offer, OfferLine]:
    here = cart()
    line = next((line for line in here.lines if line.id == line_id), None) if here else None
    if here is None or line is None:
        raise Refused(_("This article is no longer in your cart."))
    return here, line


def _after_change(toast: dict[str, Any] | None, cart_token: str = "") -> Response:
    """The same page again: as a fragment for the script, else by a redirect."""
    back = "recap" if request.form.get("from") == "recap" else "sell"
    if not wants_fragment():
        if toast:
            flash(toast["text"], f"undo:{toast['undo']}" if "undo" in toast else "success")
        return make_response(redirect(url_for(f"portal.{back}")))
    if back == "recap":
        return _recap_page(toast)
    if cart_token:
        found = offers.cart_by_token(cart_token, site())
        return make_response(
            render_template(
                "portal/sell/_vente.html",
                quote=None,
                cart=found or cart(),
                toast=toast,
                grouped=products.grouped,
            )
        )
    return _sell_page(None, toast)


@bp.get("/recapitulatif")
def recap() -> Any:
    return _recap_page()


def _recap_page(toast: dict[str, Any] | None = None) -> Response:
    here, customer = cart(), me()
    completable = offers.can_complete(customer, site()) if customer else None
    template = "portal/sell/_recap.html" if wants_fragment() else "portal/sell/recap.html"
    page = make_response(
        render_template(
            template,
            cart=here,
            today=offers.at_todays_prices(here) if here else None,
            customer=customer,
            out_of_reach=customer is not None and parcels.is_out_of_reach(customer.postcode),
            toast=toast,
            completable=completable,
            checked_again=completable is not None and offers.is_checked_again(completable),
        )
    )
    page.headers["Vary"] = "X-Fragment, Cookie"
    return page


# ── finalise ──


@bp.post("/finaliser")
def finalise() -> Any:
    """Send the proposal. Without an account it asks for one first; the cart stays. A second click
    gives the same page.
    """
    if me() is None:
        return redirect(url_for("portal.open_account", suite=url_for("portal.recap")))
    if first := once.seen(request.form.get("form_token", "")):
        return redirect(first)
    with unit_of_work():
        here, customer = cart(), me()
        assert customer is not None
        if here is None:
            raise Refused(_("Your cart is empty: scan a first game."))
        moves = offers.reprice(here)
        if moves and request.form.get("seen_total") != str(here.total_cents):
            for moved in moves:
                flash(moved.sentence, "warning")
            flash(
                _(
                    "Prices moved since you put these games aside: look at the new total, then"
                    " finalise."
                ),
                "warning",
            )
            return redirect(url_for("portal.recap"))
        offers.finalise(here, customer, by=actor())
        location = url_for("portal.thanks", number=here.number)
        once.done(request.form.get("form_token", ""), location)
    return redirect(location)


@bp.post("/completer/<number>")
@customer_required
def complete(number: str) -> Any:
    """Add the cart to a sale whose parcel has not left."""
    if first := once.seen(request.form.get("form_token", "")):
        return redirect(first)
    with unit_of_work():
        offer, here = mine.offer(number), cart()
        if here is None:
            raise Refused(_("Your cart is empty: scan a first game."))
        if moves := offers.reprice(here):
            for moved in moves:
                flash(moved.sentence, "warning")
            return redirect(url_for("portal.recap"))
        again = offers.is_checked_again(offer)
        offers.complete(offer, here, by=actor())
        location = url_for("portal.sale", number=number)
        once.done(request.form.get("form_token", ""), location)
    flash(
        (
            _("The games were added. The shop checks the sale again: do not send the parcel yet.")
            if again
            else _("The games were added to your sale.")
        ),
        "success",
    )
    return redirect(location)


@bp.get("/merci/<number>")
@customer_required
def thanks(number: str) -> Any:
    offer = mine.offer(number)
    stage = progress.stage(offer)
    if stage not in (Stage.to_check, Stage.to_drop_off):  # an old link: the sale has gone on since
        return redirect(url_for("portal.sale", number=number))
    return render_template(
        "portal/sell/thanks.html",
        offer=offer,
        stage=stage,
        out_of_reach=parcels.is_out_of_reach(offer.seller.postcode),
    )


# ── « mes ventes » ──


@bp.get("/ventes")
@customer_required
def sales() -> Any:
    customer = me()
    assert customer is not None
    found = offers.of_customer(customer)
    return render_template(
        "portal/sell/sales.html",
        sales=found,
        amounts=amounts.of_all(found),
        words=progress.words,
        stage=progress.stage,
    )


@bp.get("/ventes/<number>")
@customer_required
def sale(number: str) -> Any:
    offer = mine.offer(number)
    return render_template(
        "portal/sell/sale.html",
        offer=offer,
        stage=progress.stage(offer),
        sale_words=progress.words(offer),
        way_words=progress.way_words(offer),
        steps=progress.steps(offer),
        kept=offers.active_lines(offer),
        taken_out=offers.taken_out(offer),
        can_answer=offers.OFFER.allows(offer, "agree", CUSTOMER),
        can_complete=offers.OFFER.allows(offer, "complete", CUSTOMER),
        can_withdraw=offers.can_withdraw(offer),
        **payment_facts(offer),
    )


@bp.post("/ventes/<number>/repondre")
@customer_required
def answer(number: str) -> Any:
    """The seller's answer to a second chance. The same answer twice is one answer."""
    if request.form.get("answer") not in ("agree", "disagree"):
        raise Refused(_("Choose « I accept » or « I decline »."))
    agrees = request.form["answer"] == "agree"
    with unit_of_work():
        offers.answer(mine.offer(number), agrees=agrees, by=actor())
    if agrees:
        flash(_("Thank you: your sale is validated at the new price."), "success")
    else:
        flash(_("Your games stay yours: nothing else to do."), "success")
    return redirect(url_for("portal.sale", number=number))


@bp.post("/ventes/<number>/renoncer")
@customer_required
def withdraw(number: str) -> Any:
    """« Je n’enverrai pas mes jeux »."""
    with unit_of_work():
        offers.withdraw(mine.offer(number), by=actor())
    flash(_("Your sale is closed: your games stay yours. Nobody reminds you any more."), "success")
    return redirect(url_for("portal.sale", number=number))


@bp.get("/conditions")
def conditions() -> Any:
    return render_template("portal/conditions.html", **_rules())


@bp.get("/aide")
def help_page() -> Any:
    return render_template(
        "portal/help.html",
        accept_hours=settings.value("accept_hours"),
        collect_days=settings.value("collect_days"),
        **_rules(),
    )


def _rules() -> dict[str, Any]:
    """What the settings say to a seller: times, fees, what happens without an answer."""
    return {
        "drop_days": settings.value("drop_off_days"),
        "no_label_from": settings.value("no_label_from"),
        "answer_days": settings.value("answer_days"),
        "chance_days": settings.value("second_chance_days"),
        "return_fee": settings.value("return_fee_cents"),
        "outcome": reception.outcome_words(settings.value("default_outcome")),
        "bonus_percent": settings.value("credit_bonus_percent"),
        "iban_hours": settings.value("iban_hold_hours"),
        "good_percent": settings.value("good_percent"),
        "fair_percent": settings.value("acceptable_percent"),
    }


@bp.app_template_global()
def url_for_cover(ean: str) -> str:
    return url_for("portal.cover", ean=url_quote(ean))
