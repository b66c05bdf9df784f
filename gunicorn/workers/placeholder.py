"""Applications that stand in for one that could not be loaded, while its code is broken and `reload` waits.

They answer every request with 500 and the traceback: one in the words of WSGI, one in those of ASGI.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

STATUS = 500
CONTENT_TYPE = "text/plain; charset=utf-8"

Message = dict[str, Any]


def wsgi_page(text: str) -> Callable[..., Iterable[bytes]]:
    """A WSGI application that shows `text`."""
    body = text.encode("utf-8", "backslashreplace")

    def show(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        fields = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))]
        start_response(f"{STATUS} Internal Server Error", fields)
        return [body]

    return show


def asgi_page(text: str) -> Callable[..., Awaitable[None]]:
    """An ASGI application that shows `text`, starts up and shuts down, and refuses WebSockets."""
    body = text.encode("utf-8", "backslashreplace")
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(body))]

    async def show(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": STATUS, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await send({"type": "websocket.close"})

    return show
