"""Values: the exact bytes of each tag, what is copied, and what bytes are refused."""

from __future__ import annotations

import array
import struct
from collections.abc import Callable
from typing import Any

import pytest

from gunicorn.wire.errors import PayloadError, RefusedError, WireError
from gunicorn.wire.limits import INT_MAX, INT_MIN, MAX_DEPTH, MAX_ITEMS, MAX_PAYLOAD
from gunicorn.wire.values import DICT, LARGE, LIST, RUN, STR, decode, encode, encode_record, leading


def written(value: object) -> bytes:
    return b"".join(encode(value))


def sized(tag: int, size: int, rest: bytes = b"") -> bytes:
    return struct.pack(">BI", tag, size) + rest


PLAIN = [
    (None, "00"),
    (False, "0100"),
    (True, "0101"),
    (0, "050000000000000000"),
    (1, "050000000000000001"),
    (-1, "05ffffffffffffffff"),
    (INT_MAX, "057fffffffffffffff"),
    (INT_MIN, "058000000000000000"),
    (-2.5, "06c004000000000000"),
    (b"", "1000000000"),
    (b"raw", "1000000003726177"),
    ("", "1100000000"),
    ("txt€", "1100000006747874e282ac"),
    ([], "2000000000"),
    ([None, [3]], "200000000200" + "2000000001050000000000000003"),
    ({}, "2100000000"),
    ({"k": 2}, "210000000111000000016b050000000000000002"),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN)
def test_each_tag(value: object, expected: str) -> None:
    assert written(value).hex() == expected
    again = decode(bytes.fromhex(expected))
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), -0.0, 5e-324])
def test_floats_keep_every_bit(value: float) -> None:
    assert struct.pack(">d", decode(written(value))) == struct.pack(">d", value)
    assert struct.pack(">d", decode(written([value] * RUN))[-1]) == struct.pack(">d", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        ({1: "x", None: "y", 2.5: 0}, {"1": "x", "None": "y", "2.5": 0}),
        (bytearray(b"ba"), b"ba"),
        (memoryview(b"mv"), b"mv"),
        (memoryview(b"abcdef")[::2], b"ace"),
        (memoryview(b"abcdef").cast("B", (2, 3)), b"abcdef"),
        (memoryview(array.array("i", [1, 2])), array.array("i", [1, 2]).tobytes()),
        (memoryview(b""), b""),
        (memoryview(b"a").cast("B", ()), b"a"),
    ],
)
def test_what_stands_for_something_else(value: object, expected: object) -> None:
    assert decode(written(value)) == expected


@pytest.mark.parametrize("count", [RUN - 1, RUN, RUN + 1, 1000])
@pytest.mark.parametrize("make", [float, int, lambda n: n - 0.5 if n else 7, lambda n: n if n else True], ids=repr)
def test_lists_of_numbers(count: int, make: Callable[[int], Any]) -> None:
    """By columns or one by one, the bytes are those of each item after the other."""
    numbers = [make(number) for number in range(count)]
    assert written(numbers) == sized(LIST, count, b"".join(map(written, numbers)))
    again = decode(written(numbers))
    assert again == numbers
    assert list(map(type, again)) == list(map(type, numbers))


def test_a_run_of_ints_with_one_too_large() -> None:
    with pytest.raises(RefusedError) as caught:
        encode([1] * RUN + [1 << 63])
    assert caught.value.path == f"value[{RUN}]"


def test_long_buffers_are_not_copied() -> None:
    long = b"x" * LARGE
    view = memoryview(bytearray(b"y" * LARGE))
    pieces = encode(["before", long, 1, view, "after"])
    assert [piece is long or piece is view for piece in pieces] == [False, True, False, True, False]
    assert decode(b"".join(pieces)) == ["before", long, 1, view.tobytes(), "after"]
    assert len(encode([b"x" * (LARGE - 1), "y"])) == 1


def test_long_buffers_at_the_end_leave_nothing_behind() -> None:
    assert [len(piece) for piece in encode(b"x" * LARGE)] == [5, LARGE]
    assert [len(piece) for piece in encode("é" * LARGE)] == [5, 2 * LARGE]
    assert b"".join(encode(["é" * LARGE, None]))[-1:] == b"\x00"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("size", [10, LARGE])
def test_any_buffer_is_read(kind: Callable[[bytes], Any], size: int) -> None:
    value = {"long": b"x" * size, "text": "ä" * size, "numbers": [float(size)] * RUN}
    again = decode(kind(written(value)))
    assert again == value
    assert type(again["long"]) is bytes


def test_reading_may_begin_behind_a_head() -> None:
    assert decode(b"head" + written([1]), 4) == [1]
    assert decode(b"head" + written([1]), 4, MAX_DEPTH - 1) == [1]
    with pytest.raises(PayloadError, match="depth"):
        decode(b"head" + written([1]), 4, MAX_DEPTH)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth() -> None:
    deepest = written(nested(MAX_DEPTH))
    assert decode(deepest) == nested(MAX_DEPTH)
    with pytest.raises(RefusedError, match="depth"):
        encode(nested(MAX_DEPTH + 1))
    with pytest.raises(PayloadError, match="depth"):
        decode(sized(LIST, 1, deepest))


def test_a_million_levels_are_refused_at_the_first_too_many() -> None:
    with pytest.raises(PayloadError, match=f"at byte {5 * MAX_DEPTH} "):
        decode(sized(LIST, 1) * 1_000_000)


def test_a_container_that_holds_itself() -> None:
    circle: dict[str, Any] = {}
    circle["self"] = [circle, circle]
    with pytest.raises(RefusedError, match=r"value\['self'\]\[0\]\['self'\].*holds itself"):
        encode(circle)


def test_items() -> None:
    assert len(decode(written([None] * MAX_ITEMS))) == MAX_ITEMS
    with pytest.raises(RefusedError, match="items"):
        encode([None] * (MAX_ITEMS + 1))
    with pytest.raises(PayloadError, match="items"):
        decode(sized(LIST, MAX_ITEMS + 1, bytes(MAX_ITEMS + 1)))


def test_what_is_shared_over_and_over_ends_at_the_size_of_a_frame() -> None:
    """Eight levels of a hundred times the same are 10**16 items."""
    value: object = "x" * 1000
    for _ in range(8):
        value = [value] * 100
    with pytest.raises(RefusedError, match=f"value: more than {MAX_PAYLOAD} bytes"):
        encode(value)


@pytest.mark.parametrize("value", [b"x" * (MAX_PAYLOAD + 1), memoryview(b"x" * (MAX_PAYLOAD + 1)), b"x" * MAX_PAYLOAD])
def test_more_than_a_frame_holds(value: object) -> None:
    with pytest.raises(RefusedError, match="payload-size"):
        encode(value)


def test_as_much_as_a_frame_holds() -> None:
    assert sum(map(len, encode(b"x" * (MAX_PAYLOAD - 5)))) == MAX_PAYLOAD


BAD = [
    ("no tag", b"", "cut-short"),
    ("unknown tag", b"\x02", "tag"),
    ("unknown tag within", sized(LIST, 2, b"\x00\xff"), "tag"),
    ("trailing", b"\x00\x00", "trailing"),
    ("trailing list", sized(LIST, 0, b"\x00"), "trailing"),
    ("bool", b"\x01\x02", "bool"),
    ("text", sized(STR, 2, b"\xc3("), "text"),
    ("surrogate", sized(STR, 3, b"\xed\xa0\x80"), "text"),
    ("int key", sized(DICT, 1, written(1) + b"\x00"), "key"),
    ("key twice", sized(DICT, 2, (written("k") + b"\x00") * 2), "key"),
    ("list as key", sized(DICT, 1, written([]) + b"\x00"), "key"),
    ("items that cannot be there", sized(LIST, 1000, b"\x00" * 999), "cut-short"),
    ("entries that cannot be there", sized(DICT, 200, b"\x00" * 1199), "cut-short"),
    ("4 GiB of text", sized(STR, 0xFFFFFFFF, b"x" * 100), "cut-short"),
    ("4 GiB of items", sized(LIST, 0xFFFFFFFF), "items"),
]


@pytest.mark.parametrize(("data", "rule"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_bytes(data: bytes, rule: str) -> None:
    for form in (data, bytearray(data), memoryview(data)):
        with pytest.raises(PayloadError) as caught:
            decode(form)
        assert caught.value.rule == rule
        assert isinstance(caught.value, WireError)


@pytest.mark.parametrize(
    "value", [[1, "two", b"three", None, {"x": [True]}], [1.5] * RUN, [1] * RUN + ["end"]], ids=str
)
def test_every_beginning_is_cut_short(value: object) -> None:
    whole = written(value)
    for size in range(len(whole)):
        with pytest.raises(PayloadError) as caught:
            decode(whole[:size])
        assert caught.value.rule == "cut-short"


def test_errors_name_the_place() -> None:
    with pytest.raises(PayloadError) as caught:
        decode(sized(LIST, 2, b"\x00\x99"))
    assert (caught.value.offset, str(caught.value)) == (6, "no value has the tag 0x99, seen at byte 6 [tag]")


def test_a_record_with_a_head() -> None:
    head = sized(DICT, 2) + written("a") + written(1)
    assert decode(b"".join(encode_record(head, ("b", [2]), {"b": [2]}))) == {"a": 1, "b": [2]}
    with pytest.raises(RefusedError) as caught:
        encode_record(head, ("b", [{2}]), {"b": [{2}]})
    assert caught.value.path == "b[0]"
    assert len(encode_record(head, ("b", nested(MAX_DEPTH - 1)), {"b": None})) == 1
    with pytest.raises(RefusedError, match="depth"):
        encode_record(head, ("b", nested(MAX_DEPTH)), {"b": nested(MAX_DEPTH)})


def test_leading_fields() -> None:
    record = {"a": "x", "b": 1, "c": None, "d": 2.5, "e": False, "list": [1], "f": 3}
    assert leading(written(record)) == {"a": "x", "b": 1, "c": None, "d": 2.5, "e": False}
    assert leading(bytearray(written({"a": "x", "raw": b"x" * LARGE, "b": 1}))) == {"a": "x"}
    assert leading(written({"a": 1})) == {"a": 1}
    assert leading(written({})) == {}


def test_what_follows_the_leading_fields_is_not_read() -> None:
    whole = written({"a": "x", "list": [1, 2, 3]})
    assert leading(whole[:-20]) == {"a": "x"}


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "cut-short"),
        (b"\x00", "record"),
        (written([1]), "record"),
        (sized(DICT, 1, written(1) + b"\x00"), "key"),
        (sized(DICT, 1, b"\x11\x00"), "cut-short"),
        (sized(DICT, 1, sized(STR, 1, b"\xff") + b"\x00"), "text"),
        (sized(DICT, 1, written("k") + b"\x07"), "tag"),
        (sized(DICT, MAX_ITEMS + 1), "items"),
    ],
)
def test_leading_fields_of_what_is_no_record(data: bytes, rule: str) -> None:
    for form in (data, bytearray(data)):
        with pytest.raises(PayloadError) as caught:
            leading(form)
        assert caught.value.rule == rule
