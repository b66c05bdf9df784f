"""When a WebSocket connection pings its peer, and when it has waited long enough for the answer (RFC 6455 5.5.2).

Knows times, in monotonic nanoseconds that somebody else reads, and nothing of frames or connections.
"""

from __future__ import annotations

from gunicorn.protocol.limits import WebSocketPolicy

NEVER = 1 << 63


class Pings:
    """The pings of one connection: at most one is unanswered at a time."""

    __slots__ = ("_awaited", "_deadline", "_interval", "_next", "_timeout", "missed")

    def __init__(self, policy: WebSocketPolicy) -> None:
        self._interval = int(policy.ping_interval * 1e9)
        self._timeout = int(policy.ping_timeout * 1e9)
        self._next = 0
        self._awaited = b""
        self._deadline = NEVER
        self.missed = False
        """The peer owes an answer for longer than it may."""

    def answered(self, payload: bytes) -> None:
        """A pong came; one that answers an older ping, or none, says nothing."""
        if payload == self._awaited:
            self._awaited = b""
            self._deadline = NEVER

    def due(self, now: int, excused: bool) -> bytes:
        """The payload of the ping to send now, or b"". Sets `missed`.

        `excused` says that no answer could have been read: the wait for it begins again.
        """
        if not self._interval:
            return b""
        if now >= self._deadline:
            if not excused:
                self.missed = True
                return b""
            self._deadline = now + self._timeout
        if not self._next:
            self._next = now + self._interval
        if now < self._next or self._awaited:
            return b""
        self._next = now + self._interval
        self._awaited = now.to_bytes(8)
        if self._timeout:
            self._deadline = now + self._timeout
        return self._awaited

    def next(self) -> int:
        """When there will be something to do, as far as it is known now."""
        if not self._interval:
            return NEVER
        return self._deadline if self._awaited else min(self._next, self._deadline)
