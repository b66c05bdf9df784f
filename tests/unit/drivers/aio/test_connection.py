"""One connection: order of pipelined requests, bodies, half-closes, deadlines by phase, and how it ends."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic_ns

import pytest

from gunicorn.bridge.exchange import ClientGone
from gunicorn.drivers.aio.connection import FOREVER, HOLD, LINGER_NS
from gunicorn.drivers.aio.transport import State
from gunicorn.metrics import cells
from gunicorn.protocol.limits import Limits
from gunicorn.protocol.machine import Phase
from tests.unit.drivers.aio.stand import EXPECTING, GET, LAST, POST, SECOND, TIMES, body, echo, hello, path, start


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


# -- requests in order -----------------------------------------------------------------------------------


async def test_a_kept_connection(stand):
    server = stand(hello)
    client = await server.connect()
    for _ in range(3):
        answer = await client.ask()
        assert (answer.status, answer.body) == (200, b"hello")
    await client.send(LAST)
    assert (await client.answer())["connection"] == "close"
    assert await client.rest() == b""
    await server.until(lambda: not server.service.connections)
    assert (server.page[cells.STATUS_2XX], server.page[cells.ACCEPTED]) == (4, 1)
    assert (server.service.requests, server.page[cells.IN_FLIGHT]) == (4, 0)


@pytest.mark.parametrize("app", [hello, path, echo])
@pytest.mark.parametrize("count", [2, 3, 7, 40])
async def test_many_requests_in_one_segment(stand, app, count):
    server = stand(app)
    client = await server.connect()
    await client.send(b"".join(asked(str(number)) for number in range(count)))
    bodies = [(await client.answer()).body for _ in range(count)]
    if app is path:
        assert bodies == [b"/%d" % number for number in range(count)]
    assert (await client.ask()).status == 200


@pytest.mark.parametrize("app", [hello, path])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("together", [True, False])
async def test_pipelined_requests_and_a_half_close(stand, app, count, together):
    """A client that said all it has to say still reads: every answer comes, then the end."""
    server = stand(app)
    client = await server.connect()
    await client.send(b"".join(asked(str(number)) for number in range(count)))
    if not together:
        await server.turns(1)
    client.half_close()
    for number in range(count):
        answer = await client.answer()
        assert answer.status == 200
        assert app is hello or answer.body == b"/%d" % number
    assert await client.rest() == b""
    await server.until(lambda: not server.service.connections)


async def test_requests_in_pieces_and_with_bodies_between(stand):
    server = stand(echo)
    client = await server.connect()
    stream = GET + POST + b"abcdef" + GET + POST.replace(b"6", b"3") + b"xyz"
    for size in (1, 7, 60, len(stream)):
        for at in range(0, len(stream), size):
            await client.send(stream[at : at + size])
            if size < 60:
                await server.turns(2)
        assert [(await client.answer()).body for _ in range(4)] == [b"", b"abcdef", b"", b"xyz"]


async def test_the_next_request_waits_for_the_answer(stand, loop):
    app = Held()
    server = stand(app)
    client = await server.connect()
    await client.send(asked("1"))
    await server.until(lambda: app.began)
    await client.send(asked("2") + asked("3"))
    await server.until(lambda: server.last.machine.pending)
    await server.turns()
    assert app.began == ["/1"]
    app.go.set()
    assert [(await client.answer()).body for _ in range(3)] == [b"/1", b"/2", b"/3"]


async def test_too_many_requests_that_wait_make_the_client_wait(stand):
    app = Held()
    server = stand(app)
    client = await server.connect()
    await client.send(asked("1"))
    await server.until(lambda: app.began)
    one = asked("2", "X: " + "y" * 4000)
    count = 3 * HOLD // len(one)
    sending = asyncio.ensure_future(client.send(one * count))
    await server.until(lambda: server.last.paused)
    assert server.last.deadline == FOREVER
    app.go.set()
    assert (await client.answer()).body == b"/1"
    for _ in range(count):
        assert (await client.answer()).body == b"/2"
    await sending
    assert not server.last.paused


@pytest.mark.parametrize("extra", [b"", GET, GET + GET])
async def test_an_application_that_never_reads_its_body(stand, extra):
    """The connection is kept when the body has arrived, and its bytes are no request."""
    server = stand(hello)
    client = await server.connect()
    await client.send(POST)
    assert (await client.answer()).body == b"hello"
    assert server.last.machine.phase is Phase.BODY
    await client.send(b"GET / " + extra)
    for _ in range(extra.count(b"GET")):
        assert (await client.answer()).body == b"hello"
    await server.until(lambda: server.last.machine.phase is Phase.IDLE)
    assert (await client.ask()).status == 200


async def test_a_body_that_is_too_long_to_be_thrown_away(stand):
    server = stand(hello)
    client = await server.connect()
    await client.send(POST.replace(b"6", b"9999999") + b"x" * 1000)
    answer = await client.answer()
    assert (answer.body, answer["connection"]) == (b"hello", "close")
    assert await client.rest() == b""
    assert server.last.state is State.LINGERING
    # What still comes is read, so that nothing resets the answer.
    await client.send(b"x" * 100_000)
    client.half_close()
    await server.until(lambda: not server.service.connections)


async def test_two_answers_at_a_time_never_mix(stand):
    """Connections side by side, each with its own order."""
    server = stand(path)
    clients = [await server.connect() for _ in range(5)]
    for number, client in enumerate(clients):
        await client.send(b"".join(asked(f"{number}/{turn}") for turn in range(5)))
    for turn in range(5):
        for number, client in enumerate(clients):
            assert (await client.answer()).body == f"/{number}/{turn}".encode()


# -- bodies ----------------------------------------------------------------------------------------------


async def test_a_body_in_pieces_is_received_in_pieces(stand):
    got = []

    async def app(scope, receive, send):
        while not got or got[-1]["more_body"]:
            got.append(await receive())
        await hello(scope, receive, send)
        got.append(await receive())

    server = stand(app)
    client = await server.connect()
    await client.send(POST)
    for piece in (b"ab", b"cd", b"ef"):
        await client.send(piece)
        await server.until(lambda piece=piece: piece in [message.get("body") for message in got])
    assert (await client.answer()).body == b"hello"
    await server.until(lambda: len(got) == 4)
    assert [message.get("more_body") for message in got] == [True, True, False, None]
    assert got[-1] == {"type": "http.disconnect"}


async def test_a_large_body_waits_for_its_application(stand):
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await gate.wait()
        await echo(scope, receive, send)

    server = stand(app)
    client = await server.connect()
    size = 1_000_000
    sending = asyncio.ensure_future(client.send(POST.replace(b"6", b"%d" % size) + b"x" * size))
    await server.until(lambda: server.last.paused)
    assert server.last.exchange.held < size
    assert server.last.deadline == FOREVER
    gate.set()
    answer = await client.answer()
    await sending
    assert answer.body == b"x" * size


async def test_100_continue_comes_once_and_only_for_who_reads(stand):
    async def app(scope, receive, send):
        first, second = await asyncio.gather(receive(), receive())
        await hello(scope, receive, send)
        app.got = [first, second]

    server = stand(app)
    client = await server.connect()
    await client.send(EXPECTING)
    assert (await client.answer()).status == 100
    await server.turns()
    await client.send(b"abc")
    await server.turns()
    await client.send(b"def")
    assert (await client.answer()).status == 200
    assert b"".join(message["body"] for message in app.got) == b"abcdef"


async def test_who_did_not_wait_needs_no_permission(stand):
    client = await stand(echo).connect()
    answer = await client.ask(EXPECTING + b"abcdef")
    assert (answer.status, answer.body) == (200, b"abcdef")


async def test_who_does_not_read_lets_nobody_continue(stand):
    server = stand(hello)
    client = await server.connect()
    answer = await client.ask(EXPECTING)
    assert (answer.status, answer["connection"]) == (200, "close")


# -- the client leaves -----------------------------------------------------------------------------------


async def test_a_half_close_is_a_disconnect_and_yet_answered(stand):
    got = []

    async def app(scope, receive, send):
        got.append(await receive())
        got.append(await receive())
        await hello(scope, receive, send)

    server = stand(app)
    client = await server.connect()
    await client.send(GET)
    await server.until(lambda: got)
    client.half_close()
    assert (await client.answer()).body == b"hello"
    assert [message["type"] for message in got] == ["http.request", "http.disconnect"]
    assert await client.rest() == b""
    # Nobody can be sending any more: there is nothing to linger for.
    await server.until(lambda: not server.service.connections)


async def test_every_pipelined_request_of_a_half_closed_connection_hears_of_it(stand):
    async def app(scope, receive, send):
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        await hello(scope, receive, send)

    server = stand(app)
    client = await server.connect()
    await client.send(GET + GET + GET)
    client.half_close()
    for _ in range(3):
        assert (await client.answer()).body == b"hello"
    assert await client.rest() == b""


async def test_who_outstays_the_grace_is_cancelled(stand):
    app = Held()
    server = stand(app, disconnect_grace=5)
    client = await server.connect()
    await client.send(asked("1"))
    await server.until(lambda: app.began)
    client.close()
    await server.until(lambda: server.service.orphans)
    now = monotonic_ns()
    server.tick(now)
    await server.turns()
    assert app.ended == []
    server.tick(now + 6 * SECOND)
    await server.until(lambda: app.ended)
    assert app.ended == [asyncio.CancelledError]
    assert not server.service.running
    assert not server.service.orphans
    assert server.said.crashes == []


async def test_sending_to_nobody_raises_in_the_application(stand):
    raised = []
    left = asyncio.Event()

    async def app(scope, receive, send):
        await send(start())
        await send(body(b"x", more=True))
        await left.wait()
        for message in (body(b"y", more=True), {"type": "nonsense"}):
            try:
                await send(message)
            except OSError as error:
                raised.append(error)
        assert (await receive())["type"] == "http.request"
        raised.append(await receive())

    server = stand(app)
    client = await server.connect()
    await client.send(GET)
    await client._until(b"1\r\nx\r\n")
    server.last.abort()
    await server.until(lambda: not server.service.connections)
    left.set()
    await server.until(lambda: len(raised) == 3)
    assert [type(error) for error in raised[:2]] == [ClientGone, ClientGone]
    assert raised[2] == {"type": "http.disconnect"}
    assert server.said.crashes == []
    assert server.page[cells.ABORTED] == 1


@pytest.mark.parametrize(
    ("sent", "rule"),
    [
        (b"", None),
        (b"\r\n", None),
        (b"GET / HT", "incomplete-head"),
        (POST + b"abc", "incomplete-body"),
        (GET + b"GET / HT", "incomplete-head"),
    ],
)
async def test_an_end_too_early(stand, sent, rule):
    server = stand(echo)
    client = await server.connect()
    await client.send(sent)
    client.half_close()
    if sent.startswith(GET):
        assert (await client.answer()).status == 200
    said = await client.rest()
    assert said.startswith(b"HTTP/1.1 400 ") is (rule is not None)
    assert server.said.rules == ([rule] if rule else [])
    await server.until(lambda: not server.service.connections)


# -- broken rules ----------------------------------------------------------------------------------------


async def test_a_broken_rule_is_answered_and_lingers(stand):
    server = stand(hello)
    client = await server.connect()
    await client.send(b"GET / HTTP/1.1\r\n\r\n")
    assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
    assert server.last.state is State.LINGERING
    assert server.page[cells.REJECTED] == 1
    server.tick(server.last.deadline)
    await server.until(lambda: not server.service.connections)


async def test_a_broken_body_ends_its_application(stand):
    got = []

    async def app(scope, receive, send):
        while True:
            got.append(await receive())
            if got[-1]["type"] == "http.disconnect":
                await send(start())

    server = stand(app)
    client = await server.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    await server.until(lambda: got)
    await client.send(b"zzz\r\n")
    assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
    await server.until(lambda: not server.service.running)
    assert got[-1] == {"type": "http.disconnect"}
    assert server.said.crashes == []
    assert (server.page[cells.STATUS_4XX], server.page[cells.REJECTED]) == (1, 1)


async def test_a_body_beyond_the_limit(stand):
    server = stand(echo, limits=Limits(body=5))
    client = await server.connect()
    await client.send(POST + b"abcdef")
    assert (await client.rest()).startswith(b"HTTP/1.1 413 ")


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
