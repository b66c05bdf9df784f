"""`wsgi.errors` (PEP 3333): the text stream whose lines appear in the error log.

In a plain log the text goes to the log's destinations as it is, tracebacks and all; where each line must be
a record (JSON, logging configurations of the operator) it becomes records, one a line.
"""

from __future__ import annotations

import io
import logging
import threading
from typing import Any

from gunicorn.log.sink import Sink


class ErrorsStream(io.TextIOBase):
    """One for all requests of a worker; `log` is the error log, `plain` says that text needs no frame."""

    def __init__(self, log: logging.Logger, *, plain: bool) -> None:
        self._log = log
        self._plain = plain
        self._lock = threading.Lock()
        self._partial = ""

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str) -> int:
        """Takes any text; a log that cannot be written is no failure of the request."""
        handlers = self._log.handlers
        if self._plain and handlers and all(isinstance(handler, Sink) for handler in handlers):
            data = text.encode("utf-8", "backslashreplace")
            for handler in handlers:
                if isinstance(handler, Sink):
                    handler.write(data)
        else:
            self._record(text)
        return len(text)

    def _record(self, text: str) -> None:
        with self._lock:
            *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            if line:
                self._log.error("%s", line)

    def flush(self) -> None:
        """Makes a record of a line without an end."""
        with self._lock:
            line, self._partial = self._partial, ""
        if line:
            self._log.error("%s", line)


def crash_file(log: Any) -> int:
    """A descriptor of the error log for text that is written by C code when no Python can run; else stderr."""
    for handler in log.handlers:
        if isinstance(handler, Sink) and handler.fd >= 0:
            return handler.fd
        if isinstance(handler, logging.StreamHandler):
            try:
                return int(handler.stream.fileno())
            except (AttributeError, OSError, ValueError):
                continue
    return 2
