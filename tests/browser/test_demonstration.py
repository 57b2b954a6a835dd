"""The whole demonstration, as each role and each reader of mails sees it: no word of the program on
any page, and every mail whole on a telephone and in a mail program.
"""

import os
import re
from collections import defaultdict
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import select

import demo
from models import (
    Customer,
    Message,
    Offer,
    Parcel,
    PaymentState,
    Product,
    ProductState,
    SellerPayment,
    Vendor,
)
from services import clock
from services.buyback import offers, parcels, reception
from services.catalogue import products
from services.payments import bank_details, seller_payments, store_credit
from services.people import customers
from services.stock import watch
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import LEA, MARC

TEMPLATES = Path(__file__).parents[2] / "templates" / "messages"
ROLES = {
    "Administrateur": (),
    "Animateur": (),
    "Comptable": ("RétroShop",),
    "Opérateur reprise": ("RétroShop",),
    "Vendeur": ("Souliers du Port",),
    "Magasin": ("Souliers du Port",),
}
# What no reader should meet: names of the program, its values, holes of templates, « (s) ».
CODE = re.compile(
    r"\b[a-zéè]+_[a-z_]+\b|\bNone\b|\bTrue\b|\bFalse\b|%\(|\{\{|\bundefined\b|\(s\)"
    r"|(?<!\.)\.\.(?!\.)|\b\d\d:\d\d\b|\b[a-z]+:\d+\b"
)
# Pages whose readers write software or files: they name columns and codes on purpose.
FOR_SOFTWARE = ("/gestion/api/", "/gestion/imports/fichier/", "/gestion/webhooks/")
MOST_PAGES = 240


@pytest.fixture
def told(app, carrier):
    demo.tell()
    db.session.remove()


def words_of(page: str) -> str:
    """What a page says: its text, and what is read aloud or shown under the mouse."""
    page = re.sub(r"(?s)<(script|style|head|code|kbd|svg|option)\b.*?</\1>", " ", page)
    aloud = re.findall(r'(?:placeholder|title|aria-label|alt)="([^"]*)"', page)
    return unescape(re.sub(r"<[^>]+>", " ", page) + " ".join(aloud))


def walk(client, of_a_kind: int) -> dict[str, str]:
    """The pages a member of staff reaches by links, so many of each kind, with what they hold."""
    seen: dict[str, str] = {}
    kinds: defaultdict[str, int] = defaultdict(int)
    waiting = ["/gestion/"]
    while waiting and len(seen) < MOST_PAGES:
        place = waiting.pop(0)
        kind = re.sub(r"\d+", "N", place.split("?")[0])
        if place in seen or kinds[kind] >= of_a_kind or re.search(r"export|\.pdf|tele", place):
            continue
        kinds[kind] += 1
        answer = client.get(place, follow_redirects=True)
        assert answer.status_code < 500, place
        if answer.mimetype != "text/html":
            continue
        seen[place] = answer.text
        waiting += [unescape(a) for a in re.findall(r'href="(/gestion/[^"#]*)"', answer.text)]
    return seen


def test_no_word_of_the_program_stands_on_any_page_of_any_role(told, as_staff):
    wrong, count = [], 0
    for role, names in ROLES.items():
        vendors = db.session.scalars(select(Vendor).where(Vendor.name.in_(names))).all()
        pages = walk(as_staff(role, *vendors), 2 if role == "Administrateur" else 1)
        count += len(pages)
        for place, page in pages.items():
            if not place.startswith(FOR_SOFTWARE):
                text = words_of(page)
                wrong += [
                    (role, place, " ".join(text[max(0, m.start() - 40) : m.end() + 20].split()))
                    for m in CODE.finditer(text)
                ]
    assert wrong == []
    assert count > 250  # pages of all roles together: the walk went somewhere


# ── mails ──


def the_rest(folder: Path) -> None:
    """What the demonstration does not tell: each verb writes the mail it always writes."""
    factories.given(factories.a_file(folder, "pas;un\nfichier;de stock\n"))
    site = factories.the_site()
    person, sleeper = factories.a_customer().id, factories.a_customer().id
    with unit_of_work() as session:
        customer = session.get_one(Customer, person)
        customers.ask_email(customer, "nouvelle@example.org", site=site)
        customers.forgot_password(customer.email, site=site)
        customers.change_password(customer, "x", site=site)
        customers.tell_leaving(session.get_one(Customer, sleeper))
        bank_details.give(customer, factories.IBANS[0], "Camille Aubry", site=site)
        bank_details.give(customer, factories.IBANS[1], "Camille Aubry", site=site)
    of_sales_that_end()
    of_receptions()
    proposed, vendor_id = factories.a_game("Proposé").product_id, factories.the_vendor().id
    with unit_of_work() as session:
        credited = session.scalars(select(Message).where(Message.event == "credit_given")).first()
        assert credited is not None
        holder = session.get_one(Customer, credited.customer_id)
        store_credit.use_at_till(vendor_id, holder, 100, "T-118", by=LEA)
        product = session.get_one(Product, proposed)
        product.status, product.proposed_by_id = ProductState.proposed, vendor_id
        session.flush()
        products.refuse(product, "Ce n’est pas un jeu.", by=LEA)
    unpaid = factories.a_received_offer(customer=factories.a_customer()).payments[0].id
    with clock.at(clock.now() + timedelta(days=6)), unit_of_work() as session:
        for vendor in session.scalars(select(Vendor)):  # a stock file failed
            watch.tell(vendor)
        late = (one for one in session.scalars(select(Parcel)) if not parcels.why_not_remind(one))
        parcels.remind(next(late), by=MARC)
        payment = session.get_one(SellerPayment, unpaid)
        payment.status = PaymentState.awaiting_iban  # its document was noted, an IBAN is missing
        seller_payments.remind(payment, by=LEA)


def of_sales_that_end() -> None:
    deleted, lapsed = factories.an_offer().id, factories.a_second_chance().id
    abandoned, withdrawn = factories.an_accepted_offer().id, factories.an_accepted_offer().id
    more = factories.an_offer()
    cart = factories.a_cart(factories.a_game("En plus"), customer=more.seller).id
    with unit_of_work() as session:
        offers.delete(session.get_one(Offer, deleted), by=MARC)
        offers.lapse(session.get_one(Offer, lapsed))
        offers.abandon(session.get_one(Offer, abandoned), by=MARC)
        left = session.get_one(Offer, withdrawn)
        offers.withdraw(left, by=customers.actor(left.seller))
        added = session.get_one(Offer, more.id)
        offers.complete(added, session.get_one(Offer, cart), by=customers.actor(added.seller))


def of_receptions() -> None:
    offer = factories.an_open_parcel()
    factories.sent(offer.lines[0]), factories.refused(offer.lines[1])
    factories.ended(offer)
    with unit_of_work() as session:
        sale = session.get_one(Offer, offer.id)
        reception.identity_missing(sale, by=MARC)
        reception.lapse(sale)
        back = parcels.return_parcel(sale)
        assert back is not None
        reception.sent_back(back, by=MARC)


def test_every_mail_is_whole_on_a_telephone_and_in_a_mail_program(told, chromium, tmp_path):
    """The last mail of each kind, at 390 and 600 pixels. `COMPTOIR_MAILS=folder` keeps pictures."""
    the_rest(tmp_path)
    db.session.expire_all()
    rows = select(Message).where(Message.html != "").order_by(Message.id)
    mails = {mail.event: mail for mail in db.session.scalars(rows)}
    wanted = {path.stem for path in TEMPLATES.glob("[!_]*.txt")}
    assert wanted - set(mails) == set()
    page = chromium.new_page()
    page.route("**/*", lambda route: route.abort())  # a mail fetches nothing to be read
    wrong = []
    for event, mail in mails.items():
        for width in (390, 600):
            page.set_viewport_size({"width": width, "height": 800})
            page.set_content(mail.html, wait_until="domcontentloaded")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wrong.append(f"{event} is wider than {width} pixels")
            if folder := os.environ.get("COMPTOIR_MAILS"):
                page.screenshot(path=f"{folder}/{event}-{width}.png", full_page=True)
        text = f"{mail.subject} {page.inner_text('body')}"
        wrong += [f"{event}: « {found.group(0)} »" for found in CODE.finditer(text)]
        if "http" in re.sub(r"https?://\S+", "", text) or not mail.subject.strip():
            wrong.append(f"{event}: an address or a subject is broken")
    page.close()
    assert wrong == []
