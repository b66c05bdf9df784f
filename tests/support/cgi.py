"""What the WSGI environ of a request would hold, derived from its ASGI scope.

Lets one test read the answers of both interfaces. ASGI does not carry everything: the request-target is made
from raw_path and query_string (so an absolute-form loses its authority, and a "?" before nothing is lost).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

Scope = dict[str, Any]

UNPREFIXED = {b"content-length", b"content-type"}
"""Spelled so, with a hyphen; their twins with an underscore are fields like any other (header_map)."""


def field_variables(scope: Scope) -> dict[str, str]:
    """The header fields under their CGI names, repeats joined (RFC 3875 4.1.18; Cookie by "; ")."""
    made: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        key = raw_name.decode("latin-1").upper().replace("-", "_")
        if raw_name not in UNPREFIXED:
            key = "HTTP_" + key
        value = raw_value.decode("latin-1")
        separator = "; " if key == "HTTP_COOKIE" else ","
        made[key] = made[key] + separator + value if key in made else value
    return made


def path_info(scope: Scope) -> str:
    """PATH_INFO: the path decoded once, its bytes as latin-1, without the mount point."""
    path = unquote_to_bytes(scope["raw_path"]).decode("latin-1")
    mounted = scope["root_path"]
    return path.removeprefix(mounted) if (path + "/").startswith(mounted + "/") else path


def target(scope: Scope) -> str:
    """The request-target in origin-form, as far as ASGI tells it."""
    query = scope["query_string"].decode("latin-1")
    return scope["raw_path"].decode("latin-1") + ("?" + query if query else "")


def environ(scope: Scope) -> dict[str, str]:
    """The texts of the environ."""
    host, port = scope["server"] or ("", "")
    client = scope["client"] or ("", "")
    return {
        **field_variables(scope),
        "REQUEST_METHOD": scope["method"],
        "RAW_URI": target(scope),
        "PATH_INFO": path_info(scope),
        "SCRIPT_NAME": scope["root_path"],
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": "" if port is None else str(port),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.url_scheme": scope["scheme"],
    }
