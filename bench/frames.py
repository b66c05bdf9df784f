"""Counts the Python frames a worker enters for one request or WebSocket message, from outside.

A WSGI server runs with `apps/framed_conf.py`, whose post_fork hook sets a profile function in the worker, and
`apps/framed.py`, which answers the count; `apps/framed_asgi.py` sets it itself. The difference between two
answers of one connection is the whole cycle: polling, reading, parsing, the application, writing, accounting.
Deterministic: one client, one request at a time. Servers that close after each answer are asked on a new
connection each time. What C enters (uvloop) is no Python frame.
"""

from __future__ import annotations

import socket
import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.processes import Tree, free_port
from bench.ws_load import BINARY, MASK, PATIENCE, frame, handshake, unframe

APPLICATION_FRAMES = 1
"""framed.app, framed_asgi.app or framed_asgi.echo itself, entered or resumed once."""
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
WARM, COUNTED = 30, 61
MESSAGE_BYTES = 128
WSGI = ("-c", "framed_conf.py", "framed:app")
ASGI = ("framed_asgi:app",)
ECHO = ("framed_asgi:echo",)


def frames_per_request(
    command: Sequence[str], name: str, path: Sequence[Path] = (), application: Sequence[str] = WSGI
) -> float:
    """Median of the frames of one request in steady state, the application's own not counted.

    `command` is a `python -m gunicorn ...` (or a peer) that takes further words; {port} in it is filled in.
    `path` is where the server finds its modules, where they are not installed.
    """
    with _tree(command, name, path, application) as tree:
        return _median(_ask(tree.port, WARM + COUNTED))


def frames_per_message(command: Sequence[str], name: str, path: Sequence[Path] = ()) -> float:
    """The same of one WebSocket message of 128 bytes that is answered with one as long."""
    with _tree(command, name, path, ECHO) as tree:
        return _median(_talk(tree.port, WARM + COUNTED))


def _tree(command: Sequence[str], name: str, path: Sequence[Path], application: Sequence[str]) -> Tree:
    port = free_port()
    filled = [part.replace("{port}", str(port)) for part in command]
    extra = {"PYTHONPATH": ":".join(map(str, path))} if path else {}
    return Tree([*filled, *application], port, f"frames {name}", extra)


def _median(counts: Sequence[int]) -> float:
    cycles = [after - before for before, after in zip(counts[WARM:], counts[WARM + 1 :], strict=False)]
    return statistics.median(cycles) - APPLICATION_FRAMES


def _ask(port: int, times: int) -> list[int]:
    counts: list[int] = []
    while len(counts) < times:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            stream = sock.makefile("rb")
            while len(counts) < times:
                sock.sendall(REQUEST)
                head = stream.readline()
                closing = False
                while (line := stream.readline()) not in (b"\r\n", b""):
                    closing |= line.lower().startswith(b"connection: close")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise ValueError(f"answered {head!r}")
                counts.append(int(stream.read(12)))
                if closing:
                    break
    return counts


def _talk(port: int, times: int) -> list[int]:
    counts: list[int] = []
    question = frame(BINARY, bytes(MESSAGE_BYTES), MASK)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        data = handshake(sock)
        while len(counts) < times:
            sock.sendall(question)
            while (found := unframe(data)) is None:
                more = sock.recv(4096)
                if not more:
                    raise ValueError("the WebSocket was closed")
                data += more
            opcode, payload, data = found
            if opcode != BINARY:
                raise ValueError(f"answered opcode {opcode}: {payload!r}")
            counts.append(int(payload))
    return counts
