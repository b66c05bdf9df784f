"""Chunked bodies, in RFC 9112 section 7.1 order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.http1.body import MAX_EXTENSION, ChunkedDecoder
from gunicorn.protocol.limits import HttpPolicy, Limits

SMALL = HttpPolicy(Limits(fields=2, field_size=20, body=10))


def whole(data: bytes, policy: HttpPolicy) -> tuple[ChunkedDecoder, bytes]:
    decoder = ChunkedDecoder(policy)
    return decoder, decoder.feed(data)


def bytewise(data: bytes, policy: HttpPolicy) -> tuple[ChunkedDecoder, bytes]:
    decoder = ChunkedDecoder(policy)
    out = b""
    for position in range(len(data)):
        out += decoder.feed(data[position : position + 1])
        if decoder.done:
            decoder.rest += data[position + 1 :]
            break
    return decoder, out


@pytest.fixture(params=[whole, bytewise])
def feed(request):
    return lambda data, policy=SMALL: request.param(data, policy)


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"00A\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"2\r\n\r\n\r\n1\r\n0\r\n0\r\n\r\n", b"\r\n0"),
        (b'1;a\r\nx\r\n0;b=c;d="e\\"\xe9"\r\n\r\n', b"x"),
        (b"1 ; a = b\r\nx\r\n0\r\n\r\n", b"x"),
    ],
)
def test_bodies(feed, data, body):
    decoder, out = feed(data + b"GET")
    assert (out, decoder.done, decoder.rest, decoder.trailers) == (body, True, b"GET", None)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"\r\n", "chunk-size"),
        (b"x\r\n", "chunk-size"),
        (b"-1\r\n", "chunk-size"),
        (b"+1\r\n", "chunk-size"),
        (b"0x1\r\n", "chunk-size"),
        (b"1_0\r\n", "chunk-size"),
        (b" 1\r\n", "chunk-size"),
        (b"1 \r\n", "chunk-size"),
        (b"1\t\r\n", "chunk-size"),
        (b"1;\r\n", "chunk-size"),
        (b"1;a\rb\r\n", "chunk-size"),
        (b'1;a="\r\n', "chunk-size"),
        (b'1;a="\x00"\r\n', "chunk-size"),
        (b"1;a b\r\n", "chunk-size"),
        (b"1,a\r\n", "chunk-size"),
        (b"1" * 17 + b"\r\n", "chunk-size"),
        (b"\xb2\r\n", "chunk-size"),
        (b"1\nx", "chunk-bare-lf"),
        (b"1;a\nx", "chunk-bare-lf"),
        (b"1\r\nxy", "chunk-data-end"),
        (b"1\r\nx\n", "chunk-data-end"),
        (b"1\r\nx\ry", "chunk-data-end"),
        (b"1;" + b"a" * (MAX_EXTENSION + 20), "chunk-size-line"),
        (b"1" * 400, "chunk-size-line"),
        (b"0\r\nX: y\n", "chunk-bare-lf"),
        (b"0\r\nX : y\r\n\r\n", "field-space"),
        (b"0\r\nno colon\r\n\r\n", "field-line"),
        (b"0\r\nX: \x00\r\n\r\n", "field-value"),
        (b"0\r\nX: y\r\n folded\r\n\r\n", "obs-fold"),
    ],
)
def test_refusals(feed, data, rule):
    with pytest.raises(ProtocolError) as caught:
        feed(data, HttpPolicy(Limits(body=100)))
    assert (caught.value.status, caught.value.rule) == (400, rule)


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"b\r\n", (413, "body-size")),
        (b"9\r\n012345678\r\n2\r\n", (413, "body-size")),
        (b"0\r\nX: " + b"y" * 18 + b"\r\n", (431, "trailer-size")),
        (b"0\r\nX: y\r\nX: y\r\nX: y\r\n", (431, "trailer-count")),
    ],
)
def test_bounds(feed, data, verdict):
    with pytest.raises(ProtocolError) as caught:
        feed(data)
    assert (caught.value.status, caught.value.rule) == verdict


def test_extensions_of_a_whole_body_are_bounded(feed):
    with pytest.raises(ProtocolError) as caught:
        feed((b"1;" + b"a" * 200 + b"\r\nx\r\n") * 100, HttpPolicy())
    assert caught.value.rule == "chunk-extensions"


def test_trailers(feed):
    decoder, _ = feed(b"0\r\nX-Sum:  a \r\nContent-Length: 5\r\n\r\n")
    assert decoder.trailers == [("x-sum", "a")], "what frames is dropped"
    assert feed(b"0\r\nHost: h\r\n\r\n")[0].trailers is None


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.lists(st.integers(0, 400), max_size=6))
def test_any_chunks_in_any_pieces(chunks, cuts):
    data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    decoder = ChunkedDecoder(HttpPolicy())
    out = b"".join(decoder.feed(data[start:end]) for start, end in pairwise(edges))
    assert out == b"".join(chunks)
    assert decoder.done
