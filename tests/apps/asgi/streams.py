"""Long answers and unread bodies: what an application sees of a client that waits, stops or leaves.

`/events` tells everything noted so far, `/tasks` how many tasks the loop has.
"""

from __future__ import annotations

import asyncio
import os
from urllib.parse import parse_qs

from tests.apps.asgi import speak

EVENTS: list[str] = []
STREAM = [(b"content-type", b"text/event-stream")]


def note(text):
    EVENTS.append(text)


async def sse(receive, send, query):
    """Events for ever, or `?n=` of them, every `?every=` seconds; ends by itself once it hears of a disconnect."""
    assert not (await receive())["more_body"]
    every, left = float(query.get("every", ["0.05"])[0]), int(query.get("n", ["1000000000"])[0])
    gone = asyncio.ensure_future(receive())
    await speak.start(send, fields=STREAM)
    try:
        while left and not gone.done():
            await speak.body(send, b"data: %d\n\n" % os.getpid(), more=True)
            await asyncio.wait([gone], timeout=every)
            left -= 1
        if gone.done():
            note(f"sse {gone.result()['type']}")
        await speak.body(send, b"data: bye\n\n")
        note("sse ended")
    except asyncio.CancelledError:
        note("sse cancelled")
        raise
    finally:
        gone.cancel()


async def deaf(receive, send, query):
    """Events for ever, and never asks whether anybody listens."""
    await speak.start(send, fields=STREAM)
    try:
        while True:
            await speak.body(send, b"data: x\n\n", more=True)
            await asyncio.sleep(0.02)
    except OSError as error:
        note(f"deaf {type(error).__name__} is OSError")
        raise
    except asyncio.CancelledError:
        note("deaf cancelled")
        raise


async def waits(receive, send, query):
    """Works on, whatever the client does, for `?s=` seconds; cancelled after the grace period."""
    note("waits began")
    try:
        await asyncio.sleep(float(query["s"][0]))
        note("waits done")
    except asyncio.CancelledError:
        note("waits cancelled")
        raise
    await speak.answer(send, b"done")


async def listens(receive, send, query):
    """Reads the body, then waits for the disconnect."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            note("listens http.disconnect")
            again = await receive()
            note(f"listens again {again['type']}")
            return
        note(f"listens {len(message['body'])} {message['more_body']}")


async def own_timeout(receive, send, query):
    """A timeout of its own that cancels what it awaits: nobody else's affair."""
    try:
        async with asyncio.timeout(0.1):
            await asyncio.sleep(10)
    except TimeoutError:
        note("own timeout")
    child = asyncio.ensure_future(asyncio.sleep(10))
    child.cancel()
    try:
        await child
    except asyncio.CancelledError:
        note("own cancellation")
    await speak.answer(send, b"survived")


async def cancels_itself(receive, send, query):
    """An asyncio.CancelledError out of the application itself, with the client still there."""
    raise asyncio.CancelledError("by the application itself")


async def receive_with_timeout(receive, send, query):
    """Cancels its own receive() again and again; no message may get lost by it."""
    total = 0
    while True:
        try:
            async with asyncio.timeout(0.05):
                message = await receive()
        except TimeoutError:
            note("receive timed out")
            continue
        total += len(message["body"])
        if not message["more_body"]:
            break
    await speak.answer(send, b"%d" % total)


async def fill(receive, send, query):
    """Makes an endless body as fast as it may, and notes how much it has made so far."""
    await speak.start(send)
    made = 0
    try:
        while True:
            await speak.body(send, b"x" * 65536, more=True)
            made += 65536
            EVENTS[:] = [*(event for event in EVENTS if not event.startswith("made")), f"made {made}"]
    finally:
        note("fill ended")


async def sips(receive, send, query):
    """Takes the first piece of the body, then waits `?s=` seconds before it reads the rest."""
    message = await receive()
    total = len(message["body"])
    await asyncio.sleep(float(query["s"][0]))
    while message["more_body"]:
        message = await receive()
        total += len(message["body"])
    await speak.answer(send, b"%d" % total)


async def answers_early(receive, send, query):
    """Answers before the body has come, and reads it afterwards."""
    await speak.start(send)
    await speak.body(send, b"early ", more=True)
    total = 0
    async for piece in speak.pieces(receive):
        total += len(piece)
    await speak.body(send, b"%d" % total)


async def after_answer(receive, send, query):
    """Goes on after its answer is complete, as background tasks do."""
    assert not (await receive())["more_body"]
    await speak.answer(send, b"answered")
    await asyncio.sleep(float(query.get("s", ["0"])[0]))
    note(f"after answer {(await receive())['type']}")


async def events(receive, send, query):
    await speak.answer_json(send, EVENTS)


async def tasks(receive, send, query):
    await speak.answer_json(send, len(asyncio.all_tasks()))


async def pid(receive, send, query):
    await speak.answer(send, b"%d" % os.getpid())


PAGES = [
    *(sse, deaf, waits, listens, own_timeout, cancels_itself, receive_with_timeout, fill, sips, answers_early),
    *(after_answer, events, tasks),
]
ROUTES = {f"/{page.__name__}": page for page in PAGES}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await speak.lifespan(receive, send)
    else:
        await ROUTES.get(scope["path"], pid)(receive, send, parse_qs(scope["query_string"].decode()))
