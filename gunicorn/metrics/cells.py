"""THE table of metrics: shared memory made before fork, one page a child, one writer a page.

`page[REQUESTS] += 1` is the whole hot-path API: a page is a memoryview of unsigned 64-bit integers.
The parent reads every page at any time, also while its owner is stopped, wedged or dead, so the
heartbeat rule, `show`, /metrics, /readyz and statsd see the same truth. When a child goes, its
counters are folded into row 0, so sums never go backwards.

Within one process several threads may write a page: `page[i] += 1` has no point at which the
interpreter lock can be handed over (eval-breaker checks sit on calls and backward jumps only).

Times are nanoseconds of the monotonic clock; sizes are bytes.
"""

from __future__ import annotations

import enum
import itertools
import mmap
import struct
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds (Prometheus' defaults); one more cell counts what is above the last."""

_index = itertools.count()


def _cell(n: int = 1) -> int:
    """The first of `n` cells in a row."""
    first = next(_index)
    for _ in range(n - 1):
        next(_index)
    return first


# Gauges: meaningless once the owner is gone, zeroed when its page is freed.
PID = _cell()
GENERATION = _cell()
STATE = _cell()
"""`supervisor.child.State` as an integer, written by the parent."""
STARTED = _cell()
HEARTBEAT = _cell()
"""Monotonic ns of the last turn of the owner's loop."""
IN_FLIGHT = _cell()
"""Requests in the hands of the application now."""
THREADS = _cell()
THREADS_BUSY = _cell()
CONNECTIONS = _cell()
CONNECTIONS_IDLE = _cell()
WEBSOCKETS = _cell()
"""WebSocket connections that are open now."""
LOOP_LAG = _cell()
"""How late the event loop of an asgi worker last came back to its clock, ns."""
DROPPED = _cell()
"""Listeners of the owner, a bit each in its order, that nobody serves after it: their queues are its to
empty when it leaves. Written by the parent."""
PHASE = _cell()
"""Of row 0 only: what the whole tree is doing, see `Stage`; workers read it when they are told to stop."""
GAUGES = range(PID, PHASE + 1)

# Counters: folded into row 0 when the owner goes.
STATUS_1XX = _cell()
STATUS_2XX = _cell()
STATUS_3XX = _cell()
STATUS_4XX = _cell()
STATUS_5XX = _cell()
"""Final answers by class; their sum is `requests_total`. STATUS_1XX counts 101 only."""
REJECTED = _cell()
TIMED_OUT = _cell()
SHED = _cell()
ABORTED = _cell()
"""Requests whose client went away before the answer was complete."""
BYTES_IN = _cell()
BYTES_OUT = _cell()
ACCEPTED = _cell()
"""Connections accepted."""
WEBSOCKET_MESSAGES_IN = _cell()
WEBSOCKET_MESSAGES_OUT = _cell()
"""Whole messages, after fragments were joined."""
LOOP_BLOCKS = _cell()
"""How often an event loop was blocked for longer than `asgi_block_threshold`."""
DURATION_SUM = _cell()
DURATION = _cell(len(DURATION_BUCKETS) + 1)
"""Not cumulative: one observation adds to one cell."""
QUEUE_SUM = _cell()
QUEUE = _cell(len(DURATION_BUCKETS) + 1)
COUNTERS = range(STATUS_1XX, QUEUE + len(DURATION_BUCKETS) + 1)

CELLS = next(_index)

NOTES = 32
"""How many requests in flight a row can name at once; further ones share the last place."""
NOTE = struct.Struct("Q248s")
"""A note: monotonic ns at which the request started (0 = none) and its request line, cut, NUL-padded."""
_NOTES_AT = (CELLS * 8 + 63) // 64 * 64
ROW_SIZE = _NOTES_AT + NOTES * NOTE.size


class Stage(enum.IntEnum):
    """Values of PHASE."""

    STARTING = 0
    SERVING = 1
    DRAINING = 2
    """The tree is stopping gracefully: who stops must first empty the accept queue."""
    UPGRADED = 3
    """A new tree serves the same sockets: who stops leaves the accept queue to it."""


Page = memoryview
"""A page as the hot path sees it: format "Q", CELLS long."""

BOUNDS_NS = tuple(int(bound * 1e9) for bound in DURATION_BUCKETS)
"""For the hot path, which spells `observe` out to save a frame."""

STATUS_CELLS = {str(first): STATUS_1XX + first - 1 for first in range(1, 6)}
"""From the first digit of a status to its counter."""


def observe(page: Page, sum_cell: int, first_bucket: int, ns: int) -> None:
    """Adds one observation of `ns` nanoseconds to a histogram."""
    page[sum_cell] += ns
    page[first_bucket + bisect_left(BOUNDS_NS, ns)] += 1


class InFlight(NamedTuple):
    """A request in the hands of an application: when it started (monotonic ns) and its request line."""

    started: int
    line: str


class Row(NamedTuple):
    """A row by its two faces: numbers and notes.

    The hot path writes a note with one call that enters no frame:
    `NOTE.pack_into(row.notes, index * NOTE.size, started_ns, line)`; a start of 0 clears it.
    """

    page: Page
    notes: memoryview

    def in_flight(self) -> list[InFlight]:
        """The noted requests, oldest first. Read while the owner writes: a line may be torn, never too long."""
        found = [
            InFlight(started, line.rstrip(b"\0").decode("latin-1"))
            for started, line in NOTE.iter_unpack(self.notes)
            if started
        ]
        return sorted(found, key=lambda note: note.started)


class Cells:
    """All rows of one process tree: row 0 is the parent's, 1.. are its children's slots."""

    def __init__(self, slots: int = 64) -> None:
        self._map = mmap.mmap(-1, ROW_SIZE * (slots + 1))
        self._free = list(range(slots, 0, -1))
        view = memoryview(self._map)
        self.rows: Sequence[Row] = [_row(view, slot) for slot in range(slots + 1)]

    def take(self) -> int:
        """A free slot, all zero. Raises IndexError when every slot is taken."""
        return self._free.pop()

    def free(self, slot: int) -> None:
        """Folds the slot's counters into row 0 and gives the slot back."""
        gone, total = self.rows[slot].page, self.rows[0].page
        for cell in COUNTERS:
            total[cell] += gone[cell]
            gone[cell] = 0
        for cell in GAUGES:
            gone[cell] = 0
        notes = self.rows[slot].notes
        notes[:] = bytes(len(notes))
        self._free.append(slot)

    def total(self, cell: int) -> int:
        """A counter over all rows, living and gone."""
        return sum(row.page[cell] for row in self.rows)


def _row(view: memoryview, slot: int) -> Row:
    start = slot * ROW_SIZE
    return Row(view[start : start + CELLS * 8].cast("Q"), view[start + _NOTES_AT : start + ROW_SIZE])
