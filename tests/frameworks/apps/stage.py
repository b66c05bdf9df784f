"""What all six applications share: payloads, marks a later request can read, gates a later request can open.

Knows no framework. One process and one event loop are assumed: the suite runs one worker.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path

PIECE = bytes(range(256)) * 256
"""64 KiB in which every byte value occurs."""
LARGE = PIECE * 80
"""5 MiB: more than the socket buffers of a slow reader take."""
EVENTS = 5
FILE_SIZE = 1 << 20
ACCEPT_FIELD = (b"x-accepted", b"yes")

FROM_LIFESPAN: ContextVar[str] = ContextVar("from_lifespan", default="unset")
IN_REQUEST: ContextVar[str] = ContextVar("in_request", default="unset")

_marks: defaultdict[str, list[str]] = defaultdict(list)
_gates: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))


def configure_logging() -> None:
    """Sends everything from WARNING on to stderr, as a deployment does; the tests look for tracebacks there."""
    logging.basicConfig(level=logging.WARNING)


def folder() -> Path:
    """Where the suite looks for files of this run."""
    return Path(os.environ["FRAMEWORKS_FOLDER"])


def download() -> Path:
    """A file of FILE_SIZE bytes; byte n is n mod 251."""
    path = folder() / "download.bin"
    if not path.exists():
        path.write_bytes((bytes(range(251)) * (FILE_SIZE // 251 + 1))[:FILE_SIZE])
    return path


def started() -> str:
    """Called when the lifespan starts; returns what belongs into the state."""
    if os.environ.get("FRAMEWORKS_FAIL") == "startup":
        raise RuntimeError("on purpose: the startup broke")
    FROM_LIFESPAN.set("set at startup")
    (folder() / "started").write_text("yes")
    return "set at startup"


def stopped() -> None:
    """Called when the lifespan ends."""
    (folder() / "stopped").write_text("yes")


def mark(key: str, text: str) -> None:
    _marks[key].append(text)


def marks(key: str) -> list[str]:
    return list(_marks[key])


def open_gate(key: str) -> None:
    """Lets one waiter of `gate(key)` go on, now or when it comes."""
    _gates[key].release()


async def gate(key: str) -> None:
    await _gates[key].acquire()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def events(key: str) -> AsyncIterator[bytes]:
    """Server-sent events. Each but the first waits until the gate is opened once more."""
    for number in range(EVENTS):
        if number:
            await gate(key)
        yield f"id: {number}\ndata: event {number}\n\n".encode()


async def stream(key: str, pieces: int) -> AsyncIterator[bytes]:
    """`pieces` times PIECE, marking each before it is given out."""
    for number in range(pieces):
        mark(key, str(number))
        yield PIECE


async def endless(key: str) -> AsyncIterator[bytes]:
    """A stream without end that marks its first piece and how it was ended."""
    try:
        mark(key, "began")
        while True:
            yield b"tick\n"
            await asyncio.sleep(0.01)
    finally:
        mark(key, "ended")


async def ticking(send: Callable[[str], Awaitable[None]], key: str) -> None:
    """Sends for ever what nobody asked for, and marks that it ended."""
    try:
        while True:
            await send("tick")
            await asyncio.sleep(0.01)
    finally:
        mark(key, "ended")


async def failing() -> AsyncIterator[bytes]:
    """A stream that breaks after its first piece."""
    yield b"first piece\n"
    await asyncio.sleep(0)
    raise RuntimeError("on purpose: the stream broke")


async def digested(pieces: AsyncIterator[bytes], key: str) -> dict[str, object]:
    """Reads a request body, marking the size so far after each piece."""
    sha, size = hashlib.sha256(), 0
    try:
        async for piece in pieces:
            if piece:
                sha.update(piece)
                size += len(piece)
                mark(key, str(size))
    except BaseException:
        mark(key, "cut short")
        raise
    mark(key, "whole")
    return {"size": size, "sha256": sha.hexdigest()}


async def context(value: str, key: str) -> dict[str, str]:
    """What a context variable was before it was set here, and is after the gate was opened."""
    before = IN_REQUEST.get()
    IN_REQUEST.set(value)
    if key:
        mark(key, value)
        await gate(key)
    return {"before": before, "after": IN_REQUEST.get(), "lifespan": FROM_LIFESPAN.get()}


async def background(key: str) -> None:
    """Work that goes on after the response: ends once its gate is opened."""
    mark(key, "began")
    await gate(key)
    mark(key, "done")
