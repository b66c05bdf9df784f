"""One listening socket and what is known of it: its address, its name, whose it is, its file.

Does not open or bind anything (`net.listeners` does) and accepts only when asked.
"""

from __future__ import annotations

import os
import socket
import stat
from typing import Any

from gunicorn.net.address import Bind


class Listener:
    """A listening socket, non-blocking, and what is known of it.

    `owned` says that no other program keeps this socket after us: only then may its file be unlinked
    and newcomers be refused. Sockets of systemd and of `fd://` are not owned. `name` is how logs call
    it; `path` is absolute, or "" where no file belongs to it.
    """

    __slots__ = ("_inode", "bind", "family", "name", "owned", "path", "sock")

    def __init__(self, sock: socket.socket, bind: Bind, *, name: str, owned: bool = True) -> None:
        self.sock = sock
        self.bind = bind
        self.family: int = sock.family
        self.name = name
        self.owned = owned
        self.path = ""
        self._inode: tuple[int, int] | None = None
        sock.setblocking(False)
        if sock.family == socket.AF_UNIX:
            address = _text(sock.getsockname())
            if address and not address.startswith("\0"):
                self.path = os.path.abspath(address)
                self._inode = _socket_inode(self.path)

    @property
    def address(self) -> tuple[str, int] | str:
        """(host, port) as bound, so with the real port where 0 was asked for; a path for unix."""
        return address_of(self.sock)

    def fileno(self) -> int:
        """The descriptor, so that a selector takes the listener itself."""
        return self.sock.fileno()

    def getsockname(self) -> Any:
        """As of a socket, for worker classes that treat a listener as one."""
        return self.sock.getsockname()

    def accept(self) -> tuple[socket.socket, Any]:
        """As of a socket. Raises BlockingIOError when nobody waits."""
        return self.sock.accept()

    def unlink(self) -> bool:
        """Removes the file of a unix socket if it is still the one we made, and says whether it did.

        Another server may have put its own socket in the same place meanwhile: the inode tells.
        """
        if not self.owned or self._inode is None or _socket_inode(self.path) != self._inode:
            return False
        self._inode = None
        try:
            os.unlink(self.path)
        except OSError:
            return False  # a directory we may no longer write, after a change of user: the file stays, stale
        return True

    def close(self, *, unlink: bool = False) -> None:
        """Closes this process's copy; with `unlink` the last one to leave takes the file along."""
        if unlink:
            self.unlink()
        self.sock.close()

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Listener {self.name} fd {self.sock.fileno()}>"


def address_of(sock: socket.socket) -> tuple[str, int] | str:
    """(host, port) of a TCP socket, the path of a unix socket with NUL first if it is abstract."""
    address = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return _text(address)
    return address[0], address[1]


def _text(address: str | bytes) -> str:
    """`getsockname` gives abstract names as bytes."""
    return os.fsdecode(address)


def _socket_inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None
