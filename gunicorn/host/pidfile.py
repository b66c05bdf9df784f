"""The pid file: one line that says which process serves, made, renamed and removed only by its owner.

Knows when a file is left over: its process is gone, is a zombie, or started after the file was
written (a container restarts its numbers). Knows nothing of signals or upgrades.
"""

from __future__ import annotations

import contextlib
import errno
import os

from gunicorn.errors import ConfigError

_CLOCK_SLACK = 2.0
"""Seconds by which a file's time and a process's start time may disagree."""


class Pidfile:
    """The file at `path`; `pid` is 0 until `create`."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.pid = 0

    def create(self, pid: int) -> None:
        """Writes `pid` in one step, over nothing or over a leftover.

        Raises ConfigError with one line if another process serves or the path cannot be written.
        """
        other = running_pid(self.path)
        if other not in (0, pid):
            raise ConfigError(f"pid {other} is already running, says pidfile {self.path!r}", setting="pidfile")
        try:
            self._write(pid)
        except OSError as error:
            raise ConfigError(f"pidfile {self.path!r} cannot be written: {error.strerror}", setting="pidfile") from None
        self.pid = pid

    def rename(self, path: str) -> None:
        """Moves the file, to ".2" and back in an upgrade. Raises ConfigError as `create` does."""
        target = os.path.abspath(path)
        if target == self.path:
            return
        other = running_pid(target)
        if other not in (0, self.pid):
            raise ConfigError(f"pid {other} is already running, says pidfile {target!r}", setting="pidfile")
        try:
            if self.is_ours():
                os.rename(self.path, target)
                self.path = target
            else:
                self.path = target
                self._write(self.pid)
        except OSError as error:
            raise ConfigError(f"pidfile {target!r} cannot be written: {error.strerror}", setting="pidfile") from None

    def unlink(self) -> None:
        """Removes the file if it still names us; never raises."""
        if self.is_ours():
            with contextlib.suppress(OSError):  # a leftover is recognised as one at the next start
                os.unlink(self.path)

    def is_ours(self) -> bool:
        """Whether the file is there and names the pid given to `create`."""
        return self.pid != 0 and read_pid(self.path) == self.pid

    def _write(self, pid: int) -> None:
        """A temporary file moved into place: a reader sees the old line or the new one, never half."""
        directory, name = os.path.split(self.path)
        if os.path.isdir(self.path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.path)
        temporary = os.path.join(directory, f".{name}.{pid}")
        with contextlib.suppress(FileNotFoundError):  # none left by a process that had our number
            os.unlink(temporary)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with os.fdopen(fd, "w", encoding="ascii") as file:
                file.write(f"{pid}\n")
                os.fchmod(fd, 0o644)  # whatever the umask says: a monitor of another user reads it
            os.replace(temporary, self.path)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to report
                os.unlink(temporary)
            raise


def read_pid(path: str) -> int:
    """The pid in the file; 0 if there is no such file, it cannot be read, or no number is in it."""
    try:
        with open(path, "rb") as file:
            text = file.read(32).strip()
    except OSError:
        return 0  # if it is there and unreadable, writing it will say why
    return int(text) if text.isdigit() else 0


def running_pid(path: str, proc: str | os.PathLike[str] = "/proc") -> int:
    """The pid in the file if the process that it names still runs, else 0. Our own pid counts as 0."""
    pid = read_pid(path)
    if pid in (0, os.getpid()) or not _exists(pid):
        return 0
    return 0 if _is_another(pid, path, os.fspath(proc)) else pid


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _is_another(pid: int, path: str, proc: str) -> bool:
    """Whether the process is dead but not yet reaped, or was born after the file was written."""
    try:
        # The name in brackets may hold anything; state and starttime are fields 3 and 22 (proc_pid_stat(5)).
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"{proc}/stat", encoding="ascii") as file:
            booted = next(line for line in file if line.startswith("btime "))
        written = os.stat(path).st_mtime
    except (OSError, StopIteration):
        return False  # no /proc: believe the file
    if fields[0] == "Z":
        return True
    started = int(booted.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return started > written + _CLOCK_SLACK
