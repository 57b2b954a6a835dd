"""« Réserver et retirer », from the search to the counter: one buyer, two vendors, one cart. Each
shop reads its own half, answers it, and hands it over against the code the buyer holds.
"""

import re

from models import Order, StockLevel, Vendor, VendorOrder
from services.installation import agreement
from services.orders import parts, pickup
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import a_shoe, a_shop, a_unit_on_sale, on_sale

LATER = 31  # seconds: what could be undone has left


def the(reference: str) -> VendorOrder:
    db.session.expire_all()
    return db.session.scalars(
        db.select(VendorOrder).where(VendorOrder.reference == reference)
    ).one()


def test_a_buyer_reserves_at_two_shops_one_of_which_lacks_a_pair(app, client, as_staff, mail):
    # Two vendors sell on the operator's site; both keep goods for buyers and read their mail.
    a_shop()
    ours = factories.keeps_for_buyers()
    pixel, _site, rennes = factories.another_vendor()
    rennes = factories.keeps_for_buyers(rennes)
    with unit_of_work() as session:
        session.merge(factories.the_vendor()).email = "port@exemple.fr"
        session.get_one(Vendor, pixel.id).email = "pixel@exemple.fr"
    derby = on_sale(a_shoe("Derby Lormont", shoe_size="42"), 8900, 3, ours)
    on_sale(a_shoe("Botte Aubrac"), 12000, 1, rennes)
    console = a_unit_on_sale(factories.a_game("Console Lune"), 4990, rennes)

    # Hugo has an account, comes as a visitor, searches, and fills one cart at two shops.
    factories.a_customer_with_password("hugo@exemple.fr")
    (confirm,) = [
        letter.text for letter in sent(mail, "hugo@exemple.fr") if "confirmer" in letter.text
    ]
    page = client.get("/boutique/recherche?q=derbi").text
    found = re.search(r'href="(/produit/[^"]+)"', page)[1]
    assert "Réserver en magasin" in client.get(found).text
    for listing, store, quantity in ((derby, ours, 3), (console, rennes, 1)):
        client.post(
            "/boutique/panier/ajouter",
            data={"listing": listing.id, "store": store.id, "quantity": quantity},
        )
    cart = client.get("/boutique/panier").text
    assert "316,90\u00a0€" in cart
    assert "PixelCave" in cart

    # He signs in: the cart is still there; he confirms his address and reserves.
    client.post(
        "/compte/connexion",
        data={"email": "hugo@exemple.fr", "password": factories.PASSWORD},
    )
    assert "Confirmez d’abord" in client.get("/boutique/reserver").text
    client.post(re.search(r"https?://[^/\s]+(/compte/confirmer/\S+)", confirm)[1])
    seen = re.search(r'name="seen"\s+value="(\w+)"', client.get("/boutique/reserver").text)[1]
    location = client.post("/boutique/reserver", data={"seen": seen}).headers["Location"]
    order = db.session.scalars(db.select(Order)).one()
    a, b = f"{order.number}-A", f"{order.number}-B"
    assert location == f"/commandes/{order.number}"
    assert levels() == [(3, 3), (1, 0)]

    # Each shop has its mail with its own half, and finds it in « Mes ventes ».
    assert "Derby" in sent(mail, "port@exemple.fr")[-1].text
    theirs = sent(mail, "pixel@exemple.fr")[-1].text
    assert "Console" in theirs
    assert "Derby" not in theirs
    port = as_staff("Vendeur", factories.the_vendor(), email="port@staff.test")
    noe = as_staff("Vendeur", pixel, email="noe@staff.test")
    assert a in port.get("/gestion/commandes/list/").text
    assert b in noe.get("/gestion/commandes/list/").text
    assert b not in port.get("/gestion/commandes/list/").text

    # The first lacks a pair: hybrid order. The second has it all.
    first = the(a)
    line = first.lines[0].id
    port.post(
        f"/gestion/commandes/{first.id}/probleme",
        data={f"kept-{line}": "2", "words": "", "send": "1"},
    )
    noe.post(f"/gestion/commandes/{the(b).id}/valider")
    factories.a_moment_later(LATER)
    page = client.get(location).text
    assert "<s>3 × 89,00\u00a0€</s>" in page
    assert the(a).total_cents == 17800
    for reference in (a, b):
        shown = pickup.code_of(the(reference)).shown
        assert shown in page
        assert any(shown in letter.text for letter in sent(mail, "hugo@exemple.fr"))

    # Ready; the code of one opens nothing at the other; then both are handed over.
    codes = {reference: pickup.code_of(the(reference)).digits for reference in (a, b)}
    port.post(f"/gestion/commandes/{first.id}/prete")
    noe.post(f"/gestion/commandes/{the(b).id}/prete")
    if codes[a] != codes[b]:
        port.post(f"/gestion/commandes/{first.id}/retrait", data={"code": codes[b]})
        assert the(a).status is parts.S.to_collect
    port.post(f"/gestion/commandes/{first.id}/retrait", data={"code": codes[a]})
    noe.post(f"/gestion/commandes/{the(b).id}/retrait", data={"code": codes[b]})
    assert {the(a).status, the(b).status} == {parts.S.received}
    assert levels() == [(0, 0), (1, 0)]  # two sold, and the one that was not there
    assert the(b).lines[0].item.status.value == "sold"
    assert client.get(location).text.count("Retirée") >= 2
    assert agreement.check() == []


def sent(mail, address: str):
    """What was sent to somebody so far."""
    factories.a_moment_later(0)
    return mail.sent_to(address)


def levels() -> list[tuple[int, int]]:
    db.session.expire_all()
    rows = db.select(StockLevel.quantity, StockLevel.reserved).order_by(StockLevel.id)
    return [tuple(row) for row in db.session.execute(rows)]
