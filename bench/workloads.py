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


@dataclass(frozen=True)
class Target:
    """A promise: `who`'s figure against `against` ("" = an absolute figure) is at least or at most `bound`."""

    who: str
    bound: float
    against: str = ""
    at_most: bool = False
    figure: str = ""
    """Which figure, where the workload has several."""

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
    quick: bool = False
    """Part of `--quick`."""


def _sync(name: str, title: str, app: str, load: Load, bounds: dict[str, float], quick: bool = False) -> Workload:
    return _ratios(name, title, app, load, "ours sync", bounds, quick)


def _ratios(
    name: str, title: str, app: str, load: Load, ours: str, bounds: dict[str, float], quick: bool = False
) -> Workload:
    targets = tuple(Target(ours, bound, against) for against, bound in bounds.items())
    return Workload(name, title, Kind.THROUGHPUT, app, (ours, *bounds), targets, load, quick)


_SYNC = {"gunicorn sync": 8.0, "waitress": 4.0, "granian wsgi": 0.8}
_CLOSE = {"gunicorn sync": 3.0}
_GTHREAD = {"gunicorn gthread": 6.0}
HANDLER_SECONDS, THREADS = 0.010, 4

WORKLOADS = (
    _sync("sync-hello", "sync, hello, keep-alive", "hello:app", SIXTY_FOUR, _SYNC, quick=True),
    _sync("sync-hello-close", "sync, hello, `Connection: close`", "hello:app", Load(fields=CLOSE), _CLOSE),
    _ratios(
        "gthread-hello",
        "gthread 4 threads, hello, keep-alive",
        "hello:app",
        SIXTY_FOUR,
        "ours gthread",
        _GTHREAD,
        quick=True,
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
        quick=True,
    ),
)
