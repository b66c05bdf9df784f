"""The lifespan: started before requests, shown when it fails, shut down however the worker ends."""

from __future__ import annotations

import time
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM

import pytest

from tests.support.load import Load
from tests.support.processes import alive, consistently, eventually
from tests.support.server import Server, free_port, run_gunicorn

BOOT = 3
ASGI = ("-k", "asgi")


def app(name: str) -> str:
    return f"tests.apps.asgi.lifespans:{name}"


class Marks:
    """What the lifespans wrote down: (what, pid)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env = {"MARKS": str(path)}

    def all(self) -> list[tuple[str, int]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    def pids(self, what: str) -> list[int]:
        return [pid for text, pid in self.all() if text == what]

    def wait(self, what: str, count: int = 1, timeout: float = 10.0) -> list[int]:
        eventually(lambda: len(self.pids(what)) >= count, lambda: f"{count} × {what} among {self.all()}", timeout)
        return self.pids(what)


def told(server: Server, text: str) -> int:
    """How many errors were reported in which `text` stands."""
    return len([line for line in server.log().splitlines() if "[ERROR]" in line and text in line])


@pytest.fixture
def marks(tmp_path):
    return Marks(tmp_path / "marks")


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_startup_and_shutdown_on_term(asgi_worker, marks, mode):
    with Server(app("good"), *asgi_worker, "-w", "2", "--asgi-lifespan", mode, env=marks.env) as server:
        pids = server.wait_workers(2)
        assert sorted(marks.wait("startup", 2)) == sorted(pids)
        eventually(lambda: server.serving() == set(pids), "both workers serve")
        assert server.stop(SIGTERM) == 0
    assert sorted(marks.pids("shutdown")) == sorted(pids)


def test_shutdown_on_int(asgi_worker, marks):
    """Quick means that nobody waits for requests; a shutdown that is quick itself is still run."""
    with Server(app("good"), *asgi_worker, env=marks.env) as server:
        server.get()
        started = time.monotonic()
        assert server.stop(SIGINT) == 0
        assert time.monotonic() - started < 5
    assert len(marks.pids("shutdown")) == 1


def test_off_says_nothing(marks):
    with Server(app("good"), *ASGI, "--asgi-lifespan", "off", env=marks.env) as server:
        assert server.get().status == 200
        assert server.stop(SIGTERM) == 0
    assert marks.all() == []


def test_no_request_before_startup_is_complete(asgi_worker, marks):
    with Server(app("slow_to_start"), *asgi_worker, env=marks.env) as server:
        assert server.get().status == 200
        assert len(marks.pids("startup")) == 1


def test_a_slow_startup_is_not_a_stuck_worker(asgi_worker, marks):
    """`timeout` speaks of requests, not of starting up."""
    with Server(app("slow_to_start"), *asgi_worker, "--timeout", "1", env=marks.env) as server:
        assert server.get().status == 200
        assert server.log().lower().count("booting worker") == 1


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_startup_failed_is_a_boot_failure_with_the_message(mode):
    done = run_gunicorn("-b", f"127.0.0.1:{free_port()}", *ASGI, "--asgi-lifespan", mode, app("says_failed"))
    text = done.stdout + done.stderr
    assert done.returncode == BOOT, text
    assert "the database is not there" in text
    assert "Traceback" not in text, "the application's own words are enough"


@pytest.mark.parametrize(
    ("name", "says"),
    [("raises", "no lifespan here"), ("raises_after_receive", "the pool could not be opened"), ("returns", "start-up")],
)
def test_on_takes_every_other_end_for_a_failure(name, says):
    done = run_gunicorn("-b", f"127.0.0.1:{free_port()}", *ASGI, "--asgi-lifespan", "on", app(name))
    text = done.stdout + done.stderr
    assert done.returncode == BOOT, text
    assert says in text
    assert "gunicorn/arbiter" not in text, "the server's own frames help nobody"


@pytest.mark.parametrize("name", ["raises", "raises_after_receive", "returns"])
def test_auto_goes_on_without(asgi_worker, name):
    with Server(app(name), *asgi_worker, tracebacks=True) as server:
        assert server.get().status == 200
        assert server.stop(SIGTERM) == 0
        assert server.log().lower().count("booting worker") == 1


def test_shutdown_comes_after_the_last_request(asgi_worker, marks, tmp_path):
    source = (
        "import asyncio\nfrom tests.apps.asgi.lifespans import mark\n"
        "async def asgi_app(scope, receive, send):\n"
        "    if scope['type'] == 'lifespan':\n"
        "        for name in ('startup', 'shutdown'):\n"
        "            await receive()\n            mark(name)\n"
        "            await send({'type': f'lifespan.{name}.complete'})\n"
        "        return\n"
        "    mark('begun')\n    await asyncio.sleep(0.7)\n    mark('answered')\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'ok'})\n"
    )
    (tmp_path / "mine.py").write_text(source)
    with Server("mine:app", *asgi_worker, cwd=tmp_path, env=marks.env) as server, server.connect() as connection:
        connection.send_request()
        marks.wait("begun")
        server.signal(SIGTERM)
        assert connection.read_response().status == 200
        assert server.wait() == 0
    assert [what for what, _ in marks.all()] == ["startup", "begun", "answered", "shutdown"]


def test_recycled_workers_shut_down(asgi_worker, marks):
    with Server(app("good"), *asgi_worker, "-w", "1", "--max-requests", "30", env=marks.env) as server:
        with Load(server.connect, connections=2) as load:
            marks.wait("shutdown", 2, 20)
            load.assert_clean()
        assert server.stop(SIGTERM) == 0
    assert sorted(marks.pids("startup")) == sorted(marks.pids("shutdown"))


def test_reloaded_workers_shut_down(asgi_worker, marks):
    with Server(app("good"), *asgi_worker, "-w", "2", env=marks.env) as server:
        old = server.wait_workers(2)
        eventually(lambda: server.serving() == set(old), "both workers serve")
        server.signal(SIGHUP)
        assert sorted(marks.wait("shutdown", 2)) == sorted(old)
        eventually(lambda: not any(alive(pid) for pid in old), "the old workers end")
        assert server.get().status == 200
        assert server.stop(SIGTERM) == 0
    assert sorted(marks.pids("shutdown")) == sorted(marks.pids("startup"))


def test_a_shutdown_that_takes_its_time_is_waited_for(asgi_worker, marks):
    with Server(app("slow_to_end"), *asgi_worker, env=marks.env) as server:
        server.get()
        assert server.stop(SIGTERM) == 0
    assert len(marks.pids("shutdown")) == 1


def test_a_shutdown_that_never_ends_is_bounded(asgi_worker, marks):
    with Server(app("never_ends"), *asgi_worker, "--graceful-timeout", "2", env=marks.env) as server:
        server.get()
        started = time.monotonic()
        server.stop(SIGTERM)
        assert time.monotonic() - started < 6
    assert len(marks.pids("shutdown")) == 1


@pytest.mark.parametrize(
    ("name", "says"), [("shutdown_fails", "the queue was not empty"), ("shutdown_raises", "closing broke")]
)
def test_a_shutdown_that_fails_is_told(asgi_worker, marks, name, says):
    with Server(app(name), *asgi_worker, env=marks.env, tracebacks=True) as server:
        server.get()
        assert server.stop(SIGTERM) == 0
        assert told(server, says) == 1
    assert len(marks.pids("shutdown")) == 1


def test_a_lifespan_that_dies_while_serving_is_told_once_and_survived(asgi_worker):
    with Server(app("dies_later"), *asgi_worker, tracebacks=True) as server:
        server.wait_log("the background task broke")
        pids = server.workers()
        assert server.get().status == 200
        consistently(lambda: server.workers() == pids, "the worker serves on", 0.5)
        assert server.stop(SIGTERM) == 0
        assert told(server, "") == 1


FAILING = """
async def asgi_app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "the new release has no database"})
"""


def test_a_reload_that_cannot_start_up_keeps_the_old_workers(asgi_worker, deploy):
    with Server(deploy.uri, *asgi_worker, "-w", "2", cwd=deploy.folder) as server:
        old = server.wait_workers(2)
        deploy.wait_imports("v1", 2)
        with Load(server.connect, connections=4) as load:
            load.progress(20)
            deploy.source(FAILING)
            server.signal(SIGHUP)
            server.wait_log("the new release has no database")
            eventually(lambda: server.workers() == old, "only the old workers", 20)
            load.progress(50)
            load.assert_clean()


def test_preload_runs_the_lifespan_in_each_worker(asgi_worker, marks):
    with Server(app("good"), *asgi_worker, "-w", "2", "--preload", env=marks.env) as server:
        pids = server.wait_workers(2)
        server.get()
        assert sorted(marks.wait("startup", 2)) == sorted(pids)
