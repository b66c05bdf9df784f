"""The connection under an ASGI WebSocket: back-pressure both ways, pings, leaving, peers that do not close."""

from __future__ import annotations

import asyncio

import pytest

from gunicorn.bridge.websocket import CLOSING_NS, LOOK_NS, NEVER, WAITING_COUNT, WAITING_SIZE
from gunicorn.protocol.limits import WebSocketPolicy
from tests.support.websocket_frames import BINARY, FIN, PING, TEXT, Deflater, close, frame
from tests.unit.bridge.websocket_ends import Ends, serve

SECOND = 1_000_000_000
NOW = 5000 * SECOND
POLICY = WebSocketPolicy(ping_interval=20, ping_timeout=10, deflate=False)


class Reader:
    """An application that accepts and then reads what it is told to read."""

    def __init__(self) -> None:
        self.receive = None
        self.send = None
        self.done = asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.receive, self.send = receive, send
        await receive()
        await send({"type": "websocket.accept"})
        await self.done.wait()


async def opened(policy: WebSocketPolicy = POLICY, **more) -> tuple[Ends, Reader]:
    ends, app = Ends(policy, **more), Reader()
    await ends.run(app)
    assert ends.status == 101
    return ends, app


async def finish(ends: Ends, app: Reader) -> None:
    app.done.set()
    ends.exchange.lost()
    await asyncio.wait_for(ends.task, 5)


# -- back-pressure ---------------------------------------------------------------------------------------


@serve
async def test_a_client_waits_while_many_messages_wait():
    ends, app = await opened()
    one = frame(FIN | TEXT, b"x")
    for _ in range(WAITING_COUNT):
        ends.exchange.feed(one)
    assert not ends.wire.paused
    ends.exchange.feed(one)
    assert ends.wire.paused
    for left in range(WAITING_COUNT, -1, -1):
        assert (await app.receive())["text"] == "x"
        assert ends.wire.paused is (left > WAITING_COUNT // 2)
    await finish(ends, app)


@serve
async def test_a_client_waits_while_big_messages_wait():
    ends, app = await opened()
    ends.exchange.feed(frame(FIN | BINARY, b"x" * WAITING_SIZE))
    assert not ends.wire.paused
    ends.exchange.feed(frame(FIN | BINARY, b"y"))
    assert ends.wire.paused
    await app.receive()
    assert not ends.wire.paused
    await finish(ends, app)


@serve
async def test_one_read_of_many_frames_is_not_taken_in_at_once():
    """What a small read inflates to waits inside the machine, and comes in order."""
    deflate = Deflater()
    data = b"".join(frame(FIN | 0x40 | BINARY, deflate(bytes((number,)) * 50_000)) for number in range(60))
    assert len(data) < 10_000
    ends, app = await opened(WebSocketPolicy(deflate=True), deflate=True)
    ends.exchange.feed(data + close(4000))
    assert ends.exchange.messages_in <= 3
    assert ends.wire.paused
    for number in range(60):
        assert (await app.receive())["bytes"] == bytes((number,)) * 50_000
        assert len(ends.exchange.inbox) <= 3
    assert not ends.wire.paused
    assert (await app.receive())["code"] == 4000
    assert ends.exchange.messages_in == 60
    await finish(ends, app)


@serve
async def test_a_client_that_left_in_the_meantime_is_read_to_its_end():
    for last, code in ((close(4000), 4000), (b"", 1006)):
        ends, app = await opened()
        ends.exchange.feed(frame(FIN | TEXT, b"x") * 100 + last)
        assert ends.wire.paused
        ends.exchange.lost()
        for _ in range(100):
            assert (await app.receive())["text"] == "x"
        assert (await app.receive())["code"] == code
        assert (await app.receive())["code"] == code
        await finish(ends, app)


@serve
async def test_an_application_that_closes_hears_the_close_frame_behind_what_it_did_not_read():
    ends, app = await opened()
    ends.exchange.feed(frame(FIN | TEXT, b"x") * 100)
    assert ends.wire.paused
    await app.send({"type": "websocket.close"})
    assert not ends.wire.paused
    app.done.set()
    await ends.end()
    assert ends.client.close_code == 1000


@serve
async def test_send_waits_while_the_client_does_not_read():
    ends, app = await opened()
    ends.wire.full = True
    sending = asyncio.create_task(app.send({"type": "websocket.send", "text": "x"}))
    await ends.settle()
    assert ends.texts == ["x"]
    assert not sending.done()
    ends.wire.full = False
    ends.wire.room.set()
    await asyncio.wait_for(sending, 5)
    await finish(ends, app)


@serve
async def test_pings_of_a_client_that_does_not_read_are_answered_by_one_pong_at_last():
    ends, app = await opened()
    ends.wire.full = True
    for number in range(1000):
        ends.exchange.feed(frame(FIN | PING, b"%d" % number))
    assert ends.wire.out == b""
    ends.wire.full = False
    ends.exchange.tick(NOW)
    assert ends.wire.out == b"\x8a\x03999"
    await finish(ends, app)


@serve
async def test_bytes_before_the_answer_are_bounded():
    ends = Ends(POLICY)
    ends.exchange.feed(frame(FIN | BINARY, b"x" * WAITING_SIZE))
    assert ends.wire.paused
    app = Reader()
    await ends.run(app)
    assert not ends.wire.paused
    assert len((await app.receive())["bytes"]) == WAITING_SIZE
    await finish(ends, app)


@serve
async def test_a_cancelled_receive_takes_nothing_with_it():
    ends, app = await opened()
    first, second = asyncio.create_task(app.receive()), asyncio.create_task(app.receive())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    ends.exchange.feed(frame(FIN | TEXT, b"x"))
    assert (await asyncio.wait_for(second, 5))["text"] == "x"
    await finish(ends, app)


# -- the clock -------------------------------------------------------------------------------------------


def pinged(ends: Ends) -> bytes:
    """The payload of the ping that was sent, or b""."""
    out, ends.wire.out = bytes(ends.wire.out), bytearray()
    return out[2:] if out[:1] == b"\x89" else b""


@serve
async def test_a_peer_that_answers_pings_stays():
    ends, app = await opened()
    exchange = ends.exchange
    now = NOW
    assert exchange.tick(now) == now + LOOK_NS
    for _ in range(5):
        now += 20 * SECOND
        again = exchange.tick(now)
        assert now < again <= now + LOOK_NS
        payload = pinged(ends)
        assert payload
        ends.client.send_pong(payload)
        ends.flush()
    assert not ends.wire.ended
    assert not ends.wire.aborted
    await finish(ends, app)


@serve
async def test_a_peer_that_does_not_answer_is_given_up():
    ends, app = await opened()
    exchange = ends.exchange
    exchange.tick(NOW)
    assert exchange.tick(NOW + 20 * SECOND) == NOW + 25 * SECOND
    assert pinged(ends)
    exchange.feed(frame(FIN | TEXT, b"alive, and yet no pong"))
    exchange.tick(NOW + 29 * SECOND)
    assert not ends.wire.aborted
    assert exchange.tick(NOW + 30 * SECOND) == NEVER
    assert ends.wire.aborted
    assert ends.wire.out[:4] == b"\x88\x18\x03\xf3"
    assert (await app.receive())["text"]
    disconnect = await app.receive()
    assert (disconnect["code"], disconnect["reason"]) == (1006, "keepalive ping timeout")
    app.done.set()
    await asyncio.wait_for(ends.task, 5)


@serve
async def test_a_pong_behind_a_long_frame_may_take_its_time():
    ends, app = await opened()
    exchange = ends.exchange
    data = frame(FIN | BINARY, b"x" * 1000)
    exchange.tick(NOW)
    exchange.tick(NOW + 20 * SECOND)
    payload = pinged(ends)
    now = NOW + 20 * SECOND
    for at in range(0, len(data), 300):
        exchange.feed(data[at : at + 300])
        now += 9 * SECOND
        exchange.tick(now)
        assert not ends.wire.aborted
    exchange.feed(frame(FIN | 0xA, payload))
    exchange.tick(now + 10 * SECOND)
    assert not ends.wire.aborted
    # Half a frame and then nothing is no excuse.
    exchange.feed(data[:300])
    for _ in range(5):
        now += 20 * SECOND
        exchange.tick(now)
    assert ends.wire.aborted
    app.done.set()
    await asyncio.wait_for(ends.task, 5)


@serve
async def test_a_pong_that_nobody_reads_is_not_missed():
    ends, app = await opened()
    exchange = ends.exchange
    exchange.tick(NOW)
    exchange.tick(NOW + 20 * SECOND)
    exchange.feed(frame(FIN | TEXT, b"x") * 100)
    assert ends.wire.paused
    exchange.tick(NOW + 30 * SECOND)
    assert not ends.wire.aborted
    await finish(ends, app)


@pytest.mark.parametrize("by", ["application", "server", "return"])
def test_a_peer_that_does_not_close(by):
    @serve
    async def check():
        ends, app = await opened()
        ends.mute = True
        exchange = ends.exchange
        exchange.tick(NOW)
        if by == "application":
            await app.send({"type": "websocket.close"})
        elif by == "server":
            exchange.leave(1001)
        app.done.set()
        await ends.settle()
        assert not ends.task.done()
        assert exchange.tick(NOW + SECOND) <= NOW + SECOND + LOOK_NS
        assert exchange.tick(NOW + SECOND + CLOSING_NS - 1) == NOW + SECOND + CLOSING_NS
        assert not ends.wire.aborted
        assert exchange.tick(NOW + SECOND + CLOSING_NS) == NEVER
        assert ends.wire.aborted
        await asyncio.wait_for(ends.task, 5)

    check()


@serve
async def test_before_the_handshake_is_answered_nothing_is_due():
    ends = Ends(POLICY)
    assert ends.exchange.tick(NOW) == NOW + LOOK_NS
    assert ends.wire.out == b""


# -- leaving ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1001, 1012])
def test_the_server_leaves(code):
    @serve
    async def check():
        ends, app = await opened()
        ends.exchange.feed(frame(FIN | TEXT, b"before"))
        ends.exchange.leave(code)
        ends.exchange.leave(code)
        ends.exchange.feed(frame(FIN | TEXT, b"after"))
        assert (await app.receive())["text"] == "before"
        assert (await app.receive())["code"] == code
        with pytest.raises(OSError, match="closed"):
            await app.send({"type": "websocket.send", "text": "x"})
        app.done.set()
        await ends.end()
        assert ends.client.close_code == code
        assert not ends.wire.aborted

    check()


@serve
async def test_the_server_leaves_before_the_handshake_is_answered():
    ends, app = Ends(POLICY), Reader()
    ends.exchange.leave(1012)
    await ends.run(app)
    assert ends.status == 101
    assert (await app.receive())["code"] == 1012
    app.done.set()
    await ends.end()
    assert ends.client.close_code == 1012


@serve
async def test_nothing_is_sent_to_what_is_over():
    ends, app = await opened()
    await finish(ends, app)
    exchange = ends.exchange
    ends.wire.out = bytearray()
    exchange.feed(frame(FIN | PING))
    exchange.leave(1001)
    exchange.feed_eof()
    assert exchange.tick(NOW) == NEVER
    assert ends.wire.out == b""
