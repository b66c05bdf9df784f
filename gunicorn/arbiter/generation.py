"""One generation of workers: the settings, environment and sockets they share.

Knows how settings become what the supervisor and the sockets take. What one worker does with them is
`arbiter.program`, when generations follow each other is `arbiter.server`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gunicorn.config import Settings, resolve_worker_class, slices
from gunicorn.errors import ConfigError
from gunicorn.host.collector import rare_passes
from gunicorn.net.address import Bind, parse_bind
from gunicorn.net.listeners import Listener, ListenOptions
from gunicorn.supervisor.plan import SECOND, Policy
from gunicorn.workers.base import Worker
from gunicorn.workers.choice import change_of_class

if TYPE_CHECKING:
    import ssl

QUICK_TIMEOUT = 3 * SECOND
"""What a worker gets that is told to leave at once."""


class Generation(NamedTuple):
    """What all workers of one generation share, and what is to be restored if its successor fails."""

    cfg: Settings
    listeners: Sequence[Listener]
    worker_class: type[Any]
    app_state: Mapping[str, Any]
    """The attributes of the application object, its own configuration among them."""
    directory: str
    tls: ssl.SSLContext | None
    """Of all listeners; None where they speak plain text."""


def policy_of(cfg: Settings) -> Policy:
    """The times and limits of the pool."""
    graceful = _ns(cfg.graceful_timeout)
    return Policy(
        timeout=_ns(cfg.timeout),
        graceful_timeout=graceful,
        quick_timeout=min(QUICK_TIMEOUT, graceful),
        boot_timeout=_ns(cfg.boot_timeout),
        max_boot_failures=cfg.max_boot_failures,
    )


def _ns(seconds: float) -> int:
    return int(seconds * SECOND)


def binds(cfg: Settings) -> list[Bind]:
    """Where to listen."""
    return [parse_bind(text) for text in cfg.bind]


def listen_options(cfg: Settings) -> ListenOptions:
    """How listeners are opened."""
    return ListenOptions(
        backlog=cfg.backlog,
        reuse_port=cfg.reuse_port,
        unix_umask=cfg.umask,
        unix_uid=cfg.uid,
        unix_gid=cfg.gid,
        tls=cfg.is_ssl,
        protocol=cfg.protocol,
    )


def check_protocol(cfg: Settings) -> None:
    """Raises ConfigError for a protocol that nobody here speaks: answering in another one would be worse."""
    if cfg.protocol != "http" or any(bind.protocol == "uwsgi" for bind in binds(cfg)):
        raise ConfigError(
            "protocol: 'uwsgi' is not available yet in this version",
            setting="protocol",
            source=str(cfg.provenance["protocol"]),
            hint="use 'http'",
        )


def chosen_class(cfg: Settings, application: Any = None) -> tuple[type[Any], str]:
    """The worker class and what the log calls it: the chosen one, or the one that the application needs.

    `application` is None as long as it is not loaded; its worker looks then. Raises ConfigError where there is no
    such class, AppLoadError where it cannot serve the application.
    """
    found = resolve_worker_class(cfg)
    serves = found.interface if issubclass(found, Worker) else ""
    change = change_of_class(cfg, found, serves, application)
    return (found, cfg.worker_class_str) if change is None else (change.worker_class, change.name)


def tls_context(cfg: Settings) -> ssl.SSLContext | None:
    """The context of this generation's listeners, made once, before the workers give up their privileges.

    All of them share its session tickets, so a client resumes wherever it lands. Raises ListenError.
    """
    options = slices.tls_options(cfg)
    if options is None:
        return None
    from gunicorn.net.tls import listener_context

    hook = cfg.hook("ssl_context")
    return listener_context(options, None if hook is None else lambda default: hook(cfg, default))


def preload(app: Any) -> None:
    """Loads the application in the parent, so that workers share its memory. Raises AppLoadError.

    What is alive then is taken out of the collector's sight: its marks would be written into every object
    and each worker would get a copy of every page. Nothing is collected before: what loading leaves of garbage
    is not worth the time of a pass.
    """
    if app.callable is not None:
        return
    with rare_passes():
        app.wsgi()
        gc.freeze()


class Environment:
    """What `raw_env` puts into the environment of the process, and what was there before."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    def apply(self, wanted: Mapping[str, str]) -> None:
        """Sets `wanted` and puts back what an earlier call set and this one does not."""
        for name in [name for name in self._before if name not in wanted]:
            _put(name, self._before.pop(name))
        for name, value in wanted.items():
            self._before.setdefault(name, os.environ.get(name))
            os.environ[name] = value


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
