"""The end of a connection: deadlines by phase, clients that stop reading, and odd ends."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic_ns

from gunicorn.bridge.exchange import ClientGone
from gunicorn.drivers.aio.connection import FOREVER, LINGER_NS
from gunicorn.drivers.aio.transport import State
from gunicorn.metrics import cells
from tests.unit.drivers.aio.stand import GET, LAST, POST, SECOND, TIMES, body, echo, hello, start


def asked(name: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET /{name} HTTP/1.1", "Host: t", *fields, "\r\n"]).encode()


class Held:
    """An application that answers its path when the test says so."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.began: list[str] = []
        self.ended: list[object] = []

    async def __call__(self, scope, receive, send):
        self.began.append(scope["path"])
        try:
            await self.go.wait()
            await send(start())
            await send(body(scope["path"].encode()))
        except BaseException as error:
            self.ended.append(type(error))
            raise
        self.ended.append(None)


# -- deadlines -------------------------------------------------------------------------------------------


def left(server, since: int) -> float:
    """Seconds of the deadline, counted from `since`."""
    return (server.last.deadline - since) / SECOND


async def expired(server, client) -> bytes:
    """What the client hears when the deadline passes, and nothing a moment before."""
    connection = server.last
    server.tick(connection.deadline - 1)
    assert connection.state is State.OPEN
    server.tick(connection.deadline)
    said = await client.rest()
    client.close()
    if connection in server.service.connections:
        server.tick(connection.deadline)
    await server.until(lambda: connection not in server.service.connections)
    return said


async def test_the_greeting(stand):
    server = stand(hello)
    since = monotonic_ns()
    server.door.last_accept = since
    client = await server.connect()
    assert server.last.deadline == since + int(TIMES.header * SECOND)
    assert await expired(server, client) == b""


async def test_the_header_counts_from_its_first_byte(stand):
    server = stand(hello)
    client = await server.connect()
    await client.ask()
    since = monotonic_ns()
    assert left(server, since) <= TIMES.keepalive
    await client.send(b"GET / ")
    await server.until(lambda: server.last.dripping)
    first = server.last.deadline
    assert TIMES.header <= (first - since) / SECOND < TIMES.keepalive
    for byte in (b"H", b"T", b"T"):
        await client.send(byte)
        await server.turns()
    assert server.last.deadline == first
    assert (await expired(server, client)).startswith(b"HTTP/1.1 408 ")
    assert (server.said.rules, server.page[cells.TIMED_OUT]) == (["head-timeout"], 1)


async def test_the_body_counts_from_its_last_bytes(stand):
    server = stand(echo)
    client = await server.connect()
    since = monotonic_ns()
    await client.send(POST)
    await server.until(lambda: server.last.exchange)
    first = server.last.deadline
    assert first - since >= TIMES.body * SECOND
    await client.send(b"ab")
    await server.until(lambda: server.last.deadline != first)
    assert server.last.deadline > first
    assert (await expired(server, client)).startswith(b"HTTP/1.1 408 ")
    assert server.said.rules == ["body-timeout"]
    await server.until(lambda: not server.service.running)


async def test_an_unread_body_has_its_time_too(stand):
    server = stand(hello)
    client = await server.connect()
    since = monotonic_ns()
    await client.ask(POST)
    assert TIMES.body <= left(server, since) < TIMES.keepalive
    first = server.last.deadline
    await client.send(b"ab")
    await server.until(lambda: server.last.deadline != first)
    assert await expired(server, client) == b"", "its answer is out: nothing can be said"


async def test_an_application_has_all_the_time(stand):
    app = Held()
    server = stand(app)
    client = await server.connect()
    await client.send(POST + b"abcdef")
    await server.until(lambda: app.began)
    assert server.last.deadline == FOREVER
    server.tick(monotonic_ns() + 10**6 * SECOND)
    app.go.set()
    assert (await client.answer()).body == b"/"


async def test_keep_alive_ends_in_silence(stand):
    server = stand(hello)
    client = await server.connect()
    since = monotonic_ns()
    await client.ask()
    assert left(server, since) >= TIMES.keepalive
    assert server.last.is_idle
    assert await expired(server, client) == b""
    assert server.said.rules == []


async def test_no_keep_alive_at_all(stand):
    server = stand(hello, times=TIMES._replace(keepalive=0))
    client = await server.connect()
    assert (await client.ask())["connection"] == "close"
    assert await client.rest() == b""


async def test_no_limits_of_time(stand):
    server = stand(hello, times=TIMES._replace(header=0, body=0, write=0))
    client = await server.connect()
    assert server.last.deadline > monotonic_ns() + 10**8 * SECOND
    await client.ask(POST)
    assert server.last.deadline > monotonic_ns() + 10**8 * SECOND


# -- clients that stop reading ---------------------------------------------------------------------------


def streams(size: int, pieces: int = 1000):
    async def app(scope, receive, send):
        app.raised = None
        app.sent = 0
        try:
            await send(start())
            for _ in range(pieces):
                await send(body(b"x" * size, more=True))
                app.sent += size
            await send(body())
        except OSError as error:
            app.raised = error

    return app


async def test_a_stalled_client_holds_its_application_and_is_given_up(stand):
    app = streams(10_000)
    server = stand(app, response_buffer=50_000)
    since = monotonic_ns()
    client = await server.connect()
    await client.send(GET)
    connection = server.last
    await server.until(lambda: connection.full and connection.drainers)
    sent = app.sent
    assert 50_000 <= sent < 5_000_000
    assert left(server, since) >= TIMES.write
    await server.turns(50)
    assert app.sent == sent
    # Once more as long, because what is queued is compared.
    for _ in range(2):
        server.tick(connection.deadline)
        await server.turns()
    await server.until(lambda: app.raised is not None)
    assert isinstance(app.raised, ClientGone)
    await server.until(lambda: not server.service.running)
    assert connection not in server.service.connections


async def test_a_slow_client_that_reads_is_not_given_up(stand):
    app = streams(10_000, 300)
    server = stand(app, response_buffer=500_000)
    client = await server.connect()
    await client.send(LAST)
    connection = server.last
    await server.until(lambda: connection.full and connection.drainers)
    for _ in range(4):
        # Too little for the application to go on.
        await client._take(len(client.buffer) + 60_000)
        await server.turns()
        assert connection.drainers
        server.tick(connection.deadline)
        assert connection in server.service.connections
    assert (await client.rest()).endswith(b"x\r\n0\r\n\r\n")
    assert app.raised is None


async def test_a_whole_answer_that_is_not_taken(stand):
    async def app(scope, receive, send):
        await send(start())
        await send(body(b"x" * 5_000_000))

    server = stand(app)
    client = await server.connect()
    await client.send(LAST)
    connection = server.last
    await server.until(lambda: connection.state is not State.OPEN)
    assert connection.measure()
    for _ in range(3):
        server.tick(connection.deadline)
        await server.turns()
    await server.until(lambda: not server.service.connections)
    assert len(await client.rest()) < 5_000_000


async def test_lingering_outlives_what_is_still_read(stand):
    """The time to linger is not that between two requests, which may be none."""

    async def app(scope, receive, send):
        await send(start())
        await send(body(b"x" * 3_000_000))

    server = stand(app, times=TIMES._replace(keepalive=0), response_buffer=100_000)
    client = await server.connect()
    await client.send(GET)
    connection = server.last
    await server.until(lambda: connection.state is State.LINGERING and connection.full)
    since = monotonic_ns()
    await client._take(3_000_000)
    await server.until(lambda: not connection.full)
    assert since < connection.deadline <= monotonic_ns() + LINGER_NS
    await client.rest()


async def test_an_end_waits_for_what_is_queued(stand):
    async def app(scope, receive, send):
        await send(start())
        await send(body(b"x" * 3_000_000))

    server = stand(app)
    client = await server.connect()
    await client.send(LAST)
    answer = await client.answer()
    assert (len(answer.body), answer["connection"]) == (3_000_000, "close")
    assert await client.rest() == b""


# -- odd ends --------------------------------------------------------------------------------------------


async def test_bytes_after_the_end_are_thrown_away(stand):
    server = stand(hello)
    client = await server.connect()
    await client.send(LAST + GET)
    assert (await client.answer()).body == b"hello"
    assert await client.rest() == b""
    assert server.last.state is State.LINGERING
    await client.send(GET)
    client.close()
    await server.until(lambda: not server.service.connections)
    assert server.page[cells.STATUS_2XX] == 1


async def test_a_reset_connection(stand):
    app = Held()
    server = stand(app)
    server.door.open()
    sock = socket.create_connection(server.address)
    sock.sendall(GET)
    await server.until(lambda: app.began)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    await server.until(lambda: server.service.orphans)
    app.go.set()
    await server.until(lambda: app.ended)
    assert app.ended == [ClientGone]
    assert server.said.crashes == []
