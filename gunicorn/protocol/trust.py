"""Whom to believe: addresses whose forwarding fields, PROXY headers and uWSGI variables count.

A skeleton of names; the owner of `protocol/` fills it in.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection as the kernel, or a trusted PROXY header, names it.

    For unix sockets `host` and `port` are "" and `unix` is True.
    """

    host: str = ""
    port: str = ""
    unix: bool = False
