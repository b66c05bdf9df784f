"""The ASGI twin of `mirror`: answers what it saw of a request, as the same JSON, with the fields in order.

ASGI has no request-target: see `cgi.target` for what is left of it. An offer of WebSocket is answered as if it
were a plain request, by the denial response, since a server may leave it (RFC 9110 7.8).
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from tests.support import cgi
from tests.support.mirror import FIELD, UNREAD, is_field

HTTP_SCHEMES = {"ws": "http", "wss": "https"}


async def read_body(receive: Any) -> bytes:
    """The whole body. Raises ConnectionError where the client left before its end."""
    found = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the body is cut short")
        found += message["body"]
        if not message["more_body"]:
            return bytes(found)


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    kind = scope["type"]
    if kind == "websocket":
        # Not in the scope of a WebSocket: always GET (RFC 6455 4.1).
        scope = {**scope, "method": "GET", "scheme": HTTP_SCHEMES[scope["scheme"]]}
        await answer(scope, b"", send, "websocket.http.response")
    elif kind == "http":
        body = b""
        if not scope["path"].startswith(UNREAD):
            try:
                body = await read_body(receive)
            except ConnectionError:
                return
        await answer(scope, body, send, "http.response")
    else:
        raise NotImplementedError(kind)


async def answer(scope: dict[str, Any], body: bytes, send: Any, kind: str) -> None:
    environ = cgi.environ(scope)
    assert scope["path"] == unquote(scope["raw_path"].decode("latin-1")), (scope["path"], scope["raw_path"])
    text = json.dumps(
        {
            "method": environ["REQUEST_METHOD"],
            "target": environ["RAW_URI"],
            "version": environ["SERVER_PROTOCOL"],
            "path": environ["PATH_INFO"],
            "query": environ["QUERY_STRING"],
            "variables": {name: value for name, value in environ.items() if is_field(name)},
            "body": body.decode("latin-1"),
            "scheme": environ["wsgi.url_scheme"],
            "script_name": environ["SCRIPT_NAME"],
            "client": f"{environ['REMOTE_ADDR']}:{environ['REMOTE_PORT']}",
            "fields": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        }
    )
    # A 2xx to CONNECT would promise a tunnel (RFC 9110 9.3.6).
    status = 405 if environ["REQUEST_METHOD"] == "CONNECT" else 200
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    if environ["REQUEST_METHOD"] == "HEAD":
        fields.append((FIELD.lower().encode(), text.encode("ascii")))
    await send({"type": f"{kind}.start", "status": status, "headers": fields})
    await send({"type": f"{kind}.body", "body": text.encode("ascii")})
