"""The bus of lifecycle events: what happened to the server and its workers, told to whoever subscribed.

For rare events only: a request never passes here (requests are counted in `gunicorn.metrics.cells`).
Subscribers run at once, in order, in the process and thread of whoever emits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

EVENTS: Final[Mapping[str, str]] = {
    "server.started": "The server listens and its pool was told to start. Data: server.",
    "server.stopping": "The server stops, gracefully or not. Data: server.",
    "server.promoted": "After an upgrade the old server went and this one is the only one. Data: server.",
    "server.reload_failed": "New settings were refused; the old ones stay in force. Data: reason (str).",
    "pool.scaled": "Another number of workers is wanted. Data: old, new (int).",
    "pool.settled": "Every wanted worker of a generation is ready and no older one is left. Data: generation (int).",
    "pool.abandoned": "A generation could not boot; another serves on. Data: generation, fallback (int).",
    "worker.spawned": "A worker was forked. Data: child.",
    "worker.ready": "A worker said that it is ready to serve. Data: child.",
    "worker.draining": "A worker was asked to finish and go. Data: child, reason (str).",
    "worker.stalled": "A worker gave no sign of life for too long and is being ended. Data: child, reason (str).",
    "worker.exited": "A worker is gone and was reaped. Data: child, status (wait status), reason (str).",
}
"""Every event there is and the data that comes with it."""

Subscriber = Callable[..., object]
"""Called with the event's data as keyword arguments."""
Failed = Callable[[str, Subscriber, Exception], None]
"""Told of a subscriber that raised: event, subscriber, error."""


def report_failure(event: str, subscriber: Subscriber, error: Exception) -> None:
    """Writes the failure, with its traceback, to the error log."""
    logging.getLogger("gunicorn.error").error("Subscriber %r of %s failed", subscriber, event, exc_info=error)


class Bus:
    """Subscribers by event. One a process tree; children inherit what was subscribed before their fork."""

    __slots__ = ("_failed", "_subscribers")

    def __init__(self, failed: Failed = report_failure) -> None:
        self._failed = failed
        self._subscribers: dict[str, tuple[Subscriber, ...]] = {}

    def subscribe(self, event: str, subscriber: Subscriber) -> Callable[[], None]:
        """Calls `subscriber` with the data of each later `event`; returns what ends that.

        Raises ValueError for an event that is not in EVENTS.
        """
        if event not in EVENTS:
            raise ValueError(f"no such event: {event!r}; there are {', '.join(EVENTS)}")
        self._subscribers[event] = (*self._subscribers.get(event, ()), subscriber)

        def unsubscribe() -> None:
            kept = [other for other in self._subscribers[event] if other is not subscriber]
            self._subscribers[event] = tuple(kept)

        return unsubscribe

    def emit(self, event: str, **data: Any) -> None:
        """Tells the subscribers of `event`. One that raises is reported and does not stop the others."""
        for subscriber in self._subscribers.get(event, ()):
            try:
                subscriber(**data)
            except Exception as error:  # a listener's fault is never the server's: it is told and passed over
                self._failed(event, subscriber, error)
