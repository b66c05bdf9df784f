"""Values as bytes, a tag before each (TLV): None, bool, int, float, bytes, str, list, dict, and nothing else.

One pass in each direction, bounds first. Long bytes are not copied when they are written, and once when they are read.
Knows no frame and no message. The tags are in this folder's README.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from gunicorn.wire.errors import PayloadError
from gunicorn.wire.limits import MAX_DEPTH, MAX_ITEMS, MAX_PAYLOAD
from gunicorn.wire.refusal import Unwritable, overflow, plain, refusal, texts

Buffer = bytes | bytearray | memoryview

NONE, BOOL, INT, FLOAT, BYTES, STR, LIST, DICT = 0x00, 0x01, 0x05, 0x06, 0x10, 0x11, 0x20, 0x21
"""Tags. Numbers are big endian: a length or a count has 4 bytes, an int 8 (two's complement), a float 8 (IEEE 754)."""

LARGE = 32 * 1024
"""Bytes from which a buffer travels as it is, beside its neighbours and not joined to them."""

RUN = 32
"""Items from which a list of floats alone, or of ints alone, is written and read by columns."""

_PIECES = 64 * 1024
"""Pieces that are kept before they are joined, looked at between two containers."""

_NUMBER = 9
"""Bytes of an int or a float with its tag."""

_NONE, _FALSE, _TRUE = b"\x00", b"\x01\x00", b"\x01\x01"
_SIZED, _WHOLE, _REAL = struct.Struct(">BI").pack, struct.Struct(">Bq").pack, struct.Struct(">Bd").pack
_size_at, _whole_at, _real_at = (struct.Struct(code).unpack_from for code in (">I", ">q", ">d"))
_EMPTY_LIST, _EMPTY_DICT = _SIZED(LIST, 0), _SIZED(DICT, 0)

_TEXTS = frozenset((str,))
_COLUMNS: dict[type, tuple[str, bytes, frozenset[type]]] = {
    float: ("d", bytes((FLOAT,)), frozenset((float,))),
    int: ("q", bytes((INT,)), frozenset((int,))),
}
_NUMBERS = {INT: _whole_at, FLOAT: _real_at}
_CONTAINERS = {LIST: 1, DICT: 6}
"""Tag -> the fewest bytes of an item, or of an entry."""

_STOPS = (BYTES, LIST, DICT)
_CODES = {FLOAT: "d", INT: "q"}


def encode(value: object, root: str = "value") -> list[Buffer]:
    """The bytes of a value in order: small ones joined, long `bytes`, `bytearray` and `memoryview` as they are.

    The caller leaves all buffers and containers unchanged until the bytes are sent. Tuples become lists, keys their
    `str()`. Raises RefusedError, whose path begins with `root`.
    """
    return _encode(b"", (value,), {root: value}, MAX_DEPTH)


def encode_record(head: bytes, rest: Iterable[object], fields: dict[str, Any]) -> list[Buffer]:
    """A dict whose beginning is written already: `head`, then each of `rest`, keys and values in turn, as by `encode`.

    `fields` are the values of `rest` that may be refused; the path of a fault begins with the name of one of them.
    """
    return _encode(head, rest, fields, MAX_DEPTH - 1)


def _encode(head: bytes, items: Iterable[object], fields: dict[str, Any], room: int) -> list[Buffer]:
    sink = _Sink(head)
    try:
        _write(items, sink, room)
        return sink.finish()
    except (Unwritable, ValueError, TypeError, struct.error) as error:
        if isinstance(error, Unwritable) and error.overflow:
            raise overflow(fields) from None
        described = refusal(fields, room)
        if described is None:
            raise
        raise described from None


class _Sink:
    """Where pieces are put: the small ones to be joined, the long ones to stay what they are."""

    __slots__ = ("_done", "_size", "pieces")

    def __init__(self, head: bytes) -> None:
        self.pieces: list[Buffer] = [head] if head else []
        self._done: list[Buffer] = []
        self._size = 0

    def put(self, buffer: Buffer) -> None:
        """A buffer whose length in bytes is its `len`."""
        self.pieces.append(buffer)
        if len(buffer) >= LARGE:
            last = self.pieces.pop()
            self.join()
            self._add(last)

    def join(self) -> None:
        """Makes one of the pieces; the list itself stays, it is known to those who write."""
        if self.pieces:
            joined = b"".join(self.pieces)
            self.pieces.clear()
            self._add(joined)

    def finish(self) -> list[Buffer]:
        """All that was put."""
        self.join()
        return self._done

    def _add(self, buffer: Buffer) -> None:
        self._size += len(buffer)
        if self._size > MAX_PAYLOAD:
            raise Unwritable(overflow=True)
        self._done.append(buffer)


def _write(items: Iterable[object], sink: _Sink, room: int) -> None:
    append = sink.pieces.append
    for item in items:
        kind = type(item)
        if kind is str:
            text = item.encode()  # type: ignore[attr-defined]
            size = len(text)
            append(_SIZED(STR, size))
            append(text) if size < LARGE else sink.put(text)
        elif kind is int:
            append(_WHOLE(INT, item))
        elif kind is float:
            append(_REAL(FLOAT, item))
        elif item is None:
            append(_NONE)
        elif kind is bool:
            append(_TRUE if item else _FALSE)
        elif kind in _WRITERS:
            _WRITERS[kind](item, sink, room)
        else:
            _write((plain(item),), sink, room)


def _enter(items: Sequence[object] | dict[object, object], sink: _Sink, room: int) -> None:
    if not room or len(items) > MAX_ITEMS:
        raise Unwritable
    if len(sink.pieces) > _PIECES:
        sink.join()


def _write_list(items: Sequence[object], sink: _Sink, room: int) -> None:
    _enter(items, sink, room)
    count = len(items)
    sink.pieces.append(_SIZED(LIST, count))
    if count >= RUN:
        column = _COLUMNS.get(type(items[0]))
        if column is not None and column[2].issuperset(map(type, items)):
            sink.put(_interleave(struct.pack(f">{count}{column[0]}", *items), column[1] * count))
            return
    _write(items, sink, room - 1)


def _interleave(numbers: bytes, tags: bytes) -> bytearray:
    """Each tag before its number of 8 bytes: nine copies of columns instead of a step for each item."""
    written = bytearray(len(numbers) + len(tags))
    written[::_NUMBER] = tags
    for column in range(8):
        written[column + 1 :: _NUMBER] = numbers[column::8]
    return written


def _write_dict(items: dict[object, object], sink: _Sink, room: int) -> None:
    _enter(items, sink, room)
    sink.pieces.append(_SIZED(DICT, len(items)))
    named = items if _TEXTS.issuperset(map(type, items)) else texts(items)
    _write(chain.from_iterable(named.items()), sink, room - 1)


def _write_bytes(item: bytes | bytearray, sink: _Sink, _room: int) -> None:
    size = len(item)
    if size > MAX_PAYLOAD:
        raise Unwritable(overflow=True)
    sink.pieces.append(_SIZED(BYTES, size))
    sink.put(item)


def _write_view(item: memoryview, sink: _Sink, room: int) -> None:
    if item.nbytes > MAX_PAYLOAD:
        raise Unwritable(overflow=True)
    octets = item.contiguous and item.ndim == 1 and item.format in ("B", "b", "c")
    if octets and item.nbytes:
        sink.pieces.append(_SIZED(BYTES, item.nbytes))
        sink.put(item)
    else:
        _write_bytes(item.tobytes(), sink, room)


_WRITERS: dict[type, Callable[[Any, _Sink, int], None]] = {
    list: _write_list,
    tuple: _write_list,
    dict: _write_dict,
    bytes: _write_bytes,
    bytearray: _write_bytes,
    memoryview: _write_view,
}


def decode(data: Buffer, start: int = 0, within: int = 0) -> Any:
    """The one value that `data` is, from `start` to its end; containers and bytes are copies. Raises PayloadError.

    `within` is the number of containers that were opened before `start`.
    """
    if type(data) is not bytes:
        # Slices of bytes are the cheapest there are; of a long buffer a slice must not be a copy that is copied again.
        data = bytes(data) if len(data) < LARGE else memoryview(data)
    size = len(data)
    try:
        value, end = _read(data, start, size, within)
    except (IndexError, struct.error):
        raise _cut_short(size) from None
    except UnicodeDecodeError as error:
        raise _not_text(error) from None
    if end < size:
        raise PayloadError("trailing", "more bytes than the value has", end)
    return value


def _read(data: bytes | memoryview, at: int, size: int, within: int) -> tuple[Any, int]:
    """(value, the place behind it). Raises PayloadError; IndexError or struct.error too, where bytes are missing.

    The containers that are open are on a stack; a dict is a list of keys and values until it is complete.
    """
    stack: list[tuple[list[Any], int, int]] = []
    room = MAX_DEPTH - within
    items: list[Any] = []
    missing, opened = 1, LIST
    while True:
        tag = data[at]
        at += 1
        if tag == STR or tag == BYTES:  # noqa: SIM109 - in the order of how often they come, and without a tuple
            start = at + 4
            at = start + _size_at(data, at)[0]
            if at > size:
                raise _cut_short(size)
            items.append(str(data[start:at], "utf-8") if tag == STR else bytes(data[start:at]))
        elif tag in _NUMBERS:
            items.append(_NUMBERS[tag](data, at)[0])
            at += 8
        elif tag in _CONTAINERS:
            count = _size_at(data, at)[0]
            at += 4
            if count > MAX_ITEMS or len(stack) >= room or count * _CONTAINERS[tag] > size - at:
                raise _bad_container(count, len(stack) >= room, at, size)
            numbers = _read_column(data, at, count) if count >= RUN and tag == LIST else None
            if numbers is not None:
                items.append(numbers)
                at += _NUMBER * count
            else:
                stack.append((items, missing - 1, opened))
                items, missing, opened = [], (count if tag == LIST else 2 * count) + 1, tag
        elif tag <= BOOL:
            items.append(_flag(data, at) if tag else None)
            at += tag
        else:
            raise PayloadError("tag", f"no value has the tag 0x{tag:02x}, seen", at - 1)
        missing -= 1
        while not missing:
            if not stack:
                return items[0], at
            value = items if opened == LIST else _record(items, at)
            items, missing, opened = stack.pop()
            items.append(value)


def _cut_short(size: int) -> PayloadError:
    return PayloadError("cut-short", f"the payload ends within a value, after {size} bytes")


def _not_text(error: UnicodeDecodeError) -> PayloadError:
    return PayloadError("text", f"a str that is not UTF-8: {bytes(error.object[:40])!a}")


def _flag(data: bytes | memoryview, at: int) -> bool:
    if data[at] > 1:
        raise PayloadError("bool", f"a bool that is {data[at]}", at)
    return bool(data[at])


def _bad_container(count: int, too_deep: bool, at: int, size: int) -> PayloadError:
    """Why nothing is made of a container whose items would begin at `at`."""
    if count > MAX_ITEMS:
        return PayloadError("items", f"a container of {count} items, more than {MAX_ITEMS}", at - 5)
    if too_deep:
        return PayloadError("depth", f"more than {MAX_DEPTH} containers within each other", at - 5)
    return _cut_short(size)


def _read_column(data: bytes | memoryview, at: int, count: int) -> list[Any] | None:
    """The items of a list that holds floats alone, or ints alone; None for any other.

    Item by item: the first has 9 bytes, so the second begins there, and so on; the tags are every ninth byte.
    """
    tag = data[at]
    code = _CODES.get(tag)
    end = at + _NUMBER * count
    if code is None or end > len(data):
        return None
    run = bytes(data[at:end])
    if run[::_NUMBER].count(tag) != count:
        return None
    numbers = bytearray(8 * count)
    for column in range(8):
        numbers[column::8] = run[column + 1 :: _NUMBER]
    return list(struct.unpack(f">{count}{code}", numbers))


def _record(items: list[Any], at: int) -> dict[str, Any]:
    keys = items[::2]
    if not _TEXTS.issuperset(map(type, keys)):
        raise PayloadError("key", "a dict with a key that is no str, ending", at)
    record = dict(zip(keys, items[1::2]))  # noqa: B905 - as many keys as values
    if len(record) != len(keys):
        # Which of two values was meant nobody can know.
        raise PayloadError("key", "a dict with the same key twice, ending", at)
    return record


def leading(data: Buffer) -> dict[str, Any]:
    """The first entries of a record, up to the first that is a container or bytes: what a router may need to know.

    Reads none of what comes behind. Raises PayloadError where these bytes are no record.
    """
    size = len(data)
    found: dict[str, Any] = {}
    view = data if type(data) is bytes else memoryview(data)
    try:
        if view[0] != DICT:
            raise PayloadError("record", "the payload is no dict", 0)
        count = _size_at(view, 1)[0]
        at = 5
        if count > MAX_ITEMS or count * _CONTAINERS[DICT] > size - at:
            raise _bad_container(count, False, at, size)
        for _ in range(count):
            if view[at] != STR:
                raise PayloadError("key", "a key that is no str", at)
            key, at = _read(view, at, size, 1)
            if view[at] in _STOPS:
                break
            found[key], at = _read(view, at, size, 1)
    except (IndexError, struct.error):
        raise _cut_short(size) from None
    except UnicodeDecodeError as error:
        raise _not_text(error) from None
    return found
