"""Errors of the pool: their tree, what they carry, and that nothing is lost between two processes."""

from __future__ import annotations

import copy
import pickle

import pytest

from gunicorn.dirty.errors import (
    KINDS,
    DirtyAppError,
    DirtyAppNotFoundError,
    DirtyConnectionError,
    DirtyDeadlineExceeded,
    DirtyError,
    DirtyNoWorkersAvailableError,
    DirtyProtocolError,
    DirtyQueueFullError,
    DirtyTimeoutError,
    DirtyWorkerError,
    StashError,
    StashKeyNotFoundError,
    StashTableNotFoundError,
    from_wire,
    to_wire,
)

ONE_OF_EACH = [
    DirtyError("something", {"a": 1}),
    DirtyTimeoutError("slow", 2.5),
    DirtyDeadlineExceeded("busy", 3),
    DirtyConnectionError("gone", "/run/pool.sock"),
    DirtyWorkerError("died", 7, "Traceback …", reason="signal SIGSEGV"),
    DirtyAppError("ValueError: no", "m:App", "run", "Traceback …", exception="ValueError"),
    DirtyAppNotFoundError("m:App"),
    DirtyNoWorkersAvailableError("m:App"),
    DirtyQueueFullError("full", "m:App", 10),
    DirtyProtocolError("garbage", {"at": "args[0]"}),
    StashError("no"),
    StashTableNotFoundError("t"),
    StashKeyNotFoundError("t", "k"),
]


def fields(error):
    names = [name for cls in type(error).__mro__ for name, value in vars(cls).items() if isinstance(value, property)]
    return {name: getattr(error, name) for name in names}


def test_there_is_an_example_of_each():
    assert {type(error) for error in ONE_OF_EACH} == set(KINDS.values())


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "travel",
    [lambda error: from_wire(to_wire(error)), lambda error: pickle.loads(pickle.dumps(error)), copy.copy],
    ids=["wire", "pickle", "copy"],
)
def test_it_arrives_as_it_left(error, travel):
    other = travel(error)
    assert type(other) is type(error)
    assert (str(other), other.message, other.details) == (str(error), error.message, error.details)
    assert fields(other) == fields(error)


def test_attributes_show_what_the_constructor_took():
    assert DirtyTimeoutError("x", 0).timeout == 0
    assert DirtyTimeoutError().timeout is None
    assert DirtyConnectionError("x", "/s").socket_path == "/s"
    worker = DirtyWorkerError("x", 0, "tb", reason="exit 1")
    assert (worker.worker_id, worker.traceback, worker.reason) == (0, "tb", "exit 1")
    app = DirtyAppError("x", "m:A", "go", "tb", exception="KeyError")
    assert (app.app_path, app.action, app.traceback, app.exception) == ("m:A", "go", "tb", "KeyError")
    assert DirtyAppNotFoundError("m:A").app_path == "m:A"
    assert DirtyNoWorkersAvailableError("m:A").app_path == "m:A"
    assert DirtyQueueFullError("x", None, 5).limit == 5
    assert StashTableNotFoundError("t").table_name == "t"
    assert (StashKeyNotFoundError("t", "k").table_name, StashKeyNotFoundError("t", "k").key) == ("t", "k")


def test_the_tree():
    assert issubclass(DirtyDeadlineExceeded, DirtyTimeoutError)
    assert issubclass(DirtyAppNotFoundError, DirtyAppError)
    assert issubclass(StashKeyNotFoundError, StashError)
    assert all(issubclass(kind, DirtyError) for kind in KINDS.values())


def test_errors_that_a_handler_may_pass_on_as_unavailable():
    busy = (DirtyQueueFullError, DirtyDeadlineExceeded, DirtyNoWorkersAvailableError, DirtyConnectionError)
    assert {kind.status_hint for kind in busy} == {503}
    assert DirtyTimeoutError.status_hint == 504


def test_a_subclass_of_the_application_travels_as_the_nearest_known():
    class Mine(DirtyAppError):
        pass

    assert to_wire(Mine("x"))["error_type"] == "DirtyAppError"


def test_a_namesake_is_not_taken_for_ours():
    namesake = type("DirtyTimeoutError", (StashError,), {})
    assert to_wire(namesake("x"))["error_type"] == "StashError"


@pytest.mark.parametrize(
    ("mapping", "kind", "message"),
    [
        ({}, DirtyError, ""),
        ({"error_type": "ValueError", "message": "no"}, DirtyError, "ValueError: no"),
        ({"error_type": 5, "message": None, "details": []}, DirtyError, "5: "),
        ({"error_type": "StashError", "message": 5}, StashError, "5"),
        ({"error_type": ["x"], "message": "m", "details": {"timeout": 1}}, DirtyError, "['x']: m"),
    ],
)
def test_what_is_missing_or_strange_is_read_as_empty(mapping, kind, message):
    error = from_wire(mapping)
    assert type(error) is kind
    assert str(error) == message


def test_attributes_of_the_wrong_type_are_none():
    error = from_wire({"error_type": "DirtyTimeoutError", "message": "", "details": {"timeout": "soon"}})
    assert isinstance(error, DirtyTimeoutError)
    assert error.timeout is None


def test_an_error_can_always_be_sent():
    class Rude:
        def __repr__(self):
            raise RuntimeError

    nested: list[object] = []
    for _ in range(50):
        nested = [nested]
    details = {1: (1, 2), "big": 1 << 70, "odd": {2}, "half": "\udc80", "rude": Rude(), "deep": nested, "b": b"\0"}
    sent = to_wire(DirtyError("caf\udce9", details))
    assert sent["message"] == "caf\\udce9"
    sent["details"].pop("deep")
    assert sent["details"] == {
        "1": [1, 2],
        "big": str(1 << 70),
        "odd": "{2}",
        "half": "\\udc80",
        "rude": "<Rude whose repr() raised RuntimeError>",
        "b": b"\0",
    }
