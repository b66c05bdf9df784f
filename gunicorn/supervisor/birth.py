"""What happens between `fork()` and the program of a child, on both sides of the fork.

Knows nothing of pools, plans or what the program does. The promises: no signal meant for the child
ever reaches the parent's wake-up pipe or the reverse; the child holds no descriptor that is its
parent's alone; the child never returns into its parent's frames.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol

from gunicorn.host.process import close_all
from gunicorn.host.signals import reset_in_child

Notice = Callable[[bytes], None]
"""Tells the parent one byte."""

NOTICE_READY = b"R"
NOTICE_RETIRE = b"Q"
NOTICE_CHANGED = b"C"
"""The code on disk changed."""

EXIT_CRASH = 1
EXIT_BOOT = 3

_TO_DEFAULT = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGCHLD, signal.SIGALRM)
# These speak to a parent; their defaults would stop or kill a child that is addressed with its group.
_TO_IGNORE = (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2, signal.SIGWINCH)


class Program(Protocol):
    """What a child runs; made in the parent, used in the child."""

    def run(self, notice: Notice) -> int:
        """Serves until told to stop; returns the exit status. Says NOTICE_READY when it can serve."""
        ...

    def reopen(self) -> None:
        """Reopens log files: SIGUSR1 before the program has a handler of its own."""
        ...


def give_birth(program: Program, separate: Callable[[], None], not_for_child: Iterable[int]) -> tuple[int, int]:
    """Forks a child that runs `program`; returns its pid and our end of its notice pipe, non-blocking.

    In the child, while every signal is blocked, `separate` lets go of what is the parent's alone; then
    the descriptors `not_for_child` are closed. Raises OSError where the kernel gives no
    process or no pipe; then nothing is left behind.
    """
    ours, theirs = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if sys.platform == "linux" else _pipe()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _live(program, separate, theirs, [ours, *not_for_child], mask)
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    # Where parent and child share a core the child goes first: one worker serves before the last is forked.
    os.sched_yield()
    return pid, ours


def _pipe() -> tuple[int, int]:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    os.set_blocking(theirs, False)
    return ours, theirs


def _live(
    program: Program, separate: Callable[[], None], link: int, not_ours: Iterable[int], mask: Iterable[int]
) -> NoReturn:
    """The whole life of the child. The generator of `random` reseeds itself after a fork; OpenSSL's too."""
    code = EXIT_CRASH
    ready = False
    try:
        separate()
        _own_signals(program)
        close_all(not_ours)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

        def notice(byte: bytes) -> None:
            nonlocal ready
            ready = ready or byte == NOTICE_READY
            # A full or broken pipe means a parent that does not listen any more; the worker's own check
            # of its parent notices that.
            with contextlib.suppress(OSError):
                os.write(link, byte)

        code = program.run(notice)
    except SystemExit as stop:
        code = _status(stop)
        if code == 0 and not ready:
            code = EXIT_BOOT
    except BaseException:
        traceback.print_exc()
        code = EXIT_CRASH if ready else EXIT_BOOT
    finally:
        _leave(code)


def _own_signals(program: Program) -> None:
    """Drops the parent's handlers; all signals are blocked meanwhile, so what came early is not lost."""
    reset_in_child()
    for number in _TO_DEFAULT:
        signal.signal(number, signal.SIG_DFL)
    for number in _TO_IGNORE:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, lambda _signum, _frame: program.reopen())


def _status(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    print(stop.code, file=sys.stderr)
    return EXIT_CRASH


def _leave(code: int) -> NoReturn:
    """Ends the process as the interpreter would, but without unwinding the parent's frames."""
    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
