"""PROXY protocol headers: both versions, cut at every byte, wrong in every part."""

from __future__ import annotations

import socket
import struct

import pytest

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.proxy import V2_SIGNATURE, ProxyHeader, read_proxy_header
from gunicorn.protocol.trust import Peer, ProxyMode

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
V1_SIX = b"PROXY TCP6 2001:DB8::1 ::1 1 65535\r\n"


def v2(command: int = 0x21, family: int = 0x11, body: bytes | None = None, tlvs: bytes = b"") -> bytes:
    if body is None:
        body = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.2") + struct.pack("!HH", 56324, 443)
    body += tlvs
    return V2_SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


V2_SIX = v2(
    family=0x21,
    body=socket.inet_pton(socket.AF_INET6, "2001:db8::1") + bytes(15) + b"\1" + struct.pack("!HH", 1, 65535),
)
TLVS = b"\x03\x00\x04crc!" + b"\x04\x00\x00" + b"\x20\x00\x03abc"
NAMED = (Peer("192.0.2.1", "56324"), Peer("198.51.100.2", "443"), "TCP4")
NAMED_SIX = (Peer("2001:db8::1", "1"), Peer("::1", "65535"), "TCP6")
NOBODY = (None, None, "UNKNOWN")

GOOD = [
    (V1, NAMED),
    (V1_SIX, NAMED_SIX),
    (b"PROXY UNKNOWN\r\n", NOBODY),
    (b"PROXY UNKNOWN whatever 1 2 3\r\n", NOBODY),
    (v2(), NAMED),
    (v2(tlvs=TLVS), NAMED),
    (V2_SIX, NAMED_SIX),
    (v2(command=0x20), NOBODY),
    (v2(command=0x20, family=0, body=b""), NOBODY),
    (v2(family=0x00, body=b"anything"), NOBODY),
    (v2(family=0x31, body=bytes(216)), NOBODY),
]


@pytest.mark.parametrize(("data", "said"), GOOD)
def test_headers_whole_and_followed(data, said):
    for rest in (b"", b"GET / HTTP/1.1\r\n"):
        header = read_proxy_header(data + rest, ProxyMode.AUTO)
        assert isinstance(header, ProxyHeader)
        assert (header.source, header.destination, header.protocol) == said
        assert header.size == len(data)


@pytest.mark.parametrize(("data", "said"), GOOD)
def test_headers_cut_anywhere_wait_for_more(data, said):
    for end in range(len(data)):
        assert read_proxy_header(data[:end], ProxyMode.AUTO) is True


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"PROXX", b"\r\n\r\nG", b"X", b"proxy TCP4 "])
def test_no_header(data):
    assert read_proxy_header(data, ProxyMode.AUTO) is False


def test_mode_chooses_the_version():
    assert read_proxy_header(V1, ProxyMode.V2) is False
    assert read_proxy_header(v2(), ProxyMode.V1) is False
    assert isinstance(read_proxy_header(V1, ProxyMode.V1), ProxyHeader)
    assert isinstance(read_proxy_header(v2(), ProxyMode.V2), ProxyHeader)


BAD = [
    b"PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 65536\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
    b"PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n",
    b"PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n",
    b"PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 1 -2\r\n",
    b"PROXY UNKNOWN" + b" " * 100,
    v2(command=0x11),
    v2(command=0x22),
    v2(family=0x41),
    v2(family=0x13),
    v2(body=b"\0" * 11),
    v2(family=0x21),
    v2(family=0x31),
    v2(tlvs=b"\x04\x00"),
    v2(tlvs=b"\x04\x00\x02a"),
]


@pytest.mark.parametrize("data", BAD)
def test_malformed_headers(data):
    with pytest.raises(ProtocolError) as caught:
        read_proxy_header(data, ProxyMode.AUTO)
    assert (caught.value.status, caught.value.rule) == (400, "proxy-header")
