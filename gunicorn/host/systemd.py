"""What systemd says to a service and what it likes to hear: LISTEN_FDS and NOTIFY_SOCKET.

Knows sd_listen_fds(3) and sd_notify(3) by their environment variables and datagrams; without them
everything here is silence. What the messages mean is the arbiter's business.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping
from time import monotonic_ns
from typing import NamedTuple

LISTEN_FDS_START = 3
_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


class PassedFd(NamedTuple):
    """A descriptor handed over by the service manager; `name` is its FileDescriptorName= or ""."""

    fd: int
    name: str


def listen_fds(environ: MutableMapping[str, str] = os.environ, pid: int | None = None) -> list[PassedFd]:
    """The descriptors passed to this very process, closed on exec from now on; [] if there are none.

    Takes the variables out of `environ`, so that no child believes they are meant for it. Where
    LISTEN_PID names another process they were not for us either.
    """
    count, for_pid, names = (environ.pop(variable, "") for variable in _VARIABLES)
    if not (count.isdigit() and for_pid.isdigit()):
        return []
    if int(for_pid) != (os.getpid() if pid is None else pid):
        return []
    labels = names.split(":") if names else []
    passed = []
    for index in range(int(count)):
        fd = LISTEN_FDS_START + index
        try:
            os.set_inheritable(fd, False)
        except OSError:
            break  # the manager promised more than there is
        passed.append(PassedFd(fd, labels[index] if index < len(labels) else ""))
    return passed


def pass_on(environ: MutableMapping[str, str], passed: list[PassedFd], pid: int) -> None:
    """Writes the variables anew for `pid`, which is about to exec with the same descriptors."""
    if not passed:
        return
    environ["LISTEN_FDS"] = str(len(passed))
    environ["LISTEN_PID"] = str(pid)
    if any(each.name for each in passed):
        environ["LISTEN_FDNAMES"] = ":".join(each.name for each in passed)
    for each in passed:
        os.set_inheritable(each.fd, True)


class Notifier:
    """Tells the service manager how things are. Never blocks, never raises; silent without an address.

    `watchdog_interval` is how often `watchdog` must be called, in seconds (half of what was asked
    for, as sd_watchdog_enabled(3) advises); 0 means never.
    """

    def __init__(self, address: str = "", watchdog_interval: float = 0.0) -> None:
        self.address = address
        self.watchdog_interval = watchdog_interval
        self._socket: socket.socket | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, pid: int | None = None) -> Notifier:
        """The notifier that NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID ask for.

        The variables stay: after an upgrade the new tree needs them.
        """
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()
        interval = environ.get("WATCHDOG_USEC", "")
        watched = environ.get("WATCHDOG_PID", "")
        ours = watched in ("", str(os.getpid() if pid is None else pid))
        return cls(address, int(interval) / 2e6 if ours and interval.isdigit() else 0.0)

    @property
    def is_active(self) -> bool:
        """Whether anybody listens."""
        return bool(self.address)

    def ready(self, status: str = "") -> bool:
        """Start-up, or the reload announced before, is complete."""
        return self._send(READY="1", STATUS=status)

    def reloading(self, status: str = "") -> bool:
        """A reload begins; `Type=notify-reload` matches it with its own request by the time."""
        return self._send(RELOADING="1", MONOTONIC_USEC=str(monotonic_ns() // 1000), STATUS=status)

    def stopping(self, status: str = "") -> bool:
        """Shutdown has begun."""
        return self._send(STOPPING="1", STATUS=status)

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self._send(STATUS=text)

    def mainpid(self, pid: int) -> bool:
        """Another process is the main one from now on (an upgrade)."""
        return self._send(MAINPID=str(pid))

    def watchdog(self) -> bool:
        """The main loop makes progress."""
        return self._send(WATCHDOG="1")

    def close(self) -> None:
        """Closes the socket; the next message opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, **assignments: str) -> bool:
        """One datagram of the assignments that are not empty; whether it went out."""
        if not self.address:
            return False
        lines = [f"{name}={' '.join(value.splitlines())}" for name, value in assignments.items() if value]
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto("\n".join(lines).encode(), _kernel_address(self.address))
        except OSError:
            return False  # the manager is gone or busy: it will notice by its own timeouts
        return True


def _kernel_address(address: str) -> str:
    return "\0" + address[1:] if address.startswith("@") else address
