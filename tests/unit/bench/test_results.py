"""The benchmark's arithmetic: reports of wrk, ratios round by round, and the table."""

from __future__ import annotations

from typing import Any

import pytest

from bench import table
from bench.load import LoadError, parse
from bench.measure import HEADLINE, Pace
from bench.results import assess, medians
from bench.workloads import BEST_OF, WORKLOADS, Kind, Target, Workload

REPORT = """Running 2s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms  300.10us  11.34ms   90.12%
    Req/Sec    62.80k     2.50k   66.00k    80.00%
  Latency Distribution
     50%    0.99ms
     75%    1.10ms
     90%    1.21ms
     99%  850.00us
  124990 requests in 2.00s, 20.10MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:  62495.00
Transfer/sec:     10.05MB
"""


def test_report_of_wrk() -> None:
    report = parse(REPORT)
    assert (report.requests, report.seconds, report.rate) == (124990, 2.0, 62495.0)
    assert report.p50 == pytest.approx(0.00099)
    assert report.p99 == pytest.approx(0.00085)
    assert report.errors == 15


def test_report_without_trouble_has_no_errors() -> None:
    clean = "\n".join(line for line in REPORT.splitlines() if "errors" not in line and "Non-2xx" not in line)
    assert parse(clean).errors == 0


def test_anything_else_is_no_report() -> None:
    with pytest.raises(LoadError):
        parse("unable to connect")


def _workload(*targets: Target) -> Workload:
    return Workload("w", "W", Kind.THROUGHPUT, "hello:app", ("a", "b"), targets)


def test_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """Not the ratio of medians: here that would be 200 / 100."""
    each = ((100, 10, 5, 20), (200, 100, 5, 30), (900, 300, 5, 10))
    rounds = [{"a": {"rate": a, "cpu_us": x}, "b": {"rate": b, "cpu_us": y}} for a, b, x, y in each]
    target = Target("a", 3.0, "b")
    found = assess(_workload(target), target, rounds)
    assert found["each"] == [10, 2, 3]
    assert found["value"] == 3
    assert found["by_cpu"] == 4
    assert found["met"] is True


def test_rounds_without_both_sides_do_not_count() -> None:
    target = Target("a", 3.0, "b")
    assert assess(_workload(target), target, [{"a": {"rate": 1}}])["met"] is None


def test_the_best_of_several_is_found_in_each_round() -> None:
    """Two rounds, two winners; the processor time is the winner's, not the lowest."""
    one, other = BEST_OF["uvicorn's best"][:2]
    rounds = [
        {
            "a": {"messages": 100.0, "message_cpu_us": 10.0},
            one: {"messages": 50.0, "message_cpu_us": 30.0},
            other: {"messages": 20.0, "message_cpu_us": 1.0},
        },
        {"a": {"messages": 120.0, "message_cpu_us": 10.0}, other: {"messages": 30.0, "message_cpu_us": 50.0}},
    ]
    target = Target("a", 1.0, "uvicorn's best")
    found = assess(Workload("w", "W", Kind.WEBSOCKET, "hello:app", ("a", one, other), (target,)), target, rounds)
    assert found["each"] == [2, 4]
    assert found["by_cpu"] == 4
    assert found["against"] == "uvicorn's best"


def test_the_best_of_a_price_is_the_lowest() -> None:
    one, other = BEST_OF["uvicorn's best"][:2]
    rounds = [{"a": {"connection_kib": 6.0}, one: {"connection_kib": 8.0}, other: {"connection_kib": 12.0}}]
    target = Target("a", 1.0, "uvicorn's best", at_most=True)
    found = assess(Workload("w", "W", Kind.IDLE, "hello:app", ("a", one, other), (target,)), target, rounds)
    assert (found["value"], found["by_cpu"], found["met"]) == (0.75, None, True)


def test_an_absolute_target_has_no_peer() -> None:
    target = Target("a", 40, at_most=True)
    workload = Workload("w", "W", Kind.WEBSOCKET_FRAMES, "hello:app", ("a",), (target,))
    found = assess(workload, target, [{"a": {"message_frames": 41.0}}])
    assert (found["value"], found["by_cpu"], found["met"]) == (41, None, False)


def test_every_kind_has_a_headline_with_a_unit() -> None:
    for kind in Kind:
        assert HEADLINE[kind] in table.UNITS


def test_at_most() -> None:
    assert Target("a", 2.0, at_most=True).met(2.0)
    assert not Target("a", 2.0, at_most=True).met(2.1)


def test_medians_are_taken_figure_by_figure() -> None:
    rounds = [{"a": {"rate": rate, "p": 10 - rate}} for rate in (1.0, 5.0, 3.0)]
    assert medians(rounds) == {"a": {"rate": 3.0, "p": 7.0}}


def test_table_shows_every_target_measured_or_not() -> None:
    text = table.tables({})
    assert text.count(table.NOT_MEASURED) == sum(len(workload.targets) for workload in WORKLOADS)


def _result(workload: Workload, rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    return {
        "date": "2026-01-01",
        "machine": {"processor": "x", "cores": 2, "system": "Linux 6", "python": "3.11.7"},
        "versions": {"ours": "30"},
        "pace": vars(Pace(1, 2, 3)),
        "rounds": rounds,
        "medians": medians(rounds),
        "targets": [assess(workload, target, rounds) for target in workload.targets],
    }


def test_table_says_what_is_not_met() -> None:
    workload = WORKLOADS[0]
    rounds = [{name: {"rate": 100.0 + place, "cpu_us": 10.0, "errors": 0.0} for place, name in enumerate(workload.who)}]
    result = _result(workload, rounds)
    text = table.tables({workload.name: result})
    assert "**no**" in text
    assert f"### {workload.title}" in text


def test_table_speaks_of_trouble_only_where_there_was_some() -> None:
    workload = WORKLOADS[0]
    quiet = {"rate": 100.0, "cpu_us": 10.0, "others": 0.01, "errors": 0.0}
    texts = [
        table.tables({workload.name: _result(workload, [dict.fromkeys(workload.who, quiet | trouble)])})
        for trouble in ({}, {"others": 0.3}, {"errors": 2.0})
    ]
    assert ["taken by others" in text for text in texts] == [False, True, False]
    assert ["| errors |" in text for text in texts] == [False, False, True]


@pytest.mark.parametrize("name", [one.name for one in WORKLOADS if one.kind in (Kind.WEBSOCKET, Kind.IDLE)])
def test_table_prints_the_figures_of_every_kind(name: str) -> None:
    figures = {
        Kind.WEBSOCKET: {"messages": 40000.0, "message_cpu_us": 21.5, "client_busy": 0.35, "others": 0.0},
        Kind.IDLE: {"connection_kib": 3.84, "before_mib": 25.9, "after_mib": 63.4, "errors": 0.0},
    }
    workload = next(one for one in WORKLOADS if one.name == name)
    text = table.tables({name: _result(workload, [dict.fromkeys(workload.who, figures[workload.kind])])})
    shown = {Kind.WEBSOCKET: "| ours asgi | 40,000 | 21.5 | 35% |", Kind.IDLE: "| ours asgi | 3.84 | 25.9 | 63.4 |"}
    assert shown[workload.kind] in text
    assert "yes |" in text
