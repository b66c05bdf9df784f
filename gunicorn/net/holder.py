"""Who listens on a port, for one error line: reads Linux' /proc and nothing else.

Best effort by nature: other users' descriptors are invisible without privileges, and other systems
have no /proc. No answer is an ordinary answer.
"""

from __future__ import annotations

import os

_TCP_LISTEN = "0A"


def port_holder(port: int, proc: str | os.PathLike[str] = "/proc") -> str:
    """ "pid 4711 (nginx)" for a process that listens on the TCP port, "" if that cannot be told."""
    proc = os.fspath(proc)
    inodes = _listening_inodes(port, proc)
    if not inodes:
        return ""
    links = {f"socket:[{inode}]" for inode in inodes}
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdigit()):
        if _holds(f"{proc}/{pid}/fd", links):
            return f"pid {pid} ({_command(f'{proc}/{pid}/comm')})"
    return ""


def _listening_inodes(port: int, proc: str) -> set[str]:
    """The inodes of the port's listening sockets (proc_pid_net(5): local_address 1, st 3, inode 9)."""
    wanted = f":{port:04X}"
    inodes: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            with open(f"{proc}/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue  # no IPv6, or no /proc at all
        inodes |= {row[9] for row in rows if len(row) > 9 and row[3] == _TCP_LISTEN and row[1].endswith(wanted)}
    return inodes


def _holds(directory: str, links: set[str]) -> bool:
    try:
        names = os.listdir(directory)
    except OSError:
        return False  # another user's process, or one that has just gone
    for name in names:
        try:
            if os.readlink(f"{directory}/{name}") in links:
                return True
        except OSError:
            continue  # closed between the two calls
    return False


def _command(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "gone"
