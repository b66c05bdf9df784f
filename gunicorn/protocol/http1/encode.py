"""The head of a response on the wire (RFC 9112 4-6): status line, fields and framing into bytes.

All of the application's fields are checked together. Knows no connection: whether it may stay open is told,
and what was decided is told back. Native code may take the place of `encode_head`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.fields import (
    CONNECTION,
    DATE,
    HOP,
    LENGTH,
    NO_TRAILERS,
    PLAIN,
    SERVER,
    UPGRADE,
    ResponseNames,
)
from gunicorn.protocol.framing import MAX_LENGTH_DIGITS, Framing, response_framing, response_length
from gunicorn.protocol.grammar import CTL, quoted
from gunicorn.protocol.limits import HttpPolicy, Stamp
from gunicorn.protocol.machine import Request
from gunicorn.protocol.status import reason

Pair = tuple[str, str]
Pairs = Iterable[Pair] | Iterable[tuple[bytes, bytes]]

Decided = tuple[bytes, Framing, int, bool]
"""(head with its empty line, framing, Content-Length or -1, whether the connection ends with this response)."""

_CLOSE = b"Connection: close\r\n"
_KEEP_ALIVE = b"Connection: keep-alive\r\n"
_UPGRADE = b"Connection: upgrade\r\n"
_WITHOUT_BODY = frozenset({"HEAD", "CONNECT"})
"""Methods whose answers may end with their head; a set, because one look-up is cheaper than two comparisons."""
_COLON = ": ".join
_RAW_COLON = b": ".join
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


def encode_head(
    status: str,
    fields: Pairs,
    size: int,
    last: bool,
    request: Request,
    close: bool,
    policy: HttpPolicy,
    stamp: Stamp,
) -> Decided:
    """The final head of the answer to `request`; `size` body bytes are at hand, all of them if `last`.

    `fields` are pairs of str (latin-1, as WSGI has them) or of bytes (as ASGI has them).
    Raises ResponseError for a status, name, value or length that cannot be sent.
    """
    line, code, empty = policy.status_lines[status]
    kinds = policy.response_names
    pairs: Any = fields if type(fields) is list else list(fields)
    raw = bool(pairs) and type(pairs[0][0]) is bytes
    length = -1
    stamped = stamp.lines
    persistence = b"" if request.version != "HTTP/1.0" else _KEEP_ALIVE
    for name, value in pairs:
        kind = kinds[name]
        if kind:
            if kind != LENGTH or length >= 0:
                if raw:
                    pairs, raw = _text(pairs), False
                pairs, length, upgrade, wish, stamped = _sift(pairs, kinds, stamp)
                close = close or wish
                persistence = _UPGRADE if upgrade else persistence
                break
            # Spelled out for what it costs: response_length says the same.
            digits = value.isdigit() if raw else type(value) is str and value.isdecimal() and value.isascii()
            length = int(value) if digits and len(value) <= MAX_LENGTH_DIGITS else response_length(value)
    framing, said = Framing.LENGTH, b""
    if empty or request.method in _WITHOUT_BODY:
        pairs, framing, length, said, close = _bodiless(pairs, kinds, code, length, size, last, request, close)
    elif length < 0:
        framing, length, said = _frame(size, last, request.version != "HTTP/1.0")
        close = close or framing is Framing.CLOSE
    if close and persistence is not _UPGRADE:
        persistence = _CLOSE
    # As encode_fields does, spelled out here for the cost of a call.
    try:
        if raw:
            block = b"\r\n".join([*map(_RAW_COLON, pairs), b"\r\n"])
        else:
            block = "\r\n".join([*map(_COLON, pairs), "\r\n"]).encode("latin-1")
    except (TypeError, UnicodeEncodeError):
        raise _bad_value(pairs) from None
    if len(block.translate(None, CTL)) != len(block) - 2 * len(pairs) - 2:
        raise _bad_value(pairs)
    return b"".join((line, stamped, persistence, said, block)), framing, length, close


def _text(pairs: Sequence[tuple[bytes, bytes]]) -> list[Pair]:
    """Pairs of bytes as pairs of str. Raises ResponseError for what are none."""
    try:
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
    except (AttributeError, TypeError, ValueError):
        raise _bad_value(pairs) from None


def encode_fields(pairs: Sequence[Pair]) -> bytes:
    """Field lines and the empty line after them. Names are already checked. Raises ResponseError for a bad value."""
    try:
        block = "\r\n".join([*map(_COLON, pairs), "\r\n"]).encode("latin-1")
    except (TypeError, UnicodeEncodeError):
        raise _bad_value(pairs) from None
    # Each line end is ours, or the application wrote one: nobody can add a field inside a value.
    if len(block.translate(None, CTL)) != len(block) - 2 * len(pairs) - 2:
        raise _bad_value(pairs)
    return block


def _frame(size: int, last: bool, chunks: bool) -> tuple[Framing, int, bytes]:
    """(framing, Content-Length or -1, the field line that says so)."""
    framing, length = response_framing(size, last, chunks)
    if framing is Framing.LENGTH:
        return framing, length, b"Content-Length: %d\r\n" % length
    return framing, length, _CHUNKED if framing is Framing.CHUNKED else b""


def _bad_value(pairs: Sequence[Any]) -> ResponseError:
    for pair in pairs:
        name, value = pair
        kind = bytes if isinstance(name, bytes) else str
        if not isinstance(value, kind):
            return ResponseError(
                f"value of {_shown(name)} must be {kind.__name__}, as its name is, not {type(value).__name__}"
            )
        try:
            raw = value if isinstance(value, bytes) else value.encode("latin-1")
        except UnicodeEncodeError:
            return ResponseError(f"value of {_shown(name)} is not latin-1: {_shown(value)}")
        if raw.translate(None, CTL) != raw:
            return ResponseError(f"control character in the value of {_shown(name)}: {_shown(value)}")
    return ResponseError("fields must be (name, value) pairs, all of str or all of bytes")


def _shown(text: str | bytes) -> str:
    return quoted(text.decode("latin-1") if isinstance(text, bytes) else text)


def _sift(pairs: Sequence[Pair], kinds: ResponseNames, stamp: Stamp) -> tuple[list[Pair], int, bool, bool, bytes]:
    """(fields to send, length, upgrade wished, close wished, stamp lines) of fields with special ones among them.

    What belongs to one hop is ours to say (PEP 3333): such fields are left out, and of Connection the wishes
    "close" and "upgrade" are heard.
    """
    lengths = [response_length(value) for name, value in pairs if kinds[name] == LENGTH]
    if len(lengths) > 1:
        raise ResponseError("more than one Content-Length")
    options = {
        option.strip(" \t").lower()
        for name, value in pairs
        if kinds[name] == CONNECTION and isinstance(value, str)
        for option in value.split(",")
    }
    upgrade = "upgrade" in options and any(kinds[name] == UPGRADE for name, _ in pairs)
    left_out = (CONNECTION, HOP) if upgrade else (CONNECTION, HOP, UPGRADE)
    kept = [pair for pair in pairs if kinds[pair[0]] not in left_out]
    own = {kinds[name] for name, _ in pairs}
    server = "" if SERVER in own or not stamp.server else f"Server: {stamp.server}\r\n"
    date = "" if DATE in own or not stamp.date else f"Date: {stamp.date}\r\n"
    length = lengths[0] if lengths else -1
    return kept, length, upgrade, "close" in options, (server + date).encode("latin-1")


def _bodiless(
    pairs: Sequence[Pair],
    kinds: ResponseNames,
    code: int,
    length: int,
    size: int,
    last: bool,
    request: Request,
    close: bool,
) -> tuple[list[Pair], Framing, int, bytes, bool]:
    """(fields, framing, length, length line, close) of an answer to HEAD or CONNECT, or of a status without content.

    1xx, 204 and a tunnel to CONNECT carry no length (RFC 9110 8.6, 9.3.6). HEAD and 304 keep the one that the
    application gave; it is never made up from the absence of a body, only from a body that is there.
    """
    if code < 200 and code != 101:
        raise ResponseError(f"{code} is an interim status; a response ends with another (RFC 9110 15.2)")
    tunnel = request.method == "CONNECT" and 200 <= code < 300
    if code < 200 or code == 204 or tunnel:
        kept = [pair for pair in pairs if kinds[pair[0]] != LENGTH]
        return kept, Framing.CLOSE if tunnel and code != 204 else Framing.NONE, -1, b"", close or tunnel
    if request.method != "CONNECT" or code == 304:
        known = length < 0 and last and size > 0 and code != 304
        return list(pairs), Framing.NONE, length, b"Content-Length: %d\r\n" % size if known else b"", close
    if length >= 0:
        return list(pairs), Framing.LENGTH, length, b"", close
    framing, length, said = _frame(size, last, False)
    return list(pairs), framing, length, said, True


def encode_interim(status: str, fields: Iterable[Pair], policy: HttpPolicy) -> bytes:
    """An interim (1xx) response: what belongs to one hop or frames content is left out (RFC 9110 15.2).

    Raises ResponseError, also for 101, which is final.
    """
    line, code, _ = policy.status_lines[status]
    if code >= 200 or code == 101:
        raise ResponseError(f"not an interim status: {quoted(status)}")
    kinds = policy.response_names
    kept = [pair for pair in fields if kinds[pair[0]] in (PLAIN, SERVER, DATE)]
    return line + encode_fields(kept)


def encode_trailers(fields: Iterable[Pair], policy: HttpPolicy) -> bytes:
    """What follows the size line of the last chunk: trailer fields and the empty line (RFC 9112 7.1.2).

    Raises ResponseError for a bad name or value, and for a name that means nothing after the content.
    """
    kinds = policy.response_names
    pairs = list(fields)
    for name, _ in pairs:
        if kinds[name] != PLAIN or name.lower() in NO_TRAILERS:
            raise ResponseError(f"{quoted(name)} cannot be a trailer field (RFC 9110 6.5.1)")
    return encode_fields(pairs)


def accepts_trailers(request: Request) -> bool:
    """Whether the client says that trailer fields are not lost on it: `TE: trailers` (RFC 9110 10.1.4)."""
    codings = request.variables.get("HTTP_TE", "")
    return bool(codings) and "trailers" in [coding.strip(" \t").lower() for coding in codings.split(",")]


def encode_refusal(error: ProtocolError, stamp: Stamp, with_body: bool) -> bytes:
    """The whole answer to a broken rule: it names the rule and holds nothing that the peer sent."""
    phrase = reason(error.status)
    body = f"{error.status} {phrase}\n{error.rule}: {error.section}\n".encode("latin-1")
    # Upgrade travels one hop, and says so (RFC 9110 7.8).
    upgrade = any(name.lower() == "upgrade" for name, _ in error.fields)
    head = (
        f"HTTP/1.1 {error.status} {phrase}\r\n".encode("latin-1")
        + stamp.lines
        + (b"Connection: close, upgrade\r\n" if upgrade else _CLOSE)
        + b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n" % len(body)
        + encode_fields(error.fields)
    )
    return head + body if with_body else head
