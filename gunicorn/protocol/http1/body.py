"""Chunked request bodies on the wire (RFC 9112 7.1): bytes in, data and trailers out.

Knows nothing of heads, sockets or applications. A decoder is fed and answers; it never waits.
"""

from __future__ import annotations

import enum
import re

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.fields import NO_TRAILERS
from gunicorn.protocol.grammar import QUOTED_STRING, TOKEN_CHARS, quoted
from gunicorn.protocol.http1.examine import read_field_lines
from gunicorn.protocol.limits import HttpPolicy

MAX_SIZE_DIGITS = 16
"""Hex digits of a chunk size: 64 bits."""
MAX_EXTENSION = 256
"""Bytes of extensions in one size line; nobody has a use for them."""
MAX_EXTENSIONS = 16 * 1024
"""Bytes of extensions in one body: many small chunks must not carry more trash than data."""

_SIZE = re.compile(f"[0-9A-Fa-f]{{1,{MAX_SIZE_DIGITS}}}")
_EXTENSIONS = re.compile(
    rf"(?:[ \t]*+;[ \t]*+[{TOKEN_CHARS}]++(?:[ \t]*+=[ \t]*+(?:[{TOKEN_CHARS}]++|{QUOTED_STRING}))?+)*+"
)


class _Expect(enum.IntEnum):
    """What the next byte belongs to."""

    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILERS = 3
    DONE = 4


class ChunkedDecoder:
    """Decodes one chunked body. `done` with the last byte of its trailer section."""

    __slots__ = ("_expect", "_extensions", "_left", "_line", "_policy", "_total", "_trailer_lines", "rest", "trailers")

    def __init__(self, policy: HttpPolicy) -> None:
        self._policy = policy
        self._expect = _Expect.SIZE
        self._left = 0
        self._line = bytearray()
        self._total = 0
        self._extensions = 0
        self._trailer_lines: list[str] = []
        self.rest = b""
        """What followed the body, once it is done."""
        self.trailers: list[tuple[str, str]] | None = None
        """Lower-case names and values, without those that mean nothing there; None if there were none."""

    @property
    def done(self) -> bool:
        return self._expect is _Expect.DONE

    def feed(self, data: bytes) -> bytes:
        """The body bytes in `data`. Raises ProtocolError 400, 413 or 431."""
        pieces: list[bytes] = []
        position = 0
        size = len(data)
        while position < size:
            if self._expect is _Expect.DATA:
                piece = data[position : position + self._left]
                pieces.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._expect = _Expect.DATA_END
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._line += data[position:]
                self._check_partial(self._line)
                break
            line = data[position : end + 1]
            position = end + 1
            if self._line:
                line = bytes(self._line) + line
                self._line.clear()
            self._check_partial(line)
            if not line.endswith(b"\r\n"):
                raise ProtocolError(400, "chunk-bare-lf", "RFC 9112 7.1", f"LF without CR: {_quoted(line)}")
            self._take_line(line[:-2])
            if self._expect is _Expect.DONE:
                self.rest = data[position:]
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _check_partial(self, line: bytes | bytearray) -> None:
        """Bounds a line that may still grow, and refuses data longer than its chunk at its first byte."""
        if self._expect is _Expect.SIZE:
            if len(line) > MAX_SIZE_DIGITS + MAX_EXTENSION + 2:
                raise ProtocolError(400, "chunk-size-line", "RFC 9112 7.1.1", "chunk size line is too long")
        elif self._expect is _Expect.DATA_END:
            if line not in (b"\r", b"\r\n"):
                raise ProtocolError(400, "chunk-data-end", "RFC 9112 7.1", "chunk data is longer than its size")
        elif len(line) - 2 > self._policy.longest_field:
            raise ProtocolError(431, "trailer-size", "RFC 6585 5", "trailer field exceeds limit_request_field_size")

    def _take_line(self, line: bytes) -> None:
        if self._expect is _Expect.SIZE:
            self._take_size(line)
        elif self._expect is _Expect.DATA_END:
            self._expect = _Expect.SIZE
        elif line:
            if len(self._trailer_lines) >= self._policy.limits.fields:
                raise ProtocolError(431, "trailer-count", "RFC 6585 5", "too many trailers (limit_request_fields)")
            self._trailer_lines.append(line.decode("latin-1"))
        else:
            self._finish()

    def _take_size(self, line: bytes) -> None:
        text = line.decode("latin-1")
        match = _SIZE.match(text)
        if match is None or (match.end() < len(text) and _EXTENSIONS.fullmatch(text, match.end()) is None):
            raise ProtocolError(400, "chunk-size", "RFC 9112 7.1", f"not a chunk size: {quoted(text)}")
        self._extensions += len(text) - match.end()
        if self._extensions > MAX_EXTENSIONS:
            raise ProtocolError(400, "chunk-extensions", "RFC 9112 7.1.1", "too many chunk extensions")
        self._left = int(match[0], 16)
        self._total += self._left
        if 0 < self._policy.limits.body < self._total:
            limit = self._policy.limits.body
            raise ProtocolError(413, "body-size", "RFC 9110 15.5.14", f"chunked body exceeds {limit} bytes")
        self._expect = _Expect.DATA if self._left else _Expect.TRAILERS

    def _finish(self) -> None:
        pairs = read_field_lines(self._trailer_lines, self._policy)
        kept = [(name.lower(), value) for name, value in pairs if name.lower() not in NO_TRAILERS]
        self.trailers = kept or None
        self._expect = _Expect.DONE


def _quoted(line: bytes) -> str:
    return quoted(line.decode("latin-1"))
