"""A child process as its parent sees it: five states and the matrix that moves it between them.

Knows nothing of signals' delivery, pipes, clocks or what the child runs: an event goes in, the next
state and the action it asks for come out. What runs inside the child is `birth` and its program.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any


class State(enum.IntEnum):
    """Where a child is in its life; the numbers are what the STATE cell holds (0 = no child)."""

    BOOTING = 1
    """Forked, not yet able to serve."""
    READY = 2
    """It serves."""
    DRAINING = 3
    """Told to leave; it finishes what it holds."""
    ABORTING = 4
    """It did not keep a promise (heartbeat, boot or drain time) and is being ended by force."""
    GONE = 5
    """Reaped."""


class Event(enum.Enum):
    """What can happen to a child."""

    READY = "ready"
    """It says that it serves."""
    RETIRE = "retire"
    """It asks to be replaced and serves on until it is told to leave."""
    DRAIN = "drain"
    """The parent wants it gone, politely."""
    QUIT = "quit"
    """The parent wants it gone now."""
    STALL = "stall"
    """Its heartbeat is too old."""
    EXPIRE = "expire"
    """The deadline of its state has passed."""
    EXIT = "exit"
    """The kernel says that it ended."""


class Action(enum.Enum):
    """What the parent does about it."""

    NOTHING = "nothing"
    WELCOME = "welcome"
    MARK = "mark"
    """Remember that it asks to be replaced."""
    TERM = "TERM"
    INT = "INT"
    QUIT = "QUIT"
    ABRT = "ABRT"
    KILL = "KILL"
    BURY = "bury"


_N = Action.NOTHING

MATRIX: Mapping[State, Mapping[Event, tuple[State, Action]]] = {
    State.BOOTING: {
        Event.READY: (State.READY, Action.WELCOME),
        Event.RETIRE: (State.BOOTING, Action.MARK),
        Event.DRAIN: (State.DRAINING, Action.TERM),
        # Not QUIT: before the worker has its own handlers the default of SIGQUIT writes a core file.
        Event.QUIT: (State.DRAINING, Action.INT),
        Event.STALL: (State.BOOTING, _N),
        Event.EXPIRE: (State.ABORTING, Action.ABRT),
        Event.EXIT: (State.GONE, Action.BURY),
    },
    State.READY: {
        Event.READY: (State.READY, _N),
        Event.RETIRE: (State.READY, Action.MARK),
        Event.DRAIN: (State.DRAINING, Action.TERM),
        Event.QUIT: (State.DRAINING, Action.QUIT),
        Event.STALL: (State.ABORTING, Action.ABRT),
        Event.EXPIRE: (State.READY, _N),
        Event.EXIT: (State.GONE, Action.BURY),
    },
    State.DRAINING: {
        # It became ready while our signal was under way; the signal still holds.
        Event.READY: (State.DRAINING, _N),
        Event.RETIRE: (State.DRAINING, _N),
        Event.DRAIN: (State.DRAINING, _N),
        Event.QUIT: (State.DRAINING, Action.INT),
        Event.STALL: (State.DRAINING, _N),
        Event.EXPIRE: (State.ABORTING, Action.KILL),
        Event.EXIT: (State.GONE, Action.BURY),
    },
    State.ABORTING: {
        Event.READY: (State.ABORTING, _N),
        Event.RETIRE: (State.ABORTING, _N),
        Event.DRAIN: (State.ABORTING, _N),
        Event.QUIT: (State.ABORTING, _N),
        Event.STALL: (State.ABORTING, _N),
        # Again and again: a process in an uninterruptible wait takes the signal only when it comes out.
        Event.EXPIRE: (State.ABORTING, Action.KILL),
        Event.EXIT: (State.GONE, Action.BURY),
    },
    State.GONE: dict.fromkeys(Event, (State.GONE, _N)),
}


class Child:
    """The parent's record of one child. Times are nanoseconds of the monotonic clock, 0 = not (yet)."""

    def __init__(
        self, slot: int, age: int, generation: int, started: int, pid: int = 0, state: State = State.BOOTING
    ) -> None:
        self.slot = slot
        """Its row in the cells."""
        self.age = age
        """Ordinal of its birth: the lower, the older."""
        self.generation = generation
        self.started = started
        self.pid = pid
        self.notice = -1
        """Our end of its notice pipe; -1 once closed."""
        self.state = state
        self.ready_at = 0
        self.deadline = 0
        """When its state must have been left."""
        self.beat = 0
        """Its last heartbeat, as read from the cells for the plan at hand."""
        self.told_at = 0
        """When it was told to finish what it holds and leave."""
        self.retiring = 0
        """When it asked to be replaced."""
        self.reason = ""
        """Why the parent told it to leave, for the log and the metrics."""
        self.hurried = False
        """It was told to leave at once, so it need not be told again."""
        self.program: Any = None
        """What it runs, as made before the fork; opaque here."""

    @property
    def standing(self) -> bool:
        """Whether it serves or is about to."""
        return self.state in (State.BOOTING, State.READY)

    def advance(self, event: Event) -> Action:
        """Moves to the state the matrix names and returns what is to be done."""
        self.state, action = MATRIX[self.state][event]
        return action
