"""Takes its time: sleeps `?s=` seconds, then answers its pid. `?mark=PATH` writes that file first.

`/fast` never sleeps; `/spin` computes instead of sleeping; `/stubborn` ignores SystemExit and KeyboardInterrupt.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import parse_qs


def rest_for_a_while(seconds):
    time.sleep(seconds)


def spin_for_a_while(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def stay_whatever_happens(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(0.05)
        except BaseException:
            continue


WAYS = {"/spin": spin_for_a_while, "/stubborn": stay_whatever_happens}


def app(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    if environ["PATH_INFO"] != "/fast":
        if "mark" in query:
            with Path(query["mark"][0]).open("a") as marks:
                marks.write("x")
        WAYS.get(environ["PATH_INFO"], rest_for_a_while)(float(query.get("s", ["0"])[0]))
    body = b"%d slow\n" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
