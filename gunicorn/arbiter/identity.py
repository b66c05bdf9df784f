"""Which of possibly two servers on the same sockets this process is: pidfile, predecessor, successor.

Knows the pidfile's ".2" dance of an upgrade. The old server keeps its file and serves on; the new one
writes PIDFILE.2 and takes over the name when the old one has left. How a process is replaced is
`supervisor.upgrade`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from gunicorn.errors import GunicornError
from gunicorn.host.pidfile import Pidfile
from gunicorn.net.listeners import Listener
from gunicorn.supervisor import upgrade
from gunicorn.supervisor.loop import Loop


class Identity:
    """`successor` is the pid of the new server that we launched, 0 if there is none."""

    def __init__(self, loop: Loop, log: Any, promoted: Callable[[], None]) -> None:
        """`promoted` is called once the predecessor has left."""
        self.successor = 0
        self._loop = loop
        self._log = log
        self._promoted = promoted
        self._vigil: upgrade.Vigil | None = None
        self._pidfile: Pidfile | None = None
        self._path = ""

    @property
    def has_predecessor(self) -> bool:
        """Whether the server whose upgrade we are still runs."""
        return self._vigil is not None

    @property
    def is_alone(self) -> bool:
        """Whether no other server uses our sockets, so that their files are ours to remove."""
        return not self.successor and self._vigil is None

    @property
    def wake_after(self) -> int | None:
        """Nanoseconds after which `look` must be called, where no descriptor tells; else None."""
        return upgrade.POLL if self._vigil is not None and self._vigil.fd < 0 else None

    def assume(self, path: str | None) -> None:
        """Becomes visible: finds out whose upgrade we are and writes the pidfile. Raises ConfigError."""
        predecessor = upgrade.predecessor(os.environ)
        self._path = path or ""
        if predecessor:
            self._vigil = upgrade.Vigil(predecessor)
            if self._vigil.fd >= 0:
                self._loop.watch(self._vigil.fd, self.look)
        if path:
            pidfile = Pidfile(f"{path}.2" if predecessor else path)
            pidfile.create(os.getpid())
            self._pidfile = pidfile

    def look(self) -> None:
        """Takes over the name if the predecessor has left."""
        if self._vigil is None or not self._vigil.over():
            return
        self._forget_vigil()
        self._log.info("Master has been promoted")
        if self._pidfile is not None:
            try:
                self._pidfile.rename(self._path)
            except GunicornError as problem:
                self._log.error("%s", problem)
        self._promoted()

    def launch(self, listeners: Sequence[Listener]) -> None:
        """Starts the successor. Raises OSError where there can be no process."""
        self.successor = upgrade.launch(upgrade.ORIGIN, listeners)
        self._log.info("New master: %s", self.successor)

    def lost(self, pid: int, status: int) -> bool:
        """Whether the process that ended was our successor; then we are alone again and serve on."""
        if not self.successor or pid != self.successor:
            return False
        self.successor = 0
        say = self._log.error if status else self._log.info
        say("The new master (pid:%s) ended with status %s; this one serves on", pid, status)
        return True

    def leave(self) -> None:
        """Removes the pidfile if it is ours."""
        if self._vigil is not None:
            self._forget_vigil()
        if self._pidfile is not None:
            self._pidfile.unlink()

    def _forget_vigil(self) -> None:
        assert self._vigil is not None
        if self._vigil.fd >= 0:
            self._loop.forget(self._vigil.fd)
        self._vigil.close()
        self._vigil = None
