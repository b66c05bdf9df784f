"""The smallest application: one line with the pid of the worker that answers. Knows no lifespan."""

from __future__ import annotations

import os

from tests.apps.asgi import speak


async def app(scope, receive, send):
    assert scope["type"] == "http", scope["type"]
    await speak.answer(send, b"%d hello\n" % os.getpid())


application = app
