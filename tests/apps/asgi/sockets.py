"""WebSockets: an echo, and what a server says to them when it goes. Plain requests answer the pid.

`/events` tells with which code each connection ended.
"""

from __future__ import annotations

import asyncio
import os

from tests.apps.asgi import speak

EVENTS: list[str] = []


async def echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "pid":
            await send({"type": "websocket.send", "text": str(os.getpid())})
        elif message.get("text") == "close":
            await send({"type": "websocket.close", "code": 3001, "reason": "as you wish"})
        elif message.get("bytes") is not None:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
        else:
            await send({"type": "websocket.send", "text": message["text"]})
    EVENTS.append(f"echo {message['code']}")


async def talks(scope, receive, send):
    """Sends for ever, as fast as it may."""
    await receive()
    await send({"type": "websocket.accept"})
    try:
        while True:
            await send({"type": "websocket.send", "bytes": b"x" * 4096})
    except OSError:
        EVENTS.append("talks OSError")
        raise
    except asyncio.CancelledError:
        EVENTS.append("talks cancelled")
        raise


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await speak.lifespan(receive, send)
    elif scope["type"] == "websocket":
        await {"/talks": talks}.get(scope["path"], echo)(scope, receive, send)
    elif scope["path"] == "/events":
        await speak.answer_json(send, EVENTS)
    else:
        await speak.answer(send, b"%d" % os.getpid())
