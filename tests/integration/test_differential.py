"""Every record of the corpus against running servers of every worker class: the law's verdict, and one for all."""

from __future__ import annotations

import re
import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.support import client, corpus, mirror
from tests.support.corpus import Record, Seen, Verdict
from tests.support.server import WORKER_CLASSES, Server

PROBE = "/differential-probe"
PROBE_REQUEST = f"GET {PROBE} HTTP/1.1\r\nHost: probe.example\r\nConnection: close\r\n\r\n".encode()
DEADLINE = 5.0
AT_ONCE = 12
Options = tuple[tuple[str, str], ...]


class ConnectionFrom(client.Connection):
    """A connection whose near end has the address a record asks for."""

    def __init__(self, source: str, address: tuple[str, int]) -> None:
        self.host = "example.com"
        self._buffer = b""
        self.sock = client.open_socket(address, DEADLINE, source=source)


def records_by_settings() -> dict[Options, list[Record]]:
    groups: dict[Options, list[Record]] = defaultdict(list)
    for record in corpus.load():
        groups[record.options].append(record)
    return dict(groups)


GROUPS = records_by_settings()


def name_of(options: Options) -> str:
    return " ".join(f"{name}={value}" for name, value in options) or "defaults"


def configuration(options: Options) -> str:
    """The settings of a record as a configuration file."""
    lines = ["keepalive = 60", "workers = 1", "graceful_timeout = 2"]
    for name, value in options:
        typed: object = {"true": True, "false": False}.get(value, int(value) if value.isdecimal() else value)
        lines.append(f"{name} = {typed!r}")
    return "\n".join(lines) + "\n"


def answers(connection: client.Connection) -> Iterator[client.Response]:
    """Final responses until the server ends the connection. Raises client.Gone where the rest is no response."""
    informational: list[client.Response] = []
    while True:
        try:
            response = connection.read_head()
        except client.Gone as gone:
            if gone.received:
                raise
            return
        if 100 <= response.status < 200:
            informational.append(response)
            continue
        if response.header(mirror.FIELD) is None:
            connection._read_body(response, "GET")
        response.informational, informational = informational, []
        yield response


def send(connection: client.Connection, pieces: Iterable[bytes]) -> None:
    """Sends what the server takes; it may refuse the rest by closing."""
    try:
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        return


def kept(seen_version: str, response: client.Response) -> bool:
    tokens = ",".join(response.headers("connection")).lower().replace(" ", "").split(",")
    return "keep-alive" in tokens if seen_version == "HTTP/1.0" else "close" not in tokens


def ask(address: tuple[str, int], record: Record, pieces: Sequence[bytes]) -> Verdict:
    """Sends a stream on a connection of its own and says what became of it."""
    stays = record.ending == "open" and (not record.requests or record.requests[-1].keep_alive)
    with ConnectionFrom(record.peer, address) as connection:
        send(connection, pieces)
        if stays:
            send(connection, [PROBE_REQUEST])
        if record.ending == "cut":
            connection.sock.shutdown(socket.SHUT_WR)
        try:
            return judge(record, list(answers(connection)), stays)
        except TimeoutError:
            return Verdict((), "hangs")
        except (client.Gone, client.BadAnswer, OSError) as error:
            return Verdict((), "breaks", detail=repr(error))


def judge(record: Record, responses: list[client.Response], stays: bool) -> Verdict:
    seen: list[Seen] = []
    refusal: client.Response | None = None
    for response in responses:
        text = response.header(mirror.FIELD) or response.text
        if not text.startswith("{"):
            refusal = response
            break
        request = mirror.read(text, keep_alive=True)
        if not continues(request, response):
            return Verdict(tuple(seen), "says 100 Continue out of turn")
        seen.append(replace(request, keep_alive=kept(request.version, response)))
    if len(seen) + (refusal is not None) != len(responses):
        return Verdict(tuple(seen), "answers after a refusal")
    probed = bool(seen) and seen[-1].path == PROBE
    requests = tuple(seen[:-1] if probed else seen)
    if refusal is not None:
        ending = "cut" if record.ending == "cut" and refusal.status in (400, 408) else "rejected"
        return Verdict(requests, ending, refusal.status, plain(refusal), refusal.text)
    if record.ending == "cut":
        return Verdict(requests, "cut")
    if stays and not probed:
        return Verdict(requests, "closed instead of kept")
    if not probed and (not requests or requests[-1].keep_alive):
        return Verdict(requests, "rejected", 0)
    return Verdict(requests, "open")


def continues(seen: Seen, response: client.Response) -> bool:
    """Whether what came before an answer was asked for: one 100 Continue at most (RFC 9110 10.1.1)."""
    asked = "HTTP_EXPECT" in seen.variables and seen.version != "HTTP/1.0"
    statuses = [informational.status for informational in response.informational]
    return statuses in ([], [100]) if asked else statuses == []


def plain(response: client.Response) -> bytes:
    """An error answer without the time of day."""
    fields = [f"{name}: {value}" for name, value in response.fields if name.lower() != "date"]
    return "\r\n".join([f"{response.status} {response.reason}", *fields, "", response.text]).encode("latin-1")


def survey(server: Server, records: Sequence[Record], cutting: int) -> list[Verdict]:
    """The verdict of one server on each record, all cut in the same way, several at once."""
    address = ("127.0.0.1", server.port)

    def one(record: Record) -> Verdict:
        return ask(address, record, list(corpus.cuttings(record.data, seeds=1))[cutting][1])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, records))


@pytest.mark.parametrize("options", GROUPS, ids=name_of)
def test_every_worker_class_gives_the_verdict_of_the_law(options: Options) -> None:
    records = GROUPS[options]
    with ExitStack() as stack:
        servers = {
            kind: stack.enter_context(
                Server("tests.support.mirror:app", "-k", kind, config=configuration(options), tracebacks=True)
            )
            for kind in WORKER_CLASSES
        }
        wrong: list[str] = []
        first: list[Verdict] = []
        for cutting, way in enumerate(("whole", "byte by byte", "random split")):
            for kind, server in servers.items():
                laws = [as_asgi_tells(record) for record in records] if kind == "asgi" else records
                verdicts = survey(server, laws, cutting)
                first = first or verdicts
                wrong += complaints(f"{kind}, {way}", laws, verdicts, first)
    assert not wrong, f"{len(wrong)} wrong verdicts\n" + "\n".join(wrong[:40])


def complaints(
    where: str, records: Sequence[Record], verdicts: Sequence[Verdict], first: Sequence[Verdict]
) -> Iterator[str]:
    for record, verdict, other in zip(records, verdicts, first, strict=True):
        for difference in corpus.differences(record, verdict):
            yield f"{record.group}/{record.name} ({where}): {difference}"
        if comparable(verdict) != comparable(other) and record.name not in SPEAKS_WEBSOCKET:
            yield f"{record.group}/{record.name} ({where}): not as elsewhere: {verdict} / {other}"


def denied(record: Record) -> Record:
    """A handshake that the application denies: answered, and the connection ends with it."""
    return replace(record, requests=tuple(replace(one, keep_alive=False) for one in record.requests))


def refused(record: Record) -> Record:
    """A handshake that is not as RFC 6455 4.2.1 wants it: the server's own answer, for whatever version is named."""
    return replace(record, requests=(), ending="rejected", statuses=frozenset({426}))


SPEAKS_WEBSOCKET = {"upgrade-websocket-full": denied, "upgrade-then-hidden": refused}
"""Records whose offer of WebSocket a server may leave, or take: here only the asgi worker takes it."""


def as_asgi_tells(record: Record) -> Record:
    """The record as an ASGI application can see it: of the request-target scopes keep raw_path and query_string."""
    told = tuple(replace(one, target=origin_form(one.method, one.target)) for one in record.requests)
    return SPEAKS_WEBSOCKET.get(record.name, lambda law: law)(replace(record, requests=told))


def origin_form(method: str, target: str) -> str:
    """What raw_path and query_string keep of a request-target: no authority, no "?" before nothing."""
    tail = target if target.startswith("/") else re.sub(r"^https?://[^/?]*", "", target, flags=re.IGNORECASE)
    path, _, query = tail.partition("?")
    if method == "CONNECT":
        path = ""
    elif not path:
        path = "*" if method == "OPTIONS" and not tail else "/"
    return f"{path}?{query}" if query else path


def comparable(verdict: Verdict) -> Verdict:
    """What must be equal everywhere: all but the words of a refusal, the client's port and what ASGI alone shows."""
    requests = tuple(
        replace(seen, client=None, fields=None, target=origin_form(seen.method, seen.target))
        for seen in verdict.requests
    )
    if verdict.ending == "cut":
        # A server may answer a cut stream or may not (RFC 9112 8); a race decides who notices first.
        return Verdict(requests, "cut")
    return replace(verdict, requests=requests, detail="")


HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: hidden.example\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: next.example\r\n\r\n"


def unread_streams() -> Iterator[bytes]:
    """Requests whose bodies look like requests, and one that is meant to follow."""
    for size in (10, 200, 1500, 6000):
        body = HIDDEN * size
        head = b"POST /unread HTTP/1.1\r\nHost: example.com\r\n"
        yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body + NEXT
        yield head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) + NEXT


@pytest.mark.parametrize("kind", WORKER_CLASSES)
@pytest.mark.parametrize("buffering", [True, False], ids=["buffered", "unbuffered"])
def test_a_body_that_nobody_read_never_becomes_requests(kind: str, buffering: bool) -> None:
    config = configuration(()) + f"request_buffering = {buffering}\n"
    with Server("tests.support.mirror:app", "-k", kind, config=config) as server:
        for data in unread_streams():
            for pieces in (corpus.whole(data), corpus.shuffled(data, 1), corpus.bytewise(data, edge=400)):
                paths = served_paths(("127.0.0.1", server.port), pieces)
                assert paths in (["/unread", "/next", PROBE], ["/unread"]), f"{len(data)} bytes: {paths}"
                # An event loop gives a body away as it comes: at the answer there may be no end of it yet.
                whole = buffering and kind != "asgi"
                assert not whole or paths[-1] == PROBE, "the whole body was there: the connection goes on"


def served_paths(address: tuple[str, int], pieces: Iterable[bytes]) -> list[str]:
    """Paths of the requests the application saw on one connection that ends with the probe."""
    with client.Connection(address, timeout=DEADLINE) as connection:
        send(connection, pieces)
        send(connection, [PROBE_REQUEST])
        return [mirror.read(response.text, True).path for response in answers(connection)]
