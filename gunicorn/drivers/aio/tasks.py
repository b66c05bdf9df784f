"""How a request gets its task: it runs at once up to its first suspension, what Python 3.12 calls eager.

Most answers need no suspension at all. Run at once, their data is still in the caches and the loop is not turned
for them. Before 3.12 a task's first step always goes through `loop.call_soon`: there the loop is one of ours, whose
`call_soon` can hand that step out instead of queueing it. Either way it is a real task in a context of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine
from typing import Any

NAME = "gunicorn-request"
"""Of every task: a name of its own would have to be made each time."""

Work = Coroutine[Any, Any, None]


if sys.version_info >= (3, 12):

    def start_now(loop: Any, work: Work, context: contextvars.Context) -> asyncio.Task[None]:
        """A task that has run up to its first suspension. Only for callbacks of the loop: a task must not be inside."""
        return asyncio.Task(work, loop=loop, name=NAME, context=context, eager_start=True)

    def request_loop(kind: type[asyncio.AbstractEventLoop]) -> asyncio.AbstractEventLoop:
        """A new loop of this kind, good for `start_now`."""
        return kind()

else:

    def start_now(loop: Any, work: Work, context: contextvars.Context) -> asyncio.Task[None]:
        """A task that has run up to its first suspension. Only for callbacks of the loop: a task must not be inside."""
        loop.handing_out = context
        task: asyncio.Task[None] = asyncio.Task(work, loop=loop, name=NAME, context=context)
        context.run(loop.first_step)
        return task

    def request_loop(kind: type[asyncio.AbstractEventLoop]) -> asyncio.AbstractEventLoop:
        """A new loop of this kind, good for `start_now`."""
        base: Any = kind

        class Loop(base):  # type: ignore[misc]
            """Hands out the next callback, the first step of a task, when it is told to."""

            handing_out: object = False
            """The context of the task whose first step is awaited."""
            first_step: Callable[[], None]

            def call_soon(
                self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
            ) -> Any:
                """As of every loop."""
                # Not what a finalizer queues, should the collector come by while the task is made.
                if context is self.handing_out:
                    self.handing_out = False
                    self.first_step = callback
                    return None
                return queue(self, callback, *args, context=context)

        queue = base.call_soon
        # To whoever asks, it is the loop that was asked for.
        Loop.__name__, Loop.__qualname__, Loop.__module__ = base.__name__, base.__qualname__, base.__module__
        return Loop()
