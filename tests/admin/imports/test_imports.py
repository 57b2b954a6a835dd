"""Files given in the back office."""

import io

import pytest
from sqlalchemy import select

from models import (
    ImportRun,
    Membership,
)
from services import outbox
from services.unit import db, unit_of_work
from tests import factories
from tests.factories import a_key


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_a_list_is_imported_from_the_back_office_and_its_errors_come_back(boss):
    content = b"ean;titre;argus\n5060327534393;A.O.T. 2;25\n123;Faux;1\n"
    answer = boss.post(
        "/gestion/imports/fichier/",
        data={"file": (io.BytesIO(content), "liste.csv"), "kind": "argus"},
    )
    looked_at = boss.get(answer.location).text
    assert "A.O.T. 2" in looked_at
    assert 'name="col-argus"' in looked_at
    run = db.session.scalars(select(ImportRun)).one()
    started = boss.post(
        f"/gestion/imports/fichier/{run.id}/start",
        data={"col-ean": "ean", "col-title": "titre", "col-argus": "argus"},
    )
    assert "En attente" in boss.get(started.location).text
    outbox.work()
    page = boss.get(answer.location).text
    assert "Terminé" in page
    assert "celui-ci en a 3" in page
    assert "123;Faux" in boss.get(f"/gestion/imports/fichier/{run.id}/refusees.csv").get_data(
        as_text=True
    )
    assert boss.get(f"/gestion/imports/fichier/{run.id}/fichier").get_data() == content
    assert boss.post("/gestion/imports/fichier/", data={"kind": "argus"}).status_code == 422


@pytest.fixture
def clerk(app, as_staff):
    """A client of somebody tied to the first store, who may do all its stock."""
    client = as_staff("Opérateur reprise", factories.the_vendor())
    store_id = factories.the_store().id
    with unit_of_work() as session:
        session.scalars(
            db.select(Membership).where(Membership.user_id == client.user_id)
        ).one().store_id = store_id
    return client


def given(clerk, **data):
    return clerk.post(
        "/gestion/imports/fichier/",
        data={"file": (io.BytesIO(b"ean;quantite;magasin\n"), "x.csv"), **data},
    )


def test_a_clerk_gives_the_stock_of_his_store_only(clerk):
    assert given(clerk, kind="stock", mode="full").status_code == 302
    run = db.session.scalars(db.select(ImportRun)).one()
    assert run.store_id == factories.the_store().id
    refused = given(clerk, kind="prices")
    assert refused.status_code == 422
    assert "travaillez dans un magasin" in refused.text


def test_a_key_of_a_store_gives_no_prices(client):
    _key, secret = a_key("imports", store=factories.the_store())
    data = {"kind": "prices", "file": (io.BytesIO(b"offer-sku;price\n"), "x.csv")}
    answer = client.post(
        "/api/v1/imports", data=data, headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 422
    assert answer.json["errors"][0]["code"] == "store"


def test_a_file_told_again_under_its_key_gets_the_first_answer(client):
    _key, secret = a_key("imports", store=factories.the_store())

    def tell(words: bytes):
        data = {"kind": "stock", "mode": "delta", "file": (io.BytesIO(words), "x.csv")}
        return client.post(
            "/api/v1/imports",
            data=data,
            headers={"Authorization": f"Bearer {secret}", "Idempotency-Key": "1"},
        )

    first = tell(b"ean;quantite\n")
    assert first.status_code == 202
    assert tell(b"ean;quantite\n").json == first.json
    assert tell(b"ean;quantite;x\n").status_code == 422


@pytest.fixture
def seller(as_staff):
    """Somebody of the vendor."""
    return as_staff("Vendeur", factories.the_vendor())


# ── files ──


def give(person, words: bytes, name: str = "stock.csv", **data):
    return person.post(
        "/gestion/imports/fichier/",
        data={"kind": "stock", "file": (io.BytesIO(words), name), **data},
        content_type="multipart/form-data",
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (b"", "Ce fichier est vide"),
        (b"\x00\x01\x02\x03", "pas un tableau"),
        (b"rien", "pas un tableau"),
    ],
)
def test_what_is_no_table_is_refused_before_anything_is_kept(seller, words, why):
    page = give(seller, words)
    assert page.status_code == 422
    assert why in page.text
    assert db.session.scalar(db.select(db.func.count(ImportRun.id))) == 0


def test_a_stock_file_without_a_store_is_told_before_it_is_started_and_not_after(seller):
    factories.a_store()
    page = give(seller, b"ean;quantite\n3760150000011;2\n")
    preview = seller.get(page.location)
    assert "De quel magasin" in preview.text
    seller.post(page.location + "/start", data={"col-ean": "ean", "col-quantity": "quantite"})
    assert db.session.scalars(db.select(ImportRun.state)).one().value == "draft"


def test_somebody_of_one_store_is_only_offered_its_stock_file(as_staff):
    clerk, store_id = as_staff("Magasin", factories.the_vendor()), factories.the_store().id
    with unit_of_work() as session:
        session.scalars(
            db.select(Membership).where(Membership.user_id == clerk.user_id)
        ).one().store_id = store_id
    page = clerk.get("/gestion/imports/fichier/").text
    assert page.count('name="kind"') == 1


def test_the_files_of_the_stores_are_watched_within_what_one_may_see(boss, as_staff):
    factories.a_store("Rennes Liberté", code="R1")
    factories.another_vendor("PixelCave")
    page = boss.get("/gestion/imports/magasins/").text
    assert "Rennes Liberté" in page
    assert "PixelCave Rennes" in page
    assert "Rennes Liberté" in boss.get("/gestion/imports/magasins/?q=r1&page=9").text
    assert "Aucun magasin" in boss.get("/gestion/imports/magasins/?q=nulle+part").text
    shop = as_staff("Vendeur", factories.the_vendor())
    assert "PixelCave" not in shop.get("/gestion/imports/magasins/").text


def test_a_file_that_is_not_cut_right_is_read_otherwise_on_its_page(seller):
    shoe = factories.a_shoe()
    text = f"Etat du stock\nCode|Nom, prix|Reste, en tout\n{shoe.ean}|Derby, noir|4\n"
    page = give(seller, text.encode(), mode="delta", store=factories.the_store().id)
    shown = seller.get(page.location).text
    assert "Le lire autrement" in shown
    seller.post(page.location + "/read", data={"separator": "|", "line": "2"})
    shown = seller.get(page.location).text
    assert "<th>Reste, en tout</th>" in shown
    assert "<td>Derby, noir</td>" in shown
    columns = {"col-ean": "Code", "col-quantity": "Reste, en tout", "mode": "delta"}
    seller.post(page.location + "/start", data=columns)
    outbox.work()
    assert factories.quantity(shoe) == 4


def test_what_was_chosen_of_a_file_survives_a_refusal_and_another_reading(seller):
    """« partiel » that came back as « complet » would empty a shop."""
    shoe = factories.a_shoe()
    text = f"Code,Reste\n{shoe.ean},4\n"
    page = give(seller, text.encode(), store=factories.the_store().id)
    partial = 'value="delta" checked'
    assert partial not in seller.get(page.location).text
    chosen = {"col-ean": "Code", "mode": "delta"}
    seller.post(page.location + "/start", data=chosen)  # the number of units is not said
    shown = seller.get(page.location).text
    assert partial in shown
    assert "<option selected>Code</option>" in shown
    seller.post(page.location + "/read", data={**chosen, "separator": ","})
    shown = seller.get(page.location).text
    assert partial in shown
    assert "<option selected>Code</option>" in shown
    seller.post(page.location + "/start", data={**chosen, "col-quantity": "Reste"})
    outbox.work()
    again = give(seller, text.encode(), "autre.csv", store=factories.the_store().id)
    assert partial in seller.get(again.location).text, "remembered for this header"


def test_separators_nobody_would_guess_can_be_said(seller):
    shoe = factories.a_shoe()
    page = give(seller, f"ean^quantite\n{shoe.ean}^4\n".encode(), store=factories.the_store().id)
    assert page.status_code == 302
    assert f"2  {shoe.ean}^4" in seller.get(page.location).text, "one sees what to say"
    seller.post(page.location + "/read", data={"separator": "^"})
    assert "<td>4</td>" in seller.get(page.location).text
    seller.post(page.location + "/read", data={"separator": "^", "line": "99"})
    assert "La ligne 99" in seller.get(page.location).text
