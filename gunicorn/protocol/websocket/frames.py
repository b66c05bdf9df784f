"""Frames as they stand on the wire (RFC 6455 5.2): the head of one, the mask, and the plain frame written in one go.

A seam for native code. Whole and unusual frames are the library's; nothing here knows a message or a connection.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

FIN, RSV1, RSV = 0x80, 0x40, 0x70
"""Bits of a frame's first byte; RSV is all three that are reserved."""

OPCODE, CONTROL, KIND = 0x0F, 0x08, 0x07
"""The opcode's bits, the one of them that control frames have, and the others; of those, more than 2 is reserved."""

MASKED = 0x80
"""The bit of a frame's second byte that a client must set."""

CONTINUATION, TEXT, BINARY, PING, PONG = 0x0, 0x1, 0x2, 0x9, 0xA
"""Opcodes (RFC 6455 11.8) that are looked at here; the library knows the rest."""

LONGEST = (1 << 63) - 1
CONTROL_SIZE = 125
"""Longest payload of any frame (RFC 6455 5.2), and of a control frame (5.5)."""

WHOLE_TEXT, WHOLE_BINARY = FIN | TEXT, FIN | BINARY
"""First byte of a message that is one plain frame."""

_SMALL_TEXT = tuple(bytes((WHOLE_TEXT, size)) for size in range(126))
_SMALL_BINARY = tuple(bytes((WHOLE_BINARY, size)) for size in range(126))
_HALF, _FULL = struct.Struct("!BBH").pack, struct.Struct("!BBQ").pack
"""Heads by the length they can say: 7 bits, 16 bits, 63 bits."""


class FrameHead(NamedTuple):
    """A frame's head: everything before the payload."""

    first: int
    """The first byte: FIN, reserved bits and opcode."""
    size: int
    """Bytes of the head itself."""
    length: int
    """Bytes of the payload."""
    mask: bytes


def read_head(data: bytes, start: int) -> FrameHead | None:
    """The head of a masked frame that begins at `start`; None while it is incomplete."""
    end = start + 2
    if len(data) < end:
        return None
    length = data[start + 1] & 0x7F
    if length >= 126:
        wide = 2 if length == 126 else 8
        length = int.from_bytes(data[end : end + wide])
        end += wide
    end += 4
    if len(data) < end:
        return None
    return FrameHead(data[start], end - start, length, data[end - 4 : end])


def fault(first: int, second: int, within: bool, compressible: bool) -> str:
    """What is wrong with a frame, by its first two bytes alone; "" for nothing.

    `within` says that a message has begun and not ended, `compressible` that RSV1 means a compressed message.
    """
    if not second & MASKED:
        return "not masked"
    if first & RSV and (first & RSV != RSV1 or not compressible or first & CONTROL or not first & OPCODE):
        return "reserved bits must be 0"
    if first & KIND > BINARY:
        return "reserved opcode"
    if first & CONTROL:
        return "control frame too long or in fragments" if second & 0x7F > CONTROL_SIZE or not first & FIN else ""
    if (first & OPCODE == CONTINUATION) is not within:
        return "message within a message" if within else "no message to continue"
    return ""


def plain_message(data: bytes, limit: int) -> str | bytes | None:
    """The message that `data` is, if it is one masked frame of at most 64 KiB and `limit`; None for anything else.

    What is wrong is None too: whoever reads frame by frame finds it again and says so.
    """
    size = len(data)
    if size < 6:
        return None
    start = 6
    length = data[1] - 128
    if length > 125:
        if length != 126 or size < 8:
            return None
        start = 8
        length = data[2] << 8 | data[3]
    # Without a mask the length is below zero, and that size was sent away above.
    if length + start != size or length > limit:
        return None
    first = data[0]
    if first == WHOLE_TEXT:
        try:
            return str(apply_mask(data[start:], data[start - 4 : start]), "utf-8")
        except UnicodeDecodeError:
            return None
    if first == WHOLE_BINARY:
        return apply_mask(data[start:], data[start - 4 : start])
    return None


def unmask(payload: bytes, mask: bytes, offset: int = 0) -> bytes:
    """`payload` without its mask (RFC 6455 5.3); `offset` is the place of its first byte in the frame's payload."""
    turn = offset & 3
    return apply_mask(payload, mask[turn:] + mask[:turn] if turn else mask)


def text_frame(payload: bytes) -> bytes:
    """A text message in one frame, as a server sends it."""
    size = len(payload)
    if size < 126:
        return _SMALL_TEXT[size] + payload
    return (_HALF(WHOLE_TEXT, 126, size) if size < 0x10000 else _FULL(WHOLE_TEXT, 127, size)) + payload


def binary_frame(payload: bytes) -> bytes:
    """A binary message in one frame, as a server sends it."""
    size = len(payload)
    if size < 126:
        return _SMALL_BINARY[size] + payload
    return (_HALF(WHOLE_BINARY, 126, size) if size < 0x10000 else _FULL(WHOLE_BINARY, 127, size)) + payload


def whole_frame(first: int, payload: bytes | bytearray | memoryview) -> bytes:
    """A message in one frame whose first byte is `first`."""
    size = len(payload)
    if size < 126:
        head = bytes((first, size))
    else:
        head = _HALF(first, 126, size) if size < 0x10000 else _FULL(first, 127, size)
    return b"".join((head, payload))
