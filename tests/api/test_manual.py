"""The manual is open before a key exists, and names every code, event and route there is."""

import re
from pathlib import Path

import pytest

from api import codes
from services import webhooks

ROOT = Path(__file__).parent.parent.parent
SAID = re.compile(
    r"problem\(\s*\d+,\s*\"(\w+)\"|(?:Invalid\.field\(\s*\"\w+\",\s*|\brefuse\(\s*)\"(\w+)\""
    r"|\bcode=\"(\w+)\""
)


def test_the_manual_is_read_without_signing_in(client):
    answer = client.get("/api/")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "Une caisse annonce une vente au comptoir" in page
    for word in ("number_reused", "listing.delisted", "/api/v1/till/events"):
        assert word in page
    assert "data-signed-out" not in page  # it would close the pages of who is signed in


def test_the_client_of_a_till_is_downloaded_and_speaks_to_this_house(client, app):
    source = client.get("/api/v1/till_client.py").get_data(as_text=True)
    compile(source, "till_client.py", "exec")
    assert f'"{app.config["BASE_URL"]}/api/v1"' in source
    assert "comptoir.example" not in source


def test_names_stay_the_ones_machines_write_and_nothing_is_described_by_a_catalogue_s_header(
    client,
):
    said = client.get("/api/v1/openapi.json").get_json()
    names = {
        one["name"]
        for path in said["paths"].values()
        for operation in path.values()
        for one in operation.get("parameters", [])
    }
    assert {"since", "price", "postcode", "condition"} <= names
    assert "Project-Id-Version" not in str(said)
    schema = said["components"]["schemas"]["Taken"]["properties"]["status"]
    assert "already_counted" in schema["enum"]


def test_every_code_a_machine_can_be_given_is_in_the_catalogue():
    found = set()
    for path in [*ROOT.glob("api/*.py"), *ROOT.glob("services/**/*.py"), ROOT / "app.py"]:
        for groups in SAID.findall(path.read_text()):
            found |= {code for code in groups if code}
    assert {"number_reused", "moment", "counts_elsewhere"} <= found
    assert found - codes.ALL.keys() == set()


def test_the_document_describes_every_event_and_each_with_its_very_fields(client):
    said = client.get("/api/v1/openapi.json").get_json()
    assert said["webhooks"].keys() == webhooks.EVENTS.keys() == webhooks.DATA.keys()
    told = said["webhooks"]["stock.changed"]["post"]
    assert told["summary"] == "Le stock d’un point de vente a changé"
    example = told["requestBody"]["content"]["application/json"]["example"]
    assert example["data"] == webhooks.DATA["stock.changed"]
    with pytest.raises(ValueError, match=r"stock\.changed"):
        webhooks.tell(1, "stock.changed", {"shop": "N1"})
