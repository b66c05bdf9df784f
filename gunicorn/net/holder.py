"""Who listens on a port, for one error line: reads Linux' /proc and nothing else.

Best effort by nature: other users' descriptors are invisible without privileges, and other systems
have no /proc. No answer is an ordinary answer.
"""

from __future__ import annotations

import os
from pathlib import Path

_TCP_LISTEN = "0A"


def port_holder(port: int, proc: Path = Path("/proc")) -> str:
    """ "pid 4711 (nginx)" for a process that listens on the TCP port, "" if that cannot be told."""
    inodes = _listening_inodes(port, proc)
    if not inodes:
        return ""
    links = {f"socket:[{inode}]" for inode in inodes}
    for entry in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        if _holds(entry / "fd", links):
            return f"pid {entry.name} ({_command(entry)})"
    return ""


def _listening_inodes(port: int, proc: Path) -> set[str]:
    """The inodes of the port's listening sockets (proc_pid_net(5): local_address 1, st 3, inode 9)."""
    wanted = f":{port:04X}"
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue  # no IPv6, or no /proc at all
        for columns in map(str.split, lines):
            if len(columns) > 9 and columns[3] == _TCP_LISTEN and columns[1].endswith(wanted):
                inodes.add(columns[9])
    return inodes


def _holds(directory: Path, links: set[str]) -> bool:
    try:
        names = os.listdir(directory)
    except OSError:
        return False  # another user's process, or one that has just gone
    for name in names:
        try:
            if os.readlink(directory / name) in links:
                return True
        except OSError:
            continue  # closed between the two calls
    return False


def _command(entry: Path) -> str:
    try:
        return (entry / "comm").read_text().strip()
    except OSError:
        return "gone"
