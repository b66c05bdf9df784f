"""What all connections of a worker share, and the one way a request runs through the application.

`Service.run` is the middle of every request: note, hooks, application, failure, counters, access line. How
a request gets there (at once, or on another thread) is `dispatch`, which each kind of worker sets.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from time import monotonic_ns
from typing import NamedTuple

from gunicorn.bridge.environ import EnvironOptions
from gunicorn.bridge.exchange import ClientGone, Exchange
from gunicorn.bridge.wsgi import Application, answer_failure
from gunicorn.drivers.blocking.connection import FOREVER, Connection
from gunicorn.drivers.blocking.readiness import Readiness, best_readiness
from gunicorn.drivers.ending import QuickStop
from gunicorn.drivers.reporter import Reporter
from gunicorn.metrics.cells import (
    ABORTED,
    BOUNDS_NS,
    BYTES_OUT,
    DURATION,
    DURATION_SUM,
    HEARTBEAT,
    IN_FLIGHT,
    NOTE,
    QUEUE,
    QUEUE_SUM,
    REJECTED,
    STATUS_CELLS,
    TIMED_OUT,
    Row,
)
from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.limits import Stamp, Timeouts
from gunicorn.protocol.machine import Request

_NOTE_SIZE = NOTE.size
SLOW_NS = 5_000_000
OUTLIER = 8
"""A single request moves the average by an eighth: so many times the threshold make it cross it once."""
BURST_BELOW_NS = 2_000_000
"""While requests take less than this on average, a worker may accept several connections in one turn."""


class ServiceOptions(NamedTuple):
    """What a worker tells its driver; sizes in bytes."""

    environ: EnvironOptions
    timeouts: Timeouts
    buffering: bool = True
    spool_threshold: int = 262_144
    spool_directory: str | None = None
    response_buffer: int = 1 << 20
    sendfile: bool = True
    keep_alive_below_ns: int = FOREVER
    """Connections are kept while requests take less than this on average; sync sets a few milliseconds."""


class Service:
    """See the module."""

    def __init__(self, app: Application, options: ServiceOptions, row: Row, stamp: Stamp, reporter: Reporter) -> None:
        self.app = app
        self.options = options
        self.reporter = reporter
        self.stamp = stamp
        self.page = row.page
        self.notes = row.notes
        self.readiness: Readiness = best_readiness()
        self.connections: dict[int, Connection] = {}
        self.waiting: deque[Connection] = deque()
        """Connections with bytes of a next request inside, to be pumped before the next wait."""
        self.buffering = options.buffering
        self.spool_threshold = options.spool_threshold
        self.spool_directory = options.spool_directory
        self.response_buffer = options.response_buffer
        times = options.timeouts
        self.handshake_ns = _ns(times.handshake)
        self.header_ns = _ns(times.header)
        self.greeting_ns = self.header_ns
        """How long a new connection may stay silent."""
        self.body_ns = _ns(times.body)
        self.write_ns = _ns(times.write)
        self.keepalive_ns = int(times.keepalive * 1e9)
        self.keep_below_ns = options.keep_alive_below_ns if self.keepalive_ns else 0
        self.slow_ns = FOREVER
        self.was_slow: Callable[[Request], None] = _forget_it
        """Called for each request that took longer than `slow_ns`; gthread sets both."""
        self.burst_below_ns = BURST_BELOW_NS
        self.average_ns = 0
        self.ceiling_ns = OUTLIER * min(self.keep_below_ns or FOREVER, SLOW_NS)
        """What counts for more in the average: one slow request must not make all look slow for long."""
        self.stopping = False
        self.exhausted_until = 0
        """When accept may be tried again after descriptors ran out, monotonic ns."""
        self.able: Callable[[], bool] = _always
        """Whether another connection can be served; the poller sets it."""
        self.saturated: Callable[[], bool] = _never
        """Whether every thread has work and more is waiting; gthread sets it."""
        self.dispatch: Callable[[Connection], bool] = self.run_inline
        """Gets a complete request to the application; False when the connection is in other hands then."""
        self.epoch = 0
        """Counts changes of the thread that polls: who finds it changed stops polling."""
        self.threaded = False
        self.accept_alone = not options.environ.multiprocess
        self.before: Callable[[Exchange], None] | None = None
        self.after: Callable[[Exchange], None] | None = None
        self.access: Callable[[Exchange], None] | None = None
        self.requests = 0
        """How many requests the application was given."""
        self.retire_at = -1
        self.retire: Callable[[], None] = _nothing
        """Called once, when `requests` reaches `retire_at` (max_requests)."""

    # -- one request -------------------------------------------------------------------------------------

    def run_inline(self, connection: Connection) -> bool:
        """Runs the request on this thread, which owns everything."""
        self.run(connection, 0)
        return True

    def run(self, connection: Connection, note: int) -> None:
        """Runs the connection's request through the application; `note` is this thread's place in
        the row; threads beyond its room share the last."""
        exchange = connection.exchange
        request = exchange.request
        machine = connection.machine
        page = self.page
        started = monotonic_ns()
        NOTE.pack_into(self.notes, note * _NOTE_SIZE, started, request.label)
        page[IN_FLIGHT] += 1
        if self.average_ns >= self.keep_below_ns or self.stopping:
            machine.keep_alive = False
        try:
            if self.before is not None:
                self.before(exchange)
            bridge = connection.bridge
            if bridge is None:
                connection.bridge = bridge = connection.door.bridge(connection)
            bridge.run()
        except QuickStop:
            raise
        except BaseException as error:
            self._failed(connection, error)
        ended = monotonic_ns()
        if machine.overrun or machine.shortfall:
            self._wrong_length(exchange)
        duration = ended - started
        exchange.duration_ns = duration
        if duration > self.slow_ns:
            self.was_slow(request)
        sample = duration if duration < self.ceiling_ns else self.ceiling_ns
        self.average_ns += (sample - self.average_ns) >> 3
        queued = started - connection.arrived
        exchange.queue_ns = queued
        page[QUEUE_SUM] += queued
        page[QUEUE + bisect_left(BOUNDS_NS, queued)] += 1
        page[DURATION_SUM] += duration
        page[DURATION + bisect_left(BOUNDS_NS, duration)] += 1
        page[STATUS_CELLS.get(exchange.status[:1], ABORTED)] += 1
        page[BYTES_OUT] += exchange.sent
        page[IN_FLIGHT] -= 1
        NOTE.pack_into(self.notes, note * _NOTE_SIZE, 0, b"")
        if self.access is not None:
            self.access(exchange)
        if self.after is not None:
            self.after(exchange)
        self.requests += 1
        if self.requests == self.retire_at:
            self.retire()
        # What the application made for this request goes with it; a connection may be idle for long.
        exchange.environ = {}
        connection.settle(ended)

    def _failed(self, connection: Connection, error: BaseException) -> None:
        """The application, a hook or the connection broke off."""
        exchange = connection.exchange
        connection.machine.keep_alive = False
        if isinstance(error, ClientGone):
            if exchange.status:
                self.client_gone(connection)
            else:
                self._notice_leaving(connection)  # `run` counts what has no status
        elif isinstance(error, ProtocolError):
            self.rejected(connection, error)
            if not exchange.head_sent:
                exchange.status = str(error.status)
                self._last_words(connection, connection.machine.fail(error))
                return
        else:
            self.reporter.crashed(exchange, error)
            exchange.failure = error
            if answer_failure(exchange):
                return
        connection.machine.abort()

    def _wrong_length(self, exchange: Exchange) -> None:
        """The application's Content-Length was not the length of its body."""
        machine, request = exchange.machine, exchange.request
        what = "more bytes than its Content-Length (they were cut)" if machine.overrun else "fewer bytes than promised"
        self.reporter.warned(f"the application answered {request.method} {request.target} with {what}")
        machine.overrun = False

    def _last_words(self, connection: Connection, data: bytes) -> None:
        try:
            connection.send(data)
        except ClientGone:
            self.client_gone(connection)

    # -- what connections report -------------------------------------------------------------------------

    def rejected(self, connection: Connection, error: ProtocolError) -> None:
        """A rule of the wire was broken."""
        self.page[TIMED_OUT if error.status == 408 else REJECTED] += 1
        self.reporter.rejected(connection, error)

    def client_gone(self, connection: Connection) -> None:
        """A client left before its answer was complete."""
        self.page[ABORTED] += 1
        self._notice_leaving(connection)

    def _notice_leaving(self, connection: Connection) -> None:
        self.reporter.noticed(f"client {connection.machine.peer.host} left before the answer was complete")

    def spool_failed(self, error: OSError) -> None:
        """A request body could not be stored."""
        self.reporter.warned(f"a request body could not be stored: {error}")

    def handshake_failed(self, connection: Connection, error: OSError) -> None:
        """A TLS handshake failed, mostly by the client's choice."""
        self.reporter.noticed(f"TLS handshake with {connection.machine.peer.host} failed: {error}")

    def missed(self, connection: Connection) -> None:
        """The poller saw an event of a connection that an application thread owns."""
        connection.missed = True

    def again(self, connection: Connection) -> None:
        """There is more to read inside a connection: come back to it before waiting."""
        self.waiting.append(connection)

    def forget(self, connection: Connection) -> None:
        """The connection is closing."""
        self.readiness.forget(connection.fd)
        if self.connections.get(connection.fd) is connection:
            del self.connections[connection.fd]

    def beat(self, now: int) -> None:
        """The worker lives."""
        self.page[HEARTBEAT] = now


def _always() -> bool:
    return True


def _forget_it(_request: Request) -> None:
    pass


def _nothing() -> None:
    pass


def _never() -> bool:
    return False


def _ns(seconds: float) -> int:
    return int(seconds * 1e9) if seconds else FOREVER
