"""A listener's door: accepts connections while the worker is able to serve them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gunicorn.bridge.environ import connection_base
from gunicorn.bridge.wsgi import WsgiBridge
from gunicorn.drivers.blocking.connection import Connection, State
from gunicorn.drivers.blocking.readiness import READ
from gunicorn.drivers.blocking.tlssocket import TlsSocket
from gunicorn.metrics import cells
from gunicorn.net.address import peer_of
from gunicorn.net.listener import Listener
from gunicorn.protocol.machine import Machine
from gunicorn.protocol.trust import Peer

if TYPE_CHECKING:
    import ssl

    from gunicorn.drivers.blocking.service import Service

BURST = 32
"""Connections accepted in one turn while requests are fast; one while they are slow, so that a neighbour
process takes the next."""
EXHAUSTED_PAUSE_NS = 1_000_000_000
"""How long a door stays shut when descriptors or buffers are exhausted."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class DoorOptions(NamedTuple):
    """What is fixed for a listener: `machine(peer)` makes a connection's machine, `tls` its one context."""

    machine: Callable[[Peer], Machine]
    tls: ssl.SSLContext | None = None


class Door:
    """Accepts from one listener."""

    def __init__(self, service: Service, listener: Listener, options: DoorOptions) -> None:
        self.service = service
        self.sock = listener.sock
        self.owned = listener.owned
        self.family = listener.family
        self.options = options
        self.server = peer_of(listener.getsockname(), self.family)[:2]
        self.last_accept = 0

    def ready(self, mask: int, now: int) -> None:  # noqa: ARG002
        """Accepts what waits, within bounds."""
        service = self.service
        epoch = service.epoch
        burst = BURST if service.average_ns < service.burst_below_ns else 1
        for _ in range(burst):
            try:
                sock, address = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    service.exhausted_until = now + EXHAUSTED_PAUSE_NS
                    service.reporter.warned(f"cannot accept connections for a second: {error.strerror}")
                    return
                continue  # the client gave up in the queue (ECONNABORTED and its kin, accept(2))
            self.last_accept = now
            self._welcome(sock, address, now)
            if service.epoch != epoch or not service.able():
                return

    def _welcome(self, sock: socket.socket, address: object, now: int) -> None:
        service = self.service
        sock.setblocking(False)
        host, port, unix = peer_of(address, self.family)
        machine = self.options.machine(Peer(host, port, unix))
        wire: socket.socket | TlsSocket = sock
        if self.options.tls is not None:
            try:
                wire = TlsSocket(self.options.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False))
            except OSError:
                sock.close()  # the client is gone already
                return
        connection = Connection(service, wire, machine, now)
        service.page[cells.ACCEPTED] += 1
        service.connections[connection.fd] = connection
        connection.door = self
        connection.raw = wire.raw if type(wire) is TlsSocket else sock
        if service.threaded:
            self._watch(connection)
            connection.ready(READ, now)
            return
        # The request mostly came with the handshake's last packet: look before the kernel is asked to watch.
        connection.ready(READ, now)
        if connection.state is not State.CLOSED:
            self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        try:
            self.service.readiness.watch(connection.fd)
        except OSError as error:
            self.service.reporter.warned(f"cannot watch a connection, closing it: {error.strerror}")
            connection.close()

    def bridge(self, connection: Connection) -> WsgiBridge:
        """The bridge of a connection, made when its first request is complete: only then is the peer final."""
        service = self.service
        connection.exchange.peer = connection.machine.peer
        base = connection_base(service.options.environ, connection.machine.peer, self.server, connection.raw)
        return WsgiBridge(service.app, connection.exchange, base, sendfile=service.options.sendfile)
