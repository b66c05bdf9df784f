"""Every hook is called, at its time, in its process, with the arguments the documentation names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from signal import SIGABRT, SIGHUP, SIGINT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR2

import pytest

from tests.support.processes import alive, children, eventually
from tests.support.server import Server

HELLO = "tests.apps.hello:app"
CONFIG = """
import json, os

def note(hook, **facts):
    line = json.dumps({"hook": hook, "pid": os.getpid(), **facts}) + "\\n"
    with open("hooks", "a") as file:
        file.write(line)

def on_starting(server): note("on_starting", workers=server.cfg.workers)
def on_reload(server): note("on_reload")
def when_ready(server): note("when_ready", address=str(server.address))
def pre_fork(server, worker): note("pre_fork", server=server.pid, age=worker.age)
def post_fork(server, worker): note("post_fork", server=server.pid, worker=worker.pid, age=worker.age)
def post_worker_init(worker): note("post_worker_init", worker=worker.pid, callable=callable(worker.wsgi))
def worker_int(worker): note("worker_int", worker=worker.pid)
def worker_abort(worker): note("worker_abort", worker=worker.pid)
def pre_exec(server): note("pre_exec")
def pre_request(worker, req):
    note("pre_request", worker=worker.pid, alive=worker.alive, nr=worker.nr, method=req.method, uri=req.uri,
         path=req.path, query=req.query, fragment=req.fragment, version=list(req.version),
         headers=[list(pair) for pair in req.headers])
def post_request(worker, req, environ, resp):
    note("post_request", path=req.path, environ=environ["PATH_INFO"], status=resp.status, sent=resp.sent,
         headers=[list(pair) for pair in resp.headers], length=resp.response_length)
def child_exit(server, worker): note("child_exit", server=server.pid, worker=worker.pid)
def worker_exit(server, worker): note("worker_exit", server=server.pid, worker=worker.pid)
def nworkers_changed(server, new_value, old_value): note("nworkers_changed", new=new_value, old=old_value)
def on_exit(server): note("on_exit", server=server.pid)
"""


class Notes:
    """What the hooks wrote, in order."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "hooks"

    def all(self, hook: str) -> list[dict]:
        if not self.path.exists():
            return []
        found = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [note for note in found if note["hook"] == hook]

    def wait(self, hook: str, count: int = 1) -> list[dict]:
        eventually(lambda: len(self.all(hook)) >= count, f"{count} × {hook}")
        return self.all(hook)

    def order(self) -> list[str]:
        return [json.loads(line)["hook"] for line in self.path.read_text().splitlines()]


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


def test_the_life_of_a_server(worker, notes, tmp_path):
    with Server(HELLO, *worker, "-w", "2", cwd=tmp_path, config=CONFIG) as server:
        pids = set(server.wait_workers(2))
        assert server.get("/page?q=1", [("X-One", "1")]).status == 200
        notes.wait("post_worker_init", 2)
        # Whoever is told to stop before it serves just ends.
        eventually(lambda: server.serving() == pids, "both workers serve")
        notes.wait("post_request")
        assert server.stop(SIGTERM) == 0
    assert [note["pid"] for note in notes.all("on_starting")] == [server.pid]
    assert [note["pid"] for note in notes.all("when_ready")] == [server.pid]
    assert [note["pid"] for note in notes.all("pre_fork")] == [server.pid] * 2
    assert {note["pid"] for note in notes.all("post_fork")} == pids
    assert all(note["server"] == server.pid and note["worker"] == note["pid"] for note in notes.all("post_fork"))
    assert sorted(note["age"] for note in notes.all("post_fork")) == [1, 2]
    assert {note["pid"] for note in notes.all("post_worker_init")} == pids
    assert all(note["callable"] for note in notes.all("post_worker_init"))
    assert {note["pid"] for note in notes.all("worker_exit")} == pids
    assert {note["worker"] for note in notes.all("child_exit")} == pids
    assert {note["pid"] for note in notes.all("child_exit")} == {server.pid}
    assert [note["pid"] for note in notes.all("on_exit")] == [server.pid]
    order = notes.order()
    assert order[0] == "on_starting"
    assert order[-1] == "on_exit"
    assert order.index("when_ready") < order.index("pre_request")
    assert order.index("pre_fork") < order.index("post_fork") < order.index("post_worker_init")


def test_request_hooks_see_the_request_and_the_response(worker, notes, tmp_path):
    with Server(HELLO, *worker, cwd=tmp_path, config=CONFIG) as server:
        body = server.get("/page%20one?q=1", [("X-One", "1"), ("X-Two", "2")]).body
        (before,) = notes.wait("pre_request")
        (after,) = notes.wait("post_request")
    assert before["alive"] is True
    assert (before["method"], before["uri"], before["query"]) == ("GET", "/page%20one?q=1", "q=1")
    assert before["path"] in ("/page%20one", "/page one")
    assert before["fragment"] == ""
    assert before["version"] == [1, 1]
    assert {name.upper(): value for name, value in before["headers"]}["X-ONE"] == "1"
    assert all(name == name.upper() for name, _ in before["headers"])
    assert after["environ"] == "/page one"
    assert str(after["status"]).startswith("200")
    assert after["sent"] == len(body)
    # As the application spelled them: ASGI applications use lower case.
    assert ["content-length", str(len(body))] in [[name.lower(), value] for name, value in after["headers"]]


@pytest.mark.parametrize("arguments", ["worker, req", "worker, req, environ", "worker, req, environ, resp"])
def test_post_request_with_fewer_arguments(worker, tmp_path, arguments):
    config = f"def post_request({arguments}):\n    open('called', 'a').write('x')\n"
    with Server(HELLO, *worker, cwd=tmp_path, config=config) as server:
        assert server.get().status == 200
        eventually((tmp_path / "called").exists, "the hook is called")


def test_reload_and_scaling(worker, notes, tmp_path):
    with Server(HELLO, *worker, "-w", "1", cwd=tmp_path, config=CONFIG) as server:
        server.get()
        # The number is set for the first time: there is no old one.
        assert [(note["new"], note["old"]) for note in notes.wait("nworkers_changed")] == [(1, None)]
        server.signal(SIGTTIN)
        server.wait_workers(2)
        server.signal(SIGTTOU)
        changes = notes.wait("nworkers_changed", 3)[1:]
        assert [(note["new"], note["old"]) for note in changes] == [(2, 1), (1, 2)]
        server.signal(SIGHUP)
        (note,) = notes.wait("on_reload")
        assert note["pid"] == server.pid


def test_worker_int(worker, notes, tmp_path):
    with Server(HELLO, *worker, cwd=tmp_path, config=CONFIG) as server:
        server.get()
        (pid,) = server.workers()
        server.signal(SIGINT, pid)
        (note,) = notes.wait("worker_int")
        assert note["worker"] == note["pid"] == pid


def test_worker_abort(notes, tmp_path):
    with Server("tests.apps.slow:app", "--timeout", "1", cwd=tmp_path, config=CONFIG, tracebacks=True) as server:
        (pid,) = server.wait_workers(1)
        with server.connect() as connection:
            connection.send_request("GET", "/?s=60")
            (note,) = notes.wait("worker_abort")
            assert note["worker"] == note["pid"] == pid
        eventually(lambda: not alive(pid), "the worker ends")


def test_worker_abort_by_hand(worker, notes, tmp_path):
    with Server(HELLO, *worker, cwd=tmp_path, config=CONFIG, tracebacks=True) as server:
        server.get()
        (pid,) = server.wait_workers(1)
        server.signal(SIGABRT, pid)
        notes.wait("worker_abort")
        notes.wait("child_exit")
        assert server.get().status == 200


def test_pre_exec(notes, tmp_path):
    with Server(HELLO, cwd=tmp_path, config=CONFIG) as server:
        server.get()
        before = set(server.workers())
        server.signal(SIGUSR2)
        notes.wait("pre_exec")
        new = eventually(lambda: [p for p in server.workers() if p not in before and children(p)], "a new arbiter", 15)
        os.kill(new[0], SIGTERM)
        eventually(lambda: not alive(new[0]), "it ends")


def test_a_hook_that_raises_is_reported_and_does_not_stop_requests(worker, tmp_path):
    config = (
        "def pre_request(worker, req):\n    if req.path == '/bad':\n        raise RuntimeError('pre broke')\n"
        "def post_request(worker, req, environ, resp):\n    raise RuntimeError('post broke')\n"
        "def child_exit(server, worker):\n    raise RuntimeError('child_exit broke')\n"
    )
    with Server(HELLO, *worker, cwd=tmp_path, config=config, tracebacks=True) as server:
        assert server.get().status == 200
        server.wait_log("post broke")
        assert server.get("/bad").status == 500
        server.wait_log("pre broke")
        (pid,) = server.workers()
        server.signal(SIGTERM, pid)
        server.wait_log("child_exit broke")
        eventually(lambda: server.workers() and pid not in server.workers(), "a new worker")
        assert server.get().status == 200


def test_when_ready_comes_before_the_first_request_is_answered(worker, tmp_path, deploy):
    config = "def when_ready(server):\n    open('ready', 'w').close()\n"
    deploy.page("return str(os.path.exists('ready')).encode()", before="import os")
    with Server(deploy.uri, *worker, cwd=deploy.folder, config=config) as server:
        assert server.get().text == "True"
