"""A request body while it arrives: in memory up to a threshold, then in a temporary file."""

from __future__ import annotations

import contextlib
import io
from typing import BinaryIO, cast


class Spool:
    """Collects body bytes; `file()` gives them as wsgi.input, positioned at the start.

    However small the pieces are that a client sends, they take no more memory than their bytes.
    """

    __slots__ = ("_directory", "_file", "_memory", "_threshold", "size")

    def __init__(self, threshold: int, directory: str | None = None) -> None:
        self._memory: io.BytesIO | None = None
        self._threshold = threshold
        self._directory = directory
        self._file: BinaryIO | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Adds bytes. Raises OSError when the disk is full or the directory unwritable."""
        if self._file is not None:
            self._file.write(data)
        elif self._memory is None:
            # The one piece that most bodies are is shared, not copied.
            self._memory = io.BytesIO(data)
            self._memory.seek(len(data))
        else:
            self._memory.write(data)
        self.size += len(data)
        if self.size > self._threshold and self._memory is not None:
            import tempfile

            spill = tempfile.TemporaryFile(prefix="gunicorn-body-", dir=self._directory)  # noqa: SIM115
            self._file = cast(BinaryIO, spill)
            self._file.write(self._memory.getvalue())
            self._memory = None

    def file(self) -> BinaryIO:
        """The whole body, ready to be read. Raises OSError when its end cannot be stored."""
        whole = self._file or self._memory or io.BytesIO()
        whole.seek(0)
        return whole

    def close(self) -> None:
        """Gives up the temporary file, if there is one; what it could not store is lost with it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
