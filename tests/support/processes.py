"""What /proc says of processes: children, groups, descriptors, memory; and waiting for a condition.

Knows nothing of servers. Every wait has a deadline and ends as soon as its condition holds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc/PID/stat; `started` is in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    started: int

    @property
    def alive(self) -> bool:
        return self.state not in "ZX"


def inspect(pid: int) -> Process | None:
    """The process `pid`, or None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except (FileNotFoundError, ProcessLookupError):
        return None
    columns = text.rpartition(")")[2].split()
    return Process(pid, columns[0], int(columns[1]), int(columns[2]), int(columns[3]), int(columns[19]))


def all_processes() -> Iterator[Process]:
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := inspect(int(name))) is not None:
            yield found


def children(pid: int) -> list[int]:
    """Living children of `pid`, oldest first."""
    mine = [p for p in all_processes() if p.parent == pid and p.alive]
    return [p.pid for p in sorted(mine, key=lambda p: (p.started, p.pid))]


def session_members(session: int) -> list[int]:
    """Living processes of a session."""
    return [p.pid for p in all_processes() if p.session == session and p.alive]


def alive(pid: int) -> bool:
    found = inspect(pid)
    return found is not None and found.alive


def open_files(pid: int) -> list[str]:
    """What the descriptors of `pid` point at."""
    targets = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            targets.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    return sorted(targets)


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def resident_bytes(pid: int) -> int:
    """Resident set size now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Processor time spent so far, in user and system mode."""
    columns = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(columns[11]) + int(columns[12])) / os.sysconf("SC_CLK_TCK")


def peak_resident_bytes(pid: int) -> int:
    """High-water mark of the resident set since the process started."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmHWM for {pid}")


def eventually(condition: Callable[[], T], what: str | Callable[[], str], timeout: float = 10.0) -> T:
    """The first true value of `condition`, asked every 10 ms; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            text = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {timeout} s: {text} (last: {value!r})")
        time.sleep(0.01)


def consistently(condition: Callable[[], object], what: str, seconds: float) -> None:
    """Asserts that `condition` stays true for `seconds`: for what must *not* happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), f"not all the time: {what}"
        time.sleep(0.02)
