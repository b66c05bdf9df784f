"""The request line and what names the resource: method, target, version and host (RFC 9112 3, RFC 9110 7).

Knows nothing of fields but Host, and nothing of bodies or connections. HTTP/2 asks the same questions
of its pseudo-fields.
"""

from __future__ import annotations

import re

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.grammar import METHOD, TARGET, TOKEN, VERSION, is_host, quoted
from gunicorn.protocol.recent import Recent

_ENCODED = re.compile("%([0-9A-Fa-f]{2})")

RequestLine = tuple[str, str, str, str, str, str, str | None, bytes]
"""(method, target, raw path, decoded path, query, version, authority of the target or None, label)."""


class RequestLines(Recent[RequestLine]):
    """Reads request lines, without their CRLF, under the leniencies it was made with."""

    __slots__ = ("_any_method", "_any_minor", "_casefold")

    def __init__(self, *, unconventional_method: bool, unconventional_version: bool, casefold_method: bool) -> None:
        super().__init__(capacity=512, longest=256)
        self._any_method = unconventional_method
        self._any_minor = unconventional_version
        self._casefold = casefold_method

    def learn(self, key: str) -> RequestLine:
        """Raises ProtocolError 400, 501 or 505."""
        parts = key.split(" ")
        if len(parts) != 3:
            raise ProtocolError(400, "request-line", "RFC 9112 3", f"not 'method target version': {quoted(key)}")
        method = self.method(parts[0])
        version = self.version(parts[2])
        raw_path, query, authority = split_target(method, parts[1])
        label = f"{method} {parts[1]}".encode("latin-1")
        return method, parts[1], raw_path, decode_path(raw_path), query, version, authority, label

    def method(self, method: str) -> str:
        """The method, upper-cased where that is asked for."""
        if self._casefold:
            method = method.upper() if method.isascii() else method
        if METHOD.fullmatch(method) is None and not (self._any_method and TOKEN.fullmatch(method)):
            raise ProtocolError(400, "method", "RFC 9110 9.1", f"not a method: {quoted(method)}")
        return method

    def version(self, version: str) -> str:
        """The version, refused if it is not ours."""
        if version == "HTTP/1.1" or version == "HTTP/1.0":
            return version
        if VERSION.fullmatch(version) is None:
            raise ProtocolError(400, "version-syntax", "RFC 9112 2.3", f"not a version: {quoted(version)}")
        if version[5] != "1" or not self._any_minor:
            raise ProtocolError(505, "version", "RFC 9110 15.6.6", f"version not spoken: {version}")
        return version


class Hosts(Recent[bool]):
    """Which texts are a host with an optional port."""

    __slots__ = ()

    def learn(self, key: str) -> bool:
        """True, or ProtocolError 400. An empty host is lawful where the target has none (RFC 9112 3.2)."""
        if not is_host(key):
            raise ProtocolError(400, "invalid-host", "RFC 9112 3.2", f"not a host: {quoted(key)}")
        return True


def split_target(method: str, target: str) -> tuple[str, str, str | None]:
    """(raw path, query, authority) of a request-target in any of its four forms (RFC 9112 3.2).

    Raises ProtocolError 400. The path of "*" is "*", that of an authority "".
    """
    if TARGET.fullmatch(target) is None:
        raise ProtocolError(400, "target", "RFC 9112 3.2", f"a character has no place in a target: {quoted(target)}")
    if method == "CONNECT":
        return _authority_form(target)
    if target.startswith("/"):
        raw_path, _, query = target.partition("?")
        return raw_path, query, None
    if target == "*":
        if method != "OPTIONS":
            raise ProtocolError(400, "asterisk", "RFC 9112 3.2.4", f"'*' is for OPTIONS, not {quoted(method)}")
        return "*", "", None
    return _absolute_form(method, target)


def _authority_form(target: str) -> tuple[str, str, str | None]:
    host, colon, port = target.rpartition(":")
    if not (host and colon and port.isdecimal() and is_host(target)):
        raise ProtocolError(400, "authority", "RFC 9112 3.2.3", f"CONNECT needs host:port, not {quoted(target)}")
    return "", "", target


def _absolute_form(method: str, target: str) -> tuple[str, str, str | None]:
    scheme, _, rest = target.partition("://")
    if scheme.lower() not in ("http", "https"):
        raise ProtocolError(400, "target-form", "RFC 9112 3.2", f"neither a path nor an http URI: {quoted(target)}")
    end = min(at for at in (rest.find("/"), rest.find("?"), len(rest)) if at >= 0)
    authority, tail = rest[:end], rest[end:]
    # RFC 9110 4.2.1 and 4.2.4: an http URI without a host, or with user information, is an error.
    if not authority or not is_host(authority):
        raise ProtocolError(400, "target-authority", "RFC 9110 4.2", f"not an authority: {quoted(authority)}")
    raw_path, _, query = tail.partition("?")
    if not raw_path:
        raw_path = "*" if method == "OPTIONS" and not tail else "/"
    return raw_path, query, authority


def decode_path(raw_path: str) -> str:
    """The path percent-decoded, as latin-1 text. A "%" without two hex digits stays as it is.

    Raises ProtocolError 400 for an encoded NUL: the servers in front of us cut or refuse it, and no
    file system or database reads on after it (RFC 3986 7.3).
    """
    if "%" not in raw_path:
        return raw_path
    path = _ENCODED.sub(lambda match: chr(int(match[1], 16)), raw_path)
    if "\0" in path:
        raise ProtocolError(400, "target-nul", "RFC 3986 7.3", f"encoded NUL in the path: {quoted(raw_path)}")
    return path
