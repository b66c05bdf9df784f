"""The asgi worker: one event loop, any number of requests side by side, WebSockets, and the application's lifespan."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import signal
import threading
from collections.abc import Coroutine
from functools import partial
from time import monotonic_ns
from types import FrameType
from typing import Any, TypeVar

from gunicorn import SERVER
from gunicorn.bridge.asgi_websocket import WebSocketExchange
from gunicorn.bridge.lifespan import Lifespan, LifespanError
from gunicorn.bridge.scope import ScopeOptions
from gunicorn.bridge.wsgi import Application
from gunicorn.config import slices
from gunicorn.drivers.aio.connection import FOREVER
from gunicorn.drivers.aio.door import Door, DoorOptions
from gunicorn.drivers.aio.keeper import Keeper, Leave
from gunicorn.drivers.aio.service import Service, ServiceOptions
from gunicorn.drivers.aio.tasks import request_loop
from gunicorn.drivers.aio.threads import ThreadedService, ThreadOptions
from gunicorn.drivers.aio.watchdog import Watchdog
from gunicorn.drivers.ending import QuickStop
from gunicorn.errors import WorkerBootError
from gunicorn.host.clock import http_date
from gunicorn.metrics import cells
from gunicorn.protocol.limits import Stamp
from gunicorn.workers.farewell import graceful, quick
from gunicorn.workers.http import HttpWorker
from gunicorn.workers.report import LogReporter

T = TypeVar("T")

BROKEN_OFF = "The event loop is blocked; what it runs is broken off"

GOING_AWAY, SERVICE_RESTART = 1001, 1012
"""Close codes of WebSockets when the server stops, and when another worker takes over (RFC 6455 7.4.1)."""
IDLE_GRACE_NS = 500_000_000
"""When the server stops, idle connections may send one more request for so long."""
QUICK_SECONDS = 3.0
"""What the arbiter gives to a worker that shall end at once."""
STUCK_SECONDS = 0.3
"""A loop that did not hear of a quick stop for so long is blocked, and is left by force."""


class ASGIWorker(HttpWorker):
    """`worker_class = "asgi"`."""

    interface = "asgi"
    loop: asyncio.AbstractEventLoop
    service: Service
    keeper: Keeper
    quick = False
    over_at = 0
    """When the worker must have ended, monotonic ns."""

    # -- signals -----------------------------------------------------------------------------------------

    def init_signals(self) -> None:
        """Nothing yet: who is told to stop while the application starts up just ends."""

    def _install_signals(self) -> None:
        """Python's own handlers: they run between two steps of the loop, and wake it."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1):
            signal.signal(number, self._hear)
            signal.siginterrupt(number, False)

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if number == signal.SIGUSR1:
            self.log.reopen_files()
        elif number == signal.SIGTERM:
            self.loop.call_soon_threadsafe(self.begin_stop)
        elif not self.quick:
            self.quick = True
            self.alive = False
            self.cfg.worker_int(self)
            # An application that blocks the loop must not block the end.
            signal.signal(signal.SIGALRM, _leave_by_force)
            signal.setitimer(signal.ITIMER_REAL, STUCK_SECONDS)
            self.loop.call_soon_threadsafe(self._end_now)

    def _end_now(self) -> None:
        """INT, QUIT, or overtaken by two reloads: streams and WebSockets get a moment to end in order."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        times = quick(min(QUICK_SECONDS, self.cfg.graceful_timeout))
        self.over_at = monotonic_ns() + int(times.over * 1e9)
        self.keeper.stop(Leave(self._close_code(), cancel_ns=int(times.cancel * 1e9)))

    def begin_stop(self) -> None:
        """TERM: answers what was begun; empties the accept queue too if the whole server stops."""
        if not self.alive:
            return
        self.alive = False
        times = graceful(self.cfg.graceful_timeout)
        self.over_at = monotonic_ns() + int(times.over * 1e9)
        all_stop = self._all_stop()
        self.keeper.stop(
            Leave(
                self._close_code(),
                drain_queue=all_stop,
                dropped=self.row.page[cells.DROPPED],
                # No request may come in that would be cancelled.
                idle_ns=IDLE_GRACE_NS if all_stop else int(times.tell * 0.5e9),
                tell_ns=int(times.tell * 1e9),
                cancel_ns=int(times.cancel * 1e9),
            )
        )

    def _all_stop(self) -> bool:
        return self.cells.rows[0].page[cells.PHASE] == cells.Stage.DRAINING

    def _close_code(self) -> int:
        return GOING_AWAY if self._all_stop() or self.quick else SERVICE_RESTART

    # -- composition -------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Starts the application up and composes the rest, before READY: what fails here fails the boot."""
        assert self.wsgi is not None
        app: Any = self.wsgi
        self.loop = _new_loop(self.cfg.asgi_loop)
        asyncio.set_event_loop(self.loop)
        state: dict[str, Any] = {}
        self.loop.set_exception_handler(self._report_stray)
        mode = "off" if self.cfg.interface == "wsgi" else self.cfg.asgi_lifespan
        self.lifespan = Lifespan(app, mode, self.loop.create_future, state, self._lifespan_died)
        context = contextvars.copy_context()
        self.lifespan_task = self.loop.create_task(self.lifespan.run(), context=context)
        try:
            self._finish(self.lifespan.startup())
        except LifespanError as error:
            raise WorkerBootError(str(error), own_fault=error.__cause__ is not None) from error.__cause__
        failure = self.lifespan.failure
        if not self.lifespan.supported and failure is not None:
            # One that took the message and then raised mostly meant to start something up.
            say = self.log.warning if self.lifespan.heard else self.log.debug
            say("Serving without lifespan, the application raised in its start-up: %r", failure)
        self.compose(app, state, context)
        self._install_signals()

    def compose(self, app: Any, state: dict[str, Any], context: contextvars.Context) -> None:
        """Makes service, doors and keeper from the settings; from here on nobody asks the configuration."""
        cfg = self.cfg
        options = ServiceOptions(
            scope=ScopeOptions(cfg.root_path or os.environ.get("SCRIPT_NAME", ""), state),
            timeouts=slices.timeouts(cfg),
            response_buffer=cfg.response_buffer,
            sendfile=cfg.sendfile is not False,
            disconnect_grace=cfg.asgi_disconnect_grace_period,
        )
        stamp = Stamp(SERVER, http_date())
        reporter = LogReporter(self.log)
        if cfg.interface == "wsgi":
            threaded = self.thread_options(app)
            self.service = ThreadedService(threaded, app, options, self.row, stamp, reporter, self.loop, context)
        else:
            self.service = Service(app, options, self.row, stamp, reporter, self.loop, context)
            self.service.websocket = partial(WebSocketExchange, policy=slices.websocket_policy(cfg))
        service = self.service
        self.attach_observers(service)
        silence = int(self.timeout * 1e9) or FOREVER
        self.keeper = Keeper(service, max_connections=cfg.worker_connections, silence_ns=silence)
        self.keeper.on_second = self.every_second
        door_options = DoorOptions(self.machine_factory(stamp), self.tls, cfg.workers == 1)
        self.watchdog = Watchdog(cfg.asgi_block_threshold, self.log.warning, self.row)
        self.doors = [Door(service, listener, door_options, self.keeper.able) for listener in self.sockets]

    def thread_options(self, app: Application) -> ThreadOptions:
        """How a WSGI application runs here."""
        cfg = self.cfg
        return ThreadOptions(
            app,
            self.environ_options(multithread=True),
            threads=max(cfg.threads, 1),
            buffering=cfg.request_buffering,
            spool_threshold=cfg.spool_threshold,
            spool_directory=cfg.tmp_upload_dir,
        )

    def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs the loop until `work` is done, heartbeats going on meanwhile."""
        return self.loop.run_until_complete(work)

    def _report_stray(self, loop: asyncio.AbstractEventLoop, about: dict[str, Any]) -> None:  # noqa: ARG002
        """What no task of ours is there to hear: callbacks that raised, tasks that nobody awaited."""
        error = about.get("exception")
        if isinstance(error, QuickStop):
            # Raised while a transport was the caller, which takes it for its own trouble.
            self.log.warning(BROKEN_OFF)
            return
        self.log.error("%s", about.get("message") or "Exception in the event loop", exc_info=error)

    def _lifespan_died(self, error: BaseException) -> None:
        self.log.error("The lifespan of the application ended while it served", exc_info=error)

    # -- life --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serves until the end, then lets the application shut down."""
        loop = self.loop
        self.keeper.finished = loop.create_future()
        self.watchdog.start(self.keeper, threading.get_ident())
        try:
            self.keeper.start(self.doors)
            loop.run_until_complete(self.keeper.finished)
        except QuickStop:
            self.log.warning(BROKEN_OFF)
        except (SystemExit, KeyboardInterrupt) as error:
            # Of a request it is an exception like others; from a task of its own it stops every loop.
            self.log.error("A task of the application ended the worker: %r", error, exc_info=error)
            raise
        finally:
            self._wind_up()

    def _wind_up(self) -> None:
        """Ends what still runs, in order: connections, tasks, lifespan, loop. Bounded in time."""
        if not self.over_at:
            self.over_at = monotonic_ns() + int(quick(QUICK_SECONDS).over * 1e9)
        self.keeper.close()
        try:
            self._finish(self._shut_down())
            with contextlib.suppress(TimeoutError):
                self._finish(asyncio.wait_for(self.loop.shutdown_asyncgens(), self._left(1.0)))
        except QuickStop:
            self.log.warning("The application did not shut down in time")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.watchdog.stop()
            self.keeper.stop_clock()
            self.service.page[cells.HEARTBEAT] = monotonic_ns()

    def _left(self, share: float) -> float:
        """A share of the time that is left, in seconds; never none at all."""
        return max((self.over_at - monotonic_ns()) / 1e9, 0.1) * share

    async def _shut_down(self) -> None:
        tasks = [exchange.task for exchange in self.service.running if exchange.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self._left(0.1))
        seconds = self._left(0.8)
        try:
            await asyncio.wait_for(self.lifespan.shutdown(), seconds)
        except TimeoutError:
            self.log.warning("The application did not finish its shutdown within %.1f s", seconds)
        except LifespanError as error:
            self.log.error("%s", error, exc_info=error.__cause__)
        self.lifespan_task.cancel()
        await asyncio.wait([self.lifespan_task], timeout=self._left(0.5))


def _leave_by_force(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise QuickStop(0)


def _new_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "asyncio":
        return request_loop(asyncio.SelectorEventLoop)
    try:
        import uvloop
    except ImportError:
        if kind == "uvloop":
            raise WorkerBootError("asgi_loop is 'uvloop', which is not installed; install gunicorn[uvloop]") from None
        return request_loop(asyncio.SelectorEventLoop)
    return request_loop(uvloop.Loop)
