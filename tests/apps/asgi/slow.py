"""Takes its time: waits `?s=` seconds, then answers its pid. `?mark=PATH` writes that file first.

`/fast` never waits; `/spin` computes, `/block` sleeps without giving the loop away; `/stubborn` blocks it and
ignores SystemExit and KeyboardInterrupt; `/deaf` waits and ignores its cancellation.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from urllib.parse import parse_qs

from tests.apps.asgi import speak
from tests.apps.slow import rest_for_a_while, spin_for_a_while, stay_whatever_happens

BLOCKING = {"/spin": spin_for_a_while, "/block": rest_for_a_while, "/stubborn": stay_whatever_happens}


async def wait_whatever_happens(seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue


async def app(scope, receive, send):
    assert scope["type"] == "http", scope["type"]
    query = parse_qs(scope["query_string"].decode())
    path, seconds = scope["path"], float(query.get("s", ["0"])[0])
    if path != "/fast":
        if "mark" in query:
            with Path(query["mark"][0]).open("a") as marks:
                marks.write("x")
        if path in BLOCKING:
            BLOCKING[path](seconds)
        else:
            await (wait_whatever_happens if path == "/deaf" else asyncio.sleep)(seconds)
    await speak.answer(send, b"%d slow\n" % os.getpid())
