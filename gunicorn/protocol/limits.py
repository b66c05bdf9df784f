"""What a machine is told before the first byte: bounds, leniencies and times, decided at boot.

Plain values; where they come from (settings) is nobody's business down here. `HttpPolicy` also
keeps what was learnt under its rules (request lines, hosts, response names), so that a worker learns once.
"""

from __future__ import annotations

from typing import NamedTuple

from gunicorn.protocol.fields import ResponseNames
from gunicorn.protocol.requestline import Hosts, RequestLines
from gunicorn.protocol.status import StatusLines


class Limits(NamedTuple):
    """Upper bounds on a request, in bytes unless said otherwise; 0 means unlimited where allowed."""

    request_line: int = 4094
    """Length of the request line without CRLF (414 for the target, 400 else); 0 = unlimited."""
    fields: int = 100
    """How many header (or trailer) fields (431); never unlimited: at most 32768."""
    field_size: int = 8190
    """Length of one field line (431); 0 = unlimited."""
    body: int = 0
    """Length of a request body after decoding (413); 0 = unlimited."""


class Leniency(NamedTuple):
    """Departures from the RFC that an operator asked for by name; all off by default."""

    obsolete_folding: bool = False
    strip_header_spaces: bool = False
    unconventional_method: bool = False
    unconventional_version: bool = False
    casefold_method: bool = False
    missing_host: bool = False


class Timeouts(NamedTuple):
    """How long each phase of a connection may last, in seconds; 0 means for ever.

    `header` counts from the first byte (or the accept) to the end of the head, `body` and `write`
    between two steps of progress, `keepalive` between two requests: there 0 keeps no connection.
    """

    handshake: float = 10.0
    header: float = 10.0
    body: float = 30.0
    keepalive: float = 2.0
    write: float = 30.0


class WebSocketPolicy(NamedTuple):
    """What a WebSocket machine is bound by. Times in seconds."""

    max_message_size: int = 16 * 1024 * 1024
    """Bytes of a message after decompression; 0 = unlimited."""
    deflate: bool = True
    """Whether permessage-deflate (RFC 7692) is agreed to."""
    ping_interval: float = 20.0
    """Between two pings of an open connection; 0 = none."""
    ping_timeout: float = 20.0
    """How long a pong may take before the connection is given up; 0 = for ever."""


class Stamp:
    """What every response head says of the server and the time, kept fresh by the worker's clock.

    Shared by all machines of a worker: the driver replaces `date` (IMF-fixdate, RFC 9110 5.6.7) once a
    second, so that no machine reads a clock and no response formats a date.
    """

    __slots__ = ("_date", "lines", "server")

    def __init__(self, server: str = "gunicorn", date: str = "") -> None:
        self.server = server
        self.lines = b""
        """Both fields as they stand in a head, each line with its CRLF."""
        self.date = date

    @property
    def date(self) -> str:
        return self._date

    @date.setter
    def date(self, date: str) -> None:
        self._date = date
        server = f"Server: {self.server}\r\n" if self.server else ""
        dated = f"Date: {date}\r\n" if date else ""
        self.lines = (server + dated).encode("latin-1")


class HttpPolicy:
    """What an HTTP machine is bound by; one object a listener (or worker), shared by its connections."""

    __slots__ = (
        "hosts",
        "leniency",
        "limits",
        "longest_field",
        "longest_request_line",
        "plain_head",
        "request_lines",
        "response_names",
        "status_lines",
    )

    def __init__(self, limits: Limits | None = None, leniency: Leniency | None = None) -> None:
        self.limits = limits = limits or Limits()
        self.leniency = leniency = leniency or Leniency()
        self.request_lines = RequestLines(
            unconventional_method=leniency.unconventional_method,
            unconventional_version=leniency.unconventional_version,
            casefold_method=leniency.casefold_method,
        )
        self.hosts = Hosts(capacity=256)
        self.status_lines = StatusLines(capacity=128)
        self.response_names = ResponseNames(capacity=256, longest=64)
        self.longest_request_line = limits.request_line or UNLIMITED
        self.longest_field = limits.field_size or UNLIMITED
        self.plain_head = min(self.longest_request_line, self.longest_field)
        """A head of at most so many bytes can break no limit on the length of a line."""


UNLIMITED = 1 << 62
"""What a limit of 0 means to a comparison."""
