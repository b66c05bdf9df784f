"""Hooks: functions of the operator that the server calls at set moments, and with what.

Knows how to tell whether a function takes the arguments it will be given. Calls none of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from gunicorn.config.casts import Kind, Refusal, shown

Hook = Callable[..., Any]


def nothing(*_arguments: Any) -> None:
    """The default of every hook."""


def no_context(_config: Any, default_factory: Callable[[], Any]) -> Any:
    """The default of `ssl_context`: the context the server would make itself."""
    return default_factory()


def hook(*names: str) -> Kind:
    """A function that can be called with one positional argument for each of `names`, or its dotted path."""

    def parse(value: Any) -> Hook:
        found = _function(value)
        if not _takes(found, len(names)):
            raise Refusal(f"{shown(found)} must take {len(names)} arguments: ({', '.join(names)})")
        return found

    return Kind("hook", parse, {"type": "string"})


def _post_request(value: Any) -> Hook:
    found = _function(value)
    for count in (4, 3, 2):
        if _takes(found, count):
            return found if count == 4 else shortened(found, count)
    raise Refusal(f"{shown(found)} must take 2 to 4 arguments: (worker, req[, environ[, resp]])")


def shortened(function: Hook, count: int) -> Hook:
    """`function` behind a face that takes more arguments and hands on the first `count`."""

    def call(*arguments: Any) -> Any:
        return function(*arguments[:count])

    call.__wrapped__ = function  # type: ignore[attr-defined]  # inspect and readers of logs follow it
    return call


POST_REQUEST = Kind("hook", _post_request, {"type": "string"})
"""Two, three or four arguments; whoever calls always gives four."""


def _function(value: Any) -> Hook:
    found = _imported(value.strip()) if isinstance(value, str) else value
    if not callable(found):
        raise Refusal(f"{shown(found)} is not a function")
    return found  # type: ignore[no-any-return]


def _imported(path: str) -> Any:
    module, dot, attribute = path.replace(":", ".").rpartition(".")
    if not dot or not all(part.isidentifier() for part in module.split(".")):
        raise Refusal(f"{shown(path)} is not a function, nor the dotted path of one")
    try:
        names = vars(importlib.import_module(module))
    except Exception as error:
        # Whatever the module raises is the operator's to repair; the line says what it was.
        text = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise Refusal(f"{shown(path)} cannot be imported: {text}") from error
    if attribute not in names:
        raise Refusal(f"{shown(path)}: module {module!r} has no {attribute!r}")
    return names[attribute]


def _takes(function: Hook, count: int) -> bool:
    import inspect

    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        # Some builtins have no signature to ask; the call itself will tell.
        return True
    return True
