"""A listener's door under an event loop: accepts connections while the worker is able to serve them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from time import monotonic_ns
from typing import TYPE_CHECKING, NamedTuple

from gunicorn.bridge.scope import ScopeBase, connection_scope
from gunicorn.drivers.aio.connection import Connection
from gunicorn.drivers.aio.tlsinfo import tls_extension
from gunicorn.net.address import peer_of, show_path
from gunicorn.net.listener import Listener
from gunicorn.protocol.machine import Machine
from gunicorn.protocol.trust import Peer

if TYPE_CHECKING:
    import ssl

    from gunicorn.drivers.aio.service import Service

BURST = 32
"""Connections accepted in one turn by a worker that is alone; one where others could take the next."""
EXHAUSTED_PAUSE_NS = 1_000_000_000
"""How long a door stays shut when descriptors or buffers are exhausted."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class DoorOptions(NamedTuple):
    """What is fixed for a listener: `machine(peer)` makes a connection's machine, `tls` its one context."""

    machine: Callable[[Peer], Machine]
    tls: ssl.SSLContext | None = None
    alone: bool = True
    """No other process accepts from the same listener."""


class Door:
    """Accepts from one listener. `able` says whether another connection may come in."""

    def __init__(self, service: Service, listener: Listener, options: DoorOptions, able: Callable[[], bool]) -> None:
        self.service = service
        self.sock = listener.sock
        self.owned = listener.owned
        self.family = listener.family
        self.options = options
        self.able = able
        self.server = _server_of(listener)
        self.burst = BURST if options.alone else 1
        self.last_accept = 0
        self.exhausted_until = 0
        self.is_open = False
        self.arriving = 0
        """Connections between their accept and the end of their TLS handshake."""

    def open(self) -> None:
        """Watches the listener."""
        if not self.is_open:
            self.is_open = True
            self.service.loop.add_reader(self.sock.fileno(), self.ready)

    def shut(self) -> None:
        """Leaves the listener to the other workers for a while."""
        if self.is_open:
            self.is_open = False
            self.service.loop.remove_reader(self.sock.fileno())

    def close(self) -> None:
        """Gives the listener up."""
        self.shut()
        self.sock.close()

    def ready(self) -> None:
        """Accepts what waits, within bounds."""
        for _ in range(self.burst):
            if not self.able():
                self.shut()
                return
            try:
                sock, address = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self.exhausted_until = monotonic_ns() + EXHAUSTED_PAUSE_NS
                    self.shut()
                    self.service.reporter.warned(f"cannot accept connections for a second: {error.strerror}")
                    return
                continue  # the client gave up in the queue (ECONNABORTED and its kin, accept(2))
            self.last_accept = monotonic_ns()
            sock.setblocking(False)
            self.arriving += 1
            self.service.loop.create_task(self._welcome(sock, address), context=self.service.context.copy())

    async def _welcome(self, sock: socket.socket, address: object) -> None:
        """Makes the transport, under TLS after the handshake."""
        service, tls = self.service, self.options.tls
        host, port, unix = peer_of(address, self.family)
        connection = Connection(service, self, self.options.machine(Peer(host, port, unix)), self.last_accept)
        seconds = None if tls is None else min(service.handshake_ns, FAR_NS) / 1e9
        try:
            await service.loop.connect_accepted_socket(lambda: connection, sock, ssl=tls, ssl_handshake_timeout=seconds)
        except (TimeoutError, OSError) as error:
            sock.close()
            service.reporter.noticed(f"TLS handshake with {host} failed: {error}" if tls else f"{host} left: {error}")
        finally:
            self.arriving -= 1
            if service.crowded:
                service.room()

    def scope(self, connection: Connection) -> ScopeBase:
        """What all requests of a connection share; made for the first one, since only then is the peer final."""
        tls = None if self.options.tls is None else tls_extension(connection.transport)
        return connection_scope(self.service.options.scope, connection.machine.peer, self.server, tls)


FAR_NS = 86_400_000_000_000


def _server_of(listener: Listener) -> tuple[str, int | None]:
    """(host, port) of the local end, or (path, None), as the specification wants it."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return show_path(name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")), None
    return name[0], name[1]
