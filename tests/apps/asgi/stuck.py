"""Sends a head and one piece of a body, then hangs, and the event loop with it."""

from __future__ import annotations

import time

from tests.apps.asgi import speak


async def app(scope, receive, send):
    assert scope["type"] == "http", scope["type"]
    await speak.start(send)
    await speak.body(send, b"first", more=True)
    time.sleep(60)
    await speak.body(send, b"never")
