"""What a caller learns of what an application raised."""

from __future__ import annotations

from gunicorn.dirty.errors import DirtyTimeoutError, from_wire, to_wire
from gunicorn.dirty.failure import MESSAGE_LIMIT, TRACEBACK_LIMIT, app_error


def raised(action, *args):
    try:
        action(*args)
    except BaseException as error:
        return app_error(error, "m:App", "run")
    raise AssertionError


def divide():
    return 1 / 0


def test_type_words_and_place():
    error = raised(divide)
    assert str(error) == "ZeroDivisionError: division by zero"
    assert (error.app_path, error.action, error.exception) == ("m:App", "run", "ZeroDivisionError")
    assert "in divide" in error.traceback
    assert "in raised" not in error.traceback, "the frame that made the call"
    assert error.traceback.endswith("ZeroDivisionError: division by zero\n")


def test_the_cause_is_told():
    def wrapped():
        try:
            divide()
        except ZeroDivisionError as error:
            raise ValueError("no quotient") from error

    error = raised(wrapped)
    assert str(error) == "ValueError: no quotient"
    assert "ZeroDivisionError" in error.traceback


def test_without_words_the_type_must_do():
    def silent():
        raise KeyboardInterrupt

    assert str(raised(silent)) == "KeyboardInterrupt"


def test_an_exception_without_frames():
    assert app_error(ValueError("x"), "m:App", "run").traceback == "ValueError: x\n"


def test_an_exception_whose_text_cannot_be_had():
    class Rude(Exception):
        def __str__(self):
            raise RuntimeError

    def rude():
        raise Rude

    error = raised(rude)
    assert str(error).endswith("Rude: (its text cannot be had: RuntimeError)")
    assert to_wire(error)["message"] == str(error)


def test_no_exception_is_too_long_to_send():
    def deep(left):
        if left:
            try:
                deep(left - 1)
            except ValueError as error:
                raise ValueError("x" * 10_000) from error
        raise ValueError("the first")

    error = raised(deep, 20)
    assert len(error.message) == MESSAGE_LIMIT
    assert TRACEBACK_LIMIT < len(error.traceback) < TRACEBACK_LIMIT + 100
    assert "characters left out" in error.traceback
    assert error.traceback.startswith("Traceback")
    assert error.traceback.endswith("x\n")


def test_a_failure_of_a_call_of_its_own_is_the_applications_failure():
    def nested():
        raise DirtyTimeoutError("slow", 3)

    error = from_wire(to_wire(raised(nested)))
    assert not isinstance(error, DirtyTimeoutError)
    assert (error.exception, error.message) == ("DirtyTimeoutError", "DirtyTimeoutError: slow")
