"""The other end of a connection, spelled byte by byte: what a client may send, rightly or wrongly."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from gunicorn.protocol.limits import WebSocketPolicy
from gunicorn.protocol.websocket.connection import WebSocket
from gunicorn.protocol.websocket.events import Event, State
from gunicorn.protocol.websocket.handshake import Offer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x12\x34\x56\x78"

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10

DEFLATE = [("permessage-deflate", [("client_max_window_bits", None)])]


def machine(*, limit: int = 0, extensions=(), subprotocols=()) -> WebSocket:
    """An accepted connection."""
    policy = WebSocketPolicy(max_message_size=limit)
    websocket = WebSocket(policy, Offer(KEY, list(subprotocols), list(extensions)))
    websocket.accept(None, [])
    return websocket


def frame(first: int, payload: bytes = b"", mask: bytes | None = MASK, length: int | None = None) -> bytes:
    """A frame as a client sends it; `length` lies about the payload."""
    size = len(payload) if length is None else length
    bit = 0x80 if mask is not None else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = bytes((first, bit | 126)) + size.to_bytes(2)
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[place & 3] for place, byte in enumerate(payload))


def text(message: str) -> bytes:
    return frame(FIN | TEXT, message.encode())


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    return frame(FIN | CLOSE, b"" if code is None else code.to_bytes(2) + reason)


def server_frame(first: int, payload: bytes = b"") -> bytes:
    """A frame as a server sends it."""
    return frame(first, payload, mask=None)


def server_close(code: int | None = None, reason: str = "") -> bytes:
    return server_frame(FIN | CLOSE, b"" if code is None else code.to_bytes(2) + reason.encode())


def everything(websocket: WebSocket, pieces: Iterable[bytes]) -> tuple[list[Event], bytes]:
    """All events of `pieces`, pauses gone through, and all that the machine says by itself."""
    events: list[Event] = []
    said = b""
    for piece in pieces:
        events += websocket.receive(piece)
        said += websocket.outgoing()
        while websocket.pending:
            events += websocket.receive(b"")
            said += websocket.outgoing()
    return events, said


def outcome(data: bytes, *, limit: int = 0, split: int | None = None, extensions=()) -> tuple[list[Event], bytes]:
    """What `everything` says of a new connection that gets `data`, whole or in pieces of `split` bytes."""
    pieces = [data] if split is None else [data[at : at + split] for at in range(0, len(data), split)]
    return everything(machine(limit=limit, extensions=extensions), pieces)


class Verdict(NamedTuple):
    """What came of a whole stream and its end."""

    events: list[Event]
    said: bytes
    before_eof: State
    state: State


def ending(websocket: WebSocket, pieces: Iterable[bytes]) -> Verdict:
    """Feeds `pieces` and then the end of the stream."""
    events, said = everything(websocket, pieces)
    before = websocket.state
    events += websocket.receive_eof()
    return Verdict(events, said + websocket.outgoing(), before, websocket.state)


def alone(data: bytes) -> tuple[list[str | bytes], int, bytes]:
    """What the library makes of a stream by itself: messages, the close code it settles on or 0, what it sends.

    It sees what is wrong later than the machine, or in a message it never completes not at all.
    """
    protocol = Protocol(Side.SERVER, state=OPEN, max_size=None)
    protocol.receive_data(data)
    messages: list[str | bytes] = []
    parts: list[bytes] = []
    text = False
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            text = event.opcode is Opcode.TEXT if event.opcode is not Opcode.CONT else text
            parts.append(bytes(event.data))
            if event.fin:
                whole = b"".join(parts)
                parts = []
                try:
                    messages.append(whole.decode() if text else whole)
                except UnicodeDecodeError:
                    return messages, 1007, b""
    writes = protocol.data_to_send()
    ended = b"" in writes
    code = protocol.close_rcvd.code if protocol.close_rcvd else protocol.close_sent.code if protocol.close_sent else 0
    return messages, int(code) if ended else 0, b"".join(writes)


class Deflater:
    """permessage-deflate of a client, with or without context takeover."""

    def __init__(self, bits: int = 12, *, takeover: bool = True) -> None:
        self.bits = bits
        self.takeover = takeover
        self.context = zlib.compressobj(wbits=-bits)

    def __call__(self, payload: bytes, *, fragment: bool = False) -> bytes:
        """The payload of a frame; the last of a message unless it is a `fragment`."""
        data = self.context.compress(payload) + self.context.flush(zlib.Z_SYNC_FLUSH)
        if fragment:
            return data
        if not self.takeover:
            self.context = zlib.compressobj(wbits=-self.bits)
        return data.removesuffix(b"\x00\x00\xff\xff")


class Inflater:
    """The other direction."""

    def __init__(self, bits: int = 12) -> None:
        self.context = zlib.decompressobj(wbits=-bits)

    def __call__(self, payload: bytes) -> bytes:
        return self.context.decompress(payload + b"\x00\x00\xff\xff")
