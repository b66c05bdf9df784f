"""What an application raised, as the error its caller gets: the type, the words and where it happened.

Knows how much of it is worth sending. An exception whose own text cannot be had still becomes an error.
"""

from __future__ import annotations

import traceback

from gunicorn.dirty.errors import DirtyAppError

MESSAGE_LIMIT = 8 * 1024
"""Characters of the exception's text; some put the whole input into it."""
TRACEBACK_LIMIT = 32 * 1024
"""Characters of the traceback. Its end says what was raised and where, so the middle goes first."""
CUT = "\n… {count} characters left out …\n"


def app_error(error: BaseException, app_path: str, action: str) -> DirtyAppError:
    """The error for whoever called `action` of `app_path`, which raised `error`.

    An error of the pool is no exception to that: one that an application lets through from a call of its own is
    its failure, not the pool's with its caller.
    """
    exception = type(error).__qualname__
    try:
        text = str(error)
    except Exception as second:
        text = f"(its text cannot be had: {type(second).__name__})"
    message = f"{exception}: {text}" if text else exception
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - 1] + "…"
    return DirtyAppError(message, app_path, action, _traceback(error), exception=exception)


def _traceback(error: BaseException) -> str:
    # The first frame is the worker's, that made the call; it tells the author of the application nothing.
    trace = error.__traceback__
    lines = traceback.format_exception(type(error), error, trace.tb_next if trace and trace.tb_next else trace)
    text = "".join(lines)
    if len(text) <= TRACEBACK_LIMIT:
        return text
    head, tail = TRACEBACK_LIMIT // 4, TRACEBACK_LIMIT - TRACEBACK_LIMIT // 4
    return text[:head] + CUT.format(count=len(text) - head - tail) + text[-tail:]
