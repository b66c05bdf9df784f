"""One worker's life: hooks in order, the exit status of every end, and what the log says."""

from types import SimpleNamespace

import pytest

from gunicorn.arbiter.generation import Generation
from gunicorn.arbiter.program import WorkerProgram, explain
from gunicorn.config import Settings
from gunicorn.errors import AppLoadError
from gunicorn.metrics.cells import Cells
from gunicorn.net.address import parse_bind
from gunicorn.net.listeners import ListenOptions, open_listeners
from gunicorn.supervisor.child import Child


class Log:
    def __init__(self):
        self.lines = []
        self.reopened = 0

    def info(self, msg, *args):
        self.lines.append(msg % args)

    error = exception = info

    def reopen_files(self):
        self.reopened += 1


class Worker:
    """Says READY, then does what `act` does."""

    act = staticmethod(lambda worker: None)
    says_ready = True

    def __init__(self, age, ppid, sockets, app, timeout, cfg, log):
        self.given = (age, ppid, sockets, app, timeout, cfg, log)

    def init_process(self):
        if self.says_ready:
            self.notice(b"R")
        self.act(self)


def program(act=None, ready=True, hooks=(), foreign=(), **settings):
    calls = []

    def hook(name):
        return lambda server, worker: calls.append((name, server, worker))

    names = ("pre_fork", "post_fork", "worker_exit")
    cfg = Settings().replace(**{name: hook(name) for name in names} | dict(hooks) | settings)
    kind = type("Kind", (Worker,), {"act": staticmethod(act or (lambda worker: None)), "says_ready": ready})
    server = SimpleNamespace(pid=99, app="app", log=Log(), proc_name="name")
    generation = Generation(cfg, (), kind, {}, "/", None)
    child = Child(slot=1, age=7, generation=3, started=1)
    made = WorkerProgram(server, child, generation, Cells(1), foreign)
    return made, calls, server


def test_a_worker_is_made_as_its_class_expects():
    made, calls, server = program(timeout=30)
    worker = made.worker
    assert worker.given == (7, 99, [], "app", 15.0, made._cfg, server.log)
    assert worker.generation == 3
    assert worker.row is worker.cells.rows[1]
    assert calls == [("pre_fork", server, worker)]


def test_hooks_in_order_and_exit_status_0():
    made, calls, _ = program()
    said = []
    assert made.run(said.append) == 0
    assert said == [b"R"]
    assert [name for name, *_ in calls] == ["pre_fork", "post_fork", "worker_exit"]


def boom(_worker):
    raise RuntimeError("boom")


def cannot_load(_worker):
    raise AppLoadError("there is no module 'x'")


def leaves(_worker):
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("act", "ready", "status"), [(boom, False, 3), (boom, True, 1), (cannot_load, False, 4), (leaves, False, 3)]
)
def test_ends(act, ready, status):
    made, calls, _ = program(act, ready)
    assert made.run(lambda byte: None) == status
    assert calls[-1][0] == "worker_exit"


def test_sys_exit_of_a_serving_worker_is_its_own_affair():
    made, _, _ = program(leaves)
    with pytest.raises(SystemExit):
        made.run(lambda byte: None)


def test_a_broken_worker_exit_hook_costs_a_line_only():
    made, _, server = program(hooks={"worker_exit": lambda server, worker: 1 / 0})
    assert made.run(lambda byte: None) == 0
    assert server.log.lines[-1] == "The server hook worker_exit failed"


def test_a_broken_post_fork_hook_is_a_failed_boot():
    made, _, _ = program(hooks={"post_fork": lambda server, worker: 1 / 0})
    assert made.run(lambda byte: None) == 3


def test_a_broken_pre_fork_hook_is_the_callers():
    with pytest.raises(ZeroDivisionError):
        program(hooks={"pre_fork": lambda server, worker: 1 / 0})


def test_listeners_of_other_generations_are_closed():
    listeners = open_listeners([parse_bind("127.0.0.1:0")], ListenOptions(attempts=1))
    made, _, _ = program(foreign=listeners)
    made.run(lambda byte: None)
    assert listeners[0].sock.fileno() == -1


def test_reopen():
    made, _, server = program()
    made.reopen()
    assert server.log.reopened == 1


def test_a_wrong_name_is_one_line():
    assert explain(AppLoadError("there is no module 'x'")) == "there is no module 'x'"


def test_the_applications_own_fault_comes_with_its_own_frames_only():
    code = compile("def create():\n    raise ValueError('bad')\n", "/srv/app.py", "exec")
    space = {}
    exec(code, space)
    error = AppLoadError("factory failed", own_fault=True)
    try:
        try:
            space["create"]()
        except ValueError as cause:
            raise error from cause
    except AppLoadError as raised:
        text = explain(raised)
    assert text.startswith("factory failed\nTraceback")
    assert '"/srv/app.py", line 2, in create' in text
    assert text.endswith("ValueError: bad")
