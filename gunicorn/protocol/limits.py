"""What a machine is told before the first byte: bounds, leniencies and times, decided at boot.

Plain frozen values; where they come from (settings) is nobody's business down here. `HttpPolicy` also
keeps what was learnt under its rules (request lines, hosts, response names), so that a worker learns once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gunicorn.protocol.fields import ResponseNames
from gunicorn.protocol.requestline import Hosts, RequestLines
from gunicorn.protocol.status import StatusLines


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds on a request, in bytes unless said otherwise; 0 means unlimited where allowed."""

    request_line: int = 4094
    """Length of the request line without CRLF (414 for the target, 400 else); 0 = unlimited."""
    fields: int = 100
    """How many header (or trailer) fields (431); never unlimited: at most 32768."""
    field_size: int = 8190
    """Length of one field line (431); 0 = unlimited."""
    body: int = 0
    """Length of a request body after decoding (413); 0 = unlimited."""


@dataclass(frozen=True, slots=True)
class Leniency:
    """Departures from the RFC that an operator asked for by name; all off by default."""

    obsolete_folding: bool = False
    strip_header_spaces: bool = False
    unconventional_method: bool = False
    unconventional_version: bool = False
    casefold_method: bool = False
    missing_host: bool = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each phase of a connection may last, in seconds; 0 means for ever.

    `header` counts from the first byte (or the accept) to the end of the head, `body` and `write`
    between two steps of progress, `keepalive` between two requests.
    """

    handshake: float = 10.0
    header: float = 10.0
    body: float = 30.0
    keepalive: float = 2.0
    write: float = 30.0


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


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """What an HTTP machine is bound by; one object a listener (or worker), shared by its connections."""

    limits: Limits = field(default_factory=Limits)
    leniency: Leniency = field(default_factory=Leniency)
    request_lines: RequestLines = field(init=False, repr=False, compare=False)
    hosts: Hosts = field(init=False, repr=False, compare=False)
    status_lines: StatusLines = field(init=False, repr=False, compare=False)
    response_names: ResponseNames = field(init=False, repr=False, compare=False)
    longest_field: int = field(init=False, repr=False, compare=False)
    longest_request_line: int = field(init=False, repr=False, compare=False)
    plain_head: int = field(init=False, repr=False, compare=False)
    """A head of at most so many bytes can break no limit on the length of a line."""

    def __post_init__(self) -> None:
        leniency, limits = self.leniency, self.limits
        lines = RequestLines(
            unconventional_method=leniency.unconventional_method,
            unconventional_version=leniency.unconventional_version,
            casefold_method=leniency.casefold_method,
        )
        longest_line = limits.request_line or UNLIMITED
        longest_field = limits.field_size or UNLIMITED
        for name, value in (
            ("request_lines", lines),
            ("hosts", Hosts(capacity=256)),
            ("status_lines", StatusLines(capacity=128)),
            ("response_names", ResponseNames(capacity=256, longest=64)),
            ("longest_request_line", longest_line),
            ("longest_field", longest_field),
            ("plain_head", min(longest_line, longest_field)),
        ):
            object.__setattr__(self, name, value)


UNLIMITED = 1 << 62
"""What a limit of 0 means to a comparison."""
