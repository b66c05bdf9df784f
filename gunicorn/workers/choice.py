"""Which worker class serves an application, where nobody chose one, and which choices cannot work.

Knows the settings, and the kinds of applications and of classes. Imports the asgi worker only where it is needed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gunicorn.bridge.kind import Kind, kind_of
from gunicorn.config import Level, Settings, resolve_worker_class
from gunicorn.errors import AppLoadError


class Change(NamedTuple):
    """Another class than the settings name."""

    worker_class: type[Any]
    name: str
    """What the log calls it, and why."""


def change_of_class(cfg: Settings, worker_class: type[Any], serves: str, app: Any = None) -> Change | None:
    """The class that has to take the place of `worker_class`; None where that may serve.

    `serves` is the kind of application that the class serves ("asgi", "wsgi", or "" where it is the class's own
    affair), `app` the loaded application, or None as long as it is not loaded. Raises AppLoadError in one line
    where a class that was chosen cannot serve the application.
    """
    kind = kind_of(app) if cfg.interface == "auto" else Kind(cfg.interface)
    if not serves or kind is Kind.UNKNOWN or serves == kind.value:
        return None
    if kind is Kind.WSGI:
        if cfg.interface == "wsgi":
            # That is how a WSGI application is asked to run in the threads of the asgi worker.
            return None
        raise AppLoadError(
            f"the application is a WSGI application, which the worker class {_chosen(cfg)} does not serve; "
            "use worker_class 'sync' or 'gthread', or set interface = 'wsgi' to run it in threads of the asgi worker"
        )
    if cfg.provenance["worker_class"].level is Level.DEFAULT and worker_class is resolve_worker_class(cfg):
        what = "the application is an ASGI application" if cfg.interface == "auto" else "interface is 'asgi'"
        found = resolve_worker_class(cfg.replace(worker_class="asgi"))
        return Change(found, f"asgi, because {what} (set worker_class to choose)")
    raise AppLoadError(
        f"the application is an ASGI application, which the worker class {_chosen(cfg)} does not serve; "
        "use worker_class 'asgi', or leave worker_class unset"
    )


def _chosen(cfg: Settings) -> str:
    """The class as it was written, and where."""
    return f"{cfg.worker_class_str!r} ({cfg.provenance['worker_class']})"
