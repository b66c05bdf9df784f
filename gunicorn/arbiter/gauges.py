"""What the arbiter tells statsd by itself, on its own time: how many connections wait to be accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from gunicorn.net.listeners import Listener, backlog_depth

PERIOD_NS = 1_000_000_000


class Gauges(Protocol):
    """A logger that sends figures."""

    def gauge(self, name: str, value: float) -> None:
        """Sends one figure."""
        ...


class BacklogGauge:
    """`gunicorn.backlog` once a second (`enable_backlog_metric`); listeners that cannot tell are left out."""

    def __init__(self, log: Gauges) -> None:
        self._log = log
        self._next = 0

    def look(self, listeners: Iterable[Listener], now: int) -> int:
        """Sends what is due at `now` (monotonic ns); returns when to look again."""
        if now >= self._next:
            self._next = now + PERIOD_NS
            depths = [depth for listener in listeners if (depth := backlog_depth(listener)) is not None]
            if depths:
                self._log.gauge("gunicorn.backlog", sum(depths))
        return self._next
