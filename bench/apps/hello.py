"""The applications the throughput workloads serve: as little application as there can be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

HELLO = b"Hello, world!\n"
FIELDS = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(HELLO)))]
EIGHT_FIELDS = [
    *FIELDS,
    ("Cache-Control", "private, max-age=0, must-revalidate"),
    ("ETag", '"33a64df551425fcc55e4d42a148795d9f25f89d4"'),
    ("Vary", "Accept-Encoding, Cookie"),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Set-Cookie", "session=8f14e45fceea167a5a36dedd4bea2543; Path=/; HttpOnly; SameSite=Lax"),
]


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Fourteen bytes, two fields."""
    start_response("200 OK", list(FIELDS))
    return [HELLO]


def eight(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Fourteen bytes, eight fields, and a look at what the browser sent."""
    environ.get("HTTP_COOKIE", "")
    start_response("200 OK", list(EIGHT_FIELDS))
    return [HELLO]


def read(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Reads the whole body; the answer is its length."""
    body = b"%d\n" % len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def ten_ms(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """A handler that waits 10 ms, as for a database."""
    time.sleep(0.010)
    return app(environ, start_response)


def fast_or_slow(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """`/slow` waits half a second, everything else answers at once."""
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.5)
    return app(environ, start_response)
