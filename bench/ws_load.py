"""The WebSocket load: a closed loop of binary messages that must come back, one in flight a connection.

    python -m bench.ws_load --port 8000 --connections 16 --size 128 --seconds 5

A process of its own, so that it has a core of its own, and as cheap as Python lets it be: one poller, one
canned masked frame a connection (RFC 6455 §5.3 asks for a mask, not for a new one each time), one `read`,
one comparison and one `write` a message. Every echo is compared byte for byte; no two connections send the
same. `busy` is the part of the time this client computed: close to 1, it is measured, not the server.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.contenders import ROOT
from bench.load import Load, LoadError, pinned

KEY = base64.b64encode(b"sixteen bytes 16").decode()
ACCEPT = base64.b64encode(hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
"""What a server answers to KEY (RFC 6455 §4.2.2)."""
MASK = b"\x37\xfa\x21\x3d"
FIN, MASKED = 0x80, 0x80
BINARY, CLOSE, PING, PONG = 0x2, 0x8, 0x9, 0xA
PATIENCE = 10.0
"""Seconds a handshake or the last echo may take."""


@dataclass(frozen=True)
class Echoes:
    """What came back: complete and equal messages, wall seconds, connections lost or wrong, share of the time busy."""

    messages: int
    seconds: float
    errors: int
    busy: float

    @property
    def rate(self) -> float:
        return self.messages / self.seconds


def frame(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """One whole frame of less than 64 KiB (RFC 6455 §5.2), masked where `mask` is given."""
    bit = MASKED if mask else 0
    size = len(payload)
    head = bytes((FIN | opcode, bit | size)) if size < 126 else bytes((FIN | opcode, bit | 126)) + size.to_bytes(2)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)) if mask else payload
    return head + mask + masked


def message(number: int, size: int) -> bytes:
    """What connection `number` sends: `size` bytes, other ones than its neighbours'."""
    seed = b"connection %d " % number
    return (seed * (size // len(seed) + 1))[:size]


def unframe(data: bytes) -> tuple[int, bytes, bytes] | None:
    """(opcode, payload, rest) of the first frame, None when it is not whole. Servers do not mask (§5.1).

    Raises LoadError for what this client cannot read: a fragment, a mask, a reserved bit, more than 64 KiB.
    """
    if len(data) < 2:
        return None
    if data[0] & 0xF0 != FIN or data[1] > 126:
        raise LoadError(f"not a plain frame: {data[:4]!r}")
    start = 2
    size = data[1]
    if size == 126:
        start, size = 4, int.from_bytes(data[2:4])
    if len(data) < start + size:
        return None
    return data[0] & 0x0F, data[start : start + size], data[start + size :]


def handshake(sock: socket.socket) -> bytes:
    """Opens a WebSocket (RFC 6455 §4.1); what was read behind the handshake. Raises LoadError."""
    request = (
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    sock.sendall(request.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = sock.recv(4096)
        if not more:
            raise LoadError(f"closed in the handshake after {answer!r}")
        answer += more
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101") or ACCEPT.encode() not in head:
        raise LoadError(f"no WebSocket: {head[:200]!r}")
    return rest


class Connection:
    """One open WebSocket: what it sends, what must come back, and the beginning of a frame that is not whole."""

    def __init__(self, port: int, number: int, size: int) -> None:
        payload = message(number, size)
        self.sends = frame(BINARY, payload, MASK)
        self.expects = frame(BINARY, payload)
        self._payload = payload
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._partial = handshake(self.sock)
        self.sock.setblocking(False)

    def receive(self, data: bytes) -> bool:
        """What is not exactly the echo: part of it, or control frames around it. Whether the echo is whole now.

        Raises LoadError when it is another message, or the end.
        """
        whole = False
        self._partial += data
        while (found := unframe(self._partial)) is not None:
            opcode, payload, self._partial = found
            if opcode == PING:
                self.sock.send(frame(PONG, payload, MASK))
            elif opcode == BINARY and payload == self._payload and not whole:
                whole = True
            elif opcode != PONG:
                raise LoadError(f"not the echo: opcode {opcode}, {payload[:40]!r}")
        return whole

    def close(self) -> None:
        """Says goodbye (§7.1.1) and does not wait for the answer."""
        try:
            self.sock.send(frame(CLOSE, (1000).to_bytes(2), MASK))
        except OSError:
            pass  # Whoever closed first was counted when it did.
        self.sock.close()


class Loop:
    """All connections, until the time is over: whoever answers is sent the next message at once."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._by_fd = {one.sock.fileno(): one for one in connections}
        self._poll = select.epoll()
        for fd in self._by_fd:
            self._poll.register(fd, select.EPOLLIN)
        self.errors = 0
        self.waiting: set[int] = set()
        """Connections whose echo is under way."""

    def send(self) -> None:
        """The first message of every connection."""
        for fd, one in self._by_fd.items():
            os.write(fd, one.sends)
        self.waiting = set(self._by_fd)

    def run(self, seconds: float) -> int:
        """Echoes that came within the time."""
        sends = {fd: one.sends for fd, one in self._by_fd.items()}
        expects = {fd: one.expects for fd, one in self._by_fd.items()}
        poll, read, write, now = self._poll.poll, os.read, os.write, time.perf_counter
        count = 0
        end = now() + seconds
        while (left := end - now()) > 0 and self.waiting:
            for fd, _ in poll(left):
                try:
                    data = read(fd, 65536)
                    if data != expects[fd] and not self._other(fd, data):
                        continue
                    # 136 bytes fit into an empty send buffer: nothing else is under way.
                    write(fd, sends[fd])
                except (OSError, LoadError) as error:
                    self._lost(fd, error)
                    continue
                count += 1
        return count

    def finish(self) -> None:
        """The echoes that are still under way must come too: none may be lost."""
        end = time.perf_counter() + PATIENCE
        while self.waiting and (left := end - time.perf_counter()) > 0:
            for fd, _ in self._poll.poll(left):
                try:
                    if self._other(fd, os.read(fd, 65536)):
                        self.waiting.discard(fd)
                        self._poll.unregister(fd)
                except (OSError, LoadError) as error:
                    self._lost(fd, error)
        self.errors += len(self.waiting)
        for one in self._by_fd.values():
            one.close()

    def _other(self, fd: int, data: bytes) -> bool:
        if not data:
            raise LoadError("closed by the server")
        return self._by_fd[fd].receive(data)

    def _lost(self, fd: int, error: Exception) -> None:
        print(f"connection lost: {error}", file=sys.stderr)
        self.errors += 1
        self.waiting.discard(fd)
        self._poll.unregister(fd)


def load(port: int, connections: int, size: int, seconds: float) -> Echoes:
    """The whole run in this process. Raises LoadError when a handshake fails."""
    loop = Loop([Connection(port, number, size) for number in range(connections)])
    began, computed = time.perf_counter(), time.thread_time()
    loop.send()
    count = loop.run(seconds)
    took, computed = time.perf_counter() - began, time.thread_time() - computed
    loop.finish()
    return Echoes(count, took, loop.errors, computed / took)


def echoes(told: Load, port: int, seconds: float) -> Echoes:
    """The load in a process of its own, on its own core. Raises LoadError."""
    options = {"port": port, "connections": told.connections, "size": told.size, "seconds": seconds}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [*pinned(), sys.executable, "-m", "bench.ws_load", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise LoadError((done.stderr or done.stdout).strip().splitlines()[-1])
    return Echoes(**json.loads(done.stdout))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ws_load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--size", type=int, default=128, help="bytes of a message")
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args(arguments)
    try:
        report = load(options.port, options.connections, options.size, options.seconds)
    except (OSError, LoadError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
