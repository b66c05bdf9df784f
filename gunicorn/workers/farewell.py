"""How the time is divided that a worker has to end in: pure arithmetic, in seconds from the moment it is told.

The arbiter ends a worker by force when its time is over. Whatever the application does with the first part, the
last part is kept for its own shutdown.
"""

from __future__ import annotations

from typing import NamedTuple

CLEAN_UP = 0.3
"""What a cancelled application may take; the keeper waits no longer for it."""


class Farewell(NamedTuple):
    """Points in time, in order."""

    tell: float
    """Applications that still answer hear `http.disconnect`."""
    cancel: float
    """Those that go on all the same are cancelled."""
    over: float
    """The application's shutdown is given up, and the worker leaves."""


def graceful(total: float) -> Farewell:
    """For TERM; `total` is `graceful_timeout`."""
    over = total - min(0.5, total * 0.1)
    shutdown = min(2.0, over * 0.2)
    cancel = max(over - shutdown - CLEAN_UP, over * 0.4)
    return Farewell(cancel - min(1.0, over * 0.1), cancel, over)


def quick(total: float) -> Farewell:
    """For INT and QUIT; `total` is what the arbiter gives then."""
    return Farewell(0.0, min(0.7, total * 0.25), total - min(0.4, total * 0.2))
