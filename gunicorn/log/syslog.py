"""Syslog as a log target: the address grammar, facility names and a handler that cannot hold up serving.

Messages go over UDP, TCP or a unix socket (RFC 3164 framing: one datagram, or one line of a stream).
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from dataclasses import dataclass
from logging.handlers import SysLogHandler
from typing import Any, Final
from urllib.parse import urlsplit

from gunicorn.errors import ConfigError

SEND_TIMEOUT: Final = 1.0
"""Seconds that a connection to the log daemon may take, or a send wait for room."""
PORT: Final = 514
FACILITIES: Final = {**SysLogHandler.facility_names, "console": 14}


@dataclass(frozen=True, slots=True)
class SyslogAddress:
    """Where the log daemon listens. `kind` None: a unix socket whose type is tried out."""

    kind: socket.SocketKind | None
    address: str | tuple[str, int]


def parse_syslog_address(text: str) -> SyslogAddress:
    """Reads udp://HOST:PORT, tcp://HOST:PORT or unix://PATH[#dgram|#stream]. Raises ConfigError."""

    def wrong(why: str) -> ConfigError:
        return ConfigError(
            f"syslog address {text!r}: {why}",
            setting="syslog_addr",
            hint="write udp://HOST:PORT, tcp://HOST:PORT or unix://PATH[#dgram|#stream]",
        )

    scheme, _, rest = text.partition("://")
    if scheme == "unix":
        path, _, kind = rest.partition("#")
        kinds = {"": None, "dgram": socket.SOCK_DGRAM, "stream": socket.SOCK_STREAM}
        if not path or kind not in kinds:
            raise wrong("a path is missing" if not path else f"{kind!r} is no socket type")
        return SyslogAddress(kinds[kind], path)
    if scheme not in ("udp", "tcp"):
        raise wrong("unknown scheme")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        raise wrong("the port is not a number from 1 to 65535") from None
    return SyslogAddress(socket.SOCK_STREAM if scheme == "tcp" else socket.SOCK_DGRAM, (host or "localhost", port))


def facility_number(name: str) -> int:
    """The number of a facility name, "user" or "LOG_USER". Raises ConfigError."""
    try:
        return FACILITIES[name.lower().removeprefix("log_")]
    except KeyError:
        raise ConfigError(
            f"unknown syslog facility {name!r}",
            setting="syslog_facility",
            hint=f"one of {', '.join(sorted(FACILITIES))}",
        ) from None


class Syslog(SysLogHandler):
    """Sends records to a log daemon; a daemon that is slow or away costs lines, never a request."""

    socket: Any
    """logging's own attribute: the connection, or None while there is none."""

    def __init__(self, target: SyslogAddress, facility: int) -> None:
        """Raises OSError when a TCP daemon refuses or a host name is unknown."""
        self.lost = 0
        super().__init__(address=target.address, facility=facility, socktype=target.kind)
        self.append_nul = False
        self._stream = target.kind is socket.SOCK_STREAM

    def createSocket(self) -> None:  # noqa: N802 - the name is logging's
        """Connects, then bounds every later send."""
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(SEND_TIMEOUT)
        try:
            super().createSocket()
        finally:
            socket.setdefaulttimeout(before)
        if self.socket is not None:
            self.socket.settimeout(SEND_TIMEOUT)

    def format(self, record: logging.LogRecord) -> str:
        """A stream has no datagram borders: there, a line ends in LF."""
        text = super().format(record)
        return text + "\n" if self._stream else text

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the signature is logging's
        """Counts the loss and tells the first of a streak."""
        self.lost += 1
        if self.lost == 1:
            note = f"gunicorn: syslog at {self.address} does not take messages: {sys.exc_info()[1]}\n"
            try:
                os.write(2, note.encode("utf-8", "backslashreplace"))
            except OSError:
                # Standard error is gone as well; `lost` remains.
                self.lost = 1
