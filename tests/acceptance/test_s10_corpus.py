"""S10: what people send to do harm is refused or inert; what honest people send is taken. Both are
counted: a door that refuses all is no door.
"""

import io
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import openpyxl
import pytest
from PIL import Image
from sqlalchemy import func, select

from gateways import sepa
from models import Customer, ImportRun, Message, Product, Variant
from services import files, money, outbox, words
from services.buyback import offers
from services.catalogue import products
from services.imports import runs, tables
from services.payments import bank_details
from services.people import customers, passwords
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.acceptance import hostile_files
from tests.acceptance.sizes import LONG

HERE = Path(__file__).parent / "corpus"
HOSTILE = json.loads((HERE / "hostile.json").read_text())
EVERY = json.loads((HERE / "legitimate.json").read_text())
ON_PURPOSE = [
    row for row in EVERY if "refused_on_purpose" in row
]  # the false refusals we know of, each with its reason
LEGITIMATE = [row for row in EVERY if "refused_on_purpose" not in row]
PERSON = {
    "first_name": "Camille",
    "last_name": "Aubry",
    "address": "12 rue des Tanneurs",
    "address_more": "",
    "postcode": "44000",
    "city": "Nantes",
    "phone": "06 12 34 56 78",
}


def of(rows: list[dict], *kinds: str) -> list[dict]:
    return [row for row in rows if row["kind"] in kinds]


def told(found: list[str], what: str, figure, count: int) -> None:
    figure(what, count - len(found))
    assert found == [], f"{len(found)} of {count}: {found[:10]}"


# ── refused ──

READERS: dict[str, Callable[[str], Any]] = {
    "email_bad": customers.clean_email,
    "phone_bad": lambda v: customers.clean_phone(v, "44000"),
    "postcode_bad": customers.clean_postcode,
    "ean_bad": products.read_ean,
    "iban_bad": bank_details.check,
    "amount_bad": money.parse,
}


@pytest.mark.parametrize("kind", READERS)
def test_what_cannot_be_is_refused_in_a_sentence(app, kind, figure):
    taken = []
    for row in of(HOSTILE, kind):
        try:
            found = READERS[kind](row["value"])
        except (Refused, ValueError):
            continue
        if (
            kind == "amount_bad" and found <= 0
        ):  # read as a negative amount: every form of a price refuses it
            continue
        taken.append(f"{row['name']}: {row['value']!r} read as {found!r}")
    told(taken, f"refused: {kind}", figure, len(of(HOSTILE, kind)))


def test_words_that_hide_something_leave_without_it(app, figure):
    """Direction marks, fillers, controls, encoded words: a name keeps what one sees, and a name of
    nothing is refused.
    """
    left = []
    rows = of(HOSTILE, "bidi", "header", "xss", "formula", "sql", "path")
    for row in rows:
        try:
            tidy = customers.clean({**PERSON, "last_name": row["value"][:90]})["last_name"]
        except Refused:
            continue
        if words.visible(tidy) != tidy or "\n" in tidy or not any(c.isalnum() for c in tidy):
            left.append(row["name"])
    told(left, "names without what nobody sees", figure, len(rows))


MEANT = [
    "From",
    "To",
    "Subject",
    "Message-ID",
    "Date",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
]


def test_a_name_never_writes_into_the_header_or_the_body_of_a_mail(app, figure):
    """A real SMTP server receives letters whose subject and sender hold each hostile word: the
    headers it sees are those we meant.
    """
    from gateways import GatewayError, Letter
    from gateways.mail import SmtpMail
    from simulators.inbox import serve
    from tests.gateways.test_mail_and_sms import free_port

    port = free_port()
    inbox, mail, web = serve(port, free_port())
    broken, sent = [], 0
    try:
        for row in of(HOSTILE, "header", "bidi"):
            hostile = row["value"]
            for sender, subject in (
                (hostile[:80] or "x", "Votre offre"),
                ("Boutique", f"Réponse de {hostile}"[:180]),
            ):
                letter = Letter(
                    "ref",
                    sender,
                    "boutique@exemple.fr",
                    "",
                    "camille@exemple.fr",
                    subject,
                    "Corps.",
                    "<p>Corps.</p>",
                )
                try:
                    SmtpMail(f"smtp://127.0.0.1:{port}").send(letter)
                except GatewayError:
                    continue
                sent += 1
        for one in inbox.mails:
            if (
                one["headers"].split() != MEANT
                or one["text"].strip() != "Corps."
                or one["to"] != "camille@exemple.fr"
            ):
                broken.append(f"{one['subject']}: {one['headers']}")
        assert len(inbox.mails) == sent
    finally:
        mail.stop()
        web.shutdown()
    told(broken, "letters whole", figure, sent)


def test_no_cell_of_an_export_begins_a_formula(app, as_staff, figure):
    """Each formula as a seller's town, then the list as CSV and as a spreadsheet: no cell starts
    one, and the file opens.
    """
    rows = of(HOSTILE, "formula", "bidi", "xss")
    made = 0
    for n, row in enumerate(rows):
        try:
            tidy = customers.clean({**PERSON, "city": row["value"][:90]})
        except Refused:
            continue
        factories.a_customer(email=f"f{n}@exemple.fr", city=tidy["city"])
        made += 1
    with unit_of_work() as session:  # what an import from elsewhere could have put there
        person = factories.a_customer
        for n, value in enumerate(("\n=1+1", "\t=1+1", " =1+1", "\x01=1", "Camille\uffff")):
            session.add(
                Customer(
                    email=f"g{n}@exemple.fr",
                    password_hash="!",
                    first_name="C",
                    last_name="A",
                    address="1",
                    postcode="44000",
                    city=value,
                    phone="+33612345678",
                    created_at=__import__("services.clock").clock.now(),
                    session_epoch=0,
                )
            )
        assert person
    boss = as_staff("Administrateur")
    import csv as reader

    active = []
    for kind in ("csv", "xlsx"):
        answer = boss.get(f"/gestion/vendeurs-particuliers/export/{kind}")
        assert answer.status_code == 200, kind
        if kind == "csv":
            cells = [
                c
                for line in reader.reader(io.StringIO(answer.text.lstrip("\ufeff")), delimiter=";")
                for c in line
            ]
        else:
            cells = [
                str(c or "")
                for line in openpyxl.load_workbook(io.BytesIO(answer.data)).active.iter_rows(
                    values_only=True
                )
                for c in line
            ]
            raw = [
                c.data_type
                for line in openpyxl.load_workbook(io.BytesIO(answer.data)).active.iter_rows()
                for c in line
            ]
            assert "f" not in raw
        active += (
            [
                c
                for c in cells
                if re.match(
                    r"[\s\ufeff\u200b]*[=@＝＋－＠]|[\s\ufeff\u200b]*[+-](?![\d\s.,]+$)|[\t\r]", c
                )
            ]
            if kind == "csv"
            else []
        )
    told(active, "cells of exports", figure, made)


def test_markup_in_any_text_comes_out_as_text(app, as_staff, as_customer, figure):
    """Every payload as a seller's name, town and title of a game, on the pages and in the mails
    they appear in: never as markup.
    """
    payloads = of(HOSTILE, "xss") if LONG else of(HOSTILE, "xss")[::6]
    boss = as_staff("Administrateur")
    live = []
    for n, row in enumerate(payloads):
        value = row["value"]
        try:
            name = customers.clean({**PERSON, "last_name": value[:99]})["last_name"]
        except Refused:
            name = "Aubry"
        seller = factories.a_customer(email=f"x{n}@exemple.fr", last_name=name, city=name[:90])
        game = factories.a_game(
            " ".join(words.visible(value).split())[:200] or "Jeu", argus_cents=9000
        )
        offer = factories.an_offer(game, customer=seller)
        id, number = offer.id, offer.number
        with unit_of_work() as session:
            offers.refuse(session.get_one(type(offer), id), value, by=factories.MARC)
        pages = [
            boss.get(f"/gestion/offres/show/{id}").text,
            boss.get(f"/gestion/vendeurs-particuliers/show/{seller.id}").text,
            boss.get(f"/gestion/recherche/?q={name[:40]}", follow_redirects=True).text,
            as_customer(seller).get(f"/ventes/{number}").text,
            *(m.html for m in db.session.scalars(select(Message).where(Message.offer_id == id))),
            as_customer(seller).get(f"/jaquette/{game.ean}").text,
        ]
        db.session.rollback()
        for page in pages:
            if is_live(page):
                live.append(row["name"])
    told(sorted(set(live)), "payloads shown as text", figure, len(payloads))


def is_live(page: str) -> bool:
    """Whether markup of ours is not the only one: a handler, a foreign script, a javascript:
    address, outside of text.
    """
    tags = re.findall(r"<[a-zA-Z!/][^>]*>", page)
    return any(
        (
            re.search(
                r"\son[a-z]+\s*=|(?:href|src|action|xlink:href)\s*=\s*[\"']?\s*(?:javascript|data:text|vbscript)",
                tag,
                re.I,
            )
            and "data:image" not in tag
        )
        or (
            re.match(
                r"<(script(?! src=\"/static|\s+nonce|>\s*$)|iframe|object|embed|base|form"
                r" action=\"http)",
                tag,
                re.I,
            )
            and "alert" in tag
        )
        for tag in tags
    ) or bool(re.search(r"<script[^>]*>[^<]*alert\(", page, re.I))


def test_an_address_to_go_back_to_never_leaves_the_site(app, as_staff, figure):
    """What a form says to go on to, after signing in as a customer and as staff."""
    factories.a_customer_with_password()
    gone = []
    for row in of(HOSTILE, "redirect"):
        client = app.test_client()
        answer = client.post(
            "/compte/connexion",
            data={
                "email": "camille@exemple.fr",
                "password": factories.PASSWORD,
                "suite": row["value"],
            },
        )
        if answer.status_code != 302:
            continue
        for base in ("http://localhost/compte/connexion", "https://localhost/compte/connexion"):
            target = urlsplit(urljoin(base, answer.location.replace("\\", "/").strip()))
            if target.hostname not in (None, "localhost"):
                gone.append(f"{row['name']} → {answer.location}")
        staff_client = as_staff("Comptable", email=f"ines{abs(hash(row['name']))}@staff.test")
        place = staff_client.get("/gestion/login/", query_string={"next": row["value"]}).location
        if urlsplit(
            urljoin("http://localhost/gestion/login/", place.replace("\\", "/"))
        ).hostname not in (None, "localhost"):
            gone.append(f"staff {row['name']} → {place}")
        db.session.rollback()
    told(gone, "addresses that stay here", figure, len(of(HOSTILE, "redirect")))


def test_a_strange_host_gets_400_and_no_word_of_itself(client, figure):
    taken = []
    for row in of(HOSTILE, "host"):
        try:
            answer = client.get("/", headers={"Host": row["value"]})
        except (ValueError, UnicodeError):  # no server could send it on
            continue
        if answer.status_code not in (400, 404) or "evil" in str(
            answer.headers.get("Location", "")
        ):
            taken.append(f"{row['name']}: {answer.status_code}")
    told(taken, "strange hosts refused", figure, len(of(HOSTILE, "host")))


def test_numbers_searches_tokens_and_names_of_files_nobody_types_are_no_error(
    app, client, as_staff, as_customer, figure
):
    boss = as_staff("Administrateur")
    me = as_customer(factories.a_customer())
    crashed, sent = [], 0
    for row in (
        of(HOSTILE, "number_bad", "sql", "token", "path", "xss", "bidi")
        if LONG
        else of(HOSTILE, "number_bad", "sql", "token", "path")
    ):
        value = row["value"]
        from urllib.parse import quote

        plain = quote(value[:2000], safe="")
        for who, place in (
            (boss, f"/gestion/offres/show/{plain}"),
            (
                boss,
                f"/gestion/offres/list/?page={plain}&taille={plain}&ordre={plain}&q={plain}&status={plain}",
            ),
            (boss, f"/gestion/recherche/?q={plain}"),
            (client, f"/documents/{plain}"),
            (client, f"/jaquette/{plain}"),
            (client, f"/logo/{plain}"),
            (client, f"/?ean={plain}"),
            (client, f"/api/v1/quote?ean={plain}"),
            (me, f"/ventes/{plain}"),
            (client, f"/compte/confirmer/{plain}"),
            (boss, f"/gestion/journal/list/?at.depuis={plain}&verb={plain}"),
            (boss, f"/gestion/imports/fichier/{plain}"),
        ):
            answer = who.get(place)
            sent += 1
            if answer.status_code >= 500:
                crashed.append(f"{row['name']} {place[:40]} {answer.status_code}")
        client.set_cookie(
            "comptoir_client",
            value[:900].encode("ascii", "ignore").decode().replace(";", ""),
            domain="localhost",
        )
        client.set_cookie(
            "comptoir",
            value[:900].encode("ascii", "ignore").decode().replace(";", ""),
            domain="localhost",
        )
        for place in ("/ventes", "/gestion/"):
            sent += 1
            if client.get(place).status_code not in (302,):
                crashed.append(f"cookie {row['name']} {place}")
        (
            client.delete_cookie("comptoir_client", domain="localhost"),
            client.delete_cookie("comptoir", domain="localhost"),
        )
    told(crashed, "strange requests answered", figure, sent)
    assert db.session.scalar(select(func.count(Customer.id))) == 1


def test_no_file_that_is_no_photo_is_kept(app, figure):
    kept, before, count = [], {entry.name for entry in files.store().entries()}, 0
    for name, data in hostile_files.pictures():
        count += 1
        start = time.monotonic()
        try:
            files.keep_picture(data)
            kept.append(name)
        except Refused as refusal:
            assert str(refusal)
        assert time.monotonic() - start < 5, name
    assert {entry.name for entry in files.store().entries()} == before
    told(kept, "files that are no photo", figure, count)


def test_no_file_that_is_no_list_gets_a_line_in(app, tmp_path, figure):
    taken, count = [], 0
    for name, data, file in hostile_files.tables():
        count += 1
        path = tmp_path / file
        path.write_bytes(data)
        with unit_of_work():
            id = runs.receive(runs.keep(path, file), "argus", by=factories.COMMAND).id
        start = time.monotonic()
        runs.load(id)
        run = db.session.get_one(ImportRun, id)
        if run.state.value == "complete" and run.created + run.updated:
            taken.append(name)
        assert run.error or run.refused or not run.lines_read, name
        assert time.monotonic() - start < 15, name
        db.session.rollback()
    assert db.session.scalar(select(func.count(Product.id))) == 0 or taken
    told(taken, "files that are no list", figure, count)


@pytest.mark.once
def test_a_bomb_costs_little_memory(figure):
    """The largest of them, alone in a process of its own."""
    code = (
        "import sys, pathlib; sys.path.insert(0, '.');from tests.acceptance import hostile_files;"
        " from services import files; from services.imports import tables; from services.workflow"
        " import Refused;\npath = pathlib.Path(sys.argv[1])\nfor read in (lambda:"
        " files.open_picture(path.read_bytes()).load(), lambda:"
        " list(tables.open_table(path).rows)):\n    try: read()\n    except (Refused,"
        " UnicodeError): pass\nprint(int(next(line for line in open('/proc/self/status') if"
        " line.startswith('VmHWM')).split()[1]) // 1024)"
    )
    most = 0
    bombs = [(n, d) for n, d in hostile_files.pictures() if "megapixels" in n or "million" in n][
        :4
    ] + [(n, d) for n, d, _f in hostile_files.tables() if "bomb" in n or "500 MB" in n]
    for name, data in bombs:
        with tempfile.NamedTemporaryFile(suffix=".bin") as kept:
            kept.write(data)
            kept.flush()
            done = subprocess.run(
                [sys.executable, "-c", code, kept.name],
                capture_output=True,
                text=True,
                cwd=Path(__file__).parents[2],
                timeout=60,
            )
        assert done.returncode == 0, (name, done.stderr[-500:])
        most = max(most, int(done.stdout.split()[-1]))
    figure("memory of the largest bomb (MB)", most, at_most=300, always=True)


LARGEST = {
    "a JPEG of 39 megapixels": ("JPEG", (7_800, 5_000)),
    "a progressive JPEG of 39 megapixels": ("JPEG", (7_800, 5_000)),
    "a WebP of 12 megapixels": ("WEBP", (4_000, 2_999)),
    "a PNG of 12 megapixels": ("PNG", (4_000, 2_999)),
}


@pytest.mark.once
@pytest.mark.parametrize("what", LARGEST)
def test_the_largest_picture_we_take_costs_little_memory(tmp_path, what, figure):
    kind, size = LARGEST[what]
    path = tmp_path / "picture"
    how = {"progressive": True} if "progressive" in what else {}
    Image.new("RGB", size, "#884422").save(path, kind, **how)
    code = (
        "import sys, pathlib; sys.path.insert(0, '.')\n"
        "from services import files, picture_process\n"
        "data = pathlib.Path(sys.argv[1]).read_bytes()\n"
        "files.plug(pathlib.Path(sys.argv[2]))\n"
        "files.keep_picture(data, 1600), files.read_barcodes(data)\n"
        "for process in 'self', picture_process._process.child.pid:\n"
        "    print(int(next(line for line in open(f'/proc/{process}/status') if"
        " line.startswith('VmHWM')).split()[1]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-500:]
    ours, theirs = map(int, done.stdout.split())
    figure(f"memory of {what}, in our process (MB)", ours, at_most=150, always=True)
    figure(f"memory of {what}, in the one that decodes (MB)", theirs, at_most=300, always=True)


@pytest.mark.once
def test_the_hostile_corpus_is_large_enough(figure):
    count = len(HOSTILE) + len(list(hostile_files.pictures())) + len(list(hostile_files.tables()))
    figure("hostile strings and files", count, at_least=200, always=True)


# ── taken ──


def test_real_people_real_addresses_and_real_games_are_taken(app, figure):
    refused = []
    fields = {
        "person_name": ("first_name", "last_name"),
        "address": ("address",),
        "city": ("city",),
        "postcode": ("postcode",),
    }
    for row in of(LEGITIMATE, *fields):
        for field in fields[row["kind"]]:
            try:
                customers.clean({**PERSON, field: row["value"]})
            except Refused as refusal:
                refused.append(f"{row['kind']} {row['value']!r}: {refusal}")
    for row in of(LEGITIMATE, "phone"):
        try:
            found = customers.clean_phone(row["value"]["value"], row["value"]["postcode"])
            if row.get("expect") and found != row["expect"]:
                refused.append(f"phone {row['value']} read as {found}")
        except Refused as refusal:
            refused.append(f"phone {row['value']}: {refusal}")
    readers: tuple[tuple[str, Callable[[str], Any]], ...] = (
        ("email", customers.clean_email),
        ("ean", products.read_ean),
        ("amount", money.parse),
        ("iban", lambda v: str(bank_details.check(v))),
    )
    for kind, reader in readers:
        for row in of(LEGITIMATE, kind):
            try:
                found = reader(row["value"])
            except (Refused, ValueError) as refusal:
                refused.append(f"{kind} {row['value']!r}: {refusal}")
                continue
            if "expect" in row and found != row["expect"]:
                refused.append(f"{kind} {row['value']!r} read as {found!r}, not {row['expect']!r}")
    told(
        refused,
        "legitimate words taken",
        figure,
        len(LEGITIMATE) - len(of(LEGITIMATE, "title")) - len(ON_PURPOSE),
    )
    figure("legitimate words refused, on purpose", len(ON_PURPOSE), at_most=3, always=True)


def test_real_titles_live_through_list_label_mail_and_export(app, tmp_path, as_staff, figure):
    rows = of(LEGITIMATE, "title")
    path = tmp_path / "liste.csv"
    import csv as writer

    with path.open("w", newline="", encoding="utf-8") as file:
        out = writer.writer(file, delimiter=";")
        out.writerow(["ean", "titre", "argus"])
        for n, row in enumerate(rows):
            out.writerow([factories.ean(700 + n), row["value"], "20,00"])
    with unit_of_work():
        id = runs.receive(runs.keep(path, "liste.csv"), "argus", by=factories.COMMAND).id
    runs.load(id)
    run = db.session.get_one(ImportRun, id)
    assert (run.created, run.refused) == (len(rows), 0), run.report
    boss = as_staff("Administrateur")
    for kind in ("csv", "xlsx", "pdf"):
        assert boss.get(f"/gestion/produits/export/{kind}").status_code == 200
    factories.a_contract()
    games = db.session.scalars(select(Variant).limit(40)).all()
    factories.an_offer(*games)
    outbox.work()
    figure("titles", len(rows), at_least=20)


def test_real_photos_are_kept_and_say_nothing_of_where_they_were_taken(app, figure):
    refused, count = [], 0
    for name, data in hostile_files.good_pictures():
        count += 1
        try:
            kept = files.read(files.keep_picture(data))
        except Refused as refusal:
            refused.append(f"{name}: {refusal}")
            continue
        seen = Image.open(io.BytesIO(kept))
        assert not seen.getexif(), name
        assert "comment" not in seen.info, name
        assert b"<script" not in kept, name
        assert max(seen.size) <= 800, name
    told(refused, "real photos kept", figure, count)


def test_lists_in_every_dress_are_read(app, tmp_path, figure):
    refused, count = [], 0
    for name, data, file in hostile_files.good_tables():
        count += 1
        path = tmp_path / "x"
        path.write_bytes(data)
        with unit_of_work():
            id = runs.receive(runs.keep(path, file), "argus", by=factories.COMMAND).id
        runs.load(id)
        run = db.session.get_one(ImportRun, id)
        if run.state.value != "complete" or run.refused or run.lines_read != 1:
            refused.append(f"{name}: {run.error or run.report}")
        db.session.rollback()
    told(refused, "lists read", figure, count)


def test_passwords_people_really_choose_are_taken_and_the_first_tried_are_not(app, figure):
    good = [
        "trois mots simples",
        "Ma grand-mère fait des crêpes",
        "x7#kQ!9zPw2@",
        "éàüßçœ 12 lettres",
        "correct horse battery",
        "l'été à Noirmoutier",
        "1 chien + 2 chats = 3",
    ]
    bad = [
        "motdepasse",
        "motdepasse123",
        "azertyuiop123",
        "1q2w3e4r5t6y",
        "iloveyouforever",
        "manchesterunited",
        "administrator",
        "password1234",
        "aaaaaaaaaaaa",
        "123456789012",
        "qwertyuiop123",
        "jetaimejetaime",
        "camille@exemple.fr",
        "abcdefghijkl",
        "football12345",
        "Motdepasse2026!",
        "marseille13000",
    ]
    wrong = []
    for password in good:
        try:
            passwords.check_strength(password, "camille@exemple.fr", "Camille")
        except Refused as refusal:
            wrong.append(f"{password}: {refusal}")
    for password in bad:
        try:
            passwords.check_strength(password, "camille@exemple.fr", "Camille")
            wrong.append(f"{password} taken")
        except Refused:
            pass
    told(wrong, "passwords", figure, len(good) + len(bad))


def test_a_bank_file_of_hostile_names_is_valid_and_adds_up(app, figure):
    """Every hostile word as the holder of an account: the XSD and the second count agree."""
    from datetime import UTC, date, datetime

    rows = of(HOSTILE, "xss", "bidi", "header", "formula", "sql")
    iban = factories.IBANS[1]
    transfers = tuple(
        sepa.Transfer(
            f"CDE{n:09d}", row["value"][:70], iban, "", 100 + n, f"Paiement de {row['value']}"
        )
        for n, row in enumerate(rows)
    )
    file = sepa.TransferFile(
        "VIR-2026-11-0001",
        datetime(2026, 11, 24, tzinfo=UTC),
        "RétroShop",
        factories.IBANS[0],
        "",
        date(2026, 11, 25),
        "pain.001.001.09",
        transfers,
    )
    data = sepa.write(file)
    sepa.check(data, file)
    figure("hostile names in a bank file", len(rows), at_least=100, always=True)


def test_the_legitimate_corpus_is_large_enough(figure):
    count = (
        len(LEGITIMATE)
        + len(list(hostile_files.good_pictures()))
        + len(list(hostile_files.good_tables()))
    )
    figure("legitimate strings and files", count, at_least=100, always=True)
    assert tables
