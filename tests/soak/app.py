"""What the soak's clients ask for, and `/probe`: how much of them the worker still holds."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import tempfile
from pathlib import Path

from gunicorn.metrics import cells

HOOK = """
import sys
sys.path.insert(0, {root!r})
from tests.soak import app

def post_worker_init(worker):
    app.WORKERS.append(worker)
"""
"""A configuration file that tells this module its worker."""

WORKERS = []
COUNTED = ("CONNECTIONS", "IN_FLIGHT", "WEBSOCKETS", "STATUS_2XX", "STATUS_5XX", "REJECTED", "ABORTED", "ACCEPTED")
BLOCK = b"x" * 4096
FILE = Path(tempfile.gettempdir()) / f"gunicorn-soak-{os.getpid()}"


def held():
    """Gauges and counters of the worker, and what the process holds."""
    page = WORKERS[-1].row.page
    counts = {name.lower(): page[getattr(cells, name)] for name in COUNTED}
    return {**counts, "tasks": len(asyncio.all_tasks()), "files": len(os.listdir("/proc/self/fd")), "pid": os.getpid()}


async def start(send, status=200, length=None):
    fields = [(b"content-type", b"text/plain")]
    if length is not None:
        fields.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def answer(send, body, status=200):
    await start(send, status, len(body))
    await send({"type": "http.response.body", "body": body})


async def hello(receive, send):
    await answer(send, b"hello")


async def slow(receive, send):
    await asyncio.sleep(0.02)
    await answer(send, b"slow")


async def stream(receive, send):
    await start(send)
    for _ in range(20):
        await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body"})


async def endless(receive, send):
    await start(send)
    while True:
        await send({"type": "http.response.body", "body": BLOCK * 4, "more_body": True})


async def upload(receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    await answer(send, b"%d" % size)


async def ignore(receive, send):
    await answer(send, b"ignored")


async def wait(receive, send):
    while (await receive())["type"] != "http.disconnect":
        pass


async def deaf(receive, send):
    await asyncio.sleep(0.3)
    await answer(send, b"deaf")


async def crash(receive, send):
    await start(send)
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("meant to be")


async def file(receive, send):
    if not FILE.exists():
        FILE.write_bytes(BLOCK * 64)
    await start(send, length=len(BLOCK) * 64)
    await send({"type": "http.response.pathsend", "path": str(FILE)})


async def probe(receive, send):
    gc.collect()
    await answer(send, json.dumps(held()).encode())


PAGES = {
    f"/{page.__name__}": page for page in (hello, slow, stream, endless, upload, ignore, wait, deaf, crash, file, probe)
}


async def websocket(path, receive, send):
    await receive()
    if path == "/deny":
        await send({"type": "websocket.close", "code": 1008})
        return
    if path == "/hesitate":
        await asyncio.sleep(0.02)
    await send({"type": "websocket.accept"})
    if path == "/goodbye":
        await send({"type": "websocket.close", "code": 1000, "reason": "that was all"})
        return
    while path == "/talk":
        await send({"type": "websocket.send", "bytes": BLOCK})
    while (message := await receive())["type"] == "websocket.receive":
        if path == "/fail":
            raise RuntimeError("meant to be")
        if message.get("text") is not None:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                FILE.unlink(missing_ok=True)
                return
    elif scope["type"] == "websocket":
        await websocket(scope["path"], receive, send)
    else:
        await PAGES[scope["path"]](receive, send)
