"""Replays byte streams against the HTTP/1.1 machine, as a driver would, and reports a verdict.

Knows the machine's contract (`gunicorn.protocol.machine`); opens no socket. The corpus test and the fuzz
targets share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gunicorn.protocol.errors import ProtocolError
from gunicorn.protocol.fields import HeaderMap
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.limits import HttpPolicy, Leniency, Limits, Stamp
from gunicorn.protocol.machine import Body, Event, Phase, Request
from gunicorn.protocol.trust import DEFAULT_FORWARDER_HEADERS, Networks, Peer, ProxyMode, TrustPolicy
from tests.support.corpus import TRUSTED_PEER, Record, Seen, Verdict

PEER_PORT = "40000"
LOOPBACK = "127.0.0.1,::1"
DATE = "Sat, 01 Jan 2000 00:00:00 GMT"


class _Exchange:
    """A request while its body arrives."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.body = bytearray()
        self.complete = request.complete

    def seen(self, machine: Http1) -> Seen:
        request = self.request
        return Seen(
            method=request.method,
            target=request.target,
            version=request.version,
            path=request.path,
            query=request.query,
            variables=dict(request.variables),
            body=bytes(self.body),
            scheme=request.scheme,
            script_name=request.script_name,
            keep_alive=request.keep_alive,
            fields=tuple(request.fields),
            trailers=tuple(request.trailers or ()),
            upgrade=request.upgrade,
            expect_continue=request.expect_continue,
            client=f"{machine.peer.host}:{machine.peer.port}",
        )


class Replay:
    """One connection. `feed` takes pieces until the machine is done; `finish` ends the stream."""

    def __init__(self, machine: Http1) -> None:
        self.machine = machine
        self.requests: list[Seen] = []
        self.error: ProtocolError | None = None
        self.answer = b""
        self.unfinished: _Exchange | None = None

    @property
    def over(self) -> bool:
        return self.error is not None or self.machine.phase is Phase.CLOSED

    def feed(self, data: bytes) -> None:
        if self.over:
            return
        try:
            events = self.machine.receive(data)
            while self._take(events) and not self.over:
                events = self.machine.receive(b"")
        except ProtocolError as error:
            self._fail(error)

    def finish(self) -> Verdict:
        """Ends the stream and says what became of it."""
        if self.error is not None:
            return Verdict(tuple(self.requests), "rejected", self.error.status, self.answer, str(self.error))
        if self.machine.phase is Phase.CLOSED:
            return Verdict(tuple(self.requests), "open")
        try:
            self._take(self.machine.receive_eof())
        except ProtocolError as error:
            self._fail(error)
            return Verdict(tuple(self.requests), "cut", error.status, self.answer, str(error))
        return Verdict(tuple(self.requests), "open" if self.unfinished is None else "cut without an error")

    def _take(self, events: Sequence[Event]) -> bool:
        """Follows events; True when a request was answered, so that the next one may already be there."""
        answered = False
        for event in events:
            if isinstance(event, Request):
                assert self.unfinished is None, "a request before the one in front was answered"
                self.unfinished = _Exchange(event)
            elif isinstance(event, Body):
                assert self.unfinished is not None, "body bytes without a request"
                assert not self.unfinished.complete, "body bytes behind the last"
                self.unfinished.body += event.data
                self.unfinished.complete = event.last
            if self.unfinished is not None and self.unfinished.complete:
                self._respond(self.unfinished)
                answered = True
        return answered

    def _respond(self, exchange: _Exchange) -> None:
        self.requests.append(exchange.seen(self.machine))
        self.unfinished = None
        # A 2xx to CONNECT would open a tunnel (RFC 9110 9.3.6); this application, like most, does not.
        status = "405 Method Not Allowed" if exchange.request.method == "CONNECT" else "200 OK"
        self.machine.respond(exchange.request.stream, status, [("Content-Length", "2")], b"ok", True)

    def _fail(self, error: ProtocolError) -> None:
        self.error = error
        self.answer = self.machine.fail(error)


def machine_for(options: dict[str, str], peer: str = TRUSTED_PEER) -> Http1:
    """A machine under the settings of a record."""
    known = dict(options)

    def number(name: str, default: int) -> int:
        return int(known.pop(name, default))

    def switch(name: str) -> bool:
        return known.pop(name, "false") == "true"

    default = Limits()
    policy = HttpPolicy(
        Limits(
            request_line=number("limit_request_line", default.request_line),
            fields=number("limit_request_fields", default.fields),
            field_size=number("limit_request_field_size", default.field_size),
            body=number("limit_request_body", default.body),
        ),
        Leniency(
            obsolete_folding=switch("permit_obsolete_folding"),
            strip_header_spaces=switch("strip_header_spaces"),
            unconventional_method=switch("permit_unconventional_http_method"),
            unconventional_version=switch("permit_unconventional_http_version"),
            casefold_method=switch("casefold_http_method"),
            missing_host=switch("permit_missing_host"),
        ),
    )
    trust = trust_for(known)
    assert not known, f"settings of a record that the replay does not know: {known}"
    return Http1(policy, trust, Stamp(date=DATE), Peer(peer, PEER_PORT), "http")


def trust_for(known: dict[str, str]) -> TrustPolicy:
    """Takes the settings of trust out of `known`."""
    forwarder_headers = known.pop("forwarder_headers", "")
    return TrustPolicy(
        forwarders=Networks(known.pop("forwarded_allow_ips", LOOPBACK)),
        header_map=HeaderMap(known.pop("header_map", "drop")),
        forwarder_headers=forwarder_headers.split(",") if forwarder_headers else DEFAULT_FORWARDER_HEADERS,
        proxy_mode=ProxyMode(known.pop("proxy_protocol", "off")),
        proxies=Networks(known.pop("proxy_allow_ips", LOOPBACK)),
    )


def replay(pieces: Iterable[bytes], options: dict[str, str], peer: str = TRUSTED_PEER) -> Verdict:
    """The verdict on a stream cut into pieces."""
    connection = Replay(machine_for(options, peer))
    for piece in pieces:
        connection.feed(piece)
        if connection.over:
            break
    return connection.finish()


def replay_record(record: Record, pieces: Iterable[bytes]) -> Verdict:
    return replay(pieces, record.setting, record.peer)
