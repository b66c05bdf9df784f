"""What kind of application a callable is, ASGI 3 or WSGI, told from how it must be called.

Looks without calling anything: at code flags, marks, and the parameters that a call would have to fit. Runs none
of the application's code and imports nothing for it; what it cannot tell it calls unknown. Knows no setting.
"""

from __future__ import annotations

import enum
from functools import partial
from types import MemberDescriptorType, MethodType, WrapperDescriptorType
from typing import Any, NamedTuple


class Kind(enum.Enum):
    """The calling convention of an application."""

    ASGI = "asgi"
    """`await app(scope, receive, send)` (ASGI 3)."""
    WSGI = "wsgi"
    """`app(environ, start_response)` (PEP 3333)."""
    UNKNOWN = ""


_COROUTINE = 0x80 | 0x100
"""CO_COROUTINE and CO_ITERABLE_COROUTINE of the inspect module, which takes milliseconds to import."""
_VARARGS = 0x04
_ANY = 255

_MARKS = ("_is_coroutine_marker", "_is_coroutine")
"""Where `inspect.markcoroutinefunction`, and asyncio and asgiref before it, say that a call gives a coroutine."""

_NUMBERS = {Kind.WSGI: 2, Kind.ASGI: 3}
"""With how many positional arguments an application is called."""

_NAMES = {Kind.WSGI: {"environ", "start_response"}, Kind.ASGI: {"scope", "receive", "send"}}
"""Names of parameters, which decide where their number does not."""

_DEEPEST = 16
"""How many wrappers are looked through."""


class Arguments(NamedTuple):
    """What wrappers have given already of the arguments of a call."""

    positional: int = 0
    named: frozenset[str] = frozenset()


def is_asgi(app: Any) -> bool:
    """Whether `app` is certainly an ASGI application."""
    return kind_of(app) is Kind.ASGI


def kind_of(app: Any) -> Kind:
    """The kind of an application: a function, method, partial, class, instance, or a wrapper of one."""
    return _look(app, Arguments(), 0)


def _look(app: Any, given: Arguments, depth: int) -> Kind:
    if depth > _DEEPEST:
        return Kind.UNKNOWN
    if _is_marked(app):
        return Kind.ASGI
    if isinstance(app, partial):
        more = Arguments(given.positional + len(app.args), given.named | frozenset(app.keywords))
        return _look(app.func, more, depth + 1)
    if isinstance(app, MethodType):
        return _look(app.__func__, given._replace(positional=given.positional + 1), depth + 1)
    if isinstance(app, type):
        return _of_class(app, given, depth)
    call = _member(type(app), "__call__")
    if isinstance(call, WrapperDescriptorType):
        return _of_function(app, given, depth)
    return _of_instance(app, call, given, depth)


def _is_marked(app: Any) -> bool:
    try:
        attributes = vars(app)
    except TypeError:
        # Objects with slots alone have no place for a mark.
        return False
    return any(attributes.get(mark) for mark in _MARKS) and not isinstance(app, type)


def _of_class(app: type, given: Arguments, depth: int) -> Kind:
    """A class is called to make an instance: that is awaited (ASGI), or iterated (WSGI)."""
    if _member(app, "__await__") is not None:
        return Kind.ASGI
    init = _member(app, "__init__")
    if _member(app, "__iter__") is None or isinstance(init, WrapperDescriptorType):
        return Kind.UNKNOWN
    kind = _look(init, given._replace(positional=given.positional + 1), depth + 1)
    return kind if kind is Kind.WSGI else Kind.UNKNOWN


def _of_instance(app: Any, call: Any, given: Arguments, depth: int) -> Kind:
    """An object is called by `__call__` of its class, found as Python finds it."""
    if isinstance(call, MemberDescriptorType):
        # `__call__` in `__slots__`: each instance has a callable of its own.
        try:
            call = call.__get__(app)
        except AttributeError:
            return Kind.UNKNOWN
        return _look(call, given, depth + 1)
    if isinstance(call, staticmethod):
        return _look(call.__func__, given, depth + 1)
    if isinstance(call, classmethod):
        call = call.__func__
    if call is None:
        return Kind.UNKNOWN
    if _member(type(call), "__get__") is None:
        return _look(call, given, depth + 1)
    if not isinstance(_member(type(call), "__call__"), WrapperDescriptorType):
        # A descriptor of the application's own would have to be run to know what it gives.
        return Kind.UNKNOWN
    return _look(call, given._replace(positional=given.positional + 1), depth + 1)


def _of_function(function: Any, given: Arguments, depth: int) -> Kind:
    """A function of Python or of a compiler that imitates one, or a wrapper written in C around any callable."""
    try:
        code = function.__code__
        flags, defaults, named_defaults = code.co_flags, function.__defaults__, function.__kwdefaults__
    except AttributeError:
        return _of_wrapper(function, given, depth)
    if flags & _COROUTINE:
        return Kind.ASGI
    count = code.co_argcount
    names = code.co_varnames[given.positional : count]
    if given.named.intersection(names):
        # What follows a parameter that was given by name can be given by name only.
        return Kind.UNKNOWN
    keyword_only = set(code.co_varnames[count : count + code.co_kwonlyargcount])
    if keyword_only - set(named_defaults or ()) - given.named:
        return Kind.UNKNOWN
    least = max(count - len(defaults or ()) - given.positional, 0)
    most = _ANY if flags & _VARARGS else len(names)
    fitting = [kind for kind, number in _NUMBERS.items() if least <= number <= most]
    if len(fitting) == 2:
        fitting = [kind for kind in fitting if not _NAMES[kind].isdisjoint(names)]
    if len(fitting) == 1:
        return fitting[0]
    return _of_wrapper(function, given, depth) if flags & _VARARGS else Kind.UNKNOWN


def _of_wrapper(function: Any, given: Arguments, depth: int) -> Kind:
    """`__wrapped__` is what functools.wraps leaves, and wrappers in C, of what they pass all arguments to."""
    try:
        wrapped = function.__wrapped__
    except AttributeError:
        return Kind.UNKNOWN
    return _look(wrapped, given, depth + 1)


def _member(kind: type, name: str) -> Any:
    """What a class or its bases define under `name`, without binding it; None where nobody does."""
    for base in kind.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return None
