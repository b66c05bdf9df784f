"""Tests of the event-loop driver are coroutines, run on each kind of loop that is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect

import pytest

from gunicorn.drivers.aio.tasks import request_loop
from tests.unit.drivers.aio.stand import Stand

KINDS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]
PATIENCE = 30


def make_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "asyncio":
        return request_loop(asyncio.SelectorEventLoop)
    import uvloop

    return request_loop(uvloop.Loop)


@pytest.fixture(params=KINDS)
def loop(request):
    """The loop that the test itself runs on."""
    made = make_loop(request.param)
    asyncio.set_event_loop(made)
    strays = []
    made.set_exception_handler(lambda loop, about: strays.append(about))
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.run_until_complete(made.shutdown_default_executor())
    made.close()
    asyncio.set_event_loop(None)
    assert strays == []


@pytest.fixture
def stand(loop):
    """`stand(app, **options)`: a driver that serves `app`."""
    made: list[Stand] = []

    def make(app, **options) -> Stand:
        made.append(Stand(loop, app, **options))
        return made[-1]

    yield make
    for one in made:
        loop.run_until_complete(asyncio.wait_for(one.close(), PATIENCE))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs a coroutine test on its `loop`."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    loop = pyfuncitem.funcargs["loop"]
    names = pyfuncitem._fixtureinfo.argnames
    test = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    loop.run_until_complete(asyncio.wait_for(test, PATIENCE))
    return True
