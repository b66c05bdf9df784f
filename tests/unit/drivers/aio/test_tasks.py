"""A request's task: at once up to its first suspension, a real task in a context of its own."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading

import pytest

from gunicorn.drivers.aio.tasks import NAME, request_loop, start_now

mood: contextvars.ContextVar[str] = contextvars.ContextVar("mood", default="none")


def in_callback(loop, what):
    """The result of `what`, called by the loop outside every task, as transports call us."""
    done = loop.create_future()

    def call():
        try:
            done.set_result(what())
        except BaseException as error:
            done.set_exception(error)

    loop.call_soon(call)
    return done


async def test_it_runs_at_once_up_to_its_first_suspension(loop):
    seen = []
    gate = loop.create_future()

    async def work():
        seen.append("began")
        await gate
        seen.append("went on")

    def begin():
        task = start_now(loop, work(), contextvars.copy_context())
        return task, list(seen), task.done()

    task, at_once, done = await in_callback(loop, begin)
    assert (at_once, done) == (["began"], False)
    gate.set_result(None)
    await task
    assert seen == ["began", "went on"]


async def test_what_needs_no_suspension_is_over_at_once(loop):
    seen = []

    async def work():
        seen.append(asyncio.current_task())

    task = await in_callback(loop, lambda: start_now(loop, work(), contextvars.copy_context()))
    assert task.done()
    assert seen == [task]
    assert task.get_name() == NAME
    assert isinstance(task, asyncio.Task)


async def test_the_current_task_is_its_own_before_and_after(loop):
    seen = []

    async def work():
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())
        assert asyncio.current_task() in asyncio.all_tasks()

    def begin():
        before = asyncio.current_task()
        task = start_now(loop, work(), contextvars.copy_context())
        return before, task, asyncio.current_task()

    before, task, after = await in_callback(loop, begin)
    await task
    assert (before, after) == (None, None)
    assert seen == [task, task]


async def test_each_has_a_context_of_its_own(loop):
    mood.set("of the test")
    seen = []

    async def work(number):
        seen.append(mood.get())
        mood.set(f"{number}")
        await asyncio.sleep(0)
        seen.append(mood.get())

    base = contextvars.copy_context()
    base.run(mood.set, "of the lifespan")

    def begin():
        return [start_now(loop, work(number), base.copy()) for number in range(3)], mood.get()

    tasks, outside = await in_callback(loop, begin)
    await asyncio.gather(*tasks)
    assert seen == ["of the lifespan"] * 3 + ["0", "1", "2"]
    assert base[mood] == "of the lifespan"
    assert outside == "of the test"


@pytest.mark.parametrize("suspends", [False, True])
async def test_exceptions_stay_in_their_task(loop, suspends):
    async def work():
        if suspends:
            await asyncio.sleep(0)
        raise ValueError("on purpose")

    task = await in_callback(loop, lambda: start_now(loop, work(), contextvars.copy_context()))
    with pytest.raises(ValueError, match="on purpose"):
        await task
    # The loop begins the next one as if nothing had been.
    task = await in_callback(loop, lambda: start_now(loop, asyncio.sleep(0), contextvars.copy_context()))
    await task


async def test_cancellation(loop):
    seen = []

    async def work():
        try:
            await loop.create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = await in_callback(loop, lambda: start_now(loop, work(), contextvars.copy_context()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (seen, task.cancelled()) == (["cancelled"], True)


async def test_timeouts_and_groups_know_the_task(loop):
    async def work():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await loop.create_future()
        async with asyncio.TaskGroup() as group:
            children = [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
        return [child.result() for child in children]

    task = await in_callback(loop, lambda: start_now(loop, work(), contextvars.copy_context()))
    assert await task == [0, 1, 2]


async def test_what_the_first_step_queues_is_queued(loop):
    """Only the first step of the task is handed out; callbacks of the application keep their order and arguments."""
    seen = []

    async def work():
        loop.call_soon(seen.append, 1)
        loop.call_soon(seen.append, 2, context=contextvars.copy_context())
        child = asyncio.ensure_future(asyncio.sleep(0))
        seen.append(0)
        await child

    task = await in_callback(loop, lambda: start_now(loop, work(), contextvars.copy_context()))
    await task
    assert seen == [0, 1, 2]


async def test_what_a_finalizer_queues_is_no_first_step(loop):
    """The collector may come by at any moment; what it finds may use the loop."""
    seen = []

    class Ring:
        def __init__(self):
            self.ring = self

        def __del__(self):
            loop.call_soon(seen.append, "finalized")

    async def work():
        seen.append("began")

    def begin():
        threshold = gc.get_threshold()
        gc.set_threshold(1, 1, 1)
        try:
            for _ in range(50):
                Ring()
                start_now(loop, work(), contextvars.copy_context())
        finally:
            gc.set_threshold(*threshold)

    await in_callback(loop, begin)
    gc.collect()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen.count("began") == 50
    assert seen.count("finalized") == 50


async def test_other_loops_go_their_own_way(loop):
    """A loop in another thread, and tasks made in the plain way, between the steps of ours."""
    seen = []

    async def plain():
        seen.append("plain")
        await asyncio.sleep(0)
        return 5

    def elsewhere():
        other = request_loop(asyncio.SelectorEventLoop)
        try:
            seen.append(other.run_until_complete(plain()))
        finally:
            other.close()

    async def work():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        await loop.run_in_executor(None, thread.join)
        return await asyncio.create_task(plain())

    task = await in_callback(loop, lambda: start_now(loop, work(), contextvars.copy_context()))
    assert await task == 5
    assert seen == ["plain", 5, "plain"]


def test_to_whoever_asks_it_is_the_loop_that_was_asked_for(loop):
    kind = type(loop)
    assert kind.__module__.split(".")[0] in ("asyncio", "uvloop")
    assert not kind.__qualname__.startswith("request_loop")
    other = request_loop(asyncio.SelectorEventLoop)
    try:
        assert isinstance(other, asyncio.SelectorEventLoop)
        assert type(other).__qualname__ == asyncio.SelectorEventLoop.__qualname__
    finally:
        other.close()
