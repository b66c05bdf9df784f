"""Microseconds of the wire of the pool for heavy work alone: `python bench/micro_wire.py` (no socket, no process).

Prints the best of several rounds for each case, with the Python frames it enters. A frame is written as the list of
buffers that `sendmsg` takes; a long payload is read into the reader's own buffer, as `recv_into` would.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter_ns

from gunicorn.wire.frames import Frame, FrameReader, encode_frame
from gunicorn.wire.messages import Chunk, Message, Request, Response, decode_message, encode_message, read_route

ROUNDS = 7
LONG = 8 * 1024 * 1024

CASES: list[tuple[str, Message, int]] = [
    ("a request without arguments", Request("models:Echo", "nothing", [], {}), 4000),
    ("a request with a few arguments", Request("models:Echo", "add", [1, "two", b"three"], {"x": 1.5}), 4000),
    ("the same with deadline and window", Request("models:Echo", "add", [1, "two"], {"x": 1.5}, 1 << 60, 65536), 4000),
    ("a response of None", Response(None), 4000),
    ("a chunk of a short text", Chunk("token "), 4000),
    ("an embedding of 1024 floats", Response([number / 7 for number in range(1024)]), 300),
    ("1000 texts", Response([f"name {number}" for number in range(1000)]), 50),
    ("250 records of four fields", Response([{"id": n, "name": "n", "v": 1.0, "ok": True} for n in range(250)]), 20),
    ("8 MiB of bytes", Response(bytes(LONG)), 3),
]


def best(call: Callable[[], object], calls: int) -> float:
    """Best µs of a call."""
    lowest = 1e12
    for _ in range(ROUNDS):
        start = perf_counter_ns()
        for _ in range(calls):
            call()
        lowest = min(lowest, (perf_counter_ns() - start) / calls)
    return lowest / 1000


def frames(call: Callable[[], object]) -> int:
    """How many Python frames one call enters, its own wrapper not counted."""
    count = 0

    def hook(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(hook)
    call()
    sys.setprofile(None)
    return count - 1


def read_into(reader: FrameReader, data: bytes) -> Frame:
    """Through the door of sockets, as much at once as fits."""
    start = 0
    source = memoryview(data)
    while True:
        view = reader.buffer()
        count = min(len(view), len(data) - start)
        view[:count] = source[start : start + count]
        start += count
        found = reader.received(count)
        if found:
            return found[0]


def line(name: str, calls: dict[str, Callable[[], object]], rounds: int) -> None:
    columns = "".join(f"  {what} {best(call, rounds):8.2f} µs {frames(call):3d} fr" for what, call in calls.items())
    print(f"{name:36s}{columns}")


def main() -> None:
    for name, message, rounds in CASES:
        data = b"".join(encode_message(message, 1))
        reader = FrameReader()
        read: Callable[[], object] = lambda: reader.receive(data)  # noqa: B023, E731
        if len(data) >= LONG:
            read = lambda: read_into(reader, data)  # noqa: B023, E731
        frame = read_into(FrameReader(), data)
        calls: dict[str, Callable[[], object]] = {
            "write": lambda: encode_message(message, 1),  # noqa: B023
            "find": read,
            "read": lambda: decode_message(frame),  # noqa: B023
            "pass on": lambda: encode_frame(frame.kind, 2, [frame.payload]),  # noqa: B023
        }
        if isinstance(message, Request):
            calls["route"] = lambda: read_route(frame.payload)  # noqa: B023
        line(name, calls, rounds)


if __name__ == "__main__":
    main()
