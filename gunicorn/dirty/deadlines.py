"""Which of many things is due next: one deadline a key, set, moved and dropped in no more than logarithmic time.

Knows no clock: times come from outside, in whatever unit they are compared in.
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

K = TypeVar("K")

SLACK = 64
"""How many entries that no longer count may lie in the heap besides as many as those that do."""


class Deadlines(Generic[K]):
    """The deadlines of a set of keys."""

    __slots__ = ("_entries", "_heap", "_serial")

    def __init__(self) -> None:
        # The serial number keeps keys from being compared, and tells an entry from those it replaced.
        self._heap: list[tuple[int, int, K]] = []
        self._entries: dict[K, tuple[int, int, K]] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._entries)

    def set(self, key: K, at: int) -> None:
        """`key` is due at `at`, whatever was said before."""
        self._serial += 1
        entry = (at, self._serial, key)
        self._entries[key] = entry
        heapq.heappush(self._heap, entry)
        self._tidy()

    def drop(self, key: K) -> None:
        """`key` is never due. Nothing happens where it had no deadline."""
        if self._entries.pop(key, None) is not None:
            self._tidy()

    def at(self, key: K) -> int | None:
        """When `key` is due; None = never."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def nearest(self) -> int | None:
        """When the next key is due; None = no key has a deadline."""
        while self._heap and self._entries.get(self._heap[0][2]) is not self._heap[0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: int) -> list[K]:
        """Takes out the keys whose deadline is `now` or earlier, the earliest first."""
        found = []
        while (at := self.nearest()) is not None and at <= now:
            key = heapq.heappop(self._heap)[2]
            del self._entries[key]
            found.append(key)
        return found

    def _tidy(self) -> None:
        if not self._entries:
            # Cleared, because an empty dict keeps the table of its fullest day.
            self._entries.clear()
            self._heap.clear()
        # Long timeouts of short calls: without this the heap would hold every call of the last five minutes.
        if len(self._heap) > 2 * len(self._entries) + SLACK:
            self._heap = list(self._entries.values())
            heapq.heapify(self._heap)
