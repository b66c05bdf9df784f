"""Settings as the supervisor and the environment take them."""

import gc
import os
import ssl

import pytest

from gunicorn.arbiter.generation import (
    Environment,
    binds,
    check_protocol,
    chosen_class,
    listen_options,
    policy_of,
    preload,
    tls_context,
)
from gunicorn.config import Settings
from gunicorn.errors import AppLoadError, ConfigError, ListenError
from gunicorn.supervisor.plan import SECOND


def settings(**changes):
    return Settings().replace(**changes)


def test_times_become_nanoseconds():
    policy = policy_of(settings(timeout=12, graceful_timeout=34, boot_timeout=5, max_boot_failures=7))
    assert policy.timeout == 12 * SECOND
    assert policy.graceful_timeout == 34 * SECOND
    assert policy.boot_timeout == 5 * SECOND
    assert policy.max_boot_failures == 7


def test_a_quick_stop_is_never_slower_than_a_graceful_one():
    assert policy_of(settings(graceful_timeout=1)).quick_timeout == SECOND
    assert policy_of(settings(graceful_timeout=100)).quick_timeout == 3 * SECOND


def test_binds_and_options():
    cfg = settings(bind=["127.0.0.1:1", "unix:/x"], backlog=7, reuse_port=True)
    assert [str(bind) for bind in binds(cfg)] == ["127.0.0.1:1", "unix:/x"]
    options = listen_options(cfg)
    assert (options.backlog, options.reuse_port) == (7, True)


def test_an_unreadable_certificate_is_one_line(tmp_path):
    with pytest.raises(ListenError, match=r"missing\.pem"):
        tls_context(settings(certfile=str(tmp_path / "missing.pem")))


def test_a_hook_makes_the_context(tmp_path):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cfg = settings(certfile=str(tmp_path / "missing.pem"), ssl_context=lambda config, default: made)
    assert tls_context(cfg) is made


def test_without_a_certificate_there_is_no_context():
    assert tls_context(settings()) is None


class App:
    def __init__(self, fails=False):
        self.callable = None
        self.loads = 0
        self.fails = fails

    def wsgi(self):
        self.loads += 1
        if self.fails:
            raise AppLoadError("no such application")
        self.callable = print
        return self.callable


def test_preload_loads_once_and_hides_what_is_alive_from_the_collector():
    app = App()
    try:
        preload(app)
        assert gc.get_freeze_count() > 0
        preload(app)
        assert app.loads == 1
    finally:
        gc.unfreeze()


def test_preload_passes_failures_on():
    with pytest.raises(AppLoadError):
        preload(App(fails=True))


def test_the_environment_is_set_changed_and_put_back(monkeypatch):
    monkeypatch.setenv("KEPT", "before")
    monkeypatch.delenv("NEW", raising=False)
    environment = Environment()
    environment.apply({"KEPT": "one", "NEW": "one"})
    assert (os.environ["KEPT"], os.environ["NEW"]) == ("one", "one")
    environment.apply({"NEW": "two"})
    assert (os.environ["KEPT"], os.environ["NEW"]) == ("before", "two")
    environment.apply({})
    assert "NEW" not in os.environ
    assert os.environ["KEPT"] == "before"


@pytest.mark.parametrize("changes", [{"protocol": "uwsgi"}, {"bind": "uwsgi://127.0.0.1:9000"}])
def test_a_protocol_that_nobody_speaks_is_refused(changes):
    with pytest.raises(ConfigError, match="uwsgi"):
        check_protocol(Settings().replace(**changes))


def test_http_is_spoken():
    check_protocol(Settings())


async def asgi(scope, receive, send): ...


def wsgi(environ, start_response): ...


@pytest.mark.parametrize("application", [None, wsgi, print])
def test_the_class_is_the_chosen_one(application):
    found, name = chosen_class(settings(threads=2), application)
    assert (found.__name__, name) == ("ThreadWorker", "gthread")


def test_the_class_is_the_one_that_a_loaded_application_needs():
    found, name = chosen_class(settings(), asgi)
    assert found.__name__ == "ASGIWorker"
    assert name == "asgi, because the application is an ASGI application (set worker_class to choose)"
    assert chosen_class(settings(interface="asgi"))[0] is found


def test_a_class_that_cannot_serve_the_application_is_refused():
    with pytest.raises(AppLoadError, match="is an ASGI application"):
        chosen_class(settings(worker_class="gthread"), asgi)


def test_a_class_that_is_no_worker_of_ours_is_not_judged():
    class Foreign:
        pass

    assert chosen_class(settings(worker_class=Foreign), asgi) == (Foreign, "Foreign")
