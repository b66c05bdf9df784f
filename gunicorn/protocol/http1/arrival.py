"""A head that arrives in pieces (RFC 9112 2.2, 3): where its lines end, and that none is too long.

Each byte is looked at once; what breaks a bound is refused before it is kept; the request line is read as
soon as it is complete. Knows the shape of a head, not what its fields mean.
"""

from __future__ import annotations

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.grammar import quoted
from gunicorn.protocol.limits import HttpPolicy
from gunicorn.protocol.sniff import refuse_foreign, refuse_tls

_LONGEST_METHOD = 32
"""A request line whose first space comes later has no target to be too long."""


class Arrival:
    """Collects one head. `feed` until it answers with what followed the empty line; then take `lines`."""

    __slots__ = ("_blank_skipped", "_partial", "_policy", "lines")

    def __init__(self, policy: HttpPolicy) -> None:
        self._policy = policy
        self._partial = bytearray()
        self._blank_skipped = False
        self.lines: list[str] = []
        """The complete lines so far, latin-1 decoded, without their ends."""

    @property
    def begun(self) -> bool:
        """Whether anything of a request has come; an empty line before it is nothing."""
        return bool(self.lines or self._partial)

    def feed(self, data: bytes) -> bytes | None:
        """None: the head needs more. Else the bytes after its end. Raises ProtocolError 400, 414 or 431."""
        position = 0
        while True:
            end = data.find(b"\n", position)
            if end < 0:
                self._keep(data[position:])
                return None
            line = data[position:end]
            if self._partial:
                line = bytes(self._partial) + line
                self._partial.clear()
            position = end + 1
            if not self.lines:
                refuse_foreign(line)
            if not line.endswith(b"\r"):
                self._check_size(line, len(line))
                raise ProtocolError(400, "bare-lf", "RFC 9112 2.2", f"LF without CR: {quoted(_text(line))}")
            self._check_size(line, len(line) - 1)
            if len(line) == 1:
                if self.lines:
                    return data[position:]
                self._skip_blank()
            else:
                self._add(_text(line[:-1]))

    def _keep(self, piece: bytes) -> None:
        """Keeps the beginning of a line, unless it is too long already."""
        partial = self._partial
        partial += piece
        if not self.lines:
            refuse_tls(partial)
        self._check_size(partial, len(partial) - partial.endswith(b"\r"))

    def _skip_blank(self) -> None:
        if self._blank_skipped:
            raise ProtocolError(400, "empty-line", "RFC 9112 2.2", "more than one empty line before a request")
        self._blank_skipped = True

    def _add(self, line: str) -> None:
        if not self.lines:
            self._policy.request_lines[line]
        elif len(self.lines) > self._policy.limits.fields:
            limit = self._policy.limits.fields
            raise ProtocolError(431, "field-count", "RFC 6585 5", f"more than {limit} fields (limit_request_fields)")
        self.lines.append(line)

    def _check_size(self, line: bytes | bytearray, length: int) -> None:
        policy = self._policy
        if self.lines:
            if length > policy.longest_field:
                name = _text(line[:64]).partition(":")[0]
                raise ProtocolError(
                    431, "field-size", "RFC 6585 5", f"field {quoted(name)} exceeds limit_request_field_size"
                )
        elif length > policy.longest_request_line:
            has_target = 0 < line.find(b" ", 0, policy.longest_request_line) <= _LONGEST_METHOD
            if has_target:
                raise ProtocolError(414, "target-size", "RFC 9110 15.5.15", "request line exceeds limit_request_line")
            raise ProtocolError(400, "request-line-size", "RFC 9112 3", "request line exceeds limit_request_line")


def _text(line: bytes | bytearray) -> str:
    return line.decode("latin-1")
