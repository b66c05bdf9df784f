"""Applications whose lifespans end in every way. What happens is appended to the file that MARKS names.

Each answers requests with its pid, so that it can be seen whether it serves.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.apps.asgi import speak


def mark(text):
    if "MARKS" in os.environ:
        with Path(os.environ["MARKS"]).open("a") as marks:
            marks.write(f"{text} {os.getpid()}\n")


def application(lifespan):
    """An application with this lifespan, which gets (scope, receive, send)."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
        else:
            await speak.answer(send, b"%d alive\n" % os.getpid())

    return app


@application
async def good(scope, receive, send):
    assert scope["asgi"]["version"] == "3.0"
    assert (await receive())["type"] == "lifespan.startup"
    mark("startup")
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    mark("shutdown")
    await send({"type": "lifespan.shutdown.complete"})


@application
async def slow_to_end(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    mark("shutting")
    await asyncio.sleep(0.5)
    mark("shutdown")
    await send({"type": "lifespan.shutdown.complete"})


@application
async def slow_to_start(scope, receive, send):
    await receive()
    await asyncio.sleep(1.5)
    mark("startup")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


@application
async def says_failed(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is not there"})


@application
async def raises(scope, receive, send):
    raise RuntimeError("no lifespan here")


@application
async def raises_after_receive(scope, receive, send):
    await receive()
    raise RuntimeError("the pool could not be opened")


@application
async def returns(scope, receive, send):
    return


@application
async def dies_later(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await asyncio.sleep(0.2)
    raise RuntimeError("the background task broke")


@application
async def shutdown_fails(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    mark("shutdown")
    await send({"type": "lifespan.shutdown.failed", "message": "the queue was not empty"})


@application
async def shutdown_raises(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    mark("shutdown")
    raise RuntimeError("closing broke")


@application
async def never_ends(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    mark("shutdown")
    await asyncio.sleep(600)
