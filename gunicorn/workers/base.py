"""A worker process: what it is given, how it starts, how it hears of its end.

`Worker` is the base of every worker class, ours and those that users bring: the constructor, `init_process`,
`run`, `notify`, `init_signals` and the attributes are the names that existing subclasses know. How requests
are served is `run`, which subclasses write.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from time import monotonic_ns
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from gunicorn.config.settings import Settings
from gunicorn.errors import AppLoadError
from gunicorn.host import privileges
from gunicorn.host.collector import rare_passes
from gunicorn.log.errors import crash_file
from gunicorn.metrics import cells
from gunicorn.workers.choice import change_of_class
from gunicorn.workers.placeholder import asgi_page, wsgi_page

if TYPE_CHECKING:
    import ssl

    from gunicorn.workers.reloader import Reloader

READY = b"R"
"""Notice to the arbiter: the application is loaded, requests are served."""
RETIRE = b"Q"
"""Notice: replace me, I served my share (max_requests). Serving goes on until TERM."""
CHANGED = b"C"
"""Notice: code changed on disk (reload)."""


def _unheard(_notice: bytes) -> None:
    """Stands in for the pipe to the arbiter in workers that are run without one."""


class Worker:
    """One worker, made in the parent and run in the child.

    `age` counts workers since the start, `ppid` is the arbiter, `sockets` are its listeners, `app` has
    `wsgi()`, `timeout` is half of the setting of that name, in seconds.
    """

    interface: ClassVar[str] = ""
    """The kind of application that `run` serves: "wsgi", "asgi", or "" where nobody but the class needs to know."""

    SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGABRT)

    def __init__(
        self, age: int, ppid: int, sockets: Sequence[Any], app: Any, timeout: float, cfg: Settings, log: Any
    ) -> None:
        self.age = age
        self.ppid = ppid
        self.sockets = sockets
        self.app = app
        self.timeout = timeout
        self.cfg = cfg
        self.log = log
        self.pid: int | str = "[booting]"
        self.booted = False
        self.aborted = False
        self.alive = True
        self.nr = 0
        self.reloader: Reloader | None = None
        self.wsgi: Callable[..., Any] | None = None
        self.max_requests = _share(cfg.max_requests, cfg.max_requests_jitter)
        self.cells = cells.Cells(0)
        self.row = self.cells.rows[0]
        self.generation = 1
        self.notice: Callable[[bytes], None] = _unheard
        self.tls: ssl.SSLContext | None = None
        """The context of the TLS listeners, made in the arbiter: all workers share its session tickets."""
        self._load_failure: BaseException | None = None

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"

    # -- the start ---------------------------------------------------------------------------------------

    def init_process(self) -> None:
        """Runs in the child: takes up the role, loads the application, says READY, serves.

        Raises AppLoadError when the application cannot be loaded. Subclasses that override it call
        this one last.
        """
        for name, value in self.cfg.env.items():
            os.environ[name] = value
        privileges.drop_privileges(self.cfg.uid, self.cfg.gid, initgroups=self.cfg.initgroups)
        self.log.close_on_exec()
        self.init_abort()
        # TERM and INT keep their defaults meanwhile: who is told to stop before it serves just ends.
        self.load_wsgi()
        self.settle_class()
        self.init_signals()
        if self.cfg.reload:
            self.start_reloader()
        self.cfg.post_worker_init(self)
        self.prepare()
        self.booted = True
        self.notify()
        self.notice(READY)
        self.run()

    def load_wsgi(self) -> None:
        """Loads the application; under `reload` a broken one is replaced by a page with its traceback."""
        try:
            with rare_passes():
                self.wsgi = self.app.wsgi()
        except (AppLoadError, SyntaxError) as error:
            if not self.cfg.reload:
                raise
            self.log.error("The application could not be loaded; its next change will be tried: %s", error)
            self._load_failure = error.__cause__ or error
            page = asgi_page if self.interface == "asgi" and self.cfg.interface != "wsgi" else wsgi_page
            self.wsgi = page(traceback.format_exc())

    def settle_class(self) -> None:
        """Becomes what the loaded application needs, where nobody chose a worker class.

        Raises AppLoadError where the chosen one cannot serve it. One worker a generation says so in the log.
        """
        if self._load_failure is not None:
            return
        change = change_of_class(self.cfg, type(self), self.interface, self.wsgi)
        if change is not None:
            self._become(change.worker_class)
            if self._speaks_first():
                self.log.info("Using worker: %s", change.name)

    def _become(self, kind: type[Worker]) -> None:
        """Turns this object into one of another of our classes.

        The application is known only in the child, and by then the hooks `pre_fork` and `post_fork` have seen this
        object, and may have put something on it: a second one would be a stranger to them. Classes written in
        Python have the same layout, what the other constructor would have set is added, and nothing was started
        yet but the handler of ABRT, which is installed again.
        """
        fresh = kind(self.age, self.ppid, self.sockets, self.app, self.timeout, self.cfg, self.log)
        vars(self).update({name: value for name, value in vars(fresh).items() if name not in vars(self)})
        self.__class__ = kind
        self.init_abort()

    def _speaks_first(self) -> bool:
        """Whether no other worker of this generation came so far; the first heartbeat is the sign of it."""
        generation = self.row.page[cells.GENERATION]
        rows = [row.page for row in self.cells.rows[1:] if row.page[cells.GENERATION] == generation]
        is_first = not any(page[cells.HEARTBEAT] for page in rows)
        self.notify()
        return is_first

    def start_reloader(self) -> None:
        """Watches the code and asks the arbiter for a reload when it changes."""

        from gunicorn.workers.reloader import Reloader

        def changed(path: str) -> None:
            self.log.info("Worker reloading: %s modified", path)
            self.notice(CHANGED)

        self.reloader = Reloader(self.cfg.reload_engine, self.cfg.reload_extra_files, changed, report=self.log.warning)
        self.reloader.start()
        if self._load_failure is not None:
            self.reloader.watch_failure(self._load_failure)

    def prepare(self) -> None:
        """What may still fail before READY is said; nothing here."""

    def run(self) -> None:
        """Serves until `alive` is False."""
        raise NotImplementedError

    def notify(self) -> None:
        """Beats: the arbiter kills a worker that has not for longer than the setting `timeout`."""
        self.row.page[cells.HEARTBEAT] = monotonic_ns()

    # -- the end -----------------------------------------------------------------------------------------

    def init_signals(self) -> None:
        """Installs the handlers; drivers of ours read signals from a pipe instead."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGINT, self.handle_quit)
        signal.signal(signal.SIGQUIT, self.handle_quit)
        signal.signal(signal.SIGUSR1, self.handle_usr1)

    def init_abort(self) -> None:
        """ABRT is the arbiter's last word to a worker that hangs: all stacks, then the hook, then the end.

        The stacks are written by C code, so they come even when no Python code can run any more.
        """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGABRT, self.handle_abort)
        # Covers ABRT and, as a gift, crashes in native code; it hands ABRT on to the handler above.
        faulthandler.enable(file=crash_file(self.log.error_log), all_threads=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """TERM: finish what is under way, then end."""
        self.alive = False

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """INT and QUIT: end now."""
        self.alive = False
        self.cfg.worker_int(self)
        sys.exit(0)

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """USR1: reopen the logs."""
        self.log.reopen_files()

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """ABRT: the hook, then the end, whatever the application is doing."""
        self.alive = False
        self.aborted = True
        try:
            self.cfg.worker_abort(self)
        finally:
            os._exit(1)


def _share(requests: int, jitter: int) -> int:
    """How many requests a worker serves before it is replaced, so that not all are at once."""
    if not requests or not jitter:
        return requests or sys.maxsize
    import random

    return requests + random.randint(0, jitter)
