import pytest

from services.people import sites
from services.unit import unit_of_work
from services.workflow import Refused
from tests import factories


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#0000ff", "#ffffff", 8.59)],
)
def test_contrast_is_that_of_wcag(one, other, ratio):
    assert sites.contrast(one, other) == pytest.approx(ratio, abs=0.06)


@pytest.mark.parametrize(
    ("column", "color", "says"),
    [
        ("color_brand", "#ffee00", "contraste"),
        ("color_ink", "#cccccc", "contraste"),
        ("color_brand", "violet", "couleur"),
        ("color_brand", "#12345", "couleur"),
    ],
)
def test_a_look_nobody_could_read_is_refused(app, column, color, says):
    site = factories.the_site()
    with pytest.raises(Refused, match=says), unit_of_work():
        site = factories.the_site()
        setattr(site, column, color)
        sites.check_colors(site)
    assert getattr(factories.the_site(), column) != color


def test_the_stylesheet_carries_six_colours_and_changes_its_address_with_them(app, client):
    site = factories.the_site()
    before = sites.stylesheet_hash(site)
    sheet = client.get(f"/marque/{site.id}-{before}.css")
    assert sheet.mimetype == "text/css"
    assert "immutable" in sheet.headers["Cache-Control"]
    for name in sites.COLORS:
        assert getattr(site, name) in sheet.text
    with unit_of_work():
        factories.the_site().color_accent = "#ff0000"
    assert sites.stylesheet_hash(factories.the_site()) != before


@pytest.mark.parametrize(
    "host", ["http://x.fr", "x", "x.fr/chemin", "-x.fr", "a b.fr", "x..fr", "x.fr:80", "é.fr"]
)
def test_what_is_no_domain_name_is_refused(app, host):
    with pytest.raises(Refused, match="nom de domaine"), unit_of_work():
        sites.answer_to(factories.the_site(), host)


def test_one_host_belongs_to_one_site(app):
    factories.another_vendor()
    with pytest.raises(Refused, match="autre site"), unit_of_work():
        sites.answer_to(factories.the_site(), "PixelCave.localhost")


def test_a_site_is_found_by_its_host_and_a_stranger_is_refused(app, client):
    factories.another_vendor()
    assert "PixelCave" in client.get("/", headers={"Host": "pixelcave.localhost"}).text
    assert "Ma boutique" in client.get("/", headers={"Host": "127.0.0.1:8000"}).text
    assert client.get("/", headers={"Host": "evil.com"}).status_code == 400
    assert client.get("/gestion/login/", headers={"Host": "pixelcave.localhost"}).status_code == 404


def test_links_in_mails_use_the_first_host_of_the_site(app):
    _vendor, site, _store = factories.another_vendor()
    assert sites.address(site) == "http://pixelcave.localhost:8000"
    assert sites.address(factories.the_site()) == "http://127.0.0.1:8000"
