"""What speaks on a port where HTTP/1 was expected: TLS, or HTTP/2 with prior knowledge.

Knows first bytes only; which protocol a listener wants is decided elsewhere.
"""

from __future__ import annotations

from gunicorn.protocol.errors import ProtocolError

HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113 3.4."""

_HTTP2_LINE = HTTP2_PREFACE[:15]
_TLS_HANDSHAKE = 0x16
_TLS_MAJOR = 0x03


def is_tls(data: bytes | bytearray) -> bool:
    """Whether bytes begin like a TLS record with a ClientHello (RFC 8446 5.1)."""
    return len(data) > 1 and data[0] == _TLS_HANDSHAKE and data[1] == _TLS_MAJOR


def refuse_tls(data: bytes | bytearray) -> None:
    """Raises ProtocolError if a first line, or the beginning of one, is TLS: status 0, no answer can be read."""
    if is_tls(data):
        raise ProtocolError(0, "tls-on-plain-port", "RFC 8446 5.1", "a TLS client speaks to a port without TLS")


def refuse_foreign(line: bytes) -> None:
    """Raises ProtocolError if a whole first line, less its LF, is another protocol's."""
    refuse_tls(line)
    if line == _HTTP2_LINE:
        raise ProtocolError(505, "http2-preface", "RFC 9113 3.4", "HTTP/2 is not spoken on this port")
