"""Leader and followers: one thread polls, requests run where they wake the fewest.

Any thread of the crew may poll. While handlers are fast the leader runs them itself: no wake-up, no hand-off.
One follower watches it meanwhile, and when a handler takes long it takes over the polling (as Go's scheduler
retakes a processor); the old leader becomes a follower when its handler returns. While handlers are slow each
request is handed to a follower at once, and so is one whose path was slow the last time.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from gunicorn.drivers.blocking.connection import Connection, State
from gunicorn.drivers.blocking.poller import Poller
from gunicorn.drivers.blocking.service import OUTLIER
from gunicorn.metrics import cells
from gunicorn.protocol.machine import Request

INLINE_BELOW_NS = 500_000
"""Requests that take less on average run on the polling thread."""
RETAKE_SECONDS = 0.005
"""How long one may hold the polling thread before another takes over the polling."""
SLOW_PATH_NS = 2_000_000
"""A request that took longer makes its path a slow one."""
SLOW_PATHS = 512
"""How many slow paths are known; clients choose paths, so when there are more all are forgotten."""
CAUTION_NS = 100_000_000
IDLE_LOOKS = 20
"""Looks without any request after which the watcher sleeps until it is called."""


class _Watch:
    """The token that asks a follower to watch the leader."""


class _Quit:
    """The token that sends a follower home."""


class _Ending:
    """What the main thread waits for. poll(2), unlike a lock, is left for every signal, so handlers run at once."""

    def __init__(self) -> None:
        self._out, self._into = os.pipe()
        self.is_set = False

    def set(self) -> None:
        """Ends the waiting."""
        self.is_set = True
        os.write(self._into, b"\0")

    def wait(self) -> None:
        """Returns when it is set."""
        waiter = select.poll()
        waiter.register(self._out, select.POLLIN)
        waiter.poll()


Task = Connection | _Watch | _Quit


class Crew:
    """`threads` handlers at most at a time, and one thread more so that somebody always polls."""

    def __init__(self, poller: Poller, threads: int, wake: Callable[[], None], finished: Callable[[], bool]) -> None:
        self.poller = poller
        self.service = poller.service
        self.threads = threads
        self.wake = wake
        self.finished = finished
        self.lock = threading.Lock()
        self.tasks: SimpleQueue[Task] = SimpleQueue()
        self.load = 0
        """Requests dispatched and not done: running or waiting for a follower."""
        self.turns = 0
        """Counts what ran on the polling thread; the watcher compares."""
        self.inline = False
        self.watched = False
        self.slow: dict[str, None] = {}
        """Paths whose last request was slow: the next one is handed out whatever the average says."""
        self.cautious_until = 0
        """After a handler held the polling thread all requests are handed out until then, monotonic ns."""
        self.leader = 0
        """The number of the thread that polls: its place in the worker's row of cells."""
        self.over = _Ending()
        self.fault: BaseException | None = None
        """What ended a thread of the crew that should have gone on."""
        service = self.service
        service.threaded = True
        service.ceiling_ns = OUTLIER * INLINE_BELOW_NS
        service.slow_ns = SLOW_PATH_NS
        service.was_slow = self.was_slow
        service.dispatch = self.dispatch
        service.saturated = self.is_saturated
        service.missed = self.missed  # type: ignore[method-assign]
        service.again = self.again  # type: ignore[method-assign]

    # -- life --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Runs the crew until `finished()`.

        The calling thread, which is the main one in a worker, only waits: signal handlers run there, and a
        quick end must not wait for an application.
        """
        for number in range(self.threads + 1):
            note = min(number, cells.NOTES - 1)
            threading.Thread(target=self._join, args=(note,), name=f"gunicorn-{number}", daemon=True).start()
        self.over.wait()
        if self.fault is not None:
            raise self.fault

    def _join(self, number: int) -> None:
        """The life of one thread. What it cannot survive, the worker does not: nobody might poll any more."""
        try:
            if number == 0:
                self._lead(self.service.epoch, number)
            self.follow(number)
        except BaseException as error:
            if not self.over.is_set:
                self.fault = error
                self.over.set()

    def _lead(self, epoch: int, number: int) -> None:
        """Polls until another thread took over, or everything is over."""
        self.leader = number
        service = self.service
        poller = self.poller
        while service.epoch == epoch:
            if self.finished():
                self.over.set()
                for _ in range(self.threads + 1):
                    self.tasks.put(_Quit())
                return
            service.page[cells.THREADS_BUSY] = min(self.load, self.threads)
            poller.turn()

    def follow(self, number: int) -> None:
        """Runs what the leader hands out, watches the leader when asked, leads when it is stuck."""
        watching = False
        seen = looks = 0
        while True:
            try:
                task = self.tasks.get(timeout=RETAKE_SECONDS if watching else None)
            except Empty:
                with self.lock:
                    stuck = self.inline and self.turns == seen
                    looks = looks + 1 if self.turns == seen else 0
                    seen = self.turns
                    watching = not stuck and looks < IDLE_LOOKS
                    self.watched = watching
                    if stuck:
                        self.inline = False
                        self.cautious_until = self.poller.now + CAUTION_NS
                        self.service.epoch = epoch = self.service.epoch + 1
                if stuck:
                    self._lead(epoch, number)
                continue
            if type(task) is Connection:
                if watching:
                    watching = False
                    self._watch_no_more()
                path = task.request.raw_path
                self.service.run(task, number)
                with self.lock:
                    self.load -= 1
                    if task.exchange.duration_ns < INLINE_BELOW_NS:
                        self.slow.pop(path, None)
                self._give_back(task)
            elif type(task) is _Watch:
                watching, seen, looks = True, -1, 0
            else:
                return

    def _watch_no_more(self) -> None:
        """The watcher got a request: another follower watches on while one runs on the polling thread."""
        with self.lock:
            self.watched = self.inline
            if self.inline:
                self.tasks.put(_Watch())

    # -- requests ----------------------------------------------------------------------------------------

    def dispatch(self, connection: Connection) -> bool:
        """The leader has a complete request: runs it here, or hands it out."""
        service = self.service
        connection.state = State.BUSY
        with self.lock:
            self.load += 1
            inline = (
                service.average_ns < INLINE_BELOW_NS
                and self.load <= self.threads
                and connection.request.raw_path not in self.slow
                and self.poller.now >= self.cautious_until
            )
            if inline:
                self.turns += 1
                self.inline = True
                epoch = service.epoch
        if not inline:
            self.tasks.put(connection)
            return False
        if not self.watched:
            self.watched = True
            self.tasks.put(_Watch())
        service.run(connection, self.leader)
        with self.lock:
            self.load -= 1
            led = service.epoch == epoch
            if led:
                self.inline = False
        if not led:
            self._give_back(connection)
        return led

    def _give_back(self, connection: Connection) -> None:
        """A request ran beside the poller: what happened to its connection meanwhile becomes an event again."""
        with self.lock:
            missed, connection.missed = connection.missed, False
        if connection.state is not State.CLOSED:
            if missed:
                self._rearm(connection)
            if connection.state is State.READING and connection.is_unread():
                self.again(connection)
        poller = self.poller
        if not poller.doors_open and not self.service.stopping and poller.able():
            self.wake()

    def was_slow(self, request: Request) -> None:
        """Remembers the path of a slow request."""
        if len(self.slow) >= SLOW_PATHS:
            self.slow = {}
        self.slow[request.raw_path] = None

    def missed(self, connection: Connection) -> None:
        """The poller saw an event of a connection that a handler owns: it is reported again afterwards."""
        with self.lock:
            if connection.state is State.BUSY:
                connection.missed = True
                self.service.readiness.mute(connection.fd)
                return
        self._rearm(connection)

    def _rearm(self, connection: Connection) -> None:
        try:
            self.service.readiness.rearm(connection.fd)
        except OSError:
            return  # closed by its other owner a moment ago

    def again(self, connection: Connection) -> None:
        """There is more to read inside a connection: its turn comes before the next wait."""
        self.service.waiting.append(connection)
        self.wake()

    def is_saturated(self) -> bool:
        """Whether every thread has something to do."""
        return self.load >= self.threads
