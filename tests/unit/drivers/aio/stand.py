"""A driver on a loop of the test: real connections over socket pairs, a real machine, an application of the test's."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from time import monotonic_ns

from gunicorn.bridge.scope import ScopeOptions
from gunicorn.drivers.aio.connection import Connection
from gunicorn.drivers.aio.door import Door, DoorOptions
from gunicorn.drivers.aio.keeper import Keeper
from gunicorn.drivers.aio.service import Service, ServiceOptions
from gunicorn.metrics.cells import Cells
from gunicorn.net.address import Bind, BindKind
from gunicorn.net.listener import Listener
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Limits, Stamp, Timeouts
from gunicorn.protocol.trust import TrustPolicy
from tests.unit.drivers.conftest import Recorder

DATE = "Thu, 01 Jan 1970 00:00:00 GMT"
SECOND = 1_000_000_000
TIMES = Timeouts(handshake=10, header=20, body=30, keepalive=40, write=50)
"""All different, and none of them ever comes by itself: tests turn the clock by hand."""

GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 6\r\n\r\n"
EXPECTING = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")


def start(*headers: tuple[bytes, bytes], status: int = 200, **more: object) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data: bytes = b"", more: bool = False) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def hello(scope, receive, send):
    """Never reads a body, never waits."""
    await send(start((b"content-length", b"5")))
    await send(body(b"hello"))


async def path(scope, receive, send):
    """Answers its path, after a turn of the loop."""
    await asyncio.sleep(0)
    await send(start())
    await send(body(scope["path"].encode()))


async def echo(scope, receive, send):
    """The body of the request, once it is complete."""
    data = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        data += message["body"]
        if not message["more_body"]:
            break
    await send(start())
    await send(body(data))


class Answer:
    """One answer, as it was read."""

    def __init__(self, head: bytes, content: bytes) -> None:
        line, *fields = head.decode("latin-1").split("\r\n")
        self.status = int(line.split(" ", 2)[1])
        self.fields = [(name.lower(), value.strip()) for name, _, value in (field.partition(":") for field in fields)]
        self.body = content

    def __getitem__(self, name: str) -> str | None:
        return dict(self.fields).get(name)


class Client:
    """The other end of a connection; what it reads it reads when it is asked to."""

    def __init__(self, stand: Stand, sock: socket.socket) -> None:
        self.loop = stand.loop
        self.sock = sock
        self.buffer = b""
        sock.setblocking(False)

    async def send(self, data: bytes) -> None:
        await self.loop.sock_sendall(self.sock, data)

    async def _more(self) -> bool:
        data = await self.loop.sock_recv(self.sock, 65536)
        self.buffer += data
        return bool(data)

    async def _until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            assert await self._more(), f"ended within {self.buffer!r}"
        found, _, self.buffer = self.buffer.partition(end)
        return found

    async def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            assert await self._more(), f"ended within {self.buffer!r}"
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    async def answer(self, method: str = "GET") -> Answer:
        """The next answer, final or interim, which tells its own end."""
        answer = Answer(await self._until(b"\r\n\r\n"), b"")
        if answer["transfer-encoding"] == "chunked":
            while size := int(await self._until(b"\r\n"), 16):
                answer.body += await self._take(size)
                assert await self._take(2) == b"\r\n"
            while line := await self._until(b"\r\n"):
                name, _, value = line.decode("latin-1").partition(":")
                answer.fields.append((name.lower(), value.strip()))
        elif method != "HEAD":
            answer.body = await self._take(int(answer["content-length"] or 0))
        return answer

    async def ask(self, data: bytes = GET) -> Answer:
        await self.send(data)
        return await self.answer()

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        try:
            while await self._more():
                pass
        except ConnectionError:
            return self.buffer + b"<reset>"
        found, self.buffer = self.buffer, b""
        return found

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()


class Stand:
    """One worker's driver without its clock: `tick(at)` is what the keeper would do at `at`."""

    def __init__(self, loop, app, *, times=TIMES, limits=None, max_connections=100, trust=None, **options) -> None:
        self.loop = loop
        self.cells = Cells(1)
        self.row = self.cells.rows[1]
        self.page = self.row.page
        self.said = Recorder()
        self.stamp = Stamp("test", DATE)
        settings = ServiceOptions(ScopeOptions(), times)._replace(**options)
        context = contextvars.copy_context()
        self.service = Service(app, settings, self.row, self.stamp, self.said, loop, context)
        self.keeper = Keeper(self.service, max_connections=max_connections, silence_ns=SECOND)
        policy, trust = HttpPolicy(limits=limits or Limits()), trust or TrustPolicy()
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self.address = listener.getsockname()
        bind = Bind(BindKind.TCP, *self.address)
        machine = DoorOptions(lambda peer: Http1(policy, trust, self.stamp, peer, "http"))
        self.door = Door(self.service, Listener(listener, bind, name="test"), machine, self.keeper.able)
        self.clients: list[Client] = []
        self.last: Connection | None = None
        """The server's end of what `connect` made last."""

    async def connect(self) -> Client:
        """A connection that was accepted."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        known = set(self.service.connections)
        self.door.arriving += 1
        self.door.last_accept = self.door.last_accept or monotonic_ns()
        await self.door._welcome(ours, ("192.0.2.1", 5000))
        (self.last,) = self.service.connections - known
        self.clients.append(Client(self, theirs))
        return self.clients[-1]

    async def turns(self, count: int = 10) -> None:
        """Lets everything happen that needs nobody else."""
        for _ in range(count):
            await asyncio.sleep(0)

    async def until(self, true) -> None:
        """Turns the loop until it is so; the test's own limit ends what never is."""
        while not true():
            await asyncio.sleep(0.001)

    def tick(self, at: int) -> None:
        self.keeper.look(at)

    async def close(self) -> None:
        for client in self.clients:
            client.close()
        self.keeper.close()
        self.keeper.stop_clock()
        await self.until(lambda: not self.service.connections)
        tasks = [exchange.task for exchange in self.service.running if exchange.task]
        if tasks:
            await asyncio.wait(tasks)
        self.door.sock.close()
