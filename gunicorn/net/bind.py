"""Turns one bind into one bound socket, or into the one line that says why it cannot be.

Knows the errors of bind(2) and what an operator can do about each; who holds a port it reads from
/proc where that exists. Does not listen, retry or remember.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import Any

from gunicorn.errors import ListenError
from gunicorn.net.address import UNIX_PATH_MAX, Bind, show_path
from gunicorn.net.holder import port_holder


class BindBusy(ListenError):
    """Somebody else listens there now; a moment later the address may be free."""


def resolve(bind: Bind) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """The family and kernel address of a TCP bind; IPv4 first. Raises ListenError."""
    # As bytes: for text the socket module would import its IDNA codec, which a parsed bind never needs.
    host = (bind.host or "0.0.0.0").encode()
    try:
        found = socket.getaddrinfo(host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        why = error.strerror
        raise ListenError(f"cannot listen on {bind.location}: {bind.host!r} does not resolve ({why})") from None
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, address


def bind_tcp(bind: Bind, *, reuse_port: bool, v6only: bool) -> socket.socket:
    """A bound TCP socket that does not listen yet. Raises BindBusy or another ListenError."""
    family, address = resolve(bind)
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {bind.location}: {error.strerror}") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _tcp_fault(bind, error, reuse_port) from None
    except BaseException:
        sock.close()
        raise
    return sock


def bind_unix(bind: Bind, *, umask: int, uid: int, gid: int) -> socket.socket:
    """A bound unix socket that does not listen yet; a dead socket file in its place is replaced.

    The umask of the process is changed for the length of one bind(2), so no other thread may be
    making files. Raises BindBusy or another ListenError.
    """
    if not bind.is_abstract:
        _clear_way(bind)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(umask)
    try:
        sock.bind(_bindable(bind))
    except OSError as error:
        sock.close()
        raise _unix_fault(bind, error) from None
    finally:
        os.umask(before)
    if not bind.is_abstract and (uid, gid) != (-1, -1):
        _hand_over(sock, bind, uid, gid)
    return sock


def _bindable(bind: Bind) -> str:
    """The path in full if the kernel takes it, so that what it reports later holds in any directory."""
    full = bind.path if bind.is_abstract else os.path.abspath(bind.path)
    return full if len(os.fsencode(full)) <= UNIX_PATH_MAX else bind.path


def _tcp_fault(bind: Bind, error: OSError, reuse_port: bool) -> ListenError:
    where = f"cannot listen on {bind.location}"
    if error.errno == errno.EADDRINUSE:
        holder = port_holder(bind.port)
        by = f" by {holder}" if holder else ""
        advice = " without reuse_port" if reuse_port else ""
        return BindBusy(f"{where}: the port is taken{by}{advice}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ListenError(f"{where}: permission denied; ports below 1024 need root or CAP_NET_BIND_SERVICE")
    if error.errno == errno.EADDRNOTAVAIL:
        return ListenError(f"{where}: no interface of this machine has that address")
    return ListenError(f"{where}: {error.strerror}")


def _unix_fault(bind: Bind, error: OSError) -> ListenError:
    where = f"cannot listen on {bind.location}"
    if error.errno == errno.EADDRINUSE:
        return BindBusy(f"{where}: another process listens there")
    if error.errno == errno.ENOENT:
        return ListenError(f"{where}: its directory does not exist")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ListenError(f"{where}: its directory is not writable for this user ({error.strerror})")
    return ListenError(f"{where}: {error.strerror}")


def _clear_way(bind: Bind) -> None:
    """Removes what a dead server left at the path; anything else there is an error."""
    where = f"cannot listen on {bind.location}"
    try:
        mode = os.lstat(bind.path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ListenError(f"{where}: {error.strerror}") from None
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"{where}: the path exists and is not a socket")
    if _is_alive(bind.path, where):
        raise BindBusy(f"{where}: another process listens there")
    try:
        os.unlink(bind.path)
    except FileNotFoundError:
        pass  # somebody else cleared it away: just as well
    except OSError as error:
        raise ListenError(f"{where}: a stale socket is there and cannot be removed ({error.strerror})") from None


def _is_alive(path: str, where: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return True  # its accept queue is full
        except ConnectionRefusedError:
            return False
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ListenError(f"{where}: a socket is there that cannot be probed ({error.strerror})") from None
    return True


def _hand_over(sock: socket.socket, bind: Bind, uid: int, gid: int) -> None:
    found = os.stat(bind.path)
    uid, gid = (-1 if uid == found.st_uid else uid), (-1 if gid == found.st_gid else gid)
    if (uid, gid) == (-1, -1):
        return
    try:
        os.chown(bind.path, uid, gid)
    except OSError as error:
        sock.close()
        with contextlib.suppress(OSError):  # the error that matters is raised below
            os.unlink(bind.path)
        raise ListenError(f"cannot give {show_path(bind.path)} to user {uid}, group {gid}: {error.strerror}") from None
