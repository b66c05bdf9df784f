"""The watchdog: the judge by numbers, the thread by loops that are really blocked."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback

import pytest

from gunicorn.drivers.aio import watchdog
from gunicorn.drivers.aio.watchdog import Judge, Verdict, Watchdog, foreground, in_flight, stack_of
from gunicorn.metrics import cells
from gunicorn.metrics.cells import Cells, InFlight

MS = 1_000_000
SECOND = 1000 * MS


class Story:
    """A judge with a threshold of a second, and the numbers it is told; times in ms."""

    def __init__(self) -> None:
        self.judge = Judge(SECOND, 0, 0)
        self.now = self.cpu = 0
        self.beat, self.due = 0, 250

    def after(self, ms, *, beat=None, due=None, cpu=0) -> Verdict:
        """Looks when the time has come, or `ms` after the last look where that is later."""
        self.judge.pause(self.now * MS)
        self.now += ms
        self.cpu += cpu
        if beat is not None:
            self.beat, self.due = beat, beat + 250 if due is None else due
        return self.judge.look(self.now * MS, self.cpu * MS, self.beat * MS, self.due * MS)


def test_a_loop_that_comes_by_is_well():
    story = Story()
    for turn in range(1, 20):
        assert story.after(500, beat=turn * 500 - 100) is Verdict.WELL


def test_a_blockage_is_told_once_and_its_end_too():
    story = Story()
    assert story.after(500) is Verdict.WELL
    assert story.after(500) is Verdict.BLOCKED
    for _ in range(30):
        assert story.after(125) is Verdict.WELL
    assert story.after(125, beat=4800) is Verdict.BACK
    assert story.judge.took == 4800 * MS
    assert story.after(500, beat=5000) is Verdict.WELL


def test_the_next_blockage_is_another_one():
    story = Story()
    story.after(500)
    assert story.after(500) is Verdict.BLOCKED
    assert story.after(125, beat=1100) is Verdict.BACK
    story.after(500)
    assert story.after(500) is Verdict.BLOCKED


def test_one_blockage_after_another_without_a_look_between_them():
    story = Story()
    story.after(500)
    assert story.after(500) is Verdict.BLOCKED
    assert story.after(125, beat=1010) is Verdict.BACK
    verdicts = [story.after(500) for _ in range(3)]
    assert verdicts.count(Verdict.BLOCKED) == 1


def test_a_clock_that_ticks_slowly_is_not_blocked():
    story = Story()
    story.beat, story.due = 0, 5000
    for _ in range(11):
        assert story.after(500) is Verdict.WELL
    assert story.after(500) is Verdict.BLOCKED


def test_a_clock_that_has_not_begun_is_not_blocked():
    story = Story()
    story.due = 0
    for _ in range(10):
        assert story.after(500) is Verdict.WELL


@pytest.mark.parametrize("stopped", [800, 3000, 3_600_000])
def test_a_process_that_was_stopped_is_no_blocked_loop(stopped):
    story = Story()
    assert story.after(500, beat=400) is Verdict.WELL
    assert story.after(stopped, cpu=5) is Verdict.WELL
    assert story.after(500, beat=500 + stopped + 1) is Verdict.WELL
    assert story.after(500, beat=900 + stopped) is Verdict.WELL


def test_a_loop_that_stays_blocked_after_a_stop_is_found():
    story = Story()
    story.after(500, beat=400)
    assert story.after(10_000) is Verdict.WELL
    verdicts = [story.after(500) for _ in range(3)]
    assert verdicts.count(Verdict.BLOCKED) == 1


@pytest.mark.parametrize("first", [True, False])
def test_native_code_that_lets_nobody_run(first):
    """Whether the loop or the watchdog is the first to run again."""
    story = Story()
    story.after(500, beat=450)
    verdict = story.after(3000, cpu=1500, beat=3490 if first else None)
    assert verdict is Verdict.HELD
    assert 2700 * MS <= story.judge.took <= 2900 * MS
    assert story.after(500, beat=3900) is Verdict.WELL


@pytest.mark.parametrize(("pause", "verdict"), [(1050, Verdict.HELD), (700, Verdict.WELL)])
def test_native_code_that_begins_between_two_looks(pause, verdict):
    """The loop came by once more before it was held."""
    story = Story()
    story.after(500, beat=450)
    assert story.after(200 + pause, cpu=pause, beat=690, due=700) is verdict


def test_a_starved_process_that_worked_on_is_well():
    """Nobody ran for long, but the loop was not late."""
    story = Story()
    story.after(500, beat=450, due=5000)
    assert story.after(3000, cpu=2900, beat=3400) is Verdict.WELL


def test_pauses():
    judge = Judge(SECOND, 0, 0)
    assert judge.pause(0) == 500 * MS
    judge.look(500 * MS, 0, 0, 1)
    judge.pause(500 * MS)
    assert judge.look(1000 * MS, 0, 0, 1) is Verdict.BLOCKED
    assert judge.pause(1000 * MS) == 125 * MS


def test_requests_in_flight_are_named_up_to_a_number():
    now = 10 * SECOND
    assert in_flight([], now) == "no request is in flight"
    one = InFlight(8 * SECOND, "GET /slow HTTP/1.1")
    assert in_flight([one], now) == "requests in flight: GET /slow HTTP/1.1 (2.0 s)"
    assert in_flight([one] * 7, now).endswith("GET /slow HTTP/1.1 (2.0 s), and 2 more")


class Ticking:
    """A loop's clock, kept as the driver keeps its own."""

    def __init__(self, loop, tick=0.01) -> None:
        self.loop = loop
        self.tick = tick
        self.beat = self.due = 0
        self.turn()

    def turn(self) -> None:
        self.beat = time.monotonic_ns()
        self.due = self.beat + int(self.tick * 1e9)
        self.loop.call_later(self.tick, self.turn)


class Reports:
    """What was reported, and a bell that rings at each report."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.bell = threading.Semaphore(0)

    def __call__(self, text: str) -> None:
        self.texts.append(text)
        self.bell.release()

    def wait(self) -> None:
        """Blocks, as applications do, until there is a report."""
        assert self.bell.acquire(timeout=20)


def loops():
    try:
        import uvloop
    except ImportError:
        return [asyncio.new_event_loop]
    return [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=loops(), ids=lambda kind: kind.__module__.partition(".")[0])
def loop(request):
    made = request.param()
    yield made
    made.close()


def row_with(line: bytes):
    row = Cells(1).rows[1]
    cells.NOTE.pack_into(row.notes, 0, time.monotonic_ns(), line)
    return row


def test_a_blocked_loop_is_reported_with_the_stack_that_blocks_it(loop):
    reports, row = Reports(), row_with(b"GET /blocks HTTP/1.1")
    dog = Watchdog(0.25, reports, row)

    async def handler():
        await innocent()

    async def innocent():
        who_blocks_the_loop()

    def who_blocks_the_loop():
        reports.wait()

    async def main():
        await asyncio.ensure_future(handler())
        while len(reports.texts) < 2:
            await asyncio.sleep(0.01)

    dog.start(Ticking(loop), threading.get_ident())
    loop.run_until_complete(asyncio.wait_for(main(), 30))
    dog.stop()
    first, second = reports.texts
    head, _, stack = first.partition("\n")
    assert "blocked, for 0.25 s now; requests in flight: GET /blocks HTTP/1.1 (" in head
    assert "in who_blocks_the_loop" in stack
    lines = [line for line in stack.splitlines() if line.startswith("  File")]
    # The innermost ones are those of the bell and of the semaphore.
    assert [line.partition(" in ")[2] for line in lines][:3] == ["handler", "innocent", "who_blocks_the_loop"]
    assert "The event loop runs again; it was blocked for about" in second
    assert row.page[cells.LOOP_BLOCKS] == 1


def test_two_blockages_are_two(loop):
    reports, row = Reports(), row_with(b"")
    dog = Watchdog(0.25, reports, row)

    async def main():
        clock = Ticking(loop)
        dog.start(clock, threading.get_ident())
        for count in (2, 4):
            reports.wait()
            while len(reports.texts) < count:
                await asyncio.sleep(0.01)
            reports.bell.acquire()

    loop.run_until_complete(asyncio.wait_for(main(), 30))
    dog.stop()
    assert row.page[cells.LOOP_BLOCKS] == 2


def test_a_threshold_of_0_watches_nothing():
    before = threading.active_count()
    dog = Watchdog(0, print, Cells(0).rows[0])
    dog.start(Ticking(asyncio.new_event_loop()), threading.get_ident())
    assert threading.active_count() == before
    dog.stop()


def test_stopping_ends_the_thread_and_may_be_repeated(loop):
    before = threading.active_count()
    dog = Watchdog(30, print, Cells(0).rows[0])
    dog.start(Ticking(loop), threading.get_ident())
    assert threading.active_count() == before + 1
    dog.stop()
    assert threading.active_count() == before
    dog.stop()


def test_a_stop_without_a_start():
    Watchdog(1, print, Cells(0).rows[0]).stop()


def test_the_stack_of_a_thread_that_has_ended():
    thread = threading.Thread(target=int)
    thread.start()
    ident = thread.ident
    thread.join()
    assert stack_of(ident) == "  (the thread has ended)"


def frames(*files):
    return [traceback.FrameSummary(file, 1, "f", lookup_line=False) for file in files]


def test_foreground():
    ours, loops_own = watchdog.MACHINERY[0] + "workers/gasgi.py", watchdog.MACHINERY[1] + "events.py"
    start = [loops_own, loops_own, ours]
    app, library = "/srv/app.py", "/lib/asgiref.py"
    assert foreground(frames(*start, app, library)) == frames(app, library)
    assert foreground(frames(*start, app, loops_own, app)) == frames(app, loops_own, app)
    assert foreground(frames(*start)) == frames(*start)
    assert foreground(frames(app)) == frames(app)


def test_a_stack_ends_at_its_base():
    def outer():
        return inner(sys._getframe())

    def inner(base):
        return stack_of(threading.get_ident(), base), stack_of(threading.get_ident())

    cut, whole = outer()
    assert "in inner" in cut
    assert "in outer" not in cut
    assert "in outer" in whole


def test_a_stack_that_is_deep_is_cut_at_the_outside():
    def sink(depth):
        return sink(depth - 1) if depth else stack_of(threading.get_ident())

    text = sink(200)
    assert text.count("in sink") == 3
    assert f"repeated {watchdog.DEEPEST - 4} more times" in text
    assert "in stack_of" in text
