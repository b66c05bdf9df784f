"""A TLS socket with the manners of a plain non-blocking one: BlockingIOError, b"" and OSError."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


class TlsSocket:
    """Wraps an `ssl.SSLSocket`; only what a connection needs."""

    __slots__ = ("raw",)

    def __init__(self, raw: ssl.SSLSocket) -> None:
        self.raw = raw

    def handshake(self) -> bool:
        """Goes on with the handshake; True when it is complete. Raises OSError when it failed."""
        try:
            self.raw.do_handshake()
        except OSError as error:
            if _is_wait(error):
                return False
            raise
        return True

    def recv(self, size: int) -> bytes:
        """Decrypted bytes; b"" when the peer closed, with or without its close_notify."""
        try:
            return self.raw.recv(size)
        except OSError as error:
            if _is_wait(error):
                raise BlockingIOError from None
            if _is_end(error):
                return b""
            raise

    def send(self, data: bytes | memoryview) -> int:
        """How many bytes were taken."""
        try:
            return self.raw.send(data)
        except OSError as error:
            if _is_wait(error):
                raise BlockingIOError from None
            raise

    def fileno(self) -> int:
        """The descriptor."""
        return self.raw.fileno()

    def shutdown(self, how: int) -> None:
        """Says close_notify, then half-closes below TLS."""
        self._close_notify()
        socket.socket.shutdown(self.raw, how)

    def close(self) -> None:
        """Says close_notify and closes the descriptor."""
        self._close_notify()
        self.raw.close()

    def _close_notify(self) -> None:
        """Ends the TLS session if that is possible without waiting (RFC 8446 6.1)."""
        try:
            self.raw.unwrap()
        except (OSError, ValueError):
            pass  # a courtesy: the FIN that follows ends the connection either way


def _is_wait(error: OSError) -> bool:
    import ssl

    return isinstance(error, (ssl.SSLWantReadError, ssl.SSLWantWriteError))


def _is_end(error: OSError) -> bool:
    import ssl

    return isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
