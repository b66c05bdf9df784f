"""What all connections of an event-loop worker share, and the one way a request gets its task and its account.

`start` gives a request to the application, `settle` counts its answer, `_run` judges how the application ended.
What the application may do is the bridge's; when a connection may end is the connection's.
"""

from __future__ import annotations

import asyncio
import contextvars
from bisect import bisect_left
from collections.abc import Callable
from time import monotonic_ns
from typing import Any, NamedTuple, Protocol

from gunicorn.bridge.asgi import Application, AsgiExchange
from gunicorn.bridge.exchange import ClientGone, Exchange
from gunicorn.bridge.scope import HeaderPairs, ScopeOptions, websocket_scope
from gunicorn.bridge.wsgi import answer_failure
from gunicorn.drivers.aio.connection import FOREVER, Connection
from gunicorn.drivers.aio.tasks import Work, start_now
from gunicorn.drivers.ending import QuickStop
from gunicorn.drivers.reporter import Reporter
from gunicorn.metrics.cells import (
    ABORTED,
    ACCEPTED,
    BOUNDS_NS,
    BYTES_OUT,
    DURATION,
    DURATION_SUM,
    IN_FLIGHT,
    NOTE,
    NOTES,
    QUEUE,
    QUEUE_SUM,
    REJECTED,
    STATUS_CELLS,
    TIMED_OUT,
    WEBSOCKET_MESSAGES_IN,
    WEBSOCKET_MESSAGES_OUT,
    WEBSOCKETS,
    Row,
)
from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.limits import Stamp, Timeouts
from gunicorn.protocol.machine import Machine, Request

HANDSHAKE = {"HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION"}
"""Fields that tell an opening handshake (RFC 6455 4.2.1), however wrong, from an Upgrade that means nothing."""
_NOTE_SIZE = NOTE.size
_NOTE_WORDS = _NOTE_SIZE // 8


class Tunnel(Protocol):
    """What a connection becomes by an upgrade: `bridge.asgi_websocket.WebSocketExchange`."""

    messages_in: int
    messages_out: int

    async def run(self, app: Application) -> None: ...
    def feed(self, data: bytes) -> None: ...
    def feed_eof(self) -> None: ...
    def lost(self) -> None: ...
    def leave(self, code: int) -> None: ...
    def tick(self, now_ns: int) -> int: ...


class ServiceOptions(NamedTuple):
    """What a worker tells its driver; sizes in bytes, times in seconds."""

    scope: ScopeOptions
    timeouts: Timeouts
    response_buffer: int = 1 << 20
    sendfile: bool = True
    disconnect_grace: float = 3.0


class Service:
    """See the module."""

    exchange: type[AsgiExchange] = AsgiExchange
    """What is made for each request."""

    def __init__(
        self,
        app: Application,
        options: ServiceOptions,
        row: Row,
        stamp: Stamp,
        reporter: Reporter,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
    ) -> None:
        """`context` is what the lifespan left behind: every request starts from a copy of it."""
        self.app = app
        self.options = options
        self.reporter = reporter
        self.stamp = stamp
        self.page = row.page
        self.notes = row.notes
        self.note_starts = row.notes.cast("Q")
        """The same as numbers: the first of each note is its start, and 0 clears it."""
        self.loop = loop
        self.context = context
        self.connections: set[Connection] = set()
        self.running: set[Any] = set()
        """Exchanges whose application has not returned; an answer may be complete before."""
        self.orphans: dict[Any, int] = {}
        """Exchanges whose client left, and when their tasks are cancelled, monotonic ns."""
        self.tunnels: dict[Any, int] = {}
        """Upgraded connections, and when they want to be asked what is due, monotonic ns."""
        self.free_notes = list(range(NOTES - 1))
        self.websocket: Callable[..., Any] | None = None
        """Makes the exchange of an upgrade to WebSocket, (machine, wire, peer, request, scope); None: not spoken."""
        self.sendfile = options.sendfile
        self.response_buffer = options.response_buffer
        times = options.timeouts
        self.handshake_ns = _ns(times.handshake)
        self.header_ns = _ns(times.header)
        self.greeting_ns = self.header_ns
        self.body_ns = _ns(times.body)
        self.write_ns = _ns(times.write)
        self.keepalive_ns = int(times.keepalive * 1e9)
        self.grace_ns = int(options.disconnect_grace * 1e9)
        self.keep_alive = bool(self.keepalive_ns)
        """Whether answers leave their connections open; False while stopping."""
        self.stopping = False
        self.crowded = False
        """Newcomers were left waiting for want of room; `room` is called when a connection is gone."""
        self.room: Callable[[], None] = _nothing
        self.before: Callable[[Exchange], None] | None = None
        self.after: Callable[[Exchange], None] | None = None
        self.access: Callable[[Exchange], None] | None = None
        self.requests = 0
        self.retire_at = -1
        self.retire: Callable[[], None] = _nothing

    # -- connections -------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """A connection is there, and its TLS handshake over."""
        self.page[ACCEPTED] += 1
        self.connections.add(connection)
        if self.stopping:
            connection.machine.keep_alive = False

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if self.crowded:
            self.room()

    def rejected(self, connection: Connection, error: ProtocolError) -> None:
        """A rule of the wire was broken."""
        self.page[TIMED_OUT if error.status == 408 else REJECTED] += 1
        self.reporter.rejected(connection, error)

    # -- one request -------------------------------------------------------------------------------------

    def start(self, exchange: Any, machine: Machine, work: Work) -> None:
        """The request is in the application's hands from here on: `work` runs it, in a task of its own.

        Only for callbacks of the loop, not for tasks.
        """
        free = self.free_notes
        exchange.note = note = free.pop() if free else NOTES - 1
        exchange.started = started = monotonic_ns()
        NOTE.pack_into(self.notes, note * _NOTE_SIZE, started, exchange.request.label)
        running = self.running
        running.add(exchange)
        self.page[IN_FLIGHT] = len(running)
        if not self.keep_alive:
            machine.keep_alive = False
        task = start_now(self.loop, work, self.context.copy())
        if not task.done():
            exchange.task = task

    async def run(self, exchange: AsgiExchange) -> None:
        """The body of a request's task."""
        try:
            if self.before is not None:
                self.before(exchange)
            await self.app(exchange.scope, exchange.receive, exchange.send)
            if not exchange.done and not exchange.close():
                self._incomplete(exchange)
        except QuickStop:
            raise
        except BaseException as error:
            self._failed(exchange, error)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._returned(exchange)

    def _returned(self, exchange: Any) -> None:
        """The application gave the request back."""
        exchange.task = None
        running = self.running
        running.discard(exchange)
        self.page[IN_FLIGHT] = len(running)
        if self.orphans:
            self.orphans.pop(exchange, None)

    def settle(self, exchange: Any, machine: Machine, *, timed: bool = True) -> int:
        """An answer is complete, or will never be: accounts for it. Returns the time, monotonic ns.

        Not `timed` are WebSockets: how long somebody stays says nothing about how fast we are.
        """
        ended = monotonic_ns()
        page = self.page
        exchange.duration_ns = duration = ended - exchange.started
        if timed:
            queued = exchange.queue_ns
            if queued:
                page[QUEUE_SUM] += queued
                page[QUEUE + bisect_left(BOUNDS_NS, queued)] += 1
            else:
                # Begun in the moment in which it was read: what waits then, waits in the kernel.
                page[QUEUE] += 1
            page[DURATION_SUM] += duration
            page[DURATION + bisect_left(BOUNDS_NS, duration)] += 1
            if machine.overrun or machine.shortfall:
                self._wrong_length(exchange)
        page[STATUS_CELLS.get(exchange.status[:1], ABORTED)] += 1
        page[BYTES_OUT] += exchange.sent
        note = exchange.note
        self.note_starts[note * _NOTE_WORDS] = 0
        if note != NOTES - 1:
            self.free_notes.append(note)
        if self.access is not None:
            self.access(exchange)
        if self.after is not None:
            self.after(exchange)
        self.requests += 1
        if self.requests == self.retire_at:
            self.retire()
        return ended

    # -- how it can end otherwise ------------------------------------------------------------------------

    def _incomplete(self, exchange: AsgiExchange) -> None:
        """The application returned and owes (a part of) its answer."""
        if exchange.gone:
            return
        # Who was told that the client left may leave as well.
        if not exchange.left:
            request = exchange.request
            what = "without completing its answer" if exchange.head_sent else "without an answer"
            self.reporter.warned(f"the application returned {what} to {request.method} {request.target}")
        self._break_off(exchange)

    def _failed(self, exchange: AsgiExchange, error: BaseException) -> None:
        """The application raised; what it raises after its answer, or for want of a client, changes nothing."""
        if exchange.gone and _came_of_leaving(error):
            request = exchange.request
            self.reporter.noticed(f"{request.method} {request.target} ended with {error!r:.200}: its client had left")
            return
        cancelled = isinstance(error, asyncio.CancelledError)
        if cancelled and exchange.done:
            return
        exchange.failure = error
        if not cancelled:
            self.reporter.crashed(exchange, error)
        if not exchange.done and not exchange.gone:
            self._break_off(exchange)
        # Its traceback holds the exchange and all frames of the application: they must not wait for the collector.
        exchange.failure = None

    def _break_off(self, exchange: AsgiExchange) -> None:
        """Says 500 where nothing was said yet, else ends the connection so that nobody takes it for the whole."""
        exchange.machine.keep_alive = False
        exchange.done = True
        exchange.wake()
        if not answer_failure(exchange):
            exchange.machine.abort()
            exchange.gone = True
        exchange.wire.answered(exchange)

    def _wrong_length(self, exchange: Any) -> None:
        machine, request = exchange.machine, exchange.request
        what = "more bytes than its Content-Length (they were cut)" if machine.overrun else "fewer bytes than promised"
        self.reporter.warned(f"the application answered {request.method} {request.target} with {what}")
        machine.overrun = False

    def orphan(self, exchange: Any) -> None:
        """The client left: the application has a while to end by itself."""
        if exchange.task is None:
            return
        if self.grace_ns:
            self.orphans[exchange] = monotonic_ns() + self.grace_ns
        else:
            exchange.task.cancel()

    def abandoned(self, connection: Connection, exchange: AsgiExchange) -> None:
        """Nobody waits for this answer any more."""
        self.page[ABORTED] += 1 if exchange.status else 0
        self.settle(exchange, connection.machine)
        self.orphan(exchange)
        self.reporter.noticed(f"client {connection.machine.peer.host} left before the answer was complete")

    # -- upgrades ----------------------------------------------------------------------------------------

    def upgrade(self, connection: Connection, request: Request, headers: HeaderPairs) -> bool:
        """Gives a WebSocket to the application; False where none is asked for or spoken, and HTTP goes on.

        An Upgrade without any field of the handshake may be ignored, like every other (RFC 9110 7.8).
        """
        asked = request.variables.keys() & HANDSHAKE
        if self.websocket is None or not asked:
            return False
        assert connection.base is not None
        scope = websocket_scope(connection.base, request, headers)
        machine = connection.machine
        try:
            exchange = self.websocket(machine, connection, machine.peer, request, scope)
        except ProtocolError as error:
            connection.reject(error)
            return True
        connection.tunnel = exchange
        connection.deadline = FOREVER
        exchange.queue_ns = 0
        self.page[WEBSOCKETS] += 1
        self.tunnels[exchange] = 0
        self.start(exchange, machine, self._run_tunnel(exchange))
        return True

    async def _run_tunnel(self, exchange: Any) -> None:
        try:
            if self.before is not None:
                self.before(exchange)
            await exchange.run(self.app)
        except (QuickStop, asyncio.CancelledError):
            raise
        except ClientGone:
            pass  # what the application was told, and did not care to hear
        except BaseException as error:
            if _came_of_leaving(error):
                self.reporter.noticed(f"{exchange.request.target} ended with {error!r:.200}: its client had left")
            else:
                exchange.failure = error
                self.reporter.crashed(exchange, error)
        finally:
            self._returned(exchange)
            self.tunnels.pop(exchange, None)
            page = self.page
            page[WEBSOCKETS] -= 1
            page[WEBSOCKET_MESSAGES_IN] += exchange.messages_in
            page[WEBSOCKET_MESSAGES_OUT] += exchange.messages_out
            self.settle(exchange, exchange.machine, timed=False)
            exchange.failure = None


def _came_of_leaving(error: BaseException | None) -> bool:
    """Whether an exception is ClientGone, or what a framework made of it: a chain, or a group of nothing else."""
    while error is not None and not isinstance(error, ClientGone):
        if isinstance(error, BaseExceptionGroup):
            return all(_came_of_leaving(each) for each in error.exceptions)
        error = error.__cause__ or error.__context__
    return error is not None


def _nothing() -> None:
    pass


def _ns(seconds: float) -> int:
    return int(seconds * 1e9) if seconds else FOREVER
