"""« Fichiers à aller chercher »: the pages, and who may."""

import pytest

from models import FeedSource, SourceState
from services import outbox
from services.unit import db
from simulators.sftp import Host
from tests import factories

ROOT = "/gestion/imports/sources"
TYPED = {
    "name": "Caisse",
    "kind": "stock",
    "mode": "full",
    "url": "https://caisse.exemple.fr/stock.csv",
    "login": "nantes",
    "secret": "chaussures",
    "every_minutes": "60",
}


@pytest.fixture
def vendor_client(as_staff):
    return as_staff("Vendeur", factories.the_vendor())


def the_source() -> FeedSource:
    db.session.rollback()
    return db.session.scalars(db.select(FeedSource)).one()


def test_a_vendor_adds_a_source_whose_password_is_shown_nowhere(vendor_client):
    assert "Rien n'est cherché" in vendor_client.get(f"{ROOT}/list/").text.replace("’", "'")
    store = factories.the_store()
    added = vendor_client.post(f"{ROOT}/add", data={**TYPED, "store": store.id})
    assert added.status_code == 302
    row = the_source()
    assert (row.vendor_id, row.store_id) == (store.vendor_id, store.id)
    assert row.status is SourceState.active
    for page in (f"{ROOT}/list/", f"{ROOT}/show/{row.id}", f"{ROOT}/edit/{row.id}"):
        assert "chaussures" not in vendor_client.get(page).text


def test_what_is_wrong_is_told_and_what_was_typed_stays(vendor_client):
    answer = vendor_client.post(f"{ROOT}/add", data={**TYPED, "url": "ftp://caisse/stock.csv"})
    assert answer.status_code == 422
    assert "sftp://serveur" in answer.text
    assert "ftp://caisse/stock.csv" in answer.text


def test_a_vendor_sees_and_changes_only_its_own_sources(vendor_client, as_staff):
    vendor_client.post(f"{ROOT}/add", data={**TYPED, "store": factories.the_store().id})
    id = the_source().id
    other, _site, _store = factories.another_vendor()
    stranger = as_staff("Vendeur", other, email="autre@staff.test")
    assert "Caisse" not in stranger.get(f"{ROOT}/list/").text.split("<main")[1]
    assert stranger.get(f"{ROOT}/show/{id}").status_code == 404
    assert stranger.post(f"{ROOT}/action/fetch_now/{id}").status_code == 404
    assert stranger.post(f"{ROOT}/{id}/cle", data={"key": ""}).status_code == 404
    mine = {**TYPED, "store": factories.the_store().id}
    assert stranger.post(f"{ROOT}/add", data=mine).status_code == 422
    assert the_source().id == id


def test_the_key_of_a_server_is_compared_and_accepted_on_its_sheet(vendor_client, tmp_path):
    host = Host(tmp_path).serve()
    try:
        url = f"sftp://127.0.0.1:{host.port}/"
        typed = {**TYPED, "url": url, "store": factories.the_store().id}
        vendor_client.post(f"{ROOT}/add", data=typed)
        id = the_source().id
        vendor_client.post(f"{ROOT}/action/fetch_now/{id}")
        while outbox.work():
            pass
        shown = the_source().shown_key
        page = vendor_client.get(f"{ROOT}/show/{id}").text
        assert shown in page
        assert "C'est le bon serveur" in page.replace("&#39;", "'").replace("’", "'")
        vendor_client.post(f"{ROOT}/{id}/cle", data={"key": "another"})
        assert the_source().status is SourceState.to_trust
        vendor_client.post(f"{ROOT}/{id}/cle", data={"key": shown})
        assert (the_source().status, the_source().host_key) == (SourceState.active, shown)
    finally:
        host.close()


def test_the_operator_may_have_an_argus_fetched_for_all(as_staff):
    client = as_staff("Administrateur")
    typed = {**TYPED, "kind": "argus", "mode": "", "vendor": "", "store": ""}
    assert client.post(f"{ROOT}/add", data=typed).status_code == 302
    assert the_source().vendor_id is None
