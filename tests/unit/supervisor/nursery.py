"""Real children for a real pool: programs that do one thing each, and the turns of a loop with a deadline."""

from __future__ import annotations

import atexit
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gunicorn.metrics import cells as columns
from gunicorn.metrics.bus import Bus
from gunicorn.metrics.cells import Cells
from gunicorn.supervisor.birth import Notice
from gunicorn.supervisor.child import Child, State
from gunicorn.supervisor.loop import Loop
from gunicorn.supervisor.plan import Policy
from gunicorn.supervisor.pool import Pool

PATIENCE = 20.0
"""Seconds after which a test gives up; nothing waits for them to pass."""

STOPS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


def obedient(_row: Any) -> int:
    """Waits for TERM, INT or QUIT."""
    signal.sigwait(STOPS)
    return 0


def deaf(_row: Any) -> int:
    """Hears nothing but KILL."""
    while True:
        time.sleep(60)


@dataclass
class Script:
    """A program: says READY (or not), then does what it is told to."""

    cells: Cells
    child: Child
    says: bytes = b"R"
    then: Callable[[Any], int] = obedient
    beats: bool = True
    takes_signals: bool = True
    """TERM, INT and QUIT wait for `sigwait`; otherwise they do what they do to any process."""

    def run(self, notice: Notice) -> int:
        atexit._clear()  # pytest's own exit functions are not ours to run
        row = self.cells.rows[self.child.slot]
        if self.takes_signals:
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        if self.beats:
            row.page[columns.HEARTBEAT] = time.monotonic_ns() + 3600 * 10**9
        for byte in self.says:
            notice(bytes((byte,)))
        return self.then(row)

    def reopen(self) -> None:
        row = self.cells.rows[self.child.slot]
        row.page[columns.BYTES_IN] += 1


@dataclass
class Lines:
    """A log that keeps its lines."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def _say(self, level: str, msg: str, *args: Any) -> None:
        self.lines.append((level, msg % args if args else msg))

    def debug(self, msg: str, *args: Any) -> None:
        self._say("debug", msg, *args)

    def info(self, msg: str, *args: Any) -> None:
        self._say("info", msg, *args)

    def warning(self, msg: str, *args: Any) -> None:
        self._say("warning", msg, *args)

    def error(self, msg: str, *args: Any, **_: Any) -> None:
        self._say("error", msg, *args)

    def critical(self, msg: str, *args: Any) -> None:
        self._say("critical", msg, *args)

    def exception(self, msg: str, *args: Any) -> None:
        self._say("error", msg, *args)

    def loud(self) -> list[str]:
        return [text for level, text in self.lines if level in ("warning", "error", "critical")]


class Nursery:
    """A pool and its owner; `script` makes what the next child runs."""

    def __init__(self, target: int, policy: Policy | None = None, slots: int = 16) -> None:
        self.cells = Cells(slots)
        self.loop = Loop()
        self.log = Lines()
        self.bus = Bus()
        self.script: Callable[[Child], Any] = lambda child: Script(self.cells, child)
        self.births: list[int] = []
        self.deaths: list[tuple[int, int]] = []
        self.strangers: list[tuple[int, int]] = []
        self.news: list[tuple[str, int]] = []
        self.separated = os.pipe()
        self.pool = Pool(
            target,
            policy or Policy(),
            owner=self,
            cells=self.cells,
            loop=self.loop,
            log=self.log,
            emit=self.bus.emit,
            separate=lambda: os.close(self.separated[1]),
        )

    # -- the owner

    def program(self, child: Child) -> Any:
        return self.script(child)

    def born(self, child: Child) -> None:
        self.births.append(child.pid)

    def buried(self, child: Child, status: int) -> None:
        self.deaths.append((child.pid, status))

    def stranger(self, pid: int, status: int) -> None:
        self.strangers.append((pid, status))

    def changed(self, child: Child) -> None:
        self.news.append(("changed", child.pid))

    def settled(self, generation: int) -> None:
        self.news.append(("settled", generation))

    def abandoned(self, generation: int, _fallback: int) -> None:
        self.news.append(("abandoned", generation))

    # -- the loop

    def until(self, done: Callable[[], object]) -> None:
        """Turns the loop until `done`."""
        end = time.monotonic_ns() + int(PATIENCE * 1e9)
        while not done():
            wake_at = self.pool.step()
            if done():
                return
            assert time.monotonic_ns() < end, (self.log.lines, self.pool.state)
            # No signal wakes this loop: the end of a notice pipe does, and this for what is closed already.
            soon = time.monotonic_ns() + 20_000_000
            self.loop.turn(min(wake_at, soon) if wake_at is not None else soon)
            self.pool.reap()

    def settle(self, generation: int = 1) -> None:
        self.until(lambda: ("settled", generation) in self.news and not self.count(State.DRAINING))

    def count(self, state: State) -> int:
        return sum(child.state is state for child in self.pool.state.children.values())

    def pids(self) -> list[int]:
        return sorted(self.pool.state.children)

    def close(self) -> None:
        """Ends everybody by force."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self.pool.quit()
        self.until(lambda: self.pool.exit_code is not None)
        for fd in self.separated:
            os.close(fd)
