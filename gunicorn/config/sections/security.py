"""Bounds on what a client may send."""

from __future__ import annotations

from gunicorn.config.casts import COUNT, SIZE
from gunicorn.config.option import Section, option


class Security(Section, title="Security"):
    """Limits of a request."""

    limit_request_line: int = option(
        4094,
        "--limit-request-line",
        kind=COUNT,
        metavar="INT",
        doc="""The longest request line, in bytes; 0 sets no bound. A longer target is answered 414.""",
    )
    limit_request_fields: int = option(
        100,
        "--limit-request-fields",
        kind=COUNT,
        metavar="INT",
        doc="""How many header fields a request may have; one more is answered 431. 0 means 32768, the most.""",
    )
    limit_request_field_size: int = option(
        8190,
        "--limit-request-field_size",
        kind=COUNT,
        metavar="INT",
        doc="""The longest header field, name and value together, in bytes; 0 sets no bound. Longer is answered 431.""",
    )
    limit_request_body: int = option(
        0,
        "--limit-request-body",
        kind=SIZE,
        metavar="BYTES",
        ours=True,
        doc="""The largest request body, in bytes or like `10M`; 0 sets no bound. A larger one is answered 413.""",
    )
