"""A WSGI application that answers what it saw of a request, as JSON; a HEAD gets it in the field X-Mirror.

Below /unread it leaves the body where it is. Knows PEP 3333; the differential test reads its answers back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.support.corpus import Seen

FIELD = "X-Mirror"
UNREAD = "/unread"


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = b"" if environ["PATH_INFO"].startswith(UNREAD) else environ["wsgi.input"].read()
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
        }
    )
    # A 2xx to CONNECT would promise a tunnel (RFC 9110 9.3.6).
    status = "405 Method Not Allowed" if environ["REQUEST_METHOD"] == "CONNECT" else "200 OK"
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    if environ["REQUEST_METHOD"] == "HEAD":
        fields.append((FIELD, text))
    start_response(status, fields)
    return [text.encode("ascii")]


def is_field(name: str) -> bool:
    return name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")


def read(text: str, keep_alive: bool) -> Seen:
    """What `app`, or its ASGI twin, wrote."""
    values = json.loads(text)
    values["body"] = values["body"].encode("latin-1")
    if "fields" in values:
        values["fields"] = tuple((name, value) for name, value in values["fields"])
    return Seen(keep_alive=keep_alive, **values)
