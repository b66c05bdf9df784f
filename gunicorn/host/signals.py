"""Signals as values: names and numbers, and a pipe that turns them into bytes a selector can wait for.

Knows the wake-up descriptor of CPython's signal module and what a fork does to it. What a signal
means is decided by who reads the pipe.

    with signals.held():              # neither side may act on the other's signals
        pid = os.fork()
        if pid == 0:
            pipe.forget()             # child: defaults again, unblocked on leaving the block
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

_CHUNK = 65536
_WAKE = 0
"""A byte that is no signal's number: it wakes the reader and means nothing."""


def signal_number(name: str | int) -> signal.Signals:
    """The signal called "TERM", "term", "SIGTERM" or 15. Raises ValueError."""
    if isinstance(name, int) or name.isdigit():
        return signal.Signals(int(name))
    text = name.upper()
    try:
        return signal.Signals[text if text.startswith("SIG") else f"SIG{text}"]
    except KeyError:
        raise ValueError(f"{name!r} is not a signal") from None


def signal_name(number: int) -> str:
    """ "term" for 15, as logs and verbs say it; real-time signals have numbers only."""
    try:
        return signal.Signals(number).name.removeprefix("SIG").lower()
    except ValueError:
        return str(number)


class SignalPipe:
    """A pipe into which every installed signal falls as one byte; `read` gives them in order.

    To be made and installed by the main thread; any thread may read, one at a time. Handlers run no code
    of anybody's, so a signal can interrupt the loop at any place without being re-entrant.
    """

    def __init__(self, at_once: Callable[[signal.Signals], None] | None = None) -> None:
        """`at_once` is called by the main thread as soon as it can, even if nobody reads the pipe just then;
        it interrupts whatever runs there, so it may do no more than set a flag.
        """
        self._at_once = at_once
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)
        self._before: dict[signal.Signals, Any] = {}
        self._seen: set[signal.Signals] = set()
        self._installed = False
        self._wakeup_before = -1
        self._capacity = _fill_limit(self._in)

    def fileno(self) -> int:
        """Readable while signals wait."""
        return self._out

    def install(self, numbers: Iterable[int]) -> None:
        """Takes these signals over. May be called again for more of them."""
        if not self._installed:
            self._wakeup_before = signal.set_wakeup_fd(self._in, warn_on_full_buffer=False)
            self._installed = True
        for number in map(signal.Signals, numbers):
            previous = signal.signal(number, self._note)
            self._before.setdefault(number, previous)
            signal.siginterrupt(number, False)

    def read(self) -> list[signal.Signals]:
        """Every signal since the last call, oldest first; [] if there was none.

        A pipe that was full has dropped bytes. Their handlers have run all the same, between two steps
        of this loop at the latest, so the signals seen since the last call take their place.
        """
        drained = bytearray()
        while True:
            try:
                chunk = os.read(self._out, _CHUNK)
            except BlockingIOError:
                break
            if not chunk:
                break
            drained += chunk
        numbers = [signal.Signals(byte) for byte in drained if byte in self._before]
        if len(drained) >= self._capacity:
            numbers += sorted(self._seen.difference(numbers))
        self._seen.clear()
        return numbers

    def wake(self) -> None:
        """Makes the pipe readable without a signal."""
        with contextlib.suppress(BlockingIOError):  # full is readable enough
            os.write(self._in, bytes((_WAKE,)))

    def restore(self) -> None:
        """Gives every signal back to whoever had it before `install`."""
        for number, previous in self._before.items():
            # None: installed by something that is not Python, which cannot be put back.
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
        self._before.clear()
        if self._installed:
            signal.set_wakeup_fd(self._wakeup_before)
            self._installed = False

    def close(self) -> None:
        """Restores the signals and closes the pipe."""
        self.restore()
        os.close(self._out)
        os.close(self._in)

    def forget(self) -> None:
        """In a child, still `held`: default dispositions, no wake-up descriptor, the pipe closed."""
        reset_in_child()
        self._before.clear()
        self._installed = False
        os.close(self._out)
        os.close(self._in)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._seen.add(signal.Signals(number))
        if self._at_once is not None:
            self._at_once(signal.Signals(number))


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Blocks every signal for the length of a block, so that a fork inside it is one step.

    What arrives meanwhile is delivered at the end of the block, to the process it was sent to: a child
    starts with nothing pending.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def reset_in_child() -> None:
    """Puts back what Python sets at its own start: all defaults, SIGINT raises, SIGPIPE is ignored.

    The wake-up descriptor goes first: it is shared with the parent, who would take the child's
    signals for its own.
    """
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number in (signal.SIGKILL, signal.SIGSTOP):
            continue
        handler = signal.getsignal(number)
        if handler is not None and callable(handler) and not isinstance(handler, signal.Handlers):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _fill_limit(fd: int) -> int:
    """How many bytes unread mean that some may have been dropped."""
    if sys.platform == "linux":
        return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
    return 4096  # the least a pipe holds in practice; too low only costs a spurious signal
