"""Whatever happens in whatever order: every answer belongs to its call, nobody is answered twice, nothing is left.

A model beside the router plays workers and callers. A payload names its call, and workers answer with what they
got, so an answer that comes to the wrong caller is seen.
"""

from __future__ import annotations

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gunicorn.dirty.errors import DirtyConnectionError, DirtyProtocolError
from gunicorn.dirty.orders import Answer, Cancel, End, Forward, Grant, Order, Reply, Retire, Start
from gunicorn.dirty.records import SECOND, Policy
from gunicorn.dirty.router import Router
from gunicorn.dirty.spec import AppSpec

PATHS = ("m:A", "m:B", "m:C")
CLIENTS = st.integers(1, 3)
WORKERS = st.integers(0, 5)
PICK = st.integers(0, 1000)


class Pool(RuleBasedStateMachine):
    """The world around a router."""

    @initialize(
        threads=st.integers(1, 3),
        bound=st.none() | st.integers(1, 4),
        grace=st.integers(0, 3),
        limits=st.tuples(*[st.tuples(st.none() | st.integers(1, 3), st.none() | st.integers(1, 4)) for _ in PATHS]),
    )
    def begin(self, threads, bound, grace, limits):
        self.specs = {path: AppSpec(path, None, *limit) for path, limit in zip(PATHS, limits, strict=True)}
        self.policy = Policy(threads, bound, grace * SECOND, window=4)
        self.router = Router(self.specs.values(), self.policy)
        self.now = 0
        self.serial = 0
        self.newest = 0
        self.due: dict[tuple[int, int], int] = {}
        """(client, request) -> the serial of the call that an answer is due for."""
        self.path: dict[int, str] = {}
        self.waiting: dict[int, tuple[int, int]] = {}
        """Serial -> caller, of those accepted and not begun."""
        self.begun: set[int] = set()
        self.workers: dict[int, dict[int, int]] = {}
        """Worker -> the router's number -> serial."""
        self.holds: dict[int, tuple[str, ...]] = {}
        """Workers that take calls, and for what."""
        self.retired: set[int] = set()
        self.ended: set[int] = set()
        self.told: set[tuple[int, int]] = set()
        """Calls (worker, number) that were called off."""

    def obey(self, orders: list[Order]) -> None:
        for order in orders:
            getattr(self, f"obey_{type(order).__name__.lower()}")(order)

    def obey_start(self, order: Start) -> None:
        serial = order.payload
        assert serial not in self.begun, "begun twice"
        assert order.app == self.path[serial]
        assert order.app in self.holds[order.worker], "a worker that does not take it"
        assert order.remaining is None or order.remaining > 0, "its time was over"
        older = [other for other in self.waiting if other < serial and self.path[other] == order.app]
        assert not older, "overtook another"
        assert serial in self.due.values(), "nobody waits for it"
        self.waiting.pop(serial, None)
        self.begun.add(serial)
        self.workers[order.worker][order.call] = serial

    def obey_answer(self, order: Answer) -> None:
        serial = self.due.pop((order.client, order.request))
        kind = type(order.error).__name__
        assert (kind in ("DirtyTimeoutError", "DirtyWorkerError")) == (serial in self.begun) or "Connection" in kind
        self.waiting.pop(serial, None)

    def obey_forward(self, order: Forward) -> None:
        caller = (order.client, order.request)
        assert self.due[caller] == order.payload, "somebody else's answer"
        if order.reply is not Reply.CHUNK:
            del self.due[caller]

    def obey_cancel(self, order: Cancel) -> None:
        assert order.call in self.workers[order.worker]
        assert (order.worker, order.call) not in self.told, "called off twice"
        self.told.add((order.worker, order.call))

    def obey_grant(self, order: Grant) -> None:
        assert self.workers[order.worker][order.call] in self.due.values()
        assert order.size > 0

    def obey_retire(self, order: Retire) -> None:
        assert order.worker not in self.retired
        self.retired.add(order.worker)
        self.holds.pop(order.worker)

    def obey_end(self, order: End) -> None:
        held = self.workers[order.worker]
        assert held
        assert order.worker not in self.ended
        self.ended.add(order.worker)
        assert not set(held.values()) & set(self.due.values()), "killed under a call that somebody waits for"

    @rule(client=CLIENTS, request=st.integers(1, 6), path=st.sampled_from(PATHS), timeout=st.none() | st.integers(0, 6))
    def submit(self, client, request, path, timeout):
        self.serial += 1
        caller = (client, request)
        if caller in self.due:
            try:
                self.router.submit(client, request, path, self.serial, self.now)
            except DirtyProtocolError:
                return
            raise AssertionError("took a number that is in use")
        self.due[caller] = self.serial
        self.path[self.serial] = path
        orders = self.router.submit(
            client, request, path, self.serial, self.now, None if timeout is None else timeout * SECOND
        )
        if not orders:
            self.waiting[self.serial] = caller
        self.obey(orders)

    @rule(paths=st.sets(st.sampled_from(PATHS)))
    @precondition(lambda self: len(self.workers) < 5)
    def boot(self, paths):
        self.newest += 1
        self.workers[self.newest] = {}
        self.holds[self.newest] = tuple(sorted(paths))
        self.obey(self.router.worker_ready(self.newest, self.holds[self.newest], self.now))

    @rule(pick=PICK, reply=st.sampled_from(Reply), twice=st.booleans())
    def reply(self, pick, reply, twice):
        running = [(worker, number) for worker, held in self.workers.items() for number in held]
        if not running:
            return
        worker, number = running[pick % len(running)]
        serial = self.workers[worker][number]
        orders = self.router.reply(worker, number, reply, serial, self.now)
        spoken = [order for order in orders if isinstance(order, Forward)]
        assert len(spoken) == (serial in self.due.values())
        if reply is not Reply.CHUNK:
            del self.workers[worker][number]
        self.obey(orders)
        if twice and reply is not Reply.CHUNK:
            assert self.router.reply(worker, number, reply, serial, self.now) == []

    @rule(worker=WORKERS, number=st.integers(0, 60))
    def lie(self, worker, number):
        """A worker answers what it was not asked."""
        if number not in self.workers.get(worker, ()):
            late = self.router.late
            assert self.router.reply(worker, number, Reply.RESPONSE, -1, self.now) == []
            assert self.router.late == late + 1

    @rule(pick=PICK)
    def cancel(self, pick):
        if self.due:
            caller = sorted(self.due)[pick % len(self.due)]
            self.waiting.pop(self.due.pop(caller), None)
            self.obey(self.router.cancel(*caller, self.now))

    @rule(client=CLIENTS)
    def leave(self, client):
        for caller in [caller for caller in self.due if caller[0] == client]:
            self.waiting.pop(self.due.pop(caller), None)
        self.obey(self.router.client_gone(client, self.now))

    @rule(client=CLIENTS, request=st.integers(1, 6), size=st.integers(0, 5))
    def consume(self, client, request, size):
        self.obey(self.router.consumed(client, request, size))

    @rule(worker=WORKERS)
    def drain(self, worker):
        self.holds.pop(worker, None)
        self.router.worker_draining(worker)

    @rule(worker=WORKERS)
    def die(self, worker):
        held = self.workers.pop(worker, {})
        self.holds.pop(worker, None)
        owed = [caller for caller, serial in self.due.items() if serial in held.values()]
        orders = self.router.worker_gone(worker, "signal SIGKILL")
        assert sorted((order.client, order.request) for order in orders if isinstance(order, Answer)) == sorted(owed)
        self.obey(orders)

    @rule(seconds=st.integers(1, 4), exact=st.booleans())
    def passes(self, seconds, exact):
        nearest = self.router.next_deadline()
        self.now = nearest if exact and nearest is not None else self.now + seconds * SECOND
        self.obey(self.router.expire(self.now))
        nearest = self.router.next_deadline()
        assert nearest is None or nearest > self.now

    @rule(path=st.sampled_from(PATHS))
    def withdraw(self, path):
        orders = self.router.withdraw(path, "it cannot be loaded")
        held = any(path in paths for paths in self.holds.values())
        assert not (held and orders)
        assert held or path not in [self.path[serial] for serial in self.waiting] or orders
        self.obey(orders)

    @invariant()
    def counts_agree(self):
        held = list(self.workers.values())
        assert self.router.queued == len(self.waiting)
        assert self.router.running == sum(map(len, held))
        assert all(len(calls) <= self.policy.threads for calls in held)
        assert all(self.router.load(worker) == len(calls) for worker, calls in self.workers.items())
        assert {serial for serial in self.due.values() if serial not in self.begun} == set(self.waiting)

    @invariant()
    def nobody_waits_for_nothing(self):
        paths = [self.path[serial] for serial in self.waiting]
        for worker, held in self.holds.items():
            if len(self.workers[worker]) < self.policy.threads:
                assert not set(held) & set(paths), "it waits, and a worker is free"
        assert self.policy.max_queue is None or len(paths) <= self.policy.max_queue
        for path, spec in self.specs.items():
            assert self.router.depth(path) == paths.count(path)
            assert spec.max_queue is None or paths.count(path) <= spec.max_queue

    def teardown(self):
        if not hasattr(self, "router"):
            return
        for worker in list(self.workers):
            self.die(worker)
        self.obey(self.router.abandon(DirtyConnectionError("the pool stops")))
        router = self.router
        assert self.due == {}, "a caller without an answer"
        assert (router.queued, router.running, router.next_deadline()) == (0, 0, None)
        assert (router._calls, router._callers, len(router._deadlines)) == ({}, {}, 0)
        ended = sum(sum(router.outcomes(path).values()) for path in PATHS)
        assert ended == len(self.path), "every call ended once"


class TestPool(Pool.TestCase):
    settings: ClassVar = settings(max_examples=150, stateful_step_count=60, deadline=None)
