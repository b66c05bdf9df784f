"""What a machine is told before the first byte: bounds, leniencies and times, decided at boot.

Plain frozen values; where they come from (settings) is nobody's business down here.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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

    __slots__ = ("date", "server")

    def __init__(self, server: str = "gunicorn", date: str = "") -> None:
        self.server = server
        self.date = date


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """What an HTTP/1.1 machine is bound by; one object a listener, shared by its connections."""

    limits: Limits = field(default_factory=Limits)
    leniency: Leniency = field(default_factory=Leniency)
