"""One client connection between a socket and a machine: who owns it now, until when, and what is unsent.

Ownership is a state. READING, LINGERING and HANDSHAKE belong to the poller; BUSY belongs to the thread that
runs the application. Only the owner touches the socket and the machine.
"""

from __future__ import annotations

import enum
import io
import socket
from collections import deque
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from gunicorn.bridge.exchange import NOWHERE, ClientGone, Exchange
from gunicorn.bridge.files import LiveBody
from gunicorn.bridge.wsgi import WsgiBridge
from gunicorn.drivers.blocking.readiness import ERROR, FINISHED, HANGUP, READ, WRITE
from gunicorn.drivers.blocking.spool import Spool
from gunicorn.drivers.blocking.tlssocket import TlsSocket
from gunicorn.drivers.blocking.transport import SocketTransport
from gunicorn.protocol.errors import ProtocolError, too_late
from gunicorn.protocol.machine import Body, Event, Machine, Phase, Request

if TYPE_CHECKING:
    from gunicorn.drivers.blocking.door import Door
    from gunicorn.drivers.blocking.service import Service

RECV_SIZE = 65536
READS_IN_A_ROW = 64
"""Reads and pipelined requests of one connection before the others get their turn."""
LINGER_NS = 2_000_000_000
"""How long a half-closed connection may go on sending what nobody reads (RFC 9112 9.6)."""
FOREVER = 1 << 63


class State(enum.IntEnum):
    """Who owns the connection, and for what."""

    READING = 0
    BUSY = 1
    FLUSHING = 2
    HANDSHAKE = 3
    LINGERING = 4
    CLOSED = 5


class Connection(SocketTransport):
    """See the module. Times are monotonic nanoseconds."""

    __slots__ = (
        "arrived",
        "bridge",
        "deadline",
        "door",
        "exchange",
        "full",
        "missed",
        "more",
        "raw",
        "spool",
        "state",
    )

    bridge: WsgiBridge | None
    door: Door
    raw: socket.socket
    arrived: int
    """When the request in hand was complete; -1 while its head drips in."""

    def __init__(self, service: Service, sock: socket.socket | TlsSocket, machine: Machine, now: int) -> None:
        super().__init__(service, sock, machine)
        self.exchange = Exchange(machine, self, machine.peer)
        self.bridge = None
        self.spool: Spool | LiveBody | None = None
        """Where the body of the request in hand is kept, or pulled from; closed when the request is done."""
        self.more = False
        self.missed = False
        self.arrived = now
        if type(sock) is TlsSocket:
            # OpenSSL may hold decrypted bytes that no edge will announce: always read to the end.
            self.full = 1
            self.state = State.HANDSHAKE
            self.deadline = now + service.handshake_ns
        else:
            self.full = RECV_SIZE
            self.state = State.READING
            self.deadline = now + service.greeting_ns

    # -- the poller's side -------------------------------------------------------------------------------

    def ready(self, mask: int, now: int) -> None:
        """The poller saw `mask` on the descriptor."""
        state = self.state
        if state is State.READING:
            if mask & FINISHED:
                # The end is behind the bytes and will not be announced again.
                self.full = 1
            if mask & ~WRITE:
                # Until something was read: what is inside the machine goes first, and this edge is not repeated.
                self.more = True
                self.pump(now)
            elif self.more or self.machine.pending:
                self.pump(now)
        elif state is State.BUSY:
            self.service.missed(self)
        elif state is State.FLUSHING:
            self.more = self.more or bool(mask & READ)
            if mask & FINISHED:
                self.full = 1
            if mask & (WRITE | ERROR | HANGUP):
                self.resume(now)
        elif state is State.HANDSHAKE:
            self._shake_hands(now)
        elif state is State.LINGERING:
            self._discard()

    def pump(self, now: int) -> None:
        """Reads, feeds the machine and dispatches, until the kernel or the machine has nothing more."""
        machine = self.machine
        for _ in range(READS_IN_A_ROW):
            inside = machine.pending
            if inside:
                data = b""
            else:
                try:
                    data = self.sock.recv(RECV_SIZE)
                except OSError as error:
                    self.more = False
                    if type(error) is not BlockingIOError:
                        self.close()
                    return
                self.more = len(data) >= self.full
            try:
                events = machine.receive(data) if data or inside else machine.receive_eof()
            except ProtocolError as error:
                self.reject(error, now)
                return
            if events:
                event = events[0]
                if type(event) is Request and event.complete:
                    self.request = event
                    self.arrived = now
                    self.exchange.begin(event, BytesIO())
                    if not self.service.dispatch(self):
                        return
                elif not self._take(events, now):
                    return
            else:
                self._nothing_yet(not data and not inside, now)
            if self.state is not State.READING or not (self.more or machine.pending):
                return
        self.service.again(self)

    def _nothing_yet(self, ended: bool, now: int) -> None:
        """No event came of what was read: an end between requests, or part of a head.

        The header time counts from the head's first bytes, however slowly the others drip in.
        """
        if ended:
            self._peer_finished()
        elif self.machine.phase is Phase.HEAD and self.arrived >= 0:
            self.arrived = -1
            self.deadline = now + self.service.header_ns

    def _take(self, events: Sequence[Event], now: int) -> bool:
        """Events of a request with a body, or of an end; False when the connection is in other hands now."""
        for index, event in enumerate(events):
            if type(event) is Request:
                self.request = event
                self.deadline = now + self.service.body_ns
                if not self.service.buffering:
                    self.arrived = now
                    self.inbox = deque(events[index + 1 :])
                    self.spool = body = LiveBody(self.read_body)
                    # Whatever the application leaves unread may lie in the kernel already.
                    self.more = True
                    self.exchange.begin(event, io.BufferedReader(body, RECV_SIZE))
                    return self.service.dispatch(self)
                self.spool = Spool(self.service.spool_threshold, self.service.spool_directory)
                if event.expect_continue and event is events[-1]:
                    self._say(self.machine.want_continue(event.stream))
            elif type(event) is Body:
                if not self._store(event, now):
                    return False
            else:
                self._peer_finished()
            if self.state is State.CLOSED:
                return False
        return True

    def _store(self, event: Body, now: int) -> bool:
        spool = self.spool
        if type(spool) is not Spool:
            # The answer is out and the application did not want the rest of the body.
            self.deadline = now + (self.service.keepalive_ns if event.last else self.service.body_ns)
            return True
        try:
            spool.write(event.data)
            body = spool.file() if event.last else None
        except OSError as error:
            self.service.spool_failed(error)
            self.reject(ProtocolError(507, "spool", "RFC 4918 11.5", "the request body could not be stored"), now)
            return False
        self.deadline = now + self.service.body_ns
        if body is not None:
            self.arrived = now
            self.exchange.begin(self.request, body)
            return self.service.dispatch(self)
        return True

    def _peer_finished(self) -> None:
        """The peer sends no more: between two requests that ends the connection."""
        if self.state is State.READING:
            self.close()

    def _shake_hands(self, now: int) -> None:
        assert type(self.sock) is TlsSocket
        try:
            if not self.sock.handshake():
                return
        except OSError as error:
            self.service.handshake_failed(self, error)
            self.close()
            return
        self.state = State.READING
        self.deadline = now + self.service.greeting_ns
        self.pump(now)

    def _discard(self) -> None:
        try:
            while self.sock.recv(RECV_SIZE):
                pass
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass  # a reset ends the waiting just as well
        self.close()

    def expire(self, now: int) -> None:
        """The deadline passed."""
        machine = self.machine
        service = self.service
        if self.state is not State.READING:
            if self.state is State.FLUSHING:
                # The kernel announces room when a third of its buffer is free; a slow reader may have made a little.
                self.resume(now)
                if self.state is not State.FLUSHING or self.deadline > now:
                    return
                service.client_gone(self)
            self.close()
        elif machine.phase is Phase.HEAD or machine.phase is Phase.BODY:
            self.reject(too_late("head" if machine.phase is Phase.HEAD else "body"), now)
        else:
            self.close()

    def reject(self, error: ProtocolError, now: int) -> None:
        """Answers a broken rule with its status, and closes without losing the answer."""
        self.service.rejected(self, error)
        self._drop_body()
        self._say(self.machine.fail(error))
        if self.state is not State.CLOSED:
            self.finish(now, linger=True)

    # -- both sides --------------------------------------------------------------------------------------

    def resume(self, now: int) -> None:
        """After an answer: flush what is queued, then close, wait for the next request, or read on."""
        outbox = self.outbox
        if outbox is not None:
            before = outbox.moved
            try:
                outbox.flush(self.sock)
            except (BlockingIOError, InterruptedError):
                if self.state is not State.FLUSHING or outbox.moved != before:
                    self.deadline = now + self.service.write_ns
                self.state = State.FLUSHING
                self.service.readiness.want_write(self.fd, True)
                return
            except OSError:
                self.service.client_gone(self)
                self.close()
                return
            self.outbox = None
            self.service.readiness.want_write(self.fd, False)
        phase = self.machine.phase
        if phase is Phase.IDLE:
            self.deadline = now + self.service.keepalive_ns
            self.state = State.READING
        elif phase is Phase.HEAD:
            # The beginning of the next head came along with this request.
            self.deadline = now + self.service.header_ns
            self.state = State.READING
        elif phase is Phase.BODY:
            self.deadline = now + self.service.body_ns
            self.state = State.READING
        else:
            self.finish(now)
            return
        if self.is_unread():
            self.service.again(self)

    def is_unread(self) -> bool:
        """Whether there are bytes inside that no event will announce."""
        return self.more or bool(self.machine.pending)

    def settle(self, now: int) -> None:
        """The application is done with the request: what `resume` says, on the fast path without entering it."""
        if self.spool is not None:
            self._drop_body()
        if self.outbox is None and self.machine.phase is Phase.IDLE:
            # The state last: with it the connection belongs to the poller again.
            self.deadline = now + self.service.keepalive_ns
            self.state = State.READING
        else:
            self.resume(now)

    def finish(self, now: int, linger: bool = False) -> None:
        """Closes the connection when what is queued has been sent.

        A peer that did not ask for the end may be sending at this moment; the reset it would get for that
        could destroy the answer under way, so the connection lingers, half-closed (RFC 9112 9.6).
        """
        if self.outbox is not None:
            self.machine.phase = Phase.CLOSED
            self.more = self.more or linger
            self.resume(now)
            return
        if not linger and not self.more and not self.machine.pending and not self.request.keep_alive:
            self.close()
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self.deadline = now + LINGER_NS
        self._discard()
        if self.state is not State.CLOSED:
            # The state last, as in `settle`.
            self.state = State.LINGERING

    def close(self) -> None:
        """Gives everything back."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.service.forget(self)
        if self.outbox is not None:
            self.outbox.clear()
            self.outbox = None
        self._drop_body()
        # Nothing may lead back here: connections are freed by counting, not by the collector.
        self.exchange.transport = NOWHERE
        self.exchange.failure = None
        if self.bridge is not None:
            self.bridge.close()
            self.bridge = None
        self.sock.close()

    def _drop_body(self) -> None:
        if self.spool is not None:
            self.spool.close()
            self.spool = None
            self.exchange.body = BytesIO()
        if self.broken is not None:
            self.broken = None
            self.machine.abort()

    def _say(self, data: bytes) -> None:
        """Sends protocol bytes of our own; a peer that is gone will be noticed by the next read."""
        if not data:
            return
        try:
            self.send(data)
        except ClientGone:
            self.close()
