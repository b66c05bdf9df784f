"""Runs ASGI 3 applications (ASGI HTTP message format 2.4) on an exchange: messages in, machine verbs out.

Knows the messages, their order and what each demands, and nothing of sockets or event loops: whatever has to be
waited for is a future that the transport makes. A message that breaks the order or the format is a
`ResponseError` in the application's own stack; a client that left is `ClientGone`, an OSError.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gunicorn.bridge.environ import environ_of_scope
from gunicorn.bridge.exchange import AsyncTransport, ClientGone, Exchange
from gunicorn.bridge.filesend import file_span, open_path
from gunicorn.bridge.scope import Scope
from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.machine import Machine, Request
from gunicorn.protocol.status import STATUS_TEXT
from gunicorn.protocol.trust import Peer

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Pairs = list[tuple[str, str]]

READ_AHEAD = 65536
"""Body bytes that wait for the application before the client is made to wait."""
COPY_BLOCK = 262_144

_NO_ENVIRON: Any = MappingProxyType({})


class AsgiExchange(Exchange):
    """One request, its answer and the two callables that the application gets. Made anew for each request.

    The driver feeds it (`feed`, `disconnect`) and hears from it through `wire.answered(exchange)`, called once,
    when the last byte of the answer was handed over; the application may go on after that.
    """

    __slots__ = (
        "body_told",
        "done",
        "gone",
        "headers",
        "held",
        "inbox",
        "left",
        "note",
        "promised",
        "scope",
        "started",
        "task",
        "trailing",
        "waiters",
        "whole",
        "wire",
    )

    headers: Any
    """The response fields as the application gave them, pairs of bytes."""
    note: int
    started: int
    """When the application got the request, monotonic ns; with `note` and `task` the driver's."""

    def __init__(self, machine: Machine, wire: AsyncTransport, peer: Peer, request: Request, scope: Scope) -> None:
        self.machine = machine
        self.wire = wire
        self.peer = peer
        self.request = request
        self.scope = scope
        self.status = ""
        self.headers = None
        self.sent = self.held = self.queue_ns = 0
        self.head_sent = False
        self.environ = _NO_ENVIRON
        self.failure = None
        self.whole = request.complete
        """The request body has come to its end."""
        self.body_told = False
        """The application got the message that ends the request body."""
        self.done = False
        """The answer is complete."""
        self.left = False
        """The client sends no more, though it may still read."""
        self.gone = False
        """Nobody is there to answer."""
        self.promised = False
        """The application announced trailers."""
        self.trailing: Pairs | None = None
        """The body is complete and trailers are awaited: those that came so far."""
        self.inbox: list[bytes] | None = None
        self.waiters: list[Any] | None = None
        self.task: Any = None

    @property
    def described(self) -> Mapping[str, object]:
        """What an environ would say of the request."""
        return environ_of_scope(self.request, self.peer, self.scope)

    # -- the driver's side -------------------------------------------------------------------------------

    def feed(self, data: bytes, last: bool) -> None:
        """More of the request body arrived."""
        if self.inbox is None:
            self.inbox = [data]
        else:
            self.inbox.append(data)
        self.held += len(data)
        self.whole = last
        if self.held > READ_AHEAD and not last:
            self.wire.pause_reading()
        self.wake()

    def disconnect(self, *, gone: bool) -> None:
        """The client sends no more, or is gone altogether: `receive` says so once it gave what came before."""
        self.left = True
        self.gone = self.gone or gone
        self.wake()

    def wake(self) -> None:
        """Something changed: whoever waits in `receive` looks again."""
        waiters = self.waiters
        if waiters is not None:
            self.waiters = None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    # -- the application's side --------------------------------------------------------------------------

    async def receive(self) -> Message:
        """`http.request` until the body is complete, then `http.disconnect` when the client left or is answered."""
        while True:
            inbox = self.inbox
            if inbox is not None:
                data = inbox[0] if len(inbox) == 1 else b"".join(inbox)
                self.inbox = None
                if self.held > READ_AHEAD:
                    self.wire.resume_reading()
                self.held = 0
                self.body_told = self.whole
                return {"type": "http.request", "body": data, "more_body": not self.whole}
            if self.whole and not self.body_told:
                self.body_told = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if self.left or self.done:
                return {"type": "http.disconnect"}
            if not self.whole:
                go_on = self.machine.want_continue(self.request.stream)
                if go_on:
                    self.wire.write(go_on)
            # One for each who waits: a task that is cancelled must not take another's future with it.
            waiter = self.wire.future()
            if self.waiters is None:
                self.waiters = [waiter]
            else:
                self.waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                # Who asks again and again, a moment each time, must not pile up what nobody awaits.
                if self.waiters is not None and waiter in self.waiters:
                    self.waiters.remove(waiter)
                raise

    async def send(self, message: Message) -> None:
        """Takes a message. Raises ClientGone, and ResponseError for one that is wrong here."""
        if self.gone:
            raise ClientGone("the client left before the answer was complete")
        try:
            kind = message["type"]
        except (KeyError, TypeError):
            raise ResponseError(f"an ASGI message is a dict with a 'type', not {message!r:.100}") from None
        if kind == "http.response.start":
            self._start(message)
        elif kind == "http.response.body":
            if not self.status or self.done or self.trailing is not None:
                raise self._out_of_order(kind)
            data = message.get("body", b"")
            if type(data) is not bytes:
                data = _bytes(data, "body")
            if message.get("more_body", False):
                # Without data too, once: who sends an empty first piece wants the head to leave.
                if data or not self.head_sent:
                    self._write(data, False)
            elif self.promised:
                self._write(data, False)
                self.trailing = []
            else:
                self._write(data, True)
                self.done = True
                if self.waiters is not None:
                    self.wake()
                self.wire.answered(self)
            if self.wire.full:
                await self.wire.drain()
        else:
            await self._send_other(kind, message)

    def _start(self, message: Message) -> None:
        """Remembers the head; it leaves together with the first body bytes, in one send."""
        if self.status:
            raise self._out_of_order("http.response.start")
        try:
            status = STATUS_TEXT[message["status"]]
        except (KeyError, TypeError):
            raise ResponseError("http.response.start has no 'status' that is a number") from None
        headers = message.get("headers", ())
        if type(headers) is not list:
            # Read more than once, also for logs.
            headers = _list(headers, "headers")
        self.status = status
        self.headers = headers
        self.promised = message.get("trailers", False)

    def _write(self, data: bytes, last: bool) -> None:
        """Sends body bytes, the head before the first of them: a whole answer is one write."""
        if self.head_sent:
            out = self.machine.send_data(self.request.stream, data, last)
            self.sent += len(data)
            if out:
                self.wire.send(out)
            return
        try:
            out = self.machine.respond(self.request.stream, self.status, self.headers, data, last)
        except (TypeError, ValueError, AttributeError, LookupError):
            raise ResponseError(f"headers are pairs of bytes (name, value), not {self.headers!r:.200}") from None
        self.head_sent = True
        self.sent += len(data)
        if last:
            self.wire.write(out)
        else:
            self.wire.send(out)

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """The response fields as text, for logs and hooks; none where they could not be sent."""
        headers = self.headers or []
        try:
            # Machines take pairs of str too.
            return [
                pair if type(pair[0]) is str else (pair[0].decode("latin-1"), pair[1].decode("latin-1"))
                for pair in headers
            ]
        except (AttributeError, TypeError, LookupError):
            return []

    @fields.setter
    def fields(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]

    def finish(self, data: bytes = b"") -> None:
        """The last of the answer, for those who answer in the application's place."""
        self._write(data, True)

    def _complete(self) -> None:
        self.done = True
        self.wake()
        self.wire.answered(self)

    def close(self) -> bool:
        """The application returned; True if its answer is complete then, at least without promised trailers."""
        if self.trailing is not None and not self.done and not self.gone:
            self._end_with(self.trailing)
        return self.done

    # -- extensions --------------------------------------------------------------------------------------

    async def _send_other(self, kind: str, message: Message) -> None:
        if kind == "http.response.trailers":
            self._trailers(message)
        elif kind == "http.response.early_hint":
            links = [("Link", _text(link, "link")) for link in _list(message.get("links", ()), "links")]
            self._inform("103 Early Hints", links)
        elif kind == "http.response.informational":
            try:
                self._inform(STATUS_TEXT[message["status"]], _pairs(message.get("headers", ())))
            except (KeyError, TypeError):
                raise ResponseError(f"{kind} has no 'status' that is a number") from None
        elif kind == "http.response.pathsend":
            await self._send_path(message)
        elif kind == "http.response.zerocopysend":
            await self._send_descriptor(message)
        elif kind != "http.response.debug":
            raise ResponseError(f"no message of an HTTP answer: {kind!r:.100}")

    def _inform(self, status: str, fields: Pairs) -> None:
        out = self.machine.inform(self.request.stream, status, fields)
        if out:
            self.wire.write(out)

    def _trailers(self, message: Message) -> None:
        if self.trailing is None or self.done:
            raise self._out_of_order("http.response.trailers")
        trailers = self.trailing + _pairs(message.get("headers", ()))
        if message.get("more_trailers", False):
            self.trailing = trailers
        else:
            self._end_with(trailers)

    def _end_with(self, trailers: Pairs) -> None:
        out = self.machine.send_trailers(self.request.stream, trailers)
        if out:
            self.wire.send(out)
        self._complete()

    async def _send_path(self, message: Message) -> None:
        """The whole rest of the answer is the file at `path`."""
        try:
            path = message["path"]
        except KeyError:
            raise ResponseError("http.response.pathsend has no 'path'") from None
        if not self.status or self.head_sent or self.done:
            raise self._out_of_order("http.response.pathsend")
        with open_path(path) as file:
            await self._send_span(file.fileno(), *file_span(file, None, None), last=not self.promised)
        if self.promised:
            self.trailing = []

    async def _send_descriptor(self, message: Message) -> None:
        """A span of an open file, in the place of a body."""
        try:
            file = message["file"]
        except KeyError:
            raise ResponseError("http.response.zerocopysend has no 'file'") from None
        if not self.status or self.done or self.trailing is not None:
            raise self._out_of_order("http.response.zerocopysend")
        offset, count = file_span(file, message.get("offset"), message.get("count"))
        more = bool(message.get("more_body", False)) or self.promised
        await self._send_span(file if isinstance(file, int) else file.fileno(), offset, count, last=not more)
        if self.promised and not message.get("more_body", False):
            self.trailing = []

    async def _send_span(self, fd: int, offset: int, count: int, *, last: bool) -> None:
        """Past the machine where the file is the whole body and its length is told, else copied through it."""
        if last and not self.head_sent and self._tells_length(count):
            out = self.machine.respond(self.request.stream, self.status, self.headers, b"", False)
            self.head_sent = True
            # The machine believes the answer complete before its bytes are out: nobody may ask for the next.
            self.wire.pause_reading()
            self.wire.send(out)
            if self.machine.bypass(self.request.stream, count):
                self.sent += count
                try:
                    await self.wire.send_file(fd, offset, count)
                except ClientGone:
                    # The kernel told it before the loop did.
                    self.disconnect(gone=True)
                    raise
        else:
            async for block in self.wire.read_file(fd, offset, count):
                self._write(block, False)
                if self.wire.full:
                    await self.wire.drain()
                if self.gone:
                    raise ClientGone("the client left before the answer was complete")
            if last:
                self._write(b"", True)
        if last:
            self._complete()

    def _tells_length(self, count: int) -> bool:
        """Whether the head says, or can say, that `count` bytes follow."""
        size = str(count).encode("ascii")
        for name, value in self.headers:
            if name.lower() == b"content-length":
                return bool(value == size)
        self.headers = [*self.headers, (b"content-length", size)]
        return True

    def _out_of_order(self, kind: str) -> ResponseError:
        if self.done:
            return ResponseError(f"{kind} was sent after the answer was complete")
        if self.trailing is not None:
            return ResponseError(f"{kind} was sent where http.response.trailers was due")
        if self.status:
            return ResponseError(f"{kind} was sent after the answer had begun")
        return ResponseError(f"{kind} was sent before http.response.start")


def _pairs(headers: Any) -> Pairs:
    """Header fields of a message, (bytes, bytes) pairs, as machines take them. Raises ResponseError."""
    try:
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    except (AttributeError, TypeError, ValueError):
        raise ResponseError(f"headers are an iterable of (name, value) pairs of bytes, not {headers!r:.200}") from None


def _list(items: Any, what: str) -> list[Any]:
    try:
        return list(items)
    except TypeError:
        raise ResponseError(f"{what!r} is an iterable, not {type(items).__name__}") from None


def _bytes(data: Any, what: str) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise ResponseError(f"{what!r} is bytes, not {type(data).__name__}")


def _text(data: Any, what: str) -> str:
    return _bytes(data, what).decode("latin-1")
