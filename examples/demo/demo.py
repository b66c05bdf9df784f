"""The application `make run` serves: plain WSGI, so that it needs nothing but the server.

/         what the server told the application about this request
/stream   ten lines, one every 200 ms, sent as they are made
/echo     gives the request body back (curl --data-binary @file)
/error    raises, to show what the log says then
"""

from __future__ import annotations

import html
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

PAGE = """<!doctype html>
<title>It serves</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 60rem; padding: 0 1rem }}
td {{ border-top: 1px solid #ddd; padding: .2rem 1rem .2rem 0; font-family: ui-monospace, monospace; font-size: 13px }}
</style>
<h1>It serves</h1>
<p>Worker {pid} answered. Reload the page: another worker may answer.
Try <a href="/stream">/stream</a>, <a href="/error">/error</a>, or <code>curl --data-binary hello {url}echo</code>.
<p>While this runs, <code>kill -HUP {parent}</code> starts new workers and then retires the old ones.
<table>{rows}</table>
"""


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The WSGI entry point: picks a page by the path."""
    page = PAGES.get(environ["PATH_INFO"])
    if page is None:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"there is no such page\n"]
    return page(environ, start_response)


def index(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The environ as a table."""
    rows = "".join(f"<tr><td>{html.escape(key)}<td>{html.escape(str(value))}" for key, value in sorted(environ.items()))
    url = f"{environ['wsgi.url_scheme']}://{html.escape(environ.get('HTTP_HOST', 'localhost'))}/"
    body = PAGE.format(pid=os.getpid(), parent=os.getppid(), url=url, rows=rows).encode()
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """A body whose length is not known when it begins."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(1, 11):
        yield b"line %d of 10\n" % number
        time.sleep(0.2)


def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The request body, given back."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body)))])
    return [body]


def error(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """An application that fails: the client gets a 500, the log gets the traceback."""
    raise RuntimeError("the demo was asked to fail")


PAGES = {"/": index, "/stream": stream, "/echo": echo, "/error": error}
