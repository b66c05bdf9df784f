"""One HTTP/1.1 or HTTP/1.0 connection (RFC 9112): requests in, responses out, one after the other.

Joins the readers of heads and bodies with the writer of responses and decides when the connection ends.
Knows no socket, no clock, no log and no application. The rules, the table of phases and what is not done
here are in this folder's README.
"""

from __future__ import annotations

from collections.abc import Sequence

from gunicorn.protocol.errors import ProtocolError, ResponseError
from gunicorn.protocol.framing import Framing
from gunicorn.protocol.http1.arrival import Arrival
from gunicorn.protocol.http1.body import ChunkedDecoder
from gunicorn.protocol.http1.encode import (
    accepts_trailers,
    encode_head,
    encode_interim,
    encode_refusal,
    encode_trailers,
)
from gunicorn.protocol.http1.examine import examine_head
from gunicorn.protocol.http1.head import parse_head, repeat_head
from gunicorn.protocol.http1.repeat import SaidHead
from gunicorn.protocol.limits import HttpPolicy, Stamp
from gunicorn.protocol.machine import NO_EVENTS, Body, Event, Fields, Goodbye, Phase, Request, TextFields
from gunicorn.protocol.proxy import ProxyHeader, read_proxy_header
from gunicorn.protocol.trust import Peer, TrustPolicy

REPEATABLE = 2048
"""The longest field lines, in bytes, that a connection remembers to recognise them in its next request."""

DISCARD_LIMIT = 64 * 1024
"""Bytes of an unread body that are read and thrown away to keep the connection for the next request."""

_HEAD_END = b"\r\n\r\n"
_LAST_SIZE = b"0\r\n"
_LAST_CHUNK = _LAST_SIZE + b"\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# Names for members: a global is cheaper than an attribute of an enum on the path of every request.
_IDLE, _HEAD, _BODY, _ANSWER, _CLOSED, _TUNNEL = Phase
_LENGTH = Framing.LENGTH

_UNANSWERED, _STARTED, _ANSWERED = range(3)


class _Memory:
    """The names of what a connection remembers."""

    __slots__ = (
        "_answer",
        "_arrival",
        "_awaits_continue",
        "_close",
        "_decoder",
        "_discarded",
        "_eof",
        "_fields",
        "_framing",
        "_left",
        "_lexicon",
        "_model",
        "_ordinary",
        "_policy",
        "_proxy",
        "_request",
        "_rest",
        "_room",
        "_said",
        "_scheme",
        "_stamp",
        "keep_alive",
        "overrun",
        "peer",
        "pending",
        "phase",
        "proxy_header",
        "shortfall",
    )


class Http1(_Memory):
    """The machine of `protocol.machine` for HTTP/1; made once for each connection."""

    __slots__ = ()

    def __init__(self, policy: HttpPolicy, trust: TrustPolicy, stamp: Stamp, peer: Peer, scheme: str) -> None:
        """`scheme` is that of the transport: "https" under TLS. Trust is judged once, by the transport's peer."""
        self._policy = policy
        self._stamp = stamp
        self._scheme = scheme
        self._lexicon = trust.lexicon(peer)
        self.peer = peer
        self.phase = _IDLE
        self.keep_alive = True
        self.pending = 0
        self.proxy_header: ProxyHeader | None = None
        """What a trusted PROXY header said, if one came."""
        self.overrun = False
        """In this answer the application gave more bytes than its Content-Length; they were cut."""
        self.shortfall = False
        """The application gave fewer bytes than its Content-Length; the connection ends."""
        self._proxy = trust.proxy_mode if trust.expects_proxy_header(peer) else None
        self._ordinary = self._proxy is None
        """Nothing of the next head, nor before it, is awaited or held back."""
        self._arrival: Arrival | None = None
        self._request: Request | None = None
        self._answer = _UNANSWERED
        self._rest = b""
        self._eof = False
        self._said = SaidHead()
        self._fields = b""
        self._model: Request | None = None

    # -- from the peer -----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> Sequence[Event]:
        """What `data` completes. Raises ProtocolError; the machine is good for `fail` only after that."""
        if self._ordinary and self.phase is _IDLE and data.endswith(_HEAD_END):
            end = data.find(b"\r\n")
            fields = data[end:]
            if fields == self._fields and self._model is not None:
                request = repeat_head(data[:end], self._model, self._policy)
            else:
                request = parse_head(data, self._policy, self._lexicon, self._scheme)
                if request is not None and request.complete and len(fields) <= REPEATABLE:
                    self._model, self._fields = request, fields
            if request is not None:
                self._request = request
                self._answer = _UNANSWERED
                if request.complete:
                    self.phase = _ANSWER
                    return (request,)
                return self._begin_body(request, b"")
        phase = self.phase
        if phase is _BODY:
            return self._receive_body(data)
        if phase is _IDLE or phase is _HEAD:
            return self._receive_head(data)
        if phase is not _CLOSED:
            self._hold(self._rest + data)
        return NO_EVENTS

    def receive_eof(self) -> Sequence[Event]:
        """The peer sends no more; it may still read. Raises ProtocolError for what it left unfinished."""
        self._eof = True
        phase = self.phase
        if self._rest and phase is _IDLE:
            return self._receive_head(b"")
        if phase is _HEAD:
            raise _incomplete("head")
        if phase is _BODY and self._answer != _ANSWERED:
            raise _incomplete("body")
        if phase is _IDLE or phase is _BODY:
            self.phase = _CLOSED
            return (Goodbye(),)
        if not self._rest:
            self.keep_alive = False
        return NO_EVENTS

    def take_rest(self) -> bytes:
        """The bytes that came after the request that was upgraded; they belong to the new protocol."""
        rest = self._rest
        self._hold(b"")
        return rest

    def _hold(self, rest: bytes) -> None:
        self._rest = rest
        self.pending = len(rest)
        self._ordinary = not rest

    def _receive_head(self, data: bytes) -> Sequence[Event]:
        if self._rest:
            data = self._rest + data
            self._hold(b"")
        if self._proxy is not None:
            rest = self._receive_proxy_header(data)
            if rest is None:
                return NO_EVENTS
            data = rest
        arrival = self._arrival
        if arrival is None:
            end = data.find(_HEAD_END) + len(_HEAD_END)
            if end > len(_HEAD_END):
                request = parse_head(data[:end], self._policy, self._lexicon, self._scheme)
                if request is not None:
                    return self._accept(request, data[end:])
            arrival = self._arrival = Arrival(self._policy)
            self._ordinary = False
        rest = arrival.feed(data)
        if rest is None:
            self.phase = _HEAD if arrival.begun else _IDLE
            if self._eof:
                return self.receive_eof()
            return NO_EVENTS
        request = examine_head(arrival.lines, self._policy, self._lexicon, self._scheme)
        self._arrival = None
        return self._accept(request, rest)

    def _receive_proxy_header(self, data: bytes) -> bytes | None:
        """The bytes after a PROXY header, or all of them if there is none; None to wait for more."""
        assert self._proxy is not None
        header = read_proxy_header(data, self._proxy)
        if header is True:
            if data:
                self.phase = _HEAD
                self._rest = data
            return None
        self._proxy = None
        self._ordinary = True
        self.phase = _IDLE
        if header is False:
            return data
        self.proxy_header = header
        if header.source is not None:
            self.peer = header.source
        return data[header.size :]

    def _accept(self, request: Request, rest: bytes) -> Sequence[Event]:
        self._request = request
        self._answer = _UNANSWERED
        if not request.complete:
            return self._begin_body(request, rest)
        self.phase = _ANSWER
        self._request_ends(rest)
        return (request,)

    def _request_ends(self, rest: bytes) -> None:
        self._hold(rest)
        if self._eof and not rest:
            self.keep_alive = False

    def _begin_body(self, request: Request, rest: bytes) -> Sequence[Event]:
        self.phase = _BODY
        self._decoder = ChunkedDecoder(self._policy) if request.chunked else None
        self._left = request.length or 0
        self._discarded = 0
        self._awaits_continue = request.expect_continue
        if rest:
            return (request, *self._receive_body(rest))
        return (request,)

    def _receive_body(self, data: bytes) -> Sequence[Event]:
        if not data:
            return NO_EVENTS
        self._awaits_continue = False
        decoder = self._decoder
        rest = b""
        body = data
        if decoder is None:
            left = self._left
            if len(data) > left:
                body, rest = data[:left], data[left:]
            self._left = left - len(body)
            last = not self._left
        else:
            body = decoder.feed(data)
            last = decoder.done
            if last and self._request is not None:
                rest = decoder.rest
                self._request.trailers = decoder.trailers
        if self._answer == _ANSWERED:
            body = self._discard(data, last)
        elif not body and not last:
            return NO_EVENTS
        if last:
            self.phase = _ANSWER if self._answer != _ANSWERED else _IDLE
            self._request_ends(rest)
        elif self._eof:
            raise _incomplete("body")
        return (Body(0, body, last),)

    def _discard(self, data: bytes, last: bool) -> bytes:
        """Throws bytes away that nobody wants any more, within a limit."""
        self._discarded += len(data)
        if self._discarded > DISCARD_LIMIT and not last:
            raise ProtocolError(0, "unread-body", "RFC 9112 9.3", "too much of a request body was left unread")
        return b""

    # -- to the peer -------------------------------------------------------------------------------------

    def respond(self, stream: int, status: str, fields: Fields, body: bytes, last: bool) -> bytes:
        """The final head and the first body bytes. Raises ResponseError and is then as if never called."""
        request = self._request
        if request is None or self._answer:
            raise ResponseError("there is no request to answer, or its answer has begun")
        close = not (self.keep_alive and request.keep_alive) or (self.phase is _BODY and self._too_much_unread())
        size = len(body)
        if last and not close:
            again = self._said.again(status, fields, body, request, self._stamp)
            if again:
                self._answer = _ANSWERED
                self.overrun = False
                if self.phase is _ANSWER:
                    self.phase = _IDLE
                return again
        head, framing, length, close = encode_head(
            status, fields, size, last, request, close, self._policy, self._stamp
        )
        if last and length == size and framing is _LENGTH:
            self._answer = _ANSWERED
            self.overrun = False
            if close:
                self.phase = _CLOSED
            elif self.phase is _ANSWER:
                self.phase = _IDLE
                self._said.keep(status, fields, size, request, self._stamp, head)
            return head + body
        self.overrun = False
        self._framing = framing
        self._room = length
        self._close = close
        if framing is Framing.NONE and status.startswith("101"):
            _check_switch(request, self.phase)
            self._answer = _ANSWERED
            self.phase = _TUNNEL
            return head
        self._answer = _STARTED
        return head + self.send_data(stream, body, last)

    def send_data(self, stream: int, data: bytes, last: bool) -> bytes:  # noqa: ARG002
        """More of the body in its framing. Raises ResponseError outside a response."""
        if self._answer != _STARTED:
            raise ResponseError("no response is under way")
        framing = self._framing
        out = data
        if framing is _LENGTH:
            if len(data) > self._room:
                self.overrun = True
                out = data[: self._room]
            self._room -= len(out)
            if last and self._room:
                self.shortfall = self._close = True
        elif framing is Framing.CHUNKED:
            out = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            if last:
                out += _LAST_CHUNK
        elif framing is Framing.NONE:
            out = b""
        if last:
            self._finish()
        return out

    def send_trailers(self, stream: int, fields: TextFields) -> bytes:
        """The end of the body, with `fields` behind its last chunk if the client takes them. Raises ResponseError."""
        trailers = encode_trailers(fields, self._policy)
        end = self.send_data(stream, b"", True)
        if self._framing is Framing.CHUNKED and self._request is not None and accepts_trailers(self._request):
            return _LAST_SIZE + trailers
        return end

    def bypass(self, stream: int, count: int) -> bool:  # noqa: ARG002
        """Accounts for `count` body bytes that the driver sends itself; True if it may. Raises ResponseError."""
        if self._answer != _STARTED:
            raise ResponseError("no response is under way")
        allowed = self._framing is not Framing.NONE
        if allowed and (self._framing is not _LENGTH or self._room != count):
            raise ResponseError("only a body of exactly its Content-Length can be sent past the machine")
        self._finish()
        return allowed

    def inform(self, stream: int, status: str, fields: TextFields) -> bytes:  # noqa: ARG002
        """An interim response, or b"" for a client that cannot read one or has its final head."""
        interim = encode_interim(status, fields, self._policy)
        request = self._request
        if request is None or self._answer or request.version == "HTTP/1.0":
            return b""
        if self.phase is _BODY and status.startswith("100"):
            self._awaits_continue = False
        return interim

    def want_continue(self, stream: int) -> bytes:  # noqa: ARG002
        """100 Continue for a client that waits for it (RFC 9110 10.1.1), once; else b""."""
        if self.phase is not _BODY or not self._awaits_continue or self._answer:
            return b""
        self._awaits_continue = False
        return _CONTINUE

    def outgoing(self) -> bytes:
        """HTTP/1 says nothing of its own accord."""
        return b""

    def abort(self) -> None:
        """The answer cannot be completed: the connection ends without its last chunk or bytes."""
        self.phase = _CLOSED

    def fail(self, error: ProtocolError) -> bytes:
        """The answer to a broken rule, and the end; b"" where an answer is out or nobody could read one."""
        answered = self._answer == _STARTED or (self._answer == _ANSWERED and self.phase is _BODY)
        silent = answered or self.phase is _CLOSED or self.phase is _TUNNEL or not error.status
        request = self._request if self._answer == _UNANSWERED else None
        self.phase = _CLOSED
        self._answer = _ANSWERED
        if silent:
            return b""
        return encode_refusal(error, self._stamp, with_body=request is None or request.method != "HEAD")

    def _too_much_unread(self) -> bool:
        """Whether the rest of the body is not worth waiting for, should the application leave it unread.

        A client that waits for 100 Continue may send its body or not; nobody could tell it from a request.
        """
        return self._awaits_continue or self._left > DISCARD_LIMIT

    def _finish(self) -> None:
        self._answer = _ANSWERED
        if self._close or (self._eof and not self._rest):
            self.phase = _CLOSED
        elif self.phase is _ANSWER:
            self.phase = _IDLE


def _check_switch(request: Request, phase: Phase) -> None:
    if not request.upgrade:
        raise ResponseError("101 answers only a request with Upgrade (RFC 9110 15.2.2)")
    if phase is _BODY:
        raise ResponseError("101 before the end of the request body: its bytes would be the new protocol's")


def _incomplete(what: str) -> ProtocolError:
    return ProtocolError(
        400, f"incomplete-{what}", "RFC 9112 8", f"the peer ended before the request {what} was complete"
    )
