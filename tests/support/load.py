"""A small bounded load: clients in threads that count every answer exactly.

Each client waits for its answer before it asks again. Nothing is retried: a connection that ends
without an answer is a failure, also when it had been idle before, because the promise under test
is that no request is ever lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from tests.support.client import BadAnswer, Connection, Response
from tests.support.processes import eventually

Connect = Callable[[], Connection]


def ok(response: Response) -> bool:
    return response.status == 200


@dataclass(slots=True)
class Tally:
    """What happened so far. `failures` are texts, the first fifty of `failed`."""

    succeeded: int = 0
    failed: int = 0
    stale: int = 0
    """Of `failed`: kept-alive connections that ended before the first byte of an answer."""
    failures: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    """How often each first word of a body came (applications answer a pid or a version there)."""
    slowest: float = 0.0


class Load:
    """Runs `connections` clients until it is left; `pace` is the pause between requests in seconds.

    `connect` makes a connection (for example `server.connect`), `check` says whether a response is right.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        connections: int = 4,
        keep_alive: bool = True,
        target: str = "/",
        method: str = "GET",
        body: bytes | None = None,
        check: Callable[[Response], bool] = ok,
        pace: float = 0.001,
        limit: int = 0,
    ) -> None:
        self.tally = Tally()
        self._connect = connect
        self._keep_alive = keep_alive
        self._target, self._method, self._body = target, method, body
        self._check = check
        self._pace = pace
        self._limit = limit
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(connections)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def finish(self, timeout: float = 20.0) -> Tally:
        """Lets requests in flight end and returns the final count."""
        self._stop.set()
        return self.join(timeout)

    def join(self, timeout: float = 60.0) -> Tally:
        """Waits for clients that have a `limit`."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), "a client still waits for its answer"
        return self.tally

    def progress(self, count: int, timeout: float = 20.0) -> None:
        """Waits until `count` more requests have been answered well."""
        goal = self.tally.succeeded + count
        eventually(lambda: self.tally.succeeded >= goal, lambda: f"{count} more answers ({self.tally})", timeout)

    def answered_by(self, word: str, timeout: float = 20.0) -> None:
        """Waits until a body began with `word`."""
        eventually(lambda: word in self.tally.answers, lambda: f"an answer by {word!r} ({self.tally})", timeout)

    def assert_clean(self) -> Tally:
        """Ends the load; every single request must have been answered."""
        tally = self.finish()
        assert tally.failed == 0, f"{tally.failed} of {tally.succeeded + tally.failed} failed: {tally.failures[:10]}"
        assert tally.succeeded > 0, "the load did nothing"
        return tally

    def _client(self) -> None:
        done = 0
        connection: Connection | None = None
        reused = False
        while not self._stop.is_set() and not (self._limit and done >= self._limit):
            started = time.monotonic()
            try:
                if connection is None:
                    reused = False
                    connection = self._connect()
                fields = () if self._keep_alive else (("Connection", "close"),)
                response = connection.request(self._method, self._target, fields, self._body)
            except (OSError, BadAnswer) as error:
                nothing_came = not getattr(error, "received", b"")
                self._failure(f"{'reused' if reused else 'new'} connection: {error!r}", stale=reused and nothing_came)
                _close(connection)
                connection = None
                self._stop.wait(0.01)
            else:
                reused = True
                self._answer(response, time.monotonic() - started)
                if not self._keep_alive or not response.keeps_alive:
                    _close(connection)
                    connection = None
            done += 1
            if self._pace:
                self._stop.wait(self._pace)
        _close(connection)

    def _answer(self, response: Response, seconds: float) -> None:
        if not self._check(response):
            self._failure(f"{response.status} {response.body[:80]!r}")
            return
        words = response.body.split(None, 1)
        word = words[0].decode("latin-1")[:40] if words else ""
        with self._lock:
            tally = self.tally
            tally.succeeded += 1
            tally.slowest = max(tally.slowest, seconds)
            tally.answers[word] = tally.answers.get(word, 0) + 1

    def _failure(self, text: str, *, stale: bool = False) -> None:
        with self._lock:
            self.tally.failed += 1
            self.tally.stale += stale
            if len(self.tally.failures) < 50:
                self.tally.failures.append(text)


def _close(connection: Connection | None) -> None:
    if connection is not None:
        connection.close()
