"""The WSGI environ of a request (PEP 3333, RFC 3875): what is fixed per connection, then what is not.

`Base` values are decided once a worker, `connection_base` once a connection; a request then costs one
copy, one update with its field variables and a handful of stores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, TextIO

from gunicorn.bridge.files import FileWrapper
from gunicorn.protocol.machine import Request
from gunicorn.protocol.trust import Peer

Environ = dict[str, Any]


class EnvironOptions(NamedTuple):
    """What every environ of a worker says of the server around it."""

    software: str = "gunicorn"
    multithread: bool = False
    multiprocess: bool = False
    errors: TextIO | None = None
    script_name: str = ""
    """SCRIPT_NAME of the process environment; a trusted forwarder's field wins over it."""
    extra: Mapping[str, Any] = MappingProxyType({})


def connection_base(options: EnvironOptions, peer: Peer, server: tuple[str, str], sock: object) -> Environ:
    """The part of the environ that all requests of a connection share.

    `server` is (host, port) of the local end; host is "" for unix sockets, where each request's Host
    field speaks for the server.
    """
    return {
        "wsgi.version": (1, 0),
        "wsgi.errors": options.errors,
        "wsgi.multithread": options.multithread,
        "wsgi.multiprocess": options.multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
        "gunicorn.socket": sock,
        "SERVER_SOFTWARE": options.software,
        "SERVER_NAME": server[0],
        "SERVER_PORT": server[1],
        "REMOTE_ADDR": peer.host,
        "REMOTE_PORT": peer.port,
        "SCRIPT_NAME": options.script_name,
        **options.extra,
    }


def fill(base: Environ, request: Request, body: BinaryIO, hints: Callable[..., None]) -> Environ:
    """A fresh environ for `request` on a connection whose base is `base`."""
    environ = base.copy()
    environ.update(request.variables)
    environ["REQUEST_METHOD"] = request.method
    environ["RAW_URI"] = request.target
    environ["PATH_INFO"] = request.path
    environ["QUERY_STRING"] = request.query
    environ["SERVER_PROTOCOL"] = request.version
    environ["wsgi.url_scheme"] = scheme = request.scheme
    environ["wsgi.input"] = body
    environ["wsgi.early_hints"] = hints
    if request.script_name:
        environ["SCRIPT_NAME"] = request.script_name
    elif base["SCRIPT_NAME"] and (request.path + "/").startswith(base["SCRIPT_NAME"] + "/"):
        environ["PATH_INFO"] = request.path.removeprefix(base["SCRIPT_NAME"])
    if not environ["SERVER_NAME"]:
        environ["SERVER_NAME"], environ["SERVER_PORT"] = _server_of_host(request, scheme)
    return environ


def environ_of_scope(request: Request, peer: Peer, scope: Mapping[str, Any]) -> Environ:
    """The texts that an environ of this request would hold, where the application gets an ASGI scope instead.

    For hooks and logs, which know requests by these names; made when one of them asks.
    """
    host, port = scope["server"] or ("", None)
    options = EnvironOptions(script_name=scope["root_path"])
    base = connection_base(options, peer, (host if port is not None else "", str(port)), None)
    texts = {name: value for name, value in base.items() if isinstance(value, str)}
    return {name: value for name, value in fill(texts, request, BytesIO(), _unheard).items() if isinstance(value, str)}


def _unheard(*_: object) -> None:
    """Stands where an application would find early hints."""


def _server_of_host(request: Request, scheme: str) -> tuple[str, str]:
    """(name, port) of the Host field, for connections whose local end has none (RFC 3875 4.1.14)."""
    host = request.variables.get("HTTP_HOST", "")
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, ""
    return name or "localhost", port or ("443" if scheme == "https" else "80")
