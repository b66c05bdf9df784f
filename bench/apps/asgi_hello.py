"""The ASGI applications of the throughput workloads: as little application as there can be.

Each answers HTTP and the lifespan; `echo` speaks WebSocket too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HELLO = b"Hello, world!"
FIELDS = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(HELLO))]
EIGHT_FIELDS = [
    *FIELDS,
    (b"cache-control", b"private, max-age=0, must-revalidate"),
    (b"etag", b'"33a64df551425fcc55e4d42a148795d9f25f89d4"'),
    (b"vary", b"Accept-Encoding, Cookie"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"set-cookie", b"session=8f14e45fceea167a5a36dedd4bea2543; Path=/; HttpOnly; SameSite=Lax"),
]
PIECES, PIECE = 100, b"x" * 1024


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Thirteen bytes, two fields."""
    if scope["type"] != "http":
        await lifespan(receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": FIELDS})
    await send({"type": "http.response.body", "body": HELLO})


async def eight(scope: Scope, receive: Receive, send: Send) -> None:
    """Thirteen bytes, eight fields, and a look at what the browser sent."""
    if scope["type"] != "http":
        await lifespan(receive, send)
        return
    for name, _ in scope["headers"]:
        if name == b"cookie":
            break
    await send({"type": "http.response.start", "status": 200, "headers": EIGHT_FIELDS})
    await send({"type": "http.response.body", "body": HELLO})


async def read(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole body; the answer is its length."""
    if scope["type"] != "http":
        await lifespan(receive, send)
        return
    pieces = []
    more = True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"%d\n" % len(b"".join(pieces))
    fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """A hundred pieces of 1 KiB and an end of its own, as frameworks stream; no length is declared."""
    if scope["type"] != "http":
        await lifespan(receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": FIELDS[:1]})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends every WebSocket message back."""
    if scope["type"] != "websocket":
        await app(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        # A server may leave the other kind out, or say None (ASGI specification, "Receive - receive event").
        data = message.get("bytes")
        if data is None:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": data})


async def lifespan(receive: Receive, send: Send) -> None:
    """Starts and ends without doing anything."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
