"""What comes out of a WebSocket connection, the states it goes through, and how it may be closed (RFC 6455 7).

Plain values and the rules for close codes; knows no bytes.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from gunicorn.protocol.errors import ResponseError

NO_STATUS, LOST = 1005, 1006
"""What is said where the peer gave no close code, and where it gave no close frame (RFC 6455 7.4.1)."""

REASON_SIZE = 123
"""Longest reason of a close frame, in bytes of UTF-8 (RFC 6455 5.5.1)."""

_CODES = frozenset(range(1000, 1015)) - {1004, NO_STATUS, LOST}
"""Registered codes that may stand in a close frame."""
_OWN_CODES = range(3000, 5000)
"""Codes of libraries, frameworks and applications (RFC 6455 7.4.2)."""


class State(enum.IntEnum):
    """Where a connection is (RFC 6455 7.1)."""

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    """Our close frame is out, the peer's has not come."""
    CLOSED = 3
    """Nothing more will be said by anybody."""


class Pong(NamedTuple):
    """The peer answered a ping, or sent a pong unasked."""

    payload: bytes


class Closed(NamedTuple):
    """The last event: the code and reason that the peer gave, those it was given for breaking a rule, or LOST."""

    code: int
    reason: str


Event = str | bytes | Pong | Closed
"""A text message, a binary message, or one of the two above."""


def check_close(code: int, reason: str) -> None:
    """Raises ResponseError for a code that no close frame may hold, and for a reason that fits in none."""
    if not isinstance(code, int) or not isinstance(reason, str):
        raise ResponseError(f"the code of a close is an int and its reason a str, not {code!r:.50} and {reason!r:.50}")
    if code not in _CODES and code not in _OWN_CODES:
        raise ResponseError(f"{code!r} is no close code to send; 1000-1003, 1007-1014 and 3000-4999 are (RFC 6455 7.4)")
    try:
        size = len(reason.encode())
    except UnicodeEncodeError:
        raise ResponseError("the reason of a close holds a lone surrogate, which UTF-8 cannot spell") from None
    if size > REASON_SIZE:
        raise ResponseError(f"the reason of a close has at most {REASON_SIZE} bytes, not {size} (RFC 6455 5.5)")
