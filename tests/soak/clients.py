"""Clients that leave in every phase of a connection, one function each; and some that behave, to see that it serves.

A client gets dice and a `Line`, its connection; it raises `Wrong` where the server broke a promise. What happens to
a client that breaks off itself is its own fault and no failure.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from random import Random

from tests.support.websocket_frames import BINARY, CONT, FIN, KEY, PING, TEXT, close, frame, server_frame, text

RESET = struct.pack("ii", 1, 0)
ANSWERED = {"/hello": b"hello", "/slow": b"slow", "/ignore": b"ignored"}
LONG = ("/stream", "/endless", "/file", "/crash")
EVERY = (*ANSWERED, *LONG, "/wait", "/deaf", "/upload")
UPGRADE = (
    f"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
).encode()
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


FRAMES = [frame(FIN | BINARY, b"x" * size) for size in (1, 200, 4_000, 70_000)]
"""Made once: masking in Python would be most of a client's work."""
TALK = [(text(words), server_frame(FIN | TEXT, words.encode())) for words in ("?", "a word " * 20, "many words " * 500)]
"""What echoes are asked for, and answered with."""


class Wrong(Exception):
    """The server broke a promise."""


class Line:
    """One connection and the ways to end it."""

    def __init__(self, sock: socket.socket, dice: Random) -> None:
        self.sock = sock
        self.dice = dice
        self.buffer = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`. Raises Wrong at the end of the connection."""
        while (at := self.buffer.find(mark)) < 0:
            self._more()
        at += len(mark)
        found, self.buffer = self.buffer[:at], self.buffer[at:]
        return found

    def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def answer(self) -> tuple[int, bytes]:
        """Status and body of an answer that has a length."""
        head = self.until(b"\r\n\r\n").lower()
        _, _, rest = head.partition(b"content-length: ")
        return int(head[9:12]), self.exactly(int(rest.partition(b"\r\n")[0] or b"0"))

    def to_the_end(self) -> None:
        """Reads until the server closes. TimeoutError where it does not."""
        while self.sock.recv(65536):
            pass

    def leave(self) -> None:
        """Goes away, one way or another."""
        way = self.dice.randrange(4)
        with contextlib.suppress(OSError):
            # Where the server closed first there is nothing to shut down.
            if way == 0:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            elif way == 1:
                self.sock.shutdown(socket.SHUT_WR)
            elif way == 2:
                self.sock.shutdown(socket.SHUT_RD)
        self.sock.close()

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Wrong(f"closed after {self.buffer[:100]!r}")
        self.buffer += data


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def post(dice: Random, path: str) -> tuple[bytes, int]:
    """An upload, by length or in chunks, and its size."""
    size = dice.choice([1, 100, 5_000, 100_000])
    if dice.random() < 0.5:
        return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size, size
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n".encode()
    return head + b"x" * size + b"\r\n0\r\n\r\n", size


def some(dice: Random, data: bytes) -> bytes:
    """A part of it: at least a byte, never all."""
    return data[: dice.randrange(1, len(data))]


# HTTP


def behaves(line: Line) -> None:
    """A few requests on a kept connection, all answered as they must be."""
    for _ in range(line.dice.randrange(1, 5)):
        path = line.dice.choice([*ANSWERED, "/upload"])
        if path == "/upload":
            data, size = post(line.dice, path)
            line.send(data)
            wanted = b"%d" % size
        else:
            line.send(get(path))
            wanted = ANSWERED[path]
        found = line.answer()
        if found != (200, wanted):
            raise Wrong(f"{path} answered {found}")
    line.leave()


def says_nothing(line: Line) -> None:
    line.leave()


def half_a_head(line: Line) -> None:
    line.send(some(line.dice, get(line.dice.choice(EVERY))))
    line.leave()


def half_a_body(line: Line) -> None:
    data, size = post(line.dice, line.dice.choice(["/upload", "/wait", "/deaf", "/ignore"]))
    line.send(data[: len(data) - line.dice.randrange(1, size + 1)])
    line.leave()


def does_not_wait_for_the_answer(line: Line) -> None:
    line.send(get(line.dice.choice(EVERY)))
    line.leave()


def leaves_in_the_answer(line: Line) -> None:
    line.send(get(line.dice.choice(LONG)))
    line.sock.recv(line.dice.randrange(1, 20_000))
    line.leave()


def reads_slowly_and_leaves(line: Line) -> None:
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.send(get(line.dice.choice(["/endless", "/file"])))
    for _ in range(line.dice.randrange(1, 4)):
        line.sock.recv(1000)
    line.leave()


def half_closes_and_reads_on(line: Line) -> None:
    """A whole request, then no more: the answer comes, and the end."""
    path = line.dice.choice(list(ANSWERED))
    line.send(get(path))
    line.sock.shutdown(socket.SHUT_WR)
    found = line.answer()
    if found != (200, ANSWERED[path]):
        raise Wrong(f"{path} answered {found} to a half-closed connection")
    line.to_the_end()
    line.leave()


def half_closes_in_the_middle(line: Line) -> None:
    """Half a request, then no more: an error or nothing, and the end."""
    data = some(line.dice, post(line.dice, "/upload")[0])
    line.send(data)
    line.sock.shutdown(socket.SHUT_WR)
    line.to_the_end()
    line.leave()


def leaves_a_pipeline(line: Line) -> None:
    line.send(b"".join(get(line.dice.choice([*ANSWERED, "/stream"])) for _ in range(line.dice.randrange(2, 8))))
    if line.dice.random() < 0.5:
        line.sock.recv(1000)
    line.leave()


def leaves_at_continue(line: Line) -> None:
    line.send(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
    if line.dice.random() < 0.7:
        line.until(b"100 Continue\r\n\r\n")
    line.leave()


def talks_nonsense(line: Line) -> None:
    line.send(line.dice.randbytes(line.dice.randrange(1, 200)) + b"\r\n\r\n")
    if line.dice.random() < 0.5:
        line.to_the_end()
    line.leave()


# WebSockets


def handshake(line: Line, path: str) -> None:
    line.send(f"GET {path} HTTP/1.1\r\n".encode() + UPGRADE + (DEFLATE if line.dice.random() < 0.5 else b"") + b"\r\n")


def opened(line: Line, path: str = "/echo") -> Line:
    handshake(line, path)
    status = line.until(b"\r\n\r\n")[9:12]
    if status != b"101":
        raise Wrong(f"the upgrade of {path} was answered with {status!r}")
    return line


def echoes(line: Line) -> None:
    """Talks, and closes in order."""
    line.send(b"GET /echo HTTP/1.1\r\n" + UPGRADE + b"\r\n")
    line.until(b"\r\n\r\n")
    for _ in range(line.dice.randrange(1, 5)):
        sent, wanted = line.dice.choice(TALK)
        line.send(sent)
        if (found := line.exactly(len(wanted))) != wanted:
            raise Wrong(f"echo of {wanted[:50]!r} is {found[:50]!r}")
    line.send(close(1000))
    if (found := line.exactly(4)) != server_frame(FIN | 8, b"\x03\xe8"):
        raise Wrong(f"close is answered with {found!r}")
    line.to_the_end()
    line.leave()


def half_a_handshake(line: Line) -> None:
    line.send(b"GET /echo HTTP/1.1\r\n" + UPGRADE[: line.dice.randrange(len(UPGRADE))])
    line.leave()


def leaves_before_the_accept(line: Line) -> None:
    handshake(line, line.dice.choice(["/hesitate", "/echo", "/deny", "/goodbye"]))
    line.leave()


def leaves_after_the_accept(line: Line) -> None:
    opened(line, line.dice.choice(["/echo", "/goodbye", "/hesitate"])).leave()


def half_a_frame(line: Line) -> None:
    opened(line).send(some(line.dice, line.dice.choice(FRAMES)))
    line.leave()


def half_a_message(line: Line) -> None:
    opened(line).send(frame(TEXT, b"begun ") + frame(CONT, b"and never ended") + frame(FIN | PING, b"?"))
    line.leave()


def leaves_in_the_closing(line: Line) -> None:
    """Says close and does not wait for the answer, or hears close and does not answer."""
    if line.dice.random() < 0.5:
        opened(line).send(close(1001, b"bye"))
    else:
        opened(line, "/goodbye").exactly(4)
    line.leave()


def does_not_listen(line: Line) -> None:
    """Sends and sends and reads nothing back; or is talked to and reads nothing."""
    if line.dice.random() < 0.5:
        opened(line)
        line.sock.settimeout(0.05)
        try:
            line.send(FRAMES[-1] * 6)
        except TimeoutError:
            pass
    else:
        opened(line, "/talk").exactly(line.dice.randrange(1, 50_000))
    line.leave()


def breaks_the_rules(line: Line) -> None:
    """An unmasked frame, a reserved bit, a bad opcode, bad UTF-8: told by a close frame."""
    bad = [
        server_frame(FIN | TEXT, b"unmasked"),
        frame(FIN | 0x70 | TEXT),
        frame(FIN | 0xB),
        frame(FIN | TEXT, b"\xff"),
    ]
    opened(line).send(line.dice.choice(bad))
    if line.dice.random() < 0.5:
        line.to_the_end()
    line.leave()


def makes_it_fail(line: Line) -> None:
    """The application raises: told by a close frame with 1011 (RFC 6455 7.4.1)."""
    opened(line, "/fail").send(text("fail"))
    if line.dice.random() < 0.5:
        line.until(b"\x03\xf3")
    line.leave()


def is_refused(line: Line) -> None:
    handshake(line, "/deny")
    if line.dice.random() < 0.5 and line.until(b"\r\n\r\n")[9:12] != b"403":
        raise Wrong("a refusal that is no 403")
    line.leave()


CLIENTS: list[tuple[Callable[[Line], None], int]] = [
    (behaves, 20),
    (says_nothing, 3),
    (half_a_head, 8),
    (half_a_body, 8),
    (does_not_wait_for_the_answer, 10),
    (leaves_in_the_answer, 10),
    (reads_slowly_and_leaves, 2),
    (half_closes_and_reads_on, 4),
    (half_closes_in_the_middle, 4),
    (leaves_a_pipeline, 5),
    (leaves_at_continue, 3),
    (talks_nonsense, 3),
    (echoes, 6),
    (half_a_handshake, 2),
    (leaves_before_the_accept, 3),
    (leaves_after_the_accept, 3),
    (half_a_frame, 3),
    (half_a_message, 2),
    (leaves_in_the_closing, 4),
    (does_not_listen, 2),
    (breaks_the_rules, 2),
    (makes_it_fail, 1),
    (is_refused, 2),
]
"""Clients and how often each comes, of a hundred or so."""

MUST_SUCCEED = {behaves, echoes, half_closes_and_reads_on}
"""Clients that give the server no reason to break off."""


def run(client: Callable[[Line], None], sock: socket.socket, dice: Random) -> str:
    """ "" or what went wrong."""
    line = Line(sock, dice)
    try:
        client(line)
    except Wrong as wrong:
        return f"{client.__name__}: {wrong}"
    except (OSError, ssl.SSLError) as error:
        # The server may break off too; one that waits for ever may not.
        if isinstance(error, TimeoutError) or client in MUST_SUCCEED:
            return f"{client.__name__}: {error!r}"
    finally:
        sock.close()
    return ""
