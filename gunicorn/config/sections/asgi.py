"""What kind of application is served, and how the asgi worker serves it: loop, lifespan, WebSockets."""

from __future__ import annotations

from gunicorn.config.casts import BOOLEAN, COUNT, SECONDS, one_of
from gunicorn.config.option import Action, Section, option


class Asgi(Section, title="Worker Processes"):
    """The asgi worker and the applications it serves."""

    interface: str = option(
        "auto",
        "--interface",
        kind=one_of("auto", "asgi", "wsgi", label="interface"),
        metavar="STRING",
        ours=True,
        doc="""What kind of application is served: `asgi`, `wsgi`, or `auto` to find out when it is loaded.

        `auto` looks at what the application is: a coroutine function, an object whose `__call__` is one, a
        function of `scope, receive, send`. An ASGI application is served by the asgi worker where `worker_class` is
        not set. Say `asgi` or `wsgi` where the looking goes wrong, for instance behind a wrapper.

        `wsgi` with the asgi worker runs a WSGI application there, in a pool of `threads` threads.""",
    )
    asgi_loop: str = option(
        "auto",
        "--asgi-loop",
        kind=one_of("auto", "asyncio", "uvloop", label="asgi loop"),
        metavar="STRING",
        doc="""The event loop of the asgi worker; `auto` takes uvloop where it is installed.""",
    )
    asgi_lifespan: str = option(
        "auto",
        "--asgi-lifespan",
        kind=one_of("auto", "on", "off", label="asgi lifespan"),
        metavar="STRING",
        doc="""Whether the asgi worker speaks the lifespan protocol with the application.

        `auto` tries it, and goes on without it where the application raises or returns before it has started up;
        `on` takes that for a failed start; `off` does not try. An application that says that its start-up failed
        is never served: the log shows its message.""",
    )
    asgi_disconnect_grace_period: int = option(
        3,
        "--asgi-disconnect-grace-period",
        kind=COUNT,
        metavar="INT",
        doc="""How many seconds an ASGI application may go on after its client left, before its task is cancelled.

        The application hears `http.disconnect` or `websocket.disconnect` at once; 0 cancels at once too.""",
    )
    asgi_block_threshold: float = option(
        1.0,
        "--asgi-block-threshold",
        kind=SECONDS,
        metavar="SECONDS",
        ours=True,
        doc="""An event loop that is blocked for so many seconds is reported with its stack; 0 never looks.

        While a handler blocks the loop no other request of that worker goes on. The log names the stack that
        blocks and the requests in flight, and afterwards how long it took in all.""",
    )
    websocket_max_message_size: int = option(
        16777216,
        "--websocket-max-message-size",
        kind=COUNT,
        metavar="INT",
        doc="""The largest WebSocket message that is accepted, in bytes after decompression; 0 sets no bound.

        A larger one closes its connection with code 1009.""",
    )
    websocket_ping_interval: float = option(
        20.0,
        "--websocket-ping-interval",
        kind=SECONDS,
        metavar="SECONDS",
        ours=True,
        doc="""How many seconds pass between two pings of an open WebSocket; 0 sends none.

        Pings find clients that vanished, and keep proxies from closing a silent connection.""",
    )
    websocket_ping_timeout: float = option(
        20.0,
        "--websocket-ping-timeout",
        kind=SECONDS,
        metavar="SECONDS",
        ours=True,
        doc="""How many seconds a client may take to answer a ping before its WebSocket is closed; 0 waits for ever.""",
    )
    websocket_permessage_deflate: bool = option(
        True,
        "--no-websocket-permessage-deflate",
        kind=BOOLEAN,
        action=Action.FALSE,
        ours=True,
        doc="""Whether WebSocket messages may be compressed (permessage-deflate, RFC 7692) where the client asks.""",
    )
