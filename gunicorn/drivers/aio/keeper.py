"""The clock of an event-loop worker: heartbeats, deadlines, pings, doors, and the state of stopping.

One timer for all: a request sets a number, and a look at all numbers is taken now and then. Knows when things
are due; what is done then is the connections' and doors' affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import NamedTuple

from gunicorn.drivers.aio.connection import FOREVER
from gunicorn.drivers.aio.door import Door
from gunicorn.drivers.aio.service import Service
from gunicorn.metrics import cells

TICK_NS = 250_000_000
"""Between two heartbeats: short, because it is also how far the lag of the loop can be seen."""
SHORT_TICK_NS = 10_000_000
"""While stopping."""
LOOK_NS = 1_000_000_000
DRAIN_NS = 150_000_000
"""An accept queue that stayed empty for so long is empty: handshakes under way have ended."""
DRAIN_LIMIT_NS = 2_000_000_000
"""The most that is spent on accept queues where newcomers cannot be refused."""
END_NS = 300_000_000
"""What a cancelled application may take to clean up; then it is left behind."""


class Leave(NamedTuple):
    """How a worker is to end. Times in ns from now."""

    code: int
    """Close code for WebSockets."""
    drain_queue: bool = False
    """Nobody serves the accept queues after us: they are emptied first."""
    dropped: int = 0
    """The same for single doors, a bit each in their order."""
    idle_ns: int = 0
    """How long idle connections may still send a request."""
    tell_ns: int = 0
    """When applications that still answer hear `http.disconnect`."""
    cancel_ns: int = 0
    """When they are cancelled."""


class Keeper:
    """See the module. `on_second` is called about once a second; `finished` once, when a stopping worker is done."""

    def __init__(self, service: Service, *, max_connections: int, silence_ns: int) -> None:
        """`silence_ns` is the longest time without a heartbeat that the worker's supervisor puts up with."""
        self.service = service
        self.loop = service.loop
        self.max_connections = max_connections
        service.room = self._room
        self.doors: list[Door] = []
        self.left: list[Door] = []
        """Doors that were given up; what they let in may still be arriving."""
        self.on_second: Callable[[], None] = _nothing
        self.finished: asyncio.Future[None] | None = None
        self.beat = monotonic_ns()
        """When the loop last came by; the watchdog reads it."""
        shortest = min(service.header_ns, service.body_ns, service.write_ns, service.keepalive_ns or FOREVER)
        self.look_ns = max(min(LOOK_NS, shortest // 2), 5 * SHORT_TICK_NS)
        self.tick_ns = max(min(TICK_NS, self.look_ns, silence_ns // 4), SHORT_TICK_NS)
        self.next_look = 0
        self.next_second = 0
        self.draining = False
        self.drain_until = 0
        self.tell_at = self.cancel_at = self.end_at = FOREVER
        """While stopping: when those who still answer are told, and when they are cancelled, monotonic ns."""
        self.due = 0
        self.timer: asyncio.TimerHandle | None = None

    # -- time --------------------------------------------------------------------------------------------

    def start(self, doors: Sequence[Door]) -> None:
        """Opens the doors and starts the clock."""
        self.doors = list(doors)
        for door in self.doors:
            door.open()
        self.due = monotonic_ns()
        self.turn()

    def turn(self) -> None:
        """One stroke of the clock."""
        service = self.service
        now = monotonic_ns()
        self.beat = now
        page = service.page
        page[cells.HEARTBEAT] = now
        page[cells.LOOP_LAG] = max(now - self.due, 0)
        if now >= self.next_look or service.stopping:
            self.look(now)
        if now >= self.next_second:
            self.next_second = now + LOOK_NS
            self.on_second()
        self._reopen(now)
        if service.stopping:
            self._stop_on(now)
        pause = SHORT_TICK_NS if service.stopping else self.tick_ns
        self.due = now + pause
        if self.timer is not None:
            # Whoever found that it is time to stop has turned the clock already.
            self.timer.cancel()
        self.timer = self.loop.call_later(pause / 1e9, self.turn)

    def look(self, now: int) -> None:
        """Deadlines, orphans, pings and gauges."""
        service = self.service
        self.next_look = now + self.look_ns
        idle = 0
        for connection in list(service.connections):
            if connection.deadline <= now:
                connection.expire(now)
            else:
                idle += connection.is_idle
        for exchange, at in list(service.orphans.items()):
            if at <= now:
                del service.orphans[exchange]
                if exchange.task is not None:
                    exchange.task.cancel()
        for tunnel, at in list(service.tunnels.items()):
            if at <= now:
                service.tunnels[tunnel] = tunnel.tick(now)
        service.page[cells.CONNECTIONS] = len(service.connections)
        service.page[cells.CONNECTIONS_IDLE] = idle

    # -- doors -------------------------------------------------------------------------------------------

    def able(self) -> bool:
        """Whether another connection may come in."""
        service = self.service
        arriving = sum(door.arriving for door in self.doors)
        service.crowded = len(service.connections) + arriving >= self.max_connections
        return not service.crowded

    def _room(self) -> None:
        """A connection is gone, and others wait for its place."""
        self._reopen(monotonic_ns())

    def _reopen(self, now: int) -> None:
        if self.service.stopping and not self.draining:
            return
        for door in self.doors:
            if not door.is_open and now >= door.exhausted_until and self.able():
                door.open()

    # -- stopping ----------------------------------------------------------------------------------------

    def stop(self, leave: Leave) -> None:
        """Begins the end: no new connections, answers say close, idle connections get a last moment.

        May be called again, to make haste.
        """
        service = self.service
        now = monotonic_ns()
        service.stopping = True
        service.keep_alive = False
        for index, door in enumerate(list(self.doors)):
            # Whoever owns a socket that is not ours keeps its queue.
            if door.owned and (leave.drain_queue or leave.dropped >> index & 1):
                door.last_accept = now
            else:
                self._leave(door)
        self.draining = bool(self.doors)
        self.drain_until = now + DRAIN_LIMIT_NS
        service.keepalive_ns = min(service.keepalive_ns, leave.idle_ns)
        if leave.idle_ns < FOREVER:
            service.greeting_ns = min(service.greeting_ns, max(leave.idle_ns, SHORT_TICK_NS))
        self.tell_at, self.cancel_at = now + leave.tell_ns, now + leave.cancel_ns
        self.end_at = self.cancel_at + END_NS
        for connection in list(service.connections):
            connection.machine.keep_alive = False
            if connection.is_idle:
                connection.deadline = min(connection.deadline, now + service.keepalive_ns)
        for tunnel in list(service.tunnels):
            tunnel.leave(leave.code)
        if self.timer is not None:
            self.timer.cancel()
        self.turn()

    def _stop_on(self, now: int) -> None:
        """What stopping still waits for."""
        if self.draining:
            for door in list(self.doors):
                door.ready()
                if (door.last_accept + DRAIN_NS <= now and not door.arriving) or now >= self.drain_until:
                    self._leave(door)
            self.draining = bool(self.doors)
        if now >= self.tell_at:
            self.tell_at = FOREVER
            for connection in list(self.service.connections):
                if connection.exchange is not None:
                    connection.exchange.disconnect(gone=False)
        if now >= self.cancel_at:
            self.cancel_at = FOREVER
            self._cancel_all()
        if self.finished is not None and not self.finished.done() and (self.is_finished() or now >= self.end_at):
            self.finished.set_result(None)

    def _cancel_all(self) -> None:
        for exchange in list(self.service.running):
            if exchange.task is not None:
                exchange.task.cancel()

    def _leave(self, door: Door) -> None:
        door.close()
        self.doors.remove(door)
        self.left.append(door)

    def is_finished(self) -> bool:
        """Whether nothing is left that anybody waits for."""
        service = self.service
        if self.doors or service.running:
            return False
        if any(door.arriving for door in self.left) and monotonic_ns() < self.drain_until:
            # Accepted, and not yet a connection: whoever was let in is answered.
            return False
        return all(connection.is_over for connection in service.connections)

    def close(self) -> None:
        """Ends every connection, whatever it is doing."""
        for door in list(self.doors):
            self._leave(door)
        for connection in list(self.service.connections):
            connection.abort()
        self._cancel_all()

    def stop_clock(self) -> None:
        """No further stroke."""
        if self.timer is not None:
            self.timer.cancel()


def _nothing() -> None:
    pass
