"""What must hold for every byte stream on a WebSocket, whatever is in it; a `Finding` is raised where it does not.

Knows the machine, and what the websockets library alone makes of a stream. The engine knows nothing of this file.
"""

from __future__ import annotations

import zlib
from itertools import pairwise

from fuzz.invariants import Finding
from gunicorn.protocol.websocket.connection import WebSocket
from gunicorn.protocol.websocket.events import Closed, State
from tests.support import corpus
from tests.support.websocket_frames import (
    BINARY,
    CONT,
    DEFLATE,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXT,
    Deflater,
    Verdict,
    alone,
    close,
    ending,
    everything,
    frame,
    machine,
    text,
)

LIMITS = (1, 64, 300, 4096)
BESIDE = 2 * 125 + 14
"""Bytes that may be held beside a message: a control frame and the head of a frame, twice what is needed."""


def check_websocket(data: bytes) -> str:
    """All invariants on a stream; returns its signature. Raises Finding, or whatever the machine wrongly raised."""
    mark = zlib.crc32(data)
    limit, extensions = LIMITS[mark & 3], DEFLATE if mark & 4 else []
    verdict = ending(machine(limit=limit, extensions=extensions), corpus.whole(data))
    check_end(verdict, limit)
    check_splits(data, verdict, limit, extensions)
    check_held(data, limit, extensions)
    check_library(data)
    kinds = "".join(type(event).__name__[0] for event in verdict.events[:6])
    last = verdict.events[-1]
    return f"{kinds} {len(verdict.said) > 0} {verdict.before_eof.name} {last} {bool(extensions)}"


def check_end(verdict: Verdict, limit: int) -> None:
    """There is one end, it comes last, and no message is longer than allowed."""
    ends = [event for event in verdict.events if isinstance(event, Closed)]
    if len(ends) != 1 or verdict.events[-1] is not ends[0] or verdict.state is not State.CLOSED:
        raise Finding(f"not one end at last: {verdict}")
    for event in verdict.events:
        size = len(event.encode()) if isinstance(event, str) else len(event) if isinstance(event, bytes) else 0
        if size > limit:
            raise Finding(f"a message of {size} bytes where {limit} are allowed")


def check_splits(data: bytes, whole: Verdict, limit: int, extensions: list[object]) -> None:
    """How the bytes arrive changes nothing, what is said included."""
    if not data:
        return
    seed = zlib.adler32(data)
    ways = [corpus.shuffled(data, seed), corpus.shuffled(data, seed + 1)]
    if len(data) <= 600:
        ways.append(corpus.bytewise(data))
    for pieces in ways:
        other = ending(machine(limit=limit, extensions=extensions), pieces)
        if other != whole:
            raise Finding(f"depends on the split {[len(piece) for piece in pieces][:50]}: {whole} / {other}")


def check_held(data: bytes, limit: int, extensions: list[object]) -> None:
    """Nothing is kept beyond the message that is allowed, and a little."""
    one = machine(limit=limit, extensions=extensions)
    for start, end in pairwise(range(0, len(data) + 64, 64)):
        everything(one, [data[start:end]])
        kept = held(one)
        if kept > limit + BESIDE:
            raise Finding(f"{kept} bytes kept where messages have at most {limit}")


def held(one: WebSocket) -> int:
    """Bytes of the peer inside a machine."""
    return len(one._rest) + len(one._assembly._parts) + len(one._protocol.reader.buffer)


def check_library(data: bytes) -> None:
    """Without limits and extensions the library alone reads the same messages; what is wrong it may see later."""
    one = machine()
    events, said = everything(one, [data])
    messages, code, writes = alone(data)
    ours = [event for event in events if isinstance(event, (str, bytes))]
    if ours != messages[: len(ours)]:
        raise Finding(f"the library reads other messages: {messages} / {ours}")
    if not one.close_code and (ours, said, 0) != (messages, writes, code):
        raise Finding(f"the library sees an end, or says something else: {code} {writes!r} / {events} {said!r}")
    if one.close_code not in (0, 1002, 1007, 1009) and (ours, one.close_code) != (messages, code):
        raise Finding(f"the library sees another end: {code} / {one.close_code}")


def seed_frames() -> list[bytes]:
    """Streams that mean something."""
    deflate = Deflater()
    whole = deflate(b"hello " * 20)
    return [
        text("hello") + text("µ€😀"),
        frame(FIN | BINARY, bytes(range(256))),
        frame(TEXT, b"fra") + frame(FIN | PING, b"p") + frame(CONT, b"gm") + frame(FIN | CONT, b"ent"),
        frame(BINARY) + frame(CONT) * 3 + frame(FIN | CONT),
        frame(FIN | PING) + frame(FIN | PONG, b"x" * 125) + close(1000, b"bye"),
        close(),
        close(4999, "ß".encode()),
        frame(FIN | RSV1 | TEXT, whole) + frame(FIN | RSV1 | TEXT, deflate(b"hello again")),
        frame(RSV1 | TEXT, whole[:9]) + frame(CONT, whole[9:]) + frame(FIN | CONT),
        frame(FIN | RSV1 | BINARY, Deflater()(bytes(5000))),
        frame(FIN | TEXT, b"x" * 200) * 3,
        frame(FIN | TEXT, "é".encode() * 300)[:250],
        frame(FIN | BINARY, length=1 << 40),
    ]


def dictionary() -> list[bytes]:
    """Heads, bits and bytes that readers of frames stumble over."""
    firsts = (0, 1, 2, 0x80, 0x81, 0x82, 0xC1, 0x88, 0x89, 0x8A)
    heads = [bytes((first, second)) for first in firsts for second in (0x80, 0x85)]
    zeros = b"\0\0\0\0"
    return [
        *heads,
        *(head + zeros for head in heads),
        b"\xfe\x00\x7e",
        b"\xff\x00\x00\x00\x00\x00\x01\x00\x00",
        b"\xff" * 10,
        b"\x03\xe8",
        b"\x03\xed",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98\x80",
        b"\x00\x00\xff\xff",
        frame(FIN | PING, b"p", zeros),
        frame(FIN | CONT, b"", zeros),
        frame(CONT, b"c", zeros),
        frame(FIN | TEXT, b"t", zeros),
        frame(FIN | 0x8, b"\x03\xe8", zeros),
    ]
