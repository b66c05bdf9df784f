"""A message on its way in: the fragments it is made of, and whether they are text (RFC 6455 5.4, 8.1).

Memory is that of the bytes, however many fragments bring them. Knows nothing of frames, masks or limits.
"""

from __future__ import annotations

import codecs

from gunicorn.protocol.websocket.frames import TEXT

_Utf8 = codecs.getincrementaldecoder("utf-8")

_SURROGATE_LEAD, _SURROGATE_TRAIL = b"\xed", b"\xa0"
"""ED A0..BF would be a surrogate, which UTF-8 has none of (RFC 3629 3). Python's decoder waits for the third byte."""


class Assembly:
    """The message in hand; one object a connection, used for one message after the other."""

    __slots__ = ("_checked", "_decoder", "_parts", "compressed", "open", "size", "text")

    def __init__(self) -> None:
        self.open = False
        """A message has begun and is not complete."""
        self.text = False
        self.compressed = False
        self.size = 0
        """Bytes of the message so far, decompressed, without the frame that is still arriving."""
        self._parts = bytearray()
        self._decoder = _Utf8()
        self._checked = 0

    def begin(self, opcode: int, *, compressed: bool) -> None:
        """The first frame of a message arrives."""
        self.open = True
        self.text = opcode == TEXT
        self.compressed = compressed
        self.size = 0
        self._checked = 0
        if self.text:
            self._decoder.reset()

    def look(self, piece: bytes) -> None:
        """Checks bytes of a frame that is still arriving. Raises UnicodeDecodeError at the first that is no text."""
        if self.text and not self.compressed:
            self._checked += len(piece)
            self._check(piece, False)

    def add(self, payload: bytes | bytearray | memoryview, last: bool) -> str | bytes | None:
        """A frame is complete: the message, if it is now. Raises UnicodeDecodeError."""
        whole = last and not self.size
        checked, self._checked = self._checked, 0
        self.size += len(payload)
        if not whole:
            self._parts += payload
            if self.text:
                self._check(payload[checked:], last)
            if not last:
                return None
            payload = self._parts
        message = str(payload, "utf-8") if self.text else bytes(payload)
        self.drop()
        return message

    def drop(self) -> None:
        """Nobody wants the rest of the message."""
        self.open = False
        self.size = 0
        self._parts = bytearray()

    def _check(self, piece: bytes | bytearray | memoryview, last: bool) -> None:
        decoder = self._decoder
        decoder.decode(piece, last)
        held = decoder.getstate()[0]
        if held[:1] == _SURROGATE_LEAD and held[1:2] >= _SURROGATE_TRAIL:
            raise UnicodeDecodeError("utf-8", held, 0, 2, "surrogates are not UTF-8")
