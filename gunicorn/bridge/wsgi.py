"""Runs WSGI applications (PEP 3333) on an exchange.

Knows the calling convention and nothing of sockets or loops. The promises kept here: `close()` of the
result is always called; an exception becomes a 500 while the head is unsent and a broken-off answer
afterwards; a small answer is one send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any

from gunicorn.bridge.environ import Environ, fill
from gunicorn.bridge.exchange import ClientGone, Exchange
from gunicorn.bridge.files import FileWrapper
from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.machine import Request

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
StartResponse = Callable[..., Callable[[bytes], None]]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class WsgiBridge:
    """One a connection: the environ base and `start_response` serve all its requests in turn."""

    __slots__ = ("app", "base", "exchange", "hints", "sendfile", "start")

    start: StartResponse
    hints: Callable[..., None]

    def __init__(self, app: Application, exchange: Exchange, base: Environ, *, sendfile: bool = True) -> None:
        self.app = app
        self.exchange = exchange
        self.base = base
        self.sendfile = sendfile
        self.start = self.start_response
        self.hints = self.early_hints

    def close(self) -> None:
        """The connection is closed: gives up what leads back here, so that the bridge is freed by counting."""
        del self.start, self.hints

    def run(self) -> None:
        """Answers the exchange's request by the application.

        Raises ClientGone when the peer left, and whatever the application raised: the caller logs it and
        says the 500 (or breaks off, when the head is out).
        """
        exchange = self.exchange
        exchange.environ = environ = fill(self.base, exchange.request, exchange.body, self.hints)
        result = self.app(environ, self.start)
        if type(result) is list and len(result) == 1 and exchange.status:
            data = result[0]
            if type(data) is bytes:
                exchange.finish(data)
                return
        self._iterate(result)

    def _iterate(self, result: Iterable[bytes]) -> None:
        """Sends whatever iterable came back and closes it, come what may."""
        try:
            if not (type(result) is FileWrapper and self.sendfile and self._send_file(result)):
                self._send_blocks(result)
        finally:
            try:
                close = result.close  # type: ignore[attr-defined]
            except AttributeError:
                pass
            else:
                close()

    def _send_blocks(self, result: Iterable[bytes]) -> None:
        exchange = self.exchange
        try:
            alone = len(result) == 1  # type: ignore[arg-type]
        except TypeError:
            alone = False
        for data in result:
            if not exchange.status:
                raise ResponseError("the application returned a body before it called start_response()")
            if type(data) is not bytes and not isinstance(data, (bytes, bytearray, memoryview)):
                raise ResponseError(f"a WSGI body consists of bytes, not of {type(data).__name__}")
            if alone:
                exchange.finish(bytes(data))
                return
            if data:
                exchange.write(bytes(data))
        if not exchange.status:
            raise ResponseError("the application ended without calling start_response()")
        exchange.finish()

    def _send_file(self, result: FileWrapper) -> bool:
        """Sends a file without reading it; False where its length or kind does not allow that."""
        exchange = self.exchange
        span = result.span()
        if span is None or exchange.head_sent or not exchange.status:
            return False
        offset, count = span
        fields = list(exchange.fields)
        for name, value in fields:
            if name.lower() == "content-length":
                if not value.isdecimal() or int(value) > count:
                    return False
                count = int(value)
                break
        else:
            fields.append(("Content-Length", str(count)))
        exchange.start(exchange.status, fields)
        exchange.send_file(result.filelike, offset, count)
        return True

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """PEP 3333's start_response: remembers the head, sends nothing yet."""
        exchange = self.exchange
        if exc_info is not None:
            try:
                if exchange.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                del exc_info
        elif exchange.status:
            raise ResponseError("start_response() was called twice without exc_info (PEP 3333)")
        if type(status) is not str or type(headers) is not list:
            _check_types(status, headers)
        exchange.status = status
        exchange.fields = headers
        return partial(self.write, exchange.request)

    def write(self, request: Request, data: bytes) -> None:
        """The callable that start_response returns: sends at once.

        Bound to its request: an application that keeps it must not write into the answer to the next one.
        """
        if request is not self.exchange.request:
            raise ResponseError("write() was called after its request was answered")
        self.exchange.write(data)

    def early_hints(self, headers: Iterable[tuple[str, str]]) -> None:
        """`wsgi.early_hints`: 103 with `headers` now (RFC 8297); silent for HTTP/1.0 and after the head."""
        self.exchange.inform("103 Early Hints", list(headers))


def _check_types(status: Any, headers: Any) -> None:
    if not isinstance(status, str):
        raise ResponseError(f"the status is a str such as '200 OK', not {type(status).__name__}")
    if not isinstance(headers, (list, tuple)):
        raise ResponseError(f"response headers are a list of tuples, not {type(headers).__name__}")


def answer_failure(exchange: Exchange) -> bool:
    """Says 500 for an application that raised; False when the head is out and only closing is left."""
    if exchange.head_sent:
        return False
    body = b"Internal Server Error\n"
    exchange.status = "500 Internal Server Error"
    exchange.fields = [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")]
    try:
        exchange.finish(body)
    except ClientGone:
        return False
    return True
