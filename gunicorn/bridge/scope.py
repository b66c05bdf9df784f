"""The ASGI connection scope (ASGI HTTP and WebSocket message format 2.4): what is fixed per connection, then the rest.

`connection_scope` is made once a connection; a request then costs one dictionary. Knows the
names of the specification and nothing of sockets, loops or messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote

from gunicorn.protocol.machine import Request
from gunicorn.protocol.recent import Recent
from gunicorn.protocol.trust import Peer

Scope = dict[str, Any]
HeaderPairs = list[tuple[bytes, bytes]]

SPEC_VERSION = "2.4"
"""From 2.4 on `send` raises OSError once the client is gone."""

HTTP_EXTENSIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "http.response.early_hint": {},
        "http.response.informational": {},
        "http.response.trailers": {},
        "http.response.pathsend": {},
        "http.response.zerocopysend": {},
        "http.response.debug": {},
    }
)
"""`early_hint` is the specification's name for what existing applications of this server call `informational`."""

WEBSOCKET_EXTENSIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType({"websocket.http.response": {}})

_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}


class ScopeOptions(NamedTuple):
    """What every scope of a worker says of the server around it."""

    root_path: str = ""
    """Where the application is mounted; a trusted forwarder's SCRIPT_NAME wins over it."""
    state: Mapping[str, Any] = MappingProxyType({})
    """What the application put into the lifespan's state; every request gets a shallow copy."""


class _Names(Recent[bytes]):
    """From a field name as it was spelled to the lower-case bytes that ASGI wants."""

    __slots__ = ()

    def learn(self, key: str) -> bytes:
        return key.lower().encode("latin-1")


_names = _Names(capacity=512, longest=64)


class _Paths(Recent[tuple[str, bytes]]):
    """From the path of a target to its decoded form and its bytes."""

    __slots__ = ()

    def learn(self, key: str) -> tuple[str, bytes]:
        return unquote(key), key.encode("latin-1")


_paths = _Paths(capacity=256, longest=256)


class ScopeBase(NamedTuple):
    """The part of a scope that all requests of a connection share; nothing of it is given away."""

    template: Scope
    """A whole scope: to copy one and fill it in costs less than to make it."""
    state: Mapping[str, Any]
    extensions: dict[str, Any]


_PLAIN = dict(HTTP_EXTENSIONS)


def connection_scope(
    options: ScopeOptions, peer: Peer, server: tuple[str, int | None], tls: Mapping[str, Any] | None
) -> ScopeBase:
    """What is known before the first request; `tls` is the extension of that name, or None.

    `server` is (host, port) of the local end, or (path, None) of a unix socket; the client of one is None.
    """
    template: Scope = {
        "type": "http",
        "asgi": None,
        "http_version": "1.1",
        "server": server,
        "client": None if peer.unix else (peer.host, int(peer.port or 0)),
        "scheme": "",
        "method": "",
        "root_path": options.root_path,
        "path": "",
        "raw_path": b"",
        "query_string": b"",
        "headers": None,
        "state": None,
        "extensions": None,
    }
    return ScopeBase(template, options.state, _PLAIN if tls is None else {**_PLAIN, "tls": tls})


def http_scope(base: ScopeBase, request: Request, headers: HeaderPairs) -> Scope:
    """A fresh scope for `request` on a connection whose base is `base`; `headers` becomes the application's own."""
    template, state, extensions = base
    scope = template.copy()
    scope["asgi"] = {"version": "3.0", "spec_version": SPEC_VERSION}
    scope["scheme"] = request.scheme
    scope["method"] = request.method
    scope["path"], scope["raw_path"] = _paths[request.raw_path]
    if request.query:
        scope["query_string"] = request.query.encode("latin-1")
    scope["headers"] = headers
    scope["state"] = dict(state)
    scope["extensions"] = extensions.copy()
    if request.version != "HTTP/1.1":
        scope["http_version"] = _http_version(request.version)
    if request.script_name:
        scope["root_path"] = request.script_name
    return scope


def websocket_scope(base: ScopeBase, request: Request, headers: HeaderPairs) -> Scope:
    """As `http_scope`, for an upgrade to WebSocket; `subprotocols` is filled in by who reads the offer."""
    scope = http_scope(base, request, headers)
    del scope["method"]
    scope["type"] = "websocket"
    scope["scheme"] = _WEBSOCKET_SCHEMES[request.scheme]
    kept = {name: value for name, value in base.extensions.items() if name == "tls"}
    scope["extensions"] = {**WEBSOCKET_EXTENSIONS, **kept}
    return scope


def header_pairs(request: Request) -> HeaderPairs:
    """(lower-case name, value) of every field that was let in, as bytes, in order."""
    source = request.fields_source
    names = _names
    if source and type(source[0]) is str:
        pairs = []
        for line in source:
            name, _, value = line.partition(":")  # type: ignore[union-attr]
            pairs.append((names[name], value.strip(" \t").encode("latin-1")))
        return pairs
    return [(names[name], value.encode("latin-1")) for name, value in request.fields]


def _http_version(version: str) -> str:
    """ "1.0", "1.1" or "2", as the specification spells them."""
    return version.removeprefix("HTTP/").removesuffix(".0") if version == "HTTP/2.0" else version.removeprefix("HTTP/")
