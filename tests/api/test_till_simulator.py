"""The till in a box plays its day over HTTP: cut line, wrong clock, repeats; in the end both hold
the same.
"""

import threading

from werkzeug.serving import make_server

from services.finance import books
from services.unit import db
from simulators.till import play
from tests import factories


def test_a_day_of_the_till_ends_with_the_same_stock_on_both_sides(application):
    for n in range(5):
        factories.stocked(factories.a_shoe(f"Derby {n}"), 6)
    _key, secret = factories.a_key("till stock", per_minute=100_000)
    db.session.remove()
    server = make_server("127.0.0.1", 0, application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        day = play(f"http://127.0.0.1:{server.server_port}", secret, events=45)
        assert day.wrong() == {}
        assert day.repeated >= 3
        assert day.number >= 40
    finally:
        server.shutdown()
    db.session.rollback()
    assert books.check() == []
