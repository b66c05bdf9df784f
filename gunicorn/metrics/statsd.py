"""A statsd client: figures as text datagrams over UDP or a unix socket, with tags in the DogStatsD manner.

It never waits and never raises: a figure that cannot be sent is dropped and counted in `dropped`.
"""

from __future__ import annotations

import socket
from typing import Any, Final

Address = tuple[str, int] | str
"""(host, port) of a UDP listener, or the path of a unix datagram socket."""

_RESERVED: Final = str.maketrans(dict.fromkeys(":|@#\n\r", "_"))


class Statsd:
    """Sends figures to one listener. Cheap to share between threads and across fork."""

    def __init__(self, address: Address, prefix: str = "", tags: str = "") -> None:
        """`prefix` stands before every name, with one dot between; `tags` is "env:prod,zone:b".

        A host name is looked up here, once. One that is unknown leaves a client that drops everything and
        says why in `problem`.
        """
        self.address = address
        self.prefix = f"{prefix.rstrip('.')}." if prefix.rstrip(".") else ""
        self.suffix = f"|#{tags}" if tags else ""
        self.dropped = 0
        self.problem = ""
        self._socket: socket.socket | None = None
        self._endpoint = self._look_up()

    def counter(self, name: str, value: float = 1, rate: float = 1.0) -> None:
        """Adds `value` to a counter; `rate` says which share of the events is reported."""
        self.send(self.line(name, value, f"c|@{rate}"))

    def gauge(self, name: str, value: float) -> None:
        """Sets a gauge."""
        self.send(self.line(name, value, "g"))

    def timer(self, name: str, ms: float) -> None:
        """Reports a duration in milliseconds."""
        self.send(self.line(name, ms, "ms"))

    def histogram(self, name: str, value: float) -> None:
        """Reports one observation of a distribution."""
        self.send(self.line(name, value, "h"))

    def request(self, duration_ms: float, status: str) -> None:
        """Reports one finished request, in one datagram; `status` is "200", or "" when nothing was answered."""
        prefix, suffix = self.prefix, self.suffix
        answered = f"\n{prefix}gunicorn.request.status.{status}:1|c|@1.0{suffix}" if status else ""
        self.send(
            f"{prefix}gunicorn.request.duration:{duration_ms:.3f}|ms{suffix}\n"
            f"{prefix}gunicorn.requests:1|c|@1.0{suffix}{answered}"
        )

    def line(self, name: str, value: float, kind: str) -> str:
        """One figure as the protocol writes it."""
        number = f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        return f"{self.prefix}{name.translate(_RESERVED)}:{number}|{kind}{self.suffix}"

    def send(self, text: str) -> None:
        """Sends one datagram: figures, one a line."""
        data = text.encode("utf-8", "backslashreplace")
        for _ in range(2):
            connection = self._socket or self._connect()
            if connection is None:
                break
            try:
                connection.send(data)
            except BlockingIOError:
                break
            except OSError as error:
                # Over UDP this tells of an earlier datagram, so one more try sends this one; the owner of a
                # unix path may have been replaced, so there the next try connects anew.
                self.problem = str(error)
                if isinstance(self.address, str):
                    self.close()
            else:
                return
        self.dropped += 1

    def close(self) -> None:
        """Closes the socket; later figures open it again."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def _connect(self) -> socket.socket | None:
        """A connected non-blocking socket, or None and the reason in `problem`."""
        if self._endpoint is None:
            return None
        family, endpoint = self._endpoint
        connection = socket.socket(family, socket.SOCK_DGRAM)
        try:
            connection.setblocking(False)
            connection.connect(endpoint)
        except OSError as error:
            self.problem = str(error)
            connection.close()
            return None
        self._socket = connection
        return connection

    def _look_up(self) -> tuple[int, Any] | None:
        """Family and socket address of the listener; None when its host name is unknown."""
        if isinstance(self.address, str):
            return socket.AF_UNIX, self.address
        try:
            family, _, _, _, endpoint = socket.getaddrinfo(*self.address, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            self.problem = f"{self.address[0]}: {error.strerror}"
            return None
        return family, endpoint
