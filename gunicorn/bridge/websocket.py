"""A WebSocket connection between a driver and whoever talks on it: messages wait here, pings and closing are timed.

Joins the machine of the upgrade with a transport. Knows no socket and no event loop (whatever has to be waited for is
a future that the transport makes), and no application interface.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from typing import Any

from gunicorn.bridge.exchange import AsyncTransport, Exchange
from gunicorn.bridge.websocket_pings import NEVER, Pings
from gunicorn.protocol.limits import WebSocketPolicy
from gunicorn.protocol.machine import Machine, Request
from gunicorn.protocol.trust import Peer
from gunicorn.protocol.websocket.connection import WebSocket
from gunicorn.protocol.websocket.events import LOST, Closed, Event, Pong, State
from gunicorn.protocol.websocket.handshake import read_offer

Pairs = list[tuple[str, str]]

WAITING_COUNT = 16
WAITING_SIZE = 64 * 1024
"""Messages, and bytes or characters in them, that wait for the application before the client is made to wait."""

CLOSING_NS = 10_000_000_000
"""How long the peer may take to answer our close frame."""
LOOK_NS = 5_000_000_000
"""The longest time between two looks at the clock."""

INTERNAL_ERROR = 1011

_PLAIN_TEXT = ("Content-Type", "text/plain; charset=utf-8")


class Stage(enum.Enum):
    """Where a connection stands with the application; the value is how an error names it."""

    CONNECTING = "before the handshake was answered"
    DENYING = "within a denial response"
    OPEN = "on an open connection"
    CLOSED = "after the connection was closed or denied"


class WebSocketChannel(Exchange):
    """One upgrade, from its request to the end of the connection. Made anew for each.

    The driver feeds it (`feed`, `feed_eof`, `lost`), asks by `tick` what the time demands, and says `leave`.
    """

    __slots__ = (
        "early",
        "ended",
        "gone",
        "heard",
        "held",
        "inbox",
        "leaving",
        "messages_in",
        "messages_out",
        "midway",
        "note",
        "over",
        "paused",
        "pings",
        "scope",
        "socket",
        "stage",
        "started",
        "task",
        "waiters",
        "waits_since",
        "wire",
    )

    note: int
    started: int
    """When the application got the connection, monotonic ns; with `note` and `task` the driver's."""

    def __init__(
        self, machine: Machine, wire: AsyncTransport, peer: Peer, request: Request, policy: WebSocketPolicy
    ) -> None:
        """Raises ProtocolError for a request that is no handshake."""
        self.socket = WebSocket(policy, read_offer(request))
        self.machine = machine
        self.wire = wire
        self.peer = peer
        self.request = request
        self.status = ""
        self.fields: Sequence[tuple[str, str]] = ()
        self.sent = self.duration_ns = self.queue_ns = 0
        """`sent` counts the bytes of frames, or of a denial's body."""
        self.head_sent = False
        self.environ = {}
        self.failure = None
        self.task: Any = None
        self.stage = Stage.CONNECTING
        self.messages_in = 0
        self.messages_out = 0
        self.inbox: deque[str | bytes] = deque()
        self.held = 0
        """Bytes or characters of the messages in `inbox`."""
        self.paused = False
        self.ended: Closed | None = None
        """How the connection ended, for the application."""
        self.gone = False
        """No more bytes will come of the client."""
        self.over = False
        """The transport was told to end, or is gone: nothing is left to be done."""
        self.leaving = 0
        """The close code of a server that leaves while the handshake is unanswered."""
        self.early = b""
        """What came behind the request before it was answered."""
        self.heard = False
        """Something arrived since the last tick."""
        self.midway = False
        """A frame was arriving at the last tick."""
        self.pings = Pings(policy)
        self.waits_since = 0
        """When the wait for the peer's close frame began; 0 before."""
        self.waiters: list[Any] | None = None

    # -- the driver's side -------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Bytes of the client, from behind the request on."""
        self.heard = True
        socket = self.socket
        if socket.state is State.CONNECTING:
            if not self.over:
                self.early += data
                if len(self.early) > WAITING_SIZE:
                    self._pause()
            return
        socket.congested = self.wire.full
        self._take(socket.receive(data))
        if socket.pending:
            self._take_more()

    def feed_eof(self) -> None:
        """The client sends no more: without a close frame that is the end."""
        self.gone = True
        if self.socket.state is State.CONNECTING:
            self.disconnected(LOST, "")
            self.end()
        elif not self.socket.pending:
            self._take(self.socket.receive_eof())

    def lost(self) -> None:
        """The TCP connection is gone. What came before is still given to the application."""
        self.over = True
        self.stage = Stage.CLOSED
        self.feed_eof()
        self.wake()

    def leave(self, code: int) -> None:
        """The server leaves: begins the closing handshake and tells the application."""
        if self.stage is Stage.OPEN:
            self.close(code, "")
        elif self.stage is Stage.CONNECTING:
            self.leaving = code

    def tick(self, now_ns: int) -> int:
        """Does what is due at `now_ns` (monotonic); returns when to ask again, at the latest."""
        socket = self.socket
        if self.over:
            return NEVER
        if socket.state is State.CONNECTING:
            return now_ns + LOOK_NS
        socket.congested = self.wire.full
        if socket.speaks:
            self.say(socket.outgoing())
        if socket.state is State.CLOSING:
            self.waits_since = self.waits_since or now_ns
            until = self.waits_since + CLOSING_NS
            if now_ns >= until:
                self.abandon("closing handshake timeout")
                return NEVER
            return min(until, now_ns + LOOK_NS)
        # A pong cannot be read while the application makes the client wait, nor come within another frame.
        excused = self.paused or (self.heard and (self.midway or socket.partial))
        self.heard = False
        self.midway = socket.partial
        pings = self.pings
        payload = pings.due(now_ns, excused)
        if payload:
            self.say(socket.ping(payload))
        elif pings.missed:
            self.say(socket.close(INTERNAL_ERROR, "keepalive ping timeout"))
            self.abandon("keepalive ping timeout")
            return NEVER
        return min(pings.next(), now_ns + LOOK_NS)

    # -- the application's side --------------------------------------------------------------------------

    def accept(self, subprotocol: str | None, headers: Pairs) -> None:
        """Completes the handshake. Raises ResponseError for what may not be chosen, and nothing was said then."""
        status, fields = self.socket.accept(subprotocol, headers)
        out = self.machine.respond(self.request.stream, status, fields, b"", False)
        self.status, self.fields = status, fields
        self.head_sent = True
        self.stage = Stage.OPEN
        self.wire.send(out)
        early, self.early = self.machine.take_rest() + self.early, b""
        # Paused here, or by the driver that kept what came first.
        self.paused = False
        self.wire.resume_reading()
        if early:
            self.feed(early)
        if self.leaving:
            self.leave(self.leaving)

    def answer(self, status: str, body: bytes) -> None:
        """Answers the handshake by something else than 101, and ends the connection."""
        self.start(status, (_PLAIN_TEXT,))
        self.answer_more(body, last=True)

    def answer_more(self, data: bytes, *, last: bool) -> None:
        """A denial, as `start` was told, or more of its body; with `last` the end of the connection."""
        if self.head_sent:
            out = self.machine.send_data(self.request.stream, data, last)
        else:
            self.machine.keep_alive = False
            out = self.machine.respond(self.request.stream, self.status, self.fields, data, last)
            self.head_sent = True
        self.sent += len(data)
        if out:
            self.wire.send(out)
        if last:
            self.disconnected(LOST, "")
            self.end()

    def close(self, code: int, reason: str) -> None:
        """Our close frame: from now on nothing that the peer sends is of interest but its own. Raises ResponseError."""
        out = self.socket.close(code, reason)
        self.disconnected(code, reason)
        self.say(out)
        self._go_on()

    def say(self, out: bytes) -> None:
        """Sends frames."""
        if out:
            self.sent += len(out)
            self.wire.send(out)

    def next(self) -> str | bytes:
        """The message that waits longest; there must be one in `inbox`."""
        inbox = self.inbox
        data = inbox.popleft()
        self.held -= len(data)
        if self.paused and len(inbox) <= WAITING_COUNT // 2 and self.held <= WAITING_SIZE // 2:
            self._go_on()
        return data

    # -- ends --------------------------------------------------------------------------------------------

    def disconnected(self, code: int, reason: str) -> None:
        """The connection carries no more messages; the first who says so says why."""
        if self.ended is None:
            self.ended = Closed(code, reason)
        self.stage = Stage.CLOSED
        self.wake()

    def abandon(self, reason: str) -> None:
        """Cuts the connection: the peer does not keep its side, or cannot be told any more."""
        self.disconnected(LOST, reason)
        self.over = True
        self.wire.abort()
        self.wake()

    def end(self) -> None:
        """Everything is said."""
        if not self.over:
            self.over = True
            self.wire.end()
        self.wake()

    # -- what arrives ------------------------------------------------------------------------------------

    def _take(self, events: Sequence[Event]) -> None:
        """Puts messages where the application finds them, and says what the protocol wants said."""
        inbox = self.inbox
        for event in events:
            if isinstance(event, (str, bytes)):
                inbox.append(event)
                self.held += len(event)
                self.messages_in += 1
            elif isinstance(event, Pong):
                self.pings.answered(event.payload)
            else:
                self.disconnected(event.code, event.reason)
        socket = self.socket
        if socket.speaks:
            self.say(socket.outgoing())
        if socket.must_end:
            self.end()
        if self.waiters is not None and inbox:
            self.wake()
        elif (self.held > WAITING_SIZE or len(inbox) > WAITING_COUNT) and socket.state is State.OPEN:
            self._pause()

    def _take_more(self) -> None:
        """What the machine held back, as far as there is room for it."""
        socket = self.socket
        while socket.pending and not self.paused:
            self._take(socket.receive(b""))
        if self.gone and not socket.pending:
            self._take(socket.receive_eof())

    def _go_on(self) -> None:
        """There is room again."""
        if self.paused:
            self.paused = False
            self._take_more()
            if not self.paused:
                self.wire.resume_reading()

    def _pause(self) -> None:
        if not self.paused:
            self.paused = True
            self.wire.pause_reading()

    # -- waiting -----------------------------------------------------------------------------------------

    def waiter(self) -> Any:
        """A future for whoever waits; one for each: a task that is cancelled must not take another's with it."""
        waiter = self.wire.future()
        if self.waiters is None:
            self.waiters = [waiter]
        else:
            self.waiters.append(waiter)
        return waiter

    def wake(self) -> None:
        """Something changed: whoever waits looks again."""
        waiters = self.waiters
        if waiters is not None:
            self.waiters = None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
