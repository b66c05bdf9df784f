"""The opening handshake of WebSocket over HTTP/1.1 (RFC 6455 4.2): what a client offers, what the 101 answers.

Knows the fields of the two heads and nothing of frames. Whether the offer is taken is the application's decision.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import NamedTuple

from websockets.exceptions import InvalidHeader
from websockets.headers import parse_extension
from websockets.typing import ExtensionHeader
from websockets.utils import accept_key

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.fields import HOP_BY_HOP
from gunicorn.protocol.grammar import TOKEN, quoted
from gunicorn.protocol.machine import Request

SWITCHING = "101 Switching Protocols"

_KEY_SIZE = 16
_OLD = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))
"""What a client that speaks another version is told (RFC 6455 4.4)."""

_OURS = HOP_BY_HOP | {"sec-websocket-accept", "sec-websocket-extensions", "content-length"}
"""Fields of the 101 that are not the application's to say."""


class Offer(NamedTuple):
    """What the client asked for, in its own order of preference."""

    key: str
    """Sec-WebSocket-Key as it was sent."""
    subprotocols: list[str]
    extensions: list[ExtensionHeader]
    """(name, [(parameter, value or None)])."""


def read_offer(request: Request) -> Offer:
    """The offer of an opening handshake. Raises ProtocolError: 400, 405 for a method, 426 for a version."""
    if request.upgrade != "websocket":
        raise ProtocolError(
            426, "websocket-upgrade", "RFC 6455 4.2.1", f"not an upgrade to WebSocket: {quoted(request.upgrade)}", _OLD
        )
    if request.method != "GET":
        raise ProtocolError(
            405, "websocket-method", "RFC 6455 4.2.1", f"a handshake by {quoted(request.method)}", (("Allow", "GET"),)
        )
    if not request.complete:
        raise _malformed("body", "a handshake with a body")
    variables = request.variables
    version = variables.get("HTTP_SEC_WEBSOCKET_VERSION", "")
    if "," in version:
        raise _malformed("version", f"more than one Sec-WebSocket-Version: {quoted(version)}")
    if version != "13":
        raise ProtocolError(
            426, "websocket-version", "RFC 6455 4.4", f"Sec-WebSocket-Version is not 13: {quoted(version)}", _OLD
        )
    return Offer(
        _key(variables.get("HTTP_SEC_WEBSOCKET_KEY", "")),
        _subprotocols(variables.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")),
        _extensions(variables.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", "")),
    )


def accept_fields(offer: Offer, subprotocol: str | None, extensions: str, fields: Sequence[tuple[str, str]]) -> Fields:
    """The fields of the 101: ours, then the application's.

    `extensions` is the value of Sec-WebSocket-Extensions, or "". Raises ResponseError for a subprotocol that the
    client did not offer and for fields that are not the application's to send.
    """
    answer = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_key(offer.key)),
    ]
    if subprotocol is not None:
        if subprotocol not in offer.subprotocols:
            offered = ", ".join(map(quoted, offer.subprotocols)) or "none"
            raise ResponseError(f"the client did not offer the subprotocol {subprotocol!r:.100}; it offered {offered}")
        answer.append(("Sec-WebSocket-Protocol", subprotocol))
    if extensions:
        answer.append(("Sec-WebSocket-Extensions", extensions))
    for name, value in fields:
        lower = name.lower()
        if lower == "sec-websocket-protocol":
            raise ResponseError("the subprotocol is chosen by 'subprotocol', not by a header")
        if lower in _OURS:
            raise ResponseError(f"the server says {quoted(name)} in a WebSocket handshake, not the application")
        answer.append((name, value))
    return answer


Fields = list[tuple[str, str]]


def _malformed(what: str, detail: str) -> ProtocolError:
    return ProtocolError(400, f"websocket-{what}", "RFC 6455 4.2.1", detail)


def _key(value: str) -> str:
    try:
        size = len(binascii.a2b_base64(value, strict_mode=True))
    except ValueError:
        # Repeated fields arrive joined by a comma, which is not of the alphabet.
        size = -1
    if size != _KEY_SIZE:
        raise _malformed("key", f"Sec-WebSocket-Key is not the base64 of 16 bytes: {quoted(value)}")
    return value


def _subprotocols(value: str) -> list[str]:
    """A list of tokens; empty elements are none (RFC 9110 5.6.1.2)."""
    names = [name for part in value.split(",") if (name := part.strip(" \t"))]
    for name in names:
        if TOKEN.fullmatch(name) is None:
            raise _malformed("protocol", f"not a subprotocol: {quoted(name)}")
    return names


def _extensions(value: str) -> list[ExtensionHeader]:
    if not value.strip(" \t,"):
        return []
    try:
        return parse_extension(value)
    except InvalidHeader:
        raise _malformed("extensions", f"malformed Sec-WebSocket-Extensions: {quoted(value)}") from None
