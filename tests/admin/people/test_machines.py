"""Keys and addresses of machines."""

import re

from models import (
    MachineKey,
    Webhook,
)
from services.unit import db
from tests import factories


def test_a_key_and_an_address_are_made_once_however_often_their_page_is_loaded_again(as_staff):
    boss = as_staff("Administrateur")
    for page, model, data in (
        (
            "/gestion/cles/nouvelle/",
            MachineKey,
            {"name": "Caisse", "scopes": "till", "store": factories.the_store().id},
        ),
        (
            "/gestion/webhooks/nouveau/",
            Webhook,
            {
                "url": "https://caisse.example/ici",
                "events": "stock.changed",
                "vendor": factories.the_vendor().id,
            },
        ),
    ):
        once = re.search(r'name="once" value="(\w+)"', boss.get(page).text)[1]
        first = boss.post(page, data={**data, "once": once})
        again = boss.post(page, data={**data, "once": once}, follow_redirects=True)
        assert first.status_code == 200
        assert "déjà fait" in again.text
        assert db.session.scalar(db.select(db.func.count(model.id))) == 1
