"""The clock of a worker and the state of stopping: deadlines, doors, orphans, and what a `Leave` demands."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic_ns

import pytest

from gunicorn.drivers.aio.connection import FOREVER
from gunicorn.drivers.aio.keeper import END_NS, LOOK_NS, SHORT_TICK_NS, TICK_NS, Keeper, Leave
from gunicorn.drivers.aio.transport import State
from gunicorn.metrics import cells
from tests.unit.drivers.aio.stand import GET, POST, SECOND, TIMES, body, echo, hello, start

LATER = 1000 * SECOND


class Waiting:
    """Answers when it hears `http.disconnect` or when it is told; stubborn ones go on when they are cancelled."""

    def __init__(self, stubborn: bool = False) -> None:
        self.stubborn = stubborn
        self.heard: list[str] = []

    async def __call__(self, scope, receive, send):
        await receive()
        await send(start())
        await send(body(b"x", more=True))
        try:
            self.heard.append((await receive())["type"])
            await send(body(b"end"))
        except asyncio.CancelledError:
            self.heard.append("cancelled")
            if self.stubborn:
                await asyncio.Event().wait()
            raise


@pytest.mark.parametrize(
    ("times", "silence", "look", "tick"),
    [
        (TIMES, LATER, LOOK_NS, TICK_NS),
        (TIMES, SECOND // 2, LOOK_NS, SECOND // 8),
        (TIMES, 0, LOOK_NS, SHORT_TICK_NS),
        (TIMES._replace(keepalive=0.2), LATER, SECOND // 10, SECOND // 10),
        (TIMES._replace(body=0.001), LATER, 5 * SHORT_TICK_NS, 5 * SHORT_TICK_NS),
        (TIMES._replace(keepalive=0, header=0, body=0, write=0), FOREVER, LOOK_NS, TICK_NS),
    ],
)
async def test_how_often_it_looks(stand, times, silence, look, tick):
    service = stand(hello, times=times).service
    keeper = Keeper(service, max_connections=1, silence_ns=silence)
    assert (keeper.look_ns, keeper.tick_ns) == (look, tick)


async def test_a_stroke_of_the_clock(stand):
    server = stand(hello)
    keeper = server.keeper
    seconds = []
    keeper.on_second = lambda: seconds.append(1)
    await server.connect()
    since = monotonic_ns()
    keeper.start([server.door])
    assert since <= keeper.beat == server.page[cells.HEARTBEAT] < keeper.due
    assert server.page[cells.CONNECTIONS] == server.page[cells.CONNECTIONS_IDLE] == 1
    assert server.door.is_open
    assert seconds == [1]
    keeper.turn()
    assert seconds == [1], "not before a second is over"
    keeper.next_second = 0
    keeper.due = monotonic_ns() - SECOND
    keeper.turn()
    assert seconds == [1, 1]
    assert server.page[cells.LOOP_LAG] >= SECOND


async def test_one_clock_though_its_second_hand_stops_the_worker(stand, loop):
    server = stand(hello)
    keeper = server.keeper
    timers = []
    keeper.finished = loop.create_future()
    keeper.on_second = lambda: (keeper.stop(Leave(1001)), timers.append(keeper.timer))
    keeper.start([server.door])
    assert timers[0].cancelled()
    assert not keeper.timer.cancelled()
    await keeper.finished


async def test_connections_come_in_by_the_door_while_there_is_room(stand):
    server = stand(hello, max_connections=2)
    server.keeper.start([server.door])
    clients = [socket.create_connection(server.address) for _ in range(3)]
    try:
        await server.until(lambda: len(server.service.connections) == 2)
        await server.until(lambda: not server.door.is_open)
        clients[0].close()
        await server.until(lambda: server.page[cells.ACCEPTED] == 3)
        assert len(server.service.connections) == 2
    finally:
        for client in clients:
            client.close()


# -- leaving ---------------------------------------------------------------------------------------------


async def stopping(server, leave: Leave) -> asyncio.Future[None]:
    """The worker was told to stop."""
    server.keeper.finished = server.loop.create_future()
    server.keeper.stop(leave)
    server.keeper.stop_clock()
    return server.keeper.finished


async def test_who_has_nothing_to_do_is_done(stand):
    server = stand(hello)
    finished = await stopping(server, Leave(1001))
    assert finished.done()
    assert server.service.stopping


async def test_idle_connections_have_a_last_moment(stand):
    server = stand(hello)
    client, other = await server.connect(), await server.connect()
    await client.ask()
    since = monotonic_ns()
    finished = await stopping(server, Leave(1001, idle_ns=5 * SECOND, cancel_ns=LATER))
    for connection in server.service.connections:
        assert connection.deadline <= monotonic_ns() + 5 * SECOND
        assert connection.deadline >= since + 5 * SECOND
    # A request in that moment is answered, and the last.
    answer = await client.ask()
    assert (answer.body, answer["connection"]) == (b"hello", "close")
    client.close()
    assert not finished.done()
    server.tick(monotonic_ns() + 6 * SECOND)
    assert await other.rest() == b""
    await server.until(lambda: not server.service.connections)
    server.keeper._stop_on(monotonic_ns())
    assert finished.done()


async def test_without_haste_idle_connections_keep_their_time(stand):
    server = stand(hello)
    client = await server.connect()
    await client.ask()
    deadline = server.last.deadline
    await stopping(server, Leave(1012, idle_ns=FOREVER, cancel_ns=LATER))
    assert server.last.deadline == deadline
    assert (await client.ask())["connection"] == "close"


async def test_haste_ends_idle_connections_at_once(stand):
    server = stand(hello)
    client = await server.connect()
    await client.ask()
    finished = await stopping(server, Leave(1001))
    assert await client.rest() == b""
    await server.until(lambda: not server.service.connections)
    server.keeper._stop_on(monotonic_ns())
    assert finished.done()


async def test_newcomers_of_a_stopping_worker_get_one_answer(stand):
    server = stand(hello)
    await stopping(server, Leave(1001, idle_ns=5 * SECOND, cancel_ns=LATER))
    client = await server.connect()
    assert server.last.deadline <= monotonic_ns() + 5 * SECOND
    assert (await client.ask())["connection"] == "close"


async def test_what_was_begun_is_answered(stand):
    server = stand(echo)
    client = await server.connect()
    await client.send(POST + b"abc")
    await server.until(lambda: server.service.running)
    finished = await stopping(server, Leave(1001, cancel_ns=LATER, tell_ns=LATER))
    assert not finished.done()
    await client.send(b"def")
    answer = await client.answer()
    assert (answer.body, answer["connection"]) == (b"abcdef", "close")


async def test_streams_are_told_then_cancelled_then_left_behind(stand):
    polite, rude, stubborn = Waiting(), Waiting(), Waiting(stubborn=True)

    async def app(scope, receive, send):
        one = {"/polite": polite, "/rude": rude, "/stubborn": stubborn}[scope["path"]]
        if one is polite:
            await one(scope, receive, send)
        else:

            async def deaf():
                message = await receive()
                if message["type"] == "http.disconnect":
                    await asyncio.Event().wait()
                return message

            await one(scope, deaf, send)

    server = stand(app)
    clients = []
    for path in (b"/polite", b"/rude", b"/stubborn"):
        clients.append(await server.connect())
        await clients[-1].send(GET.replace(b"/ ", path + b" "))
    await server.until(lambda: len(server.service.running) == 3)
    now = monotonic_ns()
    finished = await stopping(server, Leave(1001, tell_ns=LATER, cancel_ns=2 * LATER))
    keeper = server.keeper
    assert now + LATER <= keeper.tell_at < keeper.cancel_at
    keeper._stop_on(now)
    await server.turns()
    assert polite.heard == []
    keeper._stop_on(keeper.tell_at)
    assert (await clients[0].answer()).body == b"xend"
    await server.turns()
    assert (polite.heard, rude.heard) == (["http.disconnect"], [])
    end = keeper.end_at
    assert end == keeper.cancel_at + END_NS
    keeper._stop_on(keeper.cancel_at)
    await server.turns()
    assert (rude.heard, stubborn.heard) == (["cancelled"], ["cancelled"])
    assert not (await clients[1].rest()).endswith(b"0\r\n\r\n"), "nobody takes it for the whole"
    keeper._stop_on(end - 1)
    assert not finished.done()
    keeper._stop_on(end)
    assert finished.done()
    (left,) = server.service.running
    left.task.cancel()


async def test_a_second_stop_makes_haste(stand):
    app = Waiting()
    server = stand(app)
    client = await server.connect()
    await client.send(GET)
    await server.until(lambda: server.service.running)
    await stopping(server, Leave(1012, idle_ns=FOREVER, tell_ns=LATER, cancel_ns=2 * LATER))
    await stopping(server, Leave(1001, cancel_ns=0))
    await server.turns()
    assert app.heard
    await server.until(lambda: not server.service.running)


async def test_the_queue_is_emptied_before_the_door_is_given_up(stand):
    server = stand(hello)
    server.keeper.start([server.door])
    waiting = socket.create_connection(server.address)
    waiting.sendall(GET)
    finished = await stopping(server, Leave(1001, drain_queue=True, idle_ns=SECOND, cancel_ns=LATER))
    assert server.keeper.draining
    await server.until(lambda: server.service.connections)
    await server.until(lambda: server.service.requests == 1)
    assert b"Connection: close" in waiting.recv(65536)
    waiting.close()
    server.keeper._stop_on(server.keeper.drain_until)
    assert (server.keeper.doors, server.keeper.draining) == ([], False)
    await server.until(lambda: not server.service.connections)
    server.keeper._stop_on(monotonic_ns())
    assert finished.done()


@pytest.mark.parametrize(("dropped", "kept"), [(0, False), (1, True), (2, False)])
async def test_single_doors_that_nobody_serves_afterwards(stand, dropped, kept):
    server = stand(hello)
    server.keeper.start([server.door])
    await stopping(server, Leave(1012, dropped=dropped, idle_ns=SECOND, cancel_ns=LATER))
    assert (server.door in server.keeper.doors) is kept


async def test_a_foreign_socket_keeps_its_queue(stand):
    server = stand(hello)
    server.door.owned = False
    server.keeper.start([server.door])
    await stopping(server, Leave(1001, drain_queue=True, cancel_ns=LATER))
    assert server.keeper.doors == []


async def test_an_answer_that_is_still_being_read_is_waited_for(stand):
    async def app(scope, receive, send):
        await send(start())
        await send(body(b"x" * 3_000_000))

    server = stand(app)
    client = await server.connect()
    await client.send(GET)
    await server.until(lambda: server.last.full)
    finished = await stopping(server, Leave(1001, cancel_ns=LATER, tell_ns=LATER))
    server.keeper._stop_on(monotonic_ns())
    assert not finished.done()
    assert len((await client.answer()).body) == 3_000_000
    client.close()
    await server.until(lambda: not server.service.connections or server.last.state is not State.OPEN)


async def test_closing_ends_everything(stand):
    app = Waiting()
    server = stand(app)
    clients = [await server.connect() for _ in range(3)]
    for client in clients[:2]:
        await client.send(GET)
    await server.until(lambda: len(server.service.running) == 2)
    server.keeper.close()
    await server.until(lambda: not server.service.connections and not server.service.running)
    assert all([not (await client.rest()).endswith(b"0\r\n\r\n") for client in clients])
