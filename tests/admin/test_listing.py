"""Generated lists: filters, order, pages, saved views, statements."""

import re
from datetime import timedelta
from io import BytesIO

import openpyxl
import pytest
from sqlalchemy import func, select

from admin.buyback.offers import OfferView
from models import Offer, Parcel, SavedView
from services import clock, money
from services.unit import db, unit_of_work
from tests import factories, paper


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def columns_of(page: str) -> list[str]:
    head = page[page.index("<thead") : page.index("</thead")]
    cells = (re.sub("<[^>]+>", "", "<th" + cell).strip() for cell in head.split("<th")[2:])
    return [words for words in cells if words not in ("", "Actions")]


def test_one_chooses_the_columns_of_a_list_for_oneself_and_its_files_follow(boss, as_staff):
    offer = factories.an_offer()
    before = columns_of(boss.get("/gestion/offres/list/").text)
    assert "Site" in before
    assert "À déposer jusqu’au" not in before
    wanted = [name for name in OfferView.list_columns[1:] if name != "site"] + ["drop_off_by"]
    boss.post("/gestion/offres/colonnes", data={"column": wanted, "query": "?q=CDE"})
    page = boss.get("/gestion/offres/list/").text
    assert offer.number in page  # what opens a row always stays
    assert "Site" not in columns_of(page)
    assert len(columns_of(page)) == len(before)
    head = boss.get("/gestion/offres/export/csv").get_data(as_text=True).splitlines()[0]
    assert "Site" not in head
    assert "À déposer jusqu’au" in head
    colleague = as_staff("Opérateur reprise", factories.the_vendor())
    assert "Site" in columns_of(colleague.get("/gestion/offres/list/").text)
    boss.post("/gestion/offres/colonnes", data={"reset": "1", "query": ""})
    assert columns_of(boss.get("/gestion/offres/list/").text) == before


def test_the_columns_of_one_tab_say_nothing_of_another(boss):
    factories.a_parcel(), factories.a_parcel("delivered")
    sent, arrived = "?status=not_sent", "?status=delivered"

    def tab(query: str) -> list[str]:
        return columns_of(boss.get(f"/gestion/colis/list/{query}").text)

    own = [name for name in tab(arrived) if name not in tab(sent)]
    assert own
    boss.post("/gestion/colis/colonnes", data={"column": [], "query": sent})
    assert tab(arrived)[1:] == own
    boss.post("/gestion/colis/colonnes", data={"column": [], "query": arrived})
    boss.post("/gestion/colis/colonnes", data={"column": ["label.number"], "query": sent})
    assert own[0] not in tab(arrived)  # what was chosen for one tab stays


def test_a_column_nobody_offers_is_not_shown(boss):
    factories.an_offer()
    boss.post("/gestion/offres/colonnes", data={"column": ["token", "lines.0", "x"], "query": ""})
    page = boss.get("/gestion/offres/list/")
    assert page.status_code == 200
    assert len(columns_of(page.text)) == 1


def test_a_list_is_filtered_sorted_paged_and_kept_as_a_view(boss):
    for _n in range(3):
        factories.an_offer()
    accepted = factories.an_accepted_offer()
    page = boss.get("/gestion/offres/list/?status=accepted").text
    assert accepted.number in page
    assert "CDE000000001" not in page
    assert "Retirer le filtre" in page
    boss.post(
        "/gestion/offres/save-view", data={"name": "Mes acceptées", "query": "?status=accepted"}
    )
    assert "Mes acceptées" in boss.get("/gestion/offres/list/").text
    boss.post(
        "/gestion/offres/save-view",
        data={"name": "Mes acceptées", "query": "?status=accepted", "forget": "1"},
    )
    db.session.rollback()
    assert db.session.scalar(select(SavedView.id)) is None


def least(count) -> int:
    """Of three page views: what is remembered for some seconds (settings, sites, the version of the
    database) is read again in one of them on a slow machine.
    """
    return min(count() for _n in range(3))


def test_a_list_costs_the_same_number_of_statements_whatever_its_rows(boss, counted_statements):
    def statements(address):
        with counted_statements() as counted:
            boss.get(address)
        return len(counted)

    for address in (
        "/gestion/offres/list/",
        "/gestion/stock/list/",
        "/gestion/argus/list/",
        "/gestion/regles/list/",
    ):
        factories.an_offer(), factories.an_item(factories.a_game())
        few = least(lambda address=address: statements(address))
        for _n in range(6):
            factories.an_offer(), factories.an_item(factories.a_game())
        assert least(lambda address=address: statements(address)) == few, address
        assert few <= 22, address  # six of them are the menu's counters, one the columns chosen


@pytest.mark.parametrize(
    "address",
    [
        "/gestion/colis/list/?status=checked",
        "/gestion/versements-vendeurs/list/",
        "/gestion/paiements/?etat=awaiting_iban",
        "/gestion/reception/",
    ],
)
def test_a_page_costs_the_same_statements_whatever_its_rows(as_staff, counted_statements, address):
    boss = as_staff("Administrateur")

    def count() -> int:
        db.session.remove()
        with counted_statements() as counted:
            assert boss.get(address).status_code == 200
        return len(counted)

    factories.a_received_offer(), factories.a_parcel("delivered")
    few = least(count)
    for _n in range(4):
        factories.a_received_offer(), factories.a_parcel("delivered")
    assert least(count) == few


# ── files: the words of the screen, real dates and amounts ──


def workbook(client, address: str):
    return openpyxl.load_workbook(BytesIO(client.get(address).data)).active


def test_a_workbook_has_real_dates_and_amounts_and_a_frozen_head(boss):
    offer = factories.an_offer()
    sheet = workbook(boss, "/gestion/offres/export/xlsx")
    heads = [cell.value for cell in sheet[1]]
    row = {head: cell for head, cell in zip(heads, sheet[2], strict=True)}
    assert sheet.freeze_panes == "A2"
    assert row["Montant"].value == offer.total_cents / 100
    assert row["Montant"].number_format == "# ##0.00"
    moment = clock.paris(offer.finalised_at).replace(tzinfo=None)
    assert abs((row["Proposée"].value - moment).total_seconds()) < 1
    assert sheet.column_dimensions["B"].width > 8
    assert row["Statut"].value == "À contrôler"


def test_a_file_of_the_log_says_what_the_screen_says(boss):
    factories.an_accepted_offer()
    text = boss.get("/gestion/journal/export/csv").data.decode("utf-8-sig")
    assert "Offre acceptée" in text
    assert "accept;" not in text


def test_a_printed_list_says_what_was_asked_who_asked_and_what_it_adds_up_to(boss):
    for _n in range(2):
        factories.an_offer()
    total = sum(db.session.scalars(select(Offer.total_cents)))
    printed = paper.read(boss.get("/gestion/offres/export/pdf?status=to_check").data)
    assert "Statut : À contrôler" in printed
    assert "Administrateur" in printed
    assert "2 lignes" in printed
    assert money.text(total).replace("\xa0", " ") in printed.replace("\xa0", " ")


# ── many rows at once ──


def test_all_rows_of_a_list_are_acted_on_whatever_page_they_are_on(boss):
    kept = factories.an_accepted_offer()
    for _n in range(30):
        factories.an_offer()
    boss.post(
        "/gestion/offres/action_post",
        data={"action": "delete", "everything": "1", "query": "?status=to_check"},
    )
    db.session.rollback()
    left = select(func.count(Offer.id)).where(Offer.status == "to_check")
    assert db.session.scalar(left) == 0
    assert db.session.get_one(Offer, kept.id).status == "accepted"


def test_all_rows_of_a_list_are_those_of_its_search_and_no_others(boss):
    found, other = factories.an_offer(), factories.an_offer()
    boss.post(
        "/gestion/offres/action_post",
        data={"action": "delete", "everything": "1", "query": f"?q={found.number}"},
    )
    db.session.rollback()
    assert db.session.get_one(Offer, found.id).status == "deleted"
    assert db.session.get_one(Offer, other.id).status == "to_check"


def test_all_rows_of_a_list_are_those_the_page_counted(boss):
    offer = factories.an_offer()
    data = {"action": "delete", "everything": "1", "shown": "2", "query": "?status=to_check"}
    page = boss.post("/gestion/offres/action_post", data=data, follow_redirects=True).text
    assert "a changé entre-temps" in page
    db.session.rollback()
    assert db.session.get_one(Offer, offer.id).status == "to_check"


def test_words_of_a_list_stay_words(boss):
    text = boss.get("/gestion/imports/list/").text
    assert text.count('class="stacked"') == 0


def test_a_refusal_of_many_names_the_rows_it_is_about(boss):
    first, second = factories.a_parcel(), factories.a_parcel()
    page = boss.post(
        "/gestion/colis/action_post",
        data={"action": "remind", "rowid": [first.id, second.id], "query": "?status=not_sent"},
        follow_redirects=True,
    ).text
    assert f"{first.offer.number}, {second.offer.number} : Possible 5 jours" in page


def test_a_tab_keeps_its_mark_and_its_count_when_the_list_is_sorted(boss):
    factories.a_parcel()
    page = boss.get("/gestion/colis/list/?status=not_sent&ordre=-offer.decided_at").text
    current = page.partition('aria-current="true"')[2][:60]
    assert "Non envoyés" in current
    assert ">1</span>" in page.partition("Non envoyés")[2][:60]


@pytest.mark.parametrize(
    ("status", "head"),
    [
        ("not_sent", "E-mail ouvert"),
        ("in_transit", "Le transporteur dit"),
        ("at_relay", "Relais"),
        ("delivered", "Articles"),
    ],
)
def test_each_tab_of_parcels_has_its_own_columns(boss, status, head):
    factories.a_parcel(status if status != "not_sent" else "")
    assert head in boss.get(f"/gestion/colis/list/?status={status}").text


def test_parcels_are_sorted_by_what_other_tables_say(boss):
    for _n in range(2):
        factories.a_parcel()
    for order in ("offer.customer.name", "-offer.number", "offer.decided_at", "label.number"):
        for query in ("", "&q=CDE"):
            page = boss.get(f"/gestion/colis/list/?ordre={order}{query}")
            assert page.status_code == 200


def test_a_row_is_acted_on_by_its_own_button(boss):
    parcel = factories.a_parcel()
    six_days_ago = clock.now() - timedelta(days=6)
    with unit_of_work() as session:
        session.get_one(Offer, parcel.offer_id).decided_at = six_days_ago
    assert 'value="remind ' in boss.get("/gestion/colis/list/?status=not_sent").text
    boss.post("/gestion/colis/action_post", data={"row_action": f"remind {parcel.id}"})
    db.session.rollback()
    assert db.session.get_one(Parcel, parcel.id).reminded_at is not None
