"""Answer bytes that the kernel has not taken yet, in order: pieces of memory and spans of files."""

from __future__ import annotations

import os
import socket
from collections import deque
from typing import BinaryIO

from gunicorn.drivers.blocking.tlssocket import TlsSocket

COPY_BLOCK = 65536
SENDFILE_BLOCK = 1 << 20


class FileSpan:
    """`count` bytes of a file from `offset`, by a descriptor of its own, so the file may be closed."""

    __slots__ = ("count", "fd", "offset")

    def __init__(self, file: BinaryIO, offset: int, count: int) -> None:
        self.fd = os.dup(file.fileno())
        self.offset = offset
        self.count = count

    def send(self, sock: socket.socket | TlsSocket) -> int:
        """Sends one block and says how long it was. Raises BlockingIOError and OSError.

        A file that shrank meanwhile is an OSError: the length that was promised can't be kept.
        """
        want = min(self.count, SENDFILE_BLOCK)
        if type(sock) is not TlsSocket:
            sent = os.sendfile(sock.fileno(), self.fd, self.offset, want)
        else:
            block = os.pread(self.fd, min(want, COPY_BLOCK), self.offset)
            sent = sock.send(block) if block else 0
        if sent == 0 and self.count:
            raise OSError("the file became shorter while it was sent")
        self.offset += sent
        self.count -= sent
        return sent

    def close(self) -> None:
        """Gives the descriptor back."""
        os.close(self.fd)


class Outbox:
    """The queue behind one socket.

    `size` counts the bytes held in memory (file spans weigh nothing), `moved` all that were sent.
    """

    __slots__ = ("items", "moved", "size")

    def __init__(self) -> None:
        self.items: deque[memoryview | FileSpan] = deque()
        self.size = 0
        self.moved = 0

    def add(self, data: bytes | memoryview) -> None:
        """Queues bytes behind what is there."""
        view = memoryview(data)
        self.items.append(view)
        self.size += len(view)

    def flush(self, sock: socket.socket | TlsSocket) -> None:
        """Sends until empty. Raises BlockingIOError when the kernel is full, OSError when the peer is gone."""
        items = self.items
        while items:
            item = items[0]
            if type(item) is FileSpan:
                self.moved += item.send(sock) if item.count else 0
                if not item.count:
                    item.close()
                    items.popleft()
                continue
            assert type(item) is memoryview
            sent = sock.send(item)
            self.size -= sent
            self.moved += sent
            if sent == len(item):
                items.popleft()
            else:
                items[0] = item[sent:]

    def clear(self) -> None:
        """Drops everything."""
        for item in self.items:
            if type(item) is FileSpan:
                item.close()
        self.items.clear()
        self.size = 0
