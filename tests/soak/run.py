"""Lets the clients loose on a worker and says what they left behind: connections, tasks, descriptors, memory.

python -m tests.soak.run --requests 100000 --loop uvloop
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.soak.app import HOOK
from tests.soak.clients import CLIENTS, Line, half_closes_and_reads_on, run
from tests.support import client
from tests.support.certificates import certificates
from tests.support.processes import eventually, resident_bytes
from tests.support.server import ROOT, Server

TIMES = ("--keep-alive", "2", "--header-timeout", "2", "--body-timeout", "2", "--write-timeout", "2")
WORKER = ("-k", "asgi", "-w", "1", "--asgi-disconnect-grace-period", "1", "--log-level", "critical", *TIMES)
PARTS = 5
PATIENCE = 15.0
"""Seconds in which everything must be gone after the last client left: all times above, and some."""
GROWTH = 2_000_000
"""Bytes by which a resident set may differ for reasons that are not ours (arenas of the allocator)."""
SLACK = 1.03


@dataclass
class Sample:
    """What the worker holds when nobody is there but who asks."""

    requests: int
    seconds: float
    resident: int
    held: dict[str, int]

    def __str__(self) -> str:
        held = self.held
        kept = " ".join(f"{name}={held[name]}" for name in GAUGES)
        return f"{self.requests:>8} clients  {self.seconds:6.1f} s  {self.resident / 1e6:6.1f} MB  {kept}"


GAUGES = ("connections", "in_flight", "websockets", "tasks", "files")


@dataclass
class Report:
    """The samples, first the one before the first client; what went wrong; how often each client came."""

    samples: list[Sample] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    came: Counter[str] = field(default_factory=Counter)

    def judge(self) -> list[str]:
        """Everything that is not as it must be."""
        found = list(self.wrong)
        first = self.samples[0].held
        for sample in self.samples[1:]:
            more = [name for name in GAUGES if sample.held[name] > first[name]]
            found += [
                f"{name} after {sample.requests} clients: {sample.held[name]}, not {first[name]}" for name in more
            ]
            if sample.held["pid"] != first["pid"]:
                found.append("the worker did not live through it")
        second, last = self.samples[2].resident, self.samples[-1].resident
        if last > second * SLACK + GROWTH:
            found.append(f"memory grew from {second / 1e6:.1f} MB after two fifths to {last / 1e6:.1f} MB")
        return found


class Soak:
    """`requests` clients, `threads` at once, against one server; the same for the same seed, but for timing."""

    def __init__(self, server: Server, requests: int, threads: int, seed: int) -> None:
        self.server = server
        self.requests, self.threads, self.seed = requests, threads, seed
        self.report = Report()
        # TLS knows no half-closed connections: to shut one side down ends it.
        chosen = [(kind, weight) for kind, weight in CLIENTS if not (server.tls and kind is half_closes_and_reads_on)]
        self._kinds, self._weights = zip(*chosen, strict=True)
        self._lock = threading.Lock()
        self._context = certificates().client_context() if server.tls else None

    def go(self, say: Callable[[str], None] = lambda _: None) -> Report:
        self._sample(0, 0.0, say)
        started = time.monotonic()
        for part in range(PARTS):
            crowd = [threading.Thread(target=self._crowd, args=(part, one)) for one in range(self.threads)]
            for thread in crowd:
                thread.start()
            for thread in crowd:
                thread.join()
            self._sample(self.requests * (part + 1) // PARTS, time.monotonic() - started, say)
        return self.report

    def _crowd(self, part: int, number: int) -> None:
        dice = random.Random(f"{self.seed} {part} {number}")
        for _ in range(self.requests // PARTS // self.threads):
            (kind,) = dice.choices(self._kinds, self._weights)
            wrong = self._visit(kind, dice)
            with self._lock:
                self.report.came[kind.__name__] += 1
                if wrong and len(self.report.wrong) < 50:
                    self.report.wrong.append(wrong)

    def _visit(self, kind: Callable[[Line], None], dice: random.Random) -> str:
        try:
            sock = client.open_socket(self.server.address, PATIENCE)
            if self._context is not None:
                if dice.random() < 0.05:
                    # Leaves in the handshake.
                    sock.send(dice.randbytes(dice.randrange(1, 50)))
                    sock.close()
                    return ""
                sock = self._context.wrap_socket(sock, server_hostname="localhost")
        except OSError as error:
            return f"could not connect: {error!r}"
        return run(kind, sock, dice)

    def _held(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.server.get("/probe").body)
        return answer

    def _floor(self) -> dict[str, Any]:
        """The least that a worker holds who serves one asker: of a few looks, since tasks come and go."""
        looks = []
        for _ in range(10):
            looks.append(self._held())
            time.sleep(0.1)
        return {name: min(look[name] for look in looks) for name in GAUGES}

    def _sample(self, requests: int, seconds: float, say: Callable[[str], None]) -> None:
        """Waits until only the asker is there, no longer than PATIENCE: then it counts as it is."""
        held: dict[str, Any] = {}
        floor = self.report.samples[0].held if self.report.samples else self._floor()

        def quiet() -> bool:
            held.update(self._held())
            return all(held[name] <= floor[name] for name in GAUGES if name in floor)

        try:
            eventually(quiet, "quiet", PATIENCE)
        except AssertionError:
            pass
        sample = Sample(requests, seconds, resident_bytes(held["pid"]), dict(held))
        self.report.samples.append(sample)
        say(str(sample))


def soak(
    requests: int,
    *,
    loop: str = "auto",
    threads: int = 12,
    seed: int = 1,
    tls: bool = False,
    bind: str = "tcp",
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Runs a server of its own."""
    config = HOOK.format(root=str(ROOT))
    arguments = (*WORKER, "--asgi-loop", loop)
    with Server("tests.soak.app:app", *arguments, config=config, tls=tls, bind=bind, tracebacks=True) as server:
        return Soak(server, requests, threads, seed).go(say)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--loop", default="uvloop", choices=["auto", "asyncio", "uvloop"])
    parser.add_argument("--threads", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bind", default="tcp", choices=["tcp", "unix"])
    parser.add_argument("--tls", action="store_true")
    chosen = parser.parse_args()
    # Whoever ends the soak early ends its server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{chosen.requests} clients on {chosen.loop}, seed {chosen.seed}", flush=True)
    report = soak(**vars(chosen), say=lambda line: print(line, flush=True))
    print(" ".join(f"{name}={count}" for name, count in sorted(report.came.items())))
    last = report.samples[-1].held
    print(" ".join(f"{name}={last[name]}" for name in sorted(last)))
    found = report.judge()
    print("\n".join(found) if found else "nothing is left of them")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
