"""The attack list on every view: a vendor's staff sees, exports, changes and points at nothing of
another vendor's.
"""

import io
import re
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from models import (
    BuyingRule,
    Event,
    ItemState,
    Offer,
    OfferLine,
    OfferState,
    Parcel,
    ParcelState,
    Photo,
    SellerPayment,
    Site,
    Store,
    Vendor,
)
from services import access, workflow
from services.buyback import reception
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import GRADES, MARC
from tests.stories.test_games_are_bought import a_photo

OPERATOR = "Opérateur reprise"


@pytest.fixture
def two(app, as_staff):
    """Ours and theirs: two vendors with offers, items and rules; a member of staff of the first."""
    vendor, site, store = factories.another_vendor()
    theirs = factories.an_offer(
        customer=factories.a_customer(email="secret@pixelcave.test", last_name="Zzsecret"),
        site=site,
    )
    their_item = factories.an_item(factories.a_game("Jeu secret"), store=store)
    ours = factories.an_offer()
    our_item = factories.an_item(factories.a_game("Jeu à nous"))
    their_rule = db.session.scalar(select(BuyingRule.id).where(BuyingRule.vendor_id == vendor.id))

    both = SimpleNamespace()
    both.vendor_id, both.site_id, both.store_id, both.offer_id, both.item_id, both.rule_id = (
        vendor.id,
        site.id,
        store.id,
        theirs.id,
        their_item.id,
        their_rule,
    )
    both.customer_id, both.number, both.line_id = (
        theirs.customer_id,
        theirs.number,
        theirs.lines[0].id,
    )
    both.our_offer, both.our_number, both.our_item = ours.id, ours.number, our_item.id
    both.event_id = db.session.scalar(
        select(Event.id).where(Event.subject == "offer", Event.subject_id == theirs.id)
    )
    from models import Message

    both.message_id = db.session.scalar(select(Message.id).where(Message.offer_id == theirs.id))
    both.client = as_staff(OPERATOR, factories.the_vendor())
    both.boss = as_staff("Administrateur")
    return both


LISTS = (
    "offres",
    "vendeurs-particuliers",
    "regles",
    "stock",
    "sites",
    "magasins",
    "messages",
    "journal",
)
SECRETS = ("secret@pixelcave.test", "Zzsecret", "Jeu secret", "PixelCave")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_and_its_files_show_nothing_of_another_vendor(two, name):
    for query in (
        "",
        "?q=secret",
        "?q=pixel",
        "?taille=100",
        "?ordre=vendor_id",
        "?vendor=2",
        "?f=1",
    ):
        page = two.client.get(f"/gestion/{name}/list/{query}")
        assert page.status_code == 200, page.text[:500]
        table = page.text.replace(f'value="{query.removeprefix("?q=")}"', "")
        assert not any(secret in table for secret in SECRETS), (name, query)
        assert two.number not in page.text
    export = two.client.get(f"/gestion/{name}/export/csv").text
    assert not any(secret in export for secret in SECRETS)
    assert two.number not in export


def test_the_boss_sees_both(two):
    page = two.boss.get("/gestion/offres/list/").text
    assert two.number in page
    assert two.our_number in page


def test_anothers_row_does_not_exist_whatever_is_asked_of_it(two):
    addresses = (
        f"/gestion/offres/show/{two.offer_id}",
        f"/gestion/offres/valider/{two.offer_id}",
        f"/gestion/stock/show/{two.item_id}",
        f"/gestion/regles/show/{two.rule_id}",
        f"/gestion/regles/edit/{two.rule_id}",
        f"/gestion/vendeurs-particuliers/show/{two.customer_id}",
        f"/gestion/sites/show/{two.site_id}",
        f"/gestion/magasins/show/{two.store_id}",
        f"/gestion/messages/show/{two.message_id}",
        f"/gestion/messages/ouvrir/{two.message_id}",
        f"/gestion/journal/show/{two.event_id}",
    )
    for address in addresses:
        assert two.client.get(address).status_code == 404, address
        assert two.boss.get(address).status_code == 200, address


def test_no_action_touches_anothers_row(two):
    posts = (
        (f"/gestion/offres/action/delete/{two.offer_id}", {}),
        (
            "/gestion/offres/action_post",
            {"action": "delete", "rowid": [two.our_offer, two.offer_id]},
        ),
        (f"/gestion/stock/action/withdraw/{two.item_id}", {}),
        ("/gestion/stock/action_post", {"action": "lose", "rowid": [two.item_id]}),
        (f"/gestion/stock/vendre/{two.item_id}", {"price": "10"}),
        (f"/gestion/regles/delete/{two.rule_id}", {}),
        (f"/gestion/regles/edit/{two.rule_id}", {"name": "volée", "rate_bp": "99"}),
        (f"/gestion/messages/action/resend/{two.message_id}", {}),
        *(
            (f"/gestion/offres/valider/{two.offer_id}/{verb}", {"motive": "x"})
            for verb in ("accept", "refuse", "counter", "delete")
        ),
        (f"/gestion/offres/valider/{two.offer_id}/ligne/{two.line_id}/remove", {}),
        (f"/gestion/offres/valider/{two.our_offer}/ligne/{two.line_id}/remove", {}),
        (f"/gestion/offres/valider/{two.offer_id}/remarque", {"remark": "x"}),
    )
    before = db.session.scalar(select(func.count(Event.id)))
    for address, data in posts:
        assert two.client.post(address, data=data).status_code == 404, address
    db.session.rollback()
    assert db.session.get(Offer, two.offer_id).status is OfferState.to_check
    assert db.session.get(Offer, two.our_offer).status is OfferState.to_check
    assert db.session.scalar(select(func.count(Event.id))) == before


def test_an_owner_in_the_form_or_the_address_is_refused(two):
    data = {
        "name": "piège",
        "vendor": two.vendor_id,
        "rank": "1",
        "effect": "percentage",
        "rate_bp": "99",
        "active": "y",
        "site": "__None",
        "platform": "__None",
    }
    for address in ("/gestion/regles/add", f"/gestion/regles/add?_flt_0_vendor={two.vendor_id}"):
        answer = two.client.post(address, data=data)
        assert answer.status_code == 422, answer.location
    ours = {**data, "vendor": factories.the_vendor().id, "site": two.site_id}
    assert two.client.post("/gestion/regles/add", data=ours).status_code == 422
    db.session.rollback()
    assert (
        db.session.scalar(select(func.count(BuyingRule.id)).where(BuyingRule.name == "piège")) == 0
    )


def test_drop_downs_name_no_other_vendor(two):
    for address in (
        "/gestion/regles/add",
        "/gestion/offres/list/",
        "/gestion/stock/list/",
        "/gestion/regles/simuler/",
    ):
        assert "PixelCave" not in two.client.get(address).text, address


def test_search_finds_nothing_of_another_vendor(two):
    for words in (two.number, "secret@pixelcave.test", "Zzsecret"):
        page = two.client.get(
            "/gestion/recherche/", query_string={"q": words}, follow_redirects=True
        ).text
        assert "Rien ne correspond" in page


def test_the_session_itself_is_narrowed_below_every_view(two):
    with access.limited_to(access.Scope(frozenset({factories.the_vendor().id}))):
        db.session.rollback()
        assert {o.id for o in db.session.scalars(select(Offer))} == {two.our_offer}
        assert [v.name for v in db.session.scalars(select(Vendor))] == ["Ma boutique"]
        assert db.session.scalar(select(func.count(Site.id))) == 1
        with pytest.raises(Refused), unit_of_work() as session:
            session.add(Store(vendor_id=two.vendor_id, name="volé"))
            session.flush()
    db.session.rollback()
    with access.limited_to(access.NOTHING):
        assert db.session.scalars(select(Offer)).all() == []


def test_a_row_cannot_be_given_to_another_vendor(two):
    with access.limited_to(access.Scope(frozenset({factories.the_vendor().id}))):
        with pytest.raises(Refused), unit_of_work() as session:
            session.scalars(select(Store)).one().vendor_id = two.vendor_id
            session.flush()


@pytest.mark.parametrize(
    "query",
    [
        "?page=abc",
        "?page=-1",
        "?page=99999999999999",
        "?taille=100000",
        "?ordre=vendor.user_id",
        "?ordre=password",
        "?status=nope",
        "?q=%00",
        "?q=%25%27",
        "?site=abc",
        "?finalised_at.depuis=hier",
        "?_oc_OfferView=x&_od_OfferView=asc",
    ],
)
def test_an_address_nobody_wrote_gives_a_list_not_an_error(two, query):
    assert two.client.get(f"/gestion/offres/list/{query}").status_code == 200


def test_an_unknown_action_is_not_found_and_anonymous_is_sent_to_sign_in(two, client):
    assert two.client.post(f"/gestion/offres/action/nope/{two.our_offer}").status_code == 404
    assert (
        "/gestion/login/"
        in client.post("/gestion/offres/action_post", data={"action": "nope"}).location
    )
    assert two.client.get("/gestion/offres/show/abc").status_code == 404
    assert two.client.get("/gestion/offres/show/99999999999999999999").status_code == 404


def test_files_hold_no_formula(two):
    factories.an_offer(
        customer=factories.a_customer(first_name='=HYPERLINK("http://evil")', last_name="@SUM(A1)")
    )
    csv = two.client.get("/gestion/offres/export/csv").text
    assert "'=HYPERLINK" in csv
    assert not re.search(r'(^|;)"?[=@]', csv, re.M)


@pytest.mark.parametrize("kind", ["csv", "xlsx", "pdf"])
@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_a_file_too(two, name, kind):
    answer = two.boss.get(f"/gestion/{name}/export/{kind}")
    assert answer.status_code == 200
    assert answer.data.startswith({"csv": b"\xef\xbb\xbf", "xlsx": b"PK", "pdf": b"%PDF"}[kind])


def test_an_item_of_ours_can_be_sold_and_put_back(two):
    assert (
        two.client.post(
            f"/gestion/stock/vendre/{two.our_item}", data={"price": "19,90"}, follow_redirects=True
        ).status_code
        == 200
    )
    db.session.rollback()
    from models import Item

    assert db.session.get(Item, two.our_item).status is ItemState.sold
    two.client.post(f"/gestion/stock/action/give_back/{two.our_item}")
    db.session.rollback()
    item = db.session.get(Item, two.our_item)
    assert item.status is ItemState.in_stock
    assert [e.verb for e in workflow.history(item)][:2] == [
        "give_back",
        "sell",
    ]


def test_an_employee_of_one_store_sees_and_sells_only_there(app):
    from models import Item

    vendor = factories.the_vendor()
    with unit_of_work() as session:
        elsewhere = Store(vendor_id=vendor.id, name="Rezé")
        session.add(elsewhere)
        session.flush()
        elsewhere_id = elsewhere.id
    here, there = (
        factories.an_item(factories.a_game("Ici")),
        factories.an_item(factories.a_game("Là-bas"), store=db.session.get(Store, elsewhere_id)),
    )
    with access.limited_to(access.Scope(frozenset({vendor.id}), frozenset({here.store_id}))):
        db.session.rollback()
        assert [item.id for item in db.session.scalars(select(Item))] == [here.id]
        assert db.session.scalar(select(Item).where(Item.id == there.id)) is None
        assert [store.id for store in db.session.scalars(select(Store))] == [here.store_id]


@pytest.fixture
def theirs(app, as_staff):
    """A sale of another vendor, half controlled; an operator of ours and the boss."""
    vendor, site, store = factories.another_vendor()
    with unit_of_work() as session:
        session.merge(vendor).police_register = True
    customer = factories.a_customer(email="secret@pixelcave.test", last_name="Zzsecret")
    offer = factories.an_open_parcel(site=site, customer=customer)
    id, line_id = offer.id, offer.lines[0].id
    with unit_of_work() as session:
        line = session.get_one(OfferLine, line_id)
        reception.photograph(line, "secret.jpg", by=MARC)
        reception.send(line, GRADES, "", session.merge(store), by=MARC)

    found = SimpleNamespace()
    found.offer_id, found.line_id, found.number, found.vendor_id = (
        id,
        line_id,
        offer.number,
        vendor.id,
    )
    found.parcel_id = db.session.scalars(select(Parcel.id)).one()
    found.photo_id = db.session.scalars(select(Photo.id)).one()
    found.second_line = db.session.get(Offer, id).lines[1].id
    found.marc, found.boss = (
        as_staff("Opérateur reprise", factories.the_vendor()),
        as_staff("Administrateur"),
    )
    return found


def test_no_list_shows_them(theirs):
    for name in ("colis", "versements-vendeurs", "parametrages/transporteurs"):
        for query in ("", "?q=secret", "?status=inspecting"):
            page = theirs.marc.get(f"/gestion/{name}/list/{query}")
            assert page.status_code == 200
            assert "Zzsecret" not in page.text
            assert theirs.number not in page.text
    assert theirs.number not in theirs.marc.get("/gestion/reception/").text
    assert theirs.number in theirs.boss.get("/gestion/reception/").text
    assert "PixelCave" not in theirs.marc.get("/gestion/livre-de-police/").text


def test_no_page_paper_or_picture_of_theirs_opens(theirs):
    for address in (
        f"/gestion/colis/show/{theirs.parcel_id}",
        f"/gestion/reception/{theirs.number}",
        f"/gestion/reception/{theirs.number}/termine",
        f"/gestion/reception/{theirs.number}/bordereau.pdf",
        f"/gestion/reception/{theirs.number}/etiquettes.pdf",
        f"/gestion/reception/{theirs.number}/etiquette-reception.pdf",
        f"/gestion/reception/photo/{theirs.photo_id}",
        f"/gestion/colis/{theirs.parcel_id}/etiquette-A4.pdf",
    ):
        assert theirs.marc.get(address).status_code == 404, address


def test_no_verb_moves_them(theirs):
    answer = theirs.marc.post(
        "/gestion/reception/ouvrir", data={"code": theirs.number}, follow_redirects=True
    )
    assert "pas un de nos bordereaux" in answer.text
    for address, data in (
        (f"/gestion/reception/{theirs.number}/article/{theirs.second_line}/send", GRADES),
        (f"/gestion/reception/{theirs.number}/article/{theirs.line_id}/undo", {}),
        (f"/gestion/reception/{theirs.number}/manquants", {}),
        (f"/gestion/reception/{theirs.number}/fin", {}),
        (f"/gestion/reception/{theirs.number}/identite", factories.DOCUMENT),
        (f"/gestion/colis/action/deliver/{theirs.parcel_id}", {}),
        (f"/gestion/colis/{theirs.parcel_id}/etiquette", {"insurance": "1"}),
        (f"/gestion/livre-de-police/{theirs.vendor_id}/consulter", {"purpose": "check"}),
        (f"/gestion/reception/{theirs.number}/photo/{theirs.second_line}", {"photo": a_photo()}),
    ):
        assert theirs.marc.post(address, data=data).status_code == 404, address
    db.session.expire_all()
    assert db.session.get(Parcel, theirs.parcel_id).status is ParcelState.inspecting
    assert not db.session.scalars(select(SellerPayment)).all()


def test_a_customer_sees_only_his_own_sale_documents_and_photos(theirs, client, as_customer):
    stranger = as_customer(factories.a_customer())
    for path in ("", "/etiquette.pdf", "/bordereau.pdf", "/relais", f"/photo/{theirs.photo_id}"):
        assert stranger.get(f"/ventes/{theirs.number}{path}").status_code == 404
    for path in ("articles", "paiement"):
        assert (
            stranger.post(
                f"/ventes/{theirs.number}/{path}", data={"means": "store_credit"}
            ).status_code
            == 404
        )
    for token in ("x", "WyJsYWJlbCIsMV0.aaaa.bbbb"):
        assert client.get(f"/documents/{token}").status_code == 410


def test_a_bomb_is_no_photo_and_nothing_is_kept(app, as_staff):
    offer = factories.an_open_parcel()
    marc = as_staff("Opérateur reprise", factories.the_vendor())
    for data in (b"", b"GIF89a", b"\xff\xd8\xff\xe0" + b"0" * 100, b"%PDF-1.4"):
        marc.post(
            f"/gestion/reception/{offer.number}/photo/{offer.lines[0].id}",
            data={"photo": (io.BytesIO(data), "x.jpg")},
        )
    assert not db.session.scalars(select(Photo)).all()
