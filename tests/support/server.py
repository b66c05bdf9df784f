"""The real `gunicorn` command in processes of its own, started, watched and surely stopped.

Knows the command line and the signals, nothing of the package's insides.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGQUIT, SIGTERM
from types import TracebackType

from tests.support import client
from tests.support.certificates import certificates
from tests.support.processes import alive, children, eventually, session_members
from tests.support.twins import for_worker

ROOT = Path(__file__).resolve().parents[2]
WSGI_CLASSES = ["sync", "gthread"]
WORKER_CLASSES = [*WSGI_CLASSES, "asgi"]
START_DEADLINE = 15.0
STOP_DEADLINE = 10.0


def worker_arguments(kind: str) -> tuple[str, ...]:
    """The command line of a worker class."""
    return ("-k", "gthread", "--threads", "4") if kind == "gthread" else ("-k", kind)


def free_port() -> int:
    """A port nobody listens on, below the range the kernel gives to outgoing connections."""
    while True:
        port = random.randint(20000, 32000)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what would configure a server, with the repository importable."""
    ours = ("GUNICORN_", "LISTEN_", "NOTIFY_SOCKET", "WEB_CONCURRENCY", "PORT", "FORWARDED_ALLOW_IPS", "SENDFILE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment["PYTHONPATH"] = str(ROOT)
    # Tests rewrite modules within one second and at equal size: a cached .pyc would hide the change.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    environment.update(extra or {})
    return environment


def run_gunicorn(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout: float = 20.0
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end: for boot failures, --check-config and their kin."""
    with tempfile.TemporaryDirectory() as empty:
        return subprocess.run(
            [sys.executable, "-m", "gunicorn", *arguments],
            env=clean_environment(env),
            cwd=cwd or empty,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            start_new_session=True,
        )


class Server:
    """A running server. Enter it to start, leave it to stop; leaving asserts that nothing is left behind.

    `bind` is "tcp", "unix" or any address the command understands, None passes no --bind at all; in the
    last two cases `address` says where to connect. `config` is the text of a
    gunicorn.conf.py in `cwd`. With `tls` the server gets the test authority's certificate. Unless
    `tracebacks` is allowed, a traceback in the log fails the test when the server is left. With `-k asgi`
    among `args` an application of the suite is replaced by its ASGI twin, unless `twin` is False.
    """

    def __init__(
        self,
        app: str | None = "tests.apps.hello:app",
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        config: str | None = None,
        bind: str | None = "tcp",
        address: client.Address = "",
        tls: bool = False,
        ready: bool = True,
        tracebacks: bool = False,
        command: Sequence[str] | None = None,
        pass_fds: Sequence[int] = (),
        twin: bool = True,
    ) -> None:
        self._app = [] if app is None else [for_worker(app, args) if twin else app]
        self._args = args
        self._env = clean_environment(env)
        self._folder = tempfile.TemporaryDirectory(prefix="gunicorn-test-")
        self.folder = Path(self._folder.name)
        self.cwd = Path(cwd) if cwd is not None else self.folder
        self.log_path = self.folder / "server.log"
        self.tls = tls
        self.port = 0
        self.address = address
        self._bind = bind
        self._wait_ready = ready
        self._tracebacks = tracebacks
        self._command = list(command) if command is not None else [sys.executable, "-m", "gunicorn"]
        self._pass_fds = tuple(pass_fds)
        self._process: subprocess.Popen[bytes] | None = None
        if config is not None:
            (self.cwd / "gunicorn.conf.py").write_text(config)

    # Starting and stopping

    def __enter__(self) -> Server:
        try:
            for attempt in range(3):
                self._launch()
                if not self._wait_ready:
                    return self
                if self._connects():
                    return self
                if attempt == 2 or "taken" not in self.log():
                    raise AssertionError(f"the server did not start (exit {self.process.poll()})")
        except BaseException:
            self._print_log()
            self._kill_all()
            self._folder.cleanup()
            raise
        raise AssertionError("unreachable")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            try:
                left = self._stop()
            finally:
                self._kill_all()
            text = self.log()
            if kind is None:
                assert not left, f"processes left behind: {left}"
                assert self._tracebacks or "Traceback" not in text, "traceback in the log"
        except BaseException:
            self._print_log()
            raise
        else:
            if kind is not None:
                self._print_log()
        finally:
            self._folder.cleanup()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: int, pid: int | None = None) -> None:
        os.kill(self.pid if pid is None else pid, number)

    def wait(self, timeout: float = STOP_DEADLINE) -> int:
        """The exit code of the process that was started; AssertionError when it is still there."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s") from None

    def stop(self, number: int = SIGTERM, timeout: float = STOP_DEADLINE) -> int:
        self.signal(number)
        return self.wait(timeout)

    # Looking at it

    def log(self) -> str:
        """Everything written to stdout and stderr so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, text: str, timeout: float = 10.0, count: int = 1) -> str:
        """Waits until the log contains `text` (case does not matter) `count` times; returns the log."""
        wanted = text.lower()
        eventually(lambda: self.log().lower().count(wanted) >= count, f"{text!r} × {count} in the log", timeout)
        return self.log()

    def workers(self, pid: int | None = None) -> list[int]:
        """Living children of the arbiter, oldest first."""
        return children(self.pid if pid is None else pid)

    def wait_workers(self, count: int, timeout: float = 10.0) -> list[int]:
        """Waits for exactly `count` children."""

        def exactly() -> list[int]:
            found = self.workers()
            return found if len(found) == count else []

        if count == 0:
            eventually(lambda: not self.workers(), "no workers", timeout)
            return []
        return eventually(exactly, f"{count} workers", timeout)

    def serving(self, path: str = "/") -> set[int]:
        """Pids that answer now, seen by a few requests to an application that answers its pid."""
        return {int(self.get(path).text.split()[0]) for _ in range(8)}

    # Talking to it

    def connect(self, timeout: float = 10.0, receive_buffer: int = 0) -> client.Connection:
        context = certificates().client_context() if self.tls else None
        return client.Connection(self.address, tls=context, timeout=timeout, receive_buffer=receive_buffer)

    def get(self, target: str = "/", fields: client.Fields = (), *, timeout: float = 10.0) -> client.Response:
        return self.ask("GET", target, fields, timeout=timeout)

    def ask(
        self,
        method: str,
        target: str = "/",
        fields: client.Fields = (),
        body: bytes | None = None,
        *,
        timeout: float = 10.0,
    ) -> client.Response:
        with self.connect(timeout) as connection:
            return connection.request(method, target, [("Connection", "close"), *fields], body)

    # Inside

    def _launch(self) -> None:
        arguments = [*self._command, *self._bind_arguments(), *self._tls_arguments(), *self._args, *self._app]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                arguments,
                env=self._env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self._pass_fds,
            )

    def _bind_arguments(self) -> list[str]:
        if self._bind is None:
            return []
        if self._bind == "tcp":
            self.port = free_port()
            self.address = ("127.0.0.1", self.port)
            return ["--bind", f"127.0.0.1:{self.port}"]
        if self._bind == "unix":
            self.address = str(self.folder / "http.sock")
            return ["--bind", f"unix:{self.address}"]
        return ["--bind", self._bind]

    def _tls_arguments(self) -> list[str]:
        if not self.tls:
            return []
        made = certificates()
        return ["--certfile", str(made.cert), "--keyfile", str(made.key)]

    def _connects(self) -> bool:
        """True once the address accepts connections; False when the process ended or time is up."""
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                client.open_socket(self.address, 1.0).close()
            except OSError:
                time.sleep(0.02)
            else:
                return True
        return False

    def _stop(self) -> list[int]:
        """A quick stop; returns the processes of the session that outlived it."""
        if self.process.poll() is None:
            self.signal(SIGQUIT)
            try:
                self.process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"SIGQUIT did not stop the server within {STOP_DEADLINE} s") from None
        # The arbiter reaps its children before it ends; grandchildren of a dead one may need a moment.
        deadline = time.monotonic() + 2.0
        while (left := session_members(self.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        return left

    def _kill_all(self) -> None:
        if self._process is None:
            return
        for pid in session_members(self.pid):
            try:
                os.kill(pid, SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait(5)
        eventually(lambda: not session_members(self.pid) or not alive(self.pid), "the session is gone", 5)

    def _print_log(self) -> None:
        print(f"--- log of {self._command[-1]} {' '.join(self._args)} {' '.join(self._app)}")
        print(self.log()[-20000:])
        print("--- end of log")
