"""One WebSocket connection after the upgrade (RFC 6455 5-7): bytes in, whole messages out, and the other way round.

Over the library's sans-IO `Protocol`, which reads and writes frames and keeps the closing handshake. Here is what a
server needs around it: bounds that hold before a payload is stored, text checked as it arrives, messages joined from
fragments, and a short way for the plain frame that nearly every message is. Knows no socket, no clock and no
application; who decides what is told in this folder's README.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from websockets.exceptions import ProtocolError as CodingError
from websockets.frames import Frame
from websockets.protocol import OPEN, SEND_EOF, Protocol, Side

from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.limits import UNLIMITED, WebSocketPolicy
from gunicorn.protocol.websocket.assembly import Assembly
from gunicorn.protocol.websocket.deflate import Inflation, negotiate
from gunicorn.protocol.websocket.events import LOST, Closed, Event, Pong, State, check_close
from gunicorn.protocol.websocket.frames import (
    CONTINUATION,
    CONTROL,
    LONGEST,
    OPCODE,
    PING,
    PONG,
    RSV1,
    TEXT,
    WHOLE_BINARY,
    WHOLE_TEXT,
    FrameHead,
    binary_frame,
    fault,
    plain_message,
    read_head,
    text_frame,
    unmask,
    whole_frame,
)
from gunicorn.protocol.websocket.handshake import SWITCHING, Fields, Offer, accept_fields

BATCH_COUNT = 16
BATCH_SIZE = 64 * 1024
"""Events, and characters or bytes of messages, after which `receive` pauses: a few bytes may inflate to a lot."""

_PROTOCOL_ERROR, _INVALID_DATA, _TOO_BIG = 1002, 1007, 1009

_NOT_TEXT = "text is not UTF-8"

_WHOLE = (WHOLE_TEXT, WHOLE_BINARY)

_OPEN, _CLOSING, _CLOSED = State.OPEN, State.CLOSING, State.CLOSED


class WebSocket:
    """The machine; made once for each upgrade. Good for `receive` and all the others after `accept`."""

    __slots__ = (
        "_assembly",
        "_coding",
        "_given",
        "_head",
        "_left",
        "_limit",
        "_out",
        "_plain",
        "_policy",
        "_pong",
        "_position",
        "_protocol",
        "_rest",
        "close_code",
        "close_reason",
        "congested",
        "must_end",
        "offer",
        "pending",
        "speaks",
        "state",
    )

    _head: FrameHead

    def __init__(self, policy: WebSocketPolicy, offer: Offer) -> None:
        self._policy = policy
        self.offer = offer
        self._limit = policy.max_message_size or UNLIMITED
        # Bounds are ours: the library would hold them against control frames too.
        self._protocol = Protocol(Side.SERVER, state=OPEN, max_size=None, logger=_QUIET)
        self._coding: Inflation | None = None
        self._assembly = Assembly()
        self._plain = False
        """Between two messages, with nothing held back: the next byte begins one."""
        self._left = 0
        """Payload bytes to come of the frame that the library is reading."""
        self._rest = b""
        self._position = 0
        """Where in `_rest` the bytes begin that were not looked at."""
        self._given = 0
        self._out: list[bytes] = []
        self._pong = b""
        self.state = State.CONNECTING
        self.close_code = 0
        """Of the `Closed` event; 0 before."""
        self.close_reason = ""
        self.congested = False
        """Set by the driver while the peer does not read: of the pongs owed only the last is kept (RFC 6455 5.5.3)."""
        self.pending = False
        """`receive` paused: `receive(b"")` goes on with what it holds."""
        self.speaks = False
        """There is something in `outgoing()`."""
        self.must_end = False
        """All is said: the server closes the TCP connection when `outgoing()` has been sent."""

    def accept(self, subprotocol: str | None, fields: Fields) -> tuple[str, Fields]:
        """(status, fields) of the 101. Raises ResponseError for what the application may not choose."""
        agreement = negotiate(self.offer.extensions) if self._policy.deflate else None
        answer = accept_fields(self.offer, subprotocol, agreement.field if agreement else "", fields)
        if agreement:
            self._coding = agreement.coding
            self._protocol.extensions = [agreement.coding]
        self.state = _OPEN
        self._plain = True
        return SWITCHING, answer

    # -- from the peer -----------------------------------------------------------------------------------

    @property
    def partial(self) -> bool:
        """A frame is arriving: what the peer sends next cannot be an answer before it is complete."""
        return bool(self._left or self._rest)

    def receive(self, data: bytes) -> Sequence[Event]:
        """The messages that `data` completes; `outgoing()` is to be sent afterwards.

        Pauses after BATCH_COUNT events or BATCH_SIZE bytes of messages, see `pending`. Never raises: what the peer
        does wrong is answered by a close frame and told as `Closed`.
        """
        if self._plain:
            message = plain_message(data, self._limit)
            if message is not None:
                return (message,)
        return self._receive(data)

    def _receive(self, data: bytes) -> list[Event]:
        """Frame by frame; every frame but the plain ones goes through the library."""
        events: list[Event] = []
        position = 0
        if self._rest:
            if data:
                data = self._rest[self._position :] + data
            else:
                data, position = self._rest, self._position
        size = len(data)
        self._given = 0
        self.pending = False
        while position < size and self.state is not _CLOSED:
            if self._left:
                end = min(size, position + self._left)
                self._carry_on(data[position:end], events)
                position = end
                continue
            if len(events) >= BATCH_COUNT or self._given >= BATCH_SIZE:
                self.pending = True
                break
            if size - position < 2:
                break
            wrong = fault(data[position], data[position + 1], self._assembly.open, self._coding is not None)
            if wrong:
                self._fail(_PROTOCOL_ERROR, wrong, events)
                break
            head = read_head(data, position)
            if head is None:
                break
            position = self._begin(head, data, position, events)
        if self.pending:
            self._rest, self._position = data, position
        else:
            self._rest, self._position = (b"" if self.state is _CLOSED else data[position:]), 0
        self._plain = not self._rest and not self._left and self.state is _OPEN and not self._assembly.open
        return events

    def _begin(self, head: FrameHead, data: bytes, position: int, events: list[Event]) -> int:
        """Takes up a frame and as much of its payload as is there; the place behind that."""
        assembly = self._assembly
        start = position + head.size
        end = start + head.length
        first = head.first
        if not first & CONTROL:
            if head.length > LONGEST:
                self._fail(_PROTOCOL_ERROR, "length of more than 63 bits", events)
                return len(data)
            if head.length > self._limit - assembly.size:
                self._fail(_TOO_BIG, self._too_big(), events)
                return len(data)
            if self._coding is not None:
                self._coding.room = self._limit - assembly.size if self._policy.max_message_size else None
            if first & ~RSV1 in _WHOLE and end <= len(data):
                self._take_whole(first, unmask(data[start:end], head.mask), events)
                return end
            if first & OPCODE != CONTINUATION:
                assembly.begin(first & OPCODE, compressed=bool(first & RSV1))
        self._head = head
        self._left = head.length
        end = min(end, len(data))
        self._protocol.receive_data(data[position:start])
        self._carry_on(data[start:end], events)
        return end

    def _take_whole(self, first: int, payload: bytes | bytearray | memoryview, events: list[Event]) -> None:
        """A message in one frame."""
        text = first & OPCODE == TEXT
        coding = self._coding
        try:
            if coding is not None and first & RSV1:
                payload = coding.inflate(bytes(payload), text)
                if coding.exceeded:
                    self._fail(_TOO_BIG, self._too_big(), events)
                    return
            message = str(payload, "utf-8") if text else bytes(payload)
        except UnicodeDecodeError:
            self._fail(_INVALID_DATA, _NOT_TEXT, events)
        except CodingError:
            self._fail(_PROTOCOL_ERROR, "decompression failed", events)
        else:
            if self.state is _OPEN:
                self._give(message, events)

    def _give(self, message: str | bytes, events: list[Event]) -> None:
        events.append(message)
        self._given += len(message)

    def _carry_on(self, piece: bytes, events: list[Event]) -> None:
        """More of the payload of the frame in the library; the frame itself, when that was the rest of it."""
        protocol = self._protocol
        first = self._head.first
        offset = self._head.length - self._left
        self._left -= len(piece)
        if piece:
            protocol.receive_data(piece)
        if self._left and not first & CONTROL and self._assembly.text:
            try:
                self._assembly.look(unmask(piece, self._head.mask, offset))
            except UnicodeDecodeError:
                self._fail(_INVALID_DATA, _NOT_TEXT, events)
                return
        for event in protocol.events_received():
            self._take(event, events)
        self._collect(events, first & OPCODE == PING)

    def _take(self, frame: Any, events: list[Event]) -> None:
        """A whole frame came out of the library."""
        assert type(frame) is Frame
        opcode = int(frame.opcode)
        if opcode == PONG:
            events.append(Pong(bytes(frame.data)))
        if opcode & CONTROL or self.state is _CLOSED:
            return
        assembly = self._assembly
        if self._coding is not None and self._coding.exceeded:
            self._fail(_TOO_BIG, self._too_big(), events)
            return
        try:
            message = assembly.add(frame.data, frame.fin)
        except UnicodeDecodeError:
            self._fail(_INVALID_DATA, _NOT_TEXT, events)
            return
        if message is not None and self.state is _OPEN:
            self._give(message, events)

    def receive_eof(self) -> Sequence[Event]:
        """The peer will send no more, in order or not; what `pending` holds is lost."""
        events: list[Event] = []
        self._rest = b""
        self.pending = self._plain = False
        if self.state is not _CLOSED:
            self._protocol.receive_eof()
            self._collect(events, False)
        return events

    # -- what the protocol says by itself ------------------------------------------------------------------

    def outgoing(self) -> bytes:
        """Pongs, the answer to a close frame, the close frame that tells of an error."""
        out = self._out
        if self._pong and not self.congested:
            out.append(self._pong)
            self._pong = b""
        self._out = []
        self.speaks = bool(self._pong)
        return b"".join(out)

    def _collect(self, events: list[Event], pong: bool) -> None:
        """Fetches what the library wants said, and whether that is the end."""
        writes = self._protocol.data_to_send()
        if not writes:
            return
        self.speaks = True
        if pong and self.congested and SEND_EOF not in writes:
            self._pong = b"".join(writes)
            return
        self._out += writes
        if SEND_EOF in writes and self.state is not _CLOSED:
            said, done = self._protocol.close_rcvd, self._protocol.close_sent
            if said is not None:
                self._finish(int(said.code), said.reason, events)
            elif done is not None and self.state is _OPEN:
                self._finish(int(done.code), done.reason, events)
            else:
                self._finish(LOST, "", events)

    def _fail(self, code: int, reason: str, events: list[Event]) -> None:
        """Fails the connection (RFC 6455 7.1.7): a close frame if none is out, then the end."""
        self._protocol.fail(code, reason)
        self._collect(events, False)

    def _finish(self, code: int, reason: str, events: list[Event]) -> None:
        self.state = _CLOSED
        self.must_end = True
        self.close_code = code
        self.close_reason = reason
        self._plain = False
        self._left = 0
        self._pong = b""
        self._assembly.drop()
        events.append(Closed(code, reason))
        # The library's generator and its exception lead back to it: without them it is freed by counting, and
        # what the coding holds with it.
        self._protocol.parser.close()
        self._protocol.parser_exc = None

    def _too_big(self) -> str:
        return f"message of more than {self._limit} bytes"

    # -- from the application ------------------------------------------------------------------------------

    def send_text(self, text: str) -> bytes:
        """The frame of a text message. Raises ResponseError where the state or the text allows none."""
        try:
            payload = text.encode()
        except UnicodeEncodeError:
            raise ResponseError("a text message holds a lone surrogate, which UTF-8 cannot spell") from None
        if self.state is not _OPEN:
            raise self._not_open()
        if self._coding is None:
            return text_frame(payload)
        return whole_frame(WHOLE_TEXT | RSV1, self._coding.deflate(payload, True))

    def send_bytes(self, data: bytes) -> bytes:
        """The frame of a binary message. Raises ResponseError where the state allows none."""
        if self.state is not _OPEN:
            raise self._not_open()
        if self._coding is None:
            return binary_frame(data)
        return whole_frame(WHOLE_BINARY | RSV1, self._coding.deflate(data, False))

    def ping(self, payload: bytes) -> bytes:
        """A ping frame with at most 125 bytes, or b"" where nobody would answer it any more."""
        if self.state is not _OPEN:
            return b""
        self._protocol.send_ping(payload)
        return b"".join(self._protocol.data_to_send())

    def close(self, code: int, reason: str = "") -> bytes:
        """The close frame that begins the closing handshake; b"" where it has begun already.

        Raises ResponseError for a code that may not be sent (RFC 6455 7.4) or a reason that is too long.
        """
        check_close(code, reason)
        if self.state is not _OPEN:
            return b""
        self._protocol.send_close(code, reason)
        self.state = _CLOSING
        self._plain = False
        return b"".join(self._protocol.data_to_send())

    def _not_open(self) -> ResponseError:
        return ResponseError(f"no message can be sent while the connection is {self.state.name.lower()}")


class _Quiet:
    """The library's logger: what it tells is told by events, and its own failures are raised."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: ARG002, N802
        return False

    def info(self, *_: object, **__: object) -> None:
        """Nobody listens."""

    debug = warning = info

    def error(self, *_: object, **__: object) -> None:
        """Called while the library handles an error of its own: that is no affair of the peer's."""
        raise


_QUIET: Any = _Quiet()
