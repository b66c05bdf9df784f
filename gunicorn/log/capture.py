"""`capture_output`: what the application prints, and what C code writes to 1 and 2, goes to the error log's file."""

from __future__ import annotations

import io
import os
import sys


class OutputCapture:
    """Descriptors 1 and 2 of this process, put over a file. One way: nothing gives them back."""

    def __init__(self) -> None:
        self.path = ""

    def begin(self, path: str) -> None:
        """Redirects standard output and standard error to `path`. Raises OSError."""
        self._redirect(path)
        self.path = path
        for stream in (sys.stdout, sys.stderr):
            # A line at a time, as on a terminal: a worker that is killed must not take prints with it.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True)

    def renew(self) -> None:
        """Moves on to a new file of the same name; nothing when no output is captured. Raises OSError."""
        if self.path:
            self._redirect(self.path)

    def _redirect(self, path: str) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os.dup2(fd, 1)
            os.dup2(fd, 2)
        finally:
            os.close(fd)
