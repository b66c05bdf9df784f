"""How an ASGI WebSocket ends: by the application, its failure, a cancellation, the client, or a broken rule."""

from __future__ import annotations

import asyncio

import pytest

from gunicorn.bridge.exchange import ClientGone
from gunicorn.protocol.limits import WebSocketPolicy
from tests.unit.bridge.websocket_ends import Ends, serve

ACCEPT = {"type": "websocket.accept"}


async def echo(scope, receive, send):
    assert (await receive()) == {"type": "websocket.connect"}
    await send(ACCEPT)
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            scope["seen"] = message
            return
        await send({**message, "type": "websocket.send"})


def sends(*messages):
    """An application that sends these and keeps what was raised, message by message, in `.raised`."""

    async def app(scope, receive, send):
        await receive()
        for message in messages:
            try:
                await send(message)
            except Exception as error:
                app.raised.append(error)
            else:
                app.raised.append(None)
        app.last = await receive()

    app.raised = []
    app.last = None
    return app


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ({"type": "websocket.close"}, 1000, ""),
        ({"type": "websocket.close", "code": None, "reason": None}, 1000, ""),
        ({"type": "websocket.close", "code": 4999, "reason": "ß"}, 4999, "ß"),
    ],
)
def test_the_application_closes(message, code, reason):
    @serve
    async def check():
        ends = Ends()
        app = sends(ACCEPT, message, {"type": "websocket.send", "text": "late"}, message)
        await ends.run(app)
        assert isinstance(app.raised[2], ClientGone)
        assert app.raised[3] is None
        assert app.last == {"type": "websocket.disconnect", "code": code, "reason": reason}
        await ends.end()
        assert (ends.client.close_code, ends.client.close_reason) == (code, reason)
        assert ends.wire.ended
        assert not ends.wire.aborted

    check()


@serve
async def test_the_application_returns():
    ends = Ends()

    async def app(scope, receive, send):
        await send(ACCEPT)

    await ends.run(app)
    await ends.end()
    assert (ends.status, ends.client.close_code) == (101, 1000)


@serve
async def test_the_application_returns_before_it_accepts():
    ends = Ends()

    async def app(scope, receive, send):
        pass

    await ends.run(app)
    await ends.end()
    assert ends.status == 403


@pytest.mark.parametrize("accepted", [False, True])
def test_the_application_raises(accepted):
    @serve
    async def check():
        ends = Ends()

        async def app(scope, receive, send):
            if accepted:
                await send(ACCEPT)
            raise ZeroDivisionError("own fault")

        await ends.run(app)
        with pytest.raises(ZeroDivisionError):
            await ends.end()
        if accepted:
            assert ends.client.close_code == 1011
        else:
            assert ends.status == 500
            assert ends.exchange.status.startswith("500")

    check()


@pytest.mark.parametrize("accepted", [False, True])
def test_cancellation_is_not_masked(accepted):
    @serve
    async def check():
        ends = Ends()

        async def app(scope, receive, send):
            if accepted:
                await send(ACCEPT)
            await asyncio.sleep(60)

        await ends.run(app)
        ends.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ends.task
        assert ends.wire.ended
        await ends.settle()
        assert ends.status == (101 if accepted else 500)

    check()


@serve
async def test_cancellation_while_the_peer_owes_its_close_frame():
    ends = Ends()
    ends.mute = True

    async def app(scope, receive, send):
        await send(ACCEPT)

    await ends.run(app)
    assert not ends.task.done()
    ends.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ends.task
    assert ends.wire.ended


@serve
async def test_the_client_leaves_without_a_word():
    for accepted in (False, True):
        ends = Ends()
        app = sends(*([ACCEPT] if accepted else []))
        await ends.run(app)
        ends.exchange.lost()
        await asyncio.wait_for(ends.task, 5)
        assert app.last == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


@serve
async def test_send_to_a_client_that_left():
    ends = Ends()
    go_on = asyncio.Event()
    raised = []

    async def app(scope, receive, send):
        await send(ACCEPT)
        await go_on.wait()
        for message in ({"type": "websocket.send", "text": "x"}, {"type": "websocket.close"}):
            try:
                await send(message)
            except OSError as error:
                raised.append(error)

    await ends.run(app)
    ends.exchange.lost()
    go_on.set()
    await asyncio.wait_for(ends.task, 5)
    assert [type(error) for error in raised] == [ClientGone]


@serve
async def test_accept_for_a_client_that_left():
    ends = Ends()
    ends.exchange.feed_eof()
    app = sends(ACCEPT)
    await ends.run(app)
    assert isinstance(app.raised[0], ClientGone)
    assert ends.wire.ended
    assert not ends.responses


@serve
async def test_a_half_closed_connection_without_a_close_frame():
    ends = Ends()
    await ends.run(echo)
    ends.exchange.feed_eof()
    await ends.end()
    assert ends.exchange.scope["seen"]["code"] == 1006


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\x81\x81\0\0\0\0\xff", 1007), (b"\xf1\x80\0\0\0\0", 1002), (b"\x81\xff" + b"\1" * 12, 1009)],
)
def test_the_client_breaks_a_rule(data, code):
    @serve
    async def check():
        ends = Ends(WebSocketPolicy(max_message_size=1000))
        await ends.run(echo)
        ends.exchange.feed(data)
        await ends.end()
        assert ends.exchange.scope["seen"]["code"] == code
        assert ends.client.close_code == code

    check()


@serve
async def test_frames_that_came_with_the_request():
    """Not allowed of a client, and yet they are the new protocol's; before the answer they wait."""
    ends = Ends()
    ends.machine.receive(b"\x81\x81\0\0\0\0a")
    ends.exchange.feed(b"")
    await ends.run(echo)
    assert ends.texts == ["a"]
    ends.client.send_close(1000)
    await ends.end()
    other = Ends()
    other.exchange.feed(b"\x81\x81\0\0\0\0b")
    await other.run(echo)
    assert other.texts == ["b"]
    other.exchange.lost()
    await other.task
