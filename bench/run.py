"""The door of the benchmark: `python -m bench.run [--quick] [--only NAME ...] [--rounds N] [--list]`.

Servers run on core 0, the load on core 1, in rounds: every contender of a workload in turn, then all again.
Results go to bench/results, the tables of docs/performance.md are printed from them.
"""

from __future__ import annotations

import argparse
import fnmatch
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.contenders import CACHE, CONTENDERS, OURS, alone, prepare
from bench.load import MISSING, LoadError
from bench.measure import HEADLINE, Figures, Pace, measure
from bench.processes import StartError, cores
from bench.results import RESULTS, document, write
from bench.table import DOCUMENT, TROUBLE, UNITS, render
from bench.workloads import WORKLOADS, Kind, Workload

FULL = Pace(warm=2, seconds=6, rounds=5)
QUICK = Pace(warm=1, seconds=1, rounds=1)
REPEATS = {Kind.FRAMES: 0, Kind.WEBSOCKET_FRAMES: 0, Kind.TREE: 3}
"""Frames are counted, once is enough; a start is short and easily disturbed, so it is taken three times as often."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything ran; 1: something could not be measured; 2: no tool for the load. Targets do not decide."""
    options = _parser().parse_args(arguments)
    if options.list:
        for workload in WORKLOADS:
            print(f"{workload.name:22} {workload.title}: {', '.join(workload.who)}")
        return 0
    if not shutil.which("wrk"):
        print(MISSING, file=sys.stderr)
        return 2
    base = QUICK if options.quick else FULL
    pace = Pace(base.warm, options.seconds or base.seconds, options.rounds or base.rounds)
    folder = CACHE / "results" if options.quick else RESULTS
    if cores() < 2:
        print("one core only: server and load share it, the figures mean little", file=sys.stderr)
    with alone():
        runs = _selected(options)
        missing = prepare({CONTENDERS[name].package for _, who in runs for name in who})
        for why in missing.values():
            print(why, file=sys.stderr, flush=True)
        failures = len(missing)
        for workload, who in runs:
            present = [name for name in who if CONTENDERS[name].package not in missing]
            failures += _run(workload, present, pace, folder)
    if not options.quick:
        DOCUMENT.write_text(render())
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round of few workloads, no figures kept")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", type=_pattern, help="also 'asgi-*'")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--seconds", type=float, metavar="S", help="of each measurement")
    parser.add_argument("--list", action="store_true", help="print the workloads and leave")
    parser.add_argument("--ours-only", action="store_true", help="leave the peers out")
    parser.add_argument("--peers-only", action="store_true", help="leave this server out")
    return parser


def _named(workload: Workload, pattern: str) -> bool:
    return fnmatch.fnmatchcase(workload.name, pattern)


def _pattern(text: str) -> str:
    """A name of a workload, or a shell pattern that fits one."""
    if not any(_named(one, text) for one in WORKLOADS):
        raise argparse.ArgumentTypeError(f"no workload is called {text}; --list names them")
    return text


def selected(arguments: Sequence[str]) -> list[tuple[Workload, list[str]]]:
    """What a command line would run."""
    return _selected(_parser().parse_args(arguments))


def _selected(options: argparse.Namespace) -> list[tuple[Workload, list[str]]]:
    return [
        (one, _who(one, options))
        for one in WORKLOADS
        if (any(_named(one, name) for name in options.only) if options.only else one.quick or not options.quick)
    ]


def _who(workload: Workload, options: argparse.Namespace) -> list[str]:
    """The contenders of a workload that run: a workload that was named runs with all of them, quick or not."""
    chosen = workload.quick if options.quick and not options.only else workload.who
    return [name for name in chosen if not _left_out(name, options)]


def _left_out(name: str, options: argparse.Namespace) -> bool:
    ours = CONTENDERS[name].package == OURS
    return bool(options.peers_only if ours else options.ours_only)


def _run(workload: Workload, who: Sequence[str], pace: Pace, folder: Path) -> int:
    """Measures a workload, prints as it goes; the number of measurements that failed."""
    repeat = pace.rounds * REPEATS.get(workload.kind, 1) or 1
    rounds: list[dict[str, Figures]] = []
    failures = 0
    print(f"{workload.name}: {workload.title}", flush=True)
    for number in range(1, repeat + 1):
        figures: dict[str, Figures] = {}
        for name in who:
            try:
                figures[name] = measure(workload, name, pace)
            except (StartError, LoadError, OSError, ValueError) as error:
                failures += 1
                print(f"  round {number}  {name}: {error}", file=sys.stderr, flush=True)
            else:
                print(f"  round {number}  {name:25} {_line(workload, figures[name])}", flush=True)
        rounds.append(figures)
    if any(rounds):
        result = document(workload, pace, [one for one in rounds if one])
        write(result, folder)
        _print_targets(result["targets"])
    return failures


def _line(workload: Workload, figures: Figures) -> str:
    first = HEADLINE[workload.kind]
    keys = [first, *(key for key in figures if key != first and figures[key] > TROUBLE.get(key, -1.0))]
    return "  ".join(f"{UNITS[key][1].format(figures[key])} {UNITS[key][0]}" for key in keys if key in UNITS)


def _print_targets(targets: Sequence[dict[str, object]]) -> None:
    for target in targets:
        if target["met"] is not None:
            against = f" of {target['against']}" if target["against"] else ""
            bound = f"{'<=' if target['at_most'] else '>='} {target['bound']}"
            verdict = "met" if target["met"] else "NOT MET"
            by_cpu = "" if target["by_cpu"] is None else f" ({target['by_cpu']} by CPU time)"
            print(f"  target {target['who']} {target['figure']}{against} {bound}: {target['value']}{by_cpu} {verdict}")


if __name__ == "__main__":
    sys.exit(main())
