"""The HTTP load: `wrk` on its own core, its report parsed; and a few clients that hold slow requests open."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from bench.processes import CLIENT_CORE, cores

MISSING = "wrk is needed to make load: apt-get install wrk"
POST = b"x" * 65536
"""What post64k.lua sends."""
_UNIT = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class LoadError(Exception):
    """The load cannot be made, or its report cannot be read."""


@dataclass(frozen=True)
class Load:
    """What the client is told. `fields` are header lines, `script` a file of bench/apps."""

    connections: int = 64
    fields: tuple[str, ...] = ()
    script: str = ""
    path: str = "/"
    size: int = 0
    """Bytes of a WebSocket message."""


@dataclass(frozen=True)
class Report:
    """What wrk said: completed requests, wall seconds, latencies in seconds, and everything that went wrong."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def pinned() -> list[str]:
    """How a command line begins that makes load: on the core that is not the server's."""
    return ["taskset", "-c", str(CLIENT_CORE)] if cores() > 1 else []


def wrk(load: Load, port: int, seconds: float, apps: Path) -> Report:
    """Runs one thread of wrk. Raises LoadError."""
    if not shutil.which("wrk"):
        raise LoadError(MISSING)
    command = [*pinned(), "wrk", "--latency", "-t1", f"-c{load.connections}", f"-d{max(round(seconds), 1)}s"]
    for field in load.fields:
        command += ["-H", field]
    if load.script:
        command += ["-s", str(apps / load.script)]
    command.append(f"http://127.0.0.1:{port}{load.path}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return parse(done.stdout)


def verify(load: Load, port: int, body: bytes) -> None:
    """One request as wrk makes it must be answered with `body`: wrk itself counts answers and does not read them.

    Raises LoadError.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        fields = dict(field.split(": ", 1) for field in load.fields)
        if load.script:
            connection.request("POST", load.path, POST, {**fields, "Content-Type": "application/octet-stream"})
        else:
            connection.request("GET", load.path, headers=fields)
        answer = connection.getresponse()
        found = answer.read()
    if answer.status != 200 or found != body:
        raise LoadError(f"answered {answer.status} and {len(found)} bytes, {found[:40]!r}")


def parse(text: str) -> Report:
    """wrk's report. Failed connects, reads, writes, time-outs and answers other than 2xx and 3xx are errors."""
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", text)
    if total is None:
        raise LoadError(f"not a report of wrk: {text!r}")
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = sum(map(int, sockets.groups())) if sockets else 0
    return Report(
        requests=int(total[1]),
        seconds=float(total[2]) * _UNIT[total[3]],
        p50=_percentile(text, "50%"),
        p99=_percentile(text, "99%"),
        errors=errors + (int(refused[1]) if refused else 0),
    )


def _percentile(text: str, which: str) -> float:
    found = re.search(rf"^\s+{which}\s+([\d.]+)(us|ms|s|m)", text, re.MULTILINE)
    return float(found[1]) * _UNIT[found[2]] if found else 0.0


class Holders:
    """Clients that each keep one slow request in flight until they are told to stop."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._hold, daemon=True) for _ in range(count)]

    def __enter__(self) -> Holders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(10)

    def _hold(self) -> None:
        request = b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        while not self._stopping.is_set():
            with socket.create_connection(("127.0.0.1", self._port), timeout=10) as sock:
                sock.sendall(request)
                while sock.recv(65536):
                    pass
