"""Callables of every shape, and what each is taken for."""

from __future__ import annotations

import asyncio
import functools
import inspect
import subprocess
import sys
import types

import pytest

from gunicorn.bridge.kind import Kind, is_asgi, kind_of
from tests.unit.house.survey import ROOT


async def coroutine(scope, receive, send): ...


async def coroutine_of_anything(*args): ...


def wsgi(environ, start_response): ...


def wsgi_generator(environ, start_response):
    yield b""


def plain_three(scope, receive, send):
    return coroutine(scope, receive, send)


@types.coroutine
def old_coroutine(scope, receive, send):
    yield


class AsyncCall:
    async def __call__(self, scope, receive, send): ...

    async def method(self, scope, receive, send): ...

    @classmethod
    async def of_class(cls, scope, receive, send): ...

    @staticmethod
    async def of_nobody(scope, receive, send): ...


class SyncCall:
    def __call__(self, environ, start_response): ...

    def method(self, environ, start_response): ...


class Inherits(AsyncCall):
    pass


class StaticCall:
    @staticmethod
    async def __call__(scope, receive, send): ...


class ClassCall:
    @classmethod
    def __call__(cls, environ, start_response): ...


class ObjectAsCall:
    __call__ = AsyncCall()


class SlotCall:
    """As tracing wrappers do: each instance chooses its own `__call__`."""

    __slots__ = ("__call__",)

    def __init__(self, call=None):
        if call is not None:
            self.__call__ = call


class Endpoint:
    """A class whose instances are awaited."""

    def __init__(self, scope, receive, send): ...

    def __await__(self):
        yield


class IteratedOnCall:
    """The class form of PEP 3333."""

    def __init__(self, environ, start_response): ...

    def __iter__(self):
        yield b""


class PlainClass:
    def __init__(self): ...


class Descriptor:
    def __get__(self, instance, owner):
        raise AssertionError("code of the application was run")

    def __call__(self):
        raise AssertionError("code of the application was run")


class DescriptorCall:
    __call__ = Descriptor()


class AnswersEverything:
    """A mock: it has every attribute."""

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs): ...


class NoCall:
    __call__ = None


def marked_function():
    def app(*args): ...

    return inspect.markcoroutinefunction(app) if sys.version_info >= (3, 12) else mark(app)


def mark(app):
    app._is_coroutine = asyncio.coroutines._is_coroutine if sys.version_info < (3, 14) else True
    return app


def wrapped(app):
    @functools.wraps(app)
    def passes_on(*args, **kwargs):
        return app(*args, **kwargs)

    return passes_on


def adapts(app):
    """Keeps the name of what it turns into something else."""

    @functools.wraps(app)
    def adapted(environ, start_response): ...

    return adapted


def endless():
    def app(*args): ...

    app.__wrapped__ = app
    return app


ASGI = {
    "coroutine": coroutine,
    "coroutine of anything": coroutine_of_anything,
    "generator-based": old_coroutine,
    "three parameters": plain_three,
    "lambda": lambda scope, receive, send: coroutine(scope, receive, send),
    "names decide": lambda scope, receive, send=None, *more: None,
    "object": AsyncCall(),
    "subclass": Inherits(),
    "method": AsyncCall().method,
    "class method": AsyncCall.of_class,
    "static method": AsyncCall.of_nobody,
    "static call": StaticCall(),
    "object as call": ObjectAsCall(),
    "slot": SlotCall(AsyncCall().method),
    "awaited class": Endpoint,
    "partial": functools.partial(coroutine),
    "partial of a factory": functools.partial(lambda settings, scope, receive, send: None, {}),
    "partial by name": functools.partial(lambda scope, receive, send, *, settings: None, settings={}),
    "partial of a partial": functools.partial(functools.partial(AsyncCall())),
    "marked": marked_function(),
    "marked object": mark(AnswersEverything()),
    "wrapped": wrapped(wrapped(coroutine)),
    "cached": functools.lru_cache(coroutine),
}
WSGI = {
    "function": wsgi,
    "generator": wsgi_generator,
    "positional only": lambda a, b, /: None,
    "names decide": lambda environ, start_response, more=None: None,
    "names decide over anything": lambda environ, *args: None,
    "optional name": lambda environ, start_response, *, log=None: None,
    "object": SyncCall(),
    "method": SyncCall().method,
    "class call": ClassCall(),
    "class": IteratedOnCall,
    "partial": functools.partial(lambda prefix, environ, start_response: None, "/"),
    "partial of an object": functools.partial(SyncCall()),
    "wrapped": wrapped(wsgi),
    "adapter": adapts(coroutine),
    "slot": SlotCall(wsgi),
}
UNKNOWN = {
    "anything": lambda *args: None,
    "anything wrapped": wrapped(lambda *args: None),
    "two or three": lambda a, b, c=None: None,
    "one": lambda scope: None,
    "four": lambda a, b, c, d: None,
    "needs a name": lambda environ, start_response, *, settings: None,
    "given by name": functools.partial(wsgi, environ=1),
    "builtin": print,
    "builtin class": dict,
    "class": PlainClass,
    "class of asgi objects": AsyncCall,
    "async generator": None,
    "mock": AnswersEverything(),
    "own descriptor": DescriptorCall(),
    "no call": NoCall(),
    "empty slot": SlotCall(),
    "endless": endless(),
    "no callable": 3,
}


async def _async_generator(*args):
    yield


UNKNOWN["async generator"] = _async_generator


@pytest.mark.parametrize(
    ("app", "kind"),
    [
        pytest.param(app, kind, id=f"{kind.name.lower()}-{name}")
        for kind, table in ((Kind.ASGI, ASGI), (Kind.WSGI, WSGI), (Kind.UNKNOWN, UNKNOWN))
        for name, app in table.items()
    ],
)
def test_kind(app, kind):
    assert kind_of(app) is kind
    assert is_asgi(app) is (kind is Kind.ASGI)


FRAMEWORKS = {
    "starlette.applications:Starlette()": Kind.ASGI,
    "fastapi:FastAPI()": Kind.ASGI,
    "litestar:Litestar()": Kind.ASGI,
    "quart:Quart('x')": Kind.ASGI,
    "blacksheep:Application()": Kind.ASGI,
    "channels.routing:ProtocolTypeRouter({})": Kind.ASGI,
    "asgiref.wsgi:WsgiToAsgi(None)": Kind.ASGI,
    "starlette.endpoints:HTTPEndpoint": Kind.ASGI,
    "django.core.handlers.asgi:ASGIHandler.__new__(ASGIHandler)": Kind.ASGI,
    "django.core.handlers.wsgi:WSGIHandler.__new__(WSGIHandler)": Kind.WSGI,
    "flask:Flask('x')": Kind.WSGI,
    "werkzeug.wrappers:Response('x')": Kind.WSGI,
}


@pytest.mark.parametrize("expression", FRAMEWORKS)
def test_frameworks(expression):
    module, _, text = expression.partition(":")
    found = pytest.importorskip(module)
    assert kind_of(eval(text, vars(found))) is FRAMEWORKS[expression]


def test_looking_imports_nothing():
    """A plain WSGI start must not pay for asyncio or inspect because somebody looks at the application."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from gunicorn.bridge.kind import kind_of\n"
        "assert kind_of(lambda environ, start_response: None).value == 'wsgi'\n"
        "assert not {'inspect', 'asyncio', 'dis'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
