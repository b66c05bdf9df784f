"""Every shape an answer can have, one a path. `/closed` tells how many iterables were closed so far."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import time
from urllib.parse import parse_qs

CLOSED: list[str] = []
PLAIN = ("Content-Type", "text/plain")


class Body:
    """An iterable that remembers its close(); an exception among the pieces is raised."""

    def __init__(self, name, pieces):
        self.name = name
        self.pieces = pieces

    def __iter__(self):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self):
        CLOSED.append(self.name)


def length(environ, start_response, query):
    start_response("200 OK", [PLAIN, ("Content-Length", "5")])
    return Body("length", [b"he", b"llo"])


def unknown(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    return Body("unknown", [b"one ", b"", b"two ", b"three"])


def single(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    return [b"single"]


def empty(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    return Body("empty", [])


def no_content(environ, start_response, query):
    start_response("204 No Content", [])
    return Body("no_content", [])


def not_modified(environ, start_response, query):
    start_response("304 Not Modified", [("ETag", '"x"')])
    return Body("not_modified", [])


def body_where_none_may_be(environ, start_response, query):
    start_response("204 No Content", [])
    return Body("body_where_none_may_be", [b"surprise"])


def write(environ, start_response, query):
    put = start_response("200 OK", [PLAIN])
    put(b"written ")
    put(b"before ")
    return Body("write", [b"returned"])


def large(environ, start_response, query):
    size = int(query["n"][0])
    start_response("200 OK", [PLAIN, ("Content-Length", str(size))])
    piece = b"0123456789abcdef" * 4096
    whole, rest = divmod(size, len(piece))
    return Body("large", [*[piece] * whole, piece[:rest]])


def one_large_string(environ, start_response, query):
    size = int(query["n"][0])
    start_response("200 OK", [PLAIN, ("Content-Length", str(size))])
    return Body("one_large_string", [b"x" * size])


def steps(environ, start_response, query):
    """Four pieces with a pause before each one: they must travel one by one."""
    start_response("200 OK", [("Content-Type", "text/event-stream")])

    def pieces():
        for number in range(4):
            time.sleep(0.25)
            yield b"data: %d\n\n" % number

    return Body("steps", pieces())


def endless(environ, start_response, query):
    start_response("200 OK", [PLAIN])

    def pieces():
        while True:
            yield b"x" * 65536

    return Body("endless", pieces())


def early(environ, start_response, query):
    hint = environ.get("wsgi.early_hints")
    if hint is not None:
        hint([("Link", "</style.css>; rel=preload; as=style")])
        time.sleep(float(query.get("s", ["0"])[0]))
        hint([("Link", "</app.js>; rel=preload; as=script")])
    return single(environ, start_response, query)


def early_forged(environ, start_response, query):
    try:
        environ["wsgi.early_hints"]([("Link", "</a>\r\nSet-Cookie: forged=1")])
    except Exception as error:
        text = type(error).__name__.encode()
        start_response("200 OK", [PLAIN, ("Content-Length", str(len(text)))])
        return [text]
    return single(environ, start_response, query)


def file(environ, start_response, query):
    """A temporary file of n bytes from offset `at` through wsgi.file_wrapper."""
    size, offset = int(query.get("n", ["100000"])[0]), int(query.get("at", ["0"])[0])
    stream = tempfile.TemporaryFile()  # noqa: SIM115
    stream.write((b"%015d\n" * (size // 16 + 1) % tuple(range(size // 16 + 1)))[:size])
    stream.seek(offset)
    fields = [PLAIN]
    if "unknown" not in query:
        fields.append(("Content-Length", query["length"][0] if "length" in query else str(size - offset)))
    start_response("200 OK", fields)
    return environ["wsgi.file_wrapper"](stream, 8192)


def file_like(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    return environ["wsgi.file_wrapper"](io.BytesIO(b"not a file " * 10000), 4096)


def raise_before(environ, start_response, query):
    raise ValueError("before the head")


def raise_started(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    raise ValueError("after start_response")


def raise_first(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    return Body("raise_first", [ValueError("instead of the first piece")])


def raise_later(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    return Body("raise_later", [b"x" * 100, ValueError("in the middle")])


def raise_later_length(environ, start_response, query):
    start_response("200 OK", [PLAIN, ("Content-Length", "1000")])
    return Body("raise_later_length", [b"x" * 100, ValueError("in the middle")])


def exc_info(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    try:
        raise ValueError("handled by the application")
    except ValueError:
        start_response("503 Service Unavailable", [PLAIN], sys.exc_info())
    return [b"own error page"]


def exc_info_late(environ, start_response, query):
    put = start_response("200 OK", [PLAIN])
    put(b"sent already")
    try:
        raise ValueError("too late to answer")
    except ValueError:
        start_response("500 Oops", [PLAIN], sys.exc_info())
    return [b"never sent"]


def never_started(environ, start_response, query):
    return [b"no head"]


def started_twice(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    start_response("200 OK", [PLAIN])
    return [b"twice"]


def bad_status(environ, start_response, query):
    start_response("200 OK\r\nSet-Cookie: forged=1", [PLAIN])
    return [b"x"]


def bad_field(environ, start_response, query):
    start_response("200 OK", [PLAIN, ("X-Evil", "a\r\nSet-Cookie: forged=1")])
    return [b"x"]


def hop_by_hop(environ, start_response, query):
    start_response("200 OK", [PLAIN, ("Keep-Alive", "timeout=1"), ("Proxy-Authenticate", "x")])
    return [b"x"]


def text_body(environ, start_response, query):
    start_response("200 OK", [PLAIN])
    return ["a str, not bytes"]


def short(environ, start_response, query):
    start_response("200 OK", [PLAIN, ("Content-Length", "100")])
    return Body("short", [b"only this"])


def long(environ, start_response, query):
    start_response("200 OK", [PLAIN, ("Content-Length", "4")])
    return Body("long", [b"four", b" and much more"])


def wish_close(environ, start_response, query):
    start_response("200 OK", [PLAIN, ("Connection", "close"), ("Content-Length", "2")])
    return [b"ok"]


def own_names(environ, start_response, query):
    start_response(
        "200 OK", [PLAIN, ("Server", "mine"), ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Content-Length", "0")]
    )
    return []


def exit_process(environ, start_response, query):
    sys.exit(7)


def closed(environ, start_response, query):
    body = json.dumps(CLOSED).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def pid(environ, start_response, query):
    body = b"%d\n" % os.getpid()
    start_response("200 OK", [PLAIN, ("Content-Length", str(len(body)))])
    return [body]


def read_then_steps(environ, start_response, query):
    """Echoes the body piece by piece while it comes in."""
    start_response("200 OK", [PLAIN])
    stream = environ["wsgi.input"]
    return iter(lambda: stream.read(65536), b"")


ROUTES = {
    f"/{name}": page for name, page in list(globals().items()) if callable(page) and name not in {"Body", "parse_qs"}
}


def app(environ, start_response):
    return ROUTES.get(environ["PATH_INFO"], pid)(environ, start_response, parse_qs(environ["QUERY_STRING"]))
