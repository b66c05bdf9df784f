"""The smallest application: one line with the pid of the worker that answers. Knows no lifespan.

It imports nothing that must be read from disk, so that it loads under any user.
"""

from __future__ import annotations

import os


async def app(scope, receive, send):
    assert scope["type"] == "http", scope["type"]
    body = b"%d hello\n" % os.getpid()
    fields = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


application = app
