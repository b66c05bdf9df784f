"""The arbiter: what each signal means, and the order in which a server starts, reloads and stops.

Composition only. Who lives and dies is decided in `supervisor.plan`, what a setting means in `config`,
how a socket is opened in `net`; this file connects them. Nothing here waits: whatever takes time
(boot, drain, upgrade) is a state of the one loop, so signals, heartbeats and deaths are always heard.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from gunicorn import __version__
from gunicorn.arbiter.gauges import BacklogGauge
from gunicorn.arbiter.generation import policy_of
from gunicorn.arbiter.identity import Identity
from gunicorn.arbiter.lineage import Lineage
from gunicorn.arbiter.program import WorkerProgram
from gunicorn.arbiter.signals import SIGNALS
from gunicorn.config import Level, Settings, resolve_class
from gunicorn.errors import EXIT_CONFIG, GunicornError
from gunicorn.host.process import set_title
from gunicorn.host.signals import SignalPipe, signal_name
from gunicorn.host.systemd import Notifier
from gunicorn.log.logger import Logger
from gunicorn.metrics import cells as columns
from gunicorn.metrics.bus import Bus
from gunicorn.metrics.cells import Cells, Stage
from gunicorn.net.listeners import Listener, resume_intake, stop_intake
from gunicorn.supervisor import upgrade
from gunicorn.supervisor.child import Child
from gunicorn.supervisor.loop import Loop
from gunicorn.supervisor.plan import Goal
from gunicorn.supervisor.pool import Pool

STATSD_LOGGER = "gunicorn.instrument.statsd.Statsd"
"""The logger where `statsd_host` is set and `logger_class` is not."""

SPARE_SLOTS = 64
"""Rows of cells beyond four times the configured workers: room for TTIN and for two generations."""


class Arbiter:
    """The server process of an application object that has `cfg`, `wsgi()` and `reload()`.

    The server hooks get it as `server`: `cfg log app pid address num_workers LISTENERS WORKERS`.
    """

    def __init__(self, app: Any) -> None:
        """Reads the settings and, with `preload_app`, loads the application. Raises GunicornError."""
        self.app = app
        self.pid = os.getpid()
        self.loop = Loop()
        self.bus = Bus()
        self.notifier = Notifier()
        self.backlog: BacklogGauge | None = None
        self.lineage = Lineage(app)
        self.log: Any = _logger_class(self.cfg)(self.cfg)
        self._follow()
        self.identity = Identity(self.loop, self.log, self._promoted)
        self.lineage.adopt()
        self.cells = Cells(4 * self.cfg.workers + SPARE_SLOTS)
        self.pool = Pool(
            self.cfg.workers,
            policy_of(self.cfg),
            owner=self,
            cells=self.cells,
            loop=self.loop,
            log=self.log,
            emit=self.bus.emit,
            separate=self._separate,
        )
        self._heard: deque[signal.Signals] = deque()
        self._code_changed = False
        self._signals: SignalPipe | None = None
        self._fallback_target = self.num_workers

    # -- what hooks and tools read

    @property
    def cfg(self) -> Settings:
        """The settings in force."""
        return self.lineage.cfg

    @property
    def proc_name(self) -> str:
        """How the process is called in `ps`."""
        return self.cfg.proc_name or self.cfg.default_proc_name

    @property
    def address(self) -> Any:
        """Where `bind` says to listen, parsed."""
        return self.cfg.address

    @property
    def LISTENERS(self) -> list[Listener]:  # noqa: N802 - the name that hooks know
        """The listeners in force."""
        return self.lineage.listeners

    @property
    def num_workers(self) -> int:
        """How many workers are wanted."""
        return self.pool.state.target

    @num_workers.setter
    def num_workers(self, number: int) -> None:
        before = self.pool.state.target
        after = self.pool.scale(number)
        if after < number:
            self.log.warning("There is room for %d workers, not for %d, until the next start", after, number)
        if after != before:
            self._guard("nworkers_changed", self.cfg.nworkers_changed, self, after, before)
            self.bus.emit("pool.scaled", old=before, new=after)

    @property
    def WORKERS(self) -> Mapping[int, Any]:  # noqa: N802 - the name that hooks know
        """The worker objects, as made before their fork, by pid."""
        return {pid: child.program.worker for pid, child in self.pool.state.children.items()}

    # -- the life of the server

    def run(self) -> NoReturn:
        """Serves until told to stop; ends the process by SystemExit. Raises GunicornError when it cannot start."""
        sys.exit(self._serve())

    def _serve(self) -> int:
        code = EXIT_CONFIG
        try:
            self.start()
            while self.pool.exit_code is None:
                self.turn()
            code = self.pool.exit_code
            if code:
                self.log.error("Shutting down: a worker could not boot")
        except GunicornError as problem:
            if self.cfg.errorlog != "-":
                self.log.error("%s", problem)
            raise
        except Exception:
            self.log.exception("Unhandled exception in the arbiter")
            self.pool.forward(signal.SIGQUIT)
        finally:
            self._leave()
        return code

    def start(self) -> None:
        """From settings to listening sockets: everything that can still fail with one clear line."""
        self.log.info("Starting gunicorn %s", __version__)
        self.pid = os.getpid()
        self.cells.rows[0].page[columns.PID] = self.pid
        set_title(f"gunicorn: master [{self.proc_name}]")
        self.cfg.on_starting(self)
        self._signals = SignalPipe()
        self._signals.install(SIGNALS)
        self.loop.watch(self._signals.fileno(), self._hear)
        self.identity.assume(self.cfg.pidfile)
        self.lineage.open(self.log.warning, self._wait)
        os.environ.pop(upgrade.PARENT_PID, None)
        self.notifier = Notifier.from_environment()
        self.lineage.generations[1] = self.lineage.describe()
        self.bus.subscribe("worker.ready", self._succeed)
        self.log.info("Listening at: %s (%s)", ", ".join(map(str, self.LISTENERS)), self.pid)
        self.log.info("Using worker: %s", self.lineage.worker_name)
        for setting in self.cfg.unheeded():
            self.log.warning("This setting has no effect in this version: %s", setting)
        self.cells.rows[0].page[columns.PHASE] = Stage.SERVING
        self._guard("nworkers_changed", self.cfg.nworkers_changed, self, self.num_workers, None)
        self.cfg.when_ready(self)
        self.bus.emit("server.started", server=self)

    def _wait(self, seconds: float) -> None:
        """Waits for a port to become free, and no longer than nobody says stop."""
        end = time.monotonic_ns() + int(seconds * 1e9)
        while time.monotonic_ns() < end:
            self.loop.turn(end)
            if not {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}.isdisjoint(self._heard):
                sys.exit(0)

    def turn(self) -> None:
        """One turn of the loop: obey what was heard, do what is due, wait for what comes."""
        while self._heard:
            self._obey(self._heard.popleft())
        if self._code_changed:
            self._code_changed = False
            self.log.info("The code changed on disk")
            self.reload()
        wake_at = self.pool.step()
        if self.pool.exit_code is not None:
            return
        now = time.monotonic_ns()
        self.cells.rows[0].page[columns.HEARTBEAT] = now
        wake_at = min((t for t in (wake_at, self._own_wake_at(now)) if t is not None), default=None)
        late = self.loop.turn(wake_at)
        if late:
            self.log.warning("The arbiter did not run for %.1f s; heartbeats are not judged for that time", late / 1e9)
            self.pool.excuse(late)
        self.pool.reap()
        self.identity.look()

    def _own_wake_at(self, now: int) -> int | None:
        """When the arbiter itself has something to do, whatever the pool needs."""
        times = []
        if self.identity.wake_after is not None:
            times.append(now + self.identity.wake_after)
        if self.notifier.watchdog_interval:
            self.notifier.watchdog()
            times.append(now + int(self.notifier.watchdog_interval * 1e9))
        if self.backlog is not None:
            times.append(self.backlog.look(self.LISTENERS, now))
        return min(times, default=None)

    def _leave(self) -> None:
        """Gives back what the process holds, whatever happened before."""
        for listener in self.LISTENERS:
            listener.close(unlink=self.identity.is_alone)
        self.identity.leave()
        self._guard("on_exit", self.cfg.on_exit, self)
        self.log.info("Shutting down: Master")
        if self._signals is not None:
            self._signals.close()

    # -- signals

    def _hear(self) -> None:
        assert self._signals is not None
        self._heard.extend(self._signals.read())

    def _obey(self, number: signal.Signals) -> None:
        if number is not signal.SIGCHLD:
            self.log.info("Handling signal: %s", signal_name(number))
        SIGNALS[number](self)

    # -- verbs: what a signal asks for

    @property
    def is_stopping(self) -> bool:
        """Whether the server was told to stop."""
        return self.pool.state.goal is not Goal.SERVE

    def stop(self, *, graceful: bool) -> None:
        """Finishes what was begun and what waits in the accept queues, or stops at once."""
        if not self.is_stopping:
            self.bus.emit("server.stopping", server=self)
            if self.identity.successor:
                self.notifier.mainpid(self.identity.successor)
            else:
                self.notifier.stopping()
        if graceful:
            self._stop_intake()
            self.pool.drain()
        else:
            self.pool.quit()

    def _stop_intake(self) -> None:
        """No newcomers; who waits in the queues is served to the end, by us or by the other server."""
        alone = self.identity.is_alone
        self.cells.rows[0].page[columns.PHASE] = Stage.DRAINING if alone else Stage.UPGRADED
        if alone:
            for listener in self.LISTENERS:
                stop_intake(listener)

    def reopen(self) -> None:
        """Reopens the log files, here and in the workers."""
        self.log.reopen_files()
        self.pool.forward(signal.SIGUSR1)

    def upgrade(self) -> None:
        """A new server on the same sockets, beside this one."""
        try:
            self.cfg.pre_exec(self)
            self.identity.launch(self.LISTENERS)
        except Exception:
            self.log.exception("The upgrade cannot begin")

    def _promoted(self) -> None:
        self.notifier.mainpid(self.pid)
        self.bus.emit("server.promoted", server=self)

    def reload(self) -> None:
        """Reads the configuration again and lets a new generation take over; on any error nothing changes."""
        if self.is_stopping:
            return
        self.notifier.reloading()
        before = self.lineage.generations[self.pool.state.generation]
        try:
            generation = self.lineage.renew(self._configure_log)
        except (Exception, SystemExit) as problem:
            # SystemExit: a configuration file, or code it imports, may call sys.exit().
            known = isinstance(problem, GunicornError)
            self.lineage.become(before, self._configure_log)
            self.log.error("Reload refused, the running configuration stays: %s", problem, exc_info=not known)
            self.bus.emit("server.reload_failed", reason=str(problem))
            self.notifier.ready("reload refused")
            return
        self._guard("on_reload", self.cfg.on_reload, self)
        if self.pool.state.settled == self.pool.state.generation:
            self._fallback_target = self.num_workers
        if generation.listeners != before.listeners:
            self.log.info("Listening at: %s", ", ".join(map(str, generation.listeners)))
        if generation.worker_class is not before.worker_class:
            self.log.info("Using worker: %s", self.lineage.worker_name)
        self.lineage.generations[self.pool.renew(policy_of(self.cfg))] = generation
        self.num_workers = self.cfg.workers

    def _configure_log(self, cfg: Settings) -> None:
        kind = _logger_class(cfg)
        if isinstance(self.log, kind) and isinstance(self.log, Logger):
            self.log.reconfigure(cfg)
        else:
            self.log = self.pool.log = kind(cfg)
            self._follow()

    def _follow(self) -> None:
        """A logger that also counts hears of the pool."""
        self.backlog = None
        if self.cfg.statsd_host and isinstance(self.log, resolve_class(STATSD_LOGGER, "logger_class")):
            self.log.follow(self.bus)
            if self.cfg.enable_backlog_metric:
                self.backlog = BacklogGauge(self.log)

    # -- what the pool tells

    def program(self, child: Child) -> WorkerProgram:
        """The worker for `child`, of the generation it belongs to."""
        generation = self.lineage.generations[child.generation]
        foreign = [listener for listener in self.lineage.all_listeners() if listener not in generation.listeners]
        return WorkerProgram(self, child, generation, self.cells, foreign)

    def born(self, child: Child) -> None:
        """Hooks in this process know a worker by its pid too."""
        child.program.worker.pid = child.pid

    def buried(self, child: Child, status: int) -> None:  # noqa: ARG002
        """A worker was reaped."""
        self._guard("child_exit", self.cfg.child_exit, self, child.program.worker)

    def stranger(self, pid: int, status: int) -> None:
        """As PID 1 of a container the orphans of others are ours to reap, and nobody's business."""
        if not self.identity.lost(pid, status):
            self.log.debug("Reaped the unknown process %s, status %s", pid, status)

    def changed(self, child: Child) -> None:
        """Every worker sees the change that all of them see; those of an older generation are leaving anyway."""
        self._code_changed = self._code_changed or child.generation == self.pool.state.generation

    def _succeed(self, child: Child, **_data: Any) -> None:
        """The first of a new generation serves: addresses that it gave up take no newcomers any more, and
        whoever leaves empties their queues."""
        if child.generation == self.pool.state.generation:
            for listener in self.lineage.dropped():
                # A unix path could not be put back, should the new generation fail after all.
                if listener.family != socket.AF_UNIX:
                    stop_intake(listener)
            self._mark_dropped()

    def _mark_dropped(self) -> None:
        for child in self.pool.state.children.values():
            self.cells.rows[child.slot].page[columns.DROPPED] = self.lineage.dropped_bits(child.generation)

    def settled(self, generation: int) -> None:
        """All wanted workers of `generation` serve and no other does."""
        self.log.debug("Generation %s serves with %s workers", generation, self.num_workers)
        self.lineage.keep_only(generation, unlink=self.identity.is_alone)
        self.notifier.ready(f"serving with {self.num_workers} workers")

    def abandoned(self, generation: int, fallback: int) -> None:
        """The new code or configuration cannot boot: what serves stays, with the settings it was born with."""
        self.log.error("Generation %s cannot boot and is abandoned; generation %s serves on", generation, fallback)
        self.lineage.become(self.lineage.generations[fallback], self._configure_log)
        for listener in self.LISTENERS:
            resume_intake(listener)
        self._mark_dropped()
        self.pool.state.policy = policy_of(self.cfg)
        self.num_workers = self._fallback_target
        self.notifier.ready("reload abandoned: new workers cannot boot")

    # -- plumbing

    def _separate(self) -> None:
        """In a child, with all signals blocked: lets go of what is the parent's alone."""
        if self._signals is not None:
            self._signals.forget()
        self.notifier.close()

    def _guard(self, name: str, hook: Callable[..., Any], *args: Any) -> None:
        """Calls a server hook whose failure must not end a server that serves."""
        try:
            hook(*args)
        except Exception:
            self.log.exception("The server hook %s failed", name)


def _logger_class(cfg: Settings) -> type[Any]:
    if cfg.statsd_host and cfg.provenance["logger_class"].level is Level.DEFAULT:
        return resolve_class(STATSD_LOGGER, "logger_class")
    return resolve_class(cfg.logger_class, "logger_class", str(cfg.provenance["logger_class"]))
