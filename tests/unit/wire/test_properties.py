"""What holds for any value, any message and any bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gunicorn.wire.errors import PayloadError, RefusedError
from gunicorn.wire.frames import Frame, FrameReader, Kind, encode_frame
from gunicorn.wire.limits import INT_MAX, INT_MIN
from gunicorn.wire.messages import Request, Response, decode_message, encode_message, read_route
from gunicorn.wire.values import RUN, decode, encode, leading

TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
INTS = st.integers(INT_MIN, INT_MAX)
SCALARS = st.one_of(st.none(), st.booleans(), INTS, st.floats(), st.binary(), TEXTS)
RUNS = st.one_of(st.lists(st.floats(), min_size=RUN), st.lists(INTS, min_size=RUN), st.lists(SCALARS, min_size=RUN))
VALUES = st.recursive(
    st.one_of(SCALARS, RUNS),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner), st.tuples(inner, inner)),
    max_leaves=30,
)
FRAMES = st.builds(Frame, st.sampled_from(Kind), st.integers(0, (1 << 64) - 1), st.binary(max_size=300))


def same(one: object, other: object) -> bool:
    """Equal, and of the same types; a tuple is as a list, NaN as NaN, and -0.0 is not 0.0."""
    if isinstance(one, list | tuple):
        return type(other) is list and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return type(other) is dict and list(one) == list(other) and all(map(same, one.values(), other.values()))
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or (one == other and math.copysign(1, one) == math.copysign(1, other))
    return type(one) is type(other) and one == other


@given(VALUES)
def test_values_there_and_back(value: object) -> None:
    written = b"".join(encode(value))
    assert same(value, decode(written))
    assert b"".join(encode(decode(written))) == written


@given(VALUES, st.data())
def test_one_byte_changed_is_refused_or_another_value(value: object, data: st.DataObject) -> None:
    written = bytearray(b"".join(encode(value)))
    place = data.draw(st.integers(0, len(written) - 1))
    written[place] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(written)
    except PayloadError:
        return
    assert b"".join(encode(other)) == written


@given(st.binary(max_size=200))
def test_nothing_but_payload_errors(data: bytes) -> None:
    for kind in Kind:
        for read in (decode, leading, read_route, lambda payload, kind=kind: decode_message(Frame(kind, 1, payload))):
            said = complaint(read, data)
            assert said is None or said.isprintable()


def complaint(read: Callable[[bytes], object], data: bytes) -> str | None:
    try:
        read(data)
    except PayloadError as error:
        return str(error)
    return None


UNCARRIED = st.sampled_from([{1}, 1j, object(), 1 << 63, -(1 << 63) - 1, "\ud800", range(2), int])


@given(VALUES, UNCARRIED, st.lists(st.one_of(st.integers(0, 3), TEXTS), max_size=6))
@example([], {1}, ["x", 3, "y"])
def test_the_path_of_a_refused_value_leads_to_it(beside: object, wrong: object, steps: list[int | str]) -> None:
    value: Any = wrong
    for step in reversed(steps):
        value = {"fine": beside, step: value} if isinstance(step, str) else [beside] * step + [value]
    with pytest.raises(RefusedError) as caught:
        encode(value)
    path = caught.value.path
    if "..." not in path:
        assert eval(path, {}, {"value": value}) is wrong


@given(st.lists(FRAMES, max_size=8), st.data())
def test_frames_however_they_arrive(frames: list[Frame], data: st.DataObject) -> None:
    whole = b"".join(piece for frame in frames for piece in encode_frame(frame.kind, frame.request_id, [frame.payload]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    reader = FrameReader()
    found: list[Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        piece = whole[start:end]
        if data.draw(st.booleans()):
            view = reader.buffer()
            count = min(len(view), len(piece))
            view[:count] = piece[:count]
            found += reader.received(count)
            piece = piece[count:]
        found += reader.receive(piece)
    assert found == frames
    assert reader.error is None
    assert not reader.partial


@settings(max_examples=50)
@given(
    *(TEXTS, TEXTS, st.lists(VALUES, max_size=3), st.dictionaries(TEXTS, VALUES, max_size=3)),
    *(st.one_of(st.none(), INTS), st.one_of(st.none(), INTS)),
)
def test_requests_there_and_back(
    app: str, action: str, args: list[Any], kwargs: dict[str, Any], deadline: int | None, window: int | None
) -> None:
    message = Request(app, action, args, kwargs, deadline, window)
    (frame,) = FrameReader().receive(b"".join(encode_message(message, 1)))
    assert same(list(message), list(decode_message(frame)))
    assert tuple(read_route(frame.payload)) == (app, action, deadline, window)


@given(VALUES)
def test_responses_there_and_back(value: object) -> None:
    (frame,) = FrameReader().receive(b"".join(encode_message(Response(value), 1)))
    message = decode_message(frame)
    assert isinstance(message, Response)
    assert same(value, message.result)
