"""An ASGI application that answers how many Python frames its worker process has entered so far.

Importing it makes its thread count: servers import an application in the thread that runs their event loop.
`echo` answers a binary WebSocket message with the count in one of the same size.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import framed

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

FIELDS = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % framed.WIDTH)]

sys.setprofile(framed.count)


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """HTTP: the count in a body of fixed width, so that every request costs the same."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": FIELDS})
        await send({"type": "http.response.body", "body": b"%*d" % (framed.WIDTH, framed.entered[0])})
        return
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """A count for every WebSocket message; HTTP and the lifespan as above. One frame of its own a message."""
    if scope["type"] != "websocket":
        await app(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": b"%*d" % (len(message["bytes"]), framed.entered[0])})
