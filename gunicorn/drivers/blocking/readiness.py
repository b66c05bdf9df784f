"""Which sockets are ready: epoll where there is one, poll elsewhere, behind the same six verbs.

epoll is used edge-triggered: a connection is registered once and never modified on the hot path. The
owner of a connection promises to read until the kernel has no more, or to call `rearm`. poll is level-
triggered: there `mute` and `want_write` do the work that edges save.
"""

from __future__ import annotations

import select
from typing import Protocol

READ = 1
WRITE = 4
ERROR = 8
HANGUP = 16
FINISHED = 0x2000
"""EPOLLRDHUP: the peer sends no more. Only epoll reports it; poll asks again as long as there is an end to read."""


class Readiness(Protocol):
    """A set of watched descriptors; events are (fd, mask) with mask made of READ WRITE ERROR HANGUP."""

    def watch(self, fd: int) -> None:
        """Watches a connection for reading and writing."""
        ...

    def watch_shared(self, fd: int) -> None:
        """Watches a listener that other processes watch too; ready means one accept may succeed."""
        ...

    def forget(self, fd: int) -> None:
        """Stops watching a connection that is about to be closed."""
        ...

    def unwatch_shared(self, fd: int) -> None:
        """Stops watching a listener, which stays open."""
        ...

    def mute(self, fd: int) -> None:
        """The connection is in other hands: its events may wait until `rearm`."""
        ...

    def rearm(self, fd: int) -> None:
        """Reports the connection's present state once more."""
        ...

    def want_write(self, fd: int, wanted: bool) -> None:
        """Answer bytes are (no longer) queued behind this connection."""
        ...

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """Ready descriptors, after at most `seconds`; [] on time-out or a signal."""
        ...

    def close(self) -> None:
        """Gives the set back."""
        ...


class EpollReadiness:
    """Linux: edge-triggered connections, EPOLLEXCLUSIVE listeners."""

    __slots__ = ("_epoll", "_mask", "_shared")

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._mask = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        self._shared = select.EPOLLIN | select.EPOLLEXCLUSIVE

    def watch(self, fd: int) -> None:
        self._epoll.register(fd, self._mask)

    def watch_shared(self, fd: int) -> None:
        self._epoll.register(fd, self._shared)

    def forget(self, fd: int) -> None:
        """Nothing: closing the descriptor takes it out of the set, and saves a system call."""

    def unwatch_shared(self, fd: int) -> None:
        self._epoll.unregister(fd)

    def mute(self, fd: int) -> None:
        """Nothing: an edge is reported once."""

    def rearm(self, fd: int) -> None:
        self._epoll.modify(fd, self._mask)

    def want_write(self, fd: int, wanted: bool) -> None:
        """Nothing: the edge of writability is always watched."""

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        return self._epoll.poll(seconds, 256)

    def close(self) -> None:
        self._epoll.close()


class PollReadiness:
    """Everywhere else: level-triggered poll(2)."""

    __slots__ = ("_masks", "_poll")

    def __init__(self) -> None:
        self._poll = select.poll()
        self._masks: dict[int, int] = {}

    def _set(self, fd: int, mask: int) -> None:
        self._masks[fd] = mask
        self._poll.register(fd, mask)

    def watch(self, fd: int) -> None:
        self._set(fd, READ)

    def watch_shared(self, fd: int) -> None:
        self._set(fd, READ)

    def forget(self, fd: int) -> None:
        self.mute(fd)
        self._masks.pop(fd, None)

    def unwatch_shared(self, fd: int) -> None:
        self.forget(fd)

    def mute(self, fd: int) -> None:
        if fd in self._masks:
            try:
                self._poll.unregister(fd)
            except KeyError:
                return

    def rearm(self, fd: int) -> None:
        if fd in self._masks:
            self._poll.register(fd, self._masks[fd])

    def want_write(self, fd: int, wanted: bool) -> None:
        if fd in self._masks:
            self._set(fd, READ | WRITE if wanted else READ)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        return self._poll.poll(seconds * 1000)

    def close(self) -> None:
        self._masks.clear()


def best_readiness() -> Readiness:
    """The fastest kind this system has."""
    try:
        return EpollReadiness()
    except AttributeError:
        return PollReadiness()
