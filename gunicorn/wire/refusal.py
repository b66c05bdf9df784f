"""Values that are no plain ones: what stands for them on the wire, and for what cannot travel the reason and its place.

The slow side of `values.encode`: asked only for a type the writer does not know, or once it has failed. Knows no bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Rational, Real
from typing import NamedTuple

from gunicorn.wire.errors import RefusedError
from gunicorn.wire.limits import INT_MAX, INT_MIN, MAX_DEPTH, MAX_ITEMS, MAX_PAYLOAD

_CARRIED = "None, bool, int, float, bytes, str, list and dict can"

_KEY_SIZE = 40
"""Characters of a key in a path, quotes included."""


class Unwritable(Exception):
    """The writer met a value that it cannot write; `refusal` finds out which and why. `overflow`: too many bytes."""

    def __init__(self, *, overflow: bool = False) -> None:
        self.overflow = overflow
        super().__init__(overflow)


class _Fault(NamedTuple):
    """Why a value is refused; `steps` lead to it, the innermost first."""

    rule: str
    detail: str
    steps: list[str]


def plain(item: object) -> object:
    """What stands for a value whose type is none of the carried ones: the same as one of those. Raises Unwritable.

    Subclasses lose what they add, numbers of other libraries become int or float where that loses nothing.
    """
    match item:
        case str():
            # Not str(): an enum with str in it calls itself by its name.
            return str.__str__(item)
        case int():
            return int.__index__(item)
        case float():
            return float.__float__(item)
        case bytes() | bytearray():
            return memoryview(item)
        case dict():
            return dict(item)
        case list() | tuple():
            return list(item)
        case Integral():
            return int(item)
        case Real() if not isinstance(item, Rational):
            number = float(item)
            if number == item or number != number:
                return number
    raise Unwritable


def texts(items: dict[object, object]) -> dict[str, object]:
    """A dict under the keys it has on the wire. Raises Unwritable where two keys would become one."""
    named = {_key(key): value for key, value in items.items()}
    if len(named) != len(items):
        raise Unwritable
    return named


def _key(key: object) -> str:
    return str.__str__(key) if isinstance(key, str) else str(key)


def refusal(fields: dict[str, object], room: int) -> RefusedError | None:
    """The first value, in the order of writing, that cannot be written within `room` containers; None where each can.

    Its path begins with the name of the field.
    """
    for name, value in fields.items():
        fault = _fault(value, room)
        if fault is not None:
            return RefusedError(fault.rule, name + "".join(reversed(fault.steps)), fault.detail)
    return None


def overflow(fields: dict[str, object]) -> RefusedError:
    """All fields together are more than a frame can hold."""
    return RefusedError("payload-size", " and ".join(fields), f"more than {MAX_PAYLOAD} bytes")


def _fault(value: object, room: int) -> _Fault | None:
    """What is wrong within a value that `room` containers may still enclose."""
    if type(value) not in (str, bytes, bytearray, memoryview, list, tuple, dict, int, float, bool, type(None)):
        try:
            value = plain(value)
        except Unwritable:
            return _Fault("type", f"{_named(value)} cannot travel ({_CARRIED})", [])
    match value:
        case bool():
            return None
        case int() if not INT_MIN <= value <= INT_MAX:
            return _Fault("int-range", f"an int of {value.bit_length()} bits; 64 with the sign can travel", [])
        case str():
            return _text_fault(value)
        case memoryview():
            return _view_fault(value)
        case list() | tuple() | dict():
            return _container_fault(value, room)
    return None


def _named(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"a value of type {name}"


def _text_fault(text: str) -> _Fault | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = f"U+{ord(text[error.start]):04X}"
        return _Fault("text", f"a str with the lone surrogate {code} at {error.start}, which UTF-8 has not", [])
    return None


def _view_fault(view: memoryview) -> _Fault | None:
    try:
        view.nbytes  # noqa: B018 - asking is the test
    except ValueError:
        return _Fault("type", "a memoryview that was released", [])
    return None


def _container_fault(value: list[object] | tuple[object, ...] | dict[object, object], room: int) -> _Fault | None:
    if not room:
        return _Fault("depth", f"more than {MAX_DEPTH} containers within each other, or one that holds itself", [])
    if len(value) > MAX_ITEMS:
        return _Fault("items", f"{len(value)} items in one {type(value).__name__}; {MAX_ITEMS} can travel", [])
    if isinstance(value, dict):
        clash = _clash(value)
        if clash is not None:
            return _Fault("key", f"two keys that both become {_cut(clash)}", [])
    for step, key_fault, inner in _steps(value):
        fault = key_fault or _fault(inner, room - 1)
        if fault is not None:
            fault.steps.append(step)
            return fault
    return None


def _steps(
    value: list[object] | tuple[object, ...] | dict[object, object],
) -> Iterable[tuple[str, _Fault | None, object]]:
    """(step in the path, what is wrong with the key, value) of each item."""
    if isinstance(value, dict):
        for key, inner in value.items():
            fault = _text_fault(_key(key))
            yield f"[{_cut(key)}]", fault and fault._replace(detail=f"its key is {fault.detail}"), inner
    else:
        for number, inner in enumerate(value):
            yield f"[{number}]", None, inner


def _clash(value: dict[object, object]) -> str | None:
    seen: set[str] = set()
    for key in map(_key, value):
        if key in seen:
            return key
        seen.add(key)
    return None


def _cut(key: object) -> str:
    """A key as Python writes it, not longer than a line can bear, and never an escape for a terminal."""
    shown = ascii(key)
    return shown if len(shown) <= _KEY_SIZE else f"{shown[: _KEY_SIZE - 3]}..."
