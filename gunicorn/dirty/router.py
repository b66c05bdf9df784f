"""Which worker of the pool runs which call, and who gets the answer: pure, from events and the time alone.

Knows nothing of sockets, frames or processes. Each event is a method that returns orders; payloads are opaque.
Workers and clients are numbers given by whoever holds their connections. Times are nanoseconds of one clock.

The promises:
- An answer goes to the call it belongs to. A caller's number counts only together with its connection; towards
  workers a call has a number of its own that is never used twice, so a late or strange reply finds nobody.
- A call is answered once: by its worker, or by an error of ours. One that its caller gave up is not answered.
- A call waits only while every worker that holds its application is busy; those of one application start in
  the order in which they came. No worker has more calls than threads, no queue more than its limit.
- Nothing is tried twice: what a worker has begun and not finished is an error for its caller.
- A call that was given up keeps its place in the worker until that has let go of it. If it does not within the
  grace, the worker is replaced, and killed once nothing else is left to it.

States of a call: QUEUED -> RUNNING -> gone, or RUNNING -> ABANDONED (nobody waits, the worker was told) -> gone,
or ABANDONED -> STUCK (the grace is over) -> gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gunicorn.dirty.deadlines import Deadlines
from gunicorn.dirty.errors import (
    DirtyAppNotFoundError,
    DirtyDeadlineExceeded,
    DirtyError,
    DirtyNoWorkersAvailableError,
    DirtyProtocolError,
    DirtyQueueFullError,
    DirtyTimeoutError,
    DirtyWorkerError,
)
from gunicorn.dirty.orders import Answer, Cancel, End, Forward, Grant, Order, Outcome, Reply, Retire, Start
from gunicorn.dirty.records import SECOND, Call, Lane, Policy, State, Worker
from gunicorn.dirty.spec import AppSpec

STUCK_REASON = "a call that was given up did not end"


class Router:
    """The calls of one pool."""

    def __init__(self, specs: Iterable[AppSpec], policy: Policy = Policy()) -> None:  # noqa: B008 - immutable
        self.policy = policy
        self.late = 0
        """Replies that belonged to no call, and were thrown away."""
        self._lanes = {spec.path: Lane(spec) for spec in specs}
        self._workers: dict[int, Worker] = {}
        self._calls: dict[int, Call] = {}
        """All that are queued or in a worker."""
        self._callers: dict[int, dict[int, Call]] = {}
        """Client -> its own number of a call -> the call, as long as an answer is due."""
        self._deadlines: Deadlines[int] = Deadlines()
        self._queued = 0
        self._last = 0
        self._closed = ""

    # What is so

    @property
    def queued(self) -> int:
        """How many calls wait for a worker."""
        return self._queued

    @property
    def running(self) -> int:
        """How many calls workers have, those that were given up included."""
        return len(self._calls) - self._queued

    def depth(self, path: str) -> int:
        """How many calls of one application wait. Raises KeyError where it is not configured."""
        return len(self._lanes[path].queue)

    def outcomes(self, path: str) -> dict[Outcome, int]:
        """How the calls of one application ended so far. Raises KeyError where it is not configured."""
        return dict(self._lanes[path].outcomes)

    def load(self, worker: int) -> int:
        """How many calls a worker has; 0 for one that is not known."""
        known = self._workers.get(worker)
        return len(known.calls) if known else 0

    def next_deadline(self) -> int | None:
        """When `expire` must be called if nothing happens before; None = never."""
        return self._deadlines.nearest()

    # Callers

    def submit(
        self,
        client: int,
        request: int,
        path: str,
        payload: Any,
        now: int,
        timeout: int | None = None,
        window: int | None = None,
    ) -> list[Order]:
        """A caller wants `path` to do something, within `timeout` nanoseconds, with `window` bytes of a stream ahead.

        Raises DirtyProtocolError where `request` is the number of another call of this client that is not answered
        yet: there is no answer that it could tell apart, so the connection must be closed.
        """
        if request in self._callers.get(client, ()):
            raise DirtyProtocolError(f"request id {request} is in use by a call that is not answered yet")
        lane = self._lanes.get(path)
        if lane is None:
            return [Answer(client, request, DirtyAppNotFoundError(path))]
        worker = lane.least_loaded(self.policy.threads)
        refusal = self._refusal(lane, worker, timeout)
        if refusal is not None:
            outcome, error = refusal
            lane.outcomes[outcome] += 1
            return [Answer(client, request, error)]
        self._last += 1
        call = Call(self._last, client, request, lane, payload, now)
        limit = _earliest(timeout, _nanoseconds(lane.spec.timeout))
        call.deadline = None if limit is None else now + limit
        call.window = self.policy.window if window is None else max(1, min(window, self.policy.window))
        self._calls[call.number] = call
        self._callers.setdefault(client, {})[request] = call
        if worker is not None:
            return [self._start(call, worker, now)]
        self._queue(call)
        return []

    def cancel(self, client: int, request: int, now: int) -> list[Order]:
        """A caller gave one call up. Nothing happens where it was answered already."""
        call = self._callers.get(client, {}).get(request)
        return [] if call is None else self._cancel(call, now)

    def client_gone(self, client: int, now: int) -> list[Order]:
        """A caller's connection ended: all its calls are given up."""
        calls = list(self._callers.get(client, {}).values())
        return [order for call in calls for order in self._cancel(call, now)]

    def consumed(self, client: int, request: int, size: int) -> list[Order]:
        """A caller took `size` bytes of its stream: its worker may send as many more."""
        call = self._callers.get(client, {}).get(request)
        if call is None or call.worker is None:
            return []
        call.read += size
        # Half the window at a time: a word a chunk would cost as much as the chunk.
        if 2 * call.read < call.window:
            return []
        size, call.read = call.read, 0
        return [Grant(call.worker.number, call.number, size)]

    # Workers

    def worker_ready(self, worker: int, paths: Iterable[str], now: int) -> list[Order]:
        """A worker takes calls for `paths`; said again, for these and no longer for others.

        No other worker ever has its number, not even the one in its place.
        """
        known = self._workers.setdefault(worker, Worker(worker))
        known.withhold()
        known.accepting = not known.doomed
        if known.accepting:
            known.lanes = [self._lanes[path] for path in dict.fromkeys(paths) if path in self._lanes]
            for lane in known.lanes:
                lane.workers[worker] = known
                lane.unavailable = ""
        return self._refill(known, now)

    def worker_draining(self, worker: int) -> None:
        """A worker gets no more calls; it finishes those it has."""
        known = self._workers.get(worker)
        if known is not None:
            known.withhold()

    def worker_gone(self, worker: int, reason: str) -> list[Order]:
        """A worker died ("exit 1", "signal SIGSEGV", "out of memory"): its callers hear it at once."""
        known = self._workers.pop(worker, None)
        if known is None:
            return []
        known.withhold()
        orders: list[Order] = []
        for call in list(known.calls.values()):
            if call.state is State.RUNNING:
                error = DirtyWorkerError(f"worker {worker} died: {reason}", worker, reason=reason)
                orders.append(self._fail(call, error, Outcome.LOST))
            self._forget(call)
        return orders

    def reply(self, worker: int, number: int, reply: Reply, payload: Any, now: int) -> list[Order]:
        """A worker says something about call `number`. What belongs to no call of that worker is thrown away."""
        call = self._calls.get(number)
        if call is None or call.worker is None or call.worker.number != worker:
            self.late += 1
            return []
        orders: list[Order] = []
        if call.state is State.RUNNING:
            orders.append(Forward(call.client, call.request, reply, payload))
        if reply is Reply.CHUNK:
            return orders
        if call.state is State.RUNNING:
            call.lane.outcomes[Outcome.FAILED if reply is Reply.ERROR else Outcome.DONE] += 1
        known = call.worker
        self._forget(call)
        return orders + self._refill(known, now) + self._end(known)

    # Time

    def expire(self, now: int) -> list[Order]:
        """What the time asks for. Afterwards `next_deadline` lies after `now`."""
        orders: list[Order] = []
        # Again, because without a grace a call that is given up here is due at once.
        while due := self._deadlines.due(now):
            for number in due:
                orders += self._expire(self._calls[number], now)
        return orders

    def _expire(self, call: Call, now: int) -> list[Order]:
        if call.state is State.QUEUED:
            return [self._too_late(call, now)]
        if call.state is not State.RUNNING:
            return self._stuck(call)
        seconds = _patience(call, now)
        error = DirtyTimeoutError(f"{call.lane.spec.path} did not answer within {seconds:.3g} s", seconds)
        return [self._fail(call, error, Outcome.TIMED_OUT), *self._abandon(call, now)]

    # Applications and the pool

    def add_app(self, spec: AppSpec) -> None:
        """One application more, or other limits for one that is there; its calls wait for a worker that holds it."""
        lane = self._lanes.setdefault(spec.path, Lane(spec))
        lane.spec = spec

    def remove_app(self, path: str) -> list[Order]:
        """One application fewer. Calls that wait fail, those that run go on. Raises KeyError where it is not there."""
        lane = self._lanes.pop(path)
        for worker in lane.workers.values():
            worker.lanes.remove(lane)
        lane.workers.clear()
        return self._flush(lane, DirtyAppNotFoundError(path))

    def withdraw(self, path: str, reason: str) -> list[Order]:
        """No worker will hold this application, until one says that it does: nobody needs to wait for that.

        Where a worker holds it still, nothing happens. Raises KeyError where it is not configured.
        """
        lane = self._lanes[path]
        if lane.workers:
            return []
        lane.unavailable = f"no worker holds {path}: {reason}"
        return self._flush(lane, DirtyNoWorkersAvailableError(path, lane.unavailable))

    def close(self, reason: str) -> None:
        """No new calls; those that are there go on."""
        self._closed = reason

    def abandon(self, error: DirtyError) -> list[Order]:
        """The pool ends now: every call that is not answered yet gets `error`, and nothing is left."""
        calls = list(self._calls.values())
        waiting = [call for call in calls if call.state in (State.QUEUED, State.RUNNING)]
        orders: list[Order] = [self._fail(call, error, Outcome.UNAVAILABLE) for call in waiting]
        for call in calls:
            self._forget(call)
        self._closed = self._closed or error.message
        return orders

    # The life of a call

    def _refusal(self, lane: Lane, worker: Worker | None, timeout: int | None) -> tuple[Outcome, DirtyError] | None:
        path = lane.spec.path
        if self._closed or lane.unavailable:
            return Outcome.UNAVAILABLE, DirtyNoWorkersAvailableError(path, self._closed or lane.unavailable)
        if timeout is not None and timeout <= 0:
            return Outcome.EXPIRED, DirtyDeadlineExceeded("the caller's time was over before the call arrived", 0)
        full = None if worker is not None else _overfull(lane, self._queued, self.policy.max_queue)
        return None if full is None else (Outcome.REFUSED, full)

    def _queue(self, call: Call) -> None:
        call.lane.queue[call.number] = call
        self._queued += 1
        patience = _nanoseconds(call.lane.spec.queue_timeout)
        due = _earliest(call.deadline, None if patience is None else call.arrived + patience)
        if due is not None:
            self._deadlines.set(call.number, due)

    def _unqueue(self, call: Call) -> None:
        call.lane.leave(call)
        self._queued -= 1
        self._deadlines.drop(call.number)

    def _start(self, call: Call, worker: Worker, now: int) -> Start:
        payload, call.payload = call.payload, None
        call.state, call.worker = State.RUNNING, worker
        worker.calls[call.number] = call
        worker.used = call.number
        remaining = None
        if call.deadline is not None:
            remaining = call.deadline - now
            self._deadlines.set(call.number, call.deadline)
        path, waited = call.lane.spec.path, now - call.arrived
        return Start(worker.number, call.number, path, payload, remaining, waited, call.window)

    def _refill(self, worker: Worker, now: int) -> list[Order]:
        """Gives a worker what waits for it, the oldest first."""
        orders: list[Order] = []
        while self._queued and worker.accepting and len(worker.calls) < self.policy.threads:
            heads = [next(iter(lane.queue.values())) for lane in worker.lanes if lane.queue]
            if not heads:
                break
            call = min(heads, key=lambda head: head.number)
            due = self._deadlines.at(call.number)
            if due is not None and due <= now:
                # Its time is over although nobody has called `expire` yet: it must not begin.
                orders.append(self._too_late(call, now))
                continue
            self._unqueue(call)
            orders.append(self._start(call, worker, now))
        return orders

    def _fail(self, call: Call, error: DirtyError, outcome: Outcome) -> Answer:
        call.lane.outcomes[outcome] += 1
        self._silence(call)
        return Answer(call.client, call.request, error)

    def _too_late(self, call: Call, now: int) -> Answer:
        seconds = _patience(call, now)
        text = f"{call.lane.spec.path} was busy: the call waited {seconds:.3g} s and did not begin"
        answer = self._fail(call, DirtyDeadlineExceeded(text, seconds), Outcome.EXPIRED)
        self._forget(call)
        return answer

    def _cancel(self, call: Call, now: int) -> list[Order]:
        call.lane.outcomes[Outcome.CANCELLED] += 1
        self._silence(call)
        if call.state is State.QUEUED:
            self._forget(call)
            return []
        return self._abandon(call, now)

    def _abandon(self, call: Call, now: int) -> list[Order]:
        assert call.worker is not None
        call.state = State.ABANDONED
        self._deadlines.set(call.number, now + self.policy.grace)
        return [Cancel(call.worker.number, call.number)]

    def _silence(self, call: Call) -> None:
        """Nothing more is said to the caller about it; its number is free again."""
        calls = self._callers[call.client]
        del calls[call.request]
        if not calls:
            del self._callers[call.client]

    def _forget(self, call: Call) -> None:
        """Takes it out of everything that holds it."""
        del self._calls[call.number]
        if not self._calls:
            # An empty dict keeps the table of its fullest day until it is cleared.
            self._calls.clear()
        if call.worker is not None:
            call.worker.calls.pop(call.number, None)
            self._deadlines.drop(call.number)
        else:
            self._unqueue(call)
        if self._callers.get(call.client, {}).get(call.request) is call:
            self._silence(call)

    def _flush(self, lane: Lane, error: DirtyError) -> list[Order]:
        """Fails every call of a lane that waits."""
        orders: list[Order] = []
        for call in list(lane.queue.values()):
            orders.append(self._fail(call, error, Outcome.UNAVAILABLE))
            self._forget(call)
        return orders

    # The life of a worker

    def _stuck(self, call: Call) -> list[Order]:
        call.state, worker = State.STUCK, call.worker
        assert worker is not None
        orders: list[Order] = []
        if worker.accepting:
            worker.withhold()
            orders.append(Retire(worker.number, STUCK_REASON))
        worker.doomed = True
        return orders + self._end(worker)

    def _end(self, worker: Worker) -> list[Order]:
        """Its end, where it is doomed and hopeless."""
        if worker.ended or not worker.doomed or not worker.hopeless:
            return []
        worker.ended = True
        return [End(worker.number, STUCK_REASON)]


def _overfull(lane: Lane, queued: int, pool_limit: int | None) -> DirtyQueueFullError | None:
    """Why one call more may not wait; None = it may."""
    path, limit = lane.spec.path, lane.spec.max_queue
    if limit is not None and len(lane.queue) >= limit:
        return DirtyQueueFullError(f"{limit} calls of {path} wait already", path, limit)
    if pool_limit is not None and queued >= pool_limit:
        return DirtyQueueFullError(f"{pool_limit} calls wait already", None, pool_limit)
    return None


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, int(seconds * SECOND))


def _earliest(*times: int | None) -> int | None:
    """The first of several times; None is never."""
    return min((time for time in times if time is not None), default=None)


def _patience(call: Call, now: int) -> float:
    """Seconds that the call was allowed: of its deadline where that is what has passed, else of the queue."""
    if call.deadline is not None and call.deadline <= now:
        return (call.deadline - call.arrived) / SECOND
    return call.lane.spec.queue_timeout or (now - call.arrived) / SECOND
