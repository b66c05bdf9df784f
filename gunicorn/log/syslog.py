"""Syslog as a log target: the address grammar, facility names and a handler that cannot hold up serving.

Messages go over UDP, TCP or a unix socket (RFC 3164 framing: one datagram, or one line of a stream).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import Any, Final, NamedTuple

from gunicorn.errors import ConfigError

SEND_TIMEOUT: Final = 0.5
"""Seconds that a connection to the log daemon may take, or a send wait for room."""
REST: Final = 5.0
"""Seconds in which nothing is tried after a failure: a dead daemon must not cost every line a timeout."""
SEVERITIES: Final = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
"""Numbers of RFC 5424 6.2.1; other levels are a notice (5)."""
PORT: Final = 514
_FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp"),
    *("security", "console", "solaris-cron"),
    *("local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
FACILITIES: Final = {name: number for number, name in enumerate(_FACILITIES)}
"""Numbers of RFC 5424 6.2.1 by the names of syslog(3)."""


class SyslogAddress(NamedTuple):
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
    from urllib.parse import urlsplit

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


class Syslog(logging.Handler):
    """Sends records to a log daemon; a daemon that is slow or away costs lines, hardly time, never a request."""

    def __init__(self, target: SyslogAddress, facility: int) -> None:
        """Connects. Raises OSError when a TCP daemon refuses or a host name is unknown.

        A unix socket may appear later, as with syslog(3).
        """
        super().__init__()
        self.target = target
        self.facility = facility
        self.lost = 0
        self._stream = False
        self._rest_until = 0.0
        self._socket: socket.socket | None = None
        try:
            self._socket = self._connect()
        except OSError:
            if not isinstance(target.address, str):
                raise

    def emit(self, record: logging.LogRecord) -> None:
        """Sends the record, or counts it as lost."""
        try:
            text = self.format(record)
        except Exception:  # a record that cannot be formatted is its caller's bug; logging prints it
            self.handleError(record)
            return
        if time.monotonic() < self._rest_until:
            self.lost += 1
            return
        severity = SEVERITIES.get(record.levelno, 5)
        try:
            self._send(f"<{self.facility << 3 | severity}>{text}".encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Closes the connection; a later record opens it again."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()
        super().close()

    def _send(self, message: bytes) -> None:
        """One message, over a new connection when the old one is dead. Raises OSError."""
        reused = self._socket is not None
        try:
            self._write(message)
        except TimeoutError:
            raise
        except OSError:
            if not reused:
                raise
            self.close()
            self._write(message)

    def _write(self, message: bytes) -> None:
        if self._socket is None:
            self._socket = self._connect()
        if self._stream:
            # A stream has no borders but LF, so LF within a message is written as rsyslog does.
            self._socket.sendall(message.replace(b"\n", b"#012") + b"\n")
        else:
            self._socket.send(message)

    def _connect(self) -> socket.socket:
        address = self.target.address
        if not isinstance(address, str):
            family, kind, _, _, endpoint = socket.getaddrinfo(*address, type=self.target.kind or 0)[0]
            return self._open(family, kind, endpoint)
        if self.target.kind is not None:
            return self._open(socket.AF_UNIX, self.target.kind, address)
        try:
            return self._open(socket.AF_UNIX, socket.SOCK_DGRAM, address)
        except OSError:
            return self._open(socket.AF_UNIX, socket.SOCK_STREAM, address)

    def _open(self, family: int, kind: int, endpoint: Any) -> socket.socket:
        connection = socket.socket(family, kind)
        try:
            connection.settimeout(SEND_TIMEOUT)
            connection.connect(endpoint)
        except OSError:
            connection.close()
            raise
        self._stream = kind == socket.SOCK_STREAM
        return connection

    def _give_up(self, error: OSError) -> None:
        """Counts a loss, lets the daemon rest, and tells of the first loss."""
        if self._stream:
            # Half a message may be out; the next one must not continue it.
            self.close()
        self._rest_until = time.monotonic() + REST
        self.lost += 1
        if self.lost == 1:
            note = f"gunicorn: syslog at {self.target.address} does not take messages: {error}\n"
            try:
                os.write(2, note.encode("utf-8", "backslashreplace"))
            except OSError:
                # Standard error is gone as well; `lost` remains.
                self.lost = 1
