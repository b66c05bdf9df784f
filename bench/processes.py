"""A server's process tree under measurement: started on its own core, watched through /proc, surely stopped."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from bench.contenders import APPS, CACHE, environment

TICKS = os.sysconf("SC_CLK_TCK")
START_DEADLINE = 30.0
STOP_DEADLINE = 10.0
SERVER_CORE, CLIENT_CORE = 0, 1


class StartError(Exception):
    """A server did not answer in time or ended at once; the text carries the end of its log."""


def cores() -> int:
    return len(os.sched_getaffinity(0))


def pin(core: int) -> None:
    """This process and its children to one core, where there are two to tell apart."""
    if cores() > 1:
        os.sched_setaffinity(0, {core})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether GET / is answered 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            head = sock.recv(64)
    except OSError:
        return False
    return head.split(b" ")[1:2] == [b"200"]


class Tree:
    """A command and all processes of its session. `start_seconds`: from exec to the first 200."""

    def __init__(self, command: Sequence[str], port: int, name: str, extra: Mapping[str, str] | None = None) -> None:
        self.port = port
        self._environment = environment() | dict(extra or {})
        self._command = list(command)
        self._log = CACHE / f"{name.replace(' ', '-')}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.start_seconds = 0.0

    def __enter__(self) -> Tree:
        began = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._pinned(),
                cwd=APPS,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while not answers(self.port):
            late = time.perf_counter() - began > START_DEADLINE
            if late or self._process.poll() is not None:
                self.stop()
                tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])
                raise StartError(f"{' '.join(self._command)}\n{tail}")
            time.sleep(0.001)
        self.start_seconds = time.perf_counter() - began
        return self

    def _pinned(self) -> list[str]:
        prefix = ["taskset", "-c", str(SERVER_CORE)] if cores() > 1 else []
        return [*prefix, *self._command]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """TERM, and KILL for whatever of the session is left after the deadline."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pid in members(process.pid):
            os.kill(pid, signal.SIGKILL)

    @property
    def pids(self) -> list[int]:
        return members(self._process.pid) if self._process else []

    def cpu_seconds(self) -> float:
        """User and system time of the tree, reaped children included; the kernel counts in 10 ms steps."""
        return sum(_cpu_ticks(pid) for pid in self.pids) / TICKS

    def pss_bytes(self) -> int:
        """Proportional set size of the tree: shared pages are counted once in the sum."""
        return sum(_pss(pid) for pid in self.pids)


class Core:
    """One processor core from now on: the share of the time that went to others than `own` (processor seconds)."""

    def __init__(self, number: int, own: Callable[[], float]) -> None:
        self._number = number
        self._own_seconds = own
        self._began, self._ran, self._own = self._read()

    def _read(self) -> tuple[float, float, float]:
        return time.perf_counter(), core_seconds(self._number), self._own_seconds()

    def others(self) -> float:
        """0 to 1. Figures of a core that was shared say little."""
        now, ran, own = self._read()
        return max((ran - self._ran) - (own - self._own), 0.0) / (now - self._began)


def core_seconds(number: int) -> float:
    """User, nice, system and stolen time of a core (proc(5), /proc/stat), 0 of one that is not there.

    Interrupts are left out: the kernel counts them for no process.
    """
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{number}":
            return sum(map(int, [*fields[:3], *fields[7:8]])) / TICKS
    return 0.0


def reaped_seconds() -> float:
    """Processor time of the children of this process that have ended, wrk and its like."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def members(session: int) -> list[int]:
    """Process ids of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat and int(stat[3]) == session and stat[0] != "Z":
                found.append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name, [] when the process is gone (proc(5): 3 is state, index 0)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _cpu_ticks(pid: int) -> int:
    stat = _stat(pid)
    return sum(int(field) for field in stat[11:15])


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
