"""The tables of the stash: values by key that every process of the server shares, kept by the pool's arbiter.

Knows nothing of messages or processes; the clock is given. One caller after the other: each method is atomic
because nothing runs beside it. A value is kept as it is given and never looked into, so none can be taken for an
error: what goes wrong is raised. Whoever keeps a value it put here and changes it changes what is stored.

A table is made by the first `put`, `incr` or `compare_and_set` into it, or by `ensure`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from gunicorn.dirty.deadlines import Deadlines
from gunicorn.dirty.errors import INT64, StashError, StashKeyNotFoundError, StashTableNotFoundError

SECOND = 1_000_000_000


class Absent:
    """The type of ABSENT."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""What `compare_and_set` expects of a key that must not be there."""


class Tables:
    """All tables of one pool. `clock` gives nanoseconds that never go back; times to live are seconds."""

    def __init__(self, clock: Callable[[], int], tables: Iterable[str] = ()) -> None:
        self._clock = clock
        self._tables: dict[str, dict[str, Any]] = {}
        self._deadlines: Deadlines[tuple[str, str]] = Deadlines()
        for table in tables:
            self.ensure(table)

    # Values

    def put(self, table: str, key: str, value: Any, ttl: float | None = None) -> None:
        """Stores `value`, for `ttl` seconds or for ever; what was there is gone, with its time to live."""
        until = self._until(ttl)
        _named(key, "key")
        self._writable(table)[key] = value
        self._set_deadline(table, key, until)

    def get(self, table: str, key: str) -> Any:
        """The value. Raises StashTableNotFoundError or StashKeyNotFoundError."""
        values = self._readable(table)
        if key not in values:
            raise StashKeyNotFoundError(table, key)
        return values[key]

    def delete(self, table: str, key: str) -> bool:
        """Whether there was something to delete."""
        self.sweep()
        values = self._tables.get(table, {})
        if key not in values:
            return False
        del values[key]
        self._deadlines.drop((table, key))
        return True

    def exists(self, table: str, key: str | None = None) -> bool:
        """Whether the table is there, or the key in it."""
        self.sweep()
        return table in self._tables and (key is None or key in self._tables[table])

    def keys(self, table: str, pattern: str | None = None) -> list[str]:
        """The keys in the order they came, or those that match a shell pattern (`*`, `?`, `[a-z]`), case and all."""
        values = self._readable(table)
        if pattern is None:
            return list(values)
        matches = re.compile(fnmatch.translate(pattern)).match
        return [key for key in values if matches(key)]

    def ttl(self, table: str, key: str) -> float | None:
        """Seconds that a value has left; None = it stays. Raises as `get`."""
        self.get(table, key)
        until = self._deadlines.at((table, key))
        return None if until is None else (until - self._clock()) / SECOND

    # Values that depend on what is there

    def incr(self, table: str, key: str, by: float = 1, initial: float = 0, ttl: float | None = None) -> int | float:
        """Adds to a number, or to `initial` where there is none; returns the sum.

        `ttl` is for a key that is made: one that is there keeps its own, so counters of a window end with it. Raises
        StashError where the value is no number, or the sum no longer fits a message (int64); nothing is changed then.
        """
        until = self._until(ttl)
        _named(key, "key")
        self.sweep()
        found = self._tables.get(table, {}).get(key, ABSENT)
        total = _sum(_number(initial if found is ABSENT else found, f"{table}[{key!r}]"), _number(by, "the step"))
        self._writable(table)[key] = total
        if found is ABSENT:
            self._set_deadline(table, key, until)
        return total

    def compare_and_set(self, table: str, key: str, expected: Any, value: Any, ttl: float | None = None) -> bool:
        """Stores `value` if what is there is `expected` (ABSENT: nothing); whether it did.

        Values of different types differ: 1, 1.0 and True are three values, in lists and dicts too.
        """
        until = self._until(ttl)
        _named(key, "key")
        self.sweep()
        if not same(self._tables.get(table, {}).get(key, ABSENT), expected):
            return False
        self._writable(table)[key] = value
        self._set_deadline(table, key, until)
        return True

    # Tables

    def ensure(self, table: str) -> bool:
        """Makes the table where it is not there; whether it did."""
        self.sweep()
        made = table not in self._tables
        self._writable(table)
        return made

    def tables(self) -> list[str]:
        """The names of all tables, sorted."""
        return sorted(self._tables)

    def info(self, table: str) -> dict[str, Any]:
        """{table, size: keys in it, expiring: those of them with a time to live}. Raises StashTableNotFoundError."""
        values = self._readable(table)
        expiring = sum(self._deadlines.at((table, key)) is not None for key in values)
        return {"table": table, "size": len(values), "expiring": expiring}

    def clear(self, table: str) -> int:
        """Empties the table; how many keys it had. Raises StashTableNotFoundError."""
        values = self._readable(table)
        count = len(values)
        for key in values:
            self._deadlines.drop((table, key))
        values.clear()
        return count

    def delete_table(self, table: str) -> None:
        """Removes the table and what is in it. Raises StashTableNotFoundError."""
        self.clear(table)
        del self._tables[table]

    # Time

    def sweep(self) -> None:
        """Forgets values whose time is over. Every method does so first; a timer need call it only for the memory."""
        if self._deadlines:
            for table, key in self._deadlines.due(self._clock()):
                del self._tables[table][key]

    def next_deadline(self) -> int | None:
        """When the next value's time is over; None = never."""
        return self._deadlines.nearest()

    def _readable(self, table: str) -> dict[str, Any]:
        self.sweep()
        if table not in self._tables:
            raise StashTableNotFoundError(table)
        return self._tables[table]

    def _writable(self, table: str) -> dict[str, Any]:
        _named(table, "table")
        return self._tables.setdefault(table, {})

    def _until(self, ttl: float | None) -> int | None:
        if ttl is None:
            return None
        if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl < float("inf"):
            raise StashError(f"a time to live is a number of seconds above 0, not {ttl!r}")
        return self._clock() + max(1, int(ttl * SECOND))

    def _set_deadline(self, table: str, key: str, until: int | None) -> None:
        if until is None:
            self._deadlines.drop((table, key))
        else:
            self._deadlines.set((table, key), until)


def same(one: Any, other: Any) -> bool:
    """Whether two values of the wire are the same, type and all. A NaN is the same as another."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or (one != one and other != other))


def _named(name: object, what: str) -> None:
    if not isinstance(name, str):
        raise StashError(f"a {what} of the stash is text, not {type(name).__name__}")


def _number(value: Any, what: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StashError(f"{what} is {type(value).__name__}, not a number")
    return value


def _sum(one: float, other: float) -> int | float:
    try:
        total = one + other
    except OverflowError:
        raise StashError("the sum is out of range") from None
    if isinstance(total, int) and total not in INT64:
        raise StashError("the sum is out of range")
    return total
