"""PROXY protocol headers, versions 1 and 2: who the client is, as a trusted proxy says before the first byte.

Follows the PROXY protocol specification of HAProxy (sections 2.1 and 2.2). Knows no HTTP and no trust: it is
asked only where the sender is believed.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import NamedTuple

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.grammar import quoted
from gunicorn.protocol.trust import Peer, ProxyMode

V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V1_PREFIX = b"PROXY "
V1_LONGEST = 107
"""Bytes of a version 1 line with its CRLF (section 2.1)."""

_V2_FIXED = 16
_V1_LINE = re.compile(r"(TCP4|TCP6) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) ([0-9]{1,5}) ([0-9]{1,5})")
_ADDRESSES = {
    0x1: ("TCP4", struct.Struct("!4s4sHH"), ipaddress.IPv4Address),
    0x2: ("TCP6", struct.Struct("!16s16sHH"), ipaddress.IPv6Address),
}
_UNIX_SIZE = 216


class ProxyHeader(NamedTuple):
    """What a PROXY header said. `source` is None where it names nobody (LOCAL, UNKNOWN, unix)."""

    source: Peer | None
    destination: Peer | None
    protocol: str
    """"TCP4", "TCP6" or "UNKNOWN"."""
    size: int
    """Bytes of the header on the wire."""


def read_proxy_header(data: bytes, mode: ProxyMode) -> ProxyHeader | bool:
    """The header that `data` begins with; True if `data` may be the beginning of one; False if it is not.

    Raises ProtocolError 400 for a header that is begun well and then wrong.
    """
    if mode is not ProxyMode.V1 and data[:12] == V2_SIGNATURE[: len(data)]:
        return _read_v2(data) if len(data) >= _V2_FIXED else True
    if mode is not ProxyMode.V2 and data[:6] == V1_PREFIX[: len(data)]:
        return _read_v1(data) if len(data) >= len(V1_PREFIX) else True
    return False


def _read_v1(data: bytes) -> ProxyHeader | bool:
    end = data.find(b"\n", 0, V1_LONGEST)
    if end < 0:
        if len(data) >= V1_LONGEST:
            raise _malformed("version 1 line is too long", data[:V1_LONGEST])
        return True
    line = data[:end].decode("latin-1")
    if not line.endswith("\r"):
        raise _malformed("version 1 line without CRLF", data[:end])
    text = line[len(V1_PREFIX) : -1]
    if text == "UNKNOWN" or text.startswith("UNKNOWN "):
        return ProxyHeader(None, None, "UNKNOWN", end + 1)
    match = _V1_LINE.fullmatch(text)
    if match is None:
        raise _malformed("not a version 1 line", data[:end])
    family = ipaddress.IPv4Address if match[1] == "TCP4" else ipaddress.IPv6Address
    try:
        source, destination = str(family(match[2])), str(family(match[3]))
    except ValueError:
        raise _malformed("bad address", data[:end]) from None
    if max(int(match[4]), int(match[5])) > 0xFFFF:
        raise _malformed("bad port", data[:end])
    return ProxyHeader(Peer(source, str(int(match[4]))), Peer(destination, str(int(match[5]))), match[1], end + 1)


def _read_v2(data: bytes) -> ProxyHeader | bool:
    version_command, family_transport, length = struct.unpack_from("!BBH", data, 12)
    if version_command >> 4 != 2 or version_command & 0xF > 1:
        raise _malformed("version 2 header of unknown version or command", data[:_V2_FIXED])
    size = _V2_FIXED + length
    if len(data) < size:
        return True
    body = data[_V2_FIXED:size]
    family, transport = family_transport >> 4, family_transport & 0xF
    if family > 3 or transport > 2:
        raise _malformed("version 2 header of unknown family or transport", data[:_V2_FIXED])
    if version_command & 0xF == 0:
        # LOCAL: the proxy speaks for itself, a health check for instance; what it says of addresses is void.
        return ProxyHeader(None, None, "UNKNOWN", size)
    if family == 3:
        _check_tlvs(body, _UNIX_SIZE, data)
        return ProxyHeader(None, None, "UNKNOWN", size)
    if family == 0:
        return ProxyHeader(None, None, "UNKNOWN", size)
    name, layout, address = _ADDRESSES[family]
    _check_tlvs(body, layout.size, data)
    source, destination, source_port, destination_port = layout.unpack_from(body)
    return ProxyHeader(
        Peer(str(address(source)), str(source_port)),
        Peer(str(address(destination)), str(destination_port)),
        name,
        size,
    )


def _check_tlvs(body: bytes, position: int, data: bytes) -> None:
    """Walks the type-length-values after the addresses; none of them is needed, all must fit (section 2.2)."""
    if len(body) < position:
        raise _malformed("version 2 addresses are cut short", data[:_V2_FIXED])
    while position < len(body):
        if len(body) - position < 3:
            raise _malformed("version 2 TLV is cut short", data[:_V2_FIXED])
        position += 3 + int.from_bytes(body[position + 1 : position + 3], "big")
    if position > len(body):
        raise _malformed("version 2 TLV is longer than the header", data[:_V2_FIXED])


def _malformed(what: str, data: bytes) -> ProtocolError:
    return ProtocolError(400, "proxy-header", "PROXY protocol 2", f"{what}: {quoted(data.decode('latin-1'))}")
