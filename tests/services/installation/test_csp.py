"""What browsers refuse."""

from sqlalchemy import select

from models import (
    CspReport,
)
from services.unit import db


def test_a_lone_half_of_a_sign_in_a_report_of_a_browser_is_no_error(app, client):
    body = (
        '{"csp-report": {"effective-directive": "img-src\\ud800", "blocked-uri":'
        ' "https://x.fr/\\ud800", "document-uri": "https://y.fr/"}}'
    )
    assert (
        client.post("/api/v1/csp", data=body, content_type="application/csp-report").status_code
        == 204
    )
    assert db.session.scalars(select(CspReport)).all()
