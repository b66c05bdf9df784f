"""The soak in short: `make soak` lets a hundred thousand clients loose, this a few of each kind."""

from __future__ import annotations

import pytest

from tests.soak.clients import CLIENTS
from tests.soak.run import PARTS, Report, Sample, soak


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loop", "requests", "tls"), [("uvloop", 2000, False), ("asyncio", 1000, False), ("uvloop", 500, True)]
)
def test_nothing_is_left_of_clients_that_break_off(loop, requests, tls):
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    report = soak(requests, loop=loop, tls=tls, say=print)
    assert report.judge() == []
    if not tls:
        assert set(report.came) == {client.__name__ for client, _ in CLIENTS}, "every kind of client came"
    last = report.samples[-1].held
    assert min(last[name] for name in ("status_2xx", "rejected", "aborted")) > 0, "and the server noticed"


def sample(requests: int, resident: int = 30_000_000, **held: int) -> Sample:
    kept = {"connections": 0, "in_flight": 1, "websockets": 0, "tasks": 2, "files": 10, "pid": 1}
    return Sample(requests, 1.0, resident, {**kept, **held})


@pytest.mark.parametrize(
    ("last", "says"),
    [
        (sample(5, connections=1), "connections"),
        (sample(5, tasks=3), "tasks"),
        (sample(5, files=11), "files"),
        (sample(5, websockets=1), "websockets"),
        (sample(5, pid=2), "live through"),
        (sample(5, resident=40_000_000), "memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_judge_sees_what_is_left(last, says):
    report = Report([sample(number) for number in range(PARTS)] + [last])
    (found,) = report.judge()
    assert says in found
    assert Report([sample(number) for number in range(PARTS + 1)]).judge() == []
