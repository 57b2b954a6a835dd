"""The house: units of work, outbox, messages, settings, limits, visitors, pictures, forms sent
twice.
"""

import io
import threading
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy import func, select

from gateways import GatewayError, live
from models import Counter, Message, MessageState, Outbox, OutboxState, Setting, VisitDay
from services import clock, files, limits, messages, numbering, once, outbox, settings, unit, visits
from services.unit import db, unit_of_work
from services.workflow import Refused
from tests import factories
from tests.factories import LEA, MARC

# ── units ──


def test_a_unit_keeps_everything_or_nothing(app):
    with pytest.raises(ZeroDivisionError), unit_of_work() as session:
        session.add(Counter(name="x", value=1))
        session.flush()
        raise ZeroDivisionError
    assert db.session.get(Counter, "x") is None


def test_a_unit_does_not_open_another(app):
    with pytest.raises(RuntimeError), unit_of_work(), unit_of_work():
        pass


def test_a_number_refused_with_its_unit_is_given_again(app):
    with pytest.raises(ZeroDivisionError), unit_of_work():
        numbering.take("A")
        raise ZeroDivisionError
    with unit_of_work():
        assert numbering.take("A") == 1 and numbering.take("A") == 2 and numbering.take("B") == 1


def test_forty_at_once_take_forty_numbers_without_a_hole(app):
    taken, errors = [], []

    def take():
        with app.app_context():
            try:

                def one():
                    with unit_of_work():
                        return numbering.take("C")

                taken.append(unit.retried(one))
            except Exception as error:
                errors.append(error)

    with unit_of_work():
        numbering.take("C")
    db.session.remove()
    threads = [threading.Thread(target=take) for _n in range(40)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert not errors and sorted(taken) == list(range(2, 42))


# ── outbox and messages ──


def a_letter() -> Message:
    customer = factories.a_customer(email="camille@exemple.fr")
    with unit_of_work():
        message = messages.tell(customer, "password_changed", site=factories.the_site())
        id = message.id
    return db.session.get(Message, id)


def test_a_message_is_a_row_first_and_leaves_after(app, mail):
    message = a_letter()
    assert message.state is MessageState.waiting and mail.letters == []
    assert outbox.work() == 1
    db.session.expire_all()
    assert (
        message.state is MessageState.sent
        and message.sent_at
        and len(mail.sent_to("camille@exemple.fr")) == 1
    )
    assert outbox.work() == 0


def test_a_message_refused_with_its_unit_never_leaves(app, mail):
    with pytest.raises(ZeroDivisionError), unit_of_work():
        messages.tell(
            factories.Customer(email="x@y.fr", first_name="X"),
            "password_changed",
            site=factories.the_site(),
        )
        raise ZeroDivisionError
    assert outbox.work() == 0 and mail.letters == []


def test_a_server_that_is_down_is_tried_again_later(app, mail):
    message = a_letter()
    mail.is_down()
    outbox.work()
    assert outbox.work() == 0
    row = db.session.scalars(select(Outbox)).one()
    db.session.refresh(row)
    assert row.state is OutboxState.todo and row.attempts == 1 and "refused" in row.last_error
    mail.works_again()
    with clock.at(clock.now() + timedelta(minutes=1)):
        assert outbox.work() == 1
    db.session.expire_all()
    assert message.state is MessageState.sent


def test_an_address_refused_for_good_is_shown_as_failed_and_can_be_sent_again(app, mail):
    message = a_letter()
    mail.refuses()
    outbox.work()
    db.session.expire_all()
    assert message.state is MessageState.failed and "550" in message.error
    mail.works_again()
    with unit_of_work():
        messages.resend(message, by=MARC)
    outbox.work()
    db.session.expire_all()
    assert message.state is MessageState.sent and message.sends == 2


def test_a_message_on_its_way_is_not_sent_again(app):
    message = a_letter()
    with pytest.raises(Refused, match="tout seul"), unit_of_work():
        messages.resend(message, by=MARC)


def test_a_worker_killed_in_the_middle_leaves_the_row_to_another_after_its_lease(app, mail):
    a_letter()
    id = outbox.due()[0]
    assert outbox._claim(id, "dead worker")
    assert outbox.work() == 0
    with clock.at(clock.now() + outbox.LEASE + timedelta(seconds=1)):
        assert outbox.work() == 1
    assert len(mail.letters) == 1


def test_a_worker_whose_lease_ran_out_does_not_mark_what_another_has(app):
    a_letter()
    id = outbox.due()[0]
    kind, _key, payload, _n, _since, _was_running = outbox._claim(id, "slow")
    with clock.at(clock.now() + timedelta(minutes=5)):
        assert outbox._claim(id, "fast")
        outbox._finish(id, "slow", outbox.KINDS[kind], payload, "late answer", None, False, 1)
    db.session.expire_all()
    assert db.session.get(Outbox, id).state is OutboxState.running


def test_two_workers_send_a_message_once(app, mail):
    a_letter()
    db.session.remove()
    ids = outbox.due()

    def go():
        with app.app_context():
            outbox.work_one(ids[0])

    threads = [threading.Thread(target=go) for _n in range(6)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert len(mail.letters) == 1


def test_a_message_with_a_hole_is_never_written(app):
    customer = factories.a_customer()
    with pytest.raises(ValueError, match=r"has no attribute|is undefined"), unit_of_work():
        messages.tell(customer, "offer_received", site=factories.the_site())
    assert db.session.scalar(select(func.count(Message.id))) == 0


@pytest.mark.parametrize("name", ["None", "{{ name }}", "%(x)s", "{% if %}", "Undefined"])
def test_odd_names_and_titles_are_words_like_others(app, name):
    customer = factories.a_customer(first_name=name)
    with unit_of_work():
        assert name in messages.tell(customer, "password_changed", site=factories.the_site()).body
    assert factories.an_offer(factories.a_game(f"Second to {name}", argus_cents=9000)).number


def test_a_value_that_is_nothing_never_leaves_as_a_word(app):
    offer = factories.an_offer()
    with pytest.raises(ValueError, match="hole"), unit_of_work():
        messages.tell(
            offer.customer,
            "offer_received",
            site=offer.site,
            offer=offer,
            total=1,
            lines=[],
            taken_out=[],
            link=None,
        )


def test_what_a_seller_writes_never_becomes_html(app):
    customer = factories.a_customer(first_name="<b>Zoé</b>")
    with unit_of_work():
        message = messages.tell(customer, "password_changed", site=factories.the_site())
    assert (
        "<b>Zoé" not in message.html
        and "&lt;b&gt;Zoé" in message.html
        and "<b>Zoé</b>" in message.body
    )


def test_sms_go_to_mobiles_only(app, sms):
    assert messages.is_mobile("06 12 34 56 78") and messages.is_mobile("+262692123456")
    assert not messages.is_mobile("02 40 12 34 56") and not messages.is_mobile("bonjour")


def test_without_a_mail_server_messages_wait(app):
    live.mail = None
    message = a_letter()
    outbox.work()
    db.session.expire_all()
    assert message.state is MessageState.waiting


def test_a_bug_in_one_row_does_not_stop_the_others(app, mail, monkeypatch):
    first, second = a_letter().id, None
    with unit_of_work():
        second = messages.tell(
            factories.Customer(id=None, email="b@exemple.fr", first_name="B"),
            "password_changed",
            site=factories.the_site(),
        ).id
    real = live.mail.send
    monkeypatch.setattr(
        live.mail, "send", lambda letter: real(letter) if letter.to == "b@exemple.fr" else 1 / 0
    )
    assert outbox.work() == 2
    db.session.expire_all()
    assert (
        db.session.get(Message, second).state is MessageState.sent
        and db.session.get(Message, first).state is MessageState.waiting
    )
    assert GatewayError


def test_a_bug_of_ours_soon_becomes_a_failure_that_a_person_sees(app, mail, monkeypatch):
    message = a_letter()
    monkeypatch.setattr(live.mail, "send", lambda letter: 1 / 0)
    at = clock.now()
    for n in range(outbox.TRIES_OF_A_BUG):
        with clock.at(at + timedelta(hours=2 * n)):
            assert outbox.work() == 1
    db.session.expire_all()
    assert (
        message.state is MessageState.failed
        and message.error == "internal error"
        and outbox.waiting() == 0
    )


def test_a_letter_that_never_leaves_keeps_no_personal_link_behind(app, mail):
    factories.a_customer_with_password()
    mail.refuses()
    outbox.work()
    db.session.expire_all()
    row = db.session.scalars(select(Outbox)).one()
    assert row.state is OutboxState.dead and list(row.payload) == ["message"]


# ── settings, limits, forms ──


def test_without_its_counters_the_shop_stays_open(app, monkeypatch):
    import redis

    class Away:
        def __getattr__(self, name):
            def gone(*_):
                raise redis.ConnectionError

            return gone

    monkeypatch.setattr(limits, "store", Away())
    assert limits.spend("x", 1, 60) is None and limits.lock_left("a") == 0
    limits.wrong_password("a"), limits.right_password("a")


def test_a_setting_is_typed_dated_and_keeps_its_past(app):
    with unit_of_work():
        assert settings.change("drop_off_days", "12", by=LEA) and not settings.change(
            "drop_off_days", " 12 ", by=LEA
        )
    assert settings.value("drop_off_days") == 12 and settings.value("cart_days") == 7
    for wrong in ("abc", "0", "61", "-1", "1e3"):
        with pytest.raises(Refused), unit_of_work():
            settings.change("drop_off_days", wrong, by=LEA)
    assert [s.value for s in db.session.scalars(select(Setting))] == [12] and settings.history(
        "drop_off_days"
    )[0].by_name == "Léa Martin"


def test_a_limit_opens_again_when_its_time_is_over(app):
    assert [limits.spend("x", 2, 60) is None for _n in range(3)] == [True, True, False]
    limits.store.clear("x")
    assert limits.spend("x", 2, 60) is None


def test_each_further_wrong_password_doubles_the_wait(app):
    waits = []
    for _n in range(7):
        limits.wrong_password("a")
        waits.append(limits.lock_left("a"))
    assert (
        waits[:4] == [0, 0, 0, 0]
        and 55 <= waits[4] <= 60
        and 115 <= waits[5] <= 120
        and 235 <= waits[6] <= 240
    )


def test_a_form_sent_twice_is_led_to_the_same_page(app):
    with unit_of_work():
        once.done("jeton", "/merci/CDE000000001")
    assert (
        once.seen("jeton") == "/merci/CDE000000001"
        and once.seen("autre") is None
        and once.seen("") is None
    )
    with clock.at(clock.now() + timedelta(days=3)), unit_of_work():
        once.forget_old()
    assert once.seen("jeton") is None


# ── visitors ──

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140"


def test_a_visitor_counts_once_a_day_and_bots_never(app):
    site = factories.the_site().id
    for address, agent in (
        ("1.1.1.1", AGENT),
        ("1.1.1.1", AGENT),
        ("2.2.2.2", AGENT),
        ("3.3.3.3", "Googlebot/2.1"),
        ("4.4.4.4", ""),
    ):
        visits.came(site, address, agent)
    for _twice in range(2):
        with unit_of_work():
            visits.count()
        visits.counted()
    assert [(v.visitors, v.day) for v in db.session.scalars(select(VisitDay))] == [
        (2, clock.today())
    ]


def test_nothing_that_names_a_visitor_is_kept_and_the_salt_goes_each_night(app):
    visits.came(factories.the_site().id, "203.0.113.9", AGENT)
    kept = b"".join(path.read_bytes() for path in visits._dir.iterdir())
    assert b"203.0.113.9" not in kept and b"Firefox" not in kept
    with clock.at(clock.now() + timedelta(days=2)), unit_of_work():
        visits.count()
    assert list(visits._dir.iterdir()) == []


# ── pictures ──


def picture(kind="JPEG", size=(600, 400), **save) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "white").save(out, kind, **save)
    return out.getvalue()


def test_a_photo_is_made_again_without_what_it_knew(app):
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0)}
    exif[0x010E] = "secret"
    name = files.keep_picture(picture(exif=exif))
    kept = Image.open(files.path(name))
    assert (
        kept.format == "JPEG"
        and not kept.getexif()
        and b"secret" not in files.path(name).read_bytes()
    )


def bomb() -> bytes:
    import struct
    import zlib

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 12_000, 10_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "JPEG"),
        (b"%PDF-1.4 renamed.jpg", "JPEG"),
        (b"", "JPEG"),
        (b"GIF89a", "JPEG"),
        (b"\xff" * 13_000_000, "trop lourd"),
        (bomb(), "trop grande"),
        (picture()[:700], "abîmée"),
        (b"PK\x03\x04zip", "JPEG"),
    ],
)
def test_what_is_no_photo_is_refused_in_a_sentence(app, data, says):
    with pytest.raises(Refused, match=says):
        files.keep_picture(data)


def barcode(code="5060327534393", blur=0.0, angle=0.0) -> bytes:
    from barcode import get
    from barcode.writer import ImageWriter
    from PIL import ImageFilter

    drawn = get("ean13", code[:12], writer=ImageWriter()).render(
        {"module_width": 0.3, "quiet_zone": 8, "write_text": False}
    )
    page = Image.new("L", (1280, 720), 235)
    page.paste(drawn.convert("L").rotate(angle, expand=True, fillcolor=255), (300, 180))
    out = io.BytesIO()
    page.filter(ImageFilter.GaussianBlur(blur)).save(out, "JPEG", quality=75)
    return out.getvalue()


@pytest.mark.parametrize(("blur", "angle"), [(0, 0), (0.8, 4), (1.4, 0), (0, -12)])
def test_a_barcode_is_read_on_a_photo_even_a_little_blurred_or_tilted(app, blur, angle):
    assert files.read_barcode(barcode(blur=blur, angle=angle)) == "5060327534393"


def test_a_photo_without_barcode_gives_none(app):
    assert files.read_barcode(picture()) is None
