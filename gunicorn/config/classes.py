"""The short names of worker classes, and which of them runs.

Imports no class: `resolve` does, so that reading settings stays cheap.
"""

from __future__ import annotations

from typing import Any

WORKER_CLASSES = {
    "sync": "gunicorn.workers.sync.SyncWorker",
    "gthread": "gunicorn.workers.gthread.ThreadWorker",
    "gevent": "gunicorn.workers.ggevent.GeventWorker",
    "eventlet": "gunicorn.workers.geventlet.EventletWorker",
    "asgi": "gunicorn.workers.gasgi.ASGIWorker",
}
"""Short names, and the dotted paths under which they are known too."""


def worker_class_name(worker_class: Any, threads: int) -> str:
    """The name of the worker class that will run: "gthread" for "sync" with more than one thread."""
    if isinstance(worker_class, type):
        return worker_class.__name__
    name = _short_name(str(worker_class))
    return "gthread" if name == "sync" and threads > 1 else name


def _short_name(text: str) -> str:
    if text.startswith("egg:gunicorn#"):
        return text.partition("#")[2]
    for name, path in WORKER_CLASSES.items():
        if text == path:
            return name
    return text
