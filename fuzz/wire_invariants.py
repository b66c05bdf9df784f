"""What must hold for every byte stream to the pool for heavy work; a `Finding` is raised where it does not.

Knows frames, values and messages, and a reader of values of its own, slow and plain. The engine knows nothing of it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from fuzz.invariants import Finding
from gunicorn.wire.errors import PayloadError
from gunicorn.wire.frames import FIRST_ROOM, GROWTH, HEADER_SIZE, Frame, FrameReader, Kind
from gunicorn.wire.limits import MAX_DEPTH, MAX_ITEMS
from gunicorn.wire.messages import (
    Chunk,
    End,
    Failure,
    Manage,
    ManageOp,
    Message,
    Request,
    Response,
    Stash,
    StashOp,
    Status,
    decode_message,
    encode_message,
    read_route,
)
from gunicorn.wire.values import RUN, decode, encode, leading
from tests.support import corpus

LIMIT = 16 * 1024


class Verdict(NamedTuple):
    """What a reader made of a stream."""

    frames: list[Frame]
    error: str
    partial: bool


def check_wire(data: bytes) -> str:
    """All invariants on a stream, and on its bytes as one payload; returns the signature of both."""
    verdict = ending(FrameReader(limit=LIMIT), corpus.whole(data))
    check_splits(data, verdict)
    check_held(data)
    kinds = [f"{frame.kind.name} {check_frame(frame)}" for frame in verdict.frames[:4]]
    return f"{kinds} {verdict.error} {verdict.partial} {check_payload(data)}"


def ending(reader: FrameReader, pieces: list[bytes]) -> Verdict:
    """Everything, up to the end of the stream."""
    frames = [frame for piece in pieces for frame in reader.receive(piece)]
    partial = reader.partial
    reader.receive_eof()
    return Verdict(frames, str(reader.error), partial)


def read_into(reader: FrameReader, pieces: list[bytes]) -> Verdict:
    """The same through the door of sockets."""
    frames: list[Frame] = []
    for piece in pieces:
        while piece:
            view = reader.buffer()
            count = min(len(view), len(piece))
            view[:count] = piece[:count]
            frames += reader.received(count)
            piece = piece[count:]
    partial = reader.partial
    reader.receive_eof()
    return Verdict(frames, str(reader.error), partial)


def check_splits(data: bytes, whole: Verdict) -> None:
    """How the bytes arrive changes nothing."""
    if not data:
        return
    seed = zlib.adler32(data)
    ways = [corpus.whole(data), corpus.shuffled(data, seed), corpus.bytewise(data)]
    for way in ways:
        for read in (ending, read_into):
            other = read(FrameReader(limit=LIMIT), way)
            if other != whole:
                raise Finding(f"depends on the split {[len(piece) for piece in way][:50]}: {whole} / {other}")


def check_held(data: bytes) -> None:
    """Memory follows what has arrived, not what is announced."""
    reader = FrameReader()
    arrived = 0
    for start in range(0, len(data), 512):
        piece = data[start : start + 512]
        reader.receive(piece)
        arrived += len(piece)
        if reader.held > max(FIRST_ROOM, GROWTH * arrived):
            raise Finding(f"{reader.held} bytes kept for {arrived}")


def check_frame(frame: Frame) -> str:
    """A message that is understood is written as one that is understood in the same way."""
    try:
        message = decode_message(frame)
    except PayloadError as error:
        check_payload(bytes(frame.payload))
        return error.rule
    written = b"".join(encode_message(message, frame.request_id))
    (again,) = FrameReader().receive(written)
    if again.request_id != frame.request_id or spelled(decode_message(again)) != spelled(message):
        raise Finding(f"not the same message: {message} / {again}")
    if isinstance(message, Request):
        route = read_route(frame.payload)
        if (route.app_path, route.action) != (message.app_path, message.action):
            raise Finding(f"another route: {route} / {message}")
    return type(message).__name__


def spelled(message: Message) -> bytes:
    """A message in bytes: NaN is not equal to itself."""
    return b"".join(encode_message(message, 0))


def check_payload(data: bytes) -> str:
    """Two readers see the same value, and its only spelling is what was read."""
    rule, value = verdict_of(decode, data)
    plain_rule, plain = verdict_of(plain_reader, data)
    if bool(rule) != bool(plain_rule):
        raise Finding(f"accepted by one reader alone: {rule or 'accepted'} / {plain_rule or 'accepted'}")
    if not rule:
        written = b"".join(encode(value))
        if written != data or b"".join(encode(plain)) != data:
            raise Finding(f"not the bytes that were read: {data!r} / {written!r}")
        if type(value) is dict:
            scalars = (type(None), bool, int, float, str)
            expected: dict[str, Any] = {}
            for key, one in value.items():
                if type(one) not in scalars:
                    break
                expected[key] = one
            if encode(leading(data)) != encode(expected):
                raise Finding(f"other leading fields: {leading(data)} / {expected}")
    else:
        verdict_of(leading, data)
    return rule or type(value).__name__


def verdict_of(read: Callable[[bytes], Any], data: bytes) -> tuple[str, Any]:
    """(rule that refuses, value)."""
    try:
        return "", read(data)
    except PayloadError as error:
        return error.rule, None


def plain_reader(data: bytes) -> Any:
    """The rules in the plainest words. Raises PayloadError, whose rule is nobody's."""
    value, end = _plain(data, 0, 0)
    if end != len(data):
        raise PayloadError("plain", "trailing")
    return value


def _plain(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    tag = _take(data, at, 1)[0]
    at += 1
    if tag == 0x00:
        return None, at
    if tag == 0x01:
        flag = _take(data, at, 1)[0]
        if flag > 1:
            raise PayloadError("plain", "bool")
        return flag == 1, at + 1
    if tag == 0x05:
        return int.from_bytes(_take(data, at, 8), signed=True), at + 8
    if tag == 0x06:
        return struct.unpack(">d", _take(data, at, 8))[0], at + 8
    if tag not in (0x10, 0x11, 0x20, 0x21):
        raise PayloadError("plain", "tag")
    size = int.from_bytes(_take(data, at, 4))
    at += 4
    if tag == 0x10:
        return _take(data, at, size), at + size
    if tag == 0x11:
        try:
            return _take(data, at, size).decode(), at + size
        except UnicodeDecodeError:
            raise PayloadError("plain", "text") from None
    if depth >= MAX_DEPTH or size > MAX_ITEMS:
        raise PayloadError("plain", "container")
    return (_plain_list if tag == 0x20 else _plain_dict)(data, at, size, depth + 1)


def _plain_list(data: bytes, at: int, count: int, depth: int) -> tuple[list[Any], int]:
    items = []
    for _ in range(count):
        item, at = _plain(data, at, depth)
        items.append(item)
    return items, at


def _plain_dict(data: bytes, at: int, count: int, depth: int) -> tuple[dict[str, Any], int]:
    record: dict[str, Any] = {}
    for _ in range(count):
        key, at = _plain(data, at, depth)
        if type(key) is not str or key in record:
            raise PayloadError("plain", "key")
        record[key], at = _plain(data, at, depth)
    return record, at


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise PayloadError("plain", "cut short")
    return data[at : at + size]


def seed_streams() -> list[bytes]:
    """Frames and payloads that mean something."""
    values: list[object] = [
        None,
        [True, False, -1, 1.5, b"raw", "text €"],
        {"a": {"b": [{"c": {}}, []]}, "d": None},
        [float(number) for number in range(40)],
        list(range(40)),
        [[[[[[]]]]]],
    ]
    messages: list[Message] = [
        Request("m:App", "act", [1, b"x" * 300, [2.5] * 20], {"k": {"n": None}}),
        Request("m:App", "act", [], {}, 10**18, 65536),
        Response({"error": [1, 2]}),
        Failure("DirtyAppError", "bad", {"traceback": "x", "action": "act"}),
        Chunk("two"),
        End(),
        Stash(StashOp.PUT, "t", "k", {"op": 5}, ttl=2.5),
        Stash(StashOp.COMPARE_AND_SET, "t", "k", 2, expected=1),
        Status(),
        Manage(ManageOp.ADD, 2),
    ]
    frames = [b"".join(encode_message(message, number)) for number, message in enumerate(messages)]
    return [*(b"".join(encode(value)) for value in values), *frames, b"".join(frames)]


def dictionary() -> list[bytes]:
    """Tags, headers and names that readers stumble over."""
    sizes = (0, 1, 2, 16, 17, MAX_ITEMS, MAX_ITEMS + 1, 0xFFFFFFFF)
    tagged = [struct.pack(">BI", tag, size) for tag in (0x10, 0x11, 0x20, 0x21) for size in sizes]
    headers = [struct.pack(">2sBBIQ", b"GD", 1, kind, size, 1) for kind in Kind for size in (0, 5, LIMIT + 1)]
    names = ("app_path", "action", "args", "kwargs", "result", "data", "error", "op", "table", "window", "deadline_ns")
    numbers = [tag + bytes(8) for tag in (b"\x05", b"\x06")]
    assert all(len(one) == HEADER_SIZE for one in headers)
    return [
        *tagged,
        *headers,
        *(b"".join(encode(name)) for name in names),
        *numbers,
        *(number * RUN for number in numbers),
        b"\x20\x00\x00\x00\x01" * MAX_DEPTH,
        *(b"\x00", b"\x01\x00", b"\x01\x02", b"\xed\xa0\x80", b"GD", b"\x06\x7f\xf0\x00\x00\x00\x00\x00\x01"),
    ]
