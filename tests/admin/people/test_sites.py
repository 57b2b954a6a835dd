"""Sites are dressed in the back office."""

import io

import pytest

from models import Site
from services.unit import db
from tests import factories


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def test_a_site_is_dressed_and_given_hosts_or_told_why_not(boss):
    site = factories.the_site()
    page = boss.get(f"/gestion/sites/edit/{site.id}").text
    assert "#6a2c5b" in page
    data = {
        "name": "Chez Manette",
        "vendor": site.vendor_id,
        "kind": "buyback",
        "host_names": "rachat.exemple.fr\nvente.exemple.fr",
        "validation": "automatic",
        "threshold_cents": "20",
        "color_brand": "#3b33b8",
        "color_brand_strong": "#29228c",
        "color_on_brand": "#ffffff",
        "color_accent": "#ffc53d",
        "color_page": "#f8f6f3",
        "color_ink": "#1e1b19",
        "radius": "16",
        "contact_email": "boutique@exemple.fr",
    }
    assert boss.post(f"/gestion/sites/edit/{site.id}", data=data).status_code == 302
    db.session.rollback()
    site = db.session.get(Site, site.id)
    assert [h.host for h in site.hosts] == ["rachat.exemple.fr", "vente.exemple.fr"]
    assert site.threshold_cents == 2000
    assert site.radius == 16
    refused = boss.post(f"/gestion/sites/edit/{site.id}", data={**data, "color_brand": "#ffffff"})
    assert refused.status_code == 422
    assert "contraste" in refused.text
    assert (
        boss.post(
            f"/gestion/sites/edit/{site.id}",
            data={**data, "logo_file": (io.BytesIO(b"<svg/>"), "logo.png")},
        ).status_code
        == 422
    )
    db.session.rollback()
    assert db.session.get(Site, site.id).color_brand == "#3b33b8"
