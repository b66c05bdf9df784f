"""What must hold for every byte stream, whatever is in it; a `Finding` is raised where it does not.

Knows the machine through the corpus' replay, and h11's opinion where h11 is installed. The engine that
makes streams knows nothing of this file but `Target`.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fuzz import oracle
from gunicorn.protocol.machine import Phase
from tests.support import corpus
from tests.support.corpus import Seen, Verdict
from tests.support.replay import Replay, machine_for, replay

TIGHT = {"limit_request_line": "200", "limit_request_fields": "12", "limit_request_field_size": "120"}
LENIENT = {
    "casefold_http_method": "true",
    "header_map": "dangerous",
    "permit_missing_host": "true",
    "permit_obsolete_folding": "true",
    "permit_unconventional_http_method": "true",
    "permit_unconventional_http_version": "true",
    "strip_header_spaces": "true",
}
SETTINGS: tuple[dict[str, str], ...] = (
    {},
    TIGHT,
    LENIENT,
    {"header_map": "refuse", "limit_request_body": "64"},
    {"proxy_protocol": "auto"},
)
UNBOUND = {"limit_request_line": "0", "limit_request_fields": "32768", "limit_request_field_size": "0"}
HELD_AT_MOST = 8192
"""Bytes a machine under TIGHT may take in without giving anything out: 202 + 12 * 122, and room for one chunk line."""

CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n"


STRICTER = {
    # Whatever two servers may read in two ways is refused, also where the RFC would let us guess.
    "bare-lf": "RFC 9112 2.2 permits a bare LF as line end; others end the line elsewhere",
    "chunk-bare-lf": "the same in the chunked coding",
    "obs-fold": "RFC 9112 5.2 leaves the choice to refuse or to unfold",
    "chunk-size": "h11 lets blanks follow a size, and more in extensions",
    "te-with-length": "RFC 9112 6.1 leaves the choice to refuse or to let the coding win",
    "te-http10": "RFC 9112 6.1: framing is faulty; h11 reads it",
    "duplicate-content-length": "RFC 9112 6.3 permits to fold equal ones",
    "content-length": "a list of equal lengths; h11 folds it",
    "duplicate-content-type": "demand: #3366",
    "field-value": "RFC 9110 5.5: control characters are invalid; h11 retains some",
    # Whose meaning h11 leaves to the application.
    "invalid-host": "RFC 9112 3.2; h11 does not look into Host",
    "target": "RFC 9112 3.2; h11 takes all visible characters",
    "target-form": "RFC 9112 3.2; h11 does not look into targets",
    "target-authority": "RFC 9110 4.2",
    "target-nul": "an encoded NUL in the path",
    "authority": "RFC 9112 3.2.3",
    "asterisk": "RFC 9112 3.2.4",
    "method": "settings: permit_unconventional_http_method",
    "version": "settings: permit_unconventional_http_version; h11 takes any digit",
    "http2-preface": "a clear word for HTTP/2 clients",
    "expectation": "RFC 9110 10.1.1; h11 does not look into Expect",
    "scheme-contradiction": "settings: secure_scheme_headers",
    "script-name": "settings: forwarder_headers",
    "duplicate-script-name": "settings: forwarder_headers; a prefix is said once",
    "duplicate-path-info": "settings: forwarder_headers; a path is said once",
    # Bounds, which for h11 are the caller's affair.
    "field-count": "settings: limit_request_fields",
    "field-size": "settings: limit_request_field_size",
    "trailer-count": "settings: limit_request_fields",
    "trailer-size": "settings: limit_request_field_size",
    "target-size": "settings: limit_request_line",
    "request-line-size": "settings: limit_request_line",
    "chunk-size-line": "RFC 9112 7.1.1: a server ought to limit extensions",
    "chunk-extensions": "RFC 9112 7.1.1: a server ought to limit extensions",
}
"""Rules by which we may refuse what h11 accepts, each with its reason; by any other it is a finding."""


class Finding(AssertionError):
    """An invariant does not hold; the text says which, and how."""


@dataclass(frozen=True, slots=True)
class Target:
    """A thing to fuzz: `check` takes what the engine made and returns a signature of how the machine behaved."""

    name: str
    check: Callable[[bytes], str]
    seeds: Sequence[bytes]
    words: Sequence[bytes]


def check_stream(data: bytes) -> str:
    """All invariants on a stream; returns its signature. Raises Finding, or whatever the machine wrongly raised."""
    settings = SETTINGS[zlib.crc32(data) % len(SETTINGS)]
    verdict = replay(corpus.whole(data), settings)
    check_splits(data, settings, verdict)
    check_bodies(verdict)
    for seen in verdict.requests:
        check_canonical(seen, settings)
    check_held(data)
    if oracle.AVAILABLE:
        check_opinion(data, replay(corpus.whole(data), {}))
    return f"{len(verdict.requests)} {verdict.ending} {verdict.status} {rule_of(verdict)} {settings.keys()}"


def rule_of(verdict: Verdict) -> str:
    """The slug of the rule that was broken, out of the words of a refusal."""
    return verdict.detail.rpartition("[")[2].partition(",")[0]


def check_splits(data: bytes, settings: dict[str, str], whole: Verdict) -> None:
    """How the bytes arrive changes nothing, the answer to an error included."""
    if not data:
        return
    seed = zlib.adler32(data)
    ways = [corpus.shuffled(data, seed), corpus.shuffled(data, seed + 1)]
    if len(data) <= 1500:
        ways.append(corpus.bytewise(data))
    for pieces in ways:
        other = replay(pieces, settings)
        if replace(other, detail="") != replace(whole, detail=""):
            raise Finding(f"depends on the split {[len(piece) for piece in pieces][:50]}: {whole} / {other}")


def check_bodies(verdict: Verdict) -> None:
    """A body is exactly as long as it was declared."""
    for seen in verdict.requests:
        declared = seen.variables.get("CONTENT_LENGTH")
        if declared is not None and len(seen.body) != int(declared):
            raise Finding(f"{declared} declared, {len(seen.body)} bytes of body")
        if declared is None and "HTTP_TRANSFER_ENCODING" not in seen.variables and seen.body:
            raise Finding(f"a body of {len(seen.body)} bytes without framing")


def canonical(seen: Seen) -> bytes:
    """The request in its plainest spelling: one blank, lower-case names, one chunk."""
    fields = seen.fields or ()
    lines = [f"{seen.method} {seen.target} {seen.version}", *(f"{name}:{value}" for name, value in fields)]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if not any(name == "transfer-encoding" for name, _ in fields):
        return head + seen.body
    chunk = b"%x\r\n%s\r\n" % (len(seen.body), seen.body) if seen.body else b""
    trailers = "".join(f"{name}:{value}\r\n" for name, value in seen.trailers or ()).encode("latin-1")
    return head + chunk + b"0\r\n" + trailers + b"\r\n"


def check_canonical(seen: Seen, settings: dict[str, str]) -> None:
    """What was accepted, written down plainly, is accepted again and means the same."""
    stream = canonical(seen)
    again = replay(corpus.whole(stream), {**settings, **UNBOUND, "proxy_protocol": "off"})
    if again.ending != "open" or len(again.requests) != 1:
        raise Finding(f"not accepted again: {stream[:2000]!r} gives {again}")
    if replace(again.requests[0], client=None) != replace(seen, client=None):
        raise Finding(f"means something else again: {seen} / {again.requests[0]}")


def check_held(data: bytes) -> None:
    """A machine under tight limits does not go on collecting bytes that it neither refuses nor gives out."""
    if len(data) <= HELD_AT_MOST:
        return
    connection = Replay(machine_for(TIGHT))
    given, held = 0, 0
    for start in range(0, len(data), 512):
        connection.feed(data[start : start + 512])
        if connection.over:
            return
        now = len(connection.requests) + (len(connection.unfinished.body) if connection.unfinished else 0)
        # Empty lines in front of a request may be dropped without end; nothing is held of them.
        held = held + 512 if now == given and connection.machine.phase in (Phase.HEAD, Phase.BODY) else 0
        given = now
        if held > HELD_AT_MOST:
            raise Finding(f"{held} bytes taken in, nothing given out, nothing refused")


def check_opinion(data: bytes, verdict: Verdict) -> None:
    """h11 never reads in another way what we accept, and we refuse what it accepts only by rules that say so."""
    opinion = oracle.opinion(data)
    more = len(opinion.readings) > len(verdict.requests)
    if more and verdict.ending == "rejected" and rule_of(verdict) not in STRICTER:
        raise Finding(f"h11 accepts what we refuse: {verdict.detail}")
    for index, seen in enumerate(verdict.requests):
        if index >= len(opinion.readings):
            if not expected_refusal(seen, verdict.requests[:index], opinion.refusal):
                raise Finding(f"h11 does not see request {index}: {seen}; {opinion.refusal or 'it waits'}")
            return
        reading = opinion.readings[index]
        ours = (seen.method, seen.target, seen.version, seen.body)
        theirs = (reading.method, reading.target, reading.version, reading.body)
        if ours != theirs:
            raise Finding(f"h11 reads request {index} in another way: {theirs} / {ours}")
        if fields_of(seen.fields) != fields_of(reading.fields):
            raise Finding(f"h11 sees other fields: {reading.fields} / {seen.fields}")


def fields_of(fields: tuple[tuple[str, str], ...] | None) -> list[tuple[str, str]]:
    """Fields without what we change knowingly.

    Names with underscores are dropped (header_map), Host gives way to an absolute target (RFC 9112 3.2.2),
    h11 folds the case of Transfer-Encoding and drops an equal second Content-Length.
    """
    return [
        (name, value.lower() if name == "transfer-encoding" else value)
        for name, value in fields or ()
        if "_" not in name and name != "host"
    ]


def expected_refusal(seen: Seen, before: tuple[Seen, ...], refusal: str) -> bool:
    """Why h11 may refuse what we accept: the list of reasons, each of which is argued here."""
    return (
        # RFC 3986 has no bytes above 0x7E in a target; we take them as PEP 3333 does, many clients send raw UTF-8.
        any(ord(character) > 0x7E for character in seen.target)
        # h11 closes after every HTTP/1.0 request; RFC 9112 9.3 lets a client ask to stay.
        or any(earlier.version == "HTTP/1.0" for earlier in before)
        # h11 knows no empty line in front of a request line (RFC 9112 2.2: a server should ignore one).
        or refusal == "no request line received"
        # h11 reads on after 101-able and CONNECT requests only when it is told; the answers of the replay end it.
        or any(earlier.method == "CONNECT" or earlier.upgrade for earlier in before)
        # h11 bounds lines of the chunked coding otherwise (20 digits of size, no obs-text in extensions).
        or "HTTP_TRANSFER_ENCODING" in seen.variables
        # Content-Length of more than 20 digits.
        or len(seen.variables.get("CONTENT_LENGTH", "")) > 20
    )


def check_chunked(data: bytes) -> str:
    """The invariants on a chunked body, and that its bytes come out unchanged."""
    return check_stream(CHUNKED_HEAD + data)


def seed_streams() -> list[bytes]:
    return [record.data for record in corpus.load() if len(record.data) <= 20000]


def seed_bodies() -> list[bytes]:
    bodies = (record.data.partition(b"\r\n\r\n") for record in corpus.load() if len(record.data) <= 80000)
    return sorted({body for head, _, body in bodies if b"Transfer-Encoding: chunked" in head and body})


def dictionary() -> list[bytes]:
    """Words worth inserting: the corpus' field lines, and the bytes that parsers stumble over."""
    chance = random.Random(0)
    lines = {line for data in seed_streams() for line in data.split(b"\r\n") if 0 < len(line) < 60}
    words = [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b"\t", b" ", b":", b";", b",", b"0", b"\x0b", b"\xa0", b"\x85"]
    words += [
        b"0\r\n\r\n",
        b"5\r\nhello\r\n",
        b"ffffffffffffffff",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\n",
    ]
    return words + chance.sample(sorted(lines), min(400, len(lines)))
