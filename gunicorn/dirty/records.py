"""The router's records: the limits of a pool, and what is known of a call, a worker and an application.

Data, and the questions one record can answer itself; what happens to them is the router's business. Times are
nanoseconds of one clock.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import Any, NamedTuple

from gunicorn.dirty.orders import Outcome
from gunicorn.dirty.spec import AppSpec

SECOND = 1_000_000_000


class Policy(NamedTuple):
    """Limits of the pool as a whole."""

    threads: int = 1
    """Calls one worker runs at the same time."""
    max_queue: int | None = None
    """Calls that may wait, of all applications together; None = any number."""
    grace: int = 5 * SECOND
    """From telling a worker that a call was given up to replacing the worker."""
    window: int = 1 << 20
    """Bytes of a stream that may be on their way to the caller before its worker has to wait; a caller may say less."""


class State(enum.Enum):
    """Where a call is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    ABANDONED = "abandoned"
    STUCK = "stuck"


class Call:
    __slots__ = (
        "arrived",
        "client",
        "deadline",
        "lane",
        "number",
        "payload",
        "read",
        "request",
        "state",
        "window",
        "worker",
    )

    def __init__(self, number: int, client: int, request: int, lane: Lane, payload: Any, arrived: int) -> None:
        self.number = number
        self.client = client
        self.request = request
        self.lane = lane
        self.payload = payload
        self.arrived = arrived
        self.deadline: int | None = None
        """When its caller stops waiting."""
        self.state = State.QUEUED
        self.worker: Worker | None = None
        self.window = 0
        self.read = 0
        """Bytes of its stream that the caller took and the worker has not been told of."""


class Worker:
    __slots__ = ("accepting", "calls", "doomed", "ended", "lanes", "number", "used")

    def __init__(self, number: int) -> None:
        self.number = number
        self.lanes: list[Lane] = []
        self.calls: dict[int, Call] = {}
        self.used = 0
        """The last call it got."""
        self.accepting = True
        self.doomed = False
        """It holds, or held, a call that did not end when it was told to."""
        self.ended = False
        """Its end was ordered."""

    @property
    def hopeless(self) -> bool:
        """Whether all that is left to it is calls that do not let go."""
        return bool(self.calls) and all(call.state is State.STUCK for call in self.calls.values())

    def withhold(self) -> None:
        """It gets no more calls."""
        self.accepting = False
        for lane in self.lanes:
            del lane.workers[self.number]
        self.lanes = []


class Lane:
    """One application: its limits, its queue, its workers."""

    __slots__ = ("outcomes", "queue", "spec", "unavailable", "workers")

    def __init__(self, spec: AppSpec) -> None:
        self.spec = spec
        self.queue: OrderedDict[int, Call] = OrderedDict()
        self.workers: dict[int, Worker] = {}
        """Those that take its calls."""
        self.unavailable = ""
        """Why no worker will hold it; "" where one does, or is about to."""
        self.outcomes = dict.fromkeys(Outcome, 0)

    def leave(self, call: Call) -> None:
        """It waits no longer."""
        del self.queue[call.number]
        if not self.queue:
            # An empty one keeps the room of its fullest day until it is cleared.
            self.queue.clear()

    def least_loaded(self, threads: int) -> Worker | None:
        """The worker with the fewest calls, among equals the one whose last call is the oldest; None = all are busy."""
        best, least = None, threads
        # A loop, because this runs for every call, and min() with a key takes longer.
        for worker in self.workers.values():
            load = len(worker.calls)
            if load < least or (load == least and best is not None and worker.used < best.used):
                best, least = worker, load
        return best
