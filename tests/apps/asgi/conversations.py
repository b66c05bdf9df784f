"""WebSockets whose application says over HTTP what it saw: `/ends` names how each ended, in order.

`/` echoes, `/deaf` never reads, `/talks` sends for ever, `/raises` fails after its first message.
"""

from __future__ import annotations

import asyncio

from tests.apps.asgi import speak

ENDS: list[list[object]] = []


async def echo(receive, send):
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    ENDS.append(["echo", message["code"], message["reason"]])


async def deaf(receive, send):
    while not ENDS or ENDS[-1] != ["wake"]:
        await asyncio.sleep(0.02)
    size = 0
    while (message := await receive())["type"] == "websocket.receive":
        size += len(message["bytes"])
    ENDS.append(["deaf", message["code"], size])


async def talks(receive, send):
    try:
        while True:
            await send({"type": "websocket.send", "bytes": b"x" * 65536})
    except OSError as error:
        ENDS.append(["talks", isinstance(error, ConnectionError), ""])
        raise


async def raises(receive, send):
    await receive()
    raise ArithmeticError("this was to be expected")


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await speak.lifespan(receive, send)
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await {"/": echo, "/deaf": deaf, "/talks": talks, "/raises": raises}[scope["path"]](receive, send)
    elif scope["path"] == "/wake":
        ENDS.append(["wake"])
        await speak.answer(send, b"ok")
    else:
        await speak.answer_json(send, ENDS)
