"""The asgi worker: what it makes of signals and settings, and how its end is bounded."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from time import monotonic_ns
from types import SimpleNamespace

import pytest

from gunicorn.drivers.ending import QuickStop
from gunicorn.errors import WorkerBootError
from gunicorn.metrics import cells
from gunicorn.workers import gasgi
from gunicorn.workers.farewell import graceful, quick
from gunicorn.workers.gasgi import GOING_AWAY, IDLE_GRACE_NS, QUICK_SECONDS, SERVICE_RESTART, ASGIWorker

SECOND = 1_000_000_000


class Said(list):
    """A log that remembers: (level, text)."""

    def __getattr__(self, level):
        return lambda text, *args, **options: self.append((level, text % args))


def made(stage=cells.Stage.SERVING, dropped=0, **settings):
    """A worker that serves, without its loop: what it tells the loop and the keeper is kept."""
    worker = ASGIWorker.__new__(ASGIWorker)
    worker.cells = cells.Cells(2)
    worker.cells.rows[0].page[cells.PHASE] = stage
    worker.row = worker.cells.rows[1]
    worker.row.page[cells.DROPPED] = dropped
    hook = {"worker_int": lambda worker: worker.log.info("worker_int")}
    worker.cfg = SimpleNamespace(**{"graceful_timeout": 30, **hook, **settings})
    worker.log = Said()
    worker.alive = True
    worker.leaves = []
    worker.keeper = SimpleNamespace(stop=worker.leaves.append)
    worker.told = []
    worker.loop = SimpleNamespace(call_soon_threadsafe=worker.told.append)
    return worker


@pytest.fixture
def timer():
    """No alarm outlives a test."""
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("stage", "code", "drains", "idle"),
    [
        (cells.Stage.DRAINING, GOING_AWAY, True, IDLE_GRACE_NS),
        (cells.Stage.SERVING, SERVICE_RESTART, False, int(graceful(30).tell * SECOND / 2)),
        (cells.Stage.UPGRADED, SERVICE_RESTART, False, int(graceful(30).tell * SECOND / 2)),
    ],
)
def test_term(stage, code, drains, idle):
    worker = made(stage, dropped=5)
    since = monotonic_ns()
    worker.begin_stop()
    (leave,) = worker.leaves
    assert (leave.code, leave.drain_queue, leave.dropped, leave.idle_ns) == (code, drains, 5, idle)
    times = graceful(30)
    assert (leave.tell_ns, leave.cancel_ns) == (times.tell * SECOND, times.cancel * SECOND)
    assert worker.over_at >= since + times.over * SECOND
    assert not worker.alive
    worker.begin_stop()
    assert len(worker.leaves) == 1, "once is enough"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("stage", [cells.Stage.SERVING, cells.Stage.DRAINING])
def test_int_and_quit(timer, number, stage):
    worker = made(stage)
    worker._hear(number, None)
    assert (worker.quick, worker.alive) == (True, False)
    assert worker.log == [("info", "worker_int")]
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 0, "an application that blocks the loop must not block the end"
    worker._hear(number, None)
    assert worker.told == [worker._end_now]
    worker._end_now()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    (leave,) = worker.leaves
    assert (leave.code, leave.idle_ns, leave.drain_queue) == (GOING_AWAY, 0, False)
    assert leave.cancel_ns == int(quick(QUICK_SECONDS).cancel * SECOND)


def test_haste_is_bounded_by_the_time_to_leave(timer):
    worker = made(graceful_timeout=1)
    since = monotonic_ns()
    worker._hear(signal.SIGINT, None)
    worker._end_now()
    (leave,) = worker.leaves
    assert leave.cancel_ns == int(quick(1).cancel * SECOND)
    assert since < worker.over_at < monotonic_ns() + SECOND


def test_a_quick_stop_may_follow_a_patient_one(timer):
    worker = made()
    worker._hear(signal.SIGTERM, None)
    assert worker.told == [worker.begin_stop]
    worker.begin_stop()
    worker._hear(signal.SIGQUIT, None)
    worker._end_now()
    assert [leave.code for leave in worker.leaves] == [SERVICE_RESTART, GOING_AWAY]


def test_usr1_reopens_logs():
    worker = made()
    worker.log = SimpleNamespace(reopen_files=lambda: worker.told.append("reopened"))
    worker._hear(signal.SIGUSR1, None)
    assert worker.told == ["reopened"]
    assert worker.alive


def test_force_is_a_quick_stop():
    with pytest.raises(QuickStop):
        gasgi._leave_by_force(signal.SIGALRM, None)


def test_what_nobody_awaited_is_logged():
    worker = made()
    worker._report_stray(None, {"message": "Task exception was never retrieved", "exception": ValueError()})
    worker._report_stray(None, {})
    assert worker.log == [("error", "Task exception was never retrieved"), ("error", "Exception in the event loop")]


# -- loops -----------------------------------------------------------------------------------------------

HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None


@pytest.mark.parametrize("kind", ["auto", "asyncio", "uvloop"])
def test_loops(kind):
    if kind == "uvloop" and not HAS_UVLOOP:
        pytest.skip("uvloop is not installed")
    loop = gasgi._new_loop(kind)
    try:
        wanted = "uvloop" if HAS_UVLOOP and kind != "asyncio" else "asyncio"
        assert type(loop).__module__.split(".")[0] == wanted
        assert loop.run_until_complete(asyncio.sleep(0, 5)) == 5
    finally:
        loop.close()


def test_without_uvloop(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "uvloop", None)
    with pytest.raises(WorkerBootError, match="not installed"):
        gasgi._new_loop("uvloop")
    loop = gasgi._new_loop("auto")
    loop.close()
    assert isinstance(loop, asyncio.SelectorEventLoop)
