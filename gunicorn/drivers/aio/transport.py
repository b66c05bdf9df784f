"""The bytes of one connection on behalf of its exchanges: queued in an asyncio transport, drained, read on or not.

A slow client holds its application only beyond the limits: more queued than `response_buffer`. `Connection` adds
what the bytes mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import fcntl
import struct
import termios
from collections.abc import AsyncIterator, Callable
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, cast

from gunicorn.drivers.aio.files import read_blocks, send_span

if TYPE_CHECKING:
    from gunicorn.drivers.aio.service import Service

LINGER_NS = 2_000_000_000
"""How long a connection may take to end when everything was sent: a half-closed peer may go on sending what nobody
reads (RFC 9112 9.6), the end of TLS awaits its answer."""
UNKNOWN = -1
PILE = 65536
"""Bytes that are piled up before they are written without waiting for the loop."""
STRETCH = 1 << 20
"""Bytes that are written without the loop coming round: then whoever makes more waits for it.

A client that reads as fast as it is sent to would hold the loop for ever; and under TLS nobody but the loop can
find out that a connection is broken.
"""


_INT = bytes(struct.calcsize("i"))


class State(enum.IntEnum):
    """What the connection is doing, beside the phase of its machine."""

    OPEN = 0
    LINGERING = 1
    """Our side is closed; what still arrives is thrown away."""
    CLOSING = 2
    """What is queued is being sent, then the end."""
    CLOSED = 3


class Nothing:
    """Takes the place of a transport that is gone: what is still said to it is lost."""

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass

    abort = pause_reading = resume_reading = write_eof = close

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> None:  # noqa: ARG002
        return None


NOTHING = cast(asyncio.Transport, Nothing())


class LoopTransport(asyncio.Protocol):
    """The exchange's `AsyncTransport` over a transport of the loop."""

    __slots__ = (
        "deadline",
        "drainers",
        "full",
        "paused",
        "pieces",
        "piled",
        "resting",
        "service",
        "state",
        "stretch",
        "transport",
        "unsent",
        "write",
    )

    write: Callable[[bytes], None]

    def __init__(self, service: Service) -> None:
        self.service = service
        self.transport = NOTHING
        self.write = NOTHING.write
        self.state = State.OPEN
        self.deadline = 0
        """Until when the client must have done something, monotonic ns."""
        self.full = False
        self.paused = False
        self.drainers: list[Any] | None = None
        self.pieces: list[bytes] | None = None
        self.piled = 0
        self.stretch = 0
        """Bytes written since the loop last came round."""
        self.resting = False
        """Full only until the loop comes round."""
        self.unsent = UNKNOWN
        """What the client had not taken when it was last measured, in bytes."""

    def set_deadline(self, now: int) -> None:
        """Until when the client must do something, by what is awaited of it."""
        raise NotImplementedError

    # -- what the loop calls -----------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """More is queued than `response_buffer`."""
        self.full = True
        self.resting = False
        self.unsent = self.measure()
        self.deadline = monotonic_ns() + self.service.write_ns

    def resume_writing(self) -> None:
        """The client has read on."""
        self.full = False
        self.unsent = UNKNOWN
        if self.state is State.OPEN:
            self.set_deadline(monotonic_ns())
        else:
            self.deadline = monotonic_ns() + LINGER_NS
        self.release_drainers()

    def measure(self) -> int:
        """Bytes that the client has not taken yet, queued here or in the kernel (SIOCOUTQ of tcp(7), unix(7))."""
        transport = self.transport
        unsent = transport.get_write_buffer_size()
        sock = transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                unsent += struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, _INT))[0]
        return unsent

    @property
    def is_over(self) -> bool:
        """Our side is closed, and the client has taken everything."""
        return self.state is not State.OPEN and not self.measure()

    # -- what exchanges call -----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Piles bytes up until the loop comes round: one write of many pieces costs a third of many writes."""
        pieces = self.pieces
        if pieces is None:
            self.pieces = [data]
            self.piled = len(data)
            self.service.loop.call_soon(self._come_round)
        else:
            pieces.append(data)
            self.piled += len(data)
        if self.piled > PILE:
            self.stretch += self.piled
            self.flush()
            if self.stretch > STRETCH and not self.full:
                self.full = self.resting = True

    def _come_round(self) -> None:
        """The loop has come round since something was sent."""
        self.stretch = 0
        self.flush()
        if self.resting:
            self.full = self.resting = False
            self.release_drainers()

    def flush(self) -> None:
        """Queues what is piled up; lost where the connection is."""
        pieces = self.pieces
        if pieces is not None:
            self.pieces = None
            transport = self.transport
            transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            if transport.is_closing():
                # A broken connection takes everything and is never full: who makes more must let the loop end it.
                self.full = True

    async def drain(self) -> None:
        """Waits until the client has read on, or is gone."""
        if self.full:
            waiter = self.future()
            if self.drainers is None:
                self.drainers = []
            self.drainers.append(waiter)
            await waiter

    def release_drainers(self) -> None:
        """Whoever waits in `drain` goes on."""
        drainers, self.drainers = self.drainers, None
        for waiter in drainers or ():
            if not waiter.done():
                waiter.set_result(None)

    async def send_file(self, fd: int, offset: int, count: int) -> None:
        """Sends a span of a file behind what is queued."""
        await send_span(self, fd, offset, count)

    def read_file(self, fd: int, offset: int, count: int) -> AsyncIterator[bytes]:
        """The span in blocks."""
        return read_blocks(self.service.loop, fd, offset, count)

    def pause_reading(self) -> None:
        """The client shall wait."""
        if not self.paused and self.state is State.OPEN:
            self.paused = True
            self.transport.pause_reading()
            self.set_deadline(monotonic_ns())

    def resume_reading(self) -> None:
        """Reads on."""
        if self.paused:
            self.paused = False
            if self.state is State.OPEN:
                self.transport.resume_reading()
                self.set_deadline(monotonic_ns())

    def future(self) -> Any:
        """A new future of the loop."""
        return self.service.loop.create_future()

    def end(self) -> None:
        """Closes when what is queued has been sent."""
        if self.state < State.CLOSING:
            self.flush()
            self.state = State.CLOSING
            self.unsent = UNKNOWN
            self.deadline = monotonic_ns() + LINGER_NS
            self.transport.close()

    def abort(self) -> None:
        """Closes at once; what the kernel does not take in this moment is lost."""
        self.flush()
        self.transport.abort()
