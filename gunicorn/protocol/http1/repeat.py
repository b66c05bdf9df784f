"""The head of the last answer of a connection, to recognise its repetition (ADR 8).

A kept connection is often answered with the same head again, and what was checked and decided of it is so again.
Knows bytes and comparisons; what a head must be is `encode`'s.
"""

from __future__ import annotations

from gunicorn.protocol.limits import Stamp
from gunicorn.protocol.machine import Fields, Request

LONGEST = 2048
"""Bytes of a head that is kept."""
TRIES = 4
"""So many answers in a row that repeated nothing, and the connection is no longer watched."""

_FIXED = (bytes, str)
_STAMPED = frozenset({"server", "date", b"server", b"date"})


class SaidHead:
    """The last head of a whole answer that left its connection open, in two pieces around the stamp."""

    __slots__ = ("_fields", "_line", "_method", "_rest", "_size", "_status", "_tries", "_version")

    def __init__(self) -> None:
        self._tries = TRIES
        self._status = ""

    def again(self, status: str, fields: Fields, body: bytes, request: Request, stamp: Stamp) -> bytes:
        """The answer's bytes if its head is the kept one with today's stamp; b"" if it is not."""
        if (
            status == self._status
            and fields == self._fields
            and len(body) == self._size
            and request.method == self._method
            and request.version == self._version
        ):
            self._tries = TRIES
            return b"".join((self._line, stamp.lines, self._rest, body))
        return b""

    def keep(self, status: str, fields: Fields, size: int, request: Request, stamp: Stamp, head: bytes) -> None:
        """Keeps a head whose body has `size` bytes."""
        self._status = ""
        if not self._tries:
            return
        self._tries -= 1
        # What an iterator gave is spent, what a list or a bytearray holds may change before it is compared.
        if type(fields) is not list:
            return
        for pair in fields:
            if type(pair) is not tuple or type(pair[0]) not in _FIXED or type(pair[1]) not in _FIXED:
                return
            # An application's own Server or Date is not renewed with the stamp, though it may look like it.
            if pair[0].lower() in _STAMPED:
                return
        end = head.find(b"\r\n") + 2
        stamped = stamp.lines
        if stamped and len(head) <= LONGEST and head.startswith(stamped, end):
            self._status = status
            # A copy: the application may go on with its list.
            self._fields = list(fields)
            self._size = size
            self._method = request.method
            self._version = request.version
            self._line = head[:end]
            self._rest = head[end + len(stamped) :]
