"""What sloppy applications do, and what the worker says of itself: `/cells` gives gauges and counters."""

from __future__ import annotations

import asyncio
import gc
import os
from urllib.parse import parse_qs

from tests.apps.asgi import speak

EVENTS: list[str] = []
SHARED = [[b"x-count", b"0"]]
COUNT = [0]
TASKS = []


async def big(receive, send, query):
    """`?n=` bytes in one message."""
    await speak.answer(send, b"x" * int(query["n"][0]))


async def file(receive, send, query):
    """`?path=` by path."""
    await speak.start(send)
    await send({"type": "http.response.pathsend", "path": query["path"][0]})


async def naps(receive, send, query):
    await asyncio.sleep(float(query["s"][0]))
    await speak.answer(send, b"%d" % os.getpid())


async def listens(receive, send, query):
    """Answers when its client leaves."""
    EVENTS.append("listens")
    while (await receive())["type"] != "http.disconnect":
        pass
    EVENTS.append("heard")
    await speak.answer(send, b"")


async def mutates(receive, send, query):
    """One list of lists for all answers, changed in place."""
    COUNT[0] += 1
    SHARED[0][1] = b"%d" % COUNT[0]
    await send({"type": "http.response.start", "status": 200, "headers": SHARED})
    await speak.body(send, b"same")


async def generates(receive, send, query):
    """Fields by an iterator, as far as the query names one."""
    fields = [(name.encode(), values[0].encode()) for name, values in query.items()]
    await send({"type": "http.response.start", "status": 200, "headers": iter(fields) if fields else []})
    await speak.body(send, b"same")


async def exits(receive, send, query):
    """Answers, and ends the process from a task of its own."""

    async def end():
        raise SystemExit(3)

    await speak.answer(send, b"%d" % os.getpid())
    TASKS.append(asyncio.ensure_future(end()))


async def events(receive, send, query):
    await speak.answer_json(send, EVENTS)


async def tasks(receive, send, query):
    gc.collect()
    await speak.answer_json(send, len(asyncio.all_tasks()))


async def memory(receive, send, query):
    """Resident memory, in KiB."""
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    await speak.answer(send, lines["VmRSS"].split()[0].encode())


async def pid(receive, send, query):
    await speak.answer(send, b"%d" % os.getpid())


PAGES = [big, file, naps, listens, mutates, generates, exits, events, tasks, memory]
ROUTES = {f"/{page.__name__}": page for page in PAGES}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await speak.lifespan(receive, send)
    elif scope["type"] == "websocket":
        await receive()
        await asyncio.sleep(0.3)
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": str(len(message.get("bytes") or message.get("text")))})
    else:
        await ROUTES.get(scope["path"], pid)(receive, send, parse_qs(scope["query_string"].decode()))
