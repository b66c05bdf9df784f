"""Heads in pieces: where they end, and what is refused before it is kept."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.http1.arrival import Arrival
from gunicorn.protocol.limits import HttpPolicy, Limits

SHORT = HttpPolicy(Limits(request_line=40, fields=3, field_size=20))
HEAD = b"GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"


def bytewise(data: bytes, policy: HttpPolicy = SHORT) -> tuple[Arrival, bytes | None]:
    arrival = Arrival(policy)
    for position in range(len(data)):
        rest = arrival.feed(data[position : position + 1])
        if rest is not None:
            return arrival, rest + data[position + 1 :]
    return arrival, None


def whole(data: bytes, policy: HttpPolicy = SHORT) -> tuple[Arrival, bytes | None]:
    arrival = Arrival(policy)
    return arrival, arrival.feed(data)


@pytest.fixture(params=[whole, bytewise])
def feed(request):
    return request.param


def refusal(feed, data: bytes, policy: HttpPolicy = SHORT) -> tuple[int, str]:
    with pytest.raises(ProtocolError) as caught:
        feed(data, policy)
    return caught.value.status, caught.value.rule


def test_lines_and_rest(feed):
    arrival, rest = feed(HEAD + b"rest")
    assert (arrival.lines, rest) == (["GET / HTTP/1.1", "Host: h", "X: y"], b"rest")


def test_one_empty_line_before(feed):
    arrival, rest = feed(b"\r\n" + HEAD)
    assert (arrival.lines[0], rest) == ("GET / HTTP/1.1", b"")
    assert refusal(feed, b"\r\n\r\n" + HEAD) == (400, "empty-line")
    assert not feed(b"\r\n")[0].begun
    assert feed(b"\r\nG")[0].begun


def test_waits_for_more(feed):
    for end in range(len(HEAD)):
        assert feed(HEAD[:end])[1] is None


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"GET / HTTP/1.1\n", (400, "bare-lf")),
        (b"GET / HTTP/1.1\r\nHost: h\n", (400, "bare-lf")),
        (b"\nGET / HTTP/1.1\r\n", (400, "bare-lf")),
        (b"GET /" + b"a" * 40, (414, "target-size")),
        (b"GET /" + b"a" * 40 + b" HTTP/1.1\r\n\r\n", (414, "target-size")),
        (b"A" * 41, (400, "request-line-size")),
        (b"A" * 41 + b" / HTTP/1.1\r\n", (400, "request-line-size")),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 18, (431, "field-size")),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 18 + b"\r\n", (431, "field-size")),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4, (431, "field-count")),
        (b"GET / HTTP/2.0\r\n", (505, "version")),
        (b"nonsense\r\n", (400, "request-line")),
        (b"\x16\x03\x01\x00\n", (0, "tls-on-plain-port")),
        (b"\x16\x03\x01 " + b"\x00" * 60, (0, "tls-on-plain-port")),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505, "http2-preface")),
    ],
)
def test_refusals_at_the_first_byte_that_breaks_a_rule(feed, data, verdict):
    assert refusal(feed, data) == verdict


def test_bounds_are_inclusive(feed):
    line = b"GET /" + b"a" * 26 + b" HTTP/1.1"
    assert len(line) == 40
    arrival, rest = feed(line + b"\r\n" + (b"X: " + b"a" * 17 + b"\r\n") * 3 + b"\r\n")
    assert rest == b""
    assert len(arrival.lines) == 4


def test_a_long_line_is_not_kept():
    arrival = Arrival(SHORT)
    for _ in range(40):
        assert arrival.feed(b"A") is None
    with pytest.raises(ProtocolError):
        arrival.feed(b"A")
    assert len(arrival._partial) <= 42


def test_a_mebibyte_byte_by_byte_without_limits_ends():
    arrival = Arrival(HttpPolicy(Limits(request_line=0, field_size=0)))
    arrival.feed(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(1 << 18):
        arrival.feed(b"a")
    assert arrival.feed(b"\r\n\r\n") == b""
    assert len(arrival.lines[1]) == (1 << 18) + 3
