"""Every combination of a worker class, an application and the setting `interface`."""

import pytest

from gunicorn.config import Settings, resolve_worker_class
from gunicorn.config.classes import WORKER_CLASSES
from gunicorn.errors import AppLoadError, ConfigError
from gunicorn.workers.base import Worker
from gunicorn.workers.choice import change_of_class


class Asgi(Worker):
    interface = "asgi"


class Wsgi(Worker):
    interface = "wsgi"


class Own(Worker):
    pass


async def asgi(scope, receive, send): ...


def wsgi(environ, start_response): ...


def anything(*args): ...


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    for name, kind in (("sync", Wsgi), ("gthread", Wsgi), ("asgi", Asgi)):
        monkeypatch.setitem(WORKER_CLASSES, name, f"{kind.__module__}.{kind.__name__}")


def change(app, **settings):
    cfg = Settings().replace(**settings)
    kind = resolve_worker_class(cfg)
    return change_of_class(cfg, kind, kind.interface, app)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_default_gives_way_to_asgi(threads):
    found, name = change(asgi, threads=threads)
    assert found.__name__ == "Asgi"
    assert name == "asgi, because the application is an ASGI application (set worker_class to choose)"


@pytest.mark.parametrize("app", [asgi, wsgi, anything, None])
def test_a_word_decides_for_asgi(app):
    found, name = change(app, interface="asgi")
    assert found.__name__ == "Asgi"
    assert name == "asgi, because interface is 'asgi' (set worker_class to choose)"


@pytest.mark.parametrize(
    ("app", "settings"),
    [
        (wsgi, {}),
        (anything, {}),
        (None, {}),
        (asgi, {"interface": "wsgi"}),
        (wsgi, {"worker_class": "sync"}),
        (anything, {"worker_class": "gthread"}),
        (asgi, {"worker_class": "sync", "interface": "wsgi"}),
        (asgi, {"worker_class": "asgi"}),
        (anything, {"worker_class": "asgi"}),
        (None, {"worker_class": "asgi"}),
        (wsgi, {"worker_class": "asgi", "interface": "wsgi"}),
        (asgi, {"worker_class": "asgi", "interface": "wsgi"}),
        (wsgi, {"worker_class": "asgi", "interface": "asgi"}),
        (asgi, {"worker_class": Own}),
        (wsgi, {"worker_class": Own}),
        (asgi, {"worker_class": Own, "interface": "wsgi"}),
        (asgi, {"worker_class": Own, "interface": "asgi"}),
    ],
)
def test_what_may_serve_stays(app, settings):
    assert change(app, **settings) is None


@pytest.mark.parametrize(
    ("app", "settings"),
    [
        (asgi, {"worker_class": "sync"}),
        (asgi, {"worker_class": "gthread"}),
        (asgi, {"worker_class": Wsgi}),
        (wsgi, {"worker_class": "sync", "interface": "asgi"}),
        (None, {"worker_class": "sync", "interface": "asgi"}),
    ],
)
def test_an_asgi_application_is_refused_with_the_remedy(app, settings):
    with pytest.raises(AppLoadError) as caught:
        change(app, **settings)
    text = str(caught.value)
    assert "\n" not in text
    assert "the application is an ASGI application, which the worker class" in text
    assert "(application)" in text, "where the class was chosen"
    assert text.endswith("use worker_class 'asgi', or leave worker_class unset")


def test_a_wsgi_application_is_refused_with_the_remedy():
    with pytest.raises(AppLoadError, match="is a WSGI application, which the worker class 'asgi'") as caught:
        change(wsgi, worker_class="asgi")
    assert "interface = 'wsgi'" in str(caught.value)


def test_a_class_that_only_looks_like_the_default_is_a_chosen_one():
    with pytest.raises(AppLoadError):
        change_of_class(Settings(), type("Mine", (Wsgi,), {}), "wsgi", asgi)


def test_without_an_asgi_worker_the_default_cannot_give_way(monkeypatch):
    monkeypatch.setitem(WORKER_CLASSES, "asgi", "gunicorn.workers.not_written.Worker")
    with pytest.raises(ConfigError, match="'asgi' is not available yet"):
        change(asgi)
