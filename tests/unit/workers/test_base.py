"""What every worker class inherits, driven in this process."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from gunicorn.bridge.kind import kind_of
from gunicorn.config.classes import WORKER_CLASSES
from gunicorn.config.settings import Settings
from gunicorn.errors import AppLoadError
from gunicorn.metrics import cells
from gunicorn.workers.base import CHANGED, READY, Worker


class Served(Worker):
    """Serves nothing, remembers in which order things happened."""

    def prepare(self) -> None:
        self.order.append("prepare")

    def run(self) -> None:
        self.order.append("run")


class Log:
    """The part of a logger that starting a worker uses."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.error_log = SimpleNamespace(handlers=[])

    def error(self, text, *arguments) -> None:
        self.lines.append(text % arguments)

    info = warning = error

    def close_on_exec(self) -> None:
        self.lines.append("close_on_exec")


@pytest.fixture
def worker(monkeypatch):
    kept = {number: signal.getsignal(number) for number in (*Worker.SIGNALS, signal.SIGHUP)}
    made: list[Served] = []

    def make(app, **settings) -> Served:
        order: list[object] = []
        cfg = Settings().replace(**settings)
        one = Served(1, 1, [], SimpleNamespace(wsgi=app), 15, cfg, Log())
        one.order = order
        one.notice = order.append
        made.append(one)
        return one

    yield make
    for one in made:
        if one.reloader is not None:
            one.reloader.stop()
    for number, handler in kept.items():
        signal.signal(number, handler)


def hello(environ, start_response):
    start_response("200 OK", [])
    return [b""]


def test_ready_is_said_after_the_application_is_loaded_and_before_it_serves(worker):
    def load():
        one.order.append("load")
        return hello

    one = worker(load, post_worker_init=lambda worker: one.order.append("init"))
    one.init_process()
    assert one.order == ["load", "init", "prepare", READY, "run"]
    assert one.booted
    assert one.row.page[cells.HEARTBEAT] > 0


def test_the_environment_is_set_before_the_application_is_loaded(worker, monkeypatch):
    monkeypatch.delenv("OF_THE_TEST", raising=False)
    seen = {}

    def load():
        import os

        seen.update(os.environ)
        return hello

    monkeypatch.setenv("OF_THE_TEST", "before")
    worker(load, raw_env=["OF_THE_TEST=yes"]).init_process()
    assert seen["OF_THE_TEST"] == "yes"


def test_an_application_that_cannot_be_loaded_is_the_callers_matter(worker):
    def load():
        raise AppLoadError("no module named nothing")

    one = worker(load)
    with pytest.raises(AppLoadError):
        one.init_process()
    assert one.order == []


def test_under_reload_a_broken_application_is_shown_and_watched(worker):
    def load():
        raise AppLoadError("app.py: boom", own_fault=True) from ValueError("boom")

    one = worker(load, reload=True, reload_engine="poll")
    one.init_process()
    assert one.order == ["prepare", READY, "run"]
    answers = []
    body = one.wsgi({}, lambda status, fields: answers.append(status))
    assert answers == ["500 Internal Server Error"]
    assert b"ValueError: boom" in b"".join(body)


def test_a_change_is_told_to_the_arbiter(worker):
    one = worker(lambda: hello, reload=True, reload_engine="poll")
    one.init_process()
    one.reloader._callback("app.py")
    assert one.order[-1] == CHANGED


@pytest.mark.parametrize(("jitter", "possible"), [(0, {10}), (3, {10, 11, 12, 13})])
def test_max_requests_has_its_jitter(worker, jitter, possible):
    found = {worker(lambda: hello, max_requests=10, max_requests_jitter=jitter).max_requests for _ in range(60)}
    assert found == possible


def test_term_ends_a_worker_that_has_no_pipe(worker):
    one = worker(lambda: hello)
    one.init_process()
    assert one.alive
    signal.raise_signal(signal.SIGTERM)
    assert not one.alive


async def coroutine(scope, receive, send): ...


class Asgi(Worker):
    """Stands in for the asgi worker: it needs something that only its constructor makes."""

    interface = "asgi"

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.tasks: set[object] = set()

    def handle_abort(self, sig, frame) -> None:
        self.tasks.add(sig)

    def prepare(self) -> None:
        self.order.append("prepare asgi")

    def run(self) -> None:
        self.order.append("run asgi")


class Blocking(Served):
    interface = "wsgi"


@pytest.fixture
def stands_in(monkeypatch):
    """Short names of worker classes that mean the two above."""
    monkeypatch.setitem(WORKER_CLASSES, "sync", f"{__name__}.Blocking")
    monkeypatch.setitem(WORKER_CLASSES, "asgi", f"{__name__}.Asgi")


@pytest.fixture
def default_worker(worker, stands_in):
    def make(app, kind=Blocking, **settings):
        one = worker(app, **settings)
        one.__class__ = kind
        return one

    return make


def test_where_nobody_chose_an_asgi_application_makes_an_asgi_worker(default_worker):
    one = default_worker(lambda: coroutine, post_worker_init=lambda worker: worker.order.append(worker.mark))
    one.mark = "set by pre_fork"
    one.max_requests = 17
    before = vars(one).copy()
    one.init_process()
    assert type(one) is Asgi
    assert one.order == ["set by pre_fork", "prepare asgi", READY, "run asgi"]
    assert one.log.lines[-1] == (
        "Using worker: asgi, because the application is an ASGI application (set worker_class to choose)"
    )
    kept = {name: value for name, value in vars(one).items() if name in before and name not in ("wsgi", "booted")}
    assert kept.items() <= before.items()
    signal.raise_signal(signal.SIGABRT)
    assert one.tasks == {signal.SIGABRT}


def test_a_wsgi_application_changes_nothing(default_worker):
    one = default_worker(lambda: hello)
    one.init_process()
    assert type(one) is Blocking
    assert not [line for line in one.log.lines if "Using" in line]


def test_an_unknown_application_changes_nothing(default_worker):
    one = default_worker(lambda: print)
    one.init_process()
    assert type(one) is Blocking


def test_only_the_first_of_a_generation_says_so(default_worker):
    all_cells = cells.Cells(4)
    for slot, generation in ((1, 1), (2, 2), (3, 2), (4, 2)):
        all_cells.rows[slot].page[cells.GENERATION] = generation
    all_cells.rows[1].page[cells.HEARTBEAT] = 1
    said = {}
    for slot in (3, 2, 4):
        one = default_worker(lambda: coroutine)
        one.cells, one.row = all_cells, all_cells.rows[slot]
        one.init_process()
        assert type(one) is Asgi
        said[slot] = sum("Using worker" in line for line in one.log.lines)
    assert said == {3: 1, 2: 0, 4: 0}


@pytest.mark.parametrize("kind", [Blocking, Served, Asgi])
def test_a_class_that_is_not_the_default_one_is_never_changed(default_worker, kind):
    """A subclass by an embedding program, say: whoever made it knows what it does."""

    class Mine(kind):
        pass

    one = default_worker(lambda: coroutine, Mine)
    if kind is Blocking:
        with pytest.raises(AppLoadError, match="is an ASGI application"):
            one.init_process()
        assert one.order == []
    else:
        one.tasks = set()
        one.init_process()
    assert type(one) is Mine


@pytest.mark.parametrize("kind", [Blocking, Asgi])
def test_the_page_of_a_broken_application_speaks_what_its_worker_serves(default_worker, kind):
    def load():
        raise AppLoadError("app.py: boom", own_fault=True) from ValueError("boom")

    one = default_worker(load, kind, reload=True, reload_engine="poll")
    one.init_process()
    assert type(one) is kind
    assert kind_of(one.wsgi).value == kind.interface
