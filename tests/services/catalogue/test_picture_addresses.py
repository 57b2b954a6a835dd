"""Pictures named by a référencier are fetched from a real web server, once, and given to their
product.
"""

import io
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from models import PictureAddress, PictureAddressState, Product, Variant
from services import clock, files
from services.catalogue import picture_addresses, products
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests.factories import MARC, a_file, ean, given

S = PictureAddressState
HEADER = "ean;designation;images\n"


def a_picture(color: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), color).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def host():
    """A web server of pictures, its address, and what it was asked."""
    shown = {"/red.jpg": a_picture("red"), "/blue.jpg": a_picture("blue"), "/text.jpg": b"<html>"}
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = shown.get(self.path)
            self.send_response(200 if body else 404)
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield f"http://127.0.0.1:{server.server_port}", asked, shown
    server.shutdown()
    server.server_close()


def load(tmp_path, *lines: str, name: str = "photos.csv"):
    return given(a_file(tmp_path, HEADER + "".join(lines), name), "catalogue")


def the_product(number: int = 1) -> Product:
    db.session.rollback()
    return db.session.scalars(db.select(Variant).where(Variant.ean == ean(number))).one().product


def states() -> list[PictureAddressState]:
    db.session.rollback()
    rows = db.select(PictureAddress).order_by(PictureAddress.id)
    return [row.status for row in db.session.scalars(rows)]


def test_the_first_address_is_the_cover_and_the_others_follow(tmp_path, host):
    url, _asked, _shown = host
    load(tmp_path, f"{ean(1)};Derby;{url}/red.jpg | {url}/blue.jpg\n")
    assert picture_addresses.fetch() == 2
    product = the_product()
    assert product.cover
    assert files.exists(product.cover)
    assert len(product.images) == 1
    assert states() == [S.fetched, S.fetched]


def test_the_same_file_again_fetches_nothing(tmp_path, host):
    url, asked, _shown = host
    for name in ("a.csv", "b.csv"):
        load(tmp_path, f"{ean(1)};Derby;{url}/red.jpg\n", name=name)
        picture_addresses.fetch()
    assert asked == ["/red.jpg"]
    assert the_product().images == []


def test_sizes_of_one_model_fetch_its_picture_once(tmp_path, host):
    url, asked, _shown = host
    text = "ean;designation;reference-fournisseur;marque;pointure;images\n" + "".join(
        f"{ean(n)};Derby;LOR-1;Lormont;{40 + n};{url}/red.jpg\n" for n in (1, 2, 3)
    )
    given(a_file(tmp_path, text), "catalogue")
    picture_addresses.fetch()
    assert asked == ["/red.jpg"]


def test_what_is_no_picture_is_tried_three_times_then_a_person_looks(tmp_path, host):
    url, asked, shown = host
    load(tmp_path, f"{ean(1)};Derby;{url}/text.jpg\n")
    picture_addresses.fetch()
    assert picture_addresses.fetch() == 0, "not before its time"
    assert len(asked) == 1
    for hours in (1, 3):
        with clock.at(clock.now() + timedelta(hours=hours)):
            picture_addresses.fetch()
    assert states() == [S.failed]
    (row,) = picture_addresses.not_fetched(the_product().id)
    assert "photo" in row.error
    shown["/text.jpg"] = a_picture("green")
    with unit_of_work() as session:
        picture_addresses.fetch_again(session.get_one(PictureAddress, row.id), by=MARC)
    assert picture_addresses.fetch() == 1
    assert the_product().cover


def test_an_address_nobody_can_call_stops_no_other(tmp_path, host):
    url, _asked, _shown = host
    load(tmp_path, f"{ean(1)};Derby;https://a:99999/b.jpg\n{ean(2)};Botte;{url}/red.jpg\n")
    assert picture_addresses.fetch() == 1
    assert the_product(2).cover


def test_a_line_whose_cell_is_no_address_is_loaded_and_told(tmp_path):
    run = load(tmp_path, f"{ean(1)};Derby;photos/derby.jpg\n")
    assert (run.created, run.refused) == (1, 0)
    assert any("photos/derby.jpg" in sentence for _line, sentence in run.report["doubts"])
    assert states() == []


def test_a_vendor_names_pictures_of_its_own_proposals_only(tmp_path, host):
    from tests import factories

    url, _asked, _shown = host
    load(tmp_path, f"{ean(1)};Derby;\n")
    text = HEADER + f"{ean(1)};Derby;{url}/red.jpg\n{ean(2)};Botte;{url}/blue.jpg\n"
    run = given(a_file(tmp_path, text, "leur.csv"), "catalogue", vendor=factories.the_vendor())
    ((_line, sentence),) = run.report["doubts"]
    assert "seul l’opérateur" in sentence
    picture_addresses.fetch()
    assert the_product(1).cover is None
    assert the_product(2).cover is not None


def test_the_picture_of_a_sheet_that_was_merged_goes_to_the_one_that_took_its_place(tmp_path, host):
    url, _asked, _shown = host
    load(tmp_path, f"{ean(1)};Derby;{url}/red.jpg\n{ean(2)};Derby Lormont;\n")
    with unit_of_work() as session:
        gone, stays = (session.merge(the_product(n)) for n in (1, 2))
        products.merge(gone, stays, by=MARC)
    assert picture_addresses.fetch() == 1
    assert the_product(1).id == the_product(2).id
    assert the_product(2).cover is not None


@pytest.mark.parametrize(
    "cell", ["ftp://a/b.jpg", "https://a", "javascript:alert(1)", "https://u:p@a/b"]
)
def test_an_address_that_is_none_is_said_so(app, cell):
    with pytest.raises(Refused, match="adresse"):
        picture_addresses.read(cell)


def test_addresses_are_parted_by_bars_spaces_and_commas(app):
    assert picture_addresses.read("https://a/1.jpg,https://a/2,3.jpg|https://a/4.jpg") == (
        "https://a/1.jpg https://a/2,3.jpg https://a/4.jpg"
    )
