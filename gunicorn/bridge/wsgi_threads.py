"""WSGI applications beside an event loop: what the thread of a request says, the loop's thread carries out, in order.

One rule keeps a connection whole: its machine and its transport are called on the loop's thread only, also while
an application runs. The application's thread owns a `ThreadExchange`; each of its verbs becomes an act in a
`Passage`, the loop takes the acts out and performs them on its `WsgiExchange`. Nothing else is shared, and what the
two sides share in the passage is under its lock, held for a few steps by either.

A thread waits for the loop where it must know the outcome (the head of an answer, interim answers), and where more
than `AHEAD` bytes wait for a client that does not read. Knows threads and no loop: the driver says how to call a
function on the loop's thread.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from threading import Condition, Lock
from typing import Any, BinaryIO

from gunicorn.bridge.asgi import AsgiExchange
from gunicorn.bridge.environ import Environ
from gunicorn.bridge.exchange import ClientGone, Exchange
from gunicorn.protocol.errors import ResponseError

AHEAD = 65536
"""Body bytes that wait for the loop before the application is made to wait."""

TextPairs = Sequence[tuple[str, str]]


class WsgiExchange(AsgiExchange):
    """The loop's side of a request that a WSGI application answers: its response fields are text."""

    __slots__ = ()

    @property
    def described(self) -> Mapping[str, object]:
        """The environ: there is one."""
        return self.environ

    @property
    def fields(self) -> TextPairs:
        """The response fields, for logs and hooks."""
        return self.headers or ()

    @fields.setter
    def fields(self, pairs: TextPairs) -> None:
        self.headers = pairs

    def respond(self, status: str, fields: TextPairs, data: bytes, last: bool) -> None:
        """Sends the head with the first body bytes. Raises ResponseError and is then as if never called."""
        out = self.machine.respond(self.request.stream, status, fields, data, last)
        self.status = status
        self.headers = fields
        self.head_sent = True
        self.sent += len(data)
        if last:
            self.wire.write(out)
            self._complete()
        else:
            self.wire.send(out)

    def send_data(self, data: bytes, last: bool) -> None:
        """Sends more of the body."""
        out = self.machine.send_data(self.request.stream, data, last)
        self.sent += len(data)
        if out:
            self.wire.send(out)
        if last:
            self._complete()

    def inform(self, status: str, fields: TextPairs) -> None:
        """Sends an interim answer. Raises ResponseError."""
        self._inform(status, list(fields))

    async def pass_file(self, file: FileIO, offset: int, count: int) -> None:
        """Sends a span of a file as the whole body, behind its head. Raises ClientGone and OSError."""
        with file:
            # The machine believes the answer complete before its bytes are out: nobody may ask for the next.
            self.wire.pause_reading()
            if self.machine.bypass(self.request.stream, count):
                self.sent += count
                try:
                    await self.wire.send_file(file.fileno(), offset, count)
                except ClientGone:
                    # The kernel told it before the loop did.
                    self.disconnect(gone=True)
                    raise
        self._complete()


class Act:
    """Something that the loop is to do for a thread."""

    __slots__ = ("arguments", "asked", "done", "error", "function", "size")

    def __init__(self, function: Callable[..., None], arguments: tuple[Any, ...], size: int, asked: bool) -> None:
        self.function = function
        self.arguments = arguments
        self.size = size
        self.asked = asked
        """A thread waits for the outcome."""
        self.done = False
        self.error: BaseException | None = None

    def drop(self) -> None:
        """It will not be done."""
        for argument in self.arguments:
            if isinstance(argument, FileIO):
                argument.close()


class Passage:
    """The way from the thread of one request to the loop. `call_soon(function)` calls it on the loop's thread."""

    __slots__ = (
        "acts",
        "call_soon",
        "called",
        "changed",
        "error",
        "exchange",
        "fault",
        "file",
        "left",
        "over",
        "size",
        "waiter",
    )

    def __init__(self, exchange: WsgiExchange, call_soon: Callable[[Callable[[], None]], Any]) -> None:
        self.exchange = exchange
        self.call_soon = call_soon
        self.changed = Condition(Lock())
        self.acts: deque[Act] = deque()
        self.size = 0
        """Body bytes among the acts."""
        self.called = False
        """The loop knows that there is something to do."""
        self.left = False
        """Nobody hears the thread any more."""
        self.fault: BaseException | None = None
        """Why the loop could not do what nobody waited for."""
        self.error: BaseException | None = None
        """What the application raised."""
        self.over = False
        """The thread is through."""
        self.file: tuple[FileIO, int, int] | None = None
        """The body that is to be sent, which takes more than one turn of the loop."""
        self.waiter: Any = None

    # -- the thread's side -------------------------------------------------------------------------------

    def post(self, function: Callable[..., None], *arguments: Any, size: int = 0) -> None:
        """Has the loop call `function`, when its turn comes. Raises ClientGone."""
        self._put(Act(function, arguments, size, False))

    def ask(self, function: Callable[..., None], *arguments: Any) -> None:
        """The same, and waits until it is done. Raises what it raised, and ClientGone."""
        act = Act(function, arguments, 0, True)
        self._put(act)
        with self.changed:
            while not act.done and not self.left:
                self.changed.wait()
        if not act.done:
            raise self._reason()
        error, act.error = act.error, None
        if error is not None:
            try:
                raise error
            finally:
                # Its traceback leads to this frame.
                del error

    def end(self, error: BaseException | None) -> None:
        """The thread is through with the request; `error` is what the application raised."""
        with self.changed:
            self.error = error
            self.over = True
            if self.called:
                return
            self.called = True
        self.call_soon(self.step)

    def _put(self, act: Act) -> None:
        with self.changed:
            while self.size > AHEAD and not self.left:
                self.changed.wait()
            if self.left or self.exchange.gone or self.over:
                act.drop()
                raise self._reason()
            self.acts.append(act)
            self.size += act.size
            if self.called:
                return
            self.called = True
        self.call_soon(self.step)

    def _reason(self) -> BaseException:
        if self.over:
            return ResponseError("the answer went on after its request was answered")
        return self.fault or ClientGone("the client left before the answer was complete")

    # -- the loop's side ---------------------------------------------------------------------------------

    def step(self) -> None:
        """Called for what a thread has put here."""
        self.perform()
        waiter = self.waiter
        if waiter is not None and (self.over or self.file is not None or self.exchange.wire.full):
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def perform(self) -> None:
        """Does what there is to do by now, as long as the client takes what comes of it.

        What a thread adds meanwhile has its own turn of the loop: an endless answer must not keep others waiting.
        """
        exchange = self.exchange
        with self.changed:
            self.called = False
            number = len(self.acts)
        while True:
            with self.changed:
                if exchange.gone or self.fault is not None:
                    self._leave()
                if not number or not self.acts or self.file is not None or exchange.wire.full:
                    return
                act = self.acts.popleft()
            number -= 1
            try:
                act.function(*act.arguments)
            except Exception as error:
                if act.asked:
                    act.error = error
                else:
                    self.fault = error
            with self.changed:
                act.done = True
                self.size -= act.size
                if act.asked or self.size * 2 <= AHEAD:
                    self.changed.notify_all()

    def leave(self) -> None:
        """Whatever the thread goes on to say, nobody hears it."""
        with self.changed:
            self._leave()

    def _leave(self) -> None:
        self.left = True
        while self.acts:
            self.acts.popleft().drop()
        self.changed.notify_all()

    async def attend(self) -> BaseException | None:
        """Returns when the thread is through and what it said is done or dropped: what went wrong, or None."""
        wire = self.exchange.wire
        while True:
            self.perform()
            if self.file is not None:
                span, self.file = self.file, None
                try:
                    await self.exchange.pass_file(*span)
                except OSError as error:
                    self.fault = error
            elif self.over and not self.acts:
                outcome, self.fault, self.error = self.fault or self.error, None, None
                return outcome
            elif self.acts and wire.full:
                await wire.drain()
            else:
                self.waiter = wire.future()
                await self.waiter

    def take_file(self, file: FileIO, offset: int, count: int) -> None:
        """The act of `ThreadExchange.send_file`."""
        self.file = (file, offset, count)


class ThreadExchange(Exchange):
    """The thread's side: what `WsgiBridge` calls. `whole` is the loop's side of the same request."""

    __slots__ = ("finished", "passage", "whole")

    def __init__(self, whole: WsgiExchange, passage: Passage, body: BinaryIO) -> None:
        self.whole = whole
        self.passage = passage
        self.finished = False
        self.begin(whole.request, body)

    @property
    def environ(self) -> Environ:
        """The environ, which hooks and logs look for on the loop's side."""
        return self.whole.environ

    @environ.setter
    def environ(self, environ: Environ) -> None:
        self.whole.environ = environ

    def write(self, data: bytes) -> None:
        """Sends body bytes; waits while too many are on their way. Raises ClientGone, ResponseError."""
        self._say(data, False)

    def finish(self, data: bytes = b"") -> None:
        """Sends the last body bytes, and waits for nothing."""
        self._say(data, True)
        self.finished = True

    def _say(self, data: bytes, last: bool) -> None:
        if self.finished:
            raise ResponseError("a body went on after it was finished")
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        if self.head_sent:
            self.passage.post(self.whole.send_data, data, last, size=len(data))
        elif last:
            self.passage.post(self.whole.respond, self.status, self.fields, data, True, size=len(data))
        else:
            self.passage.ask(self.whole.respond, self.status, self.fields, data, False)
        self.head_sent = True

    def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Answers with a span of a file, kept by a descriptor of its own: the thread is free while it is sent."""
        self.passage.ask(self.whole.respond, self.status, self.fields, b"", False)
        self.head_sent = self.finished = True
        self.passage.post(self.passage.take_file, FileIO(os.dup(file.fileno())), offset, count)

    def inform(self, status: str, fields: TextPairs) -> None:
        """Sends an interim answer at once; silent once the final head is out."""
        if not self.head_sent:
            self.passage.ask(self.whole.inform, status, fields)
