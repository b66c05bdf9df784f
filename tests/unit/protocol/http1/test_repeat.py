"""A head whose field lines repeat those before it on the connection gets the verdict of a fresh connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.http1.connection import REPEATABLE, Http1
from gunicorn.protocol.limits import HttpPolicy, Limits, Stamp
from gunicorn.protocol.machine import Body, Request
from gunicorn.protocol.trust import Peer, TrustPolicy

FIELDS = b"\r\nHost: example.com\r\nX-Forwarded-Proto: https\r\nAccept: */*\r\n\r\n"
POLICY = HttpPolicy(limits=Limits(request_line=100))


def machine() -> Http1:
    return Http1(POLICY, TrustPolicy(), Stamp("test", "now"), Peer("127.0.0.1", "1"), "http")


def verdict(of: Http1, data: bytes) -> object:
    """Everything a request says, or the rule it broke."""
    try:
        events = of.receive(data)
    except ProtocolError as error:
        return error.status, error.rule
    seen: list[object] = []
    for event in events:
        if isinstance(event, Request):
            said = {name: getattr(event, name) for name in Request.__slots__ if name != "fields_source"}
            seen.append((said, event.fields))
        elif isinstance(event, Body):
            seen.append((event.data, event.last))
    return seen


def after(first: bytes, second: bytes) -> object:
    """The verdict on `second` on a connection that has answered `first`."""
    kept = machine()
    kept.receive(first)
    kept.respond(0, "200 OK", [], b"", True)
    return verdict(kept, second)


LINES = [
    b"GET / HTTP/1.1",
    b"GET /other?query HTTP/1.1",
    b"HEAD / HTTP/1.1",
    b"POST / HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"GET http://other.example/ HTTP/1.1",
    b"CONNECT example.com:443 HTTP/1.1",
    b"GET / HTTP/1.0",
    b"GET / HTTP/2.0",
    b"GET / HTTP/1.1 ",
    b"GET  / HTTP/1.1",
    b"GET /a b HTTP/1.1",
    b"GET /\x00 HTTP/1.1",
    b"GET /\r HTTP/1.1",
    b"GET /\n HTTP/1.1",
    b"GET /\x7f HTTP/1.1",
    b"GET /\xff HTTP/1.1",
    b"get / HTTP/1.1",
    b"",
    b"GET /" + b"a" * 100 + b" HTTP/1.1",
    b"GET / HTTP/1.1\r\nHost: second.example",
]


@pytest.mark.parametrize("line", LINES)
def test_every_request_line_is_judged_as_on_a_fresh_connection(line):
    assert after(b"GET /first HTTP/1.1" + FIELDS, line + FIELDS) == verdict(machine(), line + FIELDS)


@given(st.binary(max_size=40))
def test_any_request_line_is_judged_as_on_a_fresh_connection(line):
    assert after(b"GET /first HTTP/1.1" + FIELDS, line + FIELDS) == verdict(machine(), line + FIELDS)


def test_what_came_between_does_not_speak_for_the_repeated_fields():
    kept = machine()
    other = b"GET /between HTTP/1.1\r\nHost: between.example\r\nCookie: mine\r\n\r\n"
    pieces = [b"GET /1 HTTP/1.1" + FIELDS, other[:30], other[30:], b"GET /2 HTTP/1.1" + FIELDS]
    events = []
    for piece in pieces:
        got = kept.receive(piece)
        events += got
        if got:
            kept.respond(0, "200 OK", [], b"", True)
    assert [event.variables["HTTP_HOST"] for event in events] == ["example.com", "between.example", "example.com"]
    assert "HTTP_COOKIE" not in events[2].variables


def test_a_request_with_a_body_does_not_speak_for_the_next():
    body = b"\r\nHost: example.com\r\nContent-Length: 3\r\n\r\n"
    kept = machine()
    for path in (b"/1", b"/2"):
        kept.receive(b"POST " + path + b" HTTP/1.1" + body)
        events = kept.receive(b"abc")
        assert [event.data for event in events] == [b"abc"]
        kept.respond(0, "200 OK", [], b"", True)


def test_long_fields_are_not_kept():
    kept = machine()
    kept.receive(b"GET / HTTP/1.1\r\nHost: t\r\nCookie: " + b"x" * REPEATABLE + b"\r\n\r\n")
    assert kept._fields == b""
