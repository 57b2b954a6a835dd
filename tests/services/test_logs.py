"""Logs keep nothing personal."""

import json
import logging

import pytest

from services import logs, trace
from services.people import links
from tests import factories

# ── logs ──

CANARIES = (
    "camille.canari@exemple.fr",
    "FR7630006000011234567890189",
    "FR76 3000 6000 0112 3456 7890 189",
    "06 12 34 56 78",
    "+33612345678",
    "0612345678",
    "mot_de_passe=secret123",
    "smtp://user:hunter22@smtp.exemple.fr",
)


@pytest.mark.parametrize("canary", CANARIES)
def test_a_log_line_keeps_nothing_personal(canary):
    secret = canary.rpartition("=")[2].replace("smtp://user:", "").partition("@smtp")[0]
    assert secret not in logs.scrub(f"failed for {canary} at /x?y=1")


def test_logs_are_lines_of_json_with_the_request_and_no_address(app, tmp_path, as_customer):
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    file = tmp_path / "log.jsonl"
    try:
        logs.plug(str(file), always=True)
        person = factories.a_customer(email="camille.canari@exemple.fr", last_name="Canari")
        client = as_customer(person)
        answer = client.get("/ventes", headers={"X-Request-Id": "forged forged"})
        client.get(f"/documents/{'x' * 80}?iban=FR7630006000011234567890189")
        client.post(
            "/compte/connexion",
            data={"email": "camille.canari@exemple.fr", "password": "un secret"},
        )
        logging.getLogger("app").error("cannot write to %s", "camille.canari@exemple.fr")
        try:
            raise ValueError("IBAN FR7630006000011234567890189")
        except ValueError:
            logging.getLogger("app").exception("broke")
        rows = [json.loads(line) for line in file.read_text().splitlines()]
    finally:
        root.handlers[:], root.level = kept, level
    seen = [row for row in rows if row["logger"] == "access"]
    assert [row["route"] for row in seen] == [
        "/ventes",
        "/documents/<token>",
        "/compte/connexion",
    ]
    assert all(row["status"] and row["ms"] >= 0 for row in seen)
    assert answer.headers["X-Request-Id"] == seen[0]["request"]
    assert len(seen[0]["request"]) == 16
    words_of_it = file.read_text()
    for canary in ("canari", "FR7630006", "un secret", "x" * 80, "forged"):
        assert canary not in words_of_it, canary


def test_a_name_in_a_request_id_is_replaced(app):
    assert trace.begin("abc-123-DEF-456", "1.2.3.4").id == "abc-123-DEF-456"
    for strange in ("a b", "x" * 40, "é" * 10, "a\nb" * 4, ""):
        assert len(trace.begin(strange).id) == 16


def test_no_link_of_ours_reaches_a_log(app):
    from services import logs

    person = factories.a_customer_with_password()
    for link in (
        links.reset(person),
        links.confirm(person, person.email),
        links.document("label", 12),
    ):
        token = link.rpartition("/")[2]
        assert token not in logs.scrub(f"broke at {link} [500]")
        assert "[link]" in logs.scrub(link)
