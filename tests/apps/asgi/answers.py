"""Every shape an answer can have, one a path. `/closed` tells how many of the named pages came to their end."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import contextmanager
from urllib.parse import parse_qs

from tests.apps.asgi import speak
from tests.apps.asgi.speak import PLAIN

CLOSED: list[str] = []


def length_of(size):
    return (b"content-length", str(size).encode())


@contextmanager
def noted(name):
    """Remembers that a page came to its end, whichever."""
    try:
        yield
    finally:
        CLOSED.append(name)


async def send_all(send, name, pieces, status=200, fields=(PLAIN,)):
    """The pieces one by one, an exception among them is raised; the end is a message of its own."""
    with noted(name):
        await speak.start(send, status, fields)
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            await speak.body(send, piece, more=True)
        await speak.body(send)


async def length(scope, receive, send, query):
    await send_all(send, "length", [b"he", b"llo"], fields=[PLAIN, length_of(5)])


async def unknown(scope, receive, send, query):
    await send_all(send, "unknown", [b"one ", b"", b"two ", b"three"])


async def single(scope, receive, send, query):
    await speak.start(send)
    await speak.body(send, b"single")


async def empty(scope, receive, send, query):
    await send_all(send, "empty", [])


async def no_content(scope, receive, send, query):
    await send_all(send, "no_content", [], 204, [])


async def not_modified(scope, receive, send, query):
    await send_all(send, "not_modified", [], 304, [(b"etag", b'"x"')])


async def body_where_none_may_be(scope, receive, send, query):
    await send_all(send, "body_where_none_may_be", [b"surprise"], 204, [])


async def write(scope, receive, send, query):
    await send_all(send, "write", [b"written ", b"before ", b"returned"])


async def large(scope, receive, send, query):
    size = int(query["n"][0])
    piece = b"0123456789abcdef" * 4096
    whole, rest = divmod(size, len(piece))
    await send_all(send, "large", [*[piece] * whole, piece[:rest]], fields=[PLAIN, length_of(size)])


async def one_large_string(scope, receive, send, query):
    size = int(query["n"][0])
    await send_all(send, "one_large_string", [b"x" * size], fields=[PLAIN, length_of(size)])


async def steps(scope, receive, send, query):
    """Four pieces with a pause before each one: they must travel one by one."""
    with noted("steps"):
        await speak.start(send, fields=[(b"content-type", b"text/event-stream")])
        for number in range(4):
            await asyncio.sleep(0.25)
            await speak.body(send, b"data: %d\n\n" % number, more=True)
        await speak.body(send)


async def endless(scope, receive, send, query):
    with noted("endless"):
        await speak.start(send)
        while True:
            await speak.body(send, b"x" * 65536, more=True)


async def hint(send, link):
    await send({"type": "http.response.early_hint", "links": [link]})


async def early(scope, receive, send, query):
    if "http.response.early_hint" in scope["extensions"]:
        await hint(send, b"</style.css>; rel=preload; as=style")
        await asyncio.sleep(float(query.get("s", ["0"])[0]))
        await hint(send, b"</app.js>; rel=preload; as=script")
    await single(scope, receive, send, query)


async def early_forged(scope, receive, send, query):
    try:
        await hint(send, b"</a>\r\nSet-Cookie: forged=1")
    except Exception as error:
        await speak.answer(send, type(error).__name__.encode())
        return
    await single(scope, receive, send, query)


async def file(scope, receive, send, query):
    """A temporary file of n bytes from offset `at` through http.response.zerocopysend."""
    size, offset = int(query.get("n", ["100000"])[0]), int(query.get("at", ["0"])[0])
    with tempfile.TemporaryFile() as stream:
        stream.write((b"%015d\n" * (size // 16 + 1) % tuple(range(size // 16 + 1)))[:size])
        stream.seek(offset)
        count = int(query["length"][0]) if "length" in query else size - offset
        await speak.start(send, fields=[PLAIN, *([] if "unknown" in query else [length_of(count)])])
        message = {"type": "http.response.zerocopysend", "file": stream.fileno(), "offset": offset, "count": count}
        await send(message)


async def raise_before(scope, receive, send, query):
    raise ValueError("before the head")


async def raise_started(scope, receive, send, query):
    await speak.start(send)
    raise ValueError("after http.response.start")


async def raise_first(scope, receive, send, query):
    await send_all(send, "raise_first", [ValueError("instead of the first piece")])


async def raise_later(scope, receive, send, query):
    await send_all(send, "raise_later", [b"x" * 100, ValueError("in the middle")])


async def raise_later_length(scope, receive, send, query):
    fields = [PLAIN, length_of(1000)]
    await send_all(send, "raise_later_length", [b"x" * 100, ValueError("in the middle")], fields=fields)


async def never_started(scope, receive, send, query):
    await speak.body(send, b"no head")


async def started_twice(scope, receive, send, query):
    await speak.start(send)
    await speak.start(send)
    await speak.body(send, b"twice")


async def bad_status(scope, receive, send, query):
    await speak.start(send, "200 OK\r\nSet-Cookie: forged=1")
    await speak.body(send, b"x")


async def bad_field(scope, receive, send, query):
    await speak.start(send, fields=[PLAIN, (b"x-evil", b"a\r\nSet-Cookie: forged=1")])
    await speak.body(send, b"x")


async def hop_by_hop(scope, receive, send, query):
    await speak.start(send, fields=[PLAIN, (b"keep-alive", b"timeout=1"), (b"proxy-authenticate", b"x")])
    await speak.body(send, b"x")


async def text_body(scope, receive, send, query):
    await speak.start(send)
    await speak.body(send, "a str, not bytes")


async def short(scope, receive, send, query):
    await send_all(send, "short", [b"only this"], fields=[PLAIN, length_of(100)])


async def long(scope, receive, send, query):
    await send_all(send, "long", [b"four", b" and much more"], fields=[PLAIN, length_of(4)])


async def wish_close(scope, receive, send, query):
    await speak.start(send, fields=[PLAIN, (b"connection", b"close"), length_of(2)])
    await speak.body(send, b"ok")


async def own_names(scope, receive, send, query):
    date = (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")
    await speak.start(send, fields=[PLAIN, (b"server", b"mine"), date, length_of(0)])
    await speak.body(send)


async def exit_process(scope, receive, send, query):
    sys.exit(7)


async def closed(scope, receive, send, query):
    await speak.answer_json(send, CLOSED)


async def pid(scope, receive, send, query):
    await speak.answer(send, b"%d\n" % os.getpid())


async def read_then_steps(scope, receive, send, query):
    """Echoes the body piece by piece while it comes in."""
    await speak.start(send)
    try:
        async for piece in speak.pieces(receive):
            await speak.body(send, piece, more=True)
    except speak.Left:
        return
    await speak.body(send)


PAGES = [
    *(length, unknown, single, empty, no_content, not_modified, body_where_none_may_be, write, large),
    *(one_large_string, steps, endless, early, early_forged, file, raise_before, raise_started, raise_first),
    *(raise_later, raise_later_length, never_started, started_twice, bad_status, bad_field, hop_by_hop, text_body),
    *(short, long, wish_close, own_names, exit_process, closed, pid, read_then_steps),
]
ROUTES = {f"/{page.__name__}": page for page in PAGES}


async def app(scope, receive, send):
    assert scope["type"] == "http", scope["type"]
    query = parse_qs(scope["query_string"].decode())
    await ROUTES.get(scope["path"], pid)(scope, receive, send, query)
