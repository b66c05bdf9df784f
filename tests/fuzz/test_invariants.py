"""The fuzz invariants see what they are there for: each is shown a machine, or a verdict, that is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz import invariants, oracle
from fuzz.invariants import Finding
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.machine import Phase
from tests.support import corpus
from tests.support.corpus import Seen, Verdict
from tests.support.replay import replay

GET = b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n"


@pytest.fixture
def verdict() -> Verdict:
    return replay([POST], {})


@pytest.fixture
def seen(verdict: Verdict) -> Seen:
    return verdict.requests[0]


@pytest.mark.parametrize(
    "data", [GET, POST, CHUNKED, GET + POST + CHUNKED, b"", b"\r\n", b"nonsense\r\n\r\n", POST[:-1]]
)
def test_nothing_is_found_where_nothing_is_wrong(data: bytes) -> None:
    assert invariants.check_stream(data)


def test_a_verdict_that_depends_on_the_split(verdict: Verdict) -> None:
    with pytest.raises(Finding, match="split"):
        invariants.check_splits(POST, {}, replace(verdict, ending="cut"))


@pytest.mark.parametrize("body", [b"hell", b"hello!"])
def test_a_body_of_another_length(verdict: Verdict, seen: Seen, body: bytes) -> None:
    with pytest.raises(Finding, match="declared"):
        invariants.check_bodies(replace(verdict, requests=(replace(seen, body=body),)))


def test_a_body_without_framing(verdict: Verdict, seen: Seen) -> None:
    with pytest.raises(Finding, match="framing"):
        invariants.check_bodies(replace(verdict, requests=(replace(seen, variables={}),)))


@pytest.mark.parametrize("data", [GET, POST, CHUNKED])
def test_canonical_form_reads_the_same(data: bytes) -> None:
    (seen,) = replay([data], {}).requests
    assert replay([invariants.canonical(seen)], {}).requests == (seen,)


@pytest.mark.parametrize("change", [{"target": "/a b"}, {"fields": (("host", "a"), ("x", "a\nb"))}, {"path": "/other"}])
def test_a_request_that_does_not_survive_its_canonical_form(seen: Seen, change: dict[str, object]) -> None:
    with pytest.raises(Finding):
        invariants.check_canonical(replace(seen, **change), {})


def test_a_machine_that_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"GET / HTTP/1.1\r\nHost: example.com\r\nX: "
    invariants.check_held(head + b"a" * 40000)

    def collect(machine: Http1, data: bytes) -> tuple[()]:
        machine.phase = Phase.HEAD
        return ()

    monkeypatch.setattr(Http1, "receive", collect)
    with pytest.raises(Finding, match="nothing refused"):
        invariants.check_held(head + b"a" * 40000)


@pytest.mark.skipif(not oracle.AVAILABLE, reason="h11 is not installed")
class TestOracle:
    def test_reads_a_stream(self) -> None:
        opinion = oracle.opinion(GET + POST + CHUNKED)
        assert [(reading.method, reading.body) for reading in opinion.readings] == [
            ("GET", b""),
            ("POST", b"hello"),
            ("POST", b"hi"),
        ]
        assert opinion.readings[2].trailers == (("x", "y"),)
        assert opinion.refusal == ""
        assert oracle.opinion(b"nonsense\r\n\r\n").refusal

    def test_another_reading_is_a_finding(self, verdict: Verdict, seen: Seen) -> None:
        invariants.check_opinion(POST, verdict)
        for change in ({"target": "/b"}, {"body": b"hell"}, {"fields": (("content-length", "5"), ("x", "y"))}):
            with pytest.raises(Finding, match="h11"):
                invariants.check_opinion(POST, replace(verdict, requests=(replace(seen, **change),)))

    def test_a_request_that_only_we_see_is_a_finding(self, verdict: Verdict) -> None:
        with pytest.raises(Finding, match="does not see"):
            invariants.check_opinion(POST, replace(verdict, requests=verdict.requests * 2))

    def test_a_refusal_by_an_unknown_rule_is_a_finding(self) -> None:
        known = Verdict((), "rejected", 400, detail="words [bare-lf, RFC 9112 2.2]")
        invariants.check_opinion(GET, known)
        with pytest.raises(Finding, match="accepts what we refuse"):
            invariants.check_opinion(GET, replace(known, detail="words [mood, RFC 2324]"))


def test_seeds_come_from_the_corpus() -> None:
    assert len(invariants.seed_streams()) > 0.9 * len(corpus.load())
    assert len(invariants.seed_bodies()) > 50
    assert b"\r\n" in invariants.dictionary()
