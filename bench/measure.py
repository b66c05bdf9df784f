"""One measurement of each kind: a contender started, loaded, read and stopped. Figures by name, as floats."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bench.contenders import APPS, CONTENDERS
from bench.frames import ASGI, WSGI, frames_per_message, frames_per_request
from bench.idle import Crowd, allow_files
from bench.load import Holders, Load, LoadError, verify, wrk
from bench.processes import CLIENT_CORE, SERVER_CORE, Core, Tree, free_port, reaped_seconds
from bench.workloads import ANSWERS, HANDLER_SECONDS, THREADS, Kind, Workload
from bench.ws_load import echoes

Figures = dict[str, float]
Outcome = TypeVar("Outcome")
KIB, MIB = 1024, 1024 * 1024
SETTLE_SECONDS = 0.4
"""The longest queue a warm-up leaves: its connections times the slowest handler, shared by the threads."""
IDLE_SECONDS = 1.0
"""How long ten thousand connections rest before the memory is read."""
BUSY_CLIENT = 0.95
"""From here on the client is what is measured."""


@dataclass(frozen=True)
class Pace:
    """How long and how often: seconds of warm-up and of measurement, rounds."""

    warm: float
    seconds: float
    rounds: int


def measure(workload: Workload, who: str, pace: Pace) -> Figures:
    """One round of one contender."""
    return _KINDS[workload.kind](workload, who, pace)


def _tree(workload: Workload, who: str, patient: bool = False) -> Tree:
    port = free_port()
    return Tree(CONTENDERS[who].command(workload.app, port, patient), port, who)


@dataclass(frozen=True)
class Use:
    """What a tree used while a load ran: processor seconds; and the share of a core, its or the load's, others took."""

    cpu: float
    others: float

    def each(self, count: int) -> float:
        """Microseconds of processor time for one of `count`."""
        return self.cpu / max(count, 1) * 1e6


def _using(tree: Tree, load: Callable[[], Outcome]) -> tuple[Outcome, Use]:
    watched = [Core(SERVER_CORE, tree.cpu_seconds), Core(CLIENT_CORE, reaped_seconds)]
    before = tree.cpu_seconds()
    outcome = load()
    return outcome, Use(tree.cpu_seconds() - before, max(core.others() for core in watched))


def _warm(workload: Workload, tree: Tree, pace: Pace) -> None:
    """Load that is not counted, and the time it takes to answer what its clients left behind in the queue."""
    wrk(workload.load, tree.port, pace.warm, APPS)
    time.sleep(SETTLE_SECONDS)


def _throughput(workload: Workload, who: str, pace: Pace) -> Figures:
    with _tree(workload, who) as tree:
        verify(workload.load, tree.port, ANSWERS[workload.app])
        _warm(workload, tree, pace)
        report, use = _using(tree, lambda: wrk(workload.load, tree.port, pace.seconds, APPS))
    return {
        "rate": report.rate,
        "cpu_us": use.each(report.requests),
        "p50_ms": report.p50 * 1e3,
        "p99_ms": report.p99 * 1e3,
        "others": use.others,
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


def _websocket(workload: Workload, who: str, pace: Pace) -> Figures:
    with _tree(workload, who) as tree:
        echoes(workload.load, tree.port, pace.warm)
        report, use = _using(tree, lambda: echoes(workload.load, tree.port, pace.seconds))
    if report.busy > BUSY_CLIENT:
        raise LoadError(f"the client is the bottleneck: {report.rate:,.0f} messages/s, {report.busy:.0%} busy")
    return {
        "messages": report.rate,
        "message_cpu_us": use.each(report.messages),
        "client_busy": report.busy,
        "others": use.others,
        "errors": report.errors,
    }


def _idle(workload: Workload, who: str, pace: Pace) -> Figures:
    count = workload.load.connections
    allow_files(count)
    with _tree(workload, who, patient=True) as tree:
        # What the server sets up once, for its first clients, is not the price of a connection.
        wrk(Load(), tree.port, pace.warm, APPS)
        time.sleep(SETTLE_SECONDS)
        before = tree.pss_bytes()
        with Crowd(tree.port, count) as crowd:
            time.sleep(IDLE_SECONDS)
            after = tree.pss_bytes()
            alive = crowd.alive()
    return {
        "connection_kib": (after - before) / count / KIB,
        "before_mib": before / MIB,
        "after_mib": after / MIB,
        "errors": count - alive,
    }


def _frames(workload: Workload, who: str, pace: Pace) -> Figures:
    plain, logged = _framed(who)
    application = ASGI if workload.app in ASGI else WSGI
    return {
        "frames": frames_per_request(plain, who, application=application),
        "frames_logged": frames_per_request(logged, who, application=application),
    }


def _websocket_frames(workload: Workload, who: str, pace: Pace) -> Figures:
    return {"message_frames": frames_per_message(_framed(who)[0], who)}


def _framed(who: str) -> tuple[list[str], list[str]]:
    """The command without and with access log; frames.py adds the application and fills in the port of each run."""
    contender = CONTENDERS[who]
    plain = contender.command("", "{port}")
    return plain, [*plain, *contender.logged.split()]


_KINDS: dict[Kind, Callable[[Workload, str, Pace], Figures]] = {
    Kind.THROUGHPUT: _throughput,
    Kind.CAPACITY: _capacity,
    Kind.ISOLATION: _isolation,
    Kind.TREE: _memory_and_start,
    Kind.FRAMES: _frames,
    Kind.WEBSOCKET: _websocket,
    Kind.WEBSOCKET_FRAMES: _websocket_frames,
    Kind.IDLE: _idle,
}
HEADLINE = {
    Kind.THROUGHPUT: "rate",
    Kind.CAPACITY: "share",
    Kind.ISOLATION: "multiple",
    Kind.TREE: "pss_mib",
    Kind.FRAMES: "frames",
    Kind.WEBSOCKET: "messages",
    Kind.WEBSOCKET_FRAMES: "message_frames",
    Kind.IDLE: "connection_kib",
}
"""The figure a target without a `figure` speaks of."""
