"""The bytes of one connection on behalf of its exchange: sent now or queued, read live, waited for.

A slow client holds its application only beyond the limits: more queued than `response_buffer`, or a body
that the application asked to read while it arrives.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from time import monotonic_ns
from typing import TYPE_CHECKING, BinaryIO

from gunicorn.bridge.exchange import ClientGone
from gunicorn.drivers.blocking.outbox import FileSpan, Outbox
from gunicorn.drivers.blocking.tlssocket import TlsSocket
from gunicorn.protocol.errors import ProtocolError, too_late
from gunicorn.protocol.machine import Body, Event, Machine, Phase, Request

if TYPE_CHECKING:
    from gunicorn.drivers.blocking.service import Service


class SocketTransport:
    """The exchange's `Transport` over a non-blocking socket; `Connection` adds who owns it when."""

    __slots__ = ("broken", "fd", "inbox", "machine", "outbox", "request", "service", "sock")

    request: Request
    inbox: deque[Event]
    """Body events that came with the head of a request whose body is read live."""

    def __init__(self, service: Service, sock: socket.socket | TlsSocket, machine: Machine) -> None:
        self.service = service
        self.sock = sock
        self.fd = sock.fileno()
        self.machine = machine
        self.outbox: Outbox | None = None
        self.broken: ClientGone | ProtocolError | None = None
        """Why the body that is read live will never be whole."""

    def send(self, data: bytes) -> None:
        """Sends at once what the kernel takes and queues the rest.

        Waits first while too much is queued: what an application has made already costs nothing to hold,
        what it would make next does.
        """
        outbox = self.outbox
        if outbox is not None and outbox.size > self.service.response_buffer:
            self._wait_until_flushed(outbox)
            outbox = self.outbox
        if outbox is None:
            try:
                sent = self.sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                raise self._gone(error) from None
            if sent == len(data):
                return
            self.outbox = outbox = Outbox()
            outbox.add(memoryview(data)[sent:])
        else:
            outbox.add(data)

    def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Queues a span of a file and sends as much as the kernel takes now."""
        if self.outbox is None:
            self.outbox = Outbox()
        self.outbox.items.append(FileSpan(file, offset, count))

    def read_body(self, size: int) -> bytes:
        """Body bytes for an application that reads while they arrive; b"" at the end.

        Raises ClientGone when the client leaves, ProtocolError when it stalls or the body breaks a rule; and
        does so again when it is asked again: nobody may take the part that came for the whole.
        """
        if self.broken is not None:
            raise self.broken
        try:
            return self._read_on(size)
        except (ClientGone, ProtocolError) as error:
            self.broken = error
            self.machine.keep_alive = False
            raise

    def _read_on(self, size: int) -> bytes:
        machine = self.machine
        while True:
            while self.inbox:
                event = self.inbox.popleft()
                if type(event) is Body and event.data:
                    return event.data
            if machine.phase is not Phase.BODY:
                return b""
            go_on = machine.want_continue(self.request.stream)
            if go_on:
                self.send(go_on)
            data = self._recv_waiting(size)
            self.inbox.extend(machine.receive(data) if data else machine.receive_eof())

    def _recv_waiting(self, size: int) -> bytes:
        service = self.service
        waiter = select.poll()
        waiter.register(self.fd, select.POLLIN)
        deadline = monotonic_ns() + service.body_ns
        while True:
            try:
                return self.sock.recv(max(size, 1))
            except (BlockingIOError, InterruptedError):
                now = monotonic_ns()
            except OSError as error:
                raise self._gone(error) from None
            if now >= deadline:
                raise too_late("body")
            service.beat(now)
            waiter.poll(min(1000, max(1, (deadline - now) // 1_000_000)))

    def _wait_until_flushed(self, outbox: Outbox) -> None:
        """Holds the application until the client has read on; raises ClientGone when it does not."""
        service = self.service
        waiter = select.poll()
        waiter.register(self.fd, select.POLLOUT)
        deadline = monotonic_ns() + service.write_ns
        while outbox.items:
            before = outbox.moved
            try:
                outbox.flush(self.sock)
            except (BlockingIOError, InterruptedError):
                pass  # what is left is judged below
            except OSError as error:
                raise self._gone(error) from None
            if outbox.size * 2 <= service.response_buffer:
                break
            now = monotonic_ns()
            if outbox.moved != before:
                deadline = now + service.write_ns
            elif now >= deadline:
                raise self._gone(TimeoutError("the client stopped reading"))
            service.beat(now)
            waiter.poll(min(1000, max(1, (deadline - now) // 1_000_000)))
        if not outbox.items:
            self.outbox = None

    def _gone(self, error: OSError) -> ClientGone:
        """What is queued is lost; whatever an application sends that goes on all the same must not follow it."""
        self.machine.phase = Phase.CLOSED
        self.machine.keep_alive = False
        if self.outbox is not None:
            self.outbox.clear()
            self.outbox = None
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        return ClientGone(str(error))
