"""Microseconds of the HTTP/1.1 machine alone: `python bench/micro_http1.py` (no socket, no application).

Prints the best of several rounds for each case, with the target it is held to and the Python frames it enters.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import cycle
from time import perf_counter_ns

from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Stamp
from gunicorn.protocol.trust import Peer, TrustPolicy

ROUNDS = 15
CALLS = 20_000

SMALL = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
BROWSER = (
    b"GET /products/42?ref=front HTTP/1.1\r\n"
    b"Host: shop.example.com\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: https://shop.example.com/\r\n"
    b"Connection: keep-alive\r\n"
    b"Cookie: session=2f9c1c2e5a5b4d0e8b57; theme=dark; csrftoken=Jh2k1PqX\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"Sec-Fetch-Mode: navigate\r\n\r\n"
)
POST = b"POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 65536\r\n\r\n"
BLOCK = b"x" * 65536
HELLO = b"Hello, World!"
TWO = [("Content-Type", "text/plain"), ("Content-Length", "13")]
EIGHT = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", "13"),
    ("Cache-Control", "max-age=0, no-cache, no-store, must-revalidate, private"),
    ("Expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("Vary", "Cookie, Accept-Encoding"),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Set-Cookie", "session=2f9c1c2e5a5b4d0e8b57; HttpOnly; Path=/; SameSite=Lax"),
]

POLICY = HttpPolicy()
TRUST = TrustPolicy()
STAMP = Stamp(date="Sun, 06 Nov 1994 08:49:37 GMT")
PEER = Peer("127.0.0.1", "40000")


def machine() -> Http1:
    return Http1(POLICY, TRUST, STAMP, PEER, "http")


def exchange(
    heads: tuple[bytes, bytes], fields: list[tuple[str, str]]
) -> tuple[Callable[[], None], Callable[[], None]]:
    """(receive, respond) of one keep-alive connection, to be called in turn; the two heads alternate."""
    one = machine()
    ask = cycle(heads).__next__

    def receive() -> None:
        one.receive(ask())

    def respond() -> None:
        one.respond(0, "200 OK", fields, HELLO, True)

    return receive, respond


def best(first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
    """Best µs of each of two calls that alternate, less the cost of the clock and of calling a function."""
    lowest = [1e9, 1e9]
    clock = perf_counter_ns
    for _ in range(ROUNDS):
        sums = [0, 0, 0]
        for _ in range(CALLS // ROUNDS):
            t0 = clock()
            first()
            t1 = clock()
            second()
            t2 = clock()
            nothing()
            t3 = clock()
            sums[0] += t1 - t0
            sums[1] += t2 - t1
            sums[2] += t3 - t2
        count = CALLS // ROUNDS * 1000
        lowest = [min(old, (new - sums[2]) / count) for old, new in zip(lowest, sums, strict=False)]
    return lowest[0], lowest[1]


def nothing() -> None:
    pass


def frames(call: Callable[[], None]) -> int:
    """Python frames that one call enters, its own wrapper not counted."""
    count = 0

    def hook(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(hook)
    call()
    sys.setprofile(None)
    return count - 1


def connect() -> None:
    machine()


def upload() -> None:
    one = machine()
    one.receive(POST)
    one.receive(BLOCK)


def line(name: str, micros: float, target: float | None, entered: int | None = None) -> None:
    goal = "" if target is None else f"  (target {target:.1f})"
    depth = "" if entered is None else f"  {entered} frames"
    print(f"{name:38s} {micros:6.2f} µs{goal}{depth}")


def main() -> None:
    for count, head, fields, goals in ((1, SMALL, TWO, (1.8, 1.6)), (10, BROWSER, EIGHT, (5.0, 3.5))):
        other = head.replace(b"Host: ", b"Host: x")
        receive, respond = exchange((head, other), fields)
        asked, answered = best(receive, respond)
        line(f"receive: {count} fields, other than the last", asked, goals[0], frames(receive))
        line(f"respond: {len(fields)} fields", answered, goals[1], frames(respond))
        receive, respond = exchange((head, head), fields)
        line(f"receive: {count} fields, as the last time", best(receive, respond)[0], None, frames(receive))
    made, uploaded = best(connect, upload)
    line("a connection made", made, None)
    line("a connection and 64 KiB received", uploaded, None)


if __name__ == "__main__":
    main()
