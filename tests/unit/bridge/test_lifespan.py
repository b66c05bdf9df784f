"""The lifespan: applications that speak it, that do not, that fail, and that die in between."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager, suppress

import pytest

from gunicorn.bridge.lifespan import Lifespan, LifespanError
from gunicorn.protocol.errors import ResponseError

STARTED = {"type": "lifespan.startup.complete"}
STOPPED = {"type": "lifespan.shutdown.complete"}


class Teller:
    """An application that does what its script says and remembers what it heard."""

    def __init__(self, *script) -> None:
        self.script = script
        self.heard: list[str] = []
        self.scope = None

    async def __call__(self, scope, receive, send) -> None:
        self.scope = scope
        for step in self.script:
            if step == "receive":
                self.heard.append((await receive())["type"])
            elif isinstance(step, (dict, list)):
                await send(step)
            elif isinstance(step, BaseException):
                raise step
            else:
                await step(self)


FULL = ("receive", STARTED, "receive", STOPPED)


@asynccontextmanager
async def running(app, mode="auto", state=None, died=None):
    lifespan = Lifespan(app, mode, asyncio.get_running_loop().create_future, {} if state is None else state, died)
    task = asyncio.ensure_future(lifespan.run())
    try:
        yield lifespan, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def drive(body) -> None:
    """Runs `body` to its end; a hang fails instead of blocking the run."""
    asyncio.run(asyncio.wait_for(body(), 10))


def test_an_application_that_speaks_it():
    state = {}

    async def body():
        app = Teller("receive", fill, STARTED, "receive", STOPPED)
        async with running(app, state=state) as (lifespan, task):
            await lifespan.startup()
            assert lifespan.supported
            assert app.heard == ["lifespan.startup"]
            await asyncio.sleep(0)
            assert not task.done()
            await lifespan.shutdown()
            assert app.heard == ["lifespan.startup", "lifespan.shutdown"]
            await task
            await lifespan.shutdown()
            assert app.heard == ["lifespan.startup", "lifespan.shutdown"]
        assert app.scope == {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": {"pool": 1},
        }

    async def fill(app):
        app.scope["state"]["pool"] = 1

    drive(body)
    assert state == {"pool": 1}


@pytest.mark.parametrize("script", [(AssertionError("http only"),), ("receive", KeyError("x")), ("receive",), ()])
def test_auto_goes_on_without_it(script):
    async def body():
        async with running(Teller(*script)) as (lifespan, task):
            await lifespan.startup()
            assert not lifespan.supported
            assert lifespan.failure is next((step for step in script if isinstance(step, Exception)), None)
            assert lifespan.heard == ("receive" in script)
            await lifespan.shutdown()
            await task

    drive(body)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ((AssertionError("http only\nand more"),), "the application's start-up failed: AssertionError: http only"),
        (("receive", KeyError()), "the application's start-up failed: KeyError"),
        (("receive",), "the application returned before its start-up was complete"),
    ],
)
def test_on_takes_that_for_a_failed_start(script, text):
    async def body():
        async with running(Teller(*script), "on") as (lifespan, _task):
            with pytest.raises(LifespanError) as caught:
                await lifespan.startup()
            assert str(caught.value) == text
            assert caught.value.__cause__ is next((step for step in script if isinstance(step, Exception)), None)
            await lifespan.shutdown()

    drive(body)


@pytest.mark.parametrize("mode", ["auto", "on"])
@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "lifespan.startup.failed", "message": "no database\n"}, "its start-up failed: no database"),
        ({"type": "lifespan.startup.failed"}, "its start-up failed"),
    ],
)
@pytest.mark.parametrize("after", [(), (ValueError("as frameworks do"),), ("receive",)])
def test_an_application_that_says_it_failed_is_never_served(mode, message, text, after):
    async def body():
        deaths = []
        async with running(Teller("receive", message, *after), mode, died=deaths.append) as (lifespan, _task):
            with pytest.raises(LifespanError) as caught:
                await lifespan.startup()
            assert str(caught.value) == f"the application says that {text}"
            await lifespan.shutdown()
        assert deaths == []

    drive(body)


def test_off_calls_nothing():
    async def body():
        app = Teller(*FULL)
        async with running(app, "off") as (lifespan, task):
            await lifespan.startup()
            await lifespan.shutdown()
            await task
            assert not lifespan.supported
        assert app.scope is None

    drive(body)


def test_a_failed_shutdown_is_told():
    async def body():
        app = Teller("receive", STARTED, "receive", {"type": "lifespan.shutdown.failed", "message": "disk full"})
        async with running(app) as (lifespan, _task):
            await lifespan.startup()
            with pytest.raises(LifespanError, match=r"^the application says that its shutdown failed: disk full$"):
                await lifespan.shutdown()

    drive(body)


def test_an_exception_while_shutting_down_is_told():
    async def body():
        failure = OSError("broken pipe")
        async with running(Teller("receive", STARTED, "receive", failure)) as (lifespan, _task):
            await lifespan.startup()
            with pytest.raises(LifespanError, match="shutdown failed: OSError: broken pipe") as caught:
                await lifespan.shutdown()
            assert caught.value.__cause__ is failure

    drive(body)


def test_a_return_instead_of_shutdown_complete_is_an_end():
    async def body():
        async with running(Teller("receive", STARTED, "receive")) as (lifespan, task):
            await lifespan.startup()
            await lifespan.shutdown()
            await task

    drive(body)


def test_an_exception_while_serving_is_told_once():
    async def body():
        deaths = []
        failure = RuntimeError("background job died")
        async with running(Teller("receive", STARTED, failure), died=deaths.append) as (lifespan, task):
            await lifespan.startup()
            await task
            assert deaths == [failure]
            await lifespan.shutdown()
            assert deaths == [failure]

    drive(body)


def test_an_exception_while_serving_is_told_at_the_end_where_nobody_listened():
    async def body():
        async with running(Teller("receive", STARTED, RuntimeError("died"))) as (lifespan, task):
            await lifespan.startup()
            await task
            with pytest.raises(LifespanError, match="RuntimeError: died"):
                await lifespan.shutdown()

    drive(body)


def test_a_return_while_serving_is_no_failure():
    async def body():
        deaths = []
        async with running(Teller("receive", STARTED), died=deaths.append) as (lifespan, task):
            await lifespan.startup()
            await task
            await lifespan.shutdown()
        assert deaths == []

    drive(body)


def test_the_task_that_is_cancelled_between_start_and_end_leaves_nobody_waiting():
    async def body():
        deaths = []
        async with running(Teller(*FULL), died=deaths.append) as (lifespan, task):
            await lifespan.startup()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await lifespan.shutdown()
        assert deaths == []

    drive(body)


def test_an_application_dies_while_it_is_waited_for():
    """The failure of a shutdown that nobody answers wakes who waits."""

    async def body():
        app = Teller("receive", STARTED, "receive", nap, ValueError("late"))
        async with running(app) as (lifespan, _task):
            await lifespan.startup()
            with pytest.raises(LifespanError, match="ValueError: late"):
                await lifespan.shutdown()

    async def nap(app):
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    drive(body)


def test_who_gives_up_waiting_disturbs_nobody():
    async def body():
        gate = asyncio.Event()

        async def wait(app):
            await gate.wait()

        async with running(Teller("receive", wait, *FULL[1:])) as (lifespan, _task):
            impatient = asyncio.ensure_future(lifespan.startup())
            await asyncio.sleep(0)
            impatient.cancel()
            with pytest.raises(asyncio.CancelledError):
                await impatient
            gate.set()
            await lifespan.startup()
            await lifespan.shutdown()

    drive(body)


def test_what_ends_the_process_comes_through():
    async def body():
        lifespan = Lifespan(Teller("receive", SystemExit(3)), "auto", asyncio.get_running_loop().create_future, {})
        with pytest.raises(SystemExit):
            await lifespan.run()
        await lifespan.startup()
        assert not lifespan.supported

    drive(body)


def test_after_the_last_message_there_is_none():
    """An application that listens on is neither woken nor answered; who runs it cancels it."""

    async def body():
        app = Teller(*FULL, "receive")
        async with running(app) as (lifespan, task):
            await lifespan.startup()
            await lifespan.shutdown()
            await asyncio.sleep(0)
            assert not task.done()
        assert app.heard == ["lifespan.startup", "lifespan.shutdown"]

    drive(body)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (
            (STOPPED,),
            "'lifespan.shutdown.complete' was sent while the application was starting up; expected lifespan.startup.c",
        ),
        ((STARTED, STARTED), "'lifespan.startup.complete' was sent while the application was serving; nothing is"),
        (({"type": "http.response.start"},), "'http.response.start' was sent while the application was starting up"),
        (({"typo": 1},), "an ASGI message is a dict with a 'type', not {'typo': 1}"),
        (({"type": []},), "an ASGI message is a dict with a 'type'"),
        (([],), "an ASGI message is a dict with a 'type', not []"),
    ],
)
def test_messages_out_of_order_are_errors_in_the_applications_stack(script, text):
    async def body():
        lifespan = Lifespan(Teller(*script), "on", asyncio.get_running_loop().create_future, {})
        await lifespan.run()
        assert isinstance(lifespan.failure, ResponseError)
        assert text in str(lifespan.failure)

    drive(body)


def test_after_the_end_nothing_may_be_said():
    async def body():
        deaths = []
        async with running(Teller(*FULL, STOPPED), died=deaths.append) as (lifespan, task):
            await lifespan.startup()
            await lifespan.shutdown()
            await task
        assert len(deaths) == 1
        assert "was sent while the application was at its end" in str(deaths[0])

    drive(body)


STEPS = ("receive", STARTED, {"type": "lifespan.startup.failed"}, STOPPED, ValueError("raised"))


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_no_script_leaves_the_server_waiting_for_nobody(mode):
    """Whatever an application does in up to four steps: only one that itself waits for a message is waited for."""

    async def body():
        for length in range(5):
            for script in itertools.product(STEPS, repeat=length):
                await one(Teller(*script))

    async def one(app):
        async with running(app, mode) as (lifespan, task):
            startup = await outcome(lifespan.startup())
            assert startup.done() or not task.done(), app.script
            if not startup.done():
                assert app.script[:2] == ("receive", "receive")
                startup.cancel()
                return
            serves = startup.exception() is None
            assert serves == (lifespan.message is None and (mode == "auto" or lifespan.supported)), app.script
            shutdown = await outcome(lifespan.shutdown())
            assert shutdown.done() or not task.done(), app.script
            if not shutdown.done():
                assert app.heard[-1] == "lifespan.shutdown"
                shutdown.cancel()
            elif shutdown.exception() is not None:
                assert lifespan.failure is shutdown.exception().__cause__

    async def outcome(work):
        """The task of `work`, when nothing moves any more."""
        task = asyncio.ensure_future(work)
        for _ in range(12):
            await asyncio.sleep(0)
        return task

    asyncio.run(asyncio.wait_for(body(), 60))
