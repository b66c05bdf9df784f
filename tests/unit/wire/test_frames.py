"""Frames: the exact bytes, every way in which they can arrive, and headers that are none."""

from __future__ import annotations

import struct

import pytest

from gunicorn.wire.errors import FrameError
from gunicorn.wire.frames import (
    ANSWERING,
    ASKING,
    FIRST_ROOM,
    GROWTH,
    HEADER_SIZE,
    Frame,
    FrameReader,
    Kind,
    encode_frame,
)
from gunicorn.wire.limits import MAX_PAYLOAD
from gunicorn.wire.values import LARGE

SMALL = Frame(Kind.RESPONSE, 7, b"payload")
EMPTY = Frame(Kind.END, (1 << 64) - 1, b"")
LONG = Frame(Kind.CHUNK, 0, bytes(range(256)) * (5 * FIRST_ROOM // 256))


def written(*frames: Frame) -> bytes:
    return b"".join(b"".join(encode_frame(kind, number, [payload])) for kind, number, payload in frames)


def header(magic: bytes = b"GD", version: int = 1, kind: int = 1, length: int = 0, number: int = 5) -> bytes:
    return struct.pack(">2sBBIQ", magic, version, kind, length, number)


def read_into(reader: FrameReader, data: bytes, step: int = 1 << 30) -> list[Frame]:
    """As a socket would: no more than fits the buffer, no more than `step` at once."""
    frames: list[Frame] = []
    while data:
        view = reader.buffer()
        count = min(len(view), len(data), step)
        view[:count] = data[:count]
        frames += reader.received(count)
        data = data[count:]
    return frames


def test_the_bytes() -> None:
    assert encode_frame(Kind.REQUEST, 0x0102030405060708, [b"ab"]) == [
        b"GD\x01\x01\x00\x00\x00\x02\x01\x02\x03\x04\x05\x06\x07\x08ab"
    ]
    assert encode_frame(Kind.END, 3) == [b"GD\x01\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03"]


def test_long_payloads_are_not_copied() -> None:
    long = b"x" * LARGE
    assert encode_frame(Kind.CHUNK, 1, [long])[1] is long
    pieces = encode_frame(Kind.CHUNK, 1, [b"head", long, b"tail"])
    assert pieces[1] is long
    assert [len(piece) for piece in pieces] == [HEADER_SIZE + 4, LARGE, 4]
    assert FrameReader().receive(b"".join(pieces)) == [Frame(Kind.CHUNK, 1, b"head" + long + b"tail")]


def test_a_frame_is_passed_on_under_another_number() -> None:
    kind, _, payload = LONG
    pieces = encode_frame(kind, 99, [payload])
    assert pieces[1] is payload
    assert FrameReader().receive(b"".join(pieces)) == [LONG._replace(request_id=99)]


@pytest.mark.parametrize("step", [1, 3, 15, 16, 17, 100])
def test_any_split_of_small_frames(step: int) -> None:
    frames = [SMALL, EMPTY, SMALL, EMPTY, EMPTY, SMALL]
    data = written(*frames)
    reader = FrameReader()
    found = [frame for start in range(0, len(data), step) for frame in reader.receive(data[start : start + step])]
    assert found == frames
    assert read_into(FrameReader(), data, step) == frames
    assert not reader.partial


@pytest.mark.parametrize("step", [4097, FIRST_ROOM - 1, FIRST_ROOM, 3 * FIRST_ROOM, 1 << 30])
def test_any_split_of_long_frames(step: int) -> None:
    frames = [SMALL, LONG, EMPTY, LONG, SMALL]
    data = written(*frames)
    reader = FrameReader()
    assert [f for start in range(0, len(data), step) for f in reader.receive(data[start : start + step])] == frames
    assert read_into(FrameReader(), data, step) == frames


def test_both_doors_of_one_reader() -> None:
    data = written(LONG, SMALL)
    reader = FrameReader()
    assert reader.receive(data[:1000]) == []
    assert read_into(reader, data[1000 : FIRST_ROOM + 5]) == []
    assert reader.receive(data[FIRST_ROOM + 5 : -30]) == []
    assert read_into(reader, data[-30:]) == [LONG, SMALL]


def test_a_payload_belongs_to_whoever_gets_it() -> None:
    reader = FrameReader()
    (first,) = read_into(reader, written(LONG))
    kept = bytes(first.payload)
    assert read_into(reader, written(LONG._replace(payload=b"z" * len(kept))))
    assert first.payload == kept


def test_memory_follows_the_bytes_not_the_header() -> None:
    for door in (FrameReader.receive, read_into):
        reader = FrameReader()
        assert door(reader, header(length=MAX_PAYLOAD)) == []
        reader.buffer()
        assert reader.held == FIRST_ROOM
        arrived = 0
        for _ in range(40):
            door(reader, b"x" * 100_000)
            arrived += 100_000
            assert reader.held <= max(FIRST_ROOM, GROWTH * arrived)


def test_no_more_is_held_than_the_frame_has() -> None:
    reader = FrameReader()
    reader.receive(header(length=100) + b"x" * 99)
    assert reader.held == 100
    reader.receive(b"x" + header()[:5])
    assert reader.held == 5


def test_partial() -> None:
    reader = FrameReader()
    assert not reader.partial
    for byte in written(SMALL)[:-1]:
        reader.receive(bytes((byte,)))
        assert reader.partial
    reader.receive(written(SMALL)[-1:])
    assert not reader.partial


BAD = [
    (header(magic=b"XX"), "magic", None, "b'XX'"),
    (b"GET / HTTP/1.1\r\n", "magic", None, "b'GE'"),
    (header(version=2), "version", 5, "version 2"),
    (header(kind=0x77), "type", 5, "0x77"),
    (header(kind=0), "type", 5, "0x00"),
    (header(length=MAX_PAYLOAD + 1), "payload-size", 5, f"{MAX_PAYLOAD + 1}"),
]


@pytest.mark.parametrize(("data", "rule", "number", "words"), BAD)
def test_bad_headers(data: bytes, rule: str, number: int | None, words: str) -> None:
    for step in (1, 1000):
        reader = FrameReader()
        whole = written(SMALL) + data + written(SMALL)
        found = [frame for start in range(0, len(whole), step) for frame in reader.receive(whole[start : start + step])]
        assert found == [SMALL]
        assert reader.error is not None
        assert (reader.error.rule, reader.error.request_id) == (rule, number)
        assert words in str(reader.error)
        assert reader.held == 0


def test_an_error_is_the_end() -> None:
    reader = FrameReader()
    reader.receive(header(magic=b"XX"))
    error = reader.error
    assert reader.receive(written(SMALL)) == []
    assert read_into(reader, written(SMALL)) == []
    reader.receive_eof()
    assert reader.error is error


def test_each_side_is_sent_its_own_kinds() -> None:
    assert set(Kind) == ASKING | ANSWERING
    assert not ASKING & ANSWERING
    for kinds, other in ((ASKING, ANSWERING), (ANSWERING, ASKING)):
        for kind in kinds:
            assert FrameReader(kinds).receive(header(kind=kind)) == [Frame(kind, 5, b"")]
        for kind in other:
            reader = FrameReader(kinds)
            assert reader.receive(header(kind=kind)) == []
            assert isinstance(reader.error, FrameError)
            assert reader.error.rule == "type"


def test_a_limit_of_one_s_own() -> None:
    reader = FrameReader(limit=6)
    assert reader.receive(written(EMPTY, SMALL)) == [EMPTY]
    assert reader.error is not None
    assert str(reader.error) == "a payload of 7 bytes, more than 6 [payload-size]"


@pytest.mark.parametrize(
    ("data", "words", "number"),
    [
        (b"G", "after 1 of the 16 bytes of a header", None),
        (header(length=9) + b"abc", "after 3 of the 9 bytes of a payload", 5),
        (header(length=9), "after 0 of the 9 bytes of a payload", 5),
    ],
)
def test_a_stream_that_ends_within_a_frame(data: bytes, words: str, number: int | None) -> None:
    reader = FrameReader()
    reader.receive(written(SMALL) + data)
    reader.receive_eof()
    assert reader.error is not None
    assert reader.error.rule == "cut-short"
    assert words in str(reader.error)
    assert reader.error.request_id == number
    assert not reader.partial


def test_a_stream_that_ends_between_frames() -> None:
    reader = FrameReader()
    reader.receive(written(SMALL))
    reader.receive_eof()
    assert reader.error is None
