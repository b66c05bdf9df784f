"""A service whose applications are WSGI: bodies are collected on the loop, applications run in a pool of threads.

The loop's side of each request is its task, as for every other request; what may be said from a thread, and how, is
the bridge's (`bridge.wsgi_threads`).
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from functools import partial
from io import BufferedReader, BytesIO
from queue import SimpleQueue
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from gunicorn.bridge.environ import EnvironOptions, connection_base
from gunicorn.bridge.exchange import ClientGone
from gunicorn.bridge.files import LiveBody
from gunicorn.bridge.wsgi import Application, WsgiBridge
from gunicorn.bridge.wsgi_threads import Passage, ThreadExchange, WsgiExchange
from gunicorn.drivers.aio.service import Service
from gunicorn.drivers.blocking.spool import Spool
from gunicorn.drivers.ending import QuickStop
from gunicorn.metrics.cells import THREADS, THREADS_BUSY
from gunicorn.protocol.errors import ProtocolError, too_late

if TYPE_CHECKING:
    from gunicorn.drivers.aio.connection import Connection
    from gunicorn.drivers.aio.door import Door

READ_SIZE = 65536

Job = Callable[[], object]


class ThreadPool:
    """`count` threads that take jobs in turn. Daemons, because the end of a worker must not wait for a stuck one."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.threads: list[threading.Thread] = []

    def submit(self, job: Job) -> None:
        """Has a thread call `job`, which raises nothing, as soon as one is free."""
        if not self.threads:
            # Not before: a fork would not take them along.
            self.threads = [
                threading.Thread(target=self._work, name=f"gunicorn-{number}", daemon=True)
                for number in range(self.count)
            ]
            for thread in self.threads:
                thread.start()
        self.jobs.put(job)

    def close(self) -> None:
        """Sends every thread home that is free, or will be."""
        for _ in self.threads:
            self.jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self.jobs.get()
            if job is None:
                return
            job()
            # What the job held is not held until the next one comes.
            del job


class ThreadOptions(NamedTuple):
    """What a worker tells of its WSGI application; sizes in bytes."""

    app: Application
    environ: EnvironOptions
    threads: int = 1
    buffering: bool = True
    """Bodies are read to their end before a thread is taken."""
    spool_threshold: int = 262_144
    spool_directory: str | None = None


class ThreadedService(Service):
    """The service of an event loop for a WSGI application; see the module."""

    exchange = WsgiExchange

    def __init__(self, threaded: ThreadOptions, *arguments: Any) -> None:
        """`arguments` are those of `Service`."""
        super().__init__(*arguments)
        self.threaded = threaded
        self.pool = ThreadPool(threaded.threads)
        self.busy = 0
        """Requests in a thread, or waiting for one."""
        self.page[THREADS] = threaded.threads
        self.servers: dict[Door, tuple[str, str]] = {}

    async def run(self, exchange: Any) -> None:
        """The body of a request's task."""
        exchange.queue_ns = 0
        passage: Passage | None = None
        spool: Spool | LiveBody | None = None
        try:
            body: BinaryIO | None
            if exchange.request.complete:
                body = BytesIO()
            elif self.threaded.buffering:
                spool = Spool(self.threaded.spool_threshold, self.threaded.spool_directory)
                body = await self._collect(exchange, spool)
            else:
                spool = LiveBody(partial(self._pull, exchange))
                body = BufferedReader(spool, READ_SIZE)
            if body is not None:
                passage = Passage(exchange, self.loop.call_soon_threadsafe)
                exchange.started = monotonic_ns()
                self._hand_out(exchange, passage, body)
                error = await passage.attend()
                if error is not None:
                    self._raised(exchange, error)
        except QuickStop:
            raise
        except asyncio.CancelledError:
            # The worker ends. As with every other WSGI worker that leaves no answer but a broken connection.
            if not exchange.done and not exchange.gone:
                exchange.wire.abort()
            if passage is not None:
                passage.leave()
                # A thread cannot be cancelled, but hears that nobody listens. The next cancellation leaves it.
                await passage.attend()
            raise
        except BaseException as error:
            self._failed(exchange, error)
        finally:
            if spool is not None:
                spool.close()
            # Nothing may lead in circles: requests are freed by counting, not by the collector.
            exchange.environ = {}
            exchange.failure = None
            if passage is not None:
                self._count(-1)
            self._returned(exchange)

    def orphan(self, exchange: Any) -> None:
        """The client left: the thread hears of it when it says something, and is waited for."""

    # -- bodies ------------------------------------------------------------------------------------------

    async def _collect(self, exchange: WsgiExchange, spool: Spool) -> BinaryIO | None:
        """The whole request body, or None where there will not be one."""
        connection = cast("Connection", exchange.wire)
        while True:
            message = await exchange.receive()
            if message["type"] == "http.disconnect":
                if not exchange.gone:
                    # The worker ends.
                    connection.reject(too_late("body"))
                return None
            data: bytes = message["body"]
            try:
                if spool.size + len(data) > self.threaded.spool_threshold:
                    # A disk may take its time.
                    await self.loop.run_in_executor(None, spool.write, data)
                else:
                    spool.write(data)
                if not message["more_body"]:
                    return spool.file()
            except OSError as error:
                self.reporter.warned(f"a request body could not be stored: {error}")
                if not exchange.gone:
                    connection.reject(
                        ProtocolError(507, "spool", "RFC 4918 11.5", "the request body could not be stored")
                    )
                return None

    def _pull(self, exchange: WsgiExchange, size: int) -> bytes:  # noqa: ARG002
        """The next part of a body, for a thread that reads it while it arrives; b"" at its end. Raises ClientGone."""
        while not exchange.body_told:
            message = asyncio.run_coroutine_threadsafe(exchange.receive(), self.loop).result()
            if message["type"] == "http.disconnect":
                raise ClientGone("the client left before its request was complete")
            data: bytes = message["body"]
            if data:
                return data
        return b""

    # -- threads -----------------------------------------------------------------------------------------

    def _hand_out(self, exchange: WsgiExchange, passage: Passage, body: BinaryIO) -> None:
        """Gives the request to the threads."""
        connection = cast("Connection", exchange.wire)
        door = connection.door
        server = self.servers.get(door)
        if server is None:
            host, port = door.server
            server = self.servers[door] = ("", "") if port is None else (host, str(port))
        sock = connection.transport.get_extra_info("socket")
        threaded = self.threaded
        base = connection_base(threaded.environ, exchange.peer, server, sock)
        bridge = WsgiBridge(threaded.app, ThreadExchange(exchange, passage, body), base, sendfile=self.sendfile)
        context = contextvars.copy_context()
        self._count(1)

        def job() -> None:
            context.run(self._run_in_thread, exchange, passage, bridge)

        self.pool.submit(job)

    def _run_in_thread(self, exchange: WsgiExchange, passage: Passage, bridge: WsgiBridge) -> None:
        """The application's turn, in a thread of the pool."""
        failure: BaseException | None = None
        try:
            if exchange.gone:
                raise ClientGone("the client left before its request was begun")
            arrived, exchange.started = exchange.started, monotonic_ns()
            exchange.queue_ns = exchange.started - arrived
            if self.before is not None:
                self.before(exchange)
            bridge.run()
        except BaseException as error:
            failure = error
        bridge.close()
        passage.end(failure)
        # Its traceback leads to this frame.
        del failure

    def _raised(self, exchange: WsgiExchange, error: BaseException) -> None:
        """The application raised: not even a CancelledError of its own is one of ours."""
        if isinstance(error, asyncio.CancelledError):
            wrapped = RuntimeError("the application raised CancelledError")
            wrapped.__cause__ = error
            error = wrapped
        self._failed(exchange, error)

    def _count(self, more: int) -> None:
        self.busy += more
        self.page[THREADS_BUSY] = min(self.busy, self.threaded.threads)
