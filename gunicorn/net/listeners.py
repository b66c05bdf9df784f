"""Listening sockets: opened from binds, taken over from another process, stopped and removed.

Knows what can go wrong with an address and says it in one line. Accepts nothing and speaks nothing;
TLS contexts (`net.tls`) are kept by whoever accepts.

Choices made here, and why:
- a host name opens one socket, IPv4 if it has such an address: one bind is one listener;
- `[::]` takes IPv4 clients too, unless the same list also binds 0.0.0.0 on that port;
- TCP_NODELAY is set on the listener because accepted sockets inherit it, a system call saved each;
- TCP_DEFER_ACCEPT is not set: it hides connections from the accept queue, which is what a draining
  server must empty and what an operator must be able to count.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gunicorn.errors import ListenError
from gunicorn.net.address import Bind, BindKind, show_host_port, show_path
from gunicorn.net.bind import BindBusy, bind_tcp, bind_unix, resolve
from gunicorn.net.intake import accept_queue, drop_syns, hear_syns
from gunicorn.net.listener import Listener, address_of


class ListenOptions(NamedTuple):
    """How listeners are opened. `attempts` and `retry_pause` (seconds) are for a port that is taken;
    a process that must not wait (a reload) uses one attempt.

    `unix_umask` is the umask under which the file of a unix socket is made, `unix_uid` and
    `unix_gid` its owners (-1 leaves them). `tls` and `protocol` only name the listener:
    "https://127.0.0.1:8000".
    """

    backlog: int = 2048
    reuse_port: bool = False
    unix_umask: int = 0
    unix_uid: int = -1
    unix_gid: int = -1
    tls: bool = False
    protocol: str = "http"
    attempts: int = 5
    retry_pause: float = 1.0


RetryNote = Callable[[str], object]
Wait = Callable[[float], object]


def open_listeners(
    binds: Iterable[Bind],
    options: ListenOptions,
    inherited: Sequence[Listener] = (),
    *,
    on_retry: RetryNote | None = None,
    wait: Wait = time.sleep,
) -> list[Listener]:
    """One listener a bind, in the order of `binds`; those of `inherited` that match are used again.

    What of `inherited` is not in the result is left open: the caller closes it once it needs it no
    more. `on_retry` gets a line before each pause, `wait` does the pausing and may raise to give up.
    Raises ListenError with one line; whatever was opened by then is closed again.
    """
    wanted = list(dict.fromkeys(binds))
    reused = _match(wanted, options, inherited)
    opened: list[Listener] = []
    result: list[Listener] = []
    try:
        for bind in wanted:
            listener = reused.get(bind)
            if listener is None:
                listener = _open(bind, wanted, options, on_retry, wait)
                opened.append(listener)
            result.append(listener)
    except BaseException:
        for listener in opened:
            listener.close(unlink=True)
        raise
    return result


def adopt(fd: int, options: ListenOptions, *, owned: bool, bind: Bind | None = None) -> Listener:
    """A listener from a descriptor this process was born with (systemd, `fd://`, an upgrade).

    Raises ListenError where it is no listening stream socket.
    """
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        raise ListenError(f"fd://{fd} is not an open socket: {error.strerror}") from None
    fault = _adoption_fault(sock)
    if fault:
        sock.detach()  # the descriptor is not ours to close
        raise ListenError(f"fd://{fd} {fault}")
    sock.set_inheritable(False)
    bind = bind or bind_of(sock)
    return Listener(sock, bind, name=_name(sock, bind, options), owned=owned)


def bind_of(sock: socket.socket) -> Bind:
    """The bind under which `sock` would have been opened, from its own address."""
    address = address_of(sock)
    if isinstance(address, str):
        return Bind(BindKind.UNIX, path=address)
    host, port = address
    return Bind(BindKind.TCP, host="" if host == "0.0.0.0" else host, port=port)


def stop_intake(listener: Listener) -> bool:
    """Lets nobody new in, while those already in the accept queue can be accepted to the end.

    A unix path is unlinked; a TCP socket drops every new SYN, in all processes that share it. So only
    who stops for good may call this: after an upgrade the same socket serves the new tree. Returns
    False, having done nothing, where that is impossible or the socket is not owned.
    """
    if not listener.owned:
        return False
    if listener.family == socket.AF_UNIX:
        return listener.unlink()
    return drop_syns(listener.sock)


def resume_intake(listener: Listener) -> bool:
    """Lets newcomers in again after `stop_intake` of a TCP socket; says whether they were kept out."""
    return listener.family != socket.AF_UNIX and hear_syns(listener.sock)


def backlog_depth(listener: Listener) -> int | None:
    """How many connections wait to be accepted; None where the system does not tell."""
    queue = accept_queue(listener.sock)
    return None if queue is None else queue[0]


def backlog_limit(listener: Listener) -> int | None:
    """How many may wait, after the kernel's own ceiling (net.core.somaxconn); None if unknown."""
    queue = accept_queue(listener.sock)
    return None if queue is None else queue[1]


def _open(
    bind: Bind, wanted: Sequence[Bind], options: ListenOptions, on_retry: RetryNote | None, wait: Wait
) -> Listener:
    if bind.kind is BindKind.FD:
        return adopt(bind.fd, options, owned=False, bind=bind)
    attempt = 1
    while True:
        try:
            sock = _bind(bind, wanted, options)
            break
        except BindBusy as busy:
            if attempt >= options.attempts:
                raise ListenError(str(busy)) from None
            if on_retry is not None:
                on_retry(f"{busy}; retrying in {options.retry_pause:g} s ({attempt} of {options.attempts - 1})")
        wait(options.retry_pause)
        attempt += 1
    try:
        sock.listen(options.backlog)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot listen on {bind.location}: {error.strerror}") from None
    return Listener(sock, bind, name=_name(sock, bind, options))


def _bind(bind: Bind, wanted: Sequence[Bind], options: ListenOptions) -> socket.socket:
    if bind.kind is BindKind.UNIX:
        return bind_unix(bind, umask=options.unix_umask, uid=options.unix_uid, gid=options.unix_gid)
    both = any(other.kind is BindKind.TCP and other.host == "" and other.port == bind.port for other in wanted)
    return bind_tcp(bind, reuse_port=options.reuse_port, v6only=both)


def _match(wanted: Sequence[Bind], options: ListenOptions, inherited: Sequence[Listener]) -> dict[Bind, Listener]:
    """Which of the inherited answers which bind: same text, same descriptor, same address."""
    free = list(inherited)
    found: dict[Bind, Listener] = {}
    for is_same in (_same_bind, _same_address, _same_host):
        for bind in wanted:
            if bind in found:
                continue
            listener = next((each for each in free if is_same(bind, each)), None)
            if listener is not None:
                free.remove(listener)
                found[bind] = listener
                listener.bind = bind
                # What somebody else opened stays theirs, however many upgrades it has lived through.
                listener.owned = listener.owned and bind.kind is not BindKind.FD
                listener.name = _name(listener.sock, bind, options)
    return found


def _same_bind(bind: Bind, listener: Listener) -> bool:
    return bind == listener.bind


def _same_address(bind: Bind, listener: Listener) -> bool:
    if bind.kind is BindKind.FD:
        return bind.fd == listener.fileno()
    if bind.kind is BindKind.UNIX:
        return listener.family == socket.AF_UNIX and _full(bind.path) == _full(str(listener.address))
    return bind.port != 0 and _reached(bind) == (listener.family, listener.address)


def _same_host(bind: Bind, listener: Listener) -> bool:
    """Port 0 asks for any port: after an upgrade the one taken last time is as good as another."""
    if bind.kind is not BindKind.TCP or bind.port != 0 or listener.family == socket.AF_UNIX:
        return False
    family, address = _reached(bind)
    return family == listener.family and address[0] == listener.address[0]


def _reached(bind: Bind) -> tuple[int, tuple[str, int]]:
    family, address = resolve(bind)
    return int(family), (address[0], address[1])


def _full(path: str) -> str:
    return path if path.startswith("\0") else os.path.abspath(path)


def _adoption_fault(sock: socket.socket) -> str:
    if sock.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX) or sock.type != socket.SOCK_STREAM:
        return "is not a TCP or unix stream socket"
    try:
        listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        return ""  # a system that does not tell; accept() will
    return "" if listening else "is a socket that does not listen"


def _name(sock: socket.socket, bind: Bind, options: ListenOptions) -> str:
    address = address_of(sock)
    if isinstance(address, str):
        place = f"unix:{show_path(address)}"
        return f"{bind.protocol}://{place}" if bind.protocol else place
    scheme = bind.protocol or ("https" if options.tls and options.protocol == "http" else options.protocol)
    return f"{scheme}://{show_host_port(*address)}"


__all__ = [
    "ListenOptions",
    "Listener",
    "adopt",
    "backlog_depth",
    "backlog_limit",
    "bind_of",
    "open_listeners",
    "stop_intake",
]
