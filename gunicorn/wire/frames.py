"""Frames: a header of 16 bytes and a payload, found in a stream however its bytes arrive, and written.

    magic "GD" · version 1 · type (1 byte) · length of the payload (4) · request id (8)      big endian

Knows no values and no messages: a payload is bytes, and is passed on as it came. No socket, no clock.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Collection, Sequence
from typing import NamedTuple

from gunicorn.wire.errors import FrameError
from gunicorn.wire.limits import MAX_PAYLOAD
from gunicorn.wire.values import LARGE, Buffer

MAGIC = b"GD"
VERSION = 1
HEADER_SIZE = 16

_HEADER = struct.Struct(">2sBBIQ")
_header_at = _HEADER.unpack_from

FIRST_ROOM, GROWTH = 256 * 1024, 64
"""Bytes set aside for a payload on the word of its header; and so many times as much once those have arrived.

In few steps: memory that is new to the process costs more than all copying.
"""

_SCRATCH = 64 * 1024


class Kind(enum.IntEnum):
    """Types of frames."""

    REQUEST = 0x01
    RESPONSE = 0x02
    ERROR = 0x03
    CHUNK = 0x04
    END = 0x05
    STASH = 0x10
    STATUS = 0x11
    MANAGE = 0x12
    CANCEL = 0x13
    """Ours: nobody waits for this request any more."""
    CREDIT = 0x14
    """Ours: the reader of a stream has room for more chunks."""


ASKING = frozenset({Kind.REQUEST, Kind.STASH, Kind.STATUS, Kind.MANAGE, Kind.CANCEL, Kind.CREDIT})
"""What a client may send."""

ANSWERING = frozenset({Kind.RESPONSE, Kind.ERROR, Kind.CHUNK, Kind.END})
"""What a client may be sent."""


class Frame(NamedTuple):
    """One frame as it was read. Nobody else holds its payload."""

    kind: Kind
    request_id: int
    """0 to 2**64 - 1, chosen by who asks; the answers bear the same."""
    payload: bytes | bytearray


class FrameReader:
    """The frames of one stream, in order.

    Bytes are given to `receive`, or read from a socket straight into `buffer()` and told by `received`: then a long
    payload is never copied. What is wrong is never raised but left in `error`, so that the frames before it count;
    after it nothing is read any more.
    """

    __slots__ = ("_filled", "_frame", "_kinds", "_length", "_limit", "_payload", "_rest", "_scratch", "error")

    def __init__(self, kinds: Collection[Kind] = frozenset(Kind), limit: int = MAX_PAYLOAD) -> None:
        self._kinds = {int(kind): kind for kind in kinds}
        self._limit = limit
        self._rest = b""
        """Bytes of a header that is not complete."""
        self._frame: tuple[Kind, int] | None = None
        """Kind and request id of the frame whose payload is arriving."""
        self._payload = bytearray()
        self._filled = 0
        self._length = 0
        self._scratch: memoryview | None = None
        self.error: FrameError | None = None

    @property
    def partial(self) -> bool:
        """A frame has begun and is not complete."""
        return self._frame is not None or bool(self._rest)

    @property
    def held(self) -> int:
        """Bytes of memory that wait for the rest of a frame."""
        return len(self._rest) + len(self._payload)

    def receive(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. Look at `error` afterwards."""
        frames: list[Frame] = []
        position = 0
        if self._frame is not None:
            position = self._fill(data)
            self._complete(frames)
        elif self._rest:
            data = self._rest + data
        size = len(data)
        while self.error is None and self._frame is None and size - position >= HEADER_SIZE:
            magic, version, number, length, request_id = _header_at(data, position)
            kind = self._kinds.get(number)
            if kind is None or magic != MAGIC or version != VERSION or length > self._limit:
                self.error = self._fault(magic, version, number, length, request_id)
                break
            position += HEADER_SIZE
            if length <= size - position:
                frames.append(Frame(kind, request_id, data[position : position + length]))
                position += length
            else:
                self._begin(kind, request_id, length)
                position += self._fill(data[position:])
        self._rest = data[position:] if self.error is None else b""
        return frames

    def receive_eof(self) -> None:
        """The stream has ended: an error, if that was within a frame."""
        if self.error is None and self.partial:
            if self._frame is None:
                text, request_id = f"{len(self._rest)} of the {HEADER_SIZE} bytes of a header", None
            else:
                text, request_id = f"{self._filled} of the {self._length} bytes of a payload", self._frame[1]
            self._drop()
            self.error = FrameError("cut-short", f"the stream ends after {text}", request_id)

    def buffer(self) -> memoryview:
        """Where the next bytes may be written; for one `received`, and no longer."""
        if self._frame is None:
            if self._scratch is None:
                self._scratch = memoryview(bytearray(_SCRATCH))
            return self._scratch
        if self._filled == len(self._payload):
            self._grow(self._filled + 1)
        return memoryview(self._payload)[self._filled :]

    def received(self, count: int) -> list[Frame]:
        """`count` bytes were written at the start of the last `buffer()`. As `receive`."""
        if self._frame is None:
            assert self._scratch is not None
            return self.receive(bytes(self._scratch[:count]))
        frames: list[Frame] = []
        self._filled += count
        self._complete(frames)
        return frames

    def _begin(self, kind: Kind, request_id: int, length: int) -> None:
        self._frame = (kind, request_id)
        self._length = length
        self._filled = 0
        self._payload = bytearray(min(length, FIRST_ROOM))

    def _fill(self, data: bytes) -> int:
        """Takes the bytes that belong to the payload that is arriving; how many those are."""
        taken = min(len(data), self._length - self._filled)
        end = self._filled + taken
        if end > len(self._payload):
            self._grow(end)
        self._payload[self._filled : end] = data if taken == len(data) else memoryview(data)[:taken]
        self._filled = end
        return taken

    def _grow(self, needed: int) -> None:
        # A new one: a bytearray cannot grow while somebody has a view of it, and growing would cost ten times as much.
        wider = bytearray(min(self._length, max(needed, GROWTH * len(self._payload))))
        wider[: self._filled] = memoryview(self._payload)[: self._filled]
        self._payload = wider

    def _complete(self, frames: list[Frame]) -> None:
        """The frame in hand, if its last byte has come."""
        if self._frame is not None and self._filled == self._length:
            frames.append(Frame(*self._frame, self._payload))
            self._drop()

    def _drop(self) -> None:
        self._frame = None
        self._payload = bytearray()
        self._rest = b""

    def _fault(self, magic: bytes, version: int, number: int, length: int, request_id: int) -> FrameError:
        """What is wrong with a header, by its fields in the order in which they stand."""
        if magic != MAGIC:
            return FrameError("magic", f"a frame begins with {magic!a}, not with {MAGIC!a}")
        if version != VERSION:
            return FrameError("version", f"version {version} of the protocol; only {VERSION} is spoken", request_id)
        if number not in self._kinds:
            return FrameError("type", f"a frame of type 0x{number:02x} is not expected", request_id)
        return FrameError("payload-size", f"a payload of {length} bytes, more than {self._limit}", request_id)


def encode_frame(kind: int, request_id: int, payload: Sequence[Buffer] = ()) -> list[Buffer]:
    """The bytes of a frame, in order; a long payload is not copied. It is at most MAX_PAYLOAD bytes."""
    if len(payload) == 1 and len(payload[0]) < LARGE:
        return [_HEADER.pack(MAGIC, VERSION, kind, len(payload[0]), request_id) + payload[0]]
    header = _HEADER.pack(MAGIC, VERSION, kind, sum(map(len, payload)), request_id)
    if payload and len(payload[0]) < LARGE:
        return [header + payload[0], *payload[1:]]
    return [header, *payload]
