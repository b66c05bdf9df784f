"""An independent reader of HTTP/1.1 requests to compare with: h11, where it is installed.

Knows h11 and the corpus' words for a verdict; what a disagreement means is decided in `invariants`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

try:
    import h11
except ImportError:
    h11 = None  # type: ignore[assignment, unused-ignore]

AVAILABLE = h11 is not None


@dataclass(frozen=True, slots=True)
class Reading:
    """One request as h11 reads it: texts as latin-1 characters, names in lower case."""

    method: str
    target: str
    version: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    trailers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Opinion:
    """The requests h11 found, and whether and why it refused the rest."""

    readings: tuple[Reading, ...]
    refusal: str = ""


def _pairs(fields: Any) -> tuple[tuple[str, str], ...]:
    return tuple((bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in fields)


def opinion(data: bytes) -> Opinion:
    """What h11 makes of a whole stream."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 22)
    readings: list[Reading] = []
    request: Any = None
    body = bytearray()
    connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                request = event
                body.clear()
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                readings.append(_reading(request, bytes(body), event))
                if not _answer(connection, request):
                    break
            else:
                # NEED_DATA, PAUSED, ConnectionClosed: nothing more will come of this stream.
                break
    except h11.RemoteProtocolError as error:
        return Opinion(tuple(readings), str(error) or "refused")
    return Opinion(tuple(readings))


def _reading(request: Any, body: bytes, end: Any) -> Reading:
    return Reading(
        method=request.method.decode("latin-1"),
        target=request.target.decode("latin-1"),
        version="HTTP/" + request.http_version.decode("latin-1"),
        fields=_pairs(request.headers),
        body=body,
        trailers=_pairs(end.headers),
    )


def _answer(connection: Any, request: Any) -> bool:
    """Answers as the corpus' application does; False when the connection is at its end."""
    status = 405 if request.method == b"CONNECT" else 200
    connection.send(h11.Response(status_code=status, headers=[("Content-Length", "2")]))
    connection.send(h11.Data(data=b"" if request.method == b"HEAD" else b"ok"))
    connection.send(h11.EndOfMessage())
    if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
        return False
    connection.start_next_cycle()
    return True
