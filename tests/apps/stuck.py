"""Sends a head and one piece of a body, then hangs."""

from __future__ import annotations

import time


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    time.sleep(60)
    yield b"never"
