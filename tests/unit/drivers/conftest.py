"""A driver in a thread of the test: real sockets, a real machine, an application of the test's."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

import pytest

from gunicorn.bridge.environ import EnvironOptions
from gunicorn.drivers.blocking.crew import Crew
from gunicorn.drivers.blocking.door import Door, DoorOptions
from gunicorn.drivers.blocking.poller import Poller
from gunicorn.drivers.blocking.service import Service, ServiceOptions
from gunicorn.metrics.cells import Cells
from gunicorn.net.address import Bind, BindKind
from gunicorn.net.listener import Listener
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Limits, Stamp, Timeouts
from gunicorn.protocol.trust import TrustPolicy

TIMES = Timeouts(handshake=5, header=5, body=5, keepalive=5, write=5)


class WakePipe:
    """The poller's source, in the place of a worker's signals."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()
        os.set_blocking(self.out, False)
        self.calls: list[Callable[[], object]] = []

    def fileno(self) -> int:
        return self.out

    def ready(self, mask: int, now: int) -> None:
        os.read(self.out, 4096)
        while self.calls:
            self.calls.pop()()

    def wake(self) -> None:
        os.write(self.into, b"\0")


class Recorder:
    """The driver's reporter, remembering."""

    def __init__(self) -> None:
        self.rules: list[str] = []
        self.crashes: list[BaseException] = []
        self.messages: list[str] = []

    def rejected(self, connection, error) -> None:
        self.rules.append(error.rule)

    def crashed(self, exchange, error) -> None:
        self.crashes.append(error)

    def warned(self, message) -> None:
        self.messages.append(message)

    def noticed(self, message) -> None:
        self.messages.append(message)


class Running:
    """One driver, served by a thread until `close`."""

    crew: Crew | None = None

    def __init__(
        self,
        app: Callable,
        threads: int,
        times: Timeouts,
        limits: Limits,
        max_connections: int,
        fatal: bool = False,
        **options,
    ):
        self.fatal = fatal
        """A fault that ends the driver is expected."""
        self.fault: BaseException | None = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.row = Cells(1).rows[1]
        self.said = Recorder()
        self.source = WakePipe()
        settings = ServiceOptions(environ=EnvironOptions(multithread=threads > 0), timeouts=times)
        stamp = Stamp("test", "Thu, 01 Jan 1970 00:00:00 GMT")
        self.service = Service(app, settings._replace(**options), self.row, stamp, self.said)
        policy, trust = HttpPolicy(limits=limits), TrustPolicy()
        machine = DoorOptions(lambda peer: Http1(policy, trust, stamp, peer, "http"))
        bind = Bind(BindKind.TCP, *self.address)
        door = Door(self.service, Listener(self.listener, bind, name="test"), machine)
        self.poller = Poller(self.service, [door], self.source, max_connections=max_connections)
        self.over = False
        self.thread = threading.Thread(target=self._serve, args=(threads,), daemon=True)
        self.thread.start()

    def _serve(self, threads: int) -> None:
        try:
            if threads:
                self.crew = Crew(self.poller, threads, self.source.wake, lambda: self.over)
                self.crew.run()
            else:
                while not self.over:
                    self.poller.turn()
        except BaseException as error:
            self.fault = error

    def connect(self) -> socket.socket:
        sock = socket.create_connection(self.address, timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def call(self, what: Callable[[], object]) -> None:
        """Runs `what` on the polling thread, as a signal would."""
        self.source.calls.append(what)
        self.source.wake()

    def halt(self) -> Running:
        """Stops the driver's threads and leaves everything open: the test turns the poller."""
        self.over = True
        self.source.wake()
        self.thread.join(10)
        assert not self.thread.is_alive()
        return self

    def close(self) -> None:
        self.halt()
        assert self.fatal or self.fault is None
        self.poller.close()
        os.close(self.source.into)
        os.close(self.source.out)


@pytest.fixture(params=[0, 1, 4], ids=["sync", "gthread-1", "gthread-4"])
def threads(request) -> int:
    return request.param


@pytest.fixture
def serve(threads):
    """`serve(app, **service_options)`: the running driver of a sync worker and of two crews, in turn."""
    running: list[Running] = []

    def start(app, times=TIMES, limits=None, max_connections=100, **options) -> Running:
        running.append(Running(app, threads, times, limits or Limits(), max_connections, **options))
        return running[-1]

    yield start
    for one in running:
        one.close()
