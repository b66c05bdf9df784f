"""Messages: which fields the payload of each type of frame has, from typed values to bytes and back.

Fields that nobody needs to know are skipped, so either side may be older. What is ours is marked so in SHAPES, and no
client of the peer ever needs it. Knows no exception of the pool and no socket; who may send what is `frames`' table.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from gunicorn.wire.errors import PayloadError
from gunicorn.wire.frames import Frame, Kind, encode_frame
from gunicorn.wire.values import Buffer, decode, encode, encode_record, leading


class StashOp(enum.IntEnum):
    """What is asked of the stash."""

    PUT = 1
    GET = 2
    DELETE = 3
    KEYS = 4
    CLEAR = 5
    INFO = 6
    ENSURE = 7
    DELETE_TABLE = 8
    TABLES = 9
    EXISTS = 10
    INCR = 11
    """Ours: adds `amount` to a number, or to `initial` where there is none; answers the sum."""
    COMPARE_AND_SET = 12
    """Ours: puts `value` where there is `expected`, or nothing if that is not sent; answers whether it did."""
    TTL = 13
    """Ours: answers the seconds an entry has left, or None."""


class ManageOp(enum.IntEnum):
    """What is asked of the pool."""

    ADD = 1
    REMOVE = 2


class Absent(enum.Enum):
    """A field that was not sent, where None means something else."""

    ABSENT = 0


ABSENT = Absent.ABSENT


class Request(NamedTuple):
    """Do something."""

    app_path: str
    action: str
    args: list[Any]
    kwargs: dict[str, Any]
    deadline_ns: int | None = None
    """When the caller stops waiting, by the machine's monotonic clock: true however long a call is queued."""
    window: int | None = None
    """Bytes of chunks that may be under way until the caller grants more by Credit; None = it never will, send them."""


class Response(NamedTuple):
    """What came of it."""

    result: Any


class Failure(NamedTuple):
    """What went wrong; it may come after chunks, too."""

    error_type: str
    message: str
    details: dict[str, Any]


class Chunk(NamedTuple):
    """One item of a stream."""

    data: Any


class End(NamedTuple):
    """The stream is complete."""


class Stash(NamedTuple):
    """Something for the stash, or from it."""

    op: StashOp
    table: str
    key: str | None = None
    value: Any = None
    pattern: str | None = None
    amount: int | float | None = None
    initial: int | float | None = None
    expected: Any | Absent = ABSENT
    ttl: int | float | None = None
    """Seconds until the entry is forgotten; None = never."""


class Status(NamedTuple):
    """How is the pool?"""


class Manage(NamedTuple):
    """Another size for the pool."""

    op: ManageOp
    number: int
    """Of workers, "count" on the wire."""
    app: str | None = None
    """The application this is about; None = all."""


class Cancel(NamedTuple):
    """Nobody waits for the request of this id any more."""


class Credit(NamedTuple):
    """The stream of this id may send so many bytes more. To a worker also before the request, as its first window."""

    size: int


Message = Request | Response | Failure | Chunk | End | Stash | Status | Manage | Cancel | Credit


class Route(NamedTuple):
    """What a router reads of a request, without reading the arguments."""

    app_path: str
    action: str
    deadline_ns: int | None
    window: int | None


class Field(NamedTuple):
    """A key of a payload."""

    types: tuple[type, ...]
    """Of the value, exactly; none = any value."""
    required: bool = True
    default: Any = None
    ours: bool = False
    """An addition: the peer knows nothing of it."""


class Shape(NamedTuple):
    """A type of message and its fields, in the order in which it has them."""

    message: Callable[..., Message]
    fields: Mapping[str, Field]


_TEXT, _MAYBE_TEXT = Field((str,)), Field((str,), required=False)
_OUR_INT, _OUR_NUMBER = Field((int,), required=False, ours=True), Field((int, float), required=False, ours=True)

SHAPES: Mapping[Kind, Shape] = {
    Kind.REQUEST: Shape(
        Request,
        {
            "app_path": _TEXT,
            "action": _TEXT,
            "args": Field((list,)),
            "kwargs": Field((dict,)),
            "deadline_ns": _OUR_INT,
            "window": _OUR_INT,
        },
    ),
    Kind.RESPONSE: Shape(Response, {"result": Field(())}),
    Kind.ERROR: Shape(Failure, {"error_type": _TEXT, "message": _TEXT, "details": Field((dict,))}),
    Kind.CHUNK: Shape(Chunk, {"data": Field(())}),
    Kind.END: Shape(End, {}),
    Kind.STASH: Shape(
        Stash,
        {
            "op": Field((int,)),
            "table": _TEXT,
            "key": _MAYBE_TEXT,
            "value": Field((), required=False),
            "pattern": _MAYBE_TEXT,
            "amount": _OUR_NUMBER,
            "initial": _OUR_NUMBER,
            "expected": Field((), required=False, default=ABSENT, ours=True),
            "ttl": _OUR_NUMBER,
        },
    ),
    Kind.STATUS: Shape(Status, {}),
    Kind.MANAGE: Shape(
        Manage,
        {"op": Field((int,)), "count": Field((int,)), "app": Field((str,), required=False, ours=True)},
    ),
    Kind.CANCEL: Shape(Cancel, {}),
    Kind.CREDIT: Shape(Credit, {"size": Field((int,))}),
}
"""The payload of each type of frame. That of an error is one level deeper, under "error"; an empty one is no bytes."""

_KINDS: Mapping[type, Kind] = {
    Request: Kind.REQUEST,
    Response: Kind.RESPONSE,
    Failure: Kind.ERROR,
    Chunk: Kind.CHUNK,
    End: Kind.END,
    Stash: Kind.STASH,
    Status: Kind.STATUS,
    Manage: Kind.MANAGE,
    Cancel: Kind.CANCEL,
    Credit: Kind.CREDIT,
}
_OPS: Mapping[Kind, type[StashOp] | type[ManageOp]] = {Kind.STASH: StashOp, Kind.MANAGE: ManageOp}


def _record(count: int, *items: str) -> bytes:
    """The beginning of a dict of `count` entries, as far as `items`: keys and values in turn."""
    head = b"".join(encode({"": None} if count == 1 else {str(number): None for number in range(count)}))[:5]
    return head + b"".join(b"".join(encode(item)) for item in items)


_PLAIN_REQUEST = frozenset(("app_path", "action", "args", "kwargs"))
_RESULT, _DATA = _record(1, "result"), _record(1, "data")


def encode_message(message: Message, request_id: int) -> list[Buffer]:
    """The frame of a message: its bytes in order, a long payload not copied.

    Raises RefusedError, whose path begins with the name of the field: `args[0]['x']`.
    """
    kind = _KINDS[type(message)]
    match message:
        case Response(result):
            payload = encode_record(_RESULT, (result,), {"result": result})
        case Chunk(data):
            payload = encode_record(_DATA, (data,), {"data": data})
        case Request():
            payload = _encode_request(message)
        case _:
            payload = _encode_fields(kind, message)
    return encode_frame(kind, request_id, payload)


def _encode_request(message: Request) -> list[Buffer]:
    app_path, action, args, kwargs, deadline, window = message
    fields = {"args": args, "kwargs": kwargs}
    if deadline is None and window is None:
        return encode_record(_request_head(4, app_path, action), ("args", args, "kwargs", kwargs), fields)
    # What a router reads stands before what may be long.
    ours = {name: value for name, value in (("deadline_ns", deadline), ("window", window)) if value is not None}
    flat = [word for pair in (ours | fields).items() for word in pair]
    return encode_record(_request_head(4 + len(ours), app_path, action), flat, ours | fields)


@lru_cache(maxsize=512)
def _request_head(count: int, app_path: str, action: str) -> bytes:
    for name, value in (("app_path", app_path), ("action", action)):
        encode(value, name)
    return _record(count, "app_path", app_path, "action", action)


def _encode_fields(kind: Kind, message: Message) -> list[Buffer]:
    """A message by its shape; fields that say nothing are left out."""
    shape = SHAPES[kind].fields
    if not shape:
        return []
    record = {
        name: value
        for (name, field), value in zip(shape.items(), message, strict=True)
        if field.required or value is not field.default
    }
    if kind is Kind.ERROR:
        record = {"error": record}
    flat = [word for pair in record.items() for word in pair]
    return encode_record(_record(len(record)), flat, record)


def decode_message(frame: Frame) -> Message:
    """The message of a frame. Raises PayloadError where the payload is no value, or has not the fields it must have."""
    kind, _, payload = frame
    if kind is Kind.CHUNK and payload.startswith(_DATA):
        return Chunk(decode(payload, len(_DATA), 1))
    if kind is Kind.RESPONSE and payload.startswith(_RESULT):
        return Response(decode(payload, len(_RESULT), 1))
    shape = SHAPES[kind]
    if not shape.fields:
        return shape.message()
    record = decode(payload)
    if kind is Kind.REQUEST:
        return _request(record)
    if kind is Kind.ERROR and type(record) is dict:
        record = record.get("error")
    return shape.message(*_checked(kind, shape.fields, record))


def _request(record: Any) -> Message:
    """The plain request that nearly every one is, in a quarter of the time; the shape for any other."""
    if type(record) is dict and len(record) == 4 and record.keys() == _PLAIN_REQUEST:
        app_path, action, args, kwargs = record["app_path"], record["action"], record["args"], record["kwargs"]
        if type(app_path) is str and type(action) is str and type(args) is list and type(kwargs) is dict:
            return Request(app_path, action, args, kwargs)
    shape = SHAPES[Kind.REQUEST]
    return shape.message(*_checked(Kind.REQUEST, shape.fields, record))


def _checked(kind: Kind, fields: Mapping[str, Field], record: object) -> list[Any]:
    """The values of `fields` in a record."""
    if type(record) is not dict:
        raise PayloadError("record", f"{_words(kind)} that is no dict")
    found: list[Any] = []
    for name, field in fields.items():
        value = record.get(name, field.default)
        if name not in record and field.required:
            raise PayloadError("field", f"{_words(kind)} without {name}")
        if field.types and type(value) not in field.types and (field.required or value is not None):
            expected = " or ".join(one.__name__ for one in field.types)
            raise PayloadError("field", f"{name} of {_words(kind)} is {type(value).__name__}, not {expected}")
        found.append(value)
    if kind in _OPS:
        found[0] = _operation(kind, found[0])
    return found


def _operation(kind: Kind, number: int) -> StashOp | ManageOp:
    try:
        return _OPS[kind](number)
    except ValueError:
        raise PayloadError("op", f"unknown {kind.name.lower()} operation: {number}") from None


def _words(kind: Kind) -> str:
    return f"{'an' if kind is Kind.ERROR else 'a'} {kind.name.lower()}"


def read_route(payload: Buffer) -> Route:
    """Where a request is to go, from its first bytes; the arguments are neither read nor checked. Raises PayloadError.

    Clients write what is read here before the arguments. One that does not is understood too, but all of it is read.
    """
    record = leading(payload)
    app_path, action = record.get("app_path"), record.get("action")
    if len(record) == 2 and type(app_path) is str and type(action) is str:
        return Route(app_path, action, None, None)
    if app_path is None or action is None:
        record = decode(payload)
    fields = SHAPES[Kind.REQUEST].fields
    return Route(*_checked(Kind.REQUEST, {name: fields[name] for name in Route._fields}, record))
