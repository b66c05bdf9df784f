"""One connection: order of pipelined requests, bodies, half-closes, deadlines by phase, and broken rules."""

from __future__ import annotations

import asyncio
from time import monotonic_ns

import pytest

from gunicorn.bridge.exchange import ClientGone
from gunicorn.drivers.aio.connection import FOREVER, HOLD
from gunicorn.drivers.aio.transport import State
from gunicorn.metrics import cells
from gunicorn.protocol.limits import Limits
from gunicorn.protocol.machine import Phase
from tests.unit.drivers.aio.stand import EXPECTING, GET, LAST, POST, SECOND, body, echo, hello, path, start


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
