"""Where a piece of work comes from."""

import pytest

from services import trace


@pytest.mark.parametrize("id", ["a1b2c3d4", "3f2504e0-4f89-11d3-9a0c-0305", "x" * 32])
def test_a_plain_id_of_a_proxy_is_kept(id):
    assert trace.begin(id, "192.0.2.1").id == id
    assert trace.here() == trace.Trace(id, "192.0.2.1")


@pytest.mark.parametrize("id", ["", "short", "x" * 33, "line\nbreak", "a b c d e f", "é" * 10])
def test_any_other_id_is_replaced_so_that_nobody_writes_into_our_logs(id):
    found = trace.begin(id, "").id
    assert found != id
    assert len(found) == 16
    assert int(found, 16) >= 0


def test_an_address_is_never_longer_than_its_column():
    assert len(trace.begin("", "f" * 90).address) == 45
