"""What cannot travel, and how its place is named; what stands for values of other types."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import numbers
from collections import Counter, OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest

from gunicorn.wire.errors import RefusedError
from gunicorn.wire.limits import INT_MAX, INT_MIN
from gunicorn.wire.values import decode, encode


class Colour(str, enum.Enum):  # noqa: UP042 - of those str() is not the value
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Octets(bytes):
    def __bytes__(self) -> bytes:
        return b"something else"


class Words(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Half(float):
    pass


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.RED, "red"),
        (Number.ONE, 1),
        (Octets(b"same"), b"same"),
        (Words("same"), "same"),
        (Half(0.5), 0.5),
        (Point(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, {1: [2]}), {"1": [2]}),
        (Counter("aab"), {"a": 2, "b": 1}),
        ({Colour.RED: 1, Number.ONE: 2, Words("w"): 3}, {"red": 1, "1": 2, "w": 3}),
    ],
)
def test_subclasses_travel_as_what_they_are(value: object, expected: object) -> None:
    again = decode(b"".join(encode(value)))
    assert again == expected
    assert type(again) is type(expected)


class Registered:
    """Calls itself a number, as those of numpy do."""

    def __init__(self, number: Any) -> None:
        self.number = number

    def __int__(self) -> int:
        return int(self.number)

    def __float__(self) -> float:
        return float(self.number)

    def __eq__(self, other: object) -> bool:
        return bool(self.number == other)

    __hash__ = None  # type: ignore[assignment]


def test_numbers_of_others() -> None:
    class Whole(Registered):
        pass

    class Real(Registered):
        pass

    numbers.Integral.register(Whole)
    numbers.Real.register(Real)
    assert decode(b"".join(encode([Whole(7), Real(0.25)]))) == [7, 0.25]
    # Written as a float it would be another number.
    with pytest.raises(RefusedError, match="cannot travel"):
        encode(Real((1 << 53) + 1))


CANNOT = [
    ({1, 2}, "value", "a value of type set cannot travel"),
    ([0, {"x": [1, 2, 3, object()]}], "value[1]['x'][3]", "type object"),
    ({"a": {"b": 1j}}, "value['a']['b']", "type complex"),
    ((decimal.Decimal(1),), "value[0]", "type decimal.Decimal"),
    ([fractions.Fraction(1, 2)], "value[0]", "type fractions.Fraction"),
    ([datetime.date(2020, 1, 1)], "value[0]", "type datetime.date"),
    (range(3), "value", "type range"),
    ({}.keys(), "value", "type dict_keys"),
    (len, "value", "type builtin_function_or_method"),
    (int, "value", "type type"),
    (INT_MAX + 1, "value", "an int of 64 bits; 64 with the sign can travel"),
    ([INT_MIN - 1], "value[0]", "int"),
    (["\ud800"], "value[0]", "lone surrogate U+D800 at 0"),
    ({"k\udfff": 1}, "value['k\\udfff']", "its key is a str with the lone surrogate U+DFFF at 1"),
    ({"x": {1: 1, "1": 2}}, "value['x']", "two keys that both become '1'"),
    ({"k" * 100: [set()]}, "value['" + "k" * 36 + "...][0]", "set"),
    ({"\x1b[31m": [set()]}, "value['\\x1b[31m'][0]", "set"),
    ({5: set()}, "value[5]", "set"),
]


@pytest.mark.parametrize(("value", "path", "detail"), CANNOT, ids=[row[2] for row in CANNOT])
def test_what_cannot_travel(value: object, path: str, detail: str) -> None:
    with pytest.raises(RefusedError) as caught:
        encode(value)
    assert caught.value.path == path
    assert detail in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_the_first_in_order_is_named() -> None:
    with pytest.raises(RefusedError) as caught:
        encode([{"fine": 1}, {"a": set()}, 1 << 64], "args")
    assert (caught.value.path, caught.value.rule) == ("args[1]['a']", "type")


def test_a_memoryview_that_was_released() -> None:
    view = memoryview(b"gone")
    view.release()
    with pytest.raises(RefusedError, match=r"value\[0\]: a memoryview that was released"):
        encode([view])


def test_an_error_of_the_value_s_own_code_is_not_hidden() -> None:
    class Mine(dict[str, int]):
        def keys(self) -> Any:
            raise LookupError("mine")

        def __iter__(self) -> Any:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        encode(Mine(a=1))
