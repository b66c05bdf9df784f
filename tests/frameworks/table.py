"""What each framework is asked for, and what it cannot do or does in its own way: data, with the reason.

`CAPABILITIES` are the rows, in the order of docs/frameworks.md; every test names the one it proves. A test
whose capability a framework lacks is still run and must fail: a row cannot stay here after it became untrue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LOOPS = ("asyncio", "uvloop")

CAPABILITIES = {
    # HTTP
    "text": "plain text",
    "json": "JSON, both ways",
    "path": "path parameters, percent-encoded UTF-8",
    "query": "query parameters, repeated, UTF-8",
    "request fields": "request fields, repeated and latin-1",
    "repeated fields": "response fields, repeated",
    "latin-1 fields": "response fields, latin-1",
    "cookies": "cookies, both ways",
    "form": "urlencoded form",
    "upload": "multipart upload of 1 MiB",
    "body": "raw body, with Content-Length and chunked",
    "body in pieces": "raw body read while it arrives",
    "large": "a response of 5 MiB to a slow reader",
    "events": "server-sent events, one by one",
    "back-pressure": "a stream waits for its reader",
    "leaving a stream": "a stream ends when its reader leaves",
    "leaving a body": "a handler that reads a body learns that its client left",
    "leaving a handler": "a waiting handler learns that its client left",
    "background": "work after the response",
    "not found": "404",
    "wrong method": "405",
    "head": "HEAD",
    "head of a file": "HEAD of a file download, with its length",
    "exception": "an exception becomes 500 and a traceback in the log",
    "broken stream": "a stream that breaks never looks complete",
    "empty": "204 without a body",
    "redirect": "redirects",
    "threads": "synchronous handlers, in a thread",
    "peer": "client address, URL and HTTP version",
    "file": "file download",
    "range": "file download, a range",
    "early hints": "103 Early Hints",
    "context": "context variables apart, request from request",
    "root path": "root_path, behind a proxy that takes the prefix away",
    "root path kept": "root_path, behind a proxy that keeps the prefix",
    "continue": "100-continue when the handler reads",
    "old client": "a stream to an HTTP/1.0 client",
    "side by side": "requests that wait do not hold up others",
    "proxy": "X-Forwarded-Proto of a trusted proxy",
    "tls": "TLS, HTTP and WebSocket",
    "unix": "a unix socket, HTTP and WebSocket",
    # Lifespan
    "lifespan": "startup before the first request, shutdown on TERM",
    "lifespan failure": "a startup that fails ends the server, and is shown",
    "stopping": "open streams and WebSockets end when the server stops, shutdown comes last",
    "state": "what startup made is seen by handlers",
    "own state": "what a request adds to the state is gone with it",
    "lifespan context": "context variables set at startup are seen by requests",
    # WebSocket
    "ws echo": "WebSocket text and binary",
    "ws json": "WebSocket JSON",
    "ws handshake": "WebSocket subprotocol and fields of the 101",
    "ws request": "WebSocket path, query, fields and cookies",
    "ws path": "WebSocket path, percent-encoded UTF-8",
    "ws refusal": "WebSocket refused: 403",
    "ws denial": "WebSocket refused with a response of its own",
    "ws close": "WebSocket closed by the server, code and reason",
    "ws leaving": "a WebSocket handler learns that its client vanished",
    "ws leaving a sender": "a WebSocket handler that only sends ends when its client left",
    "ws client close": "WebSocket closed by the client, code",
    "ws client reason": "WebSocket closed by the client, reason",
    "ws large": "WebSocket message of 1 MiB",
    "ws many": "WebSocket messages both ways at once",
    "ws ping": "WebSocket ping and pong",
    "ws exception": "WebSocket handler that breaks: 1011",
    "ws early exception": "WebSocket handler that breaks before it accepts",
    "ws state": "what startup made is seen by WebSocket handlers",
}


ALONE = {
    "dependency": ("fastapi", "dependencies clear up after the response"),
    "groups": ("django", "groups of WebSockets in a channel layer; synchronous and asynchronous views speak to them"),
    "threads of consumers": ("django", "synchronous WebSocket consumers, in threads"),
    "sync stream": ("django", "streams made by synchronous views"),
}
"""What only one framework has: capability -> (framework, words)."""


@dataclass(frozen=True)
class Framework:
    """`lacks` maps capabilities to reasons; `answers` maps them to what this one answers instead of the usual."""

    name: str
    modules: tuple[str, ...]
    lacks: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)

    @property
    def app(self) -> str:
        return f"tests.frameworks.apps.{self.name}:app"


NO_HINTS = {"early hints": "no call for early hints"}
NO_REASON = {"ws client reason": "hands on the code alone"}
NO_DENIAL = {"ws denial": "a WebSocket that is not accepted can only be closed"}
NO_RANGE = {"range": "file responses know no ranges"}

STARLETTE = Framework("starlette", ("starlette", "python_multipart"))
FASTAPI = Framework("fastapi", ("fastapi", "python_multipart"))
DJANGO = Framework(
    "django",
    ("django", "channels"),
    {
        **NO_HINTS,
        **NO_REASON,
        **NO_DENIAL,
        **NO_RANGE,
        "repeated fields": "a response holds one value a name, cookies apart",
        "latin-1 fields": "values beyond ASCII are sent as RFC 2047 words",
        "body in pieces": "the handler reads the whole body before it calls the view",
        "leaving a body": "the view is called with whole bodies only",
        "lifespan": "neither Django nor Channels speaks the lifespan protocol",
        "lifespan failure": "no lifespan",
        "state": "no lifespan",
        "lifespan context": "no lifespan",
        "ws state": "no lifespan",
    },
)
QUART = Framework(
    "quart",
    ("quart",),
    {
        **NO_HINTS,
        "latin-1 fields": "values are encoded as UTF-8",
        "ws client close": "the handler is cancelled and not told the code",
        "ws client reason": "the handler is cancelled and not told the reason",
    },
    {"ws exception": 1000},
)
LITESTAR = Framework(
    "litestar",
    ("litestar",),
    {
        **NO_HINTS,
        **NO_REASON,
        **NO_DENIAL,
        **NO_RANGE,
        "repeated fields": "a response holds one value a name, cookies apart",
    },
    {"ws exception": 4500, "ws early exception": 403},
)
BLACKSHEEP = Framework(
    "blacksheep",
    ("blacksheep",),
    {
        **NO_HINTS,
        **NO_REASON,
        **NO_DENIAL,
        **NO_RANGE,
        "threads": "synchronous handlers run on the thread of the event loop",
        "head of a file": "files are streams of unknown length",
        "ws path": "reads the decoded path as a URL, which must be ASCII",
    },
    {"wrong method": 404, "ws early exception": 403},
)
FRAMEWORKS = {each.name: each for each in (FASTAPI, STARLETTE, DJANGO, QUART, LITESTAR, BLACKSHEEP)}

UNCAUGHT = frozenset({"fastapi", "starlette", "django"})
"""Frameworks that leave the exceptions of WebSocket handlers to the server."""


@dataclass(frozen=True)
class Gap:
    """What a server cannot do, and with which frameworks that shows (empty: with all)."""

    reason: str
    frameworks: frozenset[str] = frozenset()


SERVER_GAPS: dict[str, dict[str, Gap]] = {
    "gunicorn": {
        "root path": Gap(
            "the path stays as it came, and Quart answers only what begins with root_path", frozenset({"quart"})
        ),
    },
    "uvicorn": {
        "root path kept": Gap("puts root_path before the path, though it is there already"),
        "old client": Gap("sends chunks to HTTP/1.0 clients, who know none"),
        "early hints": Gap("does not offer http.response.early_hint"),
        "lifespan context": Gap("requests do not inherit the context of the lifespan"),
        "ws exception": Gap("drops the connection without a close frame", UNCAUGHT),
        "ws leaving": Gap("says 1005 of a connection that was lost", frozenset(FRAMEWORKS) - {"quart"}),
        "leaving a stream": Gap("takes what is sent to a client that left", frozenset({"blacksheep"})),
    },
}
"""Server -> capability -> gap: for reading our results beside another server's (FRAMEWORKS_SERVER=uvicorn)."""


def lacking(framework: Framework, server: str, capability: str) -> str | None:
    """Why `capability` cannot be had from this pair; None when it must work."""
    if reason := framework.lacks.get(capability):
        return f"{framework.name}: {reason}"
    gap = SERVER_GAPS[server].get(capability)
    if gap and framework.name in (gap.frameworks or FRAMEWORKS):
        return f"{server}: {gap.reason}"
    return None
