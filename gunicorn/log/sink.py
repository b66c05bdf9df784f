"""Where finished lines go: a file or a standard stream, one `write(2)` a line, never an exception.

Knows descriptors and nothing of formats or settings. A full disk, a vanished directory or a closed pipe
costs lines, never a request: the first loss of a streak is told on standard error, once.
"""

from __future__ import annotations

import logging
import os
import select
from typing import Final

STANDARD_STREAMS: Final = {"/dev/stdout": 1, "/dev/stderr": 2}
"""Paths that mean a descriptor this process has; opening them anew fails where it is a socket (ENXIO)."""
PATIENCE_MS: Final = 1000
"""How long a non-blocking pipe may stay full before lines are lost."""

Owner = tuple[int, int]
"""(uid, gid) a log file is given when it is opened by root."""


class Sink(logging.Handler):
    """A log handler over one file descriptor.

    The descriptor's number stays the same for life: `reopen` puts the new file under it with dup2, so a
    thread that is just writing reaches either the old or the new file, never a stranger's.
    """

    def __init__(self, path: str, *, owner: Owner | None = None, standard: int = 1) -> None:
        """Opens `path` for appending; "-" is the descriptor `standard`. Raises OSError."""
        super().__init__()
        self.path = path
        self.owner = owner
        self.standard = standard if path == "-" else STANDARD_STREAMS.get(path)
        self.trouble = False
        """The last write failed: the next one goes the careful way."""
        self.lost = 0
        """Lines given up so far."""
        self._torn = False
        self.fd = self._open() if self.standard is None else self.standard

    def __repr__(self) -> str:
        return f"<Sink {self.path} fd={self.fd}>"

    def emit(self, record: logging.LogRecord) -> None:
        """Formats the record and writes it as one line."""
        try:
            line = self.format(record)
        except Exception:  # a record that cannot be formatted is its caller's bug; logging prints it
            self.handleError(record)
            return
        self.write((line + "\n").encode("utf-8", "backslashreplace"))

    def write(self, line: bytes) -> None:
        """Writes one whole line. Never raises."""
        if self.trouble:
            self._write_carefully(line)
            return
        try:
            written = os.write(self.fd, line)
        except OSError as error:
            self._recover(line, error)
        else:
            if written != len(line):
                self._write_carefully(line[written:], begun=True)

    def reopen(self) -> None:
        """Moves on to a new file of the same name. Raises OSError and keeps the old one when there is none."""
        if self.standard is not None:
            return
        new = self._open()
        if self.fd < 0:
            self.fd = new
            return
        os.dup2(new, self.fd, inheritable=False)
        os.close(new)
        self.trouble = False

    def close(self) -> None:
        """Closes the file; a later write opens it again (logging.config closes handlers that live on)."""
        fd, standard = self.fd, self.standard
        if standard is None and fd >= 0:
            self.fd = -1
            os.close(fd)
        super().close()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        fd = os.open(self.path, flags, 0o666)
        if self.owner is not None and os.geteuid() == 0:
            try:
                os.fchown(fd, *self.owner)
            except OSError:
                # Not every file has an owner (a pipe, a network share); who cannot write it later says so.
                self.trouble = False
        return fd

    def _recover(self, line: bytes, error: OSError) -> None:
        """A write failed outright: open a closed file again, wait for a full pipe, else give the line up."""
        if self.fd < 0:
            try:
                self.reopen()
            except OSError as failure:
                self._give_up(failure)
                return
            self._write_carefully(line)
        elif isinstance(error, BlockingIOError):
            self._write_carefully(line)
        else:
            self._give_up(error)

    def _write_carefully(self, data: bytes, *, begun: bool = False) -> None:
        """Writes `data` piece by piece; `begun` says that the line's beginning is out already."""
        if self._torn and not begun:
            data = b"\n" + data
        try:
            while data:
                try:
                    data = data[os.write(self.fd, data) :]
                except BlockingIOError:
                    self._await_room()
                    data = data[os.write(self.fd, data) :]
                begun = True
        except OSError as error:
            self._torn = begun
            self._give_up(error)
        else:
            self.trouble = self._torn = False

    def _await_room(self) -> None:
        """Waits for the reader of a full pipe, but only once a streak: a dead reader must not stop serving."""
        if not self.trouble:
            poll = select.poll()
            poll.register(self.fd, select.POLLOUT)
            poll.poll(PATIENCE_MS)

    def _give_up(self, error: OSError) -> None:
        self.lost += 1
        if self.trouble:
            return
        self.trouble = True
        if self.standard != 2:
            note = f"gunicorn: cannot write {self.path}: {error.strerror}; lines are lost until it works again\n"
            try:
                os.write(2, note.encode("utf-8", "backslashreplace"))
            except OSError:
                # Neither the log nor standard error can be written: `lost` is all that is left to tell.
                self._torn = self._torn or False
