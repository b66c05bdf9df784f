"""The application object: embedding, the sources, errors in one line."""

import os
import subprocess
import sys
import textwrap

import pytest

from gunicorn.app.base import Application, BaseApplication, LoadedConfig, fail
from gunicorn.config import Level, Settings
from gunicorn.errors import AppLoadError, ConfigError
from tests.support import client
from tests.support.processes import eventually
from tests.support.server import ROOT, clean_environment, free_port


class Embedded(BaseApplication):
    """As embedding programs write it."""

    def __init__(self, options):
        self.options = options
        super().__init__()

    def load_config(self):
        for name, value in self.options.items():
            if name in self.cfg.settings and value is not None:
                self.cfg.set(name.lower(), value)

    def load(self):
        return print


def test_an_embedded_application_sets_what_it_wants():
    app = Embedded({"bind": "127.0.0.1:9", "workers": 3, "unknown": 1, "threads": None})
    assert app.cfg.bind == ["127.0.0.1:9"]
    assert app.cfg.workers == 3
    assert app.cfg.threads == 1


def test_the_callable_is_loaded_once():
    app = Embedded({})
    assert app.callable is None
    assert app.wsgi() is print
    app.load = lambda: pytest.fail("loaded twice")
    assert app.wsgi() is print


def test_a_wrong_value_ends_the_process_with_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        Embedded({"workers": "many"})
    assert stop.value.code == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("Error: workers")


def test_a_wrong_value_in_a_reload_is_raised_instead():
    app = Embedded({})
    app.options = {"workers": "many"}
    with pytest.raises(ConfigError):
        app.reload()


def test_the_base_class_wants_to_be_subclassed():
    with pytest.raises(NotImplementedError):
        BaseApplication()


@pytest.fixture
def loaded(monkeypatch, tmp_path):
    """Makes an Application from a command line in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in list(os.environ):
        if name.startswith("GUNICORN_") or name in ("PORT", "WEB_CONCURRENCY"):
            monkeypatch.delenv(name)

    def load(*argv, kind=Application):
        monkeypatch.setattr(sys, "argv", ["gunicorn", *argv])
        return kind()

    return load


def test_the_command_line_is_read(loaded):
    app = loaded("-w", "4")
    assert app.cfg.workers == 4
    assert app.cfg.freeze().provenance["workers"].level is Level.COMMAND_LINE


def test_an_application_may_still_set_what_all_sources_said(loaded):
    class Stubborn(Application):
        def load_config(self):
            super().load_config()
            self.cfg.set("workers", 9)

    app = loaded("-w", "4", kind=Stubborn)
    assert app.cfg.workers == 9
    assert app.cfg.freeze().workers == 9


def test_what_init_answers_is_weaker_than_the_file(loaded, tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text("threads = 8\n")

    class Framework(Application):
        def init(self, parser, opts, args):
            assert args == ["name"]
            assert opts.workers == 2
            return {"threads": 2, "timeout": 77}

    app = loaded("-w", "2", "name", kind=Framework)
    assert (app.cfg.workers, app.cfg.threads, app.cfg.timeout) == (2, 8, 77)


def test_a_reload_looks_where_the_server_was_started(loaded, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    config = tmp_path / "gunicorn.conf.py"
    config.write_text("workers = 2\nchdir = 'elsewhere'\n")
    app = loaded()
    app.prepare()
    assert os.path.samefile(os.getcwd(), tmp_path / "elsewhere")
    config.write_text("workers = 3\n")
    app.reload()
    assert app.cfg.workers == 3
    assert os.path.samefile(os.getcwd(), tmp_path)


def test_pythonpath_comes_first_and_in_order(loaded, tmp_path):
    app = loaded("--pythonpath", "a,b")
    app.prepare()
    assert sys.path[:2] == [str(tmp_path / "a"), str(tmp_path / "b")]


def test_a_directory_that_went_away_is_one_line(loaded, tmp_path):
    (tmp_path / "gone").mkdir()
    app = loaded("--chdir", "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ConfigError, match="gone"):
        app.prepare()


def test_warnings_go_to_stderr(loaded, tmp_path, capsys):
    (tmp_path / "gunicorn.conf.py").write_text("wrokers = 4\n")
    loaded()
    assert "Warning: " in capsys.readouterr().err


def test_print_config(loaded, capsys):
    app = loaded("--print-config", "-w", "5")
    with pytest.raises(SystemExit) as stop:
        app.run()
    assert stop.value.code == 0
    assert "workers" in capsys.readouterr().out


def test_given_values_are_those_that_are_no_defaults():
    cfg = LoadedConfig(Settings())
    assert cfg.given == {}
    cfg.set("workers", 3)
    assert cfg.given == {"workers": 3}
    assert "workers" in cfg.settings
    assert cfg.settings["workers"].get() == 3


def test_fail_shows_the_traceback_of_the_operators_code_only(capsys):
    try:
        try:
            raise ValueError("theirs")
        except ValueError as cause:
            raise AppLoadError("the module failed", own_fault=True) from cause
    except AppLoadError as problem:
        with pytest.raises(SystemExit) as stop:
            fail(problem)
    assert stop.value.code == 4
    err = capsys.readouterr().err
    assert "ValueError: theirs" in err
    assert err.endswith("Error: the module failed\n")


def test_an_embedded_server_serves_and_stops(tmp_path):
    port = free_port()
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(f"""
        import gunicorn.app.base

        class App(gunicorn.app.base.BaseApplication):
            def load_config(self):
                self.cfg.set("bind", "127.0.0.1:{port}")
                self.cfg.set("workers", 2)

            def load(self):
                def app(environ, start_response):
                    start_response("200 OK", [("Content-Length", "2")])
                    return [b"hi"]
                return app

        App().run()
        """)
    )
    with subprocess.Popen(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=clean_environment({"PYTHONPATH": str(ROOT)}),
        stderr=subprocess.DEVNULL,
    ) as process:
        try:

            def answer():
                try:
                    return client.get(("127.0.0.1", port)).text
                except OSError:
                    return ""

            assert eventually(answer, "an answer") == "hi"
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()
