"""What slow clients may cost: times and buffers of one connection."""

from __future__ import annotations

from gunicorn.config.casts import BOOLEAN, SECONDS, SIZE
from gunicorn.config.option import Action, Section, option


class Connections(Section, title="Connections"):
    """Additions that keep slow clients away from workers and threads."""

    header_timeout: float = option(
        10.0,
        "--header-timeout",
        kind=SECONDS,
        metavar="SECONDS",
        ours=True,
        doc="""How many seconds the head of a request may take to arrive; 0 waits for ever. Then 408.""",
    )
    body_timeout: float = option(
        30.0,
        "--body-timeout",
        kind=SECONDS,
        metavar="SECONDS",
        ours=True,
        doc="""How many seconds may pass without a further byte of a request body; 0 waits for ever.""",
    )
    write_timeout: float = option(
        30.0,
        "--write-timeout",
        kind=SECONDS,
        metavar="SECONDS",
        ours=True,
        doc="""How many seconds a client may take nothing of an answer that waits for it; 0 waits for ever.""",
    )
    tls_handshake_timeout: float = option(
        10.0,
        "--tls-handshake-timeout",
        kind=SECONDS,
        metavar="SECONDS",
        ours=True,
        doc="""How many seconds a TLS handshake may take; 0 waits for ever.""",
    )
    request_buffering: bool = option(
        True,
        "--no-request-buffering",
        kind=BOOLEAN,
        action=Action.FALSE,
        ours=True,
        doc="""Whether a request body is read to its end before the application is called.

        A slow upload then costs no worker and no thread. Without it the application reads the body as it
        arrives.""",
    )
    spool_threshold: int = option(
        262144,
        "--spool-threshold",
        kind=SIZE,
        metavar="BYTES",
        ours=True,
        doc="""How many bytes of a request body stay in memory; the rest goes to a file in `tmp_upload_dir`.""",
    )
    response_buffer: int = option(
        1048576,
        "--response-buffer",
        kind=SIZE,
        metavar="BYTES",
        ours=True,
        doc="""How many bytes of an answer wait for a slow client before the application has to wait too.""",
    )
