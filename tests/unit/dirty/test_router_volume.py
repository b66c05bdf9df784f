"""A hundred thousand calls with random delays, timeouts, kills and cancels: every result belongs to its call."""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest

from gunicorn.dirty.orders import Answer, Cancel, End, Forward, Reply, Retire, Start
from gunicorn.dirty.records import SECOND, Policy
from gunicorn.dirty.router import Router
from gunicorn.dirty.spec import AppSpec

PATHS = ("m:A", "m:B", "m:C", "m:D")
MILLI = SECOND // 1000


class Life:
    """A pool under load, in a time of its own. A worker's answer repeats what it was asked."""

    def __init__(self, seed: int, workers: int, threads: int) -> None:
        self.random = random.Random(seed)
        specs = [AppSpec(path, None, 6, 0.2 if path == "m:B" else None) for path in PATHS]
        self.router = Router(specs, Policy(threads, 20, 20 * MILLI))
        self.now = 0
        self.serial = 0
        self.replies: list[tuple[int, int, int, int, int]] = []
        """(when, serial, worker, number, chunks left), a heap."""
        self.due: dict[tuple[int, int], int] = {}
        self.ends: Counter[str] = Counter()
        self.workers = 0
        self.alive: list[int] = []
        for _ in range(workers):
            self.boot()

    def boot(self) -> None:
        self.workers += 1
        self.alive.append(self.workers)
        held = PATHS if self.workers % 3 else PATHS[:2]
        self.obey(self.router.worker_ready(self.workers, held, self.now))

    def die(self, worker: int, why: str) -> None:
        self.alive.remove(worker)
        self.ends[f"worker {why}"] += 1
        self.obey(self.router.worker_gone(worker, why))
        self.boot()

    def obey(self, orders) -> None:
        for order in orders:
            match order:
                case Start():
                    # One in fifty is slow, one in a thousand never ends by itself.
                    delay = self.random.expovariate(1 / 4) * (40 if self.random.random() < 0.02 else 1)
                    chunks = self.random.choice((0, 0, 0, 5))
                    when = self.now + int(delay * MILLI) if self.random.random() > 0.001 else 1 << 62
                    heapq.heappush(self.replies, (when, order.payload, order.worker, order.call, chunks))
                case Forward():
                    assert self.due[order.client, order.request] == order.payload, "somebody else's answer"
                    if order.reply is not Reply.CHUNK:
                        del self.due[order.client, order.request]
                        self.ends["answer"] += 1
                case Answer():
                    del self.due[order.client, order.request]
                    self.ends[type(order.error).__name__] += 1
                case Cancel():
                    self.ends["told"] += 1
                case Retire():
                    self.ends["retired"] += 1
                case End():
                    self.die(order.worker, "killed")

    def step(self) -> None:
        """The next thing that happens: a call, or what comes before it."""
        at = self.now + int(self.random.expovariate(1.0) * MILLI)
        while (when := min(self._nearest(), at)) < at:
            self.now = when
            self.obey(self.router.expire(self.now))
            while self.replies and self.replies[0][0] <= self.now:
                self.answer(*heapq.heappop(self.replies))
        self.now = at
        self.obey(self.router.expire(self.now))
        luck = self.random.random()
        if luck < 0.003:
            self.die(self.random.choice(self.alive), "crashed")
        elif luck < 0.05 and self.due:
            caller = next(iter(self.due))
            del self.due[caller]
            self.ends["cancelled"] += 1
            self.obey(self.router.cancel(*caller, self.now))
        self.call()

    def _nearest(self) -> int:
        due = self.router.next_deadline()
        reply = self.replies[0][0] if self.replies else 1 << 62
        return reply if due is None else min(reply, due)

    def answer(self, when: int, serial: int, worker: int, number: int, chunks: int) -> None:
        # Of workers that are dead by now, too: that is what a late reply is.
        if chunks:
            self.obey(self.router.reply(worker, number, Reply.CHUNK, serial, self.now))
            heapq.heappush(self.replies, (self.now + MILLI, serial, worker, number, chunks - 1))
        else:
            self.obey(self.router.reply(worker, number, Reply.END, serial, self.now))

    def call(self) -> None:
        self.serial += 1
        client = self.random.randrange(20)
        # Numbers come again soon, as those of a client that counts in a byte would.
        request = next(
            number for number in iter(lambda: self.random.randrange(256), -1) if (client, number) not in self.due
        )
        self.due[client, request] = self.serial
        timeout = self.random.choice((None, 30 * MILLI, 200 * MILLI))
        path = self.random.choice(PATHS)
        self.obey(self.router.submit(client, request, path, self.serial, self.now, timeout))


@pytest.mark.parametrize(("seed", "workers", "threads"), [(1, 6, 1), (2, 3, 2), (3, 2, 3)])
def test_every_result_belongs_to_its_call(seed, workers, threads):
    calls = 40_000
    life = Life(seed, workers, threads)
    for _ in range(calls):
        life.step()
    assert life.router.queued + life.router.running < 300
    while life.due and life.ends["worker crashed"] < calls:
        life.now += SECOND
        life.obey(life.router.expire(life.now))
        for worker in list(life.alive):
            life.die(worker, "crashed")
    ends = life.ends
    assert life.due == {}
    assert (life.router.queued, life.router._callers) == (0, {})
    happened = ("answer", "cancelled", "DirtyTimeoutError", "DirtyDeadlineExceeded", "DirtyWorkerError")
    assert all(ends[kind] for kind in (*happened, "DirtyQueueFullError", "told", "retired", "worker killed")), ends
    errors = sum(count for kind, count in ends.items() if kind.startswith("Dirty"))
    assert ends["answer"] + ends["cancelled"] + errors == calls, "every call ended once"
    assert life.router.late > 0
