"""One ASGI request without a socket: an exchange over a transport that collects."""

from __future__ import annotations

import os

import pytest

from gunicorn.bridge.asgi import AsgiExchange
from gunicorn.bridge.exchange import ClientGone
from gunicorn.bridge.scope import ScopeOptions, connection_scope, header_pairs, http_scope
from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Stamp
from gunicorn.protocol.trust import Peer, TrustPolicy
from tests.unit.bridge.websocket_ends import Wire as BareWire
from tests.unit.bridge.websocket_ends import serve

PEER = Peer("192.0.2.1", "5000")
GET = b"GET /p HTTP/1.1\r\nHost: t\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
OLD = GET.replace(b"1.1", b"1.0")
POST = b"POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: 6\r\n\r\n"
EXPECTING = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
TRAILING = GET.replace(b"\r\n\r\n", b"\r\nTE: trailers\r\n\r\n")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

START = {"type": "http.response.start", "status": 200}
BODY = {"type": "http.response.body", "body": b"ok"}
MORE = {**BODY, "more_body": True}
PROMISE = {**START, "trailers": True}
PATH = {"type": "http.response.pathsend", "path": __file__}
COPY = {"type": "http.response.zerocopysend", "file": 0}
TRAILERS = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}


class Wire(BareWire):
    """The transport of one answer; reads files as the loop would."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.answers = 0
        self.gone = False

    def write(self, data: bytes) -> None:
        self.calls.append("write")
        super().send(data)

    def send(self, data: bytes) -> None:
        self.calls.append("send")
        super().send(data)

    def answered(self, exchange) -> None:
        self.answers += 1

    async def send_file(self, fd: int, offset: int, count: int) -> None:
        self.calls.append("file")
        if self.gone:
            raise ClientGone("broken pipe")
        data = os.pread(fd, count, offset)
        self.out += data
        if len(data) < count:
            raise OSError("the file became shorter while it was sent")

    async def read_file(self, fd: int, offset: int, count: int):
        while count:
            block = os.pread(fd, min(count, 4), offset)
            if not block:
                raise OSError("the file became shorter while it was sent")
            offset, count = offset + len(block), count - len(block)
            yield block


class One:
    """One request and its exchange."""

    def __init__(self, asked: bytes = GET) -> None:
        self.machine = Http1(HttpPolicy(), TrustPolicy(), Stamp("", ""), PEER, "http")
        self.wire = Wire()
        request, *rest = self.machine.receive(asked)
        base = connection_scope(ScopeOptions(), PEER, ("192.0.2.2", 80), None)
        scope = http_scope(base, request, header_pairs(request))
        self.exchange = AsgiExchange(self.machine, self.wire, PEER, request, scope)
        self.feed(rest)

    def feed(self, events) -> None:
        for event in events:
            self.exchange.feed(event.data, event.last)

    def arrive(self, data: bytes) -> None:
        self.feed(self.machine.receive(data))

    async def send(self, *messages) -> None:
        for message in messages:
            await self.exchange.send(message)

    @property
    def out(self) -> bytes:
        return bytes(self.wire.out)

    @property
    def body(self) -> bytes:
        return self.out.partition(b"\r\n\r\n")[2]


def sent(asked: bytes, *messages) -> One:
    """What comes of these messages."""
    made = []

    @serve
    async def check():
        made.append(One(asked))
        await made[0].send(*messages)

    check()
    return made[0]


def refused(made: One, message: object, kind: type[BaseException] = ResponseError) -> str:
    """What `send` raises for the message, which leaves no trace."""
    before = made.out, made.wire.answers, made.exchange.sent

    @serve
    async def check():
        with pytest.raises(kind) as caught:
            await made.exchange.send(message)
        texts.append(str(caught.value))

    texts: list[str] = []
    check()
    assert (made.out, made.wire.answers, made.exchange.sent) == before
    return texts[0]
