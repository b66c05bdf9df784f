"""What the ASGI applications of the tests say again and again, as functions."""

from __future__ import annotations

import json

PLAIN = (b"content-type", b"text/plain")
TYPE = b"content-type"


async def start(send, status=200, fields=(PLAIN,), **more):
    await send({"type": "http.response.start", "status": status, "headers": list(fields), **more})


async def body(send, data=b"", more=False):
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def answer(send, data, status=200, content_type=b"text/plain"):
    """A whole answer with its length."""
    await start(send, status, [(TYPE, content_type), (b"content-length", str(len(data)).encode())])
    await body(send, data)


async def answer_json(send, value, status=200):
    await answer(send, json.dumps(value).encode(), status, b"application/json")


class Left(Exception):
    """The client went away before its body was complete."""


async def pieces(receive):
    """The pieces of a request body. Raises Left."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Left
        assert message["type"] == "http.request", message
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def lifespan(receive, send):
    """Says complete to both questions."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
