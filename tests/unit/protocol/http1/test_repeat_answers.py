"""Answers of one kept connection are, byte for byte, those of fresh connections, however alike they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.http1.connection import Http1
from gunicorn.protocol.http1.repeat import LONGEST, TRIES
from gunicorn.protocol.limits import HttpPolicy, Stamp
from gunicorn.protocol.machine import Phase
from gunicorn.protocol.trust import Peer, TrustPolicy

POLICY, TRUST, PEER = HttpPolicy(), TrustPolicy(), Peer("127.0.0.1", "1")
GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
SECRET = (b"set-cookie", b"secret")
LENGTH = (b"content-length", b"2")


def machine(stamp: Stamp) -> Http1:
    return Http1(POLICY, TRUST, stamp, PEER, "http")


class Pair:
    """A kept machine beside fresh ones, all with one stamp."""

    def __init__(self, stamp: Stamp | None = None) -> None:
        self.stamp = stamp or Stamp("test", "now")
        self.kept = machine(self.stamp)

    def answer(self, make: Any, body: bytes = b"hi", status: str = "200 OK", asked: bytes = GET) -> bytes:
        """What both say to the same; `make` gives the fields anew to each."""
        fresh = machine(self.stamp)
        said = []
        for one in (self.kept, fresh):
            assert one.receive(asked)
            try:
                said.append(one.respond(0, status, make(), body, True))
            except ResponseError as error:
                said.append(str(error))
        assert said[0] == said[1]
        for name in ("phase", "keep_alive", "overrun", "shortfall", "pending"):
            assert getattr(self.kept, name) == getattr(fresh, name), name
        return said[0]


def test_a_repeated_head_is_the_same_with_the_new_stamp():
    both = Pair()
    first = both.answer(lambda: [LENGTH, (b"x", b"y")])
    assert both.answer(lambda: [LENGTH, (b"x", b"y")]) == first
    both.stamp.date = "later"
    assert both.answer(lambda: [LENGTH, (b"x", b"y")]) == first.replace(b"Date: now", b"Date: later")
    assert both.answer(lambda: [LENGTH, (b"x", b"y")], b"ho").endswith(b"\r\n\r\nho")


def test_it_is_recognised():
    """Else the rest of this file would prove nothing."""
    one = machine(Stamp("test", "now"))
    one.receive(GET)
    one.respond(0, "200 OK", [LENGTH], b"hi", True)
    assert one._said.again("200 OK", [LENGTH], b"hi", one._request, one._stamp).endswith(b"\r\n\r\nhi")
    assert one._said.again("200 OK", [SECRET], b"hi", one._request, one._stamp) == b""


@pytest.mark.parametrize(
    "spent",
    [
        lambda: iter([SECRET, LENGTH]),
        lambda: (pair for pair in [SECRET, LENGTH]),
        lambda: zip([b"set-cookie"], [b"secret"], strict=True),
        lambda: dict([SECRET]).items(),
        lambda: (SECRET, LENGTH),
    ],
)
@pytest.mark.parametrize("then", [list, tuple, lambda: iter([])])
def test_fields_of_an_iterator_are_nobody_elses(spent, then):
    both = Pair()
    assert b"secret" in both.answer(spent)
    assert b"secret" not in both.answer(then)
    assert b"secret" in both.answer(spent)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.__setitem__(0, (b"x-count", b"2")),
        lambda fields: fields.append((b"x-more", b"1")),
        lambda fields: fields.clear(),
        lambda fields: fields[1].__setitem__(1, b"2"),
        lambda fields: fields[2][1].__setitem__(0, 50),
    ],
)
def test_a_list_that_is_changed_after_its_answer(change):
    both = Pair()
    fields = [(b"x-count", b"1"), [b"x-list", b"1"], (b"x-array", bytearray(b"1"))]
    both.answer(lambda: fields)
    change(fields)
    both.answer(lambda: fields)
    plain = [(b"x-count", b"1")]
    both.answer(lambda: plain)
    plain[0] = (b"x-count", b"2")
    assert b"x-count: 2" in both.answer(lambda: plain)


@pytest.mark.parametrize("kind", [bytes, str])
@pytest.mark.parametrize("names", [("Server", "Date"), ("server", "date"), ("Date",), ("Server",)])
def test_an_own_stamp_that_looks_like_ours_is_not_renewed(kind, names):
    values = {"server": "test", "date": "now"}
    pairs = [*((name, values[name.lower()]) for name in names), ("Content-Length", "2")]
    fields = [tuple(part.encode() if kind is bytes else part for part in pair) for pair in pairs]
    for stamp in (Stamp("test", "now"), Stamp("", "now"), Stamp("test", "")):
        both = Pair(stamp)
        both.answer(lambda: list(fields))
        stamp.date = "later"
        said = both.answer(lambda: list(fields))
        assert ("Date" not in names and "date" not in names) or b": now\r\n" in said


@pytest.mark.parametrize("stamp", [Stamp("", ""), Stamp("test", ""), Stamp("", "now")])
def test_a_stamp_that_says_little(stamp):
    both = Pair(stamp)
    for _ in range(3):
        both.answer(lambda: [LENGTH])
    stamp.date = "later"
    both.answer(lambda: [LENGTH])


def test_long_heads_and_restless_connections_are_not_watched():
    one = machine(Stamp("test", "now"))
    for number in range(TRIES + 2):
        one.receive(GET)
        one.respond(0, "200 OK", [(b"x", b"%d" % number)], b"", True)
    assert not one._said._status
    one = machine(Stamp("test", "now"))
    one.receive(GET)
    one.respond(0, "200 OK", [(b"x", b"y" * LONGEST)], b"", True)
    assert not one._said._status


def test_the_bodies_end_decides_and_not_the_repetition():
    """A request whose body was not read keeps its phase, whether its answer repeats one or not."""
    both = Pair()
    post = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n"
    get = GET.replace(b"GET", b"POST")
    for asked in (get, get):
        both.answer(lambda: [LENGTH], asked=asked)
    both.answer(lambda: [LENGTH], asked=post)
    assert both.kept.phase is Phase.BODY
    (rest,) = both.kept.receive(b"abc")
    assert (rest.data, rest.last, both.kept.phase) == (b"", True, Phase.IDLE)
    both.answer(lambda: [LENGTH], asked=get)


FIELDS = st.sampled_from(
    [
        [],
        [("Content-Length", "2")],
        [("content-length", "1")],
        [("X", "1")],
        [("X", "2")],
        [("x", "1")],
        [("X", "1"), ("Content-Length", "2")],
        [("Connection", "close")],
        [("Server", "test"), ("Date", "now")],
        [("Date", "later"), ("Content-Length", "2")],
        [("Transfer-Encoding", "chunked")],
        [("X", "\xe9")],
        [("X", "a\nb")],
        [("bad name", "1")],
    ]
)


def spelled(pairs: list[tuple[str, str]], spelling: str) -> Any:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    return {
        "str": list(pairs),
        "bytes": raw,
        "lists": [list(pair) for pair in raw],
        "iterator": iter(raw),
        "tuple": tuple(raw),
        "arrays": [(name, bytearray(value)) for name, value in raw],
    }[spelling]


ANSWERS = st.tuples(
    FIELDS,
    st.sampled_from(["str", "bytes", "bytes", "lists", "iterator", "tuple", "arrays"]),
    st.sampled_from([b"", b"hi", b"ho", b"much more"]),
    st.sampled_from(["200 OK", "200 OK", "404 Not Found", "204 No Content", "304 Not Modified", "200"]),
    st.sampled_from(["GET", "GET", "HEAD", "POST", "OPTIONS"]),
    st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]),
    st.sampled_from(["now", "later", ""]),
    st.booleans(),
)


def say(one: Http1, asked: bytes, status: str, fields: Any, body: bytes, whole: bool) -> object:
    assert one.receive(asked)
    try:
        if whole:
            return one.respond(0, status, fields, body, True), one.phase, one.overrun, one.shortfall
        out = one.respond(0, status, fields, body, False)
        return out + one.send_data(0, b"", True), one.phase, one.overrun, one.shortfall
    except ResponseError as error:
        out = one.respond(0, "500 Internal Server Error", [("Connection", "close")], b"sorry", True)
        return str(error), out, one.phase


@settings(max_examples=300, deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=12), st.lists(st.integers(0, 11), max_size=12))
def test_any_sequence_of_answers(answers, again):
    """`again` draws answers a second time, so that repetitions are common."""
    stamp = Stamp("test", "now")
    kept = machine(stamp)
    for pairs, spelling, body, status, method, version, date, whole in answers + [
        answers[index % len(answers)] for index in again
    ]:
        stamp.date = date
        keep = "Connection: keep-alive\r\n" if version == "HTTP/1.0" else ""
        asked = f"{method} / {version}\r\nHost: t\r\n{keep}\r\n".encode()
        expected = say(machine(stamp), asked, status, spelled(pairs, spelling), body, whole)
        assert say(kept, asked, status, spelled(pairs, spelling), body, whole) == expected
        if kept.phase is not Phase.IDLE:
            kept = machine(stamp)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.binary(max_size=2)), min_size=2, max_size=10))
def test_one_list_that_is_changed_between_answers(steps):
    stamp = Stamp("test", "now")
    kept = machine(stamp)
    fields: list[Any] = [(b"a", b"1"), [b"b", b"1"], (b"c", bytearray(b"1"))]
    for how, where, body in steps:
        value = b"%d" % how
        if how == 3:
            fields[where:] = [(b"abc"[where : where + 1], value)]
        while len(fields) <= where:
            fields.append((b"d", b"1"))
        pair = fields[where]
        if isinstance(pair, list):
            pair[1] = value
        elif isinstance(pair[1], bytearray):
            pair[1][:] = value
        else:
            fields[where] = (pair[0], value)
        assert say(kept, GET, "200 OK", fields, body, True) == say(machine(stamp), GET, "200 OK", fields, body, True)
