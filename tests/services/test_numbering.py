"""Numbers without a gap."""

import threading

import pytest

from services import numbering, unit
from services.unit import db, unit_of_work


def test_a_number_refused_with_its_unit_is_given_again(app):
    with pytest.raises(ZeroDivisionError), unit_of_work():
        numbering.take("A")
        raise ZeroDivisionError
    with unit_of_work():
        assert numbering.take("A") == 1
        assert numbering.take("A") == 2
        assert numbering.take("B") == 1


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
    assert not errors
    assert sorted(taken) == list(range(2, 42))
