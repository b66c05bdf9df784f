"""Idle connections: many clients that each made one request and then stay, and whether they still stand.

Knows nothing of memory: it only holds the connections while someone else looks at the server.
"""

from __future__ import annotations

import resource
import select
import socket
import struct
from pathlib import Path
from types import TracebackType

from bench.load import LoadError

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SPARE_FILES = 500
"""Descriptors of a process besides its connections."""
PATIENCE = 10.0
IP_BIND_ADDRESS_NO_PORT = 24
"""ip(7); the socket module names it from Python 3.12 on."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: ten thousand ports do not stay in TIME-WAIT for the next contender."""
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def allow_files(connections: int) -> None:
    """Raises the limit of open files for this process and those it starts. Raises LoadError where that is refused."""
    wanted = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = wanted
    try:
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (OSError, ValueError) as error:
        raise LoadError(f"{connections} connections need `ulimit -n {wanted}`, here it is {hard}") from error


def source(number: int, ports: int) -> str:
    """The loopback address connection `number` comes from, when each address has `ports` of them."""
    return f"127.0.{1 + number // ports}.1"


def ports_of_an_address() -> int:
    """Half of the ephemeral ports: the other half is everyone else's."""
    first, last = map(int, PORT_RANGE.read_text().split())
    return max((last - first) // 2, 1)


class Crowd:
    """`count` kept connections to a port of 127.0.0.1, each after its first request."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._count = count
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Crowd:
        ports = ports_of_an_address()
        try:
            for number in range(self._count):
                self._sockets.append(self._ask(source(number, ports)))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, address: str) -> socket.socket:
        """A connection from `address` whose request was answered and which was not closed."""
        sock = socket.socket()
        try:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            sock.settimeout(PATIENCE)
            sock.bind((address, 0))
            sock.connect(("127.0.0.1", self._port))
            sock.sendall(REQUEST)
            read_answer(sock)
        except BaseException:
            sock.close()
            raise
        return sock

    def alive(self) -> int:
        """How many are still open: an idle connection becomes readable only when it ends."""
        poll = select.poll()
        for sock in self._sockets:
            poll.register(sock, select.POLLIN)
        return len(self._sockets) - len(poll.poll(0))

    def close(self) -> None:
        """All at once, by reset."""
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()


def read_answer(sock: socket.socket) -> bytes:
    """The body of one answer of known length. Raises LoadError for anything but a 200 that keeps the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock, data)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if lines[0].split(b" ")[1:2] != [b"200"] or b"connection: close" in lines:
        raise LoadError(f"not kept: {head!r}")
    length = next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), -1)
    if length < 0:
        raise LoadError(f"no length: {head!r}")
    while len(body) < length:
        body += _more(sock, data)
    return body


def _more(sock: socket.socket, seen: bytes) -> bytes:
    more = sock.recv(65536)
    if not more:
        raise LoadError(f"closed after {seen!r}")
    return more
