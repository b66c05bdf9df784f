"""The lexical rules of RFC 9110 and 9112 that every HTTP version shares, as patterns and byte sets.

Every pattern is linear: no two neighbouring parts can match the same character. Patterns are for
`fullmatch`, on latin-1 decoded text. Knows no message, only its letters.
"""

from __future__ import annotations

import ipaddress
import re

CTL = bytes(set(range(0x20)) - {0x09} | {0x7F})
"""Control characters that no field line and no start line may hold; HTAB is white space (RFC 9110 5.5)."""

TOKEN_CHARS = r"!#$%&'*+\-.^_`|~0-9A-Za-z"
TOKEN = re.compile(f"[{TOKEN_CHARS}]+")
"""RFC 9110 5.6.2."""

METHOD = re.compile(r"[!$%&'*+\-.^_`|~0-9A-Z]{3,20}")
"""A token of the shape that every registered method has: upper case, 3 to 20 characters, no "#"."""

VERSION = re.compile(r"HTTP/[0-9]\.[0-9]")
"""RFC 9112 2.3."""

FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110 5.5: visible characters, white space and obs-text."""

TARGET = re.compile(r"[!\"$-;=?-~]+")
"""Request-target characters: visible US-ASCII without "#" (no fragment travels) and "<", ">".

RFC 3986 also excludes \" \\ ^ ` { | }; browsers send them unencoded in queries, and they are
read the same way by everybody.
"""

_UNRESERVED = r"0-9A-Za-z\-._~!$&'()*+;="

HOST = re.compile(
    rf"(\[[0-9A-Fa-f:.]*\]|\[v[0-9A-Fa-f]+\.[{_UNRESERVED}:]+\]|(?:[{_UNRESERVED}]|%[0-9A-Fa-f]{{2}})*)(?::[0-9]{{0,5}})?"
)
"""uri-host [ ":" port ] (RFC 9110 7.2), less the comma: a Host of two joined by a proxy is no host."""


def is_host(text: str) -> bool:
    """Whether a text is a host with an optional port; the empty host is one, a port alone is none."""
    match = HOST.fullmatch(text)
    if match is None or (not match[1] and text):
        return False
    if not text.startswith("[") or text.startswith("[v"):
        return True
    try:
        ipaddress.IPv6Address(match[1][1:-1])
    except ValueError:
        return False
    return True


QUOTED_STRING = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*+"'
"""RFC 9110 5.6.4."""


def quoted(text: str, limit: int = 80) -> str:
    """`text` as one printable, bounded piece of a log line: what a stranger sent must not forge lines."""
    return ascii(text if len(text) <= limit else text[:limit] + "...")
