"""The command: which application is meant, and what it says when that is unclear."""

import sys

import pytest

from gunicorn.app.wsgiapp import WSGIApplication, run
from gunicorn.errors import AppLoadError
from tests.support.server import run_gunicorn


@pytest.fixture
def command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("GUNICORN_CMD_ARGS", raising=False)

    def make(*argv):
        monkeypatch.setattr(sys, "argv", ["gunicorn", *argv])
        return WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog="gunicorn")

    return make


def test_the_application_of_the_command_line(command, tmp_path):
    (tmp_path / "wsgiapp_one.py").write_text("def app(environ, start_response): pass\n")
    app = command("wsgiapp_one:app")
    assert app.app_uri == "wsgiapp_one:app"
    assert app.wsgi().__name__ == "app"
    assert app.cfg.proc_name == "wsgiapp_one:app"


def test_the_application_of_the_configuration(command, tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text("wsgi_app = 'here:app'\n")
    assert command().app_uri == "here:app"
    assert command("there:app").app_uri == "there:app"


def test_no_application_is_one_line_and_status_1(command, capsys):
    with pytest.raises(SystemExit) as stop:
        command()
    assert stop.value.code == 1
    err = capsys.readouterr().err
    assert err.startswith("Error: no application is named")
    assert err.count("\n") == 1


def test_print_config_needs_no_application(command, capsys):
    with pytest.raises(SystemExit) as stop:
        command("--print-config").run()
    assert stop.value.code == 0
    assert "bind" in capsys.readouterr().out


def test_paste_without_its_package_is_one_line(command, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "paste.deploy", None)
    (tmp_path / "app.ini").write_text("[app:main]\nuse = egg:nothing\n")
    app = command("--paste", "app.ini")
    with pytest.raises(AppLoadError, match="PasteDeploy"):
        app.load()


def test_an_embedding_subclass_may_name_the_application_itself(monkeypatch):
    class Standalone(WSGIApplication):
        def __init__(self, uri, options):
            self.app_uri = uri
            self.options = options
            super().__init__()

        def load_config(self):
            for name, value in self.options.items():
                self.cfg.set(name, value)

    app = Standalone("module:app", {"workers": 2})
    assert app.app_uri == "module:app"
    assert app.cfg.workers == 2


def test_check_config_loads_the_application(command, tmp_path):
    (tmp_path / "wsgiapp_two.py").write_text("def app(environ, start_response): pass\n")
    with pytest.raises(SystemExit) as stop:
        command("--check-config", "wsgiapp_two:app").run()
    assert stop.value.code == 0


def test_check_config_of_a_missing_application(command, capsys):
    with pytest.raises(SystemExit) as stop:
        command("--check-config", "wsgiapp_none:app").run()
    assert stop.value.code == 4
    assert "wsgiapp_none" in capsys.readouterr().err


def test_check_config_of_an_application_that_the_class_cannot_serve(command, tmp_path, capsys):
    (tmp_path / "wsgiapp_three.py").write_text("async def app(scope, receive, send): pass\n")
    with pytest.raises(SystemExit) as stop:
        command("--check-config", "-k", "gthread", "wsgiapp_three:app").run()
    assert stop.value.code == 4
    assert "is an ASGI application, which the worker class 'gthread' (command line -k)" in capsys.readouterr().err


def test_run_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gunicorn", "--version"])
    with pytest.raises(SystemExit) as stop:
        run()
    assert stop.value.code == 0
    assert "gunicorn" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--wrokers", "3", "x:y"), "--workers"),
        (("-w", "many", "x:y"), "workers"),
        (("a:b", "c:d"), "c:d"),
        (("-c", "missing.py", "x:y"), "missing.py"),
    ],
)
def test_usage_errors_are_one_line_and_status_1(arguments, said):
    ran = run_gunicorn(*arguments)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert said in ran.stderr
    assert ran.stderr.startswith("Error: ")
