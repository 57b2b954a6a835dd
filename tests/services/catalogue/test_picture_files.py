"""An archive of pictures, each named by what it shows."""

import io

import pytest
from PIL import Image

from models import ImportRun, Product
from services import files
from services.catalogue import products
from services.imports import trials, undoing
from services.unit import db, unit_of_work
from tests.factories import LEA, a_file, a_shoe, given
from tests.services.imports.test_archives import zipped
from tests.services.imports.test_trials import a_draft


def a_picture(color: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 40), color).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def derby(app):
    return a_shoe("Derby", supplier_ref="LOR-100")


def pictures(folder, names, name="photos.zip"):
    colors = ("red", "blue", "green", "white", "black", "pink", "grey", "cyan", "lime", "navy")
    members = {name: a_picture(color) for name, color in zip(names, colors, strict=False)}
    return zipped(folder, members, name)


def strongest(name: str) -> str:
    """The primary colour a kept picture has most of."""
    bands = Image.open(io.BytesIO(files.read(name))).convert("RGB").split()
    return max(zip(("red", "green", "blue"), bands, strict=True), key=lambda b: b[1].getextrema())[
        0
    ]


def given_pictures(folder, names):
    return given(pictures(folder, names), "pictures")


def shown(shoe) -> int:
    db.session.expire_all()
    product = db.session.get(Product, shoe.product_id)
    return bool(product.cover) + len(product.images)


@pytest.mark.parametrize(
    "name",
    [
        "{ean}.jpg",
        "{ean}-2.jpg",
        "{ean}_front.jpg",
        "LOR-100.jpg",
        "lor-100 (3).JPG",
        "LOR-100/1.jpg",
        "LOR-100/arrière.jpg",
        "LOR-100-arrière.jpg",
        "LOR-100 - Copie.jpg",
        "LOR_100_noir_2.jpg",
        "lor 100.jpg",
    ],
)
def test_a_picture_goes_to_what_its_name_says(derby, tmp_path, name):
    run = given_pictures(tmp_path, [name.format(ean=derby.ean)])
    assert (run.created, run.refused) == (1, 0), run.report
    assert shown(derby) == 1


def test_pictures_stand_in_the_order_of_their_numbers(derby, tmp_path):
    given_pictures(tmp_path, ["LOR-100-3.jpg", "LOR-100-1.jpg", "LOR-100-2.jpg"])
    product = db.session.get(Product, derby.product_id)
    names = [product.cover, *(image.picture for image in product.images)]
    assert [strongest(name) for name in names] == ["blue", "green", "red"]


def test_a_name_nobody_bears_is_refused_alone(derby, tmp_path):
    run = given_pictures(tmp_path, ["inconnu.jpg", "LOR-100.jpg"])
    assert (run.created, run.refused) == (1, 1)
    assert "inconnu" in run.report["refused"][0][2]


def test_a_reference_of_several_products_is_not_guessed(derby, tmp_path):
    a_shoe("Autre", supplier_ref="LOR-100")
    run = given_pictures(tmp_path, ["LOR-100.jpg"])
    assert (run.created, run.refused) == (0, 1)


def test_the_same_archive_twice_adds_nothing(derby, tmp_path):
    given_pictures(tmp_path, ["LOR-100.jpg", "LOR-100-2.jpg"])
    again = given_pictures(tmp_path, ["LOR-100.jpg", "LOR-100-2.jpg"])
    assert (again.created, again.ignored) == (0, 2)
    assert shown(derby) == 2


def test_more_pictures_than_a_sheet_takes_are_told(derby, tmp_path):
    run = given_pictures(tmp_path, [f"LOR-100-{n}.jpg" for n in range(1, 11)])
    assert shown(derby) == 1 + products.MOST_IMAGES
    assert (run.created, run.ignored) == (9, 1)


def test_what_is_no_picture_is_refused_alone(derby, tmp_path):
    path = zipped(tmp_path, {"LOR-100.jpg": b"not a picture", "LOR-100-2.jpg": a_picture("red")})
    run = given(path, "pictures")
    assert (run.created, run.refused) == (1, 1)


def test_an_archive_is_tried_out_without_keeping_a_picture(derby, tmp_path):
    names = [f"LOR-100-{n}.jpg" for n in range(1, 11)]
    path = pictures(tmp_path, [*names, "inconnu.jpg"])
    forecast = trials.try_out(a_draft(path, "pictures", vendor=False))
    assert (forecast["created"], forecast["ignored"]) == (9, 1)
    assert shown(derby) == 0
    run = given(path, "pictures")
    assert (run.created, run.ignored) == (9, 1), "as it was forecast"


def test_a_list_of_refused_names_is_no_archive(derby, tmp_path):
    run = given(a_file(tmp_path, "fichier;x\nLOR-100.jpg;1\n", "photos.csv"), "pictures")
    assert run.state.value == "failed"
    assert "ZIP" in run.error


def test_an_archive_is_undone_but_for_what_was_taken_off_since(derby, tmp_path):
    with unit_of_work() as session:
        product = session.get_one(Product, derby.product_id)
        products.give_cover(product, files.keep_picture(a_picture("orange")), by=LEA)
    run = given_pictures(tmp_path, ["LOR-100-1.jpg", "LOR-100-2.jpg"])
    with unit_of_work() as session:
        product = session.get_one(Product, derby.product_id)
        products.drop_image(product, product.images[0], by=LEA)
    with unit_of_work() as session:
        assert undoing.undo(session.get_one(ImportRun, run.id), by=LEA).count == 1
    assert shown(derby) == 1


def test_an_archive_that_gave_the_cover_is_undone_whole(derby, tmp_path):
    run = given_pictures(tmp_path, ["LOR-100-1.jpg", "LOR-100-2.jpg", "LOR-100-3.jpg"])
    with unit_of_work() as session:
        assert undoing.undo(session.get_one(ImportRun, run.id), by=LEA).count == 3
    assert shown(derby) == 0
    again = given_pictures(tmp_path, ["LOR-100-1.jpg", "LOR-100-2.jpg", "LOR-100-3.jpg"])
    assert again.created == 3


def test_pictures_of_a_sheet_merged_since_are_taken_off_the_other(derby, tmp_path):
    mule = a_shoe("Mule", supplier_ref="LOR-200")
    run = given_pictures(tmp_path, ["LOR-100.jpg", "LOR-100-2.jpg"])
    with unit_of_work() as session:
        double, target = (session.get_one(Product, one.product_id) for one in (derby, mule))
        products.merge(double, target, by=LEA)
    with unit_of_work() as session:
        undoing.undo(session.get_one(ImportRun, run.id), by=LEA)
    assert shown(mule) == 0


def test_an_archive_beyond_its_most_is_read_up_to_there(derby, tmp_path, monkeypatch):
    from services.catalogue import picture_files

    monkeypatch.setattr(picture_files, "MOST_AT_ONCE", 1)
    run = given_pictures(tmp_path, ["LOR-100-1.jpg", "LOR-100-2.jpg"])
    assert (run.created, run.refused) == (1, 1)


def test_a_trial_leaves_no_file(derby, tmp_path):
    draft = a_draft(pictures(tmp_path, ["LOR-100.jpg"]), "pictures", vendor=False)
    before = sorted(files.path("x").parent.iterdir())
    trials.try_out(draft)
    assert sorted(files.path("x").parent.iterdir()) == before
