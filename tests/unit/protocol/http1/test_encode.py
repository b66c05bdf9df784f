"""Heads of responses: spelling, framing, what an application may not say."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.fields import NO_TRAILERS
from gunicorn.protocol.framing import Framing
from gunicorn.protocol.http1.encode import (
    accepts_trailers,
    encode_fields,
    encode_head,
    encode_interim,
    encode_refusal,
    encode_trailers,
)
from gunicorn.protocol.limits import HttpPolicy, Stamp
from gunicorn.protocol.machine import Request

POLICY = HttpPolicy()
STAMP = Stamp("srv", "now")
STAMPED = b"Server: srv\r\nDate: now\r\n"


def asked(method: str = "GET", version: str = "HTTP/1.1") -> Request:
    request = Request()
    request.method, request.version = method, version
    return request


def head(fields=(), *, status="200 OK", size=0, last=True, method="GET", version="HTTP/1.1", close=False):
    return encode_head(status, fields, size, last, asked(method, version), close, POLICY, STAMP)


def lines(decided) -> list[bytes]:
    assert decided[0].endswith(b"\r\n\r\n")
    return decided[0][:-4].split(b"\r\n")


def test_spelling():
    decided = head([("Content-Type", "text/plain"), ("X-Y", "\xe9\t ")], size=5)
    expected = (
        b"HTTP/1.1 200 OK\r\n" + STAMPED + b"Content-Length: 5\r\nContent-Type: text/plain\r\nX-Y: \xe9\t \r\n\r\n"
    )
    assert decided == (expected, Framing.LENGTH, 5, False)


def test_no_fields():
    assert head()[0] == b"HTTP/1.1 200 OK\r\n" + STAMPED + b"Content-Length: 0\r\n\r\n"


@pytest.mark.parametrize("fields", [[("A", "b")], (("A", "b"),), iter([("A", "b")]), {"A": "b"}.items()])
def test_any_iterable_of_pairs(fields):
    assert b"\r\nA: b\r\n" in head(fields)[0]


@pytest.mark.parametrize(
    ("options", "line", "framing", "length", "close"),
    [
        ({"last": True, "size": 3}, b"Content-Length: 3", Framing.LENGTH, 3, False),
        ({"last": False, "size": 3}, b"Transfer-Encoding: chunked", Framing.CHUNKED, -1, False),
        ({"last": False, "version": "HTTP/1.0"}, b"Connection: close", Framing.CLOSE, -1, True),
        ({"last": True, "version": "HTTP/1.0"}, b"Connection: keep-alive", Framing.LENGTH, 0, False),
        ({"last": True, "version": "HTTP/1.0", "close": True}, b"Connection: close", Framing.LENGTH, 0, True),
        ({"last": True, "close": True}, b"Connection: close", Framing.LENGTH, 0, True),
    ],
)
def test_framing(options, line, framing, length, close):
    decided = head(**options)
    assert decided[1:] == (framing, length, close)
    assert line in lines(decided)


def test_length_of_the_application():
    decided = head([("content-length", "7")], last=False)
    assert decided[1:] == (Framing.LENGTH, 7, False)
    assert [line for line in lines(decided) if b"ength" in line] == [b"content-length: 7"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([("A B", "c")], "field name"),
        ([("", "c")], "field name"),
        ([("A:", "c")], "field name"),
        ([("A\r\nB", "c")], "field name"),
        ([(b"A:", b"c")], "field name"),
        ([(b"A", "c")], "must be bytes"),
        ([("A", "b"), (b"C", b"d")], "pairs"),
        ([(b"A", b"b\r\nC: d")], "control character"),
        ([(b"Content-Length", b"-5")], "Content-Length"),
        ([(b"Content-Length", b"5"), (b"content-length", b"5")], "more than one"),
        ([("A", "b\r\nC: d")], "control character"),
        ([("A", "b"), ("C", "d\r\n")], "control character"),
        ([("A", "b\n")], "control character"),
        ([("A", "\x00")], "control character"),
        ([("A", "\x7f")], "control character"),
        ([("A", "\u20ac")], "latin-1"),
        ([("A", 5)], "must be str"),
        ([("A", b"5")], "must be str"),
        ([("A", None)], "must be str"),
        ([("Content-Length", 5)], "Content-Length"),
        ([("Content-Length", "-5")], "Content-Length"),
        ([("Content-Length", "5"), ("content-length", "5")], "more than one"),
    ],
)
def test_refuses(fields, words):
    with pytest.raises(ResponseError, match=words):
        head(fields)


def test_hop_by_hop_fields_are_left_out():
    names = ["Transfer-Encoding", "Keep-Alive", "TE", "Trailers", "Proxy-Authenticate", "Upgrade", "Proxy-Connection"]
    decided = head([*((name, "chunked") for name in names), ("Connection", "keep-alive"), ("X", "y")], last=False)
    assert lines(decided)[3:] == [b"Transfer-Encoding: chunked", b"X: y"]


def test_wishes_in_connection():
    assert head([("Connection", "foo, Close")])[3]
    upgraded = head([("Connection", "Upgrade"), ("Upgrade", "h2c")], status="426 Upgrade Required")
    assert {b"Connection: upgrade", b"Upgrade: h2c"} <= set(lines(upgraded))
    switching = head([("Upgrade", "websocket"), ("Connection", "upgrade")], status="101 Switching Protocols")
    assert lines(switching)[3:] == [b"Connection: upgrade", b"Upgrade: websocket"]
    assert switching[1] is Framing.NONE


def test_own_server_and_date():
    assert lines(head([("server", "mine")]))[1:] == [b"Date: now", b"Content-Length: 0", b"server: mine"]
    assert lines(head([("DATE", "then")]))[1:] == [b"Server: srv", b"Content-Length: 0", b"DATE: then"]
    both = head([("Date", "then"), ("Server", "mine"), ("Content-Length", "0")])
    assert lines(both)[1:] == [b"Date: then", b"Server: mine", b"Content-Length: 0"]


@pytest.mark.parametrize(
    ("status", "method", "said", "size", "last", "kept"),
    [
        ("200 OK", "HEAD", "9", 0, True, [b"Content-Length: 9"]),
        ("200 OK", "HEAD", None, 0, True, []),
        ("200 OK", "HEAD", None, 5, True, [b"Content-Length: 5"]),
        ("200 OK", "HEAD", None, 5, False, []),
        ("304 Not Modified", "GET", "9", 0, True, [b"Content-Length: 9"]),
        ("304 Not Modified", "GET", None, 0, True, []),
        ("304 Not Modified", "GET", None, 5, True, []),
        ("204 No Content", "GET", "0", 0, True, []),
        ("204 No Content", "HEAD", None, 5, True, []),
    ],
)
def test_answers_without_body(status, method, said, size, last, kept):
    fields = [("Content-Length", said)] if said else []
    decided = head(fields, status=status, method=method, size=size, last=last)
    assert decided[1] is Framing.NONE
    assert not decided[3]
    assert lines(decided)[3:] == kept


def test_connect():
    assert head([("Content-Length", "5")], method="CONNECT", close=True)[1:] == (Framing.CLOSE, -1, True)
    assert b"ength" not in head([("Content-Length", "5")], method="CONNECT", close=True)[0]
    refused = head(status="405 No", method="CONNECT", size=2, close=True)
    assert (refused[1:], b"Content-Length: 2" in refused[0]) == ((Framing.LENGTH, 2, True), True)


@pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints"])
def test_interim_is_not_final(status):
    with pytest.raises(ResponseError, match="interim"):
        head(status=status)


def test_interim():
    hint = encode_interim(
        "103 Early Hints", [("Link", "</a>"), ("Content-Length", "5"), ("Connection", "close")], POLICY
    )
    assert hint == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    for status in ("200 OK", "101 Switching Protocols"):
        with pytest.raises(ResponseError, match="interim"):
            encode_interim(status, [], POLICY)
    with pytest.raises(ResponseError):
        encode_interim("103 Early Hints", [("Link", "a\r\nb")], POLICY)


def test_fields_alone():
    assert encode_fields([]) == b"\r\n"


def test_refusal_says_the_rule_and_nothing_of_the_peer():
    error = ProtocolError(400, "method", "RFC 9110 9.1", "not a method: '<script>'")
    answer = encode_refusal(error, STAMP, with_body=True)
    head_bytes, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"400 Bad Request\nmethod: RFC 9110 9.1\n"
    assert f"Content-Length: {len(body)}".encode() in head_bytes.split(b"\r\n")
    assert b"script" not in answer
    assert encode_refusal(error, STAMP, with_body=False) == head_bytes + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ((("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")), b"Connection: close, upgrade"),
        ((("WWW-Authenticate", "Basic"),), b"Connection: close"),
    ],
)
@pytest.mark.parametrize("with_body", [True, False])
def test_refusal_with_the_fields_its_status_demands(fields, words, with_body):
    answer = encode_refusal(ProtocolError(426, "x", "RFC 6455 4.2.2", "old", fields), STAMP, with_body)
    head_bytes, end, body = answer.partition(b"\r\n\r\n")
    found = head_bytes.split(b"\r\n")
    assert found[0] == b"HTTP/1.1 426 Upgrade Required"
    assert [line for line in found if line.startswith(b"Connection:")] == [words]
    assert found[-len(fields) :] == [f"{name}: {value}".encode() for name, value in fields]
    assert (end, bool(body)) == (b"\r\n\r\n", with_body)


def test_trailers():
    block = encode_trailers(iter([("Server-Timing", "db;dur=5"), ("X-Sum", "\xe9")]), POLICY)
    assert block == b"Server-Timing: db;dur=5\r\nX-Sum: \xe9\r\n\r\n"
    assert encode_trailers((), POLICY) == b"\r\n"


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        *(((name.title(), "x"), "trailer field") for name in sorted(NO_TRAILERS | {"server", "date"})),
        ((":status", "200"), "field name"),
        (("A B", "c"), "field name"),
        ((b"A", b"c"), "pairs"),
        (("A", b"c"), "must be str"),
        (("A", "b\r\nC: d"), "control character"),
        (("A", "\u20ac"), "latin-1"),
    ],
)
def test_no_trailers(pair, words):
    with pytest.raises(ResponseError, match=words):
        encode_trailers([("X", "y"), pair], POLICY)


@pytest.mark.parametrize(
    ("codings", "accepted"),
    [
        ("trailers", True),
        ("gzip;q=0.5,\tTrailers ", True),
        ("", False),
        ("gzip", False),
        ("trailers;q=0", False),
        ("xtrailers", False),
    ],
)
def test_clients_that_take_trailers(codings, accepted):
    request = asked()
    request.variables = {"HTTP_TE": codings}
    assert accepts_trailers(request) is accepted


def test_a_client_that_does_not_say_takes_none():
    request = asked()
    request.variables = {}
    assert not accepts_trailers(request)
