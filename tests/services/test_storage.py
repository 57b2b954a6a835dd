"""Where files lie: one promise for the folder and for an S3 server on loopback."""

import itertools
import os
import time

import pytest

from services import files, storage
from services.storage import Bucket, Folder, StoreAway
from services.unit import unit_of_work
from services.workflow import Refused

_numbers = itertools.count(1)


def a_bucket(s3: str, data_dir, prefix: str = "") -> Bucket:
    prefix = prefix or f"boutique-{next(_numbers)}"
    return Bucket(f"s3://comptoir/{prefix}?endpoint={s3}", "k", "s", data_dir)


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path):
    if request.param == "folder":
        return Folder(tmp_path)
    return a_bucket(request.getfixturevalue("s3"), tmp_path)


def test_what_is_stored_is_given_back_whole_and_gone_once_deleted(store):
    store.put("photo.jpg", b"abc" * 1000)
    assert store.local("photo.jpg").read_bytes() == b"abc" * 1000
    assert store.exists("photo.jpg")
    (entry,) = store.entries()
    assert (entry.name, entry.size) == ("photo.jpg", 3000)
    assert abs(entry.stored_at - time.time()) < 60
    store.delete("photo.jpg")
    store.delete("photo.jpg")
    assert not store.exists("photo.jpg")
    assert list(store.entries()) == []
    with pytest.raises(FileNotFoundError):
        store.local("photo.jpg").read_bytes()


def test_a_file_written_piece_by_piece_is_stored_when_it_is_settled(store):
    path = store.begin("refus.csv")
    with path.open("a") as file:
        file.write("une ligne\n")
    assert store.exists("refus.csv")
    assert store.local("refus.csv").read_text() == "une ligne\n"
    store.settle("refus.csv")
    store.settle("refus.csv")
    assert store.local("refus.csv").read_text() == "une ligne\n"
    assert [entry.name for entry in store.entries()] == ["refus.csv"]


def test_a_fingerprint_is_size_and_sha_256_and_remembered(store):
    store.put("a", b"hello")
    hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    for _twice in range(2):
        assert store.fingerprint("a") == [5, hello]


@pytest.mark.parametrize("name", ["", "../passwd", "a/b", ".hidden", "a\\b"])
def test_a_name_that_is_not_ours_is_refused(store, name):
    for use in (store.local, store.exists, store.delete, store.begin):
        with pytest.raises(ValueError):
            use(name)
    with pytest.raises(ValueError):
        store.put(name, b"x")


def test_what_one_machine_stores_another_one_reads(s3, tmp_path):
    first = a_bucket(s3, tmp_path / "a", "commun")
    second = a_bucket(s3, tmp_path / "b", "commun")
    first.put("etiquette.pdf", b"%PDF")
    assert second.local("etiquette.pdf").read_bytes() == b"%PDF"
    other = a_bucket(s3, tmp_path / "c", "autre")
    assert not other.exists("etiquette.pdf")


def test_copies_of_a_machine_may_be_lost_and_what_it_did_not_send_is_sent_later(s3, tmp_path):
    bucket = a_bucket(s3, tmp_path)
    bucket.put("a", b"1")
    assert bucket.local("a").read_bytes() == b"1"
    old = time.time() - storage.COPIES_KEPT_SECONDS - 60
    os.utime(tmp_path / "copies" / "a", (old, old))
    assert bucket.sweep() == 1
    assert bucket.local("a").read_bytes() == b"1"
    bucket.begin("b").write_text("perdu ?")
    assert bucket.settle_all() == 0  # somebody may still write it
    os.utime(tmp_path / "outgoing" / "b", (old, old))
    assert bucket.settle_all() == 1
    assert [entry.name for entry in bucket.entries()] == ["a", "b"]


def test_a_store_that_is_away_says_so_in_a_sentence(tmp_path, app):
    bucket = Bucket("s3://comptoir?endpoint=http://127.0.0.1:9", "k", "s", tmp_path)
    for use in (bucket.exists, bucket.local, bucket.delete):
        with pytest.raises(StoreAway, match="Rien n’est perdu"):
            use("a")


def test_a_page_that_needs_a_file_of_a_store_that_is_away_is_no_500(tmp_path, app, client):
    from tests import factories

    game = factories.a_game()
    with unit_of_work() as session:
        session.get_one(type(game), game.id).product.cover = "couverture.jpg"
    away = Bucket("s3://comptoir?endpoint=http://127.0.0.1:9", "k", "s", tmp_path)
    before = files.store()
    files.plug(files.data_dir(), away)
    try:
        answer = client.get(f"/jaquette/{game.ean}")
    finally:
        files.plug(files.data_dir(), before)
    assert answer.status_code == 200
    assert answer.mimetype == "image/svg+xml"


def test_moving_copies_each_file_once_and_compares_it(s3, tmp_path, app):
    source, target = Folder(tmp_path), a_bucket(s3, tmp_path)
    for name in ("a", "b", "c"):
        source.put(name, name.encode() * 10)
    moved = storage.move(source, target)
    assert (moved.copied, moved.there) == (3, 0)
    source.put("d", b"late")
    moved = storage.move(source, target)
    assert (moved.copied, moved.there) == (1, 3)
    assert sorted(entry.name for entry in source.entries()) == ["a", "b", "c", "d"]
    back = Folder(tmp_path / "retour")
    assert storage.move(target, back).copied == 4
    assert back.local("b").read_bytes() == b"b" * 10


def test_a_file_that_is_not_the_same_after_it_was_moved_stops_the_move(s3, tmp_path, app):
    class Torn(Folder):
        def put(self, name, data):
            super().put(name, data[:-1])

    source = a_bucket(s3, tmp_path)
    source.put("a", b"whole")
    with pytest.raises(Refused, match="n’est pas le même"):
        storage.move(source, Torn(tmp_path / "torn"))
    with pytest.raises(Refused, match="déjà"):
        storage.move(Folder(tmp_path), Folder(tmp_path))


def test_a_file_of_the_same_size_with_other_bytes_is_copied_again(s3, tmp_path, app):
    source, target = Folder(tmp_path), a_bucket(s3, tmp_path)
    source.put("a", b"whole")
    target.put("a", b"wrong")
    moved = storage.move(source, target)
    assert (moved.copied, moved.there) == (1, 0)
    assert target.local("a").read_bytes() == b"whole"
