"""The text forms of addresses: what `bind` may say, and how a peer's address is written.

    HOST  HOST:PORT  :PORT  [v6]  [v6]:PORT         TCP; HOST empty is every IPv4 interface
    unix:PATH  unix:///PATH  unix:@NAME             a path, or an abstract name (Linux)
    fd://N                                          a socket that this process was born with
    http:// https:// uwsgi:// before any of them    what is spoken on this listener only

Parses and prints; resolves no name and opens no socket (`net.listeners` does).
"""

from __future__ import annotations

import enum
import ipaddress
import os
import re
import socket
from typing import Any, NamedTuple

DEFAULT_PORT = 8000
UNIX_PATH_MAX = 107
"""Bytes of `sun_path` without the closing NUL (unix(7))."""

_SCHEMES = {"http": "http", "https": "https", "uwsgi": "uwsgi", "tcp": ""}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?\Z")


class BindKind(enum.Enum):
    """Which family of forms an address belongs to."""

    TCP = "tcp"
    UNIX = "unix"
    FD = "fd"


class Bind(NamedTuple):
    """One parsed `bind`; two that mean the same compare equal, and `str()` gives the text back.

    `host` has no brackets and is "" for every IPv4 interface; `path` of an abstract name starts with
    NUL as the kernel wants it; `protocol` is "" unless the text said which one.
    """

    kind: BindKind
    host: str = ""
    port: int = 0
    path: str = ""
    fd: int = -1
    protocol: str = ""

    @property
    def is_abstract(self) -> bool:
        """Whether this is a name in the abstract namespace, with no file behind it."""
        return self.path.startswith("\0")

    @property
    def location(self) -> str:
        """The address alone, without the protocol: "127.0.0.1:8000", "unix:/run/app.sock", "fd://3"."""
        if self.kind is BindKind.FD:
            return f"fd://{self.fd}"
        if self.kind is BindKind.UNIX:
            return f"unix:{show_path(self.path)}"
        return show_host_port(self.host, self.port)

    def __str__(self) -> str:
        return f"{self.protocol}://{self.location}" if self.protocol else self.location


def parse_bind(text: str, default_port: int = DEFAULT_PORT) -> Bind:
    """One `bind` as the operator wrote it. Raises ValueError with a text that names the mistake."""
    stripped = text.strip()
    if not stripped:
        raise ValueError("an address is empty; write HOST:PORT, unix:PATH or fd://N")
    protocol, rest = _split_scheme(stripped)
    if rest.lower().startswith("fd://"):
        return Bind(BindKind.FD, fd=_number(rest[5:], text), protocol=protocol)
    if rest.lower().startswith("unix:"):
        return Bind(BindKind.UNIX, path=_unix_path(rest[5:], text), protocol=protocol)
    if "://" in rest:
        known = "http:// https:// uwsgi:// tcp:// unix:// fd://"
        raise ValueError(f"address {text!r}: {rest.partition('://')[0]!r} is not one of {known}")
    host, port = _host_port(rest, text, default_port)
    return Bind(BindKind.TCP, host=host, port=port, protocol=protocol)


def _split_scheme(text: str) -> tuple[str, str]:
    scheme, mark, rest = text.partition("://")
    if mark and scheme.lower() in _SCHEMES:
        return _SCHEMES[scheme.lower()], rest.rstrip("/") if not rest.lower().startswith("unix:") else rest
    return "", text


def _number(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"address {text!r}: fd:// wants the number of an open descriptor, like fd://3")
    return int(digits)


def _unix_path(path: str, text: str) -> str:
    if path.startswith("//"):
        path = path[2:]
    if "\0" in path:
        raise ValueError(f"address {text!r}: a path cannot contain NUL")
    if path in ("", "@"):
        raise ValueError(f"address {text!r}: no path after unix:")
    length = len(os.fsencode(path))
    if length > UNIX_PATH_MAX:
        raise ValueError(f"address {text!r}: the path has {length} bytes; a unix socket allows {UNIX_PATH_MAX}")
    return "\0" + path[1:] if path.startswith("@") else path


def _host_port(rest: str, text: str, default_port: int) -> tuple[str, int]:
    if rest.startswith("["):
        inner, closed, tail = rest[1:].partition("]")
        if not closed or (tail and not tail.startswith(":")):
            raise ValueError(f"address {text!r}: write an IPv6 address as [::1]:8000")
        return _ipv6(inner, text), _port(tail[1:], text) if tail else default_port
    if rest.count(":") > 1:
        raise ValueError(f"address {text!r}: write an IPv6 address in brackets, as [{rest}]:{default_port}")
    host, colon, port = rest.partition(":")
    if not colon and host.isdigit():
        raise ValueError(f"address {text!r}: a port alone is written :{host}")
    if host and not _HOST.match(host):
        raise ValueError(f"address {text!r}: {host!r} is neither a host name nor an IP address")
    # 0.0.0.0 and no host at all are the same place; one spelling makes them compare equal.
    return "" if host == "0.0.0.0" else host.lower(), _port(port, text) if colon else default_port


def _ipv6(inner: str, text: str) -> str:
    address, percent, scope = inner.partition("%")
    try:
        return f"{ipaddress.IPv6Address(address)}{percent}{scope}"
    except ValueError:
        raise ValueError(f"address {text!r}: {inner!r} is not an IPv6 address") from None


def _port(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"address {text!r}: {digits!r} is not a port number")
    port = int(digits)
    if port > 65535:
        raise ValueError(f"address {text!r}: port {port} is above 65535")
    return port


def show_path(path: str) -> str:
    """A unix path for people: the NUL of an abstract name is written as "@"."""
    return "@" + path[1:] if path.startswith("\0") else path


def show_host_port(host: str, port: int) -> str:
    """ "127.0.0.1:8000" or "[::1]:8000"; no host is 0.0.0.0."""
    return f"[{host}]:{port}" if ":" in host else f"{host or '0.0.0.0'}:{port}"


def peer_of(address: Any, family: int) -> tuple[str, str, bool]:
    """The (host, port, unix) of what `accept` or `getsockname` returned, as an environ wants them.

    An IPv6 scope ("%eth0") is dropped, since no trust list names it, and an IPv4 client of a
    dual-stack listener (RFC 4291 2.5.5.2) gets its IPv4 text back. A unix peer has ("", "", True).
    """
    if family == socket.AF_UNIX:
        return "", "", True
    host, port = address[0], address[1]
    if family == socket.AF_INET6:
        if "%" in host:
            host = host.partition("%")[0]
        if host.startswith("::ffff:") and "." in host:
            host = host[7:]
    return host, str(port), False
