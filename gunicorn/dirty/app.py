"""What an application of the pool is: a class whose public methods are the actions that requests call.

Knows what its author may write and ask. Knows nothing of processes, sockets or queues: a worker constructs
it, calls `init` and `warmup`, then itself for every call, and `close` at the end.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import AsyncGenerator, Awaitable, Generator, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar


class Call:
    """One call as the code that serves it sees it. Written by the worker, from any thread."""

    __slots__ = ("action", "cancelled", "deadline")

    def __init__(self, action: str, deadline: float | None = None) -> None:
        self.action = action
        self.cancelled = False
        """Nobody waits for the answer any more."""
        self.deadline = deadline
        """Seconds of the monotonic clock at which the caller stops waiting; None = it waits for ever."""


_CURRENT: ContextVar[Call | None] = ContextVar("gunicorn.dirty.call", default=None)


@contextlib.contextmanager
def serving(call: Call) -> Iterator[None]:
    """Within it, in this thread or task, `call` is what `current_call` returns and `DirtyApp.cancelled` asks.

    A generator sees the context of whoever asks it for the next item, so each step belongs inside.
    """
    token = _CURRENT.set(call)
    try:
        yield
    finally:
        _CURRENT.reset(token)


class DirtyApp:
    """An application of the pool: constructed once in each worker that holds it, called from any request.

    Every public method is an action: a plain function, a coroutine function, or either kind of generator, whose
    items are streamed to the caller. With `dirty_threads` above 1, actions run side by side on one object.

    The class attributes below are read once, when the pool starts.
    """

    workers: ClassVar[int | None] = None
    """How many workers load it at most; None = all. A count in `dirty_apps` wins over it."""
    stashes: ClassVar[Sequence[str]] = ()
    """Tables of the stash that exist from the start."""
    max_queue: ClassVar[int | None] = None
    """How many calls may wait for a worker; None = as many as the pool allows."""
    queue_timeout: ClassVar[float | None] = None
    """Seconds that a call may wait for a worker; None = as long as its caller waits."""
    timeout: ClassVar[float | None] = None
    """Seconds that a call may take from its arrival, unless its caller says less; None = no bound."""
    required: ClassVar[bool] = False
    """Whether the server is ready only once this application is."""

    def init(self) -> None:
        """Loads what calls need. The worker takes no calls before it has returned."""

    def warmup(self) -> None:
        """Runs after `init`: a first inference, a filled cache. The worker takes no calls before it has returned."""

    def close(self) -> None:
        """Gives back what `init` took. Runs once, when the worker ends in order."""

    def __call__(self, action: str, *args: Any, **kwargs: Any) -> Any:
        """Runs the action of that name. Raises ValueError where there is none."""
        if not _is_action(type(self), action):
            raise ValueError(f"unknown action: {action!r}")
        return getattr(self, action)(*args, **kwargs)

    @property
    def cancelled(self) -> bool:
        """Whether the call this thread or task serves was given up: its caller left, or its time is over."""
        call = _CURRENT.get()
        return call is not None and call.cancelled


def current_call() -> Call | None:
    """The call this thread or task serves. Threads of the application's own serve none: hand it to them."""
    return _CURRENT.get()


def actions(kind: type[DirtyApp]) -> list[str]:
    """The names that may be called on applications of this class, sorted.

    What the class says, not what its objects hold: a model kept as `self.model` can be called, and is no action.
    """
    return [name for name in dir(kind) if _is_action(kind, name)]


_LIFE = frozenset({"init", "close"})
"""Methods that only a worker may call."""


def _is_action(kind: type[DirtyApp], name: str) -> bool:
    if not isinstance(name, str) or name.startswith("_") or name in _LIFE:
        return False
    found = getattr(kind, name, None)
    # A name of ours is free to be an action where the class gives it a method of its own.
    return callable(found) and not isinstance(found, type) and found is not getattr(DirtyApp, name, None)


class Result(enum.Enum):
    """What an application returned, by how its worker must go on."""

    VALUE = "value"
    """Send it."""
    AWAITABLE = "awaitable"
    """Await it, then look again at what came."""
    STREAM = "stream"
    """Send its items as they come."""
    ASYNC_STREAM = "async stream"
    """The same, in an event loop."""


def kind_of(result: object) -> Result:
    """How to go on with what an application returned. Only generators are streams: a list or a file is a value."""
    if isinstance(result, Generator):
        return Result.STREAM
    if isinstance(result, AsyncGenerator):
        return Result.ASYNC_STREAM
    return Result.AWAITABLE if isinstance(result, Awaitable) else Result.VALUE
