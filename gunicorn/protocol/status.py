"""Status codes: their reason phrases, which of them carry no content, and what a status line must be.

Knows no fields and no bodies.
"""

from __future__ import annotations

import re

from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.grammar import quoted
from gunicorn.protocol.recent import Recent

REASONS = {
    100: "Continue",
    101: "Switching Protocols",
    103: "Early Hints",
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    421: "Misdirected Request",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}
"""Of the codes that the server itself answers with (RFC 9110 15, RFC 8297, RFC 6585)."""

_STATUS = re.compile(r"([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")

StatusLine = tuple[bytes, int, bool]
"""(status line with CRLF, code, whether the status forbids content)."""


def reason(code: int) -> str:
    """The reason phrase of a code that the server itself sends; "" for one it never does."""
    return REASONS.get(code, "")


def has_no_content(code: int) -> bool:
    """Whether a response of this status ends with its head (RFC 9110 6.4.1)."""
    return code < 200 or code in (204, 304)


class StatusLines(Recent[StatusLine]):
    """From the application's "200 OK" to the line on the wire (RFC 9112 4).

    The version is always HTTP/1.1: a server names the highest version it speaks, also to a client
    of HTTP/1.0 (RFC 9110 2.5).
    """

    __slots__ = ()

    def learn(self, key: str) -> StatusLine:
        """Raises ResponseError for what is not three digits, a space and a reason."""
        match = _STATUS.fullmatch(key) if isinstance(key, str) else None
        if match is None:
            raise ResponseError(f"status must be like '200 OK', not {quoted(str(key))}")
        code = int(match[1])
        line = f"HTTP/1.1 {match[1]} {match[2] or ''}\r\n"
        return line.encode("latin-1"), code, has_no_content(code)
