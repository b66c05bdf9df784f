"""Finds an event loop that is blocked, and says by which stack.

A thread looks at the loop's clock now and then: two numbers, which the loop itself keeps. It takes no lock, and
nothing is done for a request. `Judge` decides by numbers alone; `Watchdog` is the thread around it. Knows
nothing of what the loop runs but the frames it finds there.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from time import monotonic_ns, process_time_ns
from types import FrameType
from typing import Protocol

from gunicorn.metrics import cells
from gunicorn.metrics.cells import InFlight, Row

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MACHINERY = (_PACKAGE + os.sep, os.path.dirname(asyncio.__file__) + os.sep)
"""Folders whose frames lie between the start of the process and the application: ours, and asyncio's."""
DEEPEST = 40
"""How many frames of a stack are shown, the innermost ones."""
NAMED = 5
"""How many requests in flight are named."""
STUCK_SECONDS = 1.0


class Clock(Protocol):
    """What the loop keeps up to date, in monotonic ns."""

    @property
    def beat(self) -> int:
        """When the loop last came by."""
        ...

    @property
    def due(self) -> int:
        """When it will come by again; 0 before it has begun."""
        ...


class Verdict(enum.Enum):
    """What a look at the clock says."""

    WELL = enum.auto()
    BLOCKED = enum.auto()
    """Since `threshold`; said once for each blockage."""
    BACK = enum.auto()
    """A blockage that was told is over; it took `Judge.took`."""
    HELD = enum.auto()
    """For `Judge.took` neither the loop nor this thread ran, and yet the process used the processor."""


class Judge:
    """Tells from numbers whether a loop is blocked. Times in ns; nothing is read from a clock here."""

    def __init__(self, threshold: int, now: int, cpu: int) -> None:
        self.threshold = threshold
        self.took = 0
        self._expected = now
        self._resumed = now
        self._due = 0
        self._cpu = cpu
        self._told: int | None = None
        """The beat before the blockage that was told last; None while the loop is well."""

    def pause(self, now: int) -> int:
        """How long to sleep before the next look: a blockage is found in time, its end is measured closely."""
        pause = self.threshold // (2 if self._told is None else 8)
        self._expected = now + pause
        return pause

    def look(self, now: int, cpu: int, beat: int, due: int) -> Verdict:
        """Judges the clock (`beat`, `due`) at `now`, when the process has used `cpu`."""
        overslept, used = now - self._expected, cpu - self._cpu
        expected, enough = self._due, self.threshold - self.threshold // 4
        self._cpu, self._due = cpu, due
        if self._told is not None:
            if beat == self._told:
                return Verdict.WELL
            self.took, self._told = beat - self._told, None
            return Verdict.BACK
        if overslept > self.threshold // 4:
            # The whole process did not run: stopped, suspended, starved. What the loop missed then is not its fault.
            self._resumed = now
            # Whichever of the two threads ran first again: the loop is late now, or was when it came back.
            self.took = max(now - due, beat - expected)
            is_busy = overslept >= self.threshold // 2 and used >= overslept // 4
            return Verdict.HELD if is_busy and expected and self.took >= enough else Verdict.WELL
        late = now - max(due, self._resumed)
        if due and late >= enough and now - beat >= self.threshold:
            self._told = beat
            return Verdict.BLOCKED
        return Verdict.WELL


class Watchdog:
    """Watches one loop from a thread of its own."""

    def __init__(self, threshold: float, report: Callable[[str], None], row: Row) -> None:
        """`threshold` in seconds, 0 for no watching. `report` gets texts for the log, on another thread.

        `row` counts the blockages and knows the requests in flight.
        """
        self.threshold = threshold
        self.report = report
        self.row = row
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._base: FrameType | None = None

    def start(self, clock: Clock, ident: int) -> None:
        """Begins to watch the loop that keeps `clock`, on the thread `ident`.

        Stacks are shown from the caller of this on: what it was called by is the same in all of them.
        """
        if self.threshold <= 0:
            return
        self._base = sys._getframe(1)
        self._thread = threading.Thread(target=self._watch, args=(clock, ident), name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the watching; nothing is reported any more."""
        self._over.set()
        if self._thread is not None:
            # A report may be stuck in a log that nobody reads; the end of the worker does not wait for that.
            self._thread.join(STUCK_SECONDS)
            self._thread = self._base = None

    def _watch(self, clock: Clock, ident: int) -> None:
        judge = Judge(int(self.threshold * 1e9), monotonic_ns(), process_time_ns())
        while not self._over.wait(judge.pause(monotonic_ns()) / 1e9):
            verdict = judge.look(monotonic_ns(), process_time_ns(), clock.beat, clock.due)
            if verdict is Verdict.WELL:
                continue
            if verdict is Verdict.BACK:
                self.report(f"The event loop runs again; it was blocked for about {judge.took / 1e9:.1f} s")
                continue
            self.row.page[cells.LOOP_BLOCKS] += 1
            flying = in_flight(self.row.in_flight(), monotonic_ns())
            if verdict is Verdict.HELD:
                seconds = f"{judge.took / 1e9:.1f} s"
                why = "native code let no other thread run, so there is no stack of it"
                self.report(f"The event loop was blocked for {seconds}; {why}; {flying}")
            else:
                where = stack_of(ident, self._base)
                self.report(f"The event loop is blocked, for {self.threshold:g} s now; {flying}; it is here:\n{where}")


def in_flight(notes: Sequence[InFlight], now: int) -> str:
    """The requests in flight, oldest first, as part of a sentence."""
    named = [f"{note.line} ({(now - note.started) / 1e9:.1f} s)" for note in notes[:NAMED]]
    if len(notes) > NAMED:
        named.append(f"and {len(notes) - NAMED} more")
    return f"requests in flight: {', '.join(named)}" if named else "no request is in flight"


def stack_of(ident: int, base: FrameType | None = None) -> str:
    """What the thread `ident` is doing now, innermost last, without `base` and what called it, and without the
    frames that run the loop."""
    frame = sys._current_frames().get(ident)
    if frame is None:
        return "  (the thread has ended)"
    above = itertools.takewhile(lambda place: place[0] is not base, traceback.walk_stack(frame))
    frames = foreground(list(traceback.StackSummary.extract(above))[::-1])
    return "".join(traceback.format_list(frames[-DEEPEST:])).rstrip()


def foreground(frames: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """The frames that the loop called: those after the machinery in front; all where nothing follows it."""
    return list(itertools.dropwhile(_is_machinery, frames)) or frames


def _is_machinery(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(MACHINERY)
