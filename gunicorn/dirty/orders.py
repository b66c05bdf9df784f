"""What the router asks of the process around it, and the words for how calls begin, go on and end.

Values only: whoever holds the sockets carries them out, in the order in which they come.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from gunicorn.dirty.errors import DirtyError


class Reply(enum.IntEnum):
    """What a worker says about a call; the numbers are the types of the messages."""

    RESPONSE = 0x02
    ERROR = 0x03
    CHUNK = 0x04
    END = 0x05


class Outcome(enum.Enum):
    """How a call ended."""

    DONE = "done"
    FAILED = "failed"
    """The application raised, or the worker answered with another error."""
    REFUSED = "refused"
    """The queue was full."""
    UNAVAILABLE = "unavailable"
    """No worker holds the application, or the pool stops."""
    EXPIRED = "expired"
    """It waited too long and never began."""
    TIMED_OUT = "timed_out"
    """It began and took too long."""
    CANCELLED = "cancelled"
    """Its caller gave it up."""
    LOST = "lost"
    """Its worker died."""


class Start(NamedTuple):
    """Send the request to the worker, under our own number for it."""

    worker: int
    call: int
    app: str
    payload: Any
    remaining: int | None
    """Nanoseconds until its caller stops waiting; None = never."""
    waited: int
    """Nanoseconds it was queued."""
    window: int
    """Bytes of a stream that the worker may send before it has to wait for a Grant."""


class Forward(NamedTuple):
    """Send on, to the caller and under its own number, what the worker said; the payload is as it came."""

    client: int
    request: int
    reply: Reply
    payload: Any


class Answer(NamedTuple):
    """Tell the caller, under its own number, that the call has failed."""

    client: int
    request: int
    error: DirtyError


class Cancel(NamedTuple):
    """Tell the worker that nobody waits for this call any more."""

    worker: int
    call: int


class Grant(NamedTuple):
    """Tell the worker that this call's stream may send `size` bytes more."""

    worker: int
    call: int
    size: int


class Retire(NamedTuple):
    """Start another worker in this one's place: a call that was given up does not end. It gets no more calls."""

    worker: int
    reason: str


class End(NamedTuple):
    """Kill the worker: all it still does is calls that were given up and do not end."""

    worker: int
    reason: str


Order = Start | Forward | Answer | Cancel | Grant | Retire | End
