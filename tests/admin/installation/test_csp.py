"""What browsers refuse."""

import pytest
from sqlalchemy import select

from models import (
    CspReport,
)
from services.installation import csp, health
from services.unit import db, unit_of_work


@pytest.fixture
def boss(as_staff):
    return as_staff("Administrateur")


def found() -> dict[str, health.Check]:
    db.session.rollback()
    return {check.name: check for check in health.checks()}


# ── what browsers refused ──


def test_what_a_browser_refuses_is_counted_without_what_is_personal(app, client, boss):
    old = {
        "csp-report": {
            "effective-directive": "script-src-elem",
            "blocked-uri": "https://evil.example/x.js?camille",
            "document-uri": "http://localhost/ventes/CDE000000012?x=1",
        }
    }
    new = [
        {
            "type": "csp-violation",
            "body": {
                "effectiveDirective": "img-src",
                "blockedURL": "inline",
                "documentURL": "http://localhost/documents/" + "a" * 60,
            },
        }
    ]
    for _n in range(2):
        assert client.post("/api/v1/csp", json=old).status_code == 204
    assert (
        client.post(
            "/api/v1/csp", data=str(new).replace("'", '"'), content_type="application/reports+json"
        ).status_code
        == 204
    )
    rows = {
        r.directive: (r.blocked, r.page, r.times) for r in db.session.scalars(select(CspReport))
    }
    assert rows["script-src-elem"] == ("https://evil.example", "/ventes/…", 2)
    assert rows["img-src"] == ("inline", "/documents/…", 1)
    assert "evil.example" in boss.get("/gestion/rapports-navigateurs/list/").text
    assert found()["csp"].figure == 3
    for body in (
        b"",
        b"[]",
        b"{}",
        b"[" * 9000,
        b"\xff",
        b'{"csp-report": 3}',
        b'{"csp-report": {"effective-directive": 3}}',
        b"x" * 200_000,
    ):
        assert (
            client.post("/api/v1/csp", data=body, content_type="application/json").status_code
            == 204
        )
    db.session.rollback()
    assert len(db.session.scalars(select(CspReport)).all()) == 2


def test_a_flood_of_reports_fills_nothing(app, client):
    for n in range(40):
        client.post(
            "/api/v1/csp",
            json={
                "csp-report": {
                    "effective-directive": "img-src",
                    "blocked-uri": f"https://h{n}.example",
                    "document-uri": "http://localhost/",
                }
            },
        )
    assert (
        len(db.session.scalars(select(CspReport)).all()) == 30
    )  # an address may report thirty a minute
    with unit_of_work():
        csp.note([("img-src", f"https://x{n}.example", "/") for n in range(csp.MOST_ROWS + 50)])
    assert len(db.session.scalars(select(CspReport)).all()) <= csp.MOST_ROWS
