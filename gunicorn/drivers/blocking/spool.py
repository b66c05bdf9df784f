"""A request body while it arrives: in memory up to a threshold, then in a temporary file."""

from __future__ import annotations

import io
from typing import BinaryIO, cast


class Spool:
    """Collects body bytes; `file()` gives them as wsgi.input, positioned at the start."""

    __slots__ = ("_chunks", "_directory", "_file", "_threshold", "size")

    def __init__(self, threshold: int, directory: str | None = None) -> None:
        self._chunks: list[bytes] = []
        self._threshold = threshold
        self._directory = directory
        self._file: BinaryIO | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Adds bytes. Raises OSError when the disk is full or the directory unwritable."""
        self.size += len(data)
        if self._file is not None:
            self._file.write(data)
            return
        self._chunks.append(data)
        if self.size > self._threshold:
            import tempfile

            spill = tempfile.TemporaryFile(prefix="gunicorn-body-", dir=self._directory)  # noqa: SIM115
            self._file = cast(BinaryIO, spill)
            self._file.writelines(self._chunks)
            self._chunks.clear()

    def file(self) -> BinaryIO:
        """The whole body, ready to be read."""
        if self._file is not None:
            self._file.seek(0)
            return self._file
        return io.BytesIO(b"".join(self._chunks))

    def close(self) -> None:
        """Gives up the temporary file, if there is one."""
        if self._file is not None:
            self._file.close()
