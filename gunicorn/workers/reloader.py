"""Notices that the application's code has changed: the files of loaded modules and those named extra.

Knows files and when they are quiet again, not what a reload is: it calls back with one path. Runs as
a daemon thread of a worker, which may have threads because it never forks, and outlives its own
errors: a reload that fails leaves the old worker serving, and it is this thread that sees the fix.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from gunicorn.host.watch import WatchedFiles, files_of

ENGINES = ("auto", "poll", "inotify")
SCAN_INTERVAL = 1.0
"""Seconds between two looks for new modules and new matches of the patterns; poll compares files then too."""
COMPARE_INTERVAL = 5.0
"""Seconds after which inotify compares files all the same: linked files and network mounts tell nothing."""
QUIET_TIME = 0.25
"""Seconds without a further change after which a burst of changes counts as over."""
BURST_LIMIT = 5.0
"""Seconds after which a burst that does not end is reported all the same."""


class _Waiter(Protocol):
    """How to sleep until files may have changed."""

    def wait(self, seconds: float) -> set[str] | None:
        """Paths that may have changed; None for "any"; empty when the time is over."""
        ...

    def watch(self, directories: Iterable[str]) -> bool:
        """Takes in directories; whether one is watched that was not before."""
        ...

    def wake(self) -> None: ...

    def close(self) -> None: ...


class Reloader:
    """Calls `callback(path)` once for every burst of changes, from a thread of its own.

    `extra` holds paths and glob patterns (`**` allowed); `report` gets a line about what did not work.
    """

    def __init__(
        self,
        engine: str,
        extra: Iterable[str],
        callback: Callable[[str], object],
        *,
        report: Callable[[str], object] | None = None,
        quiet: float = QUIET_TIME,
        interval: float = SCAN_INTERVAL,
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(f"{engine!r} is not a reload engine; choose one of {', '.join(ENGINES)}")
        self._files = WatchedFiles(extra)
        self._callback = callback
        self._report = report or (lambda _line: None)
        self._quiet = quiet
        self._interval = interval
        self._stopping = threading.Event()
        self._refreshed = time.monotonic()
        self._compared = float("-inf")
        self._waiter = self._make_waiter(engine)
        self._retired: list[_Waiter] = []
        self._thread = threading.Thread(target=self._run, name="gunicorn-reloader", daemon=True)

    def start(self) -> None:
        """Starts to watch what is loaded now; changes from this moment on are noticed."""
        self._files.refresh()
        self._watch()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for it, unless the callback itself is who calls."""
        started = self._thread.ident is not None
        if not self._stopping.is_set():
            # In this order: until the event is set the thread cannot have closed what is woken here.
            self._waiter.wake()
            self._stopping.set()
            if not started:
                self._close()
        if started and self._thread is not threading.current_thread():
            self._thread.join()

    def watch(self, path: str) -> None:
        """Watches one more file, such as one that could not be imported. From any thread."""
        self._files.add(path)

    def watch_failure(self, error: BaseException) -> None:
        """Watches for the mending of what failed to load: the files that `error` speaks of, every source
        beside them, and the current directory, where a missing module may appear. From any thread.
        """
        for path in files_of(error):
            self._files.add(path)
        self._files.widen(os.getcwd())

    @property
    def engine(self) -> str:
        """The engine in use: "inotify" or "poll"."""
        return "inotify" if isinstance(self._waiter, _InotifyWaiter) else "poll"

    def _make_waiter(self, engine: str) -> _Waiter:
        if engine != "poll":
            try:
                return _InotifyWaiter()
            except (OSError, AttributeError) as error:
                if engine == "inotify":
                    self._report(f"inotify is not available ({error}); files are compared every second instead")
        return _PollWaiter(self._stopping)

    def _watch(self) -> bool:
        """Whether a directory came in, whose files may have changed before it did."""
        try:
            return self._waiter.watch(self._files.directories())
        except OSError as error:
            self._report(f"inotify cannot watch all directories ({error.strerror}); files are compared instead")
            self._retired.append(self._waiter)
            self._waiter = _PollWaiter(self._stopping)
            return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                changed = self._turn()
                if changed and not self._stopping.is_set():
                    self._settle()
                    self._files.widen()
                    self._callback(changed)
            except Exception as error:  # a worker must not lose its reloader to a file that vanishes midway
                self._report(f"the reloader goes on after {type(error).__name__}: {error}")
                self._stopping.wait(self._interval)
        self._close()

    def _turn(self) -> str:
        """Waits, looks where it is due, and returns a path that has changed, or ""."""
        hints = self._waiter.wait(self._interval)
        now = time.monotonic()
        concerned = self._files.concerns(hints)
        appeared = ""
        # Names that nobody watches, a busy log file say, wake this thread but buy no second look.
        if concerned or now - self._refreshed >= self._interval:
            self._refreshed = now
            appeared = self._files.refresh()
            concerned = self._watch() or concerned
        if concerned or now - self._compared >= COMPARE_INTERVAL:
            self._compared = now
            return self._files.compare() or appeared
        return appeared

    def _close(self) -> None:
        for waiter in (self._waiter, *self._retired):
            waiter.close()

    def _settle(self) -> None:
        """Waits for the end of a burst, so that a checkout of 2000 files is one reload."""
        limit = time.monotonic() + BURST_LIMIT
        while not self._stopping.wait(self._quiet) and time.monotonic() < limit:
            appeared = self._files.refresh()
            if not (self._files.compare() or appeared):
                return


class _PollWaiter:
    """Sleeps the interval out and says that any file may have changed."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def wait(self, seconds: float) -> set[str] | None:
        self._stopping.wait(seconds)
        return None

    def watch(self, _directories: Iterable[str]) -> bool:
        return False

    def wake(self) -> None:
        """The event that it sleeps on is what wakes it."""

    def close(self) -> None:
        """Nothing to release."""


class _InotifyWaiter:
    """Sleeps until the kernel names a path."""

    def __init__(self) -> None:
        # Here, because it brings ctypes along, which nobody without `reload` should pay for.
        from gunicorn.host.inotify import Inotify

        self._inotify = Inotify()
        self._out, self._in = os.pipe()
        # poll(2) and not select(2): a worker with many connections has descriptors above 1023.
        self._poll = select.poll()
        self._poll.register(self._inotify.fileno(), select.POLLIN)
        self._poll.register(self._out, select.POLLIN)

    def wait(self, seconds: float) -> set[str] | None:
        ready = self._poll.poll(seconds * 1000)
        return self._inotify.read() if any(fd == self._inotify.fileno() for fd, _ in ready) else set()

    def watch(self, directories: Iterable[str]) -> bool:
        anew = False
        for directory in set(directories) - self._inotify.directories:
            try:
                self._inotify.watch(directory)
                anew = True
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue  # gone, or inside a zip archive: the comparison at intervals still sees its files
        return anew

    def wake(self) -> None:
        os.write(self._in, b"\0")

    def close(self) -> None:
        self._inotify.close()
        os.close(self._out)
        os.close(self._in)
