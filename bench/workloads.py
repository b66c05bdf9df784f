"""What is measured and what must come out, as data. A target is a row; docs/performance.md shows every one."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from bench.load import Load

BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: http://localhost/articles/2026/11/a-page-before-this-one",
    "Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=1",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
)
"""With Host, which wrk adds, ten request fields."""
CLOSE = ("Connection: close",)
SIXTY_FOUR = Load(connections=64)


class Kind(enum.Enum):
    """How a workload is measured, and so what its figures mean."""

    THROUGHPUT = "requests a second, one worker on one core, as a ratio to a peer"
    CAPACITY = "requests a second, as a share of what the handler's waiting time allows"
    ISOLATION = "p99 of a fast route while slow requests hold all threads but one, as a multiple of its idle p99"
    TREE = "proportional memory of all processes, and time from exec to the first answer, as a ratio to a peer"
    FRAMES = "Python frames entered for one request, own and standard library, without the application's"
    WEBSOCKET = "messages a second that come back, one in flight a connection, as a ratio to a peer"
    WEBSOCKET_FRAMES = "Python frames entered for one WebSocket message and its answer"
    IDLE = "proportional memory an idle connection adds after its first request, as a ratio to a peer"


@dataclass(frozen=True)
class Target:
    """A promise: `who`'s figure against `against` ("" = an absolute figure) is at least or at most `bound`.

    `against` is a contender, or a name of BEST_OF: then the best of those counts, in each round.
    """

    who: str
    bound: float
    against: str = ""
    at_most: bool = False
    figure: str = ""
    """Which figure, where the workload has several."""

    @property
    def peers(self) -> tuple[str, ...]:
        return BEST_OF.get(self.against, (self.against,))

    def met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True)
class Workload:
    """One row group of the table. `who` run interleaved, in this order, in every round."""

    name: str
    title: str
    kind: Kind
    app: str
    who: tuple[str, ...]
    targets: tuple[Target, ...]
    load: Load = SIXTY_FOUR
    quick: tuple[str, ...] = ()
    """Who run under `--quick`; no one: it is left out."""


def _ratios(
    name: str,
    title: str,
    app: str,
    load: Load,
    ours: str,
    bounds: dict[str, float],
    quick: tuple[str, ...] = (),
) -> Workload:
    targets = tuple(Target(ours, bound, against) for against, bound in bounds.items())
    return Workload(name, title, Kind.THROUGHPUT, app, (ours, *bounds), targets, load, quick)


def _sync(
    name: str, title: str, app: str, load: Load, bounds: dict[str, float], quick: tuple[str, ...] = ()
) -> Workload:
    return _ratios(name, title, app, load, "ours sync", bounds, quick)


def _asgi(
    name: str, title: str, app: str, bounds: dict[str, float], load: Load = SIXTY_FOUR, quick: tuple[str, ...] = ()
) -> Workload:
    return _ratios(name, title, app, load, "ours asgi", bounds, quick)


BEST_OF = {"uvicorn's best": ("uvicorn websockets-sansio", "uvicorn websockets", "uvicorn wsproto")}
_SYNC = {"gunicorn sync": 8.0, "waitress": 4.0, "granian wsgi": 0.8}
_CLOSE = {"gunicorn sync": 3.0}
_GTHREAD = {"gunicorn gthread": 6.0}
_ASGI = {"uvicorn": 1.7, "gunicorn asgi": 2.5, "granian asgi": 1.0}
_UPLOAD = {"uvicorn": 1.3}
_FRAMEWORK = {"uvicorn": 1.0, "gunicorn asgi": 1.0, "hypercorn": 1.0}
ANSWERS = {
    "hello:app": b"Hello, world!\n",
    "hello:eight": b"Hello, world!\n",
    "hello:read": b"65536\n",
    "hello:ten_ms": b"Hello, world!\n",
    "asgi_hello:app": b"Hello, world!",
    "asgi_hello:eight": b"Hello, world!",
    "asgi_hello:read": b"65536\n",
    "asgi_hello:stream": b"x" * 102_400,
    "starlette_app:app": b"Hello, world!",
    "fastapi_app:app": b'{"message":"Hello, world!"}',
}
"""Application -> the body that every contender must answer before it is measured."""
HANDLER_SECONDS, THREADS = 0.010, 4
IDLE_CONNECTIONS = 10_000

WORKLOADS = (
    _sync("sync-hello", "sync, hello, keep-alive", "hello:app", SIXTY_FOUR, _SYNC, ("ours sync", *_SYNC)),
    _sync("sync-hello-close", "sync, hello, `Connection: close`", "hello:app", Load(fields=CLOSE), _CLOSE),
    _ratios(
        "gthread-hello",
        "gthread 4 threads, hello, keep-alive",
        "hello:app",
        SIXTY_FOUR,
        "ours gthread",
        _GTHREAD,
        ("ours gthread", *_GTHREAD),
    ),
    _sync(
        "sync-browser",
        "sync, ten request and eight response fields, keep-alive",
        "hello:eight",
        Load(fields=BROWSER),
        _SYNC,
    ),
    _sync(
        "sync-browser-close",
        "sync, ten request and eight response fields, `Connection: close`",
        "hello:eight",
        Load(fields=BROWSER + CLOSE),
        _CLOSE,
    ),
    _ratios(
        "gthread-browser",
        "gthread 4 threads, ten request and eight response fields, keep-alive",
        "hello:eight",
        Load(fields=BROWSER),
        "ours gthread",
        _GTHREAD,
    ),
    _sync("sync-post", "sync, POST 64 KiB read by the application", "hello:read", Load(script="post64k.lua"), _CLOSE),
    Workload(
        "gthread-ten-ms",
        "gthread 4 threads, 10 ms handler",
        Kind.CAPACITY,
        "hello:ten_ms",
        ("ours gthread", "gunicorn gthread"),
        (Target("ours gthread", 0.97),),
    ),
    Workload(
        "gthread-isolation",
        "gthread 4 threads, a fast route while three slow requests are held",
        Kind.ISOLATION,
        "hello:fast_or_slow",
        ("ours gthread", "gunicorn gthread"),
        (Target("ours gthread", 2.0, at_most=True),),
        Load(connections=1),
    ),
    Workload(
        "preload-tree",
        "4 workers, preloaded Flask",
        Kind.TREE,
        "flask_app:app",
        ("ours preload", "gunicorn preload"),
        (
            Target("ours preload", 1.0, "gunicorn preload", at_most=True, figure="pss_mib"),
            Target("ours preload", 1.0, "gunicorn preload", at_most=True, figure="start_ms"),
        ),
    ),
    Workload(
        "frames",
        "Python frames per request, hello, keep-alive",
        Kind.FRAMES,
        "framed:app",
        ("ours sync", "ours gthread", "gunicorn sync", "gunicorn gthread"),
        (Target("ours sync", 35, at_most=True), Target("ours gthread", 35, at_most=True)),
        quick=("ours sync", "ours gthread", "gunicorn sync", "gunicorn gthread"),
    ),
    _asgi("asgi-hello", "asgi, hello, keep-alive", "asgi_hello:app", _ASGI, quick=("ours asgi", "uvicorn")),
    _asgi(
        "asgi-browser",
        "asgi, ten request and eight response fields, keep-alive",
        "asgi_hello:eight",
        _ASGI,
        Load(fields=BROWSER),
    ),
    _asgi(
        "asgi-post",
        "asgi, POST 64 KiB read by the application",
        "asgi_hello:read",
        _UPLOAD,
        Load(script="post64k.lua"),
    ),
    _asgi("asgi-stream", "asgi, stream of 100 × 1 KiB", "asgi_hello:stream", _UPLOAD),
    _asgi("asgi-starlette", "asgi, Starlette, hello", "starlette_app:app", _FRAMEWORK),
    _asgi("asgi-fastapi", "asgi, FastAPI, hello", "fastapi_app:app", _FRAMEWORK),
    Workload(
        "asgi-websocket",
        "asgi, WebSocket echo, 16 connections, 128 bytes",
        Kind.WEBSOCKET,
        "asgi_hello:echo",
        ("ours asgi", *BEST_OF["uvicorn's best"], "gunicorn asgi", "granian websocket", "hypercorn"),
        (Target("ours asgi", 1.0, "uvicorn's best"),),
        Load(connections=16, size=128),
        quick=("ours asgi", *BEST_OF["uvicorn's best"]),
    ),
    Workload(
        "asgi-frames",
        "asgi, Python frames per request, hello, keep-alive",
        Kind.FRAMES,
        "framed_asgi:app",
        ("ours asgi", "uvicorn", "gunicorn asgi"),
        (Target("ours asgi", 50, at_most=True),),
        quick=("ours asgi",),
    ),
    Workload(
        "asgi-websocket-frames",
        "asgi, Python frames per WebSocket message of 128 bytes",
        Kind.WEBSOCKET_FRAMES,
        "framed_asgi:echo",
        ("ours asgi", *BEST_OF["uvicorn's best"], "gunicorn asgi"),
        (Target("ours asgi", 40, at_most=True),),
        quick=("ours asgi",),
    ),
    Workload(
        "asgi-idle",
        "asgi, 10,000 idle keep-alive connections",
        Kind.IDLE,
        "asgi_hello:app",
        ("ours asgi", "uvicorn"),
        (Target("ours asgi", 1.0, "uvicorn", at_most=True),),
        Load(connections=IDLE_CONNECTIONS),
    ),
)
