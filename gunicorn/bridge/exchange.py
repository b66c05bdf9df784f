"""One request in flight, as a bridge sees it: read, start, write, finish, inform.

An exchange joins a machine (which spells bytes) with a transport (which moves them). It knows no
socket, no loop and no application interface; every protocol and every worker meets here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

from gunicorn.protocol.machine import Machine, Request
from gunicorn.protocol.trust import Peer


class ClientGone(ConnectionError):
    """The peer closed or stopped reading: there is nobody left to answer.

    An OSError, so that code which expects broken pipes of its files, and ASGI applications, know it.
    """


class Transport(Protocol):
    """What moves the bytes of a connection; provided by a driver."""

    def send(self, data: bytes) -> None:
        """Sends or queues `data` in order; waits while too much is queued. Raises ClientGone."""
        ...

    def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Sends or queues `count` bytes of a regular file from `offset`; keeps its own descriptor."""
        ...

    def read_body(self, size: int) -> bytes:
        """At most `size` more bytes of a request body still arriving; b"" at its end. Raises ClientGone."""
        ...


class AsyncTransport(Protocol):
    """What moves the bytes of a connection under an event loop. Nothing here waits but what is awaited."""

    full: bool
    """More is queued than the client takes: whoever makes more awaits `drain` first."""
    write: Callable[[bytes], None]
    """Queues bytes at once. For what stands alone: nothing of the answer was given to `send` before."""

    def send(self, data: bytes) -> None:
        """Queues bytes in order, piled up until the loop comes round; lost where the connection is."""
        ...

    async def drain(self) -> None:
        """Returns when less is queued than the limit, or the connection is gone."""
        ...

    async def send_file(self, fd: int, offset: int, count: int) -> None:
        """Sends `count` bytes of a regular file from `offset`, in order. Raises ClientGone and OSError."""
        ...

    def read_file(self, fd: int, offset: int, count: int) -> AsyncIterator[bytes]:
        """The same span in blocks, for bodies that are framed. Raises OSError."""
        ...

    def pause_reading(self) -> None:
        """The client shall wait: nobody reads what it sends."""
        ...

    def resume_reading(self) -> None:
        """Undoes `pause_reading`."""
        ...

    def answered(self, exchange: Exchange) -> None:
        """The answer is complete: the last of its bytes was handed over. Called once an exchange."""
        ...

    def end(self) -> None:
        """Everything was said: closes when what is queued has been sent."""
        ...

    def abort(self) -> None:
        """Closes at once; what is queued is lost."""
        ...

    def future(self) -> Any:
        """A new future of the loop: awaitable, with `done()` and `set_result(None)`."""
        ...


class Nowhere:
    """The transport of an exchange whose connection is closed."""

    def send(self, data: bytes) -> None:  # noqa: ARG002
        """Raises ClientGone, as all the others do."""
        raise ClientGone("the connection is closed")

    def send_file(self, file: BinaryIO, offset: int, count: int) -> None:  # noqa: ARG002
        raise ClientGone("the connection is closed")

    def read_body(self, size: int) -> bytes:  # noqa: ARG002
        raise ClientGone("the connection is closed")


NOWHERE = Nowhere()


class Exchange:
    """One request and its answer. Reused for each request of an HTTP/1 connection in turn."""

    __slots__ = (
        "body",
        "duration_ns",
        "environ",
        "failure",
        "fields",
        "head_sent",
        "machine",
        "peer",
        "queue_ns",
        "request",
        "sent",
        "status",
        "transport",
    )

    request: Request
    body: BinaryIO
    """The request body as a file; complete, unless the transport reads it as the application asks."""
    environ: dict[str, object]
    duration_ns: int
    queue_ns: int

    def __init__(self, machine: Machine, transport: Transport, peer: Peer) -> None:
        self.machine = machine
        self.transport = transport
        self.peer = peer
        self.status = ""
        self.fields: Sequence[tuple[str, str]] = ()
        self.sent = 0
        self.head_sent = False
        self.environ = {}
        self.duration_ns = 0
        self.queue_ns = 0
        self.failure: BaseException | None = None

    @property
    def described(self) -> Mapping[str, object]:
        """The environ or, where applications get none, what it would say: for hooks and logs that ask."""
        return self.environ

    def begin(self, request: Request, body: BinaryIO) -> None:
        """Takes up a request; what the previous one left is forgotten."""
        self.request = request
        self.body = body
        self.status = ""
        self.fields = ()
        self.sent = 0
        self.head_sent = False
        self.failure = None

    def start(self, status: str, fields: Sequence[tuple[str, str]]) -> None:
        """Remembers the head; it leaves together with the first body bytes, in one send."""
        self.status = status
        self.fields = fields

    def write(self, data: bytes) -> None:
        """Sends body bytes now, with the head before the first of them."""
        if self.head_sent:
            out = self.machine.send_data(self.request.stream, data, False)
        else:
            out = self.machine.respond(self.request.stream, self.status, self.fields, data, False)
            self.head_sent = True
        self.sent += len(data)
        if out:
            self.transport.send(out)

    def finish(self, data: bytes = b"") -> None:
        """Sends the last body bytes and ends the answer; alone, head and body are one send."""
        if self.head_sent:
            out = self.machine.send_data(self.request.stream, data, True)
        else:
            out = self.machine.respond(self.request.stream, self.status, self.fields, data, True)
            self.head_sent = True
        self.sent += len(data)
        if out:
            self.transport.send(out)

    def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Answers with `count` bytes of a file; the head must say Content-Length: `count`."""
        out = self.machine.respond(self.request.stream, self.status, self.fields, b"", False)
        self.head_sent = True
        self.transport.send(out)
        if self.machine.bypass(self.request.stream, count):
            self.sent += count
            self.transport.send_file(file, offset, count)

    def inform(self, status: str, fields: Sequence[tuple[str, str]]) -> None:
        """Sends an interim (1xx) answer at once; silent once the final head is out."""
        if not self.head_sent:
            out = self.machine.inform(self.request.stream, status, fields)
            if out:
                self.transport.send(out)
