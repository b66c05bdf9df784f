"""What the access log reads of one finished exchange, whoever made it.

`Entry` is the contract with the bridge's exchange; `Recorded` brings the arguments of the older
`Logger.access(resp, req, environ, request_time)` into the same shape, so that each atom is said once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import timedelta


class RequestFacts(Protocol):
    """What is read of a request; `gunicorn.protocol.machine.Request` has it all."""

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def raw_path(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def variables(self) -> Mapping[str, Any]: ...


class Client(Protocol):
    """The other end of the connection; `host` and `port` are "" for unix sockets."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> str: ...


class Entry(Protocol):
    """One request and the answer it got. `status` is "" when nothing was answered."""

    @property
    def request(self) -> RequestFacts: ...
    @property
    def peer(self) -> Client: ...
    @property
    def environ(self) -> Mapping[str, Any]: ...
    @property
    def described(self) -> Mapping[str, Any]:
        """The environ or, where the application got none, what it would have said; may be made anew each time."""
        ...

    @property
    def status(self) -> str:
        """ "200 OK"."""
        ...

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """Response fields as the application gave them."""
        ...

    @property
    def sent(self) -> int:
        """Body bytes sent."""
        ...

    @property
    def duration_ns(self) -> int: ...
    @property
    def queue_ns(self) -> int:
        """From accept (or the first byte of the head) to the application."""
        ...

    @property
    def failure(self) -> BaseException | None:
        """What the application raised, or what cut the answer short."""
        ...


class Recorded:
    """An entry made of a WSGI environ, a response and a duration; it is its own request and peer."""

    def __init__(self, resp: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        self.environ = self.described = self.variables = environ
        self.request = self.peer = self
        status = resp.status
        self.status: str = status.decode("latin-1") if isinstance(status, bytes) else str(status or "")
        self.fields: Sequence[tuple[str, str]] = list(resp.headers)
        self.sent: int = resp.sent or 0
        self.duration_ns = (request_time.days * 86400 + request_time.seconds) * 10**9 + request_time.microseconds * 1000
        self.queue_ns = 0
        self.failure: BaseException | None = None
        self.method: str = environ.get("REQUEST_METHOD", "")
        self.target: str = environ.get("RAW_URI", "")
        self.raw_path: str = self.target.partition("?")[0]
        self.path: str = environ.get("PATH_INFO", "")
        self.query: str = environ.get("QUERY_STRING", "")
        self.version: str = environ.get("SERVER_PROTOCOL", "")
        self.scheme: str = environ.get("wsgi.url_scheme", "")
        self.host: str = environ.get("REMOTE_ADDR", "")
        self.port: str = str(environ.get("REMOTE_PORT", ""))
