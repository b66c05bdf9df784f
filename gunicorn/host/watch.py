"""Which files a running program is made of, and whether one of them has changed since last seen.

Knows modules, compiled files and glob patterns. Waits for nothing: who asks decides when.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from types import ModuleType

Signature = tuple[int, int, int]
_GONE: Signature = (-1, -1, -1)
_STANDARD_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")


class WatchedFiles:
    """Which files matter, and what each looked like when last seen."""

    def __init__(self, extra: Iterable[str]) -> None:
        # A copy made now: the application may change directory later.
        self._patterns = [os.path.abspath(pattern) for pattern in extra]
        self._seen: dict[str, Signature] = {}
        self._wide = False
        self._fresh = True
        self._roots: set[str] = set()

    def refresh(self) -> str:
        """Takes in new modules and new matches of patterns; returns a match that has just appeared, or "".

        A module that has just been loaded is no change. A file that has just been made where a pattern
        says so is one, except at the first look.
        """
        appeared = ""
        for path in module_files():
            self.add(path)
        for path in self._matches():
            if path not in self._seen:
                self.add(path)
                if not self._fresh:
                    appeared = path
        self._fresh = False
        return appeared

    def add(self, path: str) -> None:
        """Watches a file from now on."""
        if path not in self._seen:
            self._seen[path] = signature(path)

    def compare(self) -> str:
        """A file that differs from when it was last seen, or ""; all are remembered anew."""
        changed = ""
        for path, before in list(self._seen.items()):
            now = signature(path)
            if now != before:
                self._seen[path] = now
                changed = changed or path
        return changed

    def concerns(self, hints: set[str] | None) -> bool:
        """Whether one of these paths is watched; None means that any may be."""
        return hints is None or not self._seen.keys().isdisjoint(hints)

    def directories(self) -> set[str]:
        """Every directory in which a watched file lies, or may appear."""
        return {os.path.dirname(path) for path in list(self._seen)} | self._roots

    def widen(self, *directories: str) -> None:
        """From now on every source beside the application's modules, and in `directories`, matters.

        A reload may fail in a module that only the new code imports: this process will never load it,
        yet it is the one that must see it mended.
        """
        self._wide = True
        self._roots.update(map(os.path.abspath, directories))
        for path in self._beside():
            self.add(path)

    def _matches(self) -> Iterator[str]:
        for pattern in self._patterns:
            if glob.has_magic(pattern):
                yield from (path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path))
            else:
                yield pattern
        if self._wide:
            yield from self._beside()

    def _beside(self) -> Iterator[str]:
        for directory in self.directories():
            if not is_library(directory):
                yield from glob.iglob(os.path.join(glob.escape(directory), "*.py"))


def is_library(directory: str) -> bool:
    """Whether the directory belongs to Python or to installed packages, not to the application."""
    inside = os.path.join(directory, "")
    return inside.startswith(_STANDARD_LIBRARY) or "/site-packages/" in inside or "/dist-packages/" in inside


def files_of(error: BaseException) -> set[str]:
    """The files that an error speaks of: where it was raised, what could not be parsed, and its causes'."""
    files: set[str] = set()
    chain: list[BaseException | None] = [error]
    known: set[int] = set()
    while chain:
        one = chain.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        chain += (one.__cause__, one.__context__)
        if isinstance(one, SyntaxError) and one.filename:
            files.add(one.filename)
        files.update(frame.f_code.co_filename for frame, _ in traceback.walk_tb(one.__traceback__))
    return {os.path.abspath(name) for name in files if not name.startswith("<")}


def module_files() -> set[str]:
    """The source file of every loaded module that has one, as an absolute path."""
    files = set()
    # The modules' dictionaries, not their attributes: a lazy module imports things when it is asked.
    for module in tuple(sys.modules.values()):
        if isinstance(module, ModuleType):
            path = module.__dict__.get("__file__")
            if isinstance(path, str) and path:
                files.add(source_of(path))
    return files


def source_of(path: str) -> str:
    """The source that a module's file stands for: itself, or what a .pyc was compiled from."""
    if path.endswith((".pyc", ".pyo")):
        try:
            path = importlib.util.source_from_cache(path)
        except ValueError:
            path = path[:-1]  # compiled beside its source, without __pycache__
    return os.path.abspath(path)


def signature(path: str) -> Signature:
    """What tells two states of a file apart: modification time, size, inode; a missing file has its own."""
    try:
        found = os.stat(path)
    except OSError:
        return _GONE
    return found.st_mtime_ns, found.st_size, found.st_ino
