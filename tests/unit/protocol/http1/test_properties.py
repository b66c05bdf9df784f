"""What holds for any bytes in any pieces: one verdict, one kind of exception, nothing lost."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Leniency, Limits, Stamp
from gunicorn.protocol.machine import Body, Phase, Request
from gunicorn.protocol.trust import Peer, ProxyMode, TrustPolicy

LIMITS = Limits(request_line=60, fields=6, field_size=60, body=50)
STRICT = HttpPolicy(LIMITS)
LENIENT = HttpPolicy(LIMITS, Leniency(True, True, True, True, True, True))
TRUST = TrustPolicy(proxy_mode=ProxyMode.AUTO)
STAMP = Stamp("", "")

FRAGMENTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /a?b HTTP/1.1\r\nHost: h\r\n",
        b"HEAD / HTTP/1.0\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"Host: h\r\n",
        b"Content-Length: 3\r\n\r\nabc",
        b"Content-Length: 9\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"3\r\nabc\r\n",
        b"1;a=b\r\nx\r\n",
        b"0\r\n\r\n",
        b"0\r\nX: y\r\n\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00",
        b"\x16\x03\x01",
        b"X: " + b"y" * 60,
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"\x00",
        b" folded\r\n",
        b"Spaced : x\r\n",
        b"get / HTTP/1.3\r\n",
        b"SCRIPT_NAME: /a\r\n",
        b"X-Forwarded-Proto: https\r\n",
    ]
)
STREAMS = st.lists(FRAGMENTS | st.binary(max_size=6), max_size=10).map(b"".join)


def verdict(pieces: list[bytes], policy: HttpPolicy = STRICT) -> tuple[object, ...]:
    """All complete requests with their bodies, the end, and the bytes of the answer to an error."""
    one = Http1(policy, TRUST, STAMP, Peer("127.0.0.1", "1"), "http")
    seen: list[tuple[object, ...]] = []
    request: Request | None = None
    body = b""
    try:
        for piece in [*pieces, None]:
            events = one.receive_eof() if piece is None else one.receive(piece)
            while True:
                for event in events:
                    if isinstance(event, Request):
                        request, body = event, b""
                    elif isinstance(event, Body):
                        body += event.data
                if one.phase is Phase.ANSWER and request is not None:
                    seen.append(
                        (request.method, request.target, request.variables, request.fields, body, request.trailers)
                    )
                    one.respond(0, "200 OK", [], b"", True)
                if not (one.pending and one.phase is Phase.IDLE):
                    break
                events = one.receive(b"")
    except ProtocolError as error:
        return seen, error.status, error.rule, one.fail(error)
    return seen, one.phase, one.peer


@settings(max_examples=300, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 200), max_size=5), st.sampled_from([STRICT, LENIENT]))
def test_pieces_do_not_matter(data, cuts, policy):
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    whole = verdict([data], policy)
    assert verdict([data[start:end] for start, end in pairwise(edges)], policy) == whole
    assert verdict([data[position : position + 1] for position in range(len(data))], policy) == whole


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=64), max_size=8))
def test_any_bytes_end_in_a_verdict(pieces):
    verdict(pieces)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(1, 100), max_size=6), st.booleans())
def test_a_response_body_arrives_whole(body, cuts, known):
    """However an application cuts its body, what is sent decodes to it."""
    one = Http1(HttpPolicy(), TrustPolicy(), STAMP, Peer(), "http")
    one.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    fields = [("Content-Length", str(len(body)))] if known else []
    sent = one.respond(0, "200 OK", fields, b"", False)
    position = 0
    for cut in cuts:
        sent += one.send_data(0, body[position : position + cut], False)
        position += cut
    sent += one.send_data(0, body[position:], True)
    head, _, rest = sent.partition(b"\r\n\r\n")
    assert one.phase is Phase.IDLE
    if known:
        assert rest == body
        return
    assert b"Transfer-Encoding: chunked" in head
    decoded = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        count = int(size, 16)
        assert rest[count : count + 2] == b"\r\n"
        decoded, rest = decoded + rest[:count], rest[count + 2 :]
        if not count:
            break
    assert (decoded, rest) == (body, b"")
