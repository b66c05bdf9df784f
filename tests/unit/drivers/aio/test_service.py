"""One request's task and account: what applications do wrong, what is counted, and what observers see."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from gunicorn.drivers.ending import QuickStop
from gunicorn.metrics import cells
from tests.unit.drivers.aio.stand import GET, LAST, POST, body, echo, hello, start

mood: contextvars.ContextVar[str] = contextvars.ContextVar("mood", default="none")


async def silent(scope, receive, send):
    pass


async def half(scope, receive, send):
    await send(start())


async def cut(scope, receive, send):
    await send(start())
    await send(body(b"x", more=True))


def raises(error, *messages):
    async def app(scope, receive, send):
        for message in messages:
            await send(message)
        raise error

    return app


BEGUN = start((b"secret", b"x"))


@pytest.mark.parametrize(
    "app", [silent, half, raises(ValueError("x")), raises(SystemExit(3), BEGUN), raises(OSError())]
)
async def test_no_answer_is_a_500(stand, app):
    server = stand(app)
    client = await server.connect()
    answer = await client.ask()
    assert (answer.status, answer["connection"], answer["secret"]) == (500, "close", None)
    assert await client.rest() == b""
    said = server.said
    assert len(said.crashes) + len(said.messages) == 1
    assert server.page[cells.STATUS_5XX] == 1
    assert not server.service.running


@pytest.mark.parametrize(
    "app",
    [
        cut,
        raises(ValueError("x"), BEGUN, body(b"x", more=True)),
        raises(asyncio.CancelledError(), BEGUN, body(b"x", True)),
    ],
)
async def test_half_an_answer_is_cut(stand, app):
    """Nobody takes it for the whole."""
    server = stand(app)
    client = await server.connect()
    await client.send(GET)
    said = await client.rest()
    assert said.endswith(b"\r\n\r\n1\r\nx\r\n")
    assert server.page[cells.STATUS_2XX] == 1


async def test_an_error_behind_the_answer_is_logged_and_changes_nothing(stand):
    server = stand(raises(ValueError("late"), start(), body(b"hello")))
    client = await server.connect()
    for _ in range(2):
        assert (await client.ask()).body == b"hello"
    assert [str(error) for error in server.said.crashes] == ["late", "late"]


async def test_work_behind_the_answer_does_not_hold_the_next_request(stand):
    gate, seen = asyncio.Event(), []

    async def app(scope, receive, send):
        await hello(scope, receive, send)
        await gate.wait()
        seen.append((await receive())["type"])
        seen.append((await receive())["type"])

    server = stand(app)
    client = await server.connect()
    for _ in range(3):
        assert (await client.ask()).body == b"hello"
    assert server.page[cells.IN_FLIGHT] == len(server.service.running) == 3
    client.close()
    await server.until(lambda: not server.service.connections)
    assert not server.service.orphans
    gate.set()
    await server.until(lambda: not server.service.running)
    assert seen.count("http.disconnect") == 3
    assert server.page[cells.IN_FLIGHT] == 0


@pytest.mark.parametrize(("length", "sent", "words"), [(3, b"hello", "more bytes"), (7, b"hello", "fewer bytes")])
async def test_a_wrong_length_is_told(stand, length, sent, words):
    async def app(scope, receive, send):
        await send(start((b"content-length", b"%d" % length)))
        await send(body(sent))

    server = stand(app)
    client = await server.connect()
    await client.send(LAST)
    assert (await client.rest()).endswith(b"\r\n\r\n" + sent[:length])
    assert words in server.said.messages[0]


async def test_what_is_counted(stand):
    server = stand(echo)
    client = await server.connect()
    await client.ask()
    await client.ask(POST + b"abcdef")
    page = server.page
    assert (page[cells.STATUS_2XX], page[cells.BYTES_OUT], page[cells.ACCEPTED]) == (2, 6, 1)
    assert sum(page[cells.DURATION : cells.DURATION + 12]) == sum(page[cells.QUEUE : cells.QUEUE + 12]) == 2
    assert page[cells.DURATION_SUM] > 0
    assert server.row.in_flight() == []


async def test_what_is_in_flight_is_named(stand):
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await gate.wait()
        await hello(scope, receive, send)

    server = stand(app)
    clients = [await server.connect() for _ in range(cells.NOTES + 3)]
    for number, client in enumerate(clients):
        await client.send(b"GET /%d HTTP/1.1\r\nHost: t\r\n\r\n" % number)
    await server.until(lambda: len(server.service.running) == len(clients))
    lines = [note.line for note in server.row.in_flight()]
    assert len(lines) == cells.NOTES
    assert lines[0] == "GET /0"
    gate.set()
    for client in clients:
        await client.answer()
    assert server.row.in_flight() == []
    assert sorted(server.service.free_notes) == list(range(cells.NOTES - 1))


async def test_observers(stand):
    server = stand(hello)
    seen = []
    service = server.service
    service.before = lambda exchange: seen.append(("before", exchange.request.method))
    service.access = lambda exchange: seen.append(("access", exchange.status, list(exchange.fields), exchange.sent))
    service.after = lambda exchange: seen.append(("after", exchange.duration_ns > 0))
    service.retire_at = 1
    service.retire = lambda: seen.append(("retire",))
    client = await server.connect()
    await client.ask()
    await client.ask()
    once = [("before", "GET"), ("access", "200 OK", [("content-length", "5")], 5), ("after", True)]
    assert seen == [*once, ("retire",), *once]


async def test_a_hook_that_raises_before_the_request(stand):
    server = stand(hello)

    def before(exchange):
        raise ValueError("hook")

    server.service.before = before
    client = await server.connect()
    assert (await client.ask()).status == 500
    assert [str(error) for error in server.said.crashes] == ["hook"]


@pytest.mark.parametrize("headers", [[(b"a",)], [("a", "b")], [5]])
async def test_heads_that_logs_cannot_read_lose_no_connection(stand, headers):
    """The client leaves before a head that could never be sent, or was of another kind."""
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await gate.wait()

    server = stand(app)
    seen = []
    server.service.access = lambda exchange: seen.append(list(exchange.fields))
    client = await server.connect()
    await client.send(GET)
    await server.until(lambda: server.service.running)
    server.last.abort()
    await server.until(lambda: not server.service.connections)
    assert len(seen) == 1
    gate.set()


async def test_every_request_starts_from_the_context_of_the_lifespan(stand):
    seen = []

    async def app(scope, receive, send):
        seen.append(mood.get())
        mood.set("of a request")
        await hello(scope, receive, send)

    mood.set("of the lifespan")
    server = stand(app)
    mood.set("of the test")
    client = await server.connect()
    for _ in range(3):
        await client.ask()
    assert seen == ["of the lifespan"] * 3
    assert mood.get() == "of the test"


def test_a_quick_stop_goes_through(loop, stand):
    """It ends the process: nobody answers for it, and nobody swallows it."""
    if type(loop).__module__.startswith("uvloop"):
        pytest.skip("uvloop gives it to its exception handler, ends the connection and goes on")

    async def app(scope, receive, send):
        raise QuickStop(0)

    server = stand(app)
    # From 3.12 on the task is said to have failed, once it is forgotten.
    loop.set_exception_handler(lambda loop, about: None)

    async def check():
        client = await server.connect()
        await client.send(GET)
        await server.until(lambda: server.said.crashes)

    with pytest.raises(QuickStop):
        loop.run_until_complete(asyncio.wait_for(check(), 10))
    assert server.said.crashes == []
