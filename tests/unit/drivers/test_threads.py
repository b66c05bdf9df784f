"""WSGI in threads beside a loop, over real sockets: what is counted, how many run, what a pool promises."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import threading

import pytest

from gunicorn.bridge.environ import EnvironOptions
from gunicorn.bridge.scope import ScopeOptions
from gunicorn.drivers.aio.door import Door, DoorOptions
from gunicorn.drivers.aio.keeper import Keeper
from gunicorn.drivers.aio.service import ServiceOptions
from gunicorn.drivers.aio.tasks import request_loop
from gunicorn.drivers.aio.threads import ThreadedService, ThreadOptions, ThreadPool
from gunicorn.metrics import cells
from gunicorn.net.address import Bind, BindKind
from gunicorn.net.listener import Listener
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Stamp, Timeouts
from gunicorn.protocol.trust import TrustPolicy
from tests.unit.drivers.conftest import Recorder

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
mood: contextvars.ContextVar[str] = contextvars.ContextVar("mood", default="none")


class Threaded:
    """A loop in a thread of the test, serving `app` in `threads` threads."""

    def __init__(self, app, threads: int = 2, **options) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        self.row = cells.Cells(1).rows[1]
        self.said = Recorder()
        self.loop = request_loop(asyncio.SelectorEventLoop)
        self.after: list[dict] = []
        context = contextvars.copy_context()
        context.run(mood.set, "of the worker")
        stamp = Stamp("test", "Thu, 01 Jan 1970 00:00:00 GMT")
        times = Timeouts(handshake=5, header=5, body=5, keepalive=5, write=5)
        threaded = ThreadOptions(app, EnvironOptions(multithread=True), threads, **options)
        settings = ServiceOptions(ScopeOptions(), times)
        self.service = ThreadedService(threaded, None, settings, self.row, stamp, self.said, self.loop, context)
        self.service.after = lambda exchange: self.after.append(dict(exchange.environ))
        keeper = self.keeper = Keeper(self.service, max_connections=100, silence_ns=1 << 62)
        machine = DoorOptions(lambda peer: Http1(HttpPolicy(), TrustPolicy(), stamp, peer, "http"))
        bind = Bind(BindKind.TCP, *self.address)
        self.door = Door(self.service, Listener(self.listener, bind, name="test"), machine, keeper.able)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.keeper.start([self.door])
        self.loop.run_forever()
        self.keeper.close()
        self.keeper.stop_clock()
        self.loop.run_until_complete(asyncio.sleep(0.05))
        self.service.pool.close()
        self.loop.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10)

    def ask(self, data: bytes = GET) -> bytes:
        with self.connect() as sock:
            sock.sendall(data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            received = b""
            while piece := sock.recv(65536):
                received += piece
            return received

    def settled(self, requests: int) -> None:
        """Waits, within bounds, until so many requests are accounted for and nothing runs."""
        for _ in range(1000):
            if self.service.requests >= requests and not self.service.running:
                break
            threading.Event().wait(0.01)
        assert self.service.requests == requests
        assert not self.service.running

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def serve():
    running: list[Threaded] = []

    def start(app, *arguments, **options) -> Threaded:
        running.append(Threaded(app, *arguments, **options))
        return running[-1]

    yield start
    for one in running:
        one.close()


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [mood.get().encode()]


def test_a_request_is_counted_once_and_starts_from_the_context_of_the_worker(serve):
    server = serve(hello)
    for _ in range(3):
        assert server.ask().endswith(b"\r\n\r\nof the worker")
    server.settled(3)
    page = server.row.page
    assert page[cells.STATUS_2XX] == 3
    assert page[cells.ABORTED] == 0
    assert page[cells.IN_FLIGHT] == 0
    assert page[cells.THREADS] == 2
    assert page[cells.THREADS_BUSY] == 0
    assert [environ["PATH_INFO"] for environ in server.after] == ["/", "/", "/"]
    environ = server.after[0]
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", str(server.address[1]))
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.multithread"] is True


def test_a_failure_is_counted_and_told_once(serve):
    def broken(environ, start_response):
        raise SystemExit(3)

    server = serve(broken)
    assert server.ask().startswith(b"HTTP/1.1 500 ")
    server.settled(1)
    assert [type(error) for error in server.said.crashes] == [SystemExit]
    assert server.row.page[cells.STATUS_5XX] == 1
    assert server.row.page[cells.ABORTED] == 0


def test_no_more_requests_run_than_there_are_threads(serve):
    lock, now, most = threading.Lock(), [0], [0]
    go_on = threading.Event()

    def counting(environ, start_response):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        go_on.wait(10)
        with lock:
            now[0] -= 1
        return hello(environ, start_response)

    server = serve(counting, 3)
    clients = [threading.Thread(target=server.ask) for _ in range(8)]
    for client in clients:
        client.start()
    page = server.row.page
    for _ in range(1000):
        if page[cells.IN_FLIGHT] == 8:
            break
        threading.Event().wait(0.01)
    assert page[cells.IN_FLIGHT] == 8, "the loop took them all in"
    assert page[cells.THREADS_BUSY] == 3
    go_on.set()
    for client in clients:
        client.join(10)
    server.settled(8)
    assert most[0] == 3


@pytest.mark.parametrize("buffering", [True, False])
@pytest.mark.parametrize("size", [0, 1, 70_000, 500_000])
def test_a_body_is_whole(serve, size, buffering):
    def echo(environ, start_response):
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    server = serve(echo, buffering=buffering, spool_threshold=100_000)
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    head = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % size
    assert server.ask(head + body).partition(b"\r\n\r\n")[2] == body


def test_a_pool_runs_jobs_in_order_and_ends_when_it_is_told():
    pool = ThreadPool(1)
    seen: list[tuple[int, str]] = []
    for number in range(20):
        pool.submit(lambda number=number: seen.append((number, threading.current_thread().name)))
    pool.close()
    for thread in pool.threads:
        thread.join(10)
        assert not thread.is_alive()
    assert seen == [(number, "gunicorn-0") for number in range(20)]


def test_a_pool_nobody_uses_has_no_threads():
    pool = ThreadPool(4)
    pool.close()
    assert pool.threads == []
