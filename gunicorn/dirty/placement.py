"""Which worker of the pool loads which applications: pure, from their limits and the number of workers.

Knows nothing of processes. A *slot* is a place for one worker; whoever is started there, first or after a crash,
loads what the slot says. Each method that changes the layout returns what has to be done about it.

The rules:
- An application without a limit is in every slot, one with limit N in as many as there are, up to N.
- At the start, limited applications go where the fewest of them are: two models of limit 2 in a pool of 4 do
  not meet. A slot that nothing is left for is not made.
- A new slot gets only applications below their limit. If there is none, there is no new slot, and a reason.
- Slots leave newest first, those without limited applications before the others. No application is left
  with fewer workers than the smaller of its limit and the size of the pool: where one would be, it moves in
  with a remaining slot, whose worker is then replaced by one that loads it too.
- Never fewer slots than the largest limit that the pool could meet, nor fewer than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from gunicorn.dirty.spec import AppSpec

ALL_AT_LIMIT = "every application has reached its limit of workers"
NO_APPS = "the pool has no applications"
LAST_WORKER = "a pool keeps at least one worker"
LARGEST_LIMIT = "{path} needs {limit} workers"


class Change(NamedTuple):
    """What a change of the layout asks for. Slots that are in none of the lists go on as they are."""

    spawn: tuple[int, ...] = ()
    """Slots that are new: start their workers."""
    stop: tuple[int, ...] = ()
    """Slots that are gone: drain their workers."""
    replace: tuple[int, ...] = ()
    """Slots that load other applications now: start a new worker, and drain the old one once it is ready."""
    reason: str = ""
    """Why less was done than was asked for; "" where all was."""


class Placement:
    """The layout of one pool."""

    def __init__(self, specs: Iterable[AppSpec]) -> None:
        self._limits: dict[str, int | None] = {spec.path: spec.workers for spec in specs}
        self._slots: dict[int, frozenset[str]] = {}

    @property
    def slots(self) -> Mapping[int, frozenset[str]]:
        """Slot -> the paths its worker loads. A view: it follows later changes."""
        return MappingProxyType(self._slots)

    def loads(self, slot: int) -> list[str]:
        """What the worker in `slot` loads, in the order of the configuration; the same after every crash."""
        return [path for path in self._limits if path in self._slots[slot]]

    def holders(self, path: str) -> list[int]:
        """The slots that load `path`, lowest first; none for an application that is not configured."""
        return sorted(slot for slot, held in self._slots.items() if path in held)

    @property
    def floor(self) -> int:
        """How many slots `remove` leaves at least."""
        return max([1, *(limit for limit in self._limits.values() if limit)])

    def start(self, workers: int) -> Change:
        """The first layout, for `workers` slots."""
        if self._slots:
            raise RuntimeError("the layout was made already")
        everywhere = frozenset(path for path, limit in self._limits.items() if limit is None)
        bounded = [(path, min(limit, workers)) for path, limit in self._limits.items() if limit is not None]
        wanted = workers if everywhere else min(workers, sum(count for _, count in bounded))
        self._slots = dict.fromkeys(range(wanted), everywhere)
        for path, count in bounded:
            self._spread(path, count)
        return Change(spawn=tuple(self._slots), reason=self._too_few(workers, wanted))

    def add(self, count: int) -> Change:
        """Up to `count` slots more."""
        spawn = []
        for _ in range(count):
            held = frozenset(path for path in self._limits if self._below_limit(path))
            if not held:
                break
            slot = next(number for number in range(len(self._slots) + 1) if number not in self._slots)
            self._slots[slot] = held
            spawn.append(slot)
        return Change(spawn=tuple(spawn), reason=self._too_few(count, len(spawn)))

    def remove(self, count: int) -> Change:
        """Up to `count` slots fewer."""
        possible = max(0, min(count, len(self._slots) - self.floor))
        stop = []
        for _ in range(possible):
            slot = min(self._slots, key=lambda number: (self._bounded_in(number), -number))
            del self._slots[slot]
            stop.append(slot)
        reason = ""
        if possible < count:
            path, limit = max(self._limits.items(), key=lambda item: item[1] or 0, default=("", None))
            reason = LARGEST_LIMIT.format(path=path, limit=limit) if (limit or 0) > 1 else LAST_WORKER
        return Change(stop=tuple(stop), replace=self._settle(), reason=reason)

    def add_app(self, spec: AppSpec) -> Change:
        """One application more, in the slots that are there; the first slot where there is none."""
        if spec.path in self._limits:
            raise ValueError(f"{spec.path} is in the pool already")
        self._limits[spec.path] = spec.workers
        if not self._slots:
            return self.add(1)
        return Change(replace=self._settle())

    def remove_app(self, path: str) -> Change:
        """One application fewer. Slots that held nothing else stop. Raises KeyError where it is not in the pool."""
        del self._limits[path]
        return self._drop(path, self.holders(path))

    def scale_app(self, path: str, workers: int | None) -> Change:
        """Another limit. What is too much leaves the slots that hold most. Raises KeyError where it is not there."""
        if path not in self._limits:
            raise KeyError(path)
        self._limits[path] = workers
        holders = sorted(self.holders(path), key=lambda slot: (-len(self._slots[slot]), -slot))
        surplus = 0 if workers is None else max(0, len(holders) - workers)
        dropped = self._drop(path, holders[:surplus])
        return dropped._replace(replace=tuple(sorted({*dropped.replace, *self._settle()})))

    def _drop(self, path: str, slots: Iterable[int]) -> Change:
        stop, replace = [], []
        for slot in slots:
            self._slots[slot] -= {path}
            if self._slots[slot]:
                replace.append(slot)
            else:
                del self._slots[slot]
                stop.append(slot)
        return Change(stop=tuple(sorted(stop)), replace=tuple(sorted(replace)))

    def _settle(self) -> tuple[int, ...]:
        """Brings every application to the workers it may have; the slots that grew for it."""
        before = dict(self._slots)
        for path, limit in self._limits.items():
            self._spread(path, len(self._slots) if limit is None else min(limit, len(self._slots)))
        return tuple(sorted(slot for slot, held in self._slots.items() if held != before[slot]))

    def _spread(self, path: str, count: int) -> None:
        """Puts `path` into the slots with the fewest limited applications until `count` hold it."""
        missing = count - len(self.holders(path))
        free = sorted((slot for slot in self._slots if path not in self._slots[slot]), key=self._load)
        for slot in free[: max(0, missing)]:
            self._slots[slot] |= {path}

    def _load(self, slot: int) -> tuple[int, int]:
        return self._bounded_in(slot), slot

    def _bounded_in(self, slot: int) -> int:
        return sum(self._limits[path] is not None for path in self._slots[slot])

    def _below_limit(self, path: str) -> bool:
        limit = self._limits[path]
        return limit is None or len(self.holders(path)) < limit

    def _too_few(self, wanted: int, made: int) -> str:
        if made >= wanted:
            return ""
        return ALL_AT_LIMIT if self._limits else NO_APPS
