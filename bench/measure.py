"""One measurement of each kind: a contender started, loaded, read and stopped. Figures by name, as floats."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.contenders import APPS, CONTENDERS
from bench.frames import frames_per_request
from bench.load import Holders, Report, wrk
from bench.processes import Tree, free_port
from bench.workloads import HANDLER_SECONDS, THREADS, Kind, Workload

Figures = dict[str, float]
MIB = 1024 * 1024
SETTLE_SECONDS = 0.4
"""The longest queue a warm-up leaves: its connections times the slowest handler, shared by the threads."""


@dataclass(frozen=True)
class Pace:
    """How long and how often: seconds of warm-up and of measurement, rounds."""

    warm: float
    seconds: float
    rounds: int


def measure(workload: Workload, who: str, pace: Pace) -> Figures:
    """One round of one contender."""
    return _KINDS[workload.kind](workload, who, pace)


def _tree(workload: Workload, who: str) -> Tree:
    port = free_port()
    return Tree(CONTENDERS[who].command(workload.app, port), port, who)


def _loaded(tree: Tree, workload: Workload, pace: Pace) -> tuple[Report, float]:
    """The report, and the processor seconds the tree used for it."""
    _warm(workload, tree, pace)
    before = tree.cpu_seconds()
    report = wrk(workload.load, tree.port, pace.seconds, APPS)
    return report, tree.cpu_seconds() - before


def _warm(workload: Workload, tree: Tree, pace: Pace) -> None:
    """Load that is not counted, and the time it takes to answer what its clients left behind in the queue."""
    wrk(workload.load, tree.port, pace.warm, APPS)
    time.sleep(SETTLE_SECONDS)


def _throughput(workload: Workload, who: str, pace: Pace) -> Figures:
    with _tree(workload, who) as tree:
        report, cpu = _loaded(tree, workload, pace)
    return {
        "rate": report.rate,
        "cpu_us": cpu / max(report.requests, 1) * 1e6,
        "p50_ms": report.p50 * 1e3,
        "p99_ms": report.p99 * 1e3,
        "errors": report.errors,
    }


def _capacity(workload: Workload, who: str, pace: Pace) -> Figures:
    figures = _throughput(workload, who, pace)
    return {"share": figures["rate"] * HANDLER_SECONDS / THREADS, **figures}


def _isolation(workload: Workload, who: str, pace: Pace) -> Figures:
    with _tree(workload, who) as tree:
        _warm(workload, tree, pace)
        idle = wrk(workload.load, tree.port, pace.seconds, APPS)
        with Holders(tree.port, THREADS - 1):
            held = wrk(workload.load, tree.port, pace.seconds, APPS)
    return {
        "multiple": held.p99 / idle.p99,
        "idle_p99_ms": idle.p99 * 1e3,
        "held_p99_ms": held.p99 * 1e3,
        "idle_rate": idle.rate,
        "held_rate": held.rate,
        "errors": idle.errors + held.errors,
    }


def _memory_and_start(workload: Workload, who: str, pace: Pace) -> Figures:
    with _tree(workload, who) as tree:
        report = wrk(workload.load, tree.port, pace.warm, APPS)
        return {
            "pss_mib": tree.pss_bytes() / MIB,
            "start_ms": tree.start_seconds * 1e3,
            "processes": len(tree.pids),
            "errors": report.errors,
        }


def _frames(workload: Workload, who: str, pace: Pace) -> Figures:
    contender = CONTENDERS[who]
    # frames.py adds the application and fills in the port of each run.
    command = [part.replace("127.0.0.1:0", "127.0.0.1:{port}") for part in contender.command("", 0)]
    return {
        "frames": frames_per_request(command, who),
        "frames_logged": frames_per_request([*command, "--access-logfile", os.devnull], who),
    }


_KINDS: dict[Kind, Callable[[Workload, str, Pace], Figures]] = {
    Kind.THROUGHPUT: _throughput,
    Kind.CAPACITY: _capacity,
    Kind.ISOLATION: _isolation,
    Kind.TREE: _memory_and_start,
    Kind.FRAMES: _frames,
}
HEADLINE = {
    Kind.THROUGHPUT: "rate",
    Kind.CAPACITY: "share",
    Kind.ISOLATION: "multiple",
    Kind.TREE: "pss_mib",
    Kind.FRAMES: "frames",
}
"""The figure a target without a `figure` speaks of."""
