"""Where messages end (RFC 9112 6.3), both ways."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.framing import (
    Framing,
    check_transfer_coding,
    content_length,
    response_framing,
    response_length,
)


@pytest.mark.parametrize(("value", "number"), [("0", 0), ("5", 5), ("007", 7), ("9" * 18, int("9" * 18))])
def test_content_length(value, number):
    assert content_length(value, 0) == number


@pytest.mark.parametrize("value", ["", "+5", "-1", "5 ", "0x5", "5,5", "5, 5", "1_0", "5.0", "²", "٣", "5;", "\x0b5"])
def test_content_length_is_digits(value):
    with pytest.raises(ProtocolError) as caught:
        content_length(value, 0)
    assert caught.value.status == 400


@pytest.mark.parametrize(("value", "limit"), [("9" * 19, 0), ("11", 10), ("1" * 5000, 10)])
def test_content_length_beyond_the_limit(value, limit):
    with pytest.raises(ProtocolError) as caught:
        content_length(value, limit)
    assert (caught.value.status, caught.value.rule) == (413, "body-size")


def test_content_length_at_the_limit():
    assert content_length("10", 10) == 10


@pytest.mark.parametrize("value", ["chunked", "Chunked", "CHUNKED", " chunked\t"])
def test_chunked(value):
    check_transfer_coding(value, "HTTP/1.1", False)


@pytest.mark.parametrize(
    ("value", "version", "with_length", "status", "rule"),
    [
        ("chunked", "HTTP/1.1", True, 400, "te-with-length"),
        ("chunked", "HTTP/1.0", False, 400, "te-http10"),
        ("chunked,chunked", "HTTP/1.1", False, 400, "te-order"),
        ("chunked, gzip", "HTTP/1.1", False, 400, "te-order"),
        ("chunked, identity", "HTTP/1.1", False, 400, "te-order"),
        ("chunked,", "HTTP/1.1", False, 400, "te-order"),
        ("", "HTTP/1.1", False, 400, "te-order"),
        ("gzip", "HTTP/1.1", False, 400, "te-unframed"),
        ("chunked;q=1", "HTTP/1.1", False, 400, "te-parameter"),
        ("chunked ; a", "HTTP/1.1", False, 400, "te-parameter"),
        ("gzip, chunked", "HTTP/1.1", False, 501, "te-unknown"),
        ("identity", "HTTP/1.1", False, 501, "te-unknown"),
        ("xchunked", "HTTP/1.1", False, 501, "te-unknown"),
        ('"chunked"', "HTTP/1.1", False, 501, "te-unknown"),
        ("chunkedx", "HTTP/1.1", False, 501, "te-unknown"),
    ],
)
def test_transfer_coding_games(value, version, with_length, status, rule):
    with pytest.raises(ProtocolError) as caught:
        check_transfer_coding(value, version, with_length)
    assert (caught.value.status, caught.value.rule) == (status, rule)


def test_response_framing():
    assert response_framing(5, True, True) == (Framing.LENGTH, 5)
    assert response_framing(5, True, False) == (Framing.LENGTH, 5)
    assert response_framing(5, False, True) == (Framing.CHUNKED, -1)
    assert response_framing(5, False, False) == (Framing.CLOSE, -1)


@pytest.mark.parametrize("value", ["", "-1", "5, 5", "a", 5, None, "²", "9" * 19])
def test_response_length(value):
    with pytest.raises(ResponseError):
        response_length(value)
    assert response_length("12") == 12
