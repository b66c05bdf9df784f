"""Configuration files: Python, modules, TOML, project tables, Paste; good ones and broken ones."""

import sys

import pytest

from gunicorn.config.files import own_traceback, read_config, read_paste
from gunicorn.errors import ConfigError


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))

    class Project:
        path = str(tmp_path)

        def write(self, name, text):
            (tmp_path / name).write_text(text)

        def read(self, location=None):
            return read_config(location, self.path)

    yield Project()
    for name in ("own_settings", "own_helper"):
        sys.modules.pop(name, None)


def failure(project, location=None):
    with pytest.raises(ConfigError) as caught:
        project.read(location)
    assert "\n" not in str(caught.value)
    return caught.value


def test_no_file_at_all(project):
    assert project.read() is None
    assert project.read("") is None


def test_default_file(project):
    project.write("gunicorn.conf.py", "workers = 2 + 1\ndef post_fork(server, worker): pass\n")
    reading = project.read()
    assert set(reading.values) == {"workers", "post_fork"}
    assert reading.values["workers"] == 3
    assert str(reading.source) == "./gunicorn.conf.py"


@pytest.mark.parametrize("location", ["mine.py", "file:mine.py", "./mine.py", "mine.conf", "{cwd}/mine.py"])
def test_named_file(project, location):
    for name in ("mine.py", "mine.conf"):
        project.write(name, "workers = 3\n")
    project.write("gunicorn.conf.py", "workers = 9\n")
    assert project.read(location.format(cwd=project.path)).values == {"workers": 3}


def test_a_file_may_import_from_its_project(project):
    project.write("own_helper.py", "number = 4\n")
    project.write("gunicorn.conf.py", "from own_helper import number\nworkers = number\n")
    assert project.read().values == {"workers": 4}


def test_a_file_knows_its_own_place(project):
    project.write("gunicorn.conf.py", "wsgi_app = __file__\nproc_name = __name__\n")
    reading = project.read()
    assert reading.values == {"wsgi_app": f"{project.path}/gunicorn.conf.py", "proc_name": "__config__"}


def test_helpers_of_the_operator_are_left_alone(project):
    project.write(
        "gunicorn.conf.py",
        "import os, threading as threads_\nfrom pathlib import Path\n_worker = 1\nclass Workers: pass\n"
        "def timeouts(): return 3\nhost = 'x'\ncores = os.cpu_count()\nconfig = {}\n",
    )
    reading = project.read()
    assert reading.values == {}
    assert reading.warnings == []


def test_near_misses_are_reported(project):
    project.write("gunicorn.conf.py", "wokers = 4\n")
    assert project.read().warnings == ["./gunicorn.conf.py: wokers = 4 is no setting; did you mean 'workers'?"]


def test_python_module_is_read_again(project):
    project.write("own_settings.py", "workers = 3\n")
    assert project.read("python:own_settings").values == {"workers": 3}
    project.write("own_settings.py", "workers = 44\n")
    reading = project.read("python:own_settings")
    assert reading.values == {"workers": 44}
    assert str(reading.source) == "python:own_settings"
    assert "workers = 44" in reading.text


def test_missing_files_and_modules(project):
    assert str(failure(project, "mine.py")) == "configuration file 'mine.py' does not exist"
    assert "cannot be read" in str(failure(project, "."))
    assert str(failure(project, "python:no_such")) == "there is no module 'no_such' (python:no_such)"


def test_a_module_whose_own_import_fails_is_not_called_missing(project):
    project.write("own_settings.py", "import not_installed_anywhere\n")
    error = failure(project, "python:own_settings")
    assert "ModuleNotFoundError: No module named 'not_installed_anywhere'" in str(error)
    assert "own_settings.py" in own_traceback(error)


def test_syntax_error(project):
    project.write("gunicorn.conf.py", "workers = 3\nbind = = 4\n")
    error = failure(project)
    assert str(error) == "configuration file: invalid syntax: bind = = 4 (./gunicorn.conf.py:2)"
    assert own_traceback(error) == ""


def test_syntax_error_in_an_import_names_that_file(project):
    project.write("own_helper.py", "a b\n")
    project.write("gunicorn.conf.py", "\n\nimport own_helper\n")
    assert str(failure(project)).endswith(f"a b ({project.path}/own_helper.py:1)")


def test_exception(project):
    project.write("gunicorn.conf.py", "def half(x):\n    return 1 / x\n\nworkers = half(0)\n")
    error = failure(project)
    assert "ZeroDivisionError: division by zero (./gunicorn.conf.py:2)" in str(error)
    trace = own_traceback(error)
    assert "workers = half(0)" in trace
    assert "return 1 / x" in trace
    assert "config/files.py" not in trace


def test_exception_in_an_import_names_the_line_of_the_file(project):
    project.write("own_helper.py", "\n\nraise RuntimeError('first\\nsecond')\n")
    project.write("gunicorn.conf.py", "workers = 3\nimport own_helper\n")
    with pytest.raises(ConfigError, match=r"RuntimeError: first \(\./gunicorn\.conf\.py:2\)"):
        project.read()


def test_toml(project):
    project.write("mine.toml", 'workers = 3\nbind = [":1", ":2"]\n[secure_scheme_headers]\nX-A = "b"\n')
    reading = project.read("mine.toml")
    assert reading.values == {"workers": 3, "bind": [":1", ":2"], "secure_scheme_headers": {"X-A": "b"}}
    assert str(reading.source) == "mine.toml"


def test_project_table(project):
    project.write("pyproject.toml", "[project]\nname = 'x'\n[tool.gunicorn]\nworkers = 3\n")
    assert project.read().values == {"workers": 3}
    assert str(project.read().source) == "pyproject.toml [tool.gunicorn]"
    assert project.read("pyproject.toml").values == {"workers": 3}
    project.write("gunicorn.conf.py", "workers = 4\n")
    assert project.read().values == {"workers": 4}


def test_project_without_table(project):
    project.write("pyproject.toml", "[project]\ndependencies = ['gunicorn']\n")
    assert project.read() is None


def test_a_broken_project_file_that_does_not_name_us_is_no_business_of_ours(project):
    project.write("pyproject.toml", "[[[")
    assert project.read() is None
    project.write("pyproject.toml", "[[[ gunicorn")
    assert "is not TOML" in str(failure(project))


def test_mistakes_in_toml(project):
    project.write("mine.toml", "wokers = 3\n")
    assert str(failure(project, "mine.toml")) == "there is no setting 'wokers' (mine.toml); did you mean 'workers'?"
    project.write("mine.toml", "config = 'other.toml'\n")
    assert "cannot name another one" in str(failure(project, "mine.toml"))
    project.write("mine.toml", "workers = \n")
    assert "is not TOML" in str(failure(project, "mine.toml"))
    project.write("pyproject.toml", "[tool]\ngunicorn = 3\n")
    assert "[tool.gunicorn] is not a table" in str(failure(project))


def test_paste(project):
    project.write(
        "p.ini",
        "[app:main]\nuse = egg:x\n[server:main]\nuse = egg:gunicorn\n"
        "host = ::1\nport = %(http_port)s\nworkers = 3\nx = 1\n"
        "[server:other]\nbind = unix:%(here)s/s\n",
    )
    reading = read_paste("p.ini", {"http_port": "6543"}, project.path)
    assert reading.values == {"bind": "[::1]:6543", "workers": "3"}
    assert str(reading.source) == "p.ini"
    assert read_paste("config:p.ini#other", {}, project.path).values == {"bind": f"unix:{project.path}/s"}
    assert read_paste("p.ini#none", {}, project.path).values == {}


def test_broken_paste(project):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_paste("p.ini", {}, project.path)
    project.write("p.ini", "[server:main]\nport = %(nowhere)s\n")
    with pytest.raises(ConfigError, match=r"Paste file: .*nowhere"):
        read_paste("p.ini", {}, project.path)
