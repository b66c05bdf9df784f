"""Counts the Python frames a worker enters for one request, from outside.

The server runs with `apps/framed_conf.py`, whose post_fork hook sets a profile function in the worker, and
`apps/framed.py`, which answers the count. The difference between two answers of one connection is the
whole cycle: polling, reading, parsing, the application, writing, accounting. Deterministic: one client,
one request at a time. Servers that close after each answer are asked on a new connection each time.
"""

from __future__ import annotations

import socket
import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.processes import Tree, free_port

APPLICATION_FRAMES = 1
"""framed.app itself."""
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
WARM, COUNTED = 30, 61


def frames_per_request(command: Sequence[str], name: str, path: Sequence[Path] = ()) -> float:
    """Median of the frames of one request in steady state, the application's own not counted.

    `command` is a `python -m gunicorn ...` that takes further flags; {port} in it is filled in. `path` is
    where the server finds its modules, where they are not installed.
    """
    port = free_port()
    filled = [part.replace("{port}", str(port)) for part in command]
    extra = {"PYTHONPATH": ":".join(map(str, path))} if path else {}
    with Tree([*filled, "-c", "framed_conf.py", "framed:app"], port, f"frames {name}", extra) as tree:
        counts = _ask(tree.port, WARM + COUNTED)
    cycles = [after - before for before, after in zip(counts[WARM:], counts[WARM + 1 :], strict=False)]
    return statistics.median(cycles) - APPLICATION_FRAMES


def _ask(port: int, times: int) -> list[int]:
    counts: list[int] = []
    while len(counts) < times:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
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
