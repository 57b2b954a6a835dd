"""The public quote: its contract (docs/rules/pricing.md)."""

import pytest

from services import settings
from services.unit import unit_of_work
from tests import factories
from tests.factories import LEA


def test_a_bought_game(client):
    factories.a_game("A.O.T. 2", "Nintendo Switch", 2500, code="5060327534393")
    answer = client.get("/api/v1/quote?ean=5060327534393")
    assert answer.status_code == 200
    assert answer.json == {
        "ean": "5060327534393",
        "title": "A.O.T. 2",
        "platform": "Nintendo Switch",
        "status": "bought",
        "price": "10.00",
        "currency": "EUR",
        "explanation": "argus 25,00\u00a0€ × 40\u00a0% = 10,00\u00a0€",
    }


@pytest.mark.parametrize(
    ("ean", "status"),
    [("5060327534393", "unknown"), ("123", "bad_ean"), ("abc", "bad_ean"), ("%00", "bad_ean")],
)
def test_the_other_answers_have_no_price_and_a_sentence(client, ean, status):
    answer = client.get(f"/api/v1/quote?ean={ean}")
    assert answer.status_code == 200
    assert answer.json["status"] == status
    assert answer.json["price"] is None
    assert answer.json["title"] is None
    assert answer.json["explanation"]


def test_a_known_game_we_do_not_buy_keeps_its_title(client):
    game = factories.a_game("Vieux jeu", argus_cents=0)
    answer = client.get(f"/api/v1/quote?ean={game.ean}").json
    assert (answer["status"], answer["title"], answer["price"]) == ("not_bought", "Vieux jeu", None)


@pytest.mark.parametrize("query", ["", "?ean=", "?code=1", "?ean=%20"])
def test_without_ean_it_is_400(client, query):
    assert client.get(f"/api/v1/quote{query}").status_code == 400


def test_a_upc_and_its_ean_are_one_game(client):
    factories.a_game("God of War", code="0711719926665")
    assert client.get("/api/v1/quote?ean=711719926665").json["ean"] == "0711719926665"


def test_above_the_limit_it_says_when_to_come_back(client):
    with unit_of_work():
        settings.change("quotes_per_minute", "10", by=LEA)
    answers = [client.get("/api/v1/quote?ean=5060327534393") for _n in range(11)]
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[9].status_code == 200


def test_a_bot_that_reads_the_argus_is_stopped_at_the_limit(client):
    codes = [client.get(f"/api/v1/quote?ean={factories.ean(n)}").status_code for n in range(310)]
    assert codes.count(200) == 300
