"""Trailers in responses: sent behind the last chunk, dropped elsewhere, refused where they mean nothing."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.fields import NO_TRAILERS
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.machine import Phase
from tests.unit.protocol.http1.test_connection import GET, OK, answer, asked, post

TAKES = GET.replace(b"\r\n\r\n", b"\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
FIELDS = (("X-Sum", "5"), ("X-Sum", "6"))


def begun(data: bytes = TAKES, **how) -> Http1:
    one = asked(data)
    answer(one, last=False, **how)
    return one


def test_follow_the_last_chunk():
    one = begun(body=b"abc")
    assert one.send_data(0, b"de", False) == b"2\r\nde\r\n"
    assert one.send_trailers(0, FIELDS) == b"0\r\nX-Sum: 5\r\nX-Sum: 6\r\n\r\n"
    assert (one.phase, one.shortfall) == (Phase.IDLE, False)
    assert one.receive(TAKES)
    assert answer(one).startswith(OK)


def test_none_at_all_are_a_last_chunk():
    one = begun()
    assert one.send_trailers(0, iter(())) == b"0\r\n\r\n"
    assert one.phase is Phase.IDLE


def test_a_client_that_did_not_ask_gets_the_end_only():
    one = begun(GET)
    assert one.send_trailers(0, FIELDS) == b"0\r\n\r\n"
    assert one.phase is Phase.IDLE


def test_each_request_is_asked_anew():
    one = begun()
    one.send_trailers(0, FIELDS)
    one.receive(GET)
    answer(one, last=False)
    assert one.send_trailers(0, FIELDS) == b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "how", "phase"),
    [
        (TAKES, {"fields": [("Content-Length", "2")], "body": b"ab"}, Phase.IDLE),
        (TAKES.replace(b"GET", b"HEAD"), {}, Phase.IDLE),
        (TAKES, {"status": "204 No Content"}, Phase.IDLE),
        (TAKES, {"status": "304 Not Modified"}, Phase.IDLE),
        (TAKES.replace(b"HTTP/1.1", b"HTTP/1.0"), {"body": b"ab"}, Phase.CLOSED),
    ],
)
def test_dropped_where_the_framing_has_no_room(data, how, phase):
    one = begun(data, **how)
    assert one.send_trailers(0, FIELDS) == b""
    assert (one.phase, one.shortfall) == (phase, False)


def test_shortfall():
    one = begun(fields=[("Content-Length", "2")], body=b"a")
    assert one.send_trailers(0, FIELDS) == b""
    assert (one.phase, one.shortfall) == (Phase.CLOSED, True)


def test_the_connection_ends_with_them_if_the_head_said_so():
    one = asked(TAKES)
    one.keep_alive = False
    assert b"Connection: close" in answer(one, last=False)
    assert one.send_trailers(0, FIELDS).startswith(b"0\r\nX-Sum")
    assert one.phase is Phase.CLOSED


@pytest.mark.parametrize("data", [TAKES, GET, TAKES.replace(b"HTTP/1.1", b"HTTP/1.0")])
def test_bad_fields_are_an_error_for_whatever_client_and_change_nothing(data):
    one = begun(data)
    for field in (("Content-Type", "text/plain"), ("X", "a\r\nb"), (":status", "200")):
        with pytest.raises(ResponseError):
            one.send_trailers(0, [("X", "y"), field])
    assert one.phase is Phase.ANSWER
    assert one.send_data(0, b"a", False) in (b"1\r\na\r\n", b"a")


def test_only_while_a_response_is_under_way():
    one = asked(TAKES)
    with pytest.raises(ResponseError, match="under way"):
        one.send_trailers(0, FIELDS)
    answer(one)
    with pytest.raises(ResponseError, match="under way"):
        one.send_trailers(0, FIELDS)


def test_before_the_request_body_was_read():
    one = asked(post(3, b"TE: trailers"))
    answer(one, last=False)
    assert one.send_trailers(0, FIELDS).endswith(b"X-Sum: 6\r\n\r\n")
    assert one.phase is Phase.BODY
    one.receive(b"abc")
    assert one.phase is Phase.IDLE


NAMES = st.text("abcXYZ019-_.!", min_size=1, max_size=12).filter(lambda name: name.lower() not in NO_TRAILERS)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=20)
PIECES = st.lists(st.binary(max_size=40), max_size=4)


@given(PIECES, st.lists(st.tuples(NAMES, VALUES.map(str.strip)), max_size=5))
def test_an_independent_reader_finds_what_was_sent(pieces, fields):
    """And the end where it is: the next answer on the connection is read as such."""
    one = begun()
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "h"), ("TE", "trailers")]))
    client.send(h11.EndOfMessage())
    out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    out += b"".join(one.send_data(0, piece, False) for piece in pieces)
    client.receive_data(out + one.send_trailers(0, fields))
    assert isinstance(client.next_event(), h11.Response)
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert body == b"".join(pieces)
    assert list(event.headers) == [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
    assert client.trailing_data == (b"", False)
    client.start_next_cycle()
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    client.send(h11.EndOfMessage())
    one.receive(GET)
    client.receive_data(answer(one, status="404 Not Found"))
    assert client.next_event().status_code == 404
