"""Runs ASGI 3 applications on a WebSocket (ASGI WebSocket message format 2.4): messages of the interface, in and out.

Knows the messages, their order and what each demands; the connection itself is a `WebSocketChannel`. A message that
breaks the order or the format is a `ResponseError` in the application's own stack; a connection that is closed is
`ClientGone`, an OSError.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gunicorn.bridge.environ import environ_of_scope
from gunicorn.bridge.exchange import AsyncTransport, ClientGone
from gunicorn.bridge.scope import Scope
from gunicorn.bridge.websocket import INTERNAL_ERROR, Pairs, Stage, WebSocketChannel
from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.limits import WebSocketPolicy
from gunicorn.protocol.machine import Machine, Request
from gunicorn.protocol.status import STATUS_TEXT
from gunicorn.protocol.trust import Peer

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

NORMAL = 1000

_CONNECTING, _DENYING, _OPEN, _CLOSED = Stage


class WebSocketExchange(WebSocketChannel):
    """The application's side of a connection: `run` gives it the scope and the two callables."""

    __slots__ = ("told",)

    def __init__(
        self,
        machine: Machine,
        wire: AsyncTransport,
        peer: Peer,
        request: Request,
        scope: Scope,
        policy: WebSocketPolicy,
    ) -> None:
        """Completes `scope` by what the client offers. Raises ProtocolError for a handshake that is none."""
        super().__init__(machine, wire, peer, request, policy)
        scope["subprotocols"] = list(self.socket.offer.subprotocols)
        self.scope = scope
        self.told = False
        """The application got `websocket.connect`."""

    @property
    def described(self) -> Mapping[str, object]:
        """What an environ would say of the request."""
        return environ_of_scope(self.request, self.peer, self.scope)

    async def run(self, app: Application) -> None:
        """Runs the application and sees the connection to its end. Raises what the application raised."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            self._conclude(failed=True)
            await self._until_over()
            raise
        except BaseException:
            # A task that is cancelled has no time for a closing handshake.
            self._conclude(failed=True)
            self.end()
            raise
        incomplete = self.stage is _DENYING
        self._conclude(failed=incomplete)
        await self._until_over()
        if incomplete:
            raise ResponseError("the application returned before its denial response was complete")

    async def receive(self) -> Message:
        """`websocket.connect`, then each message, then `websocket.disconnect` as often as it is asked for."""
        if not self.told:
            self.told = True
            return {"type": "websocket.connect"}
        while True:
            if self.inbox:
                data = self.next()
                if type(data) is str:
                    return {"type": "websocket.receive", "text": data}
                return {"type": "websocket.receive", "bytes": data}
            if self.ended is not None:
                return {"type": "websocket.disconnect", "code": self.ended.code, "reason": self.ended.reason}
            await self.waiter()

    async def send(self, message: Message) -> None:
        """Takes a message. Raises ClientGone on a closed connection, and ResponseError for one that is wrong here."""
        try:
            kind = message["type"]
        except (KeyError, TypeError):
            raise ResponseError(f"an ASGI message is a dict with a 'type', not {message!r:.100}") from None
        if kind == "websocket.send" and self.stage is _OPEN:
            data = message.get("bytes")
            if data is not None:
                out = self.socket.send_bytes(data if type(data) is bytes else _bytes(data, "bytes"))
            else:
                text = message.get("text")
                if type(text) is not str:
                    text = _text(text)
                out = self.socket.send_text(text)
            self.messages_out += 1
            self.sent += len(out)
            self.wire.send(out)
        else:
            self._send_other(kind, message)
        if self.wire.full:
            await self.wire.drain()

    def _send_other(self, kind: str, message: Message) -> None:
        stage = self.stage
        if stage is _CLOSED:
            if kind not in _KINDS:
                raise _unknown(kind)
            if kind != "websocket.close":
                raise ClientGone(f"{kind} was sent {stage.value}")
            return  # the peer or the server was faster, which nobody can know; twice does no harm
        act = _ORDER.get((stage, kind))
        if act is None:
            raise ResponseError(f"{kind} was sent {stage.value}") if kind in _KINDS else _unknown(kind)
        act(self, message)

    def _accept(self, message: Message) -> None:
        self.accept(message.get("subprotocol"), _pairs(message.get("headers") or ()))

    def _refuse(self, message: Message) -> None:  # noqa: ARG002
        """`websocket.close` instead of `accept`: its code is for nobody, the answer is always 403 (ASGI, Close)."""
        self.answer("403 Forbidden", b"Forbidden\n")

    def _close(self, message: Message) -> None:
        code = message.get("code")
        self.close(NORMAL if code is None else code, message.get("reason") or "")

    def _deny(self, message: Message) -> None:
        try:
            status = STATUS_TEXT[message["status"]]
        except KeyError:
            raise ResponseError("websocket.http.response.start has no 'status'") from None
        if status < "2":
            raise ResponseError(f"{status!r} does not deny a handshake")
        self.start(status, _pairs(message.get("headers") or ()))
        self.stage = _DENYING

    def _deny_body(self, message: Message) -> None:
        self.answer_more(_bytes(message.get("body", b""), "body"), last=not message.get("more_body", False))

    def _conclude(self, *, failed: bool) -> None:
        """The application is at its end: so is the connection."""
        stage = self.stage
        if stage is _OPEN:
            self.close(INTERNAL_ERROR if failed else NORMAL, "")
        elif stage is _DENYING and self.head_sent:
            self.machine.abort()
            self.abandon("denial response incomplete")
        elif stage is not _CLOSED:
            if failed:
                self.answer("500 Internal Server Error", b"Internal Server Error\n")
            else:
                self.answer("403 Forbidden", b"Forbidden\n")

    async def _until_over(self) -> None:
        """Waits for the closing handshake, or for what `tick` makes of a peer that does not finish it."""
        try:
            while not self.over:
                await self.waiter()
        except BaseException:
            self.end()
            raise


_ORDER: dict[tuple[Stage, str], Callable[[WebSocketExchange, Message], None]] = {
    (_CONNECTING, "websocket.accept"): WebSocketExchange._accept,
    (_CONNECTING, "websocket.close"): WebSocketExchange._refuse,
    (_CONNECTING, "websocket.http.response.start"): WebSocketExchange._deny,
    (_DENYING, "websocket.http.response.body"): WebSocketExchange._deny_body,
    (_OPEN, "websocket.close"): WebSocketExchange._close,
}
"""What an application may send, and when; `websocket.send` on an open connection is looked at before."""

_KINDS = {kind for _, kind in _ORDER} | {"websocket.send"}


def _unknown(kind: str) -> ResponseError:
    return ResponseError(f"no message to a WebSocket: {kind!r:.100}")


def _pairs(headers: Any) -> Pairs:
    """Header fields of a message, (bytes, bytes) pairs, as machines take them. Raises ResponseError."""
    try:
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    except (AttributeError, TypeError, ValueError):
        raise ResponseError(f"headers are an iterable of (name, value) pairs of bytes, not {headers!r:.200}") from None


def _bytes(data: Any, what: str) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise ResponseError(f"{what!r} is bytes, not {type(data).__name__}")


def _text(text: Any) -> str:
    if text is None:
        raise ResponseError("websocket.send needs 'text' or 'bytes'")
    if not isinstance(text, str):
        raise ResponseError(f"'text' is str, not {type(text).__name__}")
    return str(text)
