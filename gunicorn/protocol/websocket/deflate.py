"""permessage-deflate (RFC 7692): which of a client's offers is taken, and how much may come out of a frame.

The coding is the library's; this file bounds it. Knows nothing of messages or of the closing handshake.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from websockets.exceptions import NegotiationError, PayloadTooBig
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.headers import build_extension
from websockets.typing import ExtensionHeader

WINDOW_BITS = 12
MEMORY_LEVEL = 5
"""4 KiB windows and small tables: about 64 KiB a connection less than zlib's defaults, for messages a little longer."""

_CONTROL = 0x08


class Agreement(NamedTuple):
    """What was agreed to: the value of Sec-WebSocket-Extensions and the coding itself."""

    field: str
    coding: Inflation


class Inflation(Extension):
    """The library's coding with a bound on what it gives out for one frame."""

    name = PerMessageDeflate.name

    def __init__(self, coding: PerMessageDeflate) -> None:
        self._coding = coding
        self.room: int | None = None
        """Bytes that the message in hand may still grow by; None for any number. Set before each frame."""
        self.exceeded = False
        """The last frame held more than `room`; what came of it is cut."""

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:  # noqa: ARG002
        """The frame with its payload inflated, cut where `room` ends. Raises the library's ProtocolError for bad data.

        The library is given room for one byte more than allowed: only so is a message of exactly the limit told
        from one that goes on.
        """
        room = self.room
        if frame.opcode & _CONTROL or room is None:
            return self._coding.decode(frame)
        try:
            decoded = self._coding.decode(frame, max_size=room + 1)
        except PayloadTooBig:
            self.exceeded = True
            return Frame(frame.opcode, b"", frame.fin)
        self.exceeded = len(decoded.data) > room
        return decoded

    def encode(self, frame: Frame) -> Frame:
        return self._coding.encode(frame)

    def inflate(self, payload: bytes, text: bool) -> bytes | bytearray | memoryview:
        """What the payload of a message in one frame held. Raises as `decode`; `exceeded` says that it is cut."""
        return self.decode(Frame(Opcode.TEXT if text else Opcode.BINARY, payload, True, True)).data

    def deflate(self, payload: bytes, text: bool) -> bytes | bytearray | memoryview:
        """The payload of a message in one frame, which must say RSV1."""
        return self._coding.encode(Frame(Opcode.TEXT if text else Opcode.BINARY, payload)).data


def negotiate(offers: Sequence[ExtensionHeader]) -> Agreement | None:
    """The first offer of permessage-deflate that can be kept, or None (RFC 7692 5)."""
    factory = ServerPerMessageDeflateFactory(
        server_max_window_bits=WINDOW_BITS,
        client_max_window_bits=WINDOW_BITS,
        compress_settings={"memLevel": MEMORY_LEVEL},
    )
    for name, parameters in offers:
        # zlib cannot deflate with a window of 256 bytes.
        if name != factory.name or ("server_max_window_bits", "8") in parameters:
            continue
        try:
            answer, coding = factory.process_request_params(parameters, [])
        except NegotiationError:
            continue
        return Agreement(build_extension([(name, answer)]), Inflation(coding))
    return None
