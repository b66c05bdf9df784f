"""What a driver reports, as log lines: rejections, crashes of the application, shortages.

Rejections are the lines an attacker chooses the number of, so they have a budget: what goes beyond it is
counted and said in one line.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from gunicorn.bridge.exchange import Exchange
from gunicorn.drivers.reporter import Connected
from gunicorn.protocol.errors import ProtocolError

REJECTIONS_PER_SECOND = 10


class LineBudget:
    """Lets `rate` lines a second through and counts the others; `clock` gives seconds."""

    def __init__(self, rate: int, clock: Callable[[], float] = monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._second = 0.0
        self._left = rate
        self._dropped = 0

    def take(self) -> tuple[bool, int]:
        """(whether this line may be written, how many were dropped since the last that was)."""
        now = self._clock()
        if now - self._second >= 1:
            self._second = now
            self._left = self.rate
        if self._left <= 0:
            self._dropped += 1
            return False, 0
        self._left -= 1
        dropped, self._dropped = self._dropped, 0
        return True, dropped


class LogReporter:
    """The driver's `Reporter` over a logger."""

    def __init__(self, log: Any) -> None:
        self.log = log
        self.budget = LineBudget(REJECTIONS_PER_SECOND)

    def rejected(self, connection: Connected, error: ProtocolError) -> None:
        """One line with peer, status, rule and section."""
        may, dropped = self.budget.take()
        if not may:
            return
        peer = connection.machine.peer
        who = "unix socket" if peer.unix else f"{peer.host}:{peer.port}"
        self.log.warning("Rejected request from %s: %s %s", who, error.status or "closed", error)
        if dropped:
            self.log.warning("%d more rejected requests were not logged", dropped)

    def crashed(self, exchange: Exchange, error: BaseException) -> None:
        """The request and the traceback of the application."""
        request = exchange.request
        self.log.error("Error handling request %s %s", request.method, request.target, exc_info=error)

    def warned(self, message: str) -> None:
        """At level warning."""
        self.log.warning("%s", message)

    def noticed(self, message: str) -> None:
        """At level debug."""
        self.log.debug("%s", message)
