"""How each application of the pool is: from the start of its workers to their end, and whether the server may serve.

Pure: workers say what they do, whoever asks gets the truth of that moment. Knows nothing of processes or health
endpoints. A worker's applications go through their states one after the other, so one may be ready while the next
loads; the worker takes calls once all are.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

from gunicorn.dirty.spec import AppSpec


class AppState(enum.IntEnum):
    """Where an application is in one worker. The higher, the nearer to serving: of several workers the best counts."""

    DEAD = 0
    """Its worker ended, or it could not be loaded."""
    DRAINING = 1
    """Its worker finishes what it has and takes nothing new."""
    STARTING = 2
    """Its worker was started."""
    LOADING = 3
    """It is imported and constructed, and `init` runs."""
    WARMING = 4
    """`warmup` runs."""
    READY = 5

    @property
    def word(self) -> str:
        """As people read it."""
        return self.name.lower()


class Board:
    """The states of all applications of one pool."""

    def __init__(self, specs: Iterable[AppSpec]) -> None:
        self._specs = {spec.path: spec for spec in specs}
        self._workers: dict[int, dict[str, AppState]] = {}
        self._failures: dict[str, str] = {}

    def worker_started(self, worker: int, paths: Iterable[str]) -> None:
        """A worker is there, and these are what it will load."""
        self._workers[worker] = dict.fromkeys(paths, AppState.STARTING)

    def say(self, worker: int, path: str, state: AppState) -> None:
        """A worker says where one of its applications is. One that drains or is not known has no say."""
        states = self._workers.get(worker, {})
        if path not in states or states[path] is AppState.DRAINING:
            return
        states[path] = state
        if state is AppState.READY:
            self._failures.pop(path, None)

    def failed(self, worker: int, path: str, reason: str) -> None:
        """An application could not be loaded; `reason` is shown until it is ready somewhere."""
        self._failures[path] = reason
        self.say(worker, path, AppState.DEAD)

    def worker_draining(self, worker: int) -> None:
        """A worker was told to leave."""
        states = self._workers.get(worker, {})
        states.update(dict.fromkeys(states, AppState.DRAINING))

    def worker_gone(self, worker: int) -> None:
        """A worker ended, in whatever way."""
        self._workers.pop(worker, None)

    def add_app(self, spec: AppSpec) -> None:
        """One application more, or other words for one that is there."""
        self._specs[spec.path] = spec

    def remove_app(self, path: str) -> None:
        """One application fewer. Raises KeyError where it is not there."""
        del self._specs[path]
        self._failures.pop(path, None)

    def state(self, path: str) -> AppState:
        """How an application is: as in the worker where it is best, DEAD where there is none."""
        return max((states[path] for states in self._workers.values() if path in states), default=AppState.DEAD)

    def states(self) -> Mapping[str, AppState]:
        """`state` of every configured application, in the order of the configuration."""
        return {path: self.state(path) for path in self._specs}

    def ready_workers(self, path: str) -> list[int]:
        """The workers in which an application is ready."""
        return sorted(worker for worker, states in self._workers.items() if states.get(path) is AppState.READY)

    def missing(self) -> list[str]:
        """Why the server is not ready: a line for each required application that is not; none where all are."""
        return [
            f"{path} is {state.word}" + (f": {self._failures[path]}" if path in self._failures else "")
            for path, state in self.states().items()
            if self._specs[path].required and state is not AppState.READY
        ]
