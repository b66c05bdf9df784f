"""What every worker class inherits, driven in this process."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from gunicorn.config.settings import Settings
from gunicorn.errors import AppLoadError
from gunicorn.metrics import cells
from gunicorn.workers.base import CHANGED, READY, Worker, broken_application


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


def test_the_page_of_a_broken_application_survives_any_text():
    answers = []
    body = broken_application("caf\udce9 \N{SNOWMAN}")({}, lambda status, fields: answers.append(dict(fields)))
    assert answers[0]["Content-Length"] == str(len(b"".join(body)))
