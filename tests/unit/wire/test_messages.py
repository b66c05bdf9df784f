"""Messages: the bytes the peer writes, every message there and back, and payloads that are no message."""

from __future__ import annotations

from typing import Any

import pytest

from gunicorn.wire.errors import PayloadError, RefusedError
from gunicorn.wire.frames import Frame, FrameReader, Kind
from gunicorn.wire.limits import MAX_DEPTH
from gunicorn.wire.messages import (
    ABSENT,
    SHAPES,
    Cancel,
    Chunk,
    Credit,
    End,
    Failure,
    Manage,
    ManageOp,
    Message,
    Request,
    Response,
    Route,
    Stash,
    StashOp,
    Status,
    decode_message,
    encode_message,
    read_route,
)
from gunicorn.wire.values import LARGE, encode


def payload(value: object) -> bytes:
    return b"".join(encode(value))


def read(data: bytes) -> Frame:
    (frame,) = FrameReader().receive(data)
    return frame


def there_and_back(message: Message) -> Message:
    frame = read(b"".join(encode_message(message, 42)))
    assert frame.request_id == 42
    return decode_message(frame)


PEER_REQUEST = (
    b"GD\x01\x01\x00\x00\x00y0\xea\xecP\xd1\x84j\xe4!\x00\x00\x00\x04"
    b"\x11\x00\x00\x00\x08app_path\x11\x00\x00\x00\x05m:App\x11\x00\x00\x00\x06action\x11\x00\x00\x00\x03act"
    b"\x11\x00\x00\x00\x04args\x20\x00\x00\x00\x03\x05\x00\x00\x00\x00\x00\x00\x00\x01\x10\x00\x00\x00\x03raw"
    b"\x11\x00\x00\x00\x06txt\xe2\x82\xac"
    b"\x11\x00\x00\x00\x06kwargs\x21\x00\x00\x00\x01\x11\x00\x00\x00\x02kw\x05\x00\x00\x00\x00\x00\x00\x00\x01"
)
"""As a client of the peer wrote them on a socket; the same for the answers of its server below."""

PEER_RESPONSE = (
    b"GD\x01\x02\x00\x00\x00\x1e\x00\x00\x00\x00\x00\x00\x00\x07"
    b"!\x00\x00\x00\x01\x11\x00\x00\x00\x06result \x00\x00\x00\x01\x05\x00\x00\x00\x00\x00\x00\x00\x01"
)
PEER_CHUNK = (
    b"GD\x01\x04\x00\x00\x00\x16\x00\x00\x00\x00\x00\x00\x00\x07"
    b"!\x00\x00\x00\x01\x11\x00\x00\x00\x04data\x11\x00\x00\x00\x03two"
)
PEER_ERROR = (
    b"GD\x01\x03\x00\x00\x00\x9c\x00\x00\x00\x00\x00\x00\x00\x07!\x00\x00\x00\x01\x11\x00\x00\x00\x05error"
    b"!\x00\x00\x00\x03\x11\x00\x00\x00\nerror_type\x11\x00\x00\x00\x1cDirtyNoWorkersAvailableError"
    b"\x11\x00\x00\x00\x07message\x11\x00\x00\x00!No workers available for app: x:Y"
    b"\x11\x00\x00\x00\x07details!\x00\x00\x00\x01\x11\x00\x00\x00\x08app_path\x11\x00\x00\x00\x03x:Y"
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PEER_REQUEST, Request("m:App", "act", [1, b"raw", "txt€"], {"kw": 1})),
        (PEER_RESPONSE, Response([1])),
        (PEER_CHUNK, Chunk("two")),
        (
            PEER_ERROR,
            Failure("DirtyNoWorkersAvailableError", "No workers available for app: x:Y", {"app_path": "x:Y"}),
        ),
    ],
)
def test_the_peer_s_bytes(data: bytes, message: Message) -> None:
    frame = read(data)
    assert decode_message(frame) == message
    assert b"".join(encode_message(message, frame.request_id)) == data


MESSAGES: list[Message] = [
    Request("m:App", "act", [], {}),
    Request("m:App", "act", [1, [2]], {"a": {"b": None}}, deadline_ns=10**18, window=65536),
    Request("m:App", "act", [], {}, window=0),
    Response(None),
    Response({"error": "a value stays a value"}),
    Failure("DirtyError", "", {}),
    Failure("DirtyAppError", "bad", {"traceback": "…"}),
    Chunk({"data": [1]}),
    End(),
    Stash(StashOp.PUT, "t", "k", {"op": 5}),
    Stash(StashOp.GET, "t", "k"),
    Stash(StashOp.KEYS, "t", pattern="k*"),
    Stash(StashOp.TABLES, ""),
    Stash(StashOp.INCR, "t", "k", amount=-2.5, initial=7, ttl=10),
    Stash(StashOp.TTL, "t", "k"),
    Stash(StashOp.COMPARE_AND_SET, "t", "k", 2, expected=1),
    Stash(StashOp.COMPARE_AND_SET, "t", "k", 2, expected=None),
    Stash(StashOp.COMPARE_AND_SET, "t", "k", 2),
    Status(),
    Manage(ManageOp.ADD, 3),
    Manage(ManageOp.REMOVE, 1, app="m:App"),
    Cancel(),
    Credit(4096),
]


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_there_and_back(message: Message) -> None:
    assert there_and_back(message) == message


def test_every_kind_has_a_shape_and_a_message() -> None:
    assert set(SHAPES) == set(Kind)
    assert {type(message) for message in MESSAGES} == {shape.message for shape in SHAPES.values()}


def test_nothing_of_ours_is_written_unless_it_is_used() -> None:
    for message, keys in (
        (Request("a", "b", [], {}), {"app_path", "action", "args", "kwargs"}),
        (Stash(StashOp.GET, "t", "k"), {"op", "table", "key"}),
        (Manage(ManageOp.ADD, 1), {"op", "count"}),
    ):
        frame = read(b"".join(encode_message(message, 1)))
        ours = {name for name, field in SHAPES[frame.kind].fields.items() if field.ours}
        assert ours
        for name in ours:
            assert name.encode() not in frame.payload
        for name in keys:
            assert name.encode() in frame.payload


def test_what_was_not_sent_is_not_none() -> None:
    found = there_and_back(Stash(StashOp.COMPARE_AND_SET, "t", "k", 1))
    assert isinstance(found, Stash)
    assert found.expected is ABSENT
    found = there_and_back(Stash(StashOp.COMPARE_AND_SET, "t", "k", 1, expected=None))
    assert isinstance(found, Stash)
    assert found.expected is None


def test_optional_fields_may_be_none() -> None:
    record = {"op": 2, "table": "t", "key": None, "pattern": None, "ttl": None}
    assert decode_message(Frame(Kind.STASH, 1, payload(record))) == Stash(StashOp.GET, "t")


def test_one_depth_for_both_sides() -> None:
    value: list[Any] = []
    for _ in range(MAX_DEPTH - 2):
        value = [value]
    for message in (Response(value), Chunk(value), Stash(StashOp.PUT, "t", "k", value)):
        assert there_and_back(message) == message
    for message in (Response([value]), Chunk([value]), Stash(StashOp.PUT, "t", "k", [value])):
        with pytest.raises(RefusedError, match="depth"):
            encode_message(message, 1)
    for kind, name in ((Kind.RESPONSE, "result"), (Kind.CHUNK, "data")):
        head = payload({name: None})[:-1]
        with pytest.raises(PayloadError, match="depth"):
            decode_message(Frame(kind, 1, head + payload([value])))


def test_unknown_fields_are_skipped() -> None:
    record = {"new": [1], "app_path": "a", "action": "b", "args": [], "kwargs": {}}
    assert decode_message(Frame(Kind.REQUEST, 1, payload(record))) == Request("a", "b", [], {})
    assert decode_message(Frame(Kind.RESPONSE, 1, payload({"new": 1, "result": 2}))) == Response(2)
    assert decode_message(Frame(Kind.END, 1, b"whatever")) == End()


def test_long_arguments_and_results_are_not_copied() -> None:
    long = b"x" * LARGE
    for message in (Request("a", "b", [long], {}), Response(long), Chunk([long])):
        assert any(piece is long for piece in encode_message(message, 1))


PLAIN: dict[str, Any] = {"app_path": "a", "action": "b", "args": [], "kwargs": {}}


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Kind.REQUEST, [1], "a request that is no dict"),
        (Kind.REQUEST, {}, "a request without app_path"),
        (Kind.REQUEST, {**PLAIN, "app_path": 5}, "app_path of a request is int, not str"),
        (Kind.REQUEST, {**PLAIN, "args": {}}, "args of a request is dict, not list"),
        (Kind.REQUEST, {**PLAIN, "kwargs": None}, "kwargs of a request is NoneType, not dict"),
        (Kind.REQUEST, {**PLAIN, "deadline_ns": 1.5}, "deadline_ns of a request is float, not int"),
        (Kind.REQUEST, {**PLAIN, "window": True}, "window of a request is bool, not int"),
        (Kind.RESPONSE, {}, "a response without result"),
        (Kind.RESPONSE, None, "a response that is no dict"),
        (Kind.CHUNK, {"result": 1}, "a chunk without data"),
        (Kind.ERROR, {"error": "text"}, "an error that is no dict"),
        (Kind.ERROR, {"error_type": "x", "message": "", "details": {}}, "an error that is no dict"),
        (Kind.ERROR, {"error": {"error_type": "x", "message": ""}}, "an error without details"),
        (Kind.STASH, {"op": 99, "table": "t"}, "unknown stash operation: 99"),
        (Kind.STASH, {"op": "put", "table": "t"}, "op of a stash is str, not int"),
        (Kind.STASH, {"op": 1}, "a stash without table"),
        (Kind.STASH, {"op": 1, "table": "t", "ttl": "1"}, "ttl of a stash is str, not int or float"),
        (Kind.MANAGE, {"op": 0, "count": 1}, "unknown manage operation: 0"),
        (Kind.MANAGE, {"op": 1, "count": 1.0}, "count of a manage is float, not int"),
        (Kind.CREDIT, {}, "a credit without size"),
    ],
)
def test_payloads_that_are_no_message(kind: Kind, value: object, words: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decode_message(Frame(kind, 1, payload(value)))
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", [kind for kind, shape in SHAPES.items() if shape.fields])
@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"!\x00\x00\x00\x01\x11", b"\x00\x00"])
def test_payloads_that_are_no_value(kind: Kind, data: bytes) -> None:
    with pytest.raises(PayloadError):
        decode_message(Frame(kind, 1, data))


@pytest.mark.parametrize(
    "head", [b"!\x00\x00\x00\x01\x11\x00\x00\x00\x06result", b"!\x00\x00\x00\x01\x11\x00\x00\x00\x04data"]
)
def test_a_head_without_its_value(head: bytes) -> None:
    kind = Kind.RESPONSE if b"result" in head else Kind.CHUNK
    with pytest.raises(PayloadError, match="cut-short"):
        decode_message(Frame(kind, 1, head))
    with pytest.raises(PayloadError, match="trailing"):
        decode_message(Frame(kind, 1, head + b"\x00\x00"))


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (Request("a", "b", [{"x": [1, 2, 3, {4}]}], {}), "args[0]['x'][3]"),
        (Request("a", "b", [], {"x": 1 << 63}), "kwargs['x']"),
        (Request("a", "b", [], {"x": object()}, deadline_ns=5), "kwargs['x']"),
        (Request("a\ud800", "b", [], {}), "app_path"),
        (Request("a", "b\ud800", [], {}), "action"),
        (Request("a", "b", [], {}, deadline_ns=1 << 64), "deadline_ns"),
        (Response({1: {2}}), "result[1]"),
        (Chunk([{2}]), "data[0]"),
        (Stash(StashOp.PUT, "t", "k", [{2}]), "value[0]"),
        (Failure("x", "", {"y": {2}}), "error['details']['y']"),
        (Request("a", "b", [bytes(1 << 26)], {}), "args and kwargs"),
    ],
)
def test_values_that_cannot_travel(message: Message, path: str) -> None:
    with pytest.raises(RefusedError) as caught:
        encode_message(message, 1)
    assert caught.value.path == path


def test_the_route_of_a_request() -> None:
    assert read_route(read(PEER_REQUEST).payload) == Route("m:App", "act", None, None)
    ours = read(b"".join(encode_message(Request("m:App", "act", [1], {}, 5, 6), 1)))
    assert read_route(ours.payload) == Route("m:App", "act", 5, 6)


def test_the_route_needs_none_of_the_arguments() -> None:
    whole = payload({"app_path": "a", "action": "b", "args": list(range(100)), "kwargs": {}})
    assert read_route(whole[:-500]) == Route("a", "b", None, None)
    assert read_route(bytearray(whole)) == Route("a", "b", None, None)


@pytest.mark.parametrize("first", ["args", "kwargs", "new"])
def test_the_route_behind_the_arguments(first: str) -> None:
    record = {first: {"args": [1], "kwargs": {}, "new": b"x"}[first], **PLAIN, "window": 3}
    assert read_route(payload(record)) == Route("a", "b", None, 3)


@pytest.mark.parametrize(
    "value",
    [None, [], {}, {"app_path": "a"}, {**PLAIN, "app_path": None}, {"app_path": 1, "action": "b"}, {"args": [1]}],
)
def test_a_request_without_a_route(value: object) -> None:
    with pytest.raises(PayloadError):
        read_route(payload(value))
