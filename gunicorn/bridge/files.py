"""Files between server and application: `wsgi.file_wrapper` and a body read while it arrives."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO


class FileWrapper:
    """PEP 3333's optional file handling: iterates in blocks, or is sent by sendfile where it can be."""

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize
        try:
            self.close: Callable[[], None] = filelike.close
        except AttributeError:
            self.close = _nothing

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.blksize)
        if not data:
            raise StopIteration
        return data

    def span(self) -> tuple[int, int] | None:
        """(offset, count) of what is left of a regular file, or None where there is no such file."""
        try:
            fd: int = self.filelike.fileno()
            info = os.fstat(fd)
            offset: int = self.filelike.tell()
        except (AttributeError, OSError, ValueError):
            return None
        if not stat.S_ISREG(info.st_mode) or not _is_verbatim(self.filelike):
            return None
        return offset, max(info.st_size - offset, 0)


def _nothing() -> None:
    pass


def _is_verbatim(file: Any) -> bool:
    """Whether `read` gives the very bytes that are on disk: GzipFile and its kin have a descriptor, too."""
    if isinstance(file, (io.BufferedReader, io.BufferedRandom)):
        return isinstance(file.raw, io.FileIO)
    return isinstance(file, io.FileIO) or not isinstance(file, io.IOBase)


class LiveBody(io.RawIOBase, BinaryIO):
    """A request body that is pulled from the connection as the application reads it.

    Under `io.BufferedReader` it has every method that PEP 3333 asks of wsgi.input. Whoever owns the connection
    closes it after the request: from then on reading raises ValueError, as with every closed file.
    """

    def __init__(self, pull: Callable[[int], bytes]) -> None:
        self._pull = pull
        self._rest = b""

    def readable(self) -> bool:
        """True: PEP 3333's input is read-only."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer` with what has arrived, waiting for at least one byte; 0 at the end."""
        data = self._rest or self._pull(len(buffer))
        taken = data[: len(buffer)]
        self._rest = data[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)
