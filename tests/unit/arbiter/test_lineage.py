"""Moving on to new settings as a whole, and going back as a whole."""

import os

import pytest

from gunicorn.arbiter.lineage import Lineage
from gunicorn.config import Config
from gunicorn.errors import AppLoadError, ConfigError, ListenError
from tests.support.server import free_port


class App:
    """An application object whose next settings the test names."""

    application = staticmethod(print)

    def __init__(self, **values):
        self.callable = None
        self.uri = "one"
        self.next = {}
        self.cfg = self.configured(values)

    def configured(self, values):
        cfg = Config()
        cfg.set("bind", "127.0.0.1:0")
        for name, value in values.items():
            cfg.set(name, value)
        return cfg

    def reload(self):
        self.cfg = self.configured(self.next)
        self.uri = "two"

    def wsgi(self):
        self.callable = self.application


def nothing(_cfg):
    """No log to configure."""


def never(_anything):
    raise AssertionError("there is nothing to wait for")


@pytest.fixture
def begun(monkeypatch):
    for name in ("LISTEN_FDS", "LISTEN_PID", "GUNICORN_PID", "GUNICORN_FD"):
        monkeypatch.delenv(name, raising=False)
    made = []

    def begin(**values):
        lineage = Lineage(App(**values))
        lineage.adopt()
        lineage.open(never, never)
        lineage.generations[1] = lineage.describe()
        made.append(lineage)
        return lineage

    yield begin
    for lineage in made:
        for listener in lineage.all_listeners():
            listener.close(unlink=True)


def is_open(listener):
    return listener.sock.fileno() >= 0


def test_listeners_that_are_still_wanted_stay(begun):
    lineage = begun()
    before = list(lineage.listeners)
    generation = lineage.renew(nothing)
    assert list(generation.listeners) == before


def test_new_ones_are_opened_and_old_ones_kept_until_the_reload_has_settled(begun):
    lineage = begun()
    (old,) = lineage.listeners
    lineage.app.next = {"bind": [f"127.0.0.1:{free_port()}"]}
    lineage.generations[2] = lineage.renew(nothing)
    assert is_open(old)
    assert old in lineage.all_listeners()
    lineage.keep_only(2, unlink=True)
    assert not is_open(old)
    assert all(is_open(listener) for listener in lineage.listeners)


def test_going_back_closes_what_was_opened_and_restores_the_application(begun, monkeypatch):
    monkeypatch.setenv("MARK", "before")
    lineage = begun(raw_env=["MARK=old"])
    (old,) = lineage.listeners
    lineage.app.next = {"bind": [f"127.0.0.1:{free_port()}"], "raw_env": ["MARK=new"], "workers": 7}
    lineage.renew(nothing)
    (new,) = lineage.listeners
    assert (lineage.cfg.workers, os.environ["MARK"], lineage.app.uri) == (7, "new", "two")
    lineage.become(lineage.generations[1], nothing)
    assert (lineage.cfg.workers, os.environ["MARK"], lineage.app.uri) == (1, "old", "one")
    assert lineage.listeners == [old]
    assert is_open(old)
    assert not is_open(new)


def test_a_taken_port_is_refused_without_waiting(begun):
    lineage = begun()
    other = begun()
    lineage.app.next = {"bind": [f"127.0.0.1:{other.listeners[0].address[1]}"]}
    with pytest.raises(ListenError):
        lineage.renew(nothing)
    lineage.become(lineage.generations[1], nothing)
    assert all(is_open(listener) for listener in lineage.listeners)


def test_a_log_that_cannot_be_configured_takes_everything_back(begun):
    lineage = begun()

    def refuse(_cfg):
        raise ConfigError("no such file")

    lineage.app.next = {"bind": [f"127.0.0.1:{free_port()}"]}
    with pytest.raises(ConfigError):
        lineage.renew(refuse)
    (new,) = lineage.listeners
    lineage.become(lineage.generations[1], nothing)
    assert not is_open(new)


def test_the_directory_is_restored(begun, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lineage = begun()
    os.chdir("/")
    lineage.become(lineage.generations[1], nothing)
    assert os.getcwd() == str(tmp_path)


def test_preload_happens_when_settings_are_adopted(begun):
    import gc

    try:
        assert begun(preload_app=True).app.callable is print
    finally:
        gc.unfreeze()


def test_what_was_preloaded_is_forgotten_when_preload_is_switched_off(begun):
    import gc

    try:
        lineage = begun(preload_app=True)
        lineage.renew(nothing)
        assert lineage.app.callable is None
        lineage.become(lineage.generations[1], nothing)
        assert lineage.app.callable is print
    finally:
        gc.unfreeze()


def test_an_unknown_worker_class_is_refused(begun):
    lineage = begun()
    lineage.app.next = {"worker_class": "no.such.Worker"}
    with pytest.raises(ConfigError):
        lineage.renew(nothing)


async def asgi(scope, receive, send): ...


def test_the_class_follows_a_preloaded_application_there_and_back(begun, monkeypatch):
    import gc

    try:
        lineage = begun(preload_app=True)
        assert lineage.worker_name == "sync"
        monkeypatch.setattr(App, "application", staticmethod(asgi))
        lineage.app.next = {"preload_app": True}
        lineage.app.callable = None
        generation = lineage.renew(nothing)
        assert generation.worker_class.__name__ == "ASGIWorker"
        assert lineage.worker_name.startswith("asgi, because")
        lineage.become(lineage.generations[1], nothing)
        assert (lineage.worker_class.__name__, lineage.worker_name) == ("SyncWorker", "sync")
    finally:
        gc.unfreeze()


def test_an_application_that_is_not_loaded_is_not_judged(begun, monkeypatch):
    monkeypatch.setattr(App, "application", staticmethod(asgi))
    assert begun().worker_name == "sync"


def test_a_preloaded_application_that_its_class_cannot_serve_is_refused(begun, monkeypatch):
    import gc

    try:
        lineage = begun()
        monkeypatch.setattr(App, "application", staticmethod(asgi))
        lineage.app.next = {"preload_app": True, "worker_class": "gthread"}
        with pytest.raises(AppLoadError, match="is an ASGI application"):
            lineage.renew(nothing)
        lineage.become(lineage.generations[1], nothing)
        assert lineage.worker_name == "sync"
    finally:
        gc.unfreeze()
