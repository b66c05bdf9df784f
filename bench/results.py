"""What a run leaves behind: one JSON file a workload, with every round, and what follows from the rounds.

    {"workload", "date", "machine": {...}, "versions": {...}, "pace": {...},
     "rounds": [{contender: figures}], "medians": {contender: figures},
     "targets": [{"who", "against", "figure", "bound", "at_most", "value", "each", "by_cpu", "met"}]}

A ratio is taken round by round, between neighbours in time, and its median is the result: what slows the
whole machine for a while slows both sides of a ratio.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.contenders import CONTENDERS, ROOT, python_version, version
from bench.measure import HEADLINE, Figures, Pace
from bench.workloads import Target, Workload

RESULTS = ROOT / "bench" / "results"
Rounds = Sequence[dict[str, Figures]]
CPU_OF = {"rate": "cpu_us", "messages": "message_cpu_us"}
"""A rate -> processor time of one of what it counts."""


def assess(workload: Workload, target: Target, rounds: Rounds) -> dict[str, Any]:
    """A target with what was measured. `met` is None when no round had its contenders."""
    figure = target.figure or HEADLINE[workload.kind]
    whole = [one for one in rounds if target.who in one and _peer(target, one, figure) is not None]
    each, by_cpu = [], []
    for one in whole:
        peer = _peer(target, one, figure) or {}
        each.append(one[target.who][figure] / peer.get(figure, 1.0))
        if peer and figure in CPU_OF:
            # Per request, so the smaller is the better: the peer's over ours reads like the ratio of rates.
            cpu = CPU_OF[figure]
            by_cpu.append(peer[cpu] / max(one[target.who][cpu], 0.1))
    value = statistics.median(each) if each else None
    return {
        "who": target.who,
        "against": target.against,
        "figure": figure,
        "bound": target.bound,
        "at_most": target.at_most,
        "value": _short(value),
        "each": [_short(one) for one in each],
        "by_cpu": _short(statistics.median(by_cpu) if by_cpu else None),
        "met": None if value is None else target.met(value),
    }


def _peer(target: Target, one: dict[str, Figures], figure: str) -> Figures | None:
    """The other side in a round: the best of the peers that ran, {} for an absolute target, None when none ran."""
    if not target.against:
        return {}
    ran = [one[name] for name in target.peers if name in one]
    best = min if target.at_most else max
    return best(ran, key=lambda figures: figures[figure]) if ran else None


def medians(rounds: Rounds) -> dict[str, Figures]:
    """Median of every figure of every contender."""
    names = list(dict.fromkeys(name for one in rounds for name in one))
    result = {}
    for name in names:
        mine = [one[name] for one in rounds if name in one]
        result[name] = {key: statistics.median(one[key] for one in mine) for key in mine[0]}
    return result


def document(workload: Workload, pace: Pace, rounds: Rounds) -> dict[str, Any]:
    """Everything about one workload's run."""
    packages = {CONTENDERS[name].package for one in rounds for name in one}
    return {
        "workload": workload.name,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "versions": {package: version(package) for package in sorted(packages)},
        "pace": {"warm": pace.warm, "seconds": pace.seconds, "rounds": pace.rounds},
        "rounds": [{name: _rounded(figures) for name, figures in one.items()} for one in rounds],
        "medians": {name: _rounded(figures) for name, figures in medians(rounds).items()},
        "targets": [assess(workload, target, rounds) for target in workload.targets],
    }


def write(result: dict[str, Any], folder: Path = RESULTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['workload']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def read(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Every result by the name of its workload."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": python_version(),
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _rounded(figures: Figures) -> Figures:
    return {key: float(f"{value:.5g}") for key, value in figures.items()}
