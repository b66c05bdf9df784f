"""HTTP versions, and the bounds of HTTP/2 (RFC 9113)."""

from __future__ import annotations

from gunicorn.config.casts import COUNT, comma_list_of, one_of, whole
from gunicorn.config.option import Section, option

LATER = "HTTP/2"


class Http2(Section, title="HTTP/2"):
    """Which versions are spoken, and how much of HTTP/2 a client may ask for."""

    http_protocols: list[str] = option(
        ["h1"],
        "--http-protocols",
        kind=comma_list_of("h1", "h2", label="http protocols", reserved={"h3": "is reserved: HTTP/3 is not available"}),
        metavar="STRING",
        later=LATER,
        doc="""The HTTP versions that are offered, the preferred one first: `h1`, `h2`, or `h2,h1`.

        With TLS the client chooses among them by ALPN.""",
    )
    http2_cleartext: str = option(
        "off",
        "--http2-cleartext",
        kind=one_of("off", "prior-knowledge", "upgrade", "both", label="http2 cleartext", synonyms={False: "off"}),
        metavar="STRING",
        later=LATER,
        doc="""How HTTP/2 may begin without TLS, from addresses in `forwarded_allow_ips` only.""",
    )
    http2_max_concurrent_streams: int = option(
        100,
        "--http2-max-concurrent-streams",
        kind=whole(1, 2**31 - 1, label="http2 stream limit"),
        metavar="INT",
        later=LATER,
        doc="""How many requests may be open at once on one HTTP/2 connection (RFC 9113 5.1.2).""",
    )
    http2_initial_window_size: int = option(
        65535,
        "--http2-initial-window-size",
        kind=whole(1, 2**31 - 1, label="http2 window size"),
        metavar="INT",
        later=LATER,
        doc="""How many bytes of a request body may arrive before the application reads some (RFC 9113 6.9.2).""",
    )
    http2_max_frame_size: int = option(
        16384,
        "--http2-max-frame-size",
        kind=whole(16384, 2**24 - 1, label="http2 frame size"),
        metavar="INT",
        later=LATER,
        doc="""The largest HTTP/2 frame that is accepted, in bytes (RFC 9113 4.2).""",
    )
    http2_max_header_list_size: int = option(
        65536,
        "--http2-max-header-list-size",
        kind=COUNT,
        metavar="INT",
        later=LATER,
        doc="""The largest list of header fields after decompression, in bytes; 0 sets no bound (RFC 9113 10.5.1).""",
    )
