"""The ASGI WebSocket interface: messages, their order, denials, ends, and what goes wrong in the application."""

from __future__ import annotations

import asyncio

import pytest

from gunicorn.bridge.exchange import ClientGone
from gunicorn.protocol.errors import ProtocolError, ResponseError
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


@pytest.mark.parametrize("deflate", [False, True])
def test_echo(deflate):
    @serve
    async def check():
        ends = Ends(deflate=deflate)
        await ends.run(echo)
        assert ends.status == 101
        assert bool(ends.client.extensions) is deflate
        ends.client.send_text("grüße".encode())
        ends.client.send_binary(b"\x00\xff")
        ends.client.send_text(b"")
        ends.client.send_text(b"x" * 70000)
        await ends.settle()
        assert ends.texts == ["grüße", "", "x" * 70000]
        assert ends.binaries == [b"\x00\xff"]
        exchange = ends.exchange
        assert (exchange.messages_in, exchange.messages_out) == (4, 4)
        assert exchange.status == "101 Switching Protocols"
        assert exchange.sent > (100 if deflate else 70000)
        ends.client.send_close(4001, "bye")
        await ends.end()
        assert exchange.scope["seen"] == {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
        assert (ends.client.close_code, ends.client.close_reason) == (4001, "bye")

    check()


@serve
async def test_the_scope():
    ends = Ends()
    scope = ends.exchange.scope
    assert scope["type"] == "websocket"
    assert (scope["scheme"], scope["path"], scope["query_string"]) == ("ws", "/path", b"x=1")
    assert scope["subprotocols"] == ["chat", "log"]
    assert "websocket.http.response" in scope["extensions"]
    assert "method" not in scope


def test_a_request_that_is_no_handshake():
    with pytest.raises(ProtocolError) as caught:
        Ends(Sec_WebSocket_Version="12")
    assert caught.value.status == 426


@serve
async def test_subprotocol_and_headers():
    ends = Ends()
    app = sends({**ACCEPT, "subprotocol": "log", "headers": [(b"X-One", b"a\xe9"), [b"set-cookie", b"k=v"]]})
    await ends.run(app)
    head = ends.responses[0].headers
    assert ends.client.subprotocol == "log"
    assert (head["X-One"].encode("latin-1", "surrogateescape")[:1], head["Set-Cookie"]) == (b"a", "k=v")
    assert ends.exchange.fields[-1] == ("set-cookie", "k=v")
    ends.client.send_close(1000)
    await ends.end()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subprotocol": "other"}, "did not offer"),
        ({"headers": [(b"Sec-WebSocket-Protocol", b"chat")]}, "subprotocol"),
        ({"headers": [(b"sec-websocket-extensions", b"x")]}, "sec-websocket-extensions"),
        ({"headers": [(b"Sec-WebSocket-Accept", b"x")]}, "Sec-WebSocket-Accept"),
        ({"headers": [(b"Connection", b"close")]}, "Connection"),
        ({"headers": [(b"Transfer-Encoding", b"chunked")]}, "Transfer-Encoding"),
        ({"headers": [("str", "str")]}, "pairs of bytes"),
        ({"headers": [b"x"]}, "pairs of bytes"),
        ({"headers": [(b"bad name", b"x")]}, "bad name"),
        ({"headers": [(b"X", b"a\r\nB: c")]}, "control character"),
    ],
)
def test_what_may_not_be_accepted_with_can_be_done_better(change, words):
    """The error is in the application's stack, nothing was said, and another accept works."""

    @serve
    async def check():
        ends = Ends()
        app = sends({**ACCEPT, **change}, ACCEPT, {"type": "websocket.send", "text": "hi"})
        await ends.run(app)
        assert isinstance(app.raised[0], ResponseError)
        assert words in str(app.raised[0])
        assert app.raised[1:] == [None, None]
        assert (ends.status, ends.texts) == (101, ["hi"])
        ends.client.send_close(1000)
        await ends.end()

    check()


# -- denials ---------------------------------------------------------------------------------------------


@serve
async def test_close_before_accept_is_403():
    ends = Ends()
    app = sends({"type": "websocket.close", "code": 4000}, {"type": "websocket.send", "text": "x"})
    await ends.run(app)
    response = ends.responses[0]
    assert (response.status_code, response.headers["Connection"]) == (403, "close")
    assert ends.exchange.status == "403 Forbidden"
    assert isinstance(app.raised[1], ClientGone)
    assert app.last["type"] == "websocket.disconnect"
    await ends.end()


@pytest.mark.parametrize("parts", [[b""], [b"no ticket"], [b"no ", b"", b"ticket"]])
def test_a_denial_response(parts):
    parts = list(parts)

    @serve
    async def check():
        ends = Ends()
        sent = len(b"".join(parts))
        bodies = [
            {"type": "websocket.http.response.body", "body": part, "more_body": number < len(parts) - 1}
            for number, part in enumerate(parts)
        ]
        start = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"WWW-Authenticate", b"Basic")]}
        app = sends(start, *bodies, ACCEPT, bodies[-1])
        await ends.run(app)
        head, _, body = ends.raw.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"HTTP/1.1 401 Unauthorized"
        assert {b"WWW-Authenticate: Basic", b"Connection: close"} <= set(lines)
        if len(parts) > 1:
            parts[:] = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part] + [b"0\r\n\r\n"]
        assert body == b"".join(parts)
        assert ends.exchange.status == "401 Unauthorized"
        assert ends.exchange.sent == sent
        assert [type(error) for error in app.raised[-2:]] == [ClientGone, ClientGone]
        await ends.end()

    check()


@serve
async def test_a_denial_that_is_not_finished():
    """Without a body there is still time for a 500, behind half of one there is only the end."""
    start = {"type": "websocket.http.response.start", "status": 401}
    body = {"type": "websocket.http.response.body", "body": b"half", "more_body": True}
    for messages, status in (([start], 500), ([start, body], 401)):
        ends = Ends()

        async def app(scope, receive, send, messages=messages):
            for message in messages:
                await send(message)

        await ends.run(app)
        assert ends.exchange.status[:3] == str(status)
        assert ends.wire.aborted is (status == 401)
        with pytest.raises(ResponseError, match="denial"):
            await ends.task


@pytest.mark.parametrize("status", [101, 100, 199, 1000, "401", None])
def test_a_denial_of_no_such_status(status):
    @serve
    async def check():
        ends = Ends()
        app = sends({"type": "websocket.http.response.start", "status": status}, {"type": "websocket.close"})
        await ends.run(app)
        assert isinstance(app.raised[0], ResponseError)
        assert ends.status == 403
        await ends.end()

    check()


# -- order and format ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "message", "words"),
    [
        ([], {"type": "websocket.send", "text": "x"}, "before the handshake"),
        ([], {"type": "websocket.http.response.body"}, "before the handshake"),
        ([], {"type": "http.response.start", "status": 200}, "no message to a WebSocket"),
        ([], {"type": "websocket.http.response.start"}, "no 'status'"),
        ([], {"text": "x"}, "'type'"),
        ([], None, "'type'"),
        ([ACCEPT], ACCEPT, "websocket.accept was sent on an open connection"),
        ([ACCEPT], {"type": "websocket.http.response.start", "status": 401}, "on an open connection"),
        ([ACCEPT], {"type": "websocket.sned", "text": "x"}, "websocket.sned"),
        ([ACCEPT], {"type": "websocket.send"}, "needs 'text' or 'bytes'"),
        ([ACCEPT], {"type": "websocket.send", "text": None, "bytes": None}, "needs 'text' or 'bytes'"),
        ([ACCEPT], {"type": "websocket.send", "text": b"x"}, "'text' is str, not bytes"),
        ([ACCEPT], {"type": "websocket.send", "bytes": "x"}, "'bytes' is bytes, not str"),
        ([ACCEPT], {"type": "websocket.send", "text": "\ud800"}, "surrogate"),
        ([ACCEPT], {"type": "websocket.close", "code": 1006}, "1006 is no close code"),
        ([ACCEPT], {"type": "websocket.close", "code": "1000"}, "is an int"),
        ([ACCEPT], {"type": "websocket.close", "reason": "x" * 124}, "at most 123"),
        ([{"type": "websocket.http.response.start", "status": 401}], ACCEPT, "within a denial"),
        ([{"type": "websocket.http.response.start", "status": 401}], {"type": "websocket.close"}, "within a denial"),
    ],
)
def test_messages_that_are_wrong(before, message, words):
    @serve
    async def check():
        ends = Ends()
        app = sends(*before, message)
        await ends.run(app)
        assert app.raised[:-1] == [None] * len(before)
        assert isinstance(app.raised[-1], ResponseError)
        assert words in str(app.raised[-1])
        ends.exchange.lost()
        await asyncio.wait([ends.task], timeout=5)

    check()


@serve
async def test_bytes_like_data_and_unknown_keys():
    ends = Ends()
    app = sends(
        {**ACCEPT, "color": "red"},
        {"type": "websocket.send", "bytes": bytearray(b"one"), "text": None},
        {"type": "websocket.send", "bytes": memoryview(b"two")},
        {"type": "websocket.send", "bytes": b"", "more": 1},
    )
    await ends.run(app)
    assert ends.binaries == [b"one", b"two", b""]
    ends.client.send_close(1000)
    await ends.end()
