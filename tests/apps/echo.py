"""Answers what it saw of the request as JSON; `?read=N` reads N bytes of the body, `?read=0` none."""

from __future__ import annotations

import hashlib
import json
import os
from urllib.parse import parse_qs


def app(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    stream = environ["wsgi.input"]
    limit = int(query["read"][0]) if "read" in query else -1
    digest, size = hashlib.sha256(), 0
    if limit < 0:
        while piece := stream.read(65536):
            digest.update(piece)
            size += len(piece)
    elif limit > 0:
        piece = stream.read(limit)
        digest.update(piece)
        size = len(piece)
    seen = {name: value for name, value in environ.items() if isinstance(value, str) and name != "PATH"}
    answer = {"environ": seen, "size": size, "sha256": digest.hexdigest(), "pid": os.getpid()}
    body = json.dumps(answer).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
