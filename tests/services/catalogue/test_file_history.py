"""The history of a product and of its references says which file made or changed them."""

from models import Event, Variant
from services.imports import runs
from services.unit import db
from services.workflow import Actor
from tests.factories import a_file, ean, given

HEADER = "ean;designation;reference-fournisseur;marque;saison;prix-conseille-ttc;actif;couleur\n"


def line(
    number: int,
    title: str = "Derby Lormont",
    brand: str = "Lormont",
    season: str = "Hiver",
    price: str = "89,00",
    active: str = "",
) -> str:
    return f"{ean(number)};{title};LOR-1;{brand};{season};{price};{active};Noir\n"


def happened(tmp_path, content: str, name: str) -> list[tuple[str, str, dict]]:
    """What the history gained by a file: subject, verb, facts."""
    db.session.rollback()
    last = db.session.scalar(db.select(db.func.max(Event.id))) or 0
    given(a_file(tmp_path, HEADER + content, name), "catalogue")
    db.session.rollback()
    rows = db.session.scalars(
        db.select(Event)
        .where(Event.id > last, Event.subject.in_(("product", "variant")))
        .order_by(Event.id)
    )
    return [(row.subject, row.verb, row.facts) for row in rows]


def test_a_new_product_says_the_file_it_comes_from(tmp_path):
    (event,) = happened(tmp_path, line(1) + line(2), "hiver.csv")
    assert event == ("product", "create_by_file", {"file": "hiver.csv"})


def test_a_change_says_both_values_and_its_file(tmp_path):
    happened(tmp_path, line(1) + line(2), "hiver.csv")
    changed = line(1, season="Été", brand="Aubrac", price="79,50") + line(
        2, season="Été", brand="Aubrac"
    )
    variant, product = happened(tmp_path, changed, "ete.csv")
    assert variant == (
        "variant",
        "edit_by_file",
        {"file": "ete.csv", "changes": {"variant.advised_cents": ["89,00", "79,50"]}},
    )
    assert product[2] == {
        "file": "ete.csv",
        "changes": {"product.brand": ["Lormont", "Aubrac"], "product.season": ["Hiver", "Été"]},
    }


def test_a_machine_that_gives_a_file_is_no_member_of_staff(tmp_path):
    till = Actor("machine", None, "Caisse 1")
    path = a_file(tmp_path, HEADER + line(1), "caisse.csv")
    runs.import_file(path, "catalogue", by=till)
    db.session.rollback()
    rows = db.select(Event).where(Event.verb == "create_by_file")
    (event,) = db.session.scalars(rows)
    assert (event.actor_kind, event.actor_name) == ("machine", "Caisse 1")


def test_the_same_file_again_adds_nothing(tmp_path):
    happened(tmp_path, line(1), "hiver.csv")
    assert happened(tmp_path, line(1), "hiver-2.csv") == []


def test_an_empty_cell_that_says_nothing_is_no_change(tmp_path):
    happened(tmp_path, line(1, active="non"), "hiver.csv")
    assert happened(tmp_path, line(1, active=""), "hiver-2.csv") == []


def test_the_sheet_of_a_product_shows_it(tmp_path, as_staff):
    happened(tmp_path, line(1), "hiver.csv")
    happened(tmp_path, line(1, season="Été"), "ete.csv")
    product = db.session.scalars(db.select(Variant.product_id)).one()
    page = as_staff("Administrateur").get(f"/gestion/produits/show/{product}").text
    assert "Modifié par un fichier" in page
    assert "Saison : Hiver → Été" in page.replace("\u00a0", " ")
    assert "ete.csv" in page
