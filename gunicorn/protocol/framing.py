"""Where a message ends: the body length of requests and responses (RFC 9112 6.3, RFC 9110 8.6).

Decided here for every HTTP version and only spelled by the machines. Knows no buffers.
"""

from __future__ import annotations

import enum

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.grammar import quoted

MAX_LENGTH_DIGITS = 18
"""More digits than any body has bytes; a bound on what is converted."""

_KNOWN_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress"})


class Framing(enum.IntEnum):
    """How the end of a response body is told."""

    NONE = 0
    """There is no body (HEAD, 204, 304) whatever the application says."""
    LENGTH = 1
    """Content-Length."""
    CHUNKED = 2
    CLOSE = 3
    """The end of the connection; keeps nothing alive."""


def content_length(value: str, limit: int) -> int:
    """The number a request's Content-Length stands for; `limit` 0 is none. Raises ProtocolError 400 or 413."""
    if not value.isascii() or not value.isdecimal():
        raise ProtocolError(400, "content-length", "RFC 9110 8.6", f"not a length: {quoted(value)}")
    if len(value) > MAX_LENGTH_DIGITS or 0 < limit < int(value):
        raise ProtocolError(413, "body-size", "RFC 9110 15.5.14", f"body of {quoted(value)} bytes, limit {limit}")
    return int(value)


def check_transfer_coding(value: str, version: str, with_length: bool) -> None:
    """Returns if a request's Transfer-Encoding says "chunked" and nothing else; the body is chunked then.

    `value` holds all its lines joined by ",". Raises ProtocolError: 400 where two readers could find two
    ends (a length beside it, HTTP/1.0, chunked not last or twice), 501 for codings that are not spoken.
    """
    if with_length:
        raise ProtocolError(400, "te-with-length", "RFC 9112 6.3", "Transfer-Encoding and Content-Length together")
    if version == "HTTP/1.0":
        raise ProtocolError(400, "te-http10", "RFC 9112 6.1", "Transfer-Encoding in an HTTP/1.0 request")
    codings = [coding.strip(" \t").lower() for coding in value.split(",")]
    if codings == ["chunked"]:
        return
    if codings.count("chunked") > 1 or "chunked" in codings[:-1] or "" in codings:
        raise ProtocolError(400, "te-order", "RFC 9112 6.3", f"chunked must come last and once: {quoted(value)}")
    if codings[-1] in _KNOWN_CODINGS:
        raise ProtocolError(400, "te-unframed", "RFC 9112 6.3", f"the last coding must be chunked: {quoted(value)}")
    if any(coding.startswith("chunked") and coding[7:].lstrip(" \t").startswith(";") for coding in codings):
        raise ProtocolError(400, "te-parameter", "RFC 9112 7", f"chunked takes no parameters: {quoted(value)}")
    raise ProtocolError(501, "te-unknown", "RFC 9112 6.1", f"transfer coding not spoken: {quoted(value)}")


def response_length(value: str) -> int:
    """The number an application's Content-Length stands for. Raises ResponseError."""
    if not isinstance(value, str) or not (value.isascii() and value.isdecimal() and len(value) <= MAX_LENGTH_DIGITS):
        raise ResponseError(f"Content-Length must be a number, not {quoted(str(value))}")
    return int(value)


def response_framing(size: int, last: bool, chunks: bool) -> tuple[Framing, int]:
    """(framing, Content-Length or -1) of a response whose application did not say how long its body is.

    `size` bytes are at hand, all of them if `last`; `chunks` is whether the client understands chunked
    coding (HTTP/1.1, RFC 9112 6.1).
    """
    if last:
        return Framing.LENGTH, size
    return (Framing.CHUNKED, -1) if chunks else (Framing.CLOSE, -1)
