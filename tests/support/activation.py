"""Socket activation as systemd does it: a listening socket at descriptor 3, LISTEN_FDS and LISTEN_PID.

Knows sd_listen_fds(3), nothing of the server.
"""

from __future__ import annotations

import socket
import sys

from tests.support.server import Server

# Moves its listener to descriptor 3 and sets LISTEN_PID as systemd does, then becomes the server.
ACTIVATE = """
import os, sys
os.dup2({number}, 3, inheritable=True)
if {number} != 3:
    os.close({number})
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *sys.argv[1:]])
"""


def activated(listener: socket.socket, *arguments: str, app: str = "tests.apps.hello:app") -> Server:
    """A server started as systemd's socket activation does: a descriptor 3, LISTEN_FDS and LISTEN_PID."""
    number = listener.fileno()
    return Server(
        app,
        *arguments,
        command=[sys.executable, "-c", ACTIVATE.format(number=number)],
        env={"LISTEN_FDS": "1"},
        bind=None,
        address=listener.getsockname(),
        pass_fds=(number,),
    )
