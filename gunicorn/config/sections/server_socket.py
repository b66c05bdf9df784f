"""Where the server listens."""

from __future__ import annotations

from gunicorn.config.casts import ADDRESSES, COUNT
from gunicorn.config.option import Action, Section, option


class ServerSocket(Section, title="Server Socket"):
    """Addresses and their queues."""

    bind: list[str] = option(
        ["127.0.0.1:8000"],
        "-b",
        "--bind",
        kind=ADDRESSES,
        action=Action.APPEND,
        metavar="ADDRESS",
        env="PORT",
        doc="""The address to listen on: `HOST:PORT`, `[IPV6]:PORT`, `unix:PATH`, `unix:@NAME` (abstract) or `fd://N`.

        Give the flag several times, or a list, for several addresses. Where the variable `PORT` is set, the
        default is `0.0.0.0:$PORT`. On a reload, listeners that stay the same stay open.""",
    )
    backlog: int = option(
        2048,
        "--backlog",
        kind=COUNT,
        metavar="INT",
        live=False,
        doc="""How many connections may wait in the kernel until a worker accepts them.

        A connection beyond that is refused or delayed by the kernel, which has a bound of its own
        (`net.core.somaxconn` on Linux).""",
    )
