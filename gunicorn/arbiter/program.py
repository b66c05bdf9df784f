"""The life of one worker process, from its making in the parent to its exit status.

Knows the hooks around a worker and turns what can go wrong in one into an exit status and a log line.
How a worker serves is its class's business; when it must live or die is the pool's.
"""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Iterable
from typing import Any, Protocol

from gunicorn.arbiter.generation import Generation
from gunicorn.errors import EXIT_WORKER_BOOT, AppLoadError, WorkerBootError
from gunicorn.host.process import set_title
from gunicorn.metrics.cells import Cells
from gunicorn.net.listeners import Listener
from gunicorn.supervisor.birth import EXIT_CRASH, NOTICE_READY, Notice
from gunicorn.supervisor.child import Child

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


class Server(Protocol):
    """What a worker's life needs of the arbiter; hooks get the arbiter itself."""

    pid: int
    app: Any
    log: Any

    @property
    def proc_name(self) -> str: ...


class WorkerProgram:
    """A worker as the pool forks it."""

    def __init__(
        self, server: Server, child: Child, generation: Generation, cells: Cells, foreign: Iterable[Listener]
    ) -> None:
        """Builds the worker and calls the `pre_fork` hook; what either raises is the caller's to handle.

        `foreign` are listeners of other generations: held open by this worker they would still let clients in.
        """
        self._server = server
        self._foreign = list(foreign)
        self._cfg = generation.cfg
        worker = generation.worker_class(
            child.age,
            server.pid,
            list(generation.listeners),
            server.app,
            self._cfg.timeout / 2.0,
            self._cfg,
            server.log,
        )
        worker.generation = child.generation
        worker.cells = cells
        worker.row = cells.rows[child.slot]
        worker.tls = generation.tls
        self.worker = worker
        self._cfg.pre_fork(server, worker)

    def reopen(self) -> None:
        """Reopens the log files while the worker has no signal handler of its own."""
        self._server.log.reopen_files()

    def run(self, notice: Notice) -> int:
        """All that the child does; returns its exit status."""
        worker, log = self.worker, self._server.log
        ready = False

        def tell(byte: bytes) -> None:
            nonlocal ready
            ready = ready or byte == NOTICE_READY
            notice(byte)

        worker.notice = tell
        worker.pid = os.getpid()
        for listener in self._foreign:
            listener.close()
        try:
            set_title(f"gunicorn: worker [{self._server.proc_name}]")
            log.info("Booting worker with pid: %s", worker.pid)
            self._cfg.post_fork(self._server, worker)
            worker.init_process()
        except SystemExit as stop:
            if ready:
                raise
            log.error("The application called sys.exit(%r) before it could serve", stop.code)
            return EXIT_WORKER_BOOT
        except (AppLoadError, WorkerBootError) as problem:
            log.error("%s", explain(problem))
            return problem.exit_code
        except BaseException:
            log.exception("Exception in worker process")
            return EXIT_CRASH if ready else EXIT_WORKER_BOOT
        finally:
            log.info("Worker exiting (pid: %s)", worker.pid)
            self._say_goodbye()
        return 0

    def _say_goodbye(self) -> None:
        try:
            self._cfg.worker_exit(self._server, self.worker)
        except Exception:
            self._server.log.exception("The server hook worker_exit failed")


def explain(problem: AppLoadError | WorkerBootError) -> str:
    """The one line; followed by the traceback where the application's own code raised."""
    cause = problem.__cause__
    if not problem.own_fault or cause is None:
        return str(problem)
    trace = cause.__traceback__
    while trace is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return f"{problem}\n{''.join(traceback.format_exception(type(cause), cause, trace)).rstrip()}"


def _is_machinery(filename: str) -> bool:
    return filename.startswith(("<frozen importlib", _PACKAGE)) or filename == importlib.__file__
