"""Leaving the terminal: the double fork, the session of its own, the standard streams.

Knows nothing of what the process will do. To be called before any thread, socket watcher or pidfile.
"""

from __future__ import annotations

import os
import sys

DAEMON_UMASK = 0o022


def daemonize(*, inherit_stdio: bool = False, umask: int = DAEMON_UMASK) -> None:
    """Returns in a process that no terminal can reach; the caller's process ends with status 0.

    Forks twice: the first child leads a new session, the second cannot ever get a terminal again.
    Standard input becomes /dev/null; output and error too unless `inherit_stdio`.
    """
    _flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.umask(umask)
    redirect_stdio(inherit=inherit_stdio)


def redirect_stdio(*, inherit: bool) -> None:
    """Points descriptor 0, and 1 and 2 unless they are inherited, at /dev/null.

    Also with `inherit` a stream that is closed gets /dev/null: the next socket opened would otherwise
    take its number, and a stray print would go to a client.
    """
    _flush()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        if null != fd and (fd == 0 or not inherit or not _is_open(fd)):
            os.dup2(null, fd, inheritable=True)
    if null > 2:
        os.close(null)
    else:
        os.set_inheritable(null, True)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                continue  # a stream that cannot be written is about to be replaced
