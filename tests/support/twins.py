"""Which ASGI application stands in for a WSGI one of the suite when the worker class is asgi.

A test names an application once, by its WSGI name; the twin has the same routes and gives the same answers.
Knows the names and how a module that holds both is written, nothing of servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

TWINS = {
    "tests.apps.answers:app": "tests.apps.asgi.answers:app",
    "tests.apps.echo:app": "tests.apps.asgi.echo:app",
    "tests.apps.hello:app": "tests.apps.asgi.hello:app",
    "tests.apps.slow:app": "tests.apps.asgi.slow:app",
    "tests.apps.stuck:app": "tests.apps.asgi.stuck:app",
    "tests.support.mirror:app": "tests.support.asgi_mirror:app",
    "deployed:app": "deployed:asgi_app",
    "mine:app": "mine:asgi_app",
}
"""WSGI name -> ASGI name. `deployed` and `mine` are modules that tests write, with the help of `both`."""

BOTH = """{before}

def page():
{page}

def app(environ, start_response):
    body = page()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

async def asgi_app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body = page()
    fields = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({{"type": "http.response.start", "status": 200, "headers": fields}})
    await send({{"type": "http.response.body", "body": body}})
"""


def both(page: str, before: str = "") -> str:
    """The source of a module whose `app` (WSGI) and `asgi_app` answer what the function body `page` returns."""
    indented = "\n".join(f"    {line}" for line in page.splitlines())
    return BOTH.format(before=before, page=indented)


def worker_class(arguments: Sequence[str]) -> str:
    """The worker class a command line names; "" where it names none."""
    for flag, value in pairwise(arguments):
        if flag in ("-k", "--worker-class"):
            return value
    return ""


def serves_asgi(arguments: Sequence[str]) -> bool:
    kind = worker_class(arguments)
    return kind == "asgi" or kind.endswith(".ASGIWorker")


def for_worker(application: str, arguments: Sequence[str]) -> str:
    """The name of the application that a server with these arguments is to serve in the place of `application`."""
    return TWINS.get(application, application) if serves_asgi(arguments) else application
