"""The loop of a worker: waits for descriptors, hands them to their owners, and keeps the times.

One thread is in here at any moment. There is one deadline an owner and one look at all of them a tick, so
a request sets a number and no timer. Stopping is a state of this loop, not a loop of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic_ns
from typing import Protocol

from gunicorn.drivers.blocking.connection import FOREVER, State
from gunicorn.drivers.blocking.door import Door
from gunicorn.drivers.blocking.service import Service
from gunicorn.metrics import cells
from gunicorn.protocol.machine import Phase

TICK_NS = 1_000_000_000
SHUT_TICK_NS = 50_000_000
"""The tick while the doors are shut because every thread is busy."""
SHORT_TICK_NS = 10_000_000
"""The tick while stopping: an end is noticed at once."""
DRAIN_NS = 150_000_000
"""An accept queue that stayed empty for so long is empty: handshakes under way have ended."""
DRAIN_LIMIT_NS = 2_000_000_000
"""The most that is spent on accept queues where newcomers cannot be refused."""
IDLE_GRACE_NS = 500_000_000
"""When the server stops, idle connections may send one more request for so long."""


class Source(Protocol):
    """Anything else that is waited for: signals."""

    def fileno(self) -> int:
        """The descriptor."""
        ...

    def ready(self, mask: int, now: int) -> None:
        """It is readable."""
        ...


class Poller:
    """See the module. `on_tick(now)` is called about once a second, `source` for signals.

    `silence_ns` is the longest time without a heartbeat that the worker's supervisor puts up with.
    """

    def __init__(
        self,
        service: Service,
        doors: Sequence[Door],
        source: Source,
        *,
        max_connections: int,
        silence_ns: int = FOREVER,
    ) -> None:
        self.service = service
        self.doors = list(doors)
        self.max_connections = max_connections
        self.on_tick: Callable[[int], None] = service.beat
        self.others: dict[int, Door | Source] = {source.fileno(): source}
        self.events: Iterator[tuple[int, int]] = iter(())
        self.now = monotonic_ns()
        self.next_tick = 0
        self.doors_open = False
        self.draining = False
        self.drain_until = 0
        shortest = min(service.handshake_ns, service.header_ns, service.body_ns, service.write_ns, silence_ns)
        self.tick_ns = max(min(TICK_NS, shortest // 2, (service.keepalive_ns or TICK_NS) // 2), 5 * SHORT_TICK_NS)
        service.able = self.able
        service.readiness.watch_shared(source.fileno())
        for door in self.doors:
            self.others[door.sock.fileno()] = door
        self.set_doors(True)

    # -- turning -----------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Waits for events or the next tick, then does what is due.

        Ends early when another thread took over the polling meanwhile: what is left of `events` is its.
        """
        service = self.service
        epoch = service.epoch
        connections = service.connections
        for fd, mask in self.events:
            connection = connections.get(fd)
            if connection is not None:
                connection.ready(mask, self.now)
            else:
                self.handle_other(fd, mask, epoch)
            if service.epoch != epoch:
                return
        if not self.doors_open and not service.stopping and self.able():
            self.set_doors(True)
        pause = 0.0 if service.waiting else max(self.next_tick - monotonic_ns(), 0) * 1e-9
        events = service.readiness.wait(pause)
        self.now = now = monotonic_ns()
        service.page[cells.HEARTBEAT] = now
        self.events = iter(events)
        if now >= self.next_tick:
            self.tick(now)
            if service.epoch != epoch:
                return
        for _ in range(len(service.waiting)):
            self.pump_waiting(now)
            if service.epoch != epoch:
                return

    def handle_other(self, fd: int, mask: int, epoch: int) -> None:
        """An event of a door or of the signals; one of a connection that was closed meanwhile has no owner."""
        other = self.others.get(fd)
        if other is not None:
            other.ready(mask, self.now)
            if self.service.epoch == epoch and not self.able():
                self.set_doors(False)

    def pump_waiting(self, now: int) -> None:
        """Goes on with a connection that has bytes inside."""
        connection = self.service.waiting.popleft()
        if connection.state is State.READING:
            connection.pump(now)

    def tick(self, now: int) -> None:
        """Deadlines, doors, gauges, and whatever the worker does each second."""
        service = self.service
        idle = 0
        nearest = now + (SHORT_TICK_NS if service.stopping else self.tick_ns)
        for connection in list(service.connections.values()):
            if connection.state is State.BUSY:
                continue
            if connection.deadline <= now:
                connection.expire(now)
            else:
                idle += connection.state is State.READING
                nearest = min(nearest, connection.deadline)
        if not service.stopping:
            # Deadlines that lie close together are one tick's work: a look costs as many steps as there are
            # connections.
            nearest = max(nearest, now + SHUT_TICK_NS) if self.doors_open else now + SHUT_TICK_NS
        self.next_tick = nearest
        page = service.page
        page[cells.CONNECTIONS] = len(service.connections)
        page[cells.CONNECTIONS_IDLE] = idle
        self.on_tick(now)
        if self.draining:
            self.drain(now)
        elif not self.doors_open and service.saturated():
            self.accept_fairly(now)

    # -- doors -------------------------------------------------------------------------------------------

    def able(self) -> bool:
        """Whether another connection could be served now."""
        service = self.service
        return (
            len(service.connections) < self.max_connections
            and self.now >= service.exhausted_until
            and (service.accept_alone or not service.saturated())
        )

    def accept_fairly(self, now: int) -> None:
        """All threads have been busy for a while, so perhaps those of the neighbours are too: newcomers get
        their place in the queue, or connections that are kept would starve them."""
        if len(self.service.connections) < self.max_connections and now >= self.service.exhausted_until:
            epoch = self.service.epoch
            for door in list(self.doors):
                door.ready(0, now)
                if self.service.epoch != epoch:
                    return

    def set_doors(self, is_open: bool) -> None:
        """Watches the listeners, or leaves them to the other workers."""
        if is_open == self.doors_open:
            return
        readiness = self.service.readiness
        if is_open:
            for door in self.doors:
                readiness.watch_shared(door.sock.fileno())
        else:
            for door in self.doors:
                readiness.unwatch_shared(door.sock.fileno())
        self.doors_open = is_open

    # -- stopping ----------------------------------------------------------------------------------------

    def stop(self, *, drain_queue: bool, dropped: int = 0) -> None:
        """Begins the end: no new connections, answers say close, idle connections get a last moment.

        With `drain_queue` every accept queue is emptied first, because nobody serves it after us; else
        those of the doors whose bits (by position) are set in `dropped`.
        """
        service = self.service
        self.now = now = monotonic_ns()
        service.stopping = True
        self.next_tick = 0
        for index, door in enumerate(list(self.doors)):
            # Whoever owns a socket that is not ours keeps its queue.
            if door.owned and (drain_queue or dropped >> index & 1):
                door.last_accept = now
            else:
                self._leave(door)
        self.draining = bool(self.doors)
        self.drain_until = now + DRAIN_LIMIT_NS
        if drain_queue:
            grace = IDLE_GRACE_NS
            service.keepalive_ns = min(service.keepalive_ns, grace)
            service.greeting_ns = min(service.greeting_ns, grace)
            service.handshake_ns = min(service.handshake_ns, DRAIN_LIMIT_NS)
        else:
            grace = service.keepalive_ns
        for connection in list(service.connections.values()):
            if connection.state is State.READING and connection.machine.phase is Phase.IDLE:
                connection.deadline = min(connection.deadline, now + grace)
            elif connection.state is State.HANDSHAKE:
                connection.deadline = min(connection.deadline, now + service.handshake_ns)

    def drain(self, now: int) -> None:
        """Empties the accept queues; leaves a door whose queue stayed empty for a while."""
        epoch = self.service.epoch
        for door in list(self.doors):
            if self.able():
                before = door.last_accept
                door.ready(0, now)
                if self.service.epoch != epoch:
                    return
                if (door.last_accept == before and now - before >= DRAIN_NS) or now >= self.drain_until:
                    self._leave(door)
        if not self.doors:
            self.draining = False

    def leave_doors(self) -> None:
        """Gives up every listener at once."""
        for door in list(self.doors):
            self._leave(door)

    def _leave(self, door: Door) -> None:
        fd = door.sock.fileno()
        if self.doors_open:
            self.service.readiness.unwatch_shared(fd)
        self.others.pop(fd, None)
        self.doors.remove(door)
        door.sock.close()
        if not self.doors:
            self.doors_open = False

    def is_finished(self) -> bool:
        """Whether a stopping worker has nothing left that anybody waits for."""
        if not self.service.stopping or self.doors:
            return False
        return all(connection.state is State.LINGERING for connection in list(self.service.connections.values()))

    def close(self) -> None:
        """Closes every connection, whatever it is doing."""
        self.leave_doors()
        for connection in list(self.service.connections.values()):
            connection.close()
        self.service.readiness.close()
