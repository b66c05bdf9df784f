"""What hooks and custom loggers see of a request and its answer: the attributes existing code reads."""

from __future__ import annotations

from collections.abc import Sequence

from gunicorn.bridge.exchange import Exchange
from gunicorn.protocol.machine import Request


class RequestView:
    """`req` of the hooks pre_request and post_request and of `Logger.access`."""

    __slots__ = ("_request",)

    def __init__(self, request: Request) -> None:
        self._request = request

    @property
    def method(self) -> str:
        """The method as it was received."""
        return self._request.method

    @property
    def uri(self) -> str:
        """The request-target as it was received."""
        return self._request.target

    @property
    def path(self) -> str:
        """Path of the target before percent-decoding."""
        return self._request.raw_path

    @property
    def query(self) -> str:
        """Query of the target, without "?"."""
        return self._request.query

    @property
    def fragment(self) -> str:
        """What follows "#" in the target; clients should never send one."""
        return self._request.target.partition("#")[2]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """(UPPER-CASE name, value) pairs in order."""
        return [(name.upper(), value) for name, value in self._request.fields]

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """Trailer fields, once the body is complete."""
        return [(name.upper(), value) for name, value in self._request.trailers or ()]

    @property
    def version(self) -> tuple[int, int]:
        """(1, 1) for HTTP/1.1."""
        major, _, minor = self._request.version.removeprefix("HTTP/").partition(".")
        return int(major), int(minor or 0)

    @property
    def scheme(self) -> str:
        """ "http" or "https"."""
        return self._request.scheme


class ResponseView:
    """`resp` of the hook post_request and of `Logger.access`."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def status(self) -> str:
        """The status line's text, "200 OK"."""
        return self._exchange.status

    @property
    def status_code(self) -> int:
        """The status as a number; 0 when nothing was answered."""
        return int(self._exchange.status[:3] or 0)

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The fields as the application gave them."""
        return self._exchange.fields

    @property
    def sent(self) -> int:
        """Body bytes sent."""
        return self._exchange.sent

    @property
    def response_length(self) -> int | None:
        """Content-Length as the application gave it, or None."""
        for name, value in self._exchange.fields:
            if name.lower() == "content-length":
                return int(value)
        return None
