"""How many workers, of which class, how long each lives and how long it may be silent."""

from __future__ import annotations

from typing import Any

from gunicorn.config.casts import COUNT, SECONDS, named_class, one_of
from gunicorn.config.classes import WORKER_CLASSES
from gunicorn.config.option import Section, option


class WorkerProcesses(Section, title="Worker Processes"):
    """The processes that answer requests."""

    workers: int = option(
        1,
        "-w",
        "--workers",
        kind=COUNT,
        metavar="INT",
        env="WEB_CONCURRENCY",
        doc="""How many worker processes run. Where the variable `WEB_CONCURRENCY` is set, it is the default.

        Two for each processor core and one more is a fair start; measure, then adjust. TTIN and TTOU change the
        number while the server runs, until the next reload.""",
    )
    worker_class: Any = option(
        "sync",
        "-k",
        "--worker-class",
        kind=named_class(*WORKER_CLASSES),
        metavar="STRING",
        doc="""How a worker serves: `sync`, `gthread`, `asgi`, the dotted path of a class, or a class.

        `sync` runs one request at a time; `gthread` runs `threads` at a time. `sync` with `threads` above 1 means
        `gthread`. `asgi` runs ASGI applications on an event loop, and is taken by itself where the application is
        one and this setting is not set. The names `gevent` and `eventlet` are known; their classes come in later
        releases.""",
    )
    threads: int = option(
        1,
        "--threads",
        kind=COUNT,
        metavar="INT",
        doc="""How many requests a `gthread` worker runs at the same time, each in a thread of its own.

        Of the asgi worker: how many requests of a WSGI application it runs at the same time.""",
    )
    worker_connections: int = option(
        1000,
        "--worker-connections",
        kind=COUNT,
        metavar="INT",
        doc="""How many connections one worker holds open at most, idle ones included.

        A worker that holds so many leaves new ones to the other workers and to the backlog.""",
    )
    max_requests: int = option(
        0,
        "--max-requests",
        kind=COUNT,
        metavar="INT",
        doc="""After so many requests a worker is replaced; 0 keeps it for ever.

        The replacement is ready before the old worker stops, so nothing is refused. It bounds the damage of a
        slow memory leak.""",
    )
    max_requests_jitter: int = option(
        0,
        "--max-requests-jitter",
        kind=COUNT,
        metavar="INT",
        doc="""Up to so many requests, chosen at random for each worker, are added to `max_requests`.

        It keeps workers that started together from being replaced together.""",
    )
    timeout: int = option(
        30,
        "-t",
        "--timeout",
        kind=COUNT,
        metavar="INT",
        doc="""A worker that gave no sign of life for so many seconds is stopped and replaced; 0 waits for ever.

        A `sync` worker is silent while it runs a request, so for it this bounds the time of a request. The log
        gets the stacks of the worker and the request it was running.""",
    )
    graceful_timeout: int = option(
        30,
        "--graceful-timeout",
        kind=COUNT,
        metavar="INT",
        doc="""How many seconds a worker that was told to stop may take to finish its requests. Then it is killed.""",
    )
    keepalive: int = option(
        2,
        "--keep-alive",
        kind=COUNT,
        metavar="INT",
        doc="""How many seconds an idle connection is kept open for its next request.

        Behind a load balancer, set it above the idle time of the balancer, or the balancer will now and then
        send a request into a connection that is being closed. 0 closes each connection after its answer.""",
    )
    http_parser: str = option(
        "auto",
        "--http-parser",
        kind=one_of("auto", "fast", "python", label="http parser"),
        metavar="STRING",
        later="a native parser",
        doc="""Which HTTP/1 parser is used. There is one, with one set of rules, so each value means the same.""",
    )
    boot_timeout: float = option(
        0.0,
        "--boot-timeout",
        kind=SECONDS,
        metavar="SECONDS",
        ours=True,
        doc="""How many seconds a worker may take to load the application and become ready; 0 sets no bound.

        `timeout` does not count before a worker is ready.""",
    )
    max_boot_failures: int = option(
        5,
        "--max-boot-failures",
        kind=COUNT,
        metavar="INT",
        ours=True,
        doc="""After so many failed starts in a row a new generation of workers is given up, and the old one serves on.

        It concerns reloads. A failure in the very first generation ends the server at once.""",
    )
