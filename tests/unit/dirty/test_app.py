"""What an author of an application may write, and what its worker makes of it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading

import pytest

from gunicorn.dirty import DirtyApp
from gunicorn.dirty.app import Call, Result, actions, current_call, kind_of, serving


class Everything(DirtyApp):
    def init(self):
        self.model = lambda: "not an action"

    def plain(self, a, *, b=2):
        return a, b

    async def coroutine(self):
        return 1

    def items(self):
        yield 1

    async def async_items(self):
        yield 1

    @staticmethod
    def fixed():
        return "fixed"

    @classmethod
    def of_class(cls):
        return cls.__name__

    twice = functools.partialmethod(plain, b=4)

    def timeout(self):
        return "mine"

    def _private(self):
        raise AssertionError

    @property
    def state(self):
        raise AssertionError("asked for its value only to know whether it is an action")

    class Options:
        pass

    limit = 5


NAMES = ["async_items", "coroutine", "fixed", "items", "of_class", "plain", "timeout", "twice"]


def test_actions_are_the_public_methods():
    assert actions(Everything) == NAMES
    assert actions(DirtyApp) == []


def test_calling_runs_the_action():
    app = Everything()
    app.init()
    assert app("plain", 1) == (1, 2)
    assert app("plain", 1, b=3) == (1, 3)
    assert app("fixed") == "fixed"
    assert app("of_class") == "Everything"
    assert app("twice", 1) == (1, 4)
    assert app("timeout") == "mine"


@pytest.mark.parametrize(
    "name",
    [
        *("init", "close", "warmup", "_private", "__init__", "model", "state", "Options", "limit", "workers"),
        *("cancelled", "", "nothing", "plain ", "__call__", "__class__", 5, None),
    ],
)
def test_anything_else_is_no_action(name):
    app = Everything()
    app.init()
    with pytest.raises(ValueError, match="unknown action"):
        app(name)


def test_a_warmup_of_ones_own_can_be_called():
    class Warm(DirtyApp):
        def warmup(self):
            return "warm"

    assert Warm()("warmup") == "warm"


def test_inherited_actions_count():
    class Child(Everything):
        plain = None

    assert actions(Child) == [name for name in NAMES if name != "plain"]


def test_the_author_may_take_over():
    class Own(DirtyApp):
        def __call__(self, action, *args, **kwargs):
            return super().__call__("known", action, *args)

        def known(self, action, *args):
            return action, args

    assert Own()("anything", 1) == ("anything", (1,))


def test_life_has_defaults():
    app = DirtyApp()
    assert (app.init(), app.warmup(), app.close()) == (None, None, None)
    assert (DirtyApp.workers, DirtyApp.max_queue, DirtyApp.queue_timeout, DirtyApp.timeout) == (None,) * 4


def test_kinds_of_results():
    app = Everything()
    coroutine = app("coroutine")
    assert kind_of(coroutine) is Result.AWAITABLE
    coroutine.close()
    assert kind_of(app("items")) is Result.STREAM
    assert kind_of(app("async_items")) is Result.ASYNC_STREAM
    for value in (None, 1, b"", [1], iter([1]), range(3), {"a": 1}, map(str, [1])):
        assert kind_of(value) is Result.VALUE


class Watching(DirtyApp):
    def seen(self):
        return self.cancelled

    def stream(self):
        while True:
            yield self.cancelled

    async def slow(self, started, go):
        started.set()
        await go.wait()
        return self.cancelled


def test_outside_of_a_call_nothing_is_cancelled():
    assert Watching()("seen") is False
    assert current_call() is None


def test_the_call_in_hand_is_the_one_that_is_asked():
    app, call = Watching(), Call("seen", 12.5)
    with serving(call):
        assert current_call() is call
        assert app("seen") is False
        call.cancelled = True
        assert app("seen") is True
    assert app("seen") is False


def test_a_generator_hears_it_between_two_items():
    app, call = Watching(), Call("stream")
    with serving(call):
        stream = app("stream")
        first = next(stream)
    call.cancelled = True
    with serving(call):
        assert (first, next(stream)) == (False, True)


def test_threads_have_calls_of_their_own():
    app, one, two = Watching(), Call("seen"), Call("seen")
    one.cancelled = True
    seen = {}
    together = threading.Barrier(2)

    def run(name, call):
        with serving(call):
            together.wait(10)
            seen[name] = app("seen")

    threads = [threading.Thread(target=run, args=pair) for pair in (("one", one), ("two", two))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == {"one": True, "two": False}


def test_tasks_have_calls_of_their_own():
    async def main():
        app, calls = Watching(), [Call("slow"), Call("slow")]
        go = asyncio.Event()
        tasks = []
        for call in calls:
            started = asyncio.Event()
            with serving(call):
                tasks.append(asyncio.create_task(app("slow", started, go), context=contextvars.copy_context()))
            await started.wait()
        calls[1].cancelled = True
        go.set()
        return [await task for task in tasks]

    assert asyncio.run(main()) == [False, True]
