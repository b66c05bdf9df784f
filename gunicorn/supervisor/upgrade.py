"""Changing the program of a running server: a new parent on the same sockets, beside the old one.

Knows which environment variables carry the sockets over (`GUNICORN_PID`, `GUNICORN_FD`, or systemd's
own for what came from systemd), and how the new parent learns that the old one has left. What either
of them then does with pidfiles and workers is the arbiter's business.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import NamedTuple, NoReturn

from gunicorn.host import systemd
from gunicorn.host.process import keep_on_exec
from gunicorn.host.signals import reset_in_child
from gunicorn.net.address import BindKind
from gunicorn.net.listeners import Listener, ListenOptions, adopt

PARENT_PID = "GUNICORN_PID"
SOCKETS = "GUNICORN_FD"
_OURS = (PARENT_PID, SOCKETS, "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")

POLL = 1_000_000_000
"""Nanoseconds between two looks at our parent where the kernel cannot tell us that it ended."""


class Origin(NamedTuple):
    """How this process was started: what must be run again, and where."""

    executable: str
    arguments: Sequence[str]
    directory: str
    environment: Mapping[str, str]

    @classmethod
    def capture(cls) -> Origin:
        """Now; to be called before anything changes the directory or the environment."""
        environment = {name: value for name, value in os.environ.items() if name not in _OURS}
        return cls(sys.executable, [sys.executable, *sys.orig_argv[1:]], _logical_directory(), environment)


def _logical_directory() -> str:
    """The directory as the shell calls it: a deployment moves a symbolic link and expects us to follow it."""
    actual = os.getcwd()
    logical = os.environ.get("PWD", "")
    with contextlib.suppress(OSError):
        if os.path.isabs(logical) and os.path.samefile(logical, actual):
            return logical
    return actual


ORIGIN = Origin.capture()


def launch(origin: Origin, listeners: Sequence[Listener]) -> int:
    """Forks and runs the program again with the listeners; returns the pid. Raises OSError without a fork."""
    parent = os.getpid()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _exec(origin, listeners, parent, mask)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _exec(origin: Origin, listeners: Sequence[Listener], parent: int, mask: Iterable[int]) -> NoReturn:
    try:
        reset_in_child()
        environment = dict(origin.environment)
        environment[PARENT_PID] = str(parent)
        _hand_on(environment, listeners)
        os.chdir(origin.directory)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execve(origin.executable, list(origin.arguments), environment)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _hand_on(environment: MutableMapping[str, str], listeners: Sequence[Listener]) -> None:
    """Says in the environment which descriptor is what. Those of `fd://` binds are found by their number."""
    keep_on_exec(listener.fileno() for listener in listeners)
    unnamed = [listener for listener in listeners if listener.bind.kind is not BindKind.FD]
    numbers = sorted(listener.fileno() for listener in unnamed if not listener.owned)
    first = systemd.LISTEN_FDS_START
    lent = numbers if numbers == list(range(first, first + len(numbers))) else []
    systemd.pass_on(environment, [systemd.PassedFd(fd, "") for fd in lent], os.getpid())
    rest = [listener.fileno() for listener in unnamed if listener.fileno() not in lent]
    if rest:
        environment[SOCKETS] = ",".join(map(str, rest))


def lent(environ: MutableMapping[str, str], options: ListenOptions) -> list[Listener]:
    """The listeners that the service manager hands over; it keeps them when we go. Raises ListenError."""
    return [adopt(passed.fd, options, owned=False) for passed in systemd.listen_fds(environ)]


def inherited(environ: MutableMapping[str, str], options: ListenOptions) -> list[Listener]:
    """The listeners an old parent hands on; [] unless we are its upgrade. Takes SOCKETS out of `environ`.

    Raises ListenError for a descriptor that is no listener.
    """
    text = environ.pop(SOCKETS, "")
    if not predecessor(environ):
        return []
    return [adopt(int(number), options, owned=True) for number in text.split(",") if number.isdigit()]


def predecessor(environ: Mapping[str, str]) -> int:
    """The pid of the old parent whose upgrade we are; 0 if we are none, or it has already left."""
    text = environ.get(PARENT_PID, "")
    return int(text) if text.isdigit() and int(text) == os.getppid() else 0


class Vigil:
    """Waits for the old parent to leave. `fd` becomes readable then; it is -1 where only `over` can tell."""

    def __init__(self, pid: int, getppid: Callable[[], int] = os.getppid) -> None:
        self._pid = pid
        self._getppid = getppid
        self.fd = -1
        if sys.platform == "linux":
            # It may have left by now: then there is no such process, and `over` says so.
            with contextlib.suppress(OSError):
                self.fd = os.pidfd_open(pid)

    def over(self) -> bool:
        """Whether the old parent has left."""
        return self._getppid() != self._pid

    def close(self) -> None:
        """Stops waiting."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
