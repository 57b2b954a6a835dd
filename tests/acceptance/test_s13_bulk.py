"""S13: files of a million lines in five encodings, killed at random moments by a real SIGKILL,
started again: nothing lost, nothing twice.
"""

import contextlib
import csv
import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from services.installation import backups
from tests import processes
from tests.acceptance.sizes import size

LINES, KILLS = size(3_000, 1_000_000), size(2, 10)
HEADER = "reference-fournisseur;ean;designation;marque;rayon;couleur;pointure;prix-conseille-ttc\n"


def ean(number: int) -> str:
    body = f"24{number:010d}"
    return body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)


def write(path: Path, lines: int, encoding: str, first: int = 0, changed: int = 0) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        file.write(HEADER)
        for n in range(first, first + lines):
            price = 10 + n % 200 + (1 if changed and n % changed == 0 else 0)
            file.write(
                f"REF{n // 5};{ean(n)};Modèle d’été n° {n // 5};Marque {n // 5 % 300};Rayon"
                f" {n // 5 % 20};Noir;{36 + n % 5};{price},90\n"
            )


@pytest.fixture
def place(app, machine, tmp_path):
    """An installation of its own on this engine: its environment, and a connection to look at it
    with.
    """
    with backups.scratch_database(machine.database_url, tmp_path) as (url, data_dir):
        env = {
            **os.environ,
            "COMPTOIR_DATA_DIR": str(data_dir),
            "COMPTOIR_DATABASE_URL": url,
            "COMPTOIR_REDIS_URL": "",
            "FLASK_APP": "app",
        }
        processes.run(["flask", "init"], env)
        engine = create_engine(url)
        yield env, engine
        engine.dispose()


def load(env: dict[str, str], path: Path) -> Any:
    return processes.start(["flask", "catalogue", "import", str(path)], env)


def plain(path: Path) -> float:
    """Seconds a short script takes to bring the same lines into one table with one index: no check,
    no report, no search.
    """
    began = time.monotonic()
    with (
        contextlib.closing(sqlite3.connect(path.with_suffix(".plain"))) as database,
        path.open(encoding="utf-8") as file,
    ):
        database.execute(
            "CREATE TABLE line (ref TEXT, ean TEXT UNIQUE, title TEXT, brand TEXT, category TEXT,"
            " color TEXT, size TEXT, price TEXT)"
        )
        names = HEADER.strip().split(";")
        lines = (
            [row[name].strip() for name in names] for row in csv.DictReader(file, delimiter=";")
        )
        database.executemany("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lines)
        database.commit()
    return time.monotonic() - began


def count(engine, sql: str) -> int:
    with engine.connect() as connection:
        return connection.execute(text(sql)).scalar()


def let_go(engine) -> None:
    """The lease of a worker that died is over."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE outbox SET lease_until = NULL, state = 'todo' WHERE state = 'running'")
        )


def test_a_long_file_killed_at_random_moments_is_loaded_whole_once(place, tmp_path, figure):
    env, engine = place
    path = tmp_path / "grand.csv"
    write(path, LINES, "utf-8")
    began = time.monotonic()
    first = load(env, path)
    said, _nothing = first.communicate(timeout=600)
    seconds = time.monotonic() - began
    assert first.returncode == 0, said
    assert count(engine, "SELECT count(*) FROM variant") == LINES, said
    # Told, not held: what else the machine does moves both. 60 s and 5 times are the aim on a quiet
    # one; benchmarks/catalogue_import.py holds the share.
    figure("seconds for the whole file", round(seconds, 1))
    figure("times a short script's load of it", round(seconds / plain(path), 1))
    again = load(env, path)
    said, _nothing = again.communicate(timeout=600)
    assert (
        f"0 créés, 0 modifiés, {LINES} inchangés"
        in said.replace("\u202f", "").replace("\u00a0", " ")
        or f"{LINES} " in said
    ), said
    assert count(engine, "SELECT count(*) FROM price_point") == LINES
    # A second file, one line in ten changed and a tenth more, dies again and again.
    write(path, LINES + LINES // 10, "utf-8", changed=10)
    dice, deaths, seen = random.Random(13), 0, set()
    while deaths < KILLS:
        process = load(env, path)
        try:
            process.wait(timeout=dice.uniform(0.1, 0.5) * seconds)
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        deaths += 1
        let_go(engine)
        seen.add(count(engine, "SELECT count(*) FROM variant"))
        assert seen <= {LINES, LINES + LINES // 10}, seen  # never a part of it
    let_go(engine)
    last = load(env, path)
    said, _nothing = last.communicate(timeout=600)
    assert last.returncode == 0, said
    assert count(engine, "SELECT count(*) FROM variant") == LINES + LINES // 10
    assert (
        count(
            engine,
            "SELECT count(*) FROM (SELECT ean FROM variant GROUP BY ean HAVING count(*) > 1) d",
        )
        == 0
    )
    assert count(engine, "SELECT count(*) FROM search_todo") == 0
    assert count(engine, "SELECT count(*) FROM search_index") == count(
        engine, "SELECT count(*) FROM product"
    )
    figure("lines", LINES + LINES // 10, at_least=1_000_000)
    figure("kills", deaths, at_least=5)


def test_every_encoding_gives_the_same_catalogue(place, tmp_path, figure):
    """The first file creates the lines; the same lines in another encoding change none of them."""
    env, engine = place
    lines = size(300, 20_000)
    for encoding in ("utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"):
        path = tmp_path / f"{encoding}.csv"
        write(path, lines, encoding)
        process = load(env, path)
        said, _nothing = process.communicate(timeout=300)
        assert process.returncode == 0, said
        with engine.connect() as connection:
            title = connection.execute(
                text("SELECT title FROM product WHERE title LIKE '% n° 0'")
            ).scalar()
            assert title == "Modèle d’été n° 0", encoding
        assert count(engine, "SELECT count(*) FROM variant") == lines, encoding
        done = count(engine, "SELECT created FROM import_run ORDER BY id DESC LIMIT 1")
        same = count(engine, "SELECT unchanged FROM import_run ORDER BY id DESC LIMIT 1")
        assert (done, same) == ((lines, 0) if encoding == "utf-8" else (0, lines)), encoding
        figure(f"lines in {encoding}", lines)
