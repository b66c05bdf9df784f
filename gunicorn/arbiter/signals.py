"""What each signal asks of the server: one row a signal.

A row calls one public verb of the arbiter and decides at most whether it may be called now. How signals
are caught is `host.signals`; that they are obeyed one after the other is the loop's doing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gunicorn.arbiter.identity import Identity


class Server(Protocol):
    """The verbs of the arbiter that signals call."""

    log: Any
    identity: Identity
    num_workers: int

    @property
    def cfg(self) -> Any: ...
    @property
    def is_stopping(self) -> bool: ...
    def stop(self, *, graceful: bool) -> None: ...
    def reload(self) -> None: ...
    def reopen(self) -> None: ...
    def upgrade(self) -> None: ...


def _child(_server: Server) -> None:
    """Nothing to do: the signal ends the wait, and every turn reaps."""


def _quit(server: Server) -> None:
    server.stop(graceful=False)


def _term(server: Server) -> None:
    # Who says it a second time does not want to wait.
    server.stop(graceful=not server.is_stopping)


def _hup(server: Server) -> None:
    server.log.info("Hang up: Master")
    server.reload()


def _ttin(server: Server) -> None:
    server.num_workers += 1


def _ttou(server: Server) -> None:
    server.num_workers = max(1, server.num_workers - 1)


def _usr1(server: Server) -> None:
    server.reopen()


def _usr2(server: Server) -> None:
    if server.identity.successor:
        server.log.warning("USR2 is ignored: the new master %s runs already", server.identity.successor)
    elif server.identity.has_predecessor:
        server.log.warning("USR2 is ignored: the old master still runs")
    elif not server.is_stopping:
        server.upgrade()


def _winch(server: Server) -> None:
    if not server.cfg.daemon:
        # A terminal sends it whenever its window changes size.
        server.log.debug("SIGWINCH is ignored: not a daemon")
        return
    server.log.info("Gracefully stopping workers")
    server.num_workers = 0


SIGNALS: Mapping[signal.Signals, Callable[[Server], None]] = {
    signal.SIGCHLD: _child,
    signal.SIGQUIT: _quit,
    signal.SIGINT: _quit,
    signal.SIGTERM: _term,
    signal.SIGHUP: _hup,
    signal.SIGTTIN: _ttin,
    signal.SIGTTOU: _ttou,
    signal.SIGUSR1: _usr1,
    signal.SIGUSR2: _usr2,
    signal.SIGWINCH: _winch,
}
