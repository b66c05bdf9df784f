"""The lifespan of an ASGI application (ASGI lifespan protocol 2.0): start-up before requests, shutdown after.

Knows the messages, their order, and what it means when an application does not speak them. Knows no event loop:
what has to be waited for is a future that the caller makes. The caller runs `run()` as a task, awaits
`startup()` before it serves and `shutdown()` when it has served, and then cancels the task if it is still there.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import Any

from gunicorn.protocol.errors import ResponseError

Message = dict[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class LifespanError(Exception):
    """The application could not start up, or could not shut down. The text is for the log; `__cause__` is what the
    application raised, or None."""


class Stage(enum.Enum):
    """Where an application stands in its life."""

    STARTING = "starting up"
    SERVING = "serving"
    STOPPING = "shutting down"
    ENDED = "at its end"


_ORDER = {
    (Stage.STARTING, "lifespan.startup.complete"): Stage.SERVING,
    (Stage.STARTING, "lifespan.startup.failed"): Stage.ENDED,
    (Stage.STOPPING, "lifespan.shutdown.complete"): Stage.ENDED,
    (Stage.STOPPING, "lifespan.shutdown.failed"): Stage.ENDED,
}
"""What an application may say, when, and where it stands then. Nothing else is allowed."""

_FAILED = ("lifespan.startup.failed", "lifespan.shutdown.failed")


class Lifespan:
    """The lifespan of one application on one event loop."""

    def __init__(
        self,
        app: Application,
        mode: str,
        future: Callable[[], Any],
        state: dict[str, Any],
        died: Callable[[BaseException], None] | None = None,
    ) -> None:
        """`mode` is "auto", "on" or "off". `future()` makes a future of the loop: awaitable, `done()`,
        `set_result(None)`. `state` is what the application fills, for its requests to see.

        `died` hears, once, of an exception that ends the lifespan while requests are served (without it
        `shutdown` raises that) or after the shutdown was complete.
        """
        self.app = app
        self.mode = mode
        self.state = state
        self.stage = Stage.STARTING if mode != "off" else Stage.ENDED
        self.supported = mode != "off"
        """False once it is known that nothing is to be said to this application."""
        self.heard = False
        """The application took the start-up message: if it raised then, it may well have meant a failure."""
        self.failure: BaseException | None = None
        """What the application raised; not what it raised after it had said that it failed."""
        self._died = died
        self.message: str | None = None
        """With which the application said that it failed; None while it has not said so."""
        self._over = False
        self._told = False
        self._started = _Flag(future)
        self._asked_to_stop = _Flag(future)
        self._stopped = _Flag(future)
        self._never = _Flag(future)

    async def run(self) -> None:
        """The body of the task: the application's lifespan from beginning to end.

        Exceptions of the application are kept for `startup` and `shutdown`; what ends a task or a process
        (cancellation, SystemExit, KeyboardInterrupt) comes through.
        """
        if self.mode == "off":
            return
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.app(scope, self._receive, self._send)
        except BaseException as failure:
            self._note(failure)
            if not isinstance(failure, Exception):
                raise
        finally:
            self._over = True
            self._started.set()
            self._stopped.set()

    async def startup(self) -> None:
        """Returns when requests may be served. Raises LifespanError when the application must not be served.

        In mode "auto" an application that raises or returns before it has started up does not speak the
        protocol: `supported` is False then, `failure` what it raised.
        """
        if self.mode == "off":
            return
        await self._started.wait()
        if self.message is not None:
            raise LifespanError(_said("start-up", self.message))
        if self.stage is not Stage.STARTING:
            return
        self.supported = False
        self.stage = Stage.ENDED
        if self.mode == "on":
            raise LifespanError(_broken_off("start-up", self.failure)) from self.failure

    async def shutdown(self) -> None:
        """Tells the application to clean up and returns when it has, or is not there any more.

        Raises LifespanError when it says that it failed, or raises meanwhile. Does nothing where the application
        never started up, and at a second call.
        """
        if self.stage is not Stage.SERVING:
            return
        self.stage = Stage.STOPPING
        earlier = self._over
        self._asked_to_stop.set()
        await self._stopped.wait()
        if self.message is not None:
            raise LifespanError(_said("shutdown", self.message))
        if self.stage is Stage.STOPPING and self.failure is not None and not (earlier and self._died):
            raise LifespanError(_broken_off("shutdown", self.failure)) from self.failure
        self.stage = Stage.ENDED

    def _note(self, failure: BaseException) -> None:
        if self.message is not None:
            # Frameworks say that they failed, and then raise what made them fail: it was said already.
            return
        if self.stage is not Stage.STARTING and not isinstance(failure, Exception):
            # Whoever cancels the task of an application that serves knows it, and it is no failure.
            return
        self.failure = failure
        if self.stage in (Stage.SERVING, Stage.ENDED) and self._died is not None:
            self._died(failure)

    async def _receive(self) -> Message:
        if not self.heard:
            self.heard = True
            return {"type": "lifespan.startup"}
        if self.stage is not Stage.ENDED:
            await self._asked_to_stop.wait()
            if not self._told:
                self._told = True
                return {"type": "lifespan.shutdown"}
        # Nothing will ever be said any more; the caller cancels the task.
        await self._never.wait()
        raise AssertionError("a message after the last one")

    async def _send(self, message: Message) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        if not isinstance(kind, str):
            raise ResponseError(f"an ASGI message is a dict with a 'type', not {message!r}")
        following = _ORDER.get((self.stage, kind))
        if following is None:
            allowed = [known for stage, known in _ORDER if stage is self.stage]
            hint = f"expected {' or '.join(allowed)}" if allowed else "nothing is expected any more"
            raise ResponseError(f"{kind!r} was sent while the application was {self.stage.value}; {hint}")
        if kind in _FAILED:
            self.message = str(message.get("message") or "")
        self.stage = following
        if kind.startswith("lifespan.startup"):
            self._started.set()
        else:
            self._stopped.set()


class _Flag:
    """Set once; who waits for it waits on a future of its own, so that one who gives up disturbs no other."""

    __slots__ = ("_future", "_waiters", "is_set")

    def __init__(self, future: Callable[[], Any]) -> None:
        self._future = future
        self._waiters: list[Any] = []
        self.is_set = False

    async def wait(self) -> None:
        if not self.is_set:
            waiter = self._future()
            self._waiters.append(waiter)
            await waiter

    def set(self) -> None:
        self.is_set = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


def _said(phase: str, message: str) -> str:
    text = message.strip()
    return f"the application says that its {phase} failed{': ' if text else ''}{text}"


def _broken_off(phase: str, failure: BaseException | None) -> str:
    if failure is None:
        return f"the application returned before its {phase} was complete"
    text = str(failure).partition("\n")[0]
    return f"the application's {phase} failed: {type(failure).__name__}{': ' if text else ''}{text}"
