"""The results as people read them: the tables of docs/performance.md, printed between two markers."""

from __future__ import annotations

from typing import Any

from bench.contenders import ROOT
from bench.measure import HEADLINE
from bench.results import read
from bench.workloads import WORKLOADS, Kind, Workload

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin (printed by `make docs`) -->", "<!-- figures: end -->"

UNITS = {
    "rate": ("requests/s", "{:,.0f}"),
    "cpu_us": ("CPU µs/request", "{:.1f}"),
    "p50_ms": ("p50 ms", "{:.2f}"),
    "p99_ms": ("p99 ms", "{:.2f}"),
    "share": ("share of the possible", "{:.3f}"),
    "multiple": ("held p99 / idle p99", "{:.2f}"),
    "idle_p99_ms": ("idle p99 ms", "{:.3f}"),
    "held_p99_ms": ("held p99 ms", "{:.3f}"),
    "idle_rate": ("idle requests/s", "{:,.0f}"),
    "held_rate": ("held requests/s", "{:,.0f}"),
    "pss_mib": ("memory, MiB", "{:.1f}"),
    "start_ms": ("first answer, ms", "{:.0f}"),
    "processes": ("processes", "{:.0f}"),
    "frames": ("frames", "{:.0f}"),
    "frames_logged": ("frames with access log", "{:.0f}"),
    "messages": ("messages/s", "{:,.0f}"),
    "message_cpu_us": ("CPU µs/message", "{:.1f}"),
    "client_busy": ("client busy", "{:.0%}"),
    "message_frames": ("frames", "{:.0f}"),
    "connection_kib": ("KiB a connection", "{:.2f}"),
    "before_mib": ("before, MiB", "{:.1f}"),
    "after_mib": ("with all, MiB", "{:.1f}"),
    "others": ("core time taken by others", "{:.0%}"),
    "errors": ("errors", "{:.0f}"),
}
TROUBLE = {"errors": 0.0, "others": 0.05}
"""Figures that are shown only where one is above this."""
NOT_MEASURED = "not measured yet"


def render() -> str:
    """The whole of docs/performance.md with its tables printed anew; prose around the markers is kept."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables(read())}\n{END}{after}"


def tables(results: dict[str, dict[str, Any]]) -> str:
    """Targets first, then the figures of every workload."""
    blocks = [_targets(results)]
    blocks += [_figures(workload, results[workload.name]) for workload in WORKLOADS if workload.name in results]
    return "\n".join(blocks)


def _targets(results: dict[str, dict[str, Any]]) -> str:
    lines = ["| workload | figure | target | measured | by CPU time | met |", "|---|---|---|---|---|---|"]
    for workload in WORKLOADS:
        found = results.get(workload.name)
        for place, target in enumerate(workload.targets):
            bound = f"{'at most' if target.at_most else 'at least'} {target.bound:g}{' ×' if target.against else ''}"
            against = f" {target.against}" if target.against else ""
            measured, by_cpu, met = NOT_MEASURED, "", ""
            if found and found["targets"][place]["met"] is not None:
                measured = f"{found['targets'][place]['value']:.4g}{' ×' if target.against else ''}"
                ratio = found["targets"][place]["by_cpu"]
                by_cpu = "" if ratio is None else f"{ratio:.4g} ×"
                met = "yes" if found["targets"][place]["met"] else "**no**"
            what = _what(workload, target.figure)
            who = f"{target.who}: " if workload.kind in (Kind.FRAMES, Kind.WEBSOCKET_FRAMES) else ""
            lines.append(f"| {workload.title} | {who}{what} | {bound}{against} | {measured} | {by_cpu} | {met} |")
    return "\n".join(lines) + "\n"


def _what(workload: Workload, figure: str) -> str:
    return UNITS[figure or HEADLINE[workload.kind]][0]


def _speaks(key: str, values: list[float]) -> bool:
    return key not in TROUBLE or max(values) > TROUBLE[key]


def _figures(workload: Workload, result: dict[str, Any]) -> str:
    medians = result["medians"]
    keys = [key for key in next(iter(medians.values())) if _speaks(key, [one[key] for one in medians.values()])]
    machine, pace = result["machine"], result["pace"]
    versions = ", ".join(f"{package} {number}" for package, number in result["versions"].items())
    lines = [
        f"### {workload.title}",
        "",
        "| server | " + " | ".join(UNITS[key][0] for key in keys) + " |",
        "|---" * (len(keys) + 1) + "|",
    ]
    for name, figures in medians.items():
        lines.append(f"| {name} | " + " | ".join(UNITS[key][1].format(figures[key]) for key in keys) + " |")
    rounds = "one round" if len(result["rounds"]) == 1 else f"medians of {len(result['rounds'])} rounds"
    host = f"Python {machine['python']}; {machine['processor']}, {machine['cores']} cores, {machine['system']}"
    lines += [
        "",
        f"{result['date']}; {versions}; {host}; {rounds} of {pace['seconds']:g} s.",
        "",
    ]
    return "\n".join(lines)
