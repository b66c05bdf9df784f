"""The smallest application: one line with the pid of the worker that answers."""

from __future__ import annotations

import os


def app(environ, start_response):
    body = b"%d hello\n" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = app
