"""S18: two machines with two data folders on one database, one Redis (when the run has one) and one
store of files: what one receives the other shows, and either may be lost.
"""

import json
import os
import shutil

import pytest

from services import outbox
from services.unit import db
from tests import factories, processes


@pytest.fixture
def on(s3, machine, tmp_path):
    """Runs a verb on a machine, « a » or « b », as a process of its own."""
    keys = {
        "COMPTOIR_DATABASE_URL": machine.database_url,
        "COMPTOIR_REDIS_URL": machine.redis_url,
        "COMPTOIR_SECRET_KEY": machine.secret_key,
        "COMPTOIR_SEALING_KEYS": (machine.data_dir / "sealing_key").read_text(),
        "COMPTOIR_FILES_URL": f"s3://comptoir/{tmp_path.name}?endpoint={s3}",
        "COMPTOIR_FILES_KEY": "k",
        "COMPTOIR_FILES_SECRET": "s",
    }

    def run(name: str, verb: str, *words: str, **env: str) -> dict:
        db.session.rollback()
        db.session.remove()
        folder = tmp_path / name
        said = processes.run(
            ["python", "-m", "tests.acceptance.machine_life", verb, *map(str, words)],
            {**os.environ, **keys, "COMPTOIR_DATA_DIR": str(folder), **env},
        )
        return json.loads(said.strip().splitlines()[-1])

    return run


@pytest.fixture
def a_busy_shop(app, tmp_path):
    """A label to order, a transfer file to make, a price list with one wrong line."""
    factories.a_contract()
    game = factories.a_game()
    factories.an_accepted_offer()
    other = factories.a_game()
    factories.a_batch_to_make()
    table = tmp_path / "liste.csv"
    table.write_text(f"ean;titre;argus\n{other.ean};Jeu;25\n123;Faux;1\n")
    return game.ean, table


def test_what_one_machine_receives_the_other_shows_and_either_may_be_lost(
    on, a_busy_shop, tmp_path, figure, s3
):
    ean, table = a_busy_shop
    given = on("a", "receive", ean, table)
    run = str(given.pop("run"))
    seen = on("b", "show", ean, run)
    if not os.environ.get("COMPTOIR_TEST_REDIS_URL"):  # without Redis each counts its own
        for name in ("visits", "failures"):
            given.pop(name), seen.pop(name)
    assert seen == given
    assert seen["refused"] == 1
    assert seen["named"] >= 4

    shutil.rmtree(tmp_path / "a")
    assert on("a", "show", ean, run)["cover"] == given["cover"]

    made = on("a", "back_up")
    assert made["files"] >= 4
    shutil.rmtree(tmp_path / "a")
    assert on("b", "verify", made["name"]) == {"troubles": [], "files": made["files"]}
    lost = on("b", "lose", ean)["lost"]
    shutil.rmtree(tmp_path / "b")
    (trouble,) = on("b", "verify", made["name"])["troubles"]
    assert lost in trouble
    figure("things one machine received and the other showed", len(seen), at_least=6)


def test_a_second_machine_without_the_store_or_with_other_keys_does_not_start(
    on, app, machine, tmp_path
):
    if machine.database_url.startswith("sqlite"):  # one machine only, by nature
        assert on("a", "join")["refused"] == ""
        return
    assert on("a", "join")["refused"] == ""
    assert on("b", "join")["refused"] == ""
    assert "COMPTOIR_FILES_URL" in on("c", "join", COMPTOIR_FILES_URL="")["refused"]
    assert "COMPTOIR_SECRET_KEY" in on("c", "join", COMPTOIR_SECRET_KEY="y" * 48)["refused"]
    assert outbox.held() is None
