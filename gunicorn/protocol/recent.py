"""A bounded memory of what was lately learnt about short strings (names, request lines, hosts).

Strangers choose the strings, so the size is capped, and a flood of new ones costs each newcomer one
call and nothing more: what is used is found again in the older half before that half is forgotten.
Knows nothing of what it remembers.
"""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(dict[str, V], Generic[V]):
    """`recent[key]` is what `learn(key)` says, asked once and then remembered for a while.

    Two generations: when the young one (the dict itself) is full it becomes the old one; a key found
    in the old one is moved to the young. Whatever `learn` raises is passed on and nothing is kept.
    """

    __slots__ = ("_capacity", "_longest", "_old", "_unkept")

    def __init__(self, capacity: int = 512, longest: int = 256, unkept: V | None = None) -> None:
        """`capacity` entries a generation. Keys of more than `longest` characters are never kept, nor is the
        answer `unkept`: junk must not take places that others could use.
        """
        super().__init__()
        self._capacity = capacity
        self._longest = longest
        self._unkept = unkept
        self._old: dict[str, V] = {}

    def learn(self, key: str) -> V:
        """The value of a key that is not remembered. Must depend on nothing but the key."""
        raise NotImplementedError

    def __missing__(self, key: str) -> V:
        # Threads share this: a generation is replaced, never changed, once it is the old one.
        old = self._old
        value = old[key] if key in old else self.learn(key)
        if len(key) <= self._longest and value != self._unkept:
            if len(self) >= self._capacity:
                self._old = dict(self)
                self.clear()
            self[key] = value
        return value
