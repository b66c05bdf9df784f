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
    102: "Processing",
    103: "Early Hints",
    200: "OK",
    201: "Created",
    202: "Accepted",
    203: "Non-Authoritative Information",
    204: "No Content",
    205: "Reset Content",
    206: "Partial Content",
    207: "Multi-Status",
    208: "Already Reported",
    226: "IM Used",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    305: "Use Proxy",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    418: "I'm a Teapot",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    423: "Locked",
    424: "Failed Dependency",
    425: "Too Early",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates",
    507: "Insufficient Storage",
    508: "Loop Detected",
    510: "Not Extended",
    511: "Network Authentication Required",
}
"""Every code of the IANA registry (RFC 9110 15, RFC 2518, 4918, 5842, 6585, 7538, 7725, 8297, 8470 and others).

Without what is registered for a time only (104) and what is registered as unused (306), but with the joke
of RFC 2324, since frameworks answer with it.
"""

_STATUS = re.compile(r"([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")

StatusLine = tuple[bytes, int, bool]
"""(status line with CRLF, code, whether the status forbids content)."""


def reason(code: int) -> str:
    """The reason phrase of a registered code; "" for any other."""
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


class StatusText(dict[int, str]):
    """From the number that ASGI gives to the text that `respond` takes: `STATUS_TEXT[404]` is "404 Not Found".

    A registered code costs one look-up. Others are made anew each time and not kept, so the table never changes;
    they have no phrase: "299" (RFC 9112 4 allows an empty one).
    """

    __slots__ = ()

    def __missing__(self, code: int) -> str:
        # bool is no status, though an int: True and False are out of range.
        if not isinstance(code, int) or not 100 <= code <= 999:
            raise ResponseError(f"status must be a number of three digits, not {quoted(repr(code))}")
        return str(int(code))


STATUS_TEXT = StatusText({code: f"{code} {phrase}" for code, phrase in REASONS.items()})
"""Shared by all; raises ResponseError for what is no status code."""
