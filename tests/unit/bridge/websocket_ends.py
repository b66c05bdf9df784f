"""Both ends of a WebSocket without a socket: an exchange over a transport that collects, a client of the library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from gunicorn.bridge.asgi_websocket import WebSocketExchange
from gunicorn.bridge.scope import ScopeOptions, connection_scope, header_pairs, websocket_scope
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Stamp, WebSocketPolicy
from gunicorn.protocol.machine import Request
from gunicorn.protocol.trust import Peer, TrustPolicy

PEER = Peer("192.0.2.1", "5000")


class Wire:
    """The transport: what was queued and what was asked of it."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.full = False
        self.paused = False
        self.ended = False
        self.aborted = False
        self.room = asyncio.Event()

    def send(self, data: bytes) -> None:
        if not (self.ended or self.aborted):
            self.out += data

    async def drain(self) -> None:
        await self.room.wait()

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def end(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.aborted = True

    def future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()


class Ends:
    """One connection: `client` and `exchange`, and what is between them."""

    def __init__(self, policy: WebSocketPolicy | None = None, deflate: bool = False, **headers: str) -> None:
        extensions = [ClientPerMessageDeflateFactory(client_max_window_bits=True)] if deflate else None
        subprotocols = ["chat", "log"]
        self.client = ClientProtocol(
            parse_uri("ws://test/path?x=1"), extensions=extensions, subprotocols=subprotocols, max_size=None
        )
        request = self.client.connect()
        for name, value in headers.items():
            del request.headers[name.replace("_", "-")]
            request.headers[name.replace("_", "-")] = value
        self.client.send_request(request)
        self.machine = Http1(HttpPolicy(), TrustPolicy(), Stamp("test", "now"), PEER, "http")
        self.wire = Wire()
        (asked,) = self.machine.receive(b"".join(self.client.data_to_send()))
        assert isinstance(asked, Request)
        base = connection_scope(ScopeOptions(), PEER, ("192.0.2.2", 80), None)
        scope = websocket_scope(base, asked, header_pairs(asked))
        self.exchange = WebSocketExchange(
            self.machine, self.wire, PEER, asked, scope, policy or WebSocketPolicy(deflate=deflate)
        )
        self.task: asyncio.Task[None] | None = None
        self.responses: list[Response] = []
        self.frames: list[Frame] = []
        self.raw = b""
        self.mute = False
        """What the client says does not arrive."""

    async def run(self, app: Callable[..., Awaitable[None]]) -> None:
        """Starts the application and lets it go as far as it can."""
        self.task = asyncio.create_task(self.exchange.run(app))
        await self.settle()

    async def settle(self) -> None:
        """Nothing moves any more, on either end."""
        for _ in range(10):
            await asyncio.sleep(0)
            data, self.wire.out = bytes(self.wire.out), bytearray()
            if data:
                self.raw += data
                self.client.receive_data(data)
            for event in self.client.events_received():
                (self.responses if isinstance(event, Response) else self.frames).append(event)
            self.flush()

    def flush(self) -> None:
        """What the client has to say, as far as the server reads."""
        if not (self.wire.paused or self.wire.ended or self.mute):
            data = b"".join(self.client.data_to_send())
            if data:
                self.exchange.feed(data)

    async def end(self) -> None:
        """The transport has ended, the client noticed, and the application is done."""
        await self.settle()
        assert self.wire.ended or self.wire.aborted
        self.client.receive_eof()
        self.exchange.lost()
        assert self.task is not None
        await asyncio.wait_for(self.task, 5)

    @property
    def texts(self) -> list[str]:
        return [bytes(frame.data).decode() for frame in self.frames if frame.opcode is Opcode.TEXT]

    @property
    def binaries(self) -> list[bytes]:
        return [bytes(frame.data) for frame in self.frames if frame.opcode is Opcode.BINARY]

    @property
    def status(self) -> int:
        return self.responses[0].status_code


def serve(test: Callable[..., Awaitable[None]]) -> Callable[[], None]:
    """Runs an async test on a loop of its own."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 20))

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run
