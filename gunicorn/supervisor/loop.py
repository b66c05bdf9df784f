"""The one selector of a process that forks: descriptors in, callbacks out, one deadline.

Knows nothing of what is behind a descriptor. There is no tick: a turn lasts until something is
readable or the nearest deadline has come. There is no thread either, so a callback never meets
another one half-way; signals are just one more readable descriptor (the wake-up pipe).
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable

LATE = 1_000_000_000
"""Nanoseconds past the deadline after which a turn was not merely busy but stopped, paused or starved."""

MAX_WAIT = 3600.0
"""Seconds; far below what poll() can take in milliseconds."""


class Loop:
    """Descriptors to watch and the callback of each."""

    def __init__(self) -> None:
        # poll, not epoll: it leaves no kernel object which a forked child would share and could change.
        self._selector = selectors.PollSelector()

    def watch(self, fd: int, readable: Callable[[], object]) -> None:
        """Calls `readable` in every turn in which `fd` can be read or has reached its end."""
        self._selector.register(fd, selectors.EVENT_READ, readable)

    def forget(self, fd: int) -> None:
        """Stops watching `fd`, before it is closed."""
        self._selector.unregister(fd)

    def descriptors(self) -> list[int]:
        """All that is watched: what a child must close, for it belongs to the parent."""
        return [key.fd for key in self._selector.get_map().values()]

    def turn(self, wake_at: int | None) -> int:
        """Waits until something happens or monotonic `wake_at` ns, calls back, returns by how many ns it was late.

        Less than LATE is 0. More means that the machine, the container or this process stood still while it
        waited, and so perhaps did the children: whoever judges their heartbeats must know. Time that the
        caller spent before the turn does not count, for the children went on meanwhile.
        """
        entered = time.monotonic_ns()
        ready = self._selector.select(_seconds_until(wake_at, entered))
        late = 0 if wake_at is None else time.monotonic_ns() - max(wake_at, entered)
        for key, _ in ready:
            # An earlier callback of this turn may have forgotten this one, and even reused its number.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        return late if late >= LATE else 0


def _seconds_until(wake_at: int | None, now: int) -> float:
    if wake_at is None:
        return MAX_WAIT
    return min(max(0.0, (wake_at - now) / 1e9), MAX_WAIT)
