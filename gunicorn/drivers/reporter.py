"""What drivers tell of connections and requests, whichever driver it is. Knows nothing of logs."""

from __future__ import annotations

from typing import Protocol

from gunicorn.bridge.exchange import Exchange
from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.machine import Machine


class Connected(Protocol):
    """A connection, as far as a report names it."""

    @property
    def machine(self) -> Machine: ...


class Reporter(Protocol):
    """Where a driver says what happened; the worker turns it into log lines."""

    def rejected(self, connection: Connected, error: ProtocolError) -> None:
        """A client broke a rule of the wire."""
        ...

    def crashed(self, exchange: Exchange, error: BaseException) -> None:
        """The application raised."""
        ...

    def warned(self, message: str) -> None:
        """Something an operator should know: spool failures, descriptor shortage."""
        ...

    def noticed(self, message: str) -> None:
        """Something that is only interesting when debugging: failed handshakes, clients that left."""
        ...
