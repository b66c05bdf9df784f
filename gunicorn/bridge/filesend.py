"""Files that an ASGI application names instead of sending bytes: by path, or by an open descriptor.

Knows what may be sent so and how much of it; moves nothing.
"""

from __future__ import annotations

import os
import stat
from io import FileIO
from typing import Any

from gunicorn.protocol.errors import ResponseError


def open_path(path: Any) -> FileIO:
    """Opens the file of `http.response.pathsend`. Raises ResponseError for what is no path, and OSError."""
    if not isinstance(path, (str, os.PathLike)):
        raise ResponseError(f"'path' is a str, not {type(path).__name__}")
    return FileIO(path)


def file_span(file: Any, offset: Any, count: Any) -> tuple[int, int]:
    """(offset, count) of what is to be sent of a regular file, by its size where the message does not say.

    Without `offset` it is the file's position, which moves behind the span, as os.sendfile would move it.
    Raises ResponseError for what cannot be sent by descriptor.
    """
    try:
        fd = file if isinstance(file, int) else file.fileno()
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise ResponseError("only regular files can be sent by descriptor")
        start = os.lseek(fd, 0, os.SEEK_CUR) if offset is None else int(offset)
        length = max(info.st_size - start, 0) if count is None else int(count)
        if start < 0 or length < 0 or start + length > info.st_size:
            raise ResponseError(f"{length} bytes from {start} are not in a file of {info.st_size} bytes")
        if offset is None:
            os.lseek(fd, start + length, os.SEEK_SET)
    except (AttributeError, TypeError, ValueError, OverflowError, OSError) as error:
        raise ResponseError(f"not a file that can be sent: {error}") from None
    return start, length
