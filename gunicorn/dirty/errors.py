"""The errors of the pool for heavy work, and how each travels from one process to another.

    DirtyError                          anything that went wrong with a call
    ├── DirtyTimeoutError               it took longer than its caller wanted to wait
    │   └── DirtyDeadlineExceeded       … and had not even begun: it waited in the queue
    ├── DirtyConnectionError            the pool cannot be reached, or went away
    ├── DirtyWorkerError                the worker that ran it died
    ├── DirtyAppError                   the application raised
    │   └── DirtyAppNotFoundError       no such application is configured
    ├── DirtyNoWorkersAvailableError    no worker holds the application, and none will
    ├── DirtyQueueFullError             too many calls wait already
    ├── DirtyProtocolError              what was sent is no message, or cannot be one
    └── StashError                      the stash refused
        ├── StashTableNotFoundError
        └── StashKeyNotFoundError

Knows nothing of frames: an error becomes a mapping `{error_type, message, details}` and comes back from one.
`details` holds what the attributes show, so that nothing is lost on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

INT64 = range(-(1 << 63), 1 << 63)
DEPTH = 8
"""How deep `details` may nest on the wire; what lies deeper travels as its text."""

T = TypeVar("T")


class DirtyError(Exception):
    """Root of the tree. `status_hint` is the HTTP status a handler would answer with if it knew nothing better."""

    status_hint: ClassVar[int] = 500

    def __init__(self, message: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})

    def _detail(self, name: str, kind: type[T]) -> T | None:
        """A detail of the expected type; None where the other side sent none, or something else."""
        value = self.details.get(name)
        return value if isinstance(value, kind) else None

    def __reduce__(self) -> tuple[Callable[..., DirtyError], tuple[Any, ...]]:
        return _revived, (type(self), self.message, self.details)


class DirtyTimeoutError(DirtyError):
    """The call did not end within `timeout` seconds."""

    status_hint = 504

    def __init__(self, message: str = "the call took too long", timeout: float | None = None) -> None:
        super().__init__(message, {"timeout": timeout})

    @property
    def timeout(self) -> float | None:
        whole = self._detail("timeout", int)
        return self._detail("timeout", float) if whole is None else whole


class DirtyDeadlineExceeded(DirtyTimeoutError):
    """The call was still queued when its time was over: it never began, so it may be sent again."""

    status_hint = 503


class DirtyConnectionError(DirtyError):
    """The pool cannot be reached at `socket_path`, or the connection to it broke."""

    status_hint = 503

    def __init__(self, message: str = "the pool cannot be reached", socket_path: str | None = None) -> None:
        super().__init__(message, {"socket_path": socket_path})

    @property
    def socket_path(self) -> str | None:
        return self._detail("socket_path", str)


class DirtyWorkerError(DirtyError):
    """The worker that ran the call died; `reason` says how ("exit 1", "signal SIGSEGV", "out of memory")."""

    status_hint = 502

    def __init__(
        self,
        message: str = "the worker died",
        worker_id: int | str | None = None,
        traceback: str | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        super().__init__(message, {"worker_id": worker_id, "traceback": traceback, "reason": reason})

    @property
    def worker_id(self) -> int | str | None:
        number = self._detail("worker_id", int)
        return self._detail("worker_id", str) if number is None else number

    @property
    def traceback(self) -> str | None:
        return self._detail("traceback", str)

    @property
    def reason(self) -> str | None:
        return self._detail("reason", str)


class DirtyAppError(DirtyError):
    """The application raised. `exception` names the type, `traceback` is the text of where."""

    def __init__(
        self,
        message: str = "the application raised",
        app_path: str | None = None,
        action: str | None = None,
        traceback: str | None = None,
        *,
        exception: str | None = None,
    ) -> None:
        details = {"app_path": app_path, "action": action, "traceback": traceback, "exception": exception}
        super().__init__(message, details)

    @property
    def app_path(self) -> str | None:
        return self._detail("app_path", str)

    @property
    def action(self) -> str | None:
        return self._detail("action", str)

    @property
    def traceback(self) -> str | None:
        return self._detail("traceback", str)

    @property
    def exception(self) -> str | None:
        return self._detail("exception", str)


class DirtyAppNotFoundError(DirtyAppError):
    """No application `app_path` is configured."""

    def __init__(self, app_path: str, message: str | None = None) -> None:
        super().__init__(message or f"no such application in the pool: {app_path}", app_path)


class DirtyNoWorkersAvailableError(DirtyError):
    """No worker holds `app_path`, and none is about to."""

    status_hint = 503

    def __init__(self, app_path: str, message: str | None = None) -> None:
        super().__init__(message or f"no worker holds {app_path}", {"app_path": app_path})

    @property
    def app_path(self) -> str | None:
        return self._detail("app_path", str)


class DirtyQueueFullError(DirtyError):
    """`limit` calls wait already: for `app_path`, or in the whole pool where that is None."""

    status_hint = 503

    def __init__(self, message: str = "the queue is full", app_path: str | None = None, limit: int = 0) -> None:
        super().__init__(message, {"app_path": app_path, "limit": limit})

    @property
    def app_path(self) -> str | None:
        return self._detail("app_path", str)

    @property
    def limit(self) -> int:
        return self._detail("limit", int) or 0


class DirtyProtocolError(DirtyError):
    """What was sent is no message of the protocol, or a value that no message can carry."""


class StashError(DirtyError):
    """The stash refused what was asked of it."""


class StashTableNotFoundError(StashError):
    """There is no table `table_name`."""

    def __init__(self, table_name: str, message: str | None = None) -> None:
        super().__init__(message or f"no such table in the stash: {table_name}", {"table_name": table_name})

    @property
    def table_name(self) -> str | None:
        return self._detail("table_name", str)


class StashKeyNotFoundError(StashError):
    """Table `table_name` has no `key`."""

    def __init__(self, table_name: str, key: str, message: str | None = None) -> None:
        text = message or f"no such key in table {table_name} of the stash: {key}"
        super().__init__(text, {"table_name": table_name, "key": key})

    @property
    def table_name(self) -> str | None:
        return self._detail("table_name", str)

    @property
    def key(self) -> str | None:
        return self._detail("key", str)


KINDS: Mapping[str, type[DirtyError]] = {
    kind.__name__: kind
    for kind in (
        *(DirtyError, DirtyTimeoutError, DirtyDeadlineExceeded, DirtyConnectionError, DirtyWorkerError),
        *(DirtyAppError, DirtyAppNotFoundError, DirtyNoWorkersAvailableError, DirtyQueueFullError),
        *(DirtyProtocolError, StashError, StashTableNotFoundError, StashKeyNotFoundError),
    )
}
"""`error_type` on the wire -> class."""


def to_wire(error: DirtyError) -> dict[str, Any]:
    """The mapping that carries `error`: nothing in it is beyond what the wire can hold.

    A subclass that KINDS does not list travels as the nearest class above it that is listed.
    """
    kind = next(cls.__name__ for cls in type(error).__mro__ if KINDS.get(cls.__name__) is cls)
    return {"error_type": kind, "message": _portable(error.message), "details": _portable(error.details)}


def from_wire(fields: Mapping[str, Any]) -> DirtyError:
    """The error that `fields` carry. Never fails: what is missing or of another type is read as empty.

    An `error_type` that is not ours gives a DirtyError whose message begins with it.
    """
    kind, message, details = fields.get("error_type"), fields.get("message"), fields.get("details")
    text = message if isinstance(message, str) else "" if message is None else repr(message)
    known = KINDS.get(kind) if isinstance(kind, str) else None
    if known is None and kind:
        text = f"{kind}: {text}"
    return _revived(known or DirtyError, text, details if isinstance(details, Mapping) else {})


def _revived(kind: type[DirtyError], message: str, details: Mapping[str, Any]) -> DirtyError:
    # Past the constructors of the subclasses: each has its own arguments, and all they do is fill these two.
    error = kind.__new__(kind, message)
    DirtyError.__init__(error, message, details)
    return error


def _portable(value: Any, depth: int = DEPTH) -> Any:
    """`value` as the wire can hold it; what it cannot travels as its text. An error must always arrive."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if value is None or isinstance(value, bool | float | bytes) or (isinstance(value, int) and value in INT64):
        return value
    if depth and isinstance(value, Mapping):
        return {_portable(str(key)): _portable(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple):
        return [_portable(item, depth - 1) for item in value]
    return _portable(_text(value))


def _text(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr() raised {type(error).__name__}>"
