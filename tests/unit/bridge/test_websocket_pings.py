"""When pings are due, and when one is missed. Times are made up: nobody waits."""

from __future__ import annotations

import pytest

from gunicorn.bridge.websocket_pings import NEVER, Pings
from gunicorn.protocol.limits import WebSocketPolicy

SECOND = 1_000_000_000
START = 1000 * SECOND


def pings(interval: float = 20, timeout: float = 10) -> Pings:
    one = Pings(WebSocketPolicy(ping_interval=interval, ping_timeout=timeout))
    one.due(START, False)
    return one


def test_a_ping_each_interval():
    one = pings()
    assert one.next() == START + 20 * SECOND
    assert one.due(START + 20 * SECOND - 1, False) == b""
    first = one.due(START + 20 * SECOND, False)
    assert 0 < len(first) <= 125
    one.answered(first)
    assert one.next() == START + 40 * SECOND
    second = one.due(START + 40 * SECOND, False)
    assert second
    assert second != first
    assert not one.missed


def test_a_missing_answer():
    one = pings()
    assert one.due(START + 20 * SECOND, False)
    assert one.next() == START + 30 * SECOND
    assert one.due(START + 30 * SECOND - 1, False) == b""
    assert not one.missed
    assert one.due(START + 30 * SECOND, False) == b""
    assert one.missed


@pytest.mark.parametrize("payload", [b"", b"other", b"\0" * 8])
def test_another_pong_is_no_answer(payload):
    one = pings()
    assert one.due(START + 20 * SECOND, False)
    one.answered(payload)
    one.due(START + 30 * SECOND, False)
    assert one.missed


def test_the_answer_to_an_older_ping_is_none_to_this():
    one = pings()
    first = one.due(START + 20 * SECOND, False)
    one.answered(first)
    assert one.due(START + 40 * SECOND, False)
    one.answered(first)
    one.due(START + 50 * SECOND, False)
    assert one.missed


def test_an_excuse_begins_the_wait_again():
    one = pings()
    assert one.due(START + 20 * SECOND, False)
    assert one.due(START + 30 * SECOND, True) == b""
    assert one.next() == START + 40 * SECOND
    one.due(START + 39 * SECOND, False)
    assert not one.missed
    one.due(START + 40 * SECOND, False)
    assert one.missed


def test_one_ping_at_a_time():
    one = pings(interval=5, timeout=100)
    assert one.due(START + 5 * SECOND, False)
    assert one.due(START + 10 * SECOND, False) == b""
    assert one.due(START + 90 * SECOND, False) == b""


def test_no_interval_is_no_pings():
    one = pings(interval=0)
    assert one.due(START + 10**6 * SECOND, False) == b""
    assert one.next() == NEVER


def test_no_timeout_is_no_end():
    one = pings(timeout=0)
    assert one.due(START + 20 * SECOND, False)
    assert one.due(START + 10**6 * SECOND, False) == b""
    assert not one.missed
    assert one.next() == NEVER
