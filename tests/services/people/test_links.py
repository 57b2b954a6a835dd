"""Personal links: signed, dated, replaced with their secret."""

import pytest

from services.people import links
from services.workflow import Refused
from tests import factories


def test_a_link_signed_with_an_older_secret_still_opens_and_expires(app):
    offer = factories.an_accepted_offer()
    with app.app_context():
        kept = app.config["SECRET_KEY"]
        token = links.document("slip", offer.id).rpartition("/")[2]
        try:
            app.config["SECRET_KEY"], app.config["SECRET_KEY_FALLBACKS"] = "y" * 48, [kept]
            assert links.read_document(token) == links.Document("slip", offer.id, None)
            app.config["SECRET_KEY_FALLBACKS"] = []
            with pytest.raises(Refused):
                links.read_document(token)
        finally:
            app.config["SECRET_KEY"], app.config["SECRET_KEY_FALLBACKS"] = kept, []


def test_a_link_is_dead_after_its_time(app, monkeypatch):
    import itsdangerous.timed as timed

    customer = factories.a_customer()
    reset = links.reset(customer).rpartition("/")[2]
    document = links.document("slip", 1).rpartition("/")[2]
    real = timed.time.time
    monkeypatch.setattr(timed.time, "time", lambda: real() + 3 * 3600)
    with pytest.raises(Refused, match="trop ancien"):
        links.read_reset(reset)
    monkeypatch.setattr(timed.time, "time", lambda: real() + 61 * 86400)
    with pytest.raises(Refused, match="trop ancien"):
        links.read_document(document)


def test_signatures_are_made_with_sha_256(app):
    import hashlib

    from itsdangerous import Signer, URLSafeTimedSerializer

    assert Signer("x").digest_method is hashlib.sha256
    assert app.session_interface.digest_method is hashlib.sha256
    token = URLSafeTimedSerializer("x").dumps(1)
    with pytest.raises(Exception, match="match"):
        URLSafeTimedSerializer("x", signer_kwargs={"digest_method": hashlib.sha1}).loads(token)
