"""inotify(7) without a dependency: which names in which directories have changed.

Linux only, by ctypes. Watches directories, not files, because editors save by renaming a new file
over the old one and a watch on the file would stay with the dead one.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_EVENT = struct.Struct("iIII")
_IN_ATTRIB, _IN_CLOSE_WRITE, _IN_MOVED_FROM, _IN_MOVED_TO = 0x4, 0x8, 0x40, 0x80
_IN_CREATE, _IN_DELETE, _IN_Q_OVERFLOW, _IN_IGNORED = 0x100, 0x200, 0x4000, 0x8000
_IN_ONLYDIR = 0x01000000
# Not IN_MODIFY: a log file that is written to all day long must not wake anybody.
_MASK = _IN_ATTRIB | _IN_CLOSE_WRITE | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE | _IN_ONLYDIR


class Inotify:
    """One inotify instance. Raises OSError where the system has none, or no more of them."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("inotify is a Linux facility")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._directories: dict[int, str] = {}

    def fileno(self) -> int:
        """Readable while events wait."""
        return self._fd

    @property
    def directories(self) -> frozenset[str]:
        """The directories watched now; one that was removed drops out."""
        return frozenset(self._directories.values())

    def watch(self, directory: str) -> None:
        """Watches the names in a directory. Raises OSError: it is gone, or the limit is reached."""
        watch = self._checked(self._libc.inotify_add_watch(self._fd, os.fsencode(directory), _MASK))
        self._directories[watch] = directory

    def read(self) -> set[str] | None:
        """Paths that may have changed since the last call; None if events were lost, so any may have."""
        paths: set[str] = set()
        lost = False
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return None if lost else paths
            offset = 0
            while offset < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, offset)
                offset += _EVENT.size
                name = data[offset : offset + length].rstrip(b"\0")
                offset += length
                if mask & _IN_Q_OVERFLOW:
                    lost = True
                elif mask & _IN_IGNORED:
                    self._directories.pop(watch, None)
                elif watch in self._directories:
                    paths.add(os.path.join(self._directories[watch], os.fsdecode(name)))

    def close(self) -> None:
        """Ends all watches."""
        os.close(self._fd)

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
