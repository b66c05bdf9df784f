"""The contract every protocol machine keeps: bytes in, events and bytes out.

A machine is one object a connection. It knows no socket, no clock and no log; the driver that owns
it does. Vocabulary (the same in every protocol):

    receive(data)    bytes from the peer -> events               may raise ProtocolError
    receive_eof()    the peer will send no more -> events        may raise ProtocolError
    respond(...)     head and first body bytes -> bytes to send  may raise ResponseError
    send_data(...)   more body -> bytes to send                  may raise ResponseError
    send_trailers()  the end of a body, with fields after it     may raise ResponseError
    inform(...)      a 1xx answer -> bytes to send
    outgoing()       what the protocol itself wants to say (100 Continue, acknowledgements)
    fail(error)      the answer a ProtocolError deserves -> bytes; the machine is closed afterwards

`phase` tells the driver which timeout applies. Events are few and coarse: a request without a body is
one event. HTTP/1 pauses after one request: bytes of the next one stay inside until the answer is
complete, and `receive(b"")` goes on with them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Protocol

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.trust import Peer

TextFields = Iterable[tuple[str, str]]
Fields = TextFields | Iterable[tuple[bytes, bytes]]
"""Response fields: (name, value), both str of latin-1 characters (PEP 3333) or both bytes (ASGI)."""


class Phase(enum.IntEnum):
    """Where a connection is; the driver's table of timeouts is keyed by it."""

    IDLE = 0
    """Nothing of a request has arrived: keep-alive time (header time on a new connection)."""
    HEAD = 1
    """Part of a head has arrived: header time."""
    BODY = 2
    """A head is complete, its body is not: body time."""
    ANSWER = 3
    """The request is complete and unanswered: the application's time, none of the driver's."""
    CLOSED = 4
    """No further request can be read: flush what is queued, then close."""
    TUNNEL = 5
    """The connection was handed over to another protocol by an upgrade."""


class Request:
    """A request whose head is complete and whose framing is decided. One object, filled once.

    Texts are latin-1 decoded ("bytes as str", PEP 3333). `variables` holds the fields under their CGI
    names (HTTP_ACCEPT, CONTENT_TYPE, CONTENT_LENGTH), repeated fields joined by "," in order
    (RFC 9110 5.3; Cookie by "; "); `fields` the same as (lower-case name, value) pairs in order.
    """

    __slots__ = (
        "chunked",
        "complete",
        "dropped",
        "expect_continue",
        "fields_source",
        "keep_alive",
        "label",
        "length",
        "method",
        "path",
        "query",
        "raw_path",
        "scheme",
        "script_name",
        "stream",
        "target",
        "trailers",
        "upgrade",
        "variables",
        "version",
    )

    stream: int
    """Stream id of multiplexed protocols; 0 in HTTP/1 and uWSGI."""
    method: str
    target: str
    """The request-target as it was received (RFC 9112 3.2)."""
    label: bytes
    """Method and target, as lists of work in flight show them."""
    raw_path: str
    """Path of the target before percent-decoding."""
    path: str
    """Path after percent-decoding, without `script_name`."""
    query: str
    version: str
    """"HTTP/1.1", as SERVER_PROTOCOL wants it."""
    scheme: str
    """"http" or "https", after trusted forwarders had their say."""
    script_name: str
    """Prefix a trusted forwarder named (SCRIPT_NAME), or ""."""
    variables: dict[str, str]
    """To be read only: requests of one connection may share it."""
    fields_source: Sequence[tuple[str, str]] | Sequence[str]
    """What `fields` is made from: pairs, or the raw field lines of a head without oddities."""
    length: int | None
    """Content-Length; 0 for no body; None when it is not known before the end (chunked)."""
    chunked: bool
    keep_alive: bool
    expect_continue: bool
    upgrade: str
    """Lower-case protocol of an Upgrade field that Connection names, or ""."""
    complete: bool
    """No body follows."""
    dropped: tuple[str, ...]
    """Names of fields that were left out for their "_" (header_map); almost always ()."""
    trailers: list[tuple[str, str]] | None
    """Trailer fields, once the last `Body` event came; None when there were none."""

    @property
    def fields(self) -> list[tuple[str, str]]:
        """(lower-case name, value) of every field that was let in, in order, repeats kept."""
        source = self.fields_source
        if source and isinstance(source[0], str):
            pairs = [line.partition(":") for line in source if isinstance(line, str)]
            return [(name.lower(), value.strip(" \t")) for name, _, value in pairs]
        return [pair for pair in source if not isinstance(pair, str)]


class Body:
    """Decoded body bytes of a stream; `last` says that the body is complete with them."""

    __slots__ = ("data", "last", "stream")

    def __init__(self, stream: int, data: bytes, last: bool) -> None:
        self.stream = stream
        self.data = data
        self.last = last


class Reset:
    """The peer abandoned a stream (RST_STREAM); its exchange has nobody to answer."""

    __slots__ = ("code", "stream")

    def __init__(self, stream: int, code: int) -> None:
        self.stream = stream
        self.code = code


class Goodbye:
    """The peer ended the connection in an orderly way between two requests."""

    __slots__ = ()


Event = Request | Body | Reset | Goodbye
NO_EVENTS: tuple[Event, ...] = ()


class Machine(Protocol):
    """What drivers and exchanges may ask of any protocol machine (see the module's vocabulary)."""

    phase: Phase
    keep_alive: bool
    """Set to False by the driver (drain, max_requests, slow handlers): the next head says close."""
    pending: int
    """How many bytes came after the current request and wait inside: call `receive(b"")` once it is answered."""
    overrun: bool
    """The application gave more bytes than its Content-Length; they were cut."""
    shortfall: bool
    """The application gave fewer bytes than its Content-Length; the connection ends."""
    peer: Peer
    """The client, as the kernel or a trusted PROXY header names it."""

    def receive(self, data: bytes) -> Sequence[Event]: ...

    def receive_eof(self) -> Sequence[Event]: ...

    def respond(self, stream: int, status: str, fields: Fields, body: bytes, last: bool) -> bytes:
        """Head and first body bytes. `status` is "200 OK"; with `last` the body is complete.

        When the body's length is unknown to `fields` the machine decides the framing: Content-Length
        if `last`, else chunked for HTTP/1.1, else until close. A body that must not be sent (HEAD, 204,
        304) is dropped here and nowhere else.
        """
        ...

    def send_data(self, stream: int, data: bytes, last: bool) -> bytes: ...

    def send_trailers(self, stream: int, fields: TextFields) -> bytes:
        """Ends a body that `send_data` left open, with trailer fields where the framing has room for them.

        Chunked HTTP/1.1 and HTTP/2 do; elsewhere the fields are dropped (RFC 9110 6.5.1) and the body just ends.
        Raises ResponseError for fields that may not stand there.
        """
        ...

    def bypass(self, stream: int, count: int) -> bool:
        """Counts `count` body bytes that the driver sends itself (sendfile) and ends the body with them.

        Allowed after `respond(..., b"", False)` with a Content-Length of exactly `count`; False means that
        the answer has no body to send (HEAD, 204, 304).
        """
        ...

    def want_continue(self, stream: int) -> bytes:
        """100 Continue (RFC 9110 10.1.1) if the client expects one and has not had it, else b""."""
        ...

    def inform(self, stream: int, status: str, fields: TextFields) -> bytes: ...

    def take_rest(self) -> bytes:
        """After an upgrade: the bytes that came behind the request; they belong to the new protocol."""
        ...

    def outgoing(self) -> bytes: ...

    def abort(self) -> None:
        """The answer in flight cannot be completed: no further byte may be sent as if it were whole."""
        ...

    def fail(self, error: ProtocolError) -> bytes: ...
