"""The list of brands holds what the catalogue sells, not what a vendor's file says."""

from models import Product
from services.catalogue import products
from services.unit import unit_of_work
from tests import factories
from tests.factories import LEA, a_file, ean, given

LIST = "/gestion/marques/list/"


def test_a_brand_of_proposals_alone_is_in_no_list_until_one_is_validated(as_staff, tmp_path):
    given(
        a_file(tmp_path, f"ean;designation;marque\n{ean(1)};Derby;<b>Lormont</b>\n"),
        "catalogue",
        vendor=factories.the_vendor(),
    )
    client = as_staff("Administrateur")
    assert "Lormont" not in client.get(LIST).text
    assert "Lormont" not in client.get("/gestion/marques/export/csv").text
    with unit_of_work() as session:
        products.validate(session.query(Product).one(), by=LEA)
    assert "&lt;b&gt;Lormont" in client.get(LIST).text


def test_a_proposal_is_refused_on_its_sheet_with_a_reason(as_staff, tmp_path):
    given(
        a_file(tmp_path, f"ean;designation\n{ean(1)};Derby\n"),
        "catalogue",
        vendor=factories.the_vendor(),
    )
    with unit_of_work() as session:
        id = session.query(Product).one().id
    client = as_staff("Animateur")
    assert "Pas pour le catalogue" in client.get(f"/gestion/produits/show/{id}").text
    client.post(f"/gestion/produits/fiche/{id}/refuser", data={"reason": "Doublon de LOR-2"})
    page = client.get(f"/gestion/produits/show/{id}").text
    assert "Doublon de LOR-2" in page
    assert "Pas pour le catalogue" not in page
