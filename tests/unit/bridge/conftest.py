"""A WSGI bridge over a real machine, with a transport that collects bytes."""

from __future__ import annotations

import io

import pytest

from gunicorn.bridge.environ import EnvironOptions, connection_base
from gunicorn.bridge.exchange import Exchange
from gunicorn.bridge.wsgi import WsgiBridge
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Stamp
from gunicorn.protocol.trust import Peer, TrustPolicy


class Wire:
    """The transport: what was sent, call by call."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.calls.append(data)

    def send_file(self, file, offset: int, count: int) -> None:
        self.calls.append(b"<file %d+%d>" % (offset, count))

    def read_body(self, size: int) -> bytes:
        return b""

    @property
    def sent(self) -> bytes:
        return b"".join(self.calls)

    @property
    def head(self) -> list[bytes]:
        return self.sent.partition(b"\r\n\r\n")[0].split(b"\r\n")

    @property
    def body(self) -> bytes:
        return self.sent.partition(b"\r\n\r\n")[2]


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def bridge(wire):
    """`bridge(app, request_bytes, body)`: a bridge whose exchange has taken up that request."""

    def make(app, request: bytes = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", body: bytes = b"", server=("srv", "80")):
        peer = Peer("192.0.2.1", "5000")
        machine = Http1(HttpPolicy(), TrustPolicy(), Stamp("test", "now"), peer, "http")
        exchange = Exchange(machine, wire, peer)
        exchange.begin(machine.receive(request)[0], io.BytesIO(body))
        options = EnvironOptions(software="test/1", errors=io.StringIO())
        return WsgiBridge(app, exchange, connection_base(options, peer, server, None))

    return make
