"""Answers what it saw of the request as JSON; `?read=N` reads N bytes of the body, `?read=0` none."""

from __future__ import annotations

import hashlib
import os
from urllib.parse import parse_qs

from tests.apps.asgi import speak
from tests.support import cgi


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await speak.lifespan(receive, send)
    query = parse_qs(scope["query_string"].decode("latin-1"))
    limit = int(query["read"][0]) if "read" in query else -1
    digest, size = hashlib.sha256(), 0
    try:
        if limit:
            async for piece in speak.pieces(receive):
                wanted = piece if limit < 0 else piece[: limit - size]
                digest.update(wanted)
                size += len(wanted)
                if size == limit:
                    break
    except speak.Left:
        return None
    answer = {"environ": cgi.environ(scope), "size": size, "sha256": digest.hexdigest(), "pid": os.getpid()}
    return await speak.answer_json(send, answer)
