"""One client connection between an asyncio transport and a machine: what arrived, what is owed, until when.

The application runs in a task beside it and speaks through an exchange; this object feeds the exchange, keeps
the order of pipelined requests, and knows when the connection ends. Times are monotonic nanoseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, cast

from gunicorn.bridge.asgi import AsgiExchange
from gunicorn.bridge.exchange import Exchange
from gunicorn.bridge.scope import HeaderPairs, ScopeBase, header_pairs, http_scope
from gunicorn.drivers.aio.transport import LINGER_NS, NOTHING, UNKNOWN, LoopTransport, State
from gunicorn.protocol.errors import ProtocolError, too_late
from gunicorn.protocol.machine import Body, Event, Machine, Phase, Request

if TYPE_CHECKING:
    from gunicorn.drivers.aio.door import Door
    from gunicorn.drivers.aio.service import Service, Tunnel

HOLD = 65536
"""Bytes of pipelined requests that wait inside the machine before the client is made to wait."""
FOREVER = 1 << 63

_IDLE, _HEAD, _BODY, _ANSWER, _CLOSED, _TUNNEL = Phase


class Connection(LoopTransport):
    """See the module."""

    __slots__ = (
        "base",
        "door",
        "dripping",
        "ended",
        "exchange",
        "headers",
        "machine",
        "request",
        "source",
        "tunnel",
    )

    request: Request

    def __init__(self, service: Service, door: Door, machine: Machine, now: int) -> None:
        super().__init__(service)
        self.door = door
        self.machine = machine
        self.deadline = now + service.greeting_ns
        self.dripping = False
        """A head has begun and is not complete."""
        self.exchange: AsgiExchange | None = None
        """The request that is being answered."""
        self.tunnel: Tunnel | None = None
        """What reads the connection since it was upgraded."""
        self.ended = False
        """The client sends no more."""
        self.base: ScopeBase | None = None
        self.source: Sequence[Any] = ()
        self.headers: HeaderPairs = []

    # -- what the loop calls -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open; under TLS the handshake is over."""
        self.transport = cast(asyncio.Transport, transport)
        self.write = self.transport.write
        self.transport.set_write_buffer_limits(self.service.response_buffer)
        self.service.opened(self)

    def data_received(self, data: bytes) -> None:
        """Feeds the machine and gets what it found to the application."""
        machine = self.machine
        if self.state is not State.OPEN:
            return
        if machine.phase is _TUNNEL and self.tunnel is not None:
            self.tunnel.feed(data)
            return
        try:
            events = machine.receive(data)
        except ProtocolError as error:
            self.reject(error)
            return
        if not events:
            self._nothing_yet()
            return
        event = events[0]
        if type(event) is Request and event.complete:
            self._begin(event)
        else:
            self._take(events)

    def eof_received(self) -> bool:
        """The client sends no more. True keeps the connection open for its answer (not possible under TLS)."""
        tunnel = self.tunnel
        if tunnel is not None:
            tunnel.feed_eof()
            return False
        if self.state is not State.OPEN:
            return False
        self.ended = True
        if self.exchange is not None and self.machine.phase is _IDLE:
            # A file is going past the machine, which believes it sent: the next request must not begin yet. Only
            # TLS reads on so far that the end is found.
            self._end_of_waiting()
            return False
        try:
            events = self.machine.receive_eof()
        except ProtocolError as error:
            self.reject(error)
            return False
        if events and type(events[0]) is not Request:
            return False
        if events:
            self._take(events)
        exchange = self.exchange
        if exchange is not None:
            exchange.disconnect(gone=False)
            self.service.orphan(exchange)
        elif not self.machine.pending:
            return False
        # Requests that came before the end and wait for their turn are answered too.
        return self.door.options.tls is None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The connection is gone, whoever ended it."""
        self.state = State.CLOSED
        self.transport = NOTHING
        self.write = NOTHING.write
        self.machine.abort()
        self.full = False
        self.release_drainers()
        tunnel, exchange = self.tunnel, self.exchange
        self.tunnel = self.exchange = None
        if tunnel is not None:
            tunnel.lost()
            self.service.orphan(tunnel)
        if exchange is not None:
            exchange.disconnect(gone=True)
            self.service.abandoned(self, exchange)
        self.service.forget(self)

    # -- requests ----------------------------------------------------------------------------------------

    def _begin(self, request: Request, rest: Sequence[Event] = ()) -> None:
        """A head is complete: the application gets its request, with what came of the body in `rest`."""
        base = self.base
        if base is None:
            # Only now: a PROXY header may have named another client than the kernel.
            self.base = base = self.door.scope(self)
        source = request.fields_source
        if source is self.source:
            headers = self.headers.copy()
        else:
            headers = header_pairs(request)
            self.source, self.headers = source, headers.copy()
        self.request = request
        self.dripping = False
        if request.upgrade == "websocket" and self.service.upgrade(self, request, headers):
            return
        machine, service = self.machine, self.service
        self.exchange = exchange = service.exchange(
            machine, self, machine.peer, request, http_scope(base, request, headers)
        )
        if request.complete:
            self.deadline = FOREVER
        else:
            self._feed(exchange, rest)
        service.start(exchange, machine, service.run(exchange))

    def _feed(self, exchange: AsgiExchange, events: Sequence[Event]) -> None:
        """Gives parts of the request body to the exchange."""
        for event in events:
            if type(event) is Body:
                exchange.feed(event.data, event.last)
        self.set_deadline(monotonic_ns())

    def _take(self, events: Sequence[Event]) -> None:
        """Events of a request with a body, or of an end."""
        event = events[0]
        if type(event) is Request:
            self._begin(event, events[1:])
        elif type(event) is Body:
            if self.exchange is not None:
                self._feed(self.exchange, events)
            elif event.last:
                self._next(monotonic_ns())
            else:
                self.deadline = monotonic_ns() + self.service.body_ns
        else:
            self.end()

    def _nothing_yet(self) -> None:
        """No event came of what was read: a part of a head, or a request that has to wait for its turn."""
        if self.machine.phase is _ANSWER:
            if self.machine.pending > HOLD:
                self.pause_reading()
        elif self.machine.phase is _HEAD and not self.dripping:
            # The header time counts from the head's first bytes, however slowly the others drip in.
            self.dripping = True
            self.deadline = monotonic_ns() + self.service.header_ns

    def answered(self, exchange: Exchange) -> None:
        """The answer is complete: the connection is free for the next request, or ends."""
        if self.pieces is not None:
            self.flush()
        if self.tunnel is not None:
            # A refused upgrade: whoever runs the tunnel accounts for it.
            self.tunnel = None
            now = monotonic_ns()
        elif exchange is self.exchange:
            self.exchange = None
            now = self.service.settle(exchange, self.machine)
        else:
            return
        machine = self.machine
        if machine.phase is _IDLE and not machine.pending and not self.paused and not self.full:
            self.deadline = now + self.service.keepalive_ns
        else:
            self._next(now)

    def _next(self, now: int) -> None:
        """After an answer: the next request if it is here already, waiting for it, or the end."""
        phase = self.machine.phase
        if phase is _CLOSED:
            self.finish(now)
            return
        pending = self.machine.pending
        if pending <= HOLD:
            self.resume_reading()
        self.set_deadline(now)
        if pending and phase is _IDLE:
            self.service.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Feeds the machine what it held back; a callback of its own, because an application is still on the stack."""
        machine = self.machine
        if self.exchange is None and self.tunnel is None and machine.pending:
            # Whoever is begun now may want more than waits here.
            self.resume_reading()
            self.data_received(b"")
            if machine.pending > HOLD:
                self.pause_reading()
            if self.ended and self.state is State.OPEN:
                self._end_of_waiting()

    def _end_of_waiting(self) -> None:
        """The end that came before this request was begun is its own, too."""
        if self.tunnel is not None:
            self.tunnel.feed_eof()
        elif self.exchange is not None:
            self.exchange.disconnect(gone=False)
            self.service.orphan(self.exchange)

    def resume_reading(self) -> None:
        """Reads on, unless enough waits for its turn."""
        if self.machine.phase is not _ANSWER or self.machine.pending <= HOLD:
            super().resume_reading()

    def set_deadline(self, now: int) -> None:
        """Until when the client must do something, by what is awaited of it."""
        service = self.service
        phase = self.machine.phase
        if self.full and not self.resting:
            self.deadline = now + service.write_ns
        elif self.tunnel is not None:
            self.deadline = FOREVER
        elif phase is _BODY and not self.paused:
            self.deadline = now + service.body_ns
        elif self.exchange is not None or phase is _BODY:
            self.deadline = FOREVER
        elif phase is _HEAD:
            self.deadline = now + service.header_ns
        else:
            self.deadline = now + service.keepalive_ns

    # -- the end -----------------------------------------------------------------------------------------

    def reject(self, error: ProtocolError) -> None:
        """Answers a broken rule with its status, and closes without losing the answer."""
        self.service.rejected(self, error)
        exchange = self.exchange
        if exchange is not None:
            self.exchange = None
            if not exchange.head_sent:
                exchange.status = str(error.status)
            exchange.disconnect(gone=True)
            self.service.abandoned(self, exchange)
        self.flush()
        out = self.machine.fail(error)
        if out:
            self.transport.write(out)
        self.finish(monotonic_ns(), linger=True)

    def finish(self, now: int, *, linger: bool = False) -> None:
        """Closes the connection when what is queued has been sent.

        A peer that did not ask for the end may be sending at this moment; the reset it would get for that
        could destroy the answer under way, so the connection lingers, half-closed (RFC 9112 9.6).
        """
        if self.state is not State.OPEN:
            return
        asked = not linger and not self.machine.pending and not self.paused and not self.request.keep_alive
        if asked or self.ended or not self.transport.can_write_eof():
            self.end()
            return
        # Reading goes on to the end: only then does closing send no reset.
        self.resume_reading()
        self.state = State.LINGERING
        self.unsent = UNKNOWN
        self.deadline = now + LINGER_NS
        try:
            self.transport.write_eof()
        except (OSError, RuntimeError):
            self.abort()

    def expire(self, now: int) -> None:
        """The deadline passed."""
        unsent = self.measure()
        if unsent:
            if unsent != self.unsent:
                # A slow reader that does read.
                self.unsent = unsent
                self.deadline = now + self.service.write_ns
            else:
                self.abort()
        elif self.state is not State.OPEN:
            self.abort()
        elif self.machine.phase is _HEAD:
            self.reject(too_late("head"))
        elif self.machine.phase is _BODY:
            self.reject(too_late("body"))
        else:
            self.end()

    @property
    def is_idle(self) -> bool:
        """Between two requests, and not with much of an answer before it."""
        return self.exchange is None and self.tunnel is None and self.state is State.OPEN and not self.full
