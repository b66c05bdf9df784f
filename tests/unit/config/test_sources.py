"""All sources together: who wins, where each value came from, and that a reload starts afresh."""

import itertools
import sys

import pytest

from gunicorn.config import load
from gunicorn.errors import ConfigError


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


# From weakest to strongest: what gives `workers` the number n.
LAYERS = {
    "default": lambda n: {},
    "env WEB_CONCURRENCY": lambda n: {"environ": {"WEB_CONCURRENCY": n}},
    "application": lambda n: {"framework": {"workers": n}},
    "./gunicorn.conf.py": lambda n: {"file": f"workers = {n}\n"},
    "env GUNICORN_WORKERS": lambda n: {"environ": {"GUNICORN_WORKERS": n}},
    "env GUNICORN_CMD_ARGS": lambda n: {"environ": {"GUNICORN_CMD_ARGS": f"--workers {n}"}},
    "command line -w": lambda n: {"argv": ["-w", n]},
}


@pytest.mark.parametrize(("weak", "strong"), list(itertools.combinations(LAYERS, 2)))
def test_precedence(directory, weak, strong):
    low, high = LAYERS[weak]("11"), LAYERS[strong]("22")
    text = low.get("file", "") + high.get("file", "")
    if text:
        (directory / "gunicorn.conf.py").write_text(text)
    loaded = load(
        [*low.get("argv", []), *high.get("argv", [])],
        {**low.get("environ", {}), **high.get("environ", {})},
        str(directory),
        framework={**low.get("framework", {}), **high.get("framework", {})},
    )
    assert loaded.settings.workers == 22
    assert str(loaded.settings.provenance["workers"]) == strong
    assert str(loaded.settings.provenance["threads"]) == "default"


def test_nothing_given(directory):
    loaded = load([], {}, str(directory))
    assert (loaded.app_uri, loaded.args, loaded.mode, loaded.warnings) == ("", (), "run", ())
    assert loaded.settings.chdir == str(directory)
    assert loaded.settings.workers == 1


@pytest.mark.parametrize(
    ("argv", "environ", "text", "uri"),
    [
        (["a:b"], {}, "wsgi_app = 'c:d'", "a:b"),
        ([], {}, "wsgi_app = 'c:d'", "c:d"),
        ([], {"GUNICORN_WSGI_APP": "e:f"}, "wsgi_app = 'c:d'", "e:f"),
        ([], {"GUNICORN_CMD_ARGS": "g:h"}, "wsgi_app = 'c:d'", "g:h"),
        (["a:b"], {"GUNICORN_CMD_ARGS": "g:h"}, "", "a:b"),
    ],
)
def test_application(directory, argv, environ, text, uri):
    (directory / "gunicorn.conf.py").write_text(text)
    loaded = load(argv, environ, str(directory))
    assert loaded.app_uri == uri
    assert loaded.settings.default_proc_name == uri
    assert loaded.settings.proc_name == uri


def test_process_name_of_the_operator_stays(directory):
    assert load(["-n", "mine", "a:b"], {}, str(directory)).settings.proc_name == "mine"


def test_two_applications(directory):
    with pytest.raises(ConfigError, match="unexpected argument 'c:d': only one application"):
        load(["a:b", "c:d"], {}, str(directory))


def test_modes(directory):
    assert load(["--check-config"], {}, str(directory)).mode == "check"
    assert load([], {"GUNICORN_CMD_ARGS": "--print-config"}, str(directory)).mode == "print"
    assert load(["--check-config", "--print-config"], {}, str(directory)).mode == "print"


def test_printout(directory):
    plain = load(["-w", "3", "--print-config"], {}, str(directory)).printout()
    assert "#" not in plain.replace("'#", "")
    sourced = load(["-w", "3", "--print-config", "--source"], {}, str(directory)).printout().splitlines()
    assert [line.split() for line in sourced if line.startswith("workers ")] == [
        ["workers", "=", "3", "#", "command", "line", "-w"]
    ]


def test_reload_starts_afresh(directory):
    file = directory / "gunicorn.conf.py"
    file.write_text("workers = 5\nthreads = 2\n")
    assert load([], {}, str(directory)).settings.workers == 5
    file.write_text("threads = 3\n")
    again = load([], {}, str(directory)).settings
    assert (again.workers, again.threads) == (1, 3)
    assert str(again.provenance["workers"]) == "default"


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (["-c", "mine.py"], {}),
        ([], {"GUNICORN_CMD_ARGS": "-c mine.py"}),
        ([], {"GUNICORN_CONFIG": "mine.py"}),
        (["-c", "mine.py"], {"GUNICORN_CONFIG": "other.py"}),
    ],
)
def test_the_file_may_be_named_anywhere(directory, argv, environ):
    (directory / "mine.py").write_text("workers = 5\n")
    (directory / "gunicorn.conf.py").write_text("workers = 6\n")
    settings = load(argv, environ, str(directory)).settings
    assert settings.workers == 5
    assert settings.config == "mine.py"


def test_no_file_wanted(directory):
    (directory / "gunicorn.conf.py").write_text("workers = 6\n")
    assert load(["-c", ""], {}, str(directory)).settings.workers == 1


def test_paste_is_weaker_than_the_file(directory):
    (directory / "p.ini").write_text("[server:main]\nworkers = 5\nthreads = %(count)s\n")
    (directory / "gunicorn.conf.py").write_text("workers = 6\n")
    settings = load(["--paste", "p.ini", "--paste-global", "count=7"], {}, str(directory)).settings
    assert (settings.workers, settings.threads) == (6, 7)
    assert str(settings.provenance["threads"]) == "p.ini"


def test_directories_are_relative_to_where_the_server_started(directory, monkeypatch):
    (directory / "sub").mkdir()
    monkeypatch.chdir("/")
    assert load(["--chdir", "sub"], {}, str(directory)).settings.chdir == str(directory / "sub")
    assert load(["--chdir", "/tmp"], {}, str(directory)).settings.chdir == "/tmp"


@pytest.mark.parametrize(
    ("argv", "environ", "text", "message"),
    [
        (["-w", "x"], {}, "", "workers: 'x' is not a whole number >= 0 (command line -w)"),
        ([], {"GUNICORN_WORKERS": "x"}, "", "workers: 'x' is not a whole number >= 0 (env GUNICORN_WORKERS)"),
        ([], {"WEB_CONCURRENCY": "x"}, "", "workers: 'x' is not a whole number >= 0 (env WEB_CONCURRENCY)"),
        ([], {"GUNICORN_CMD_ARGS": "-w x"}, "", "workers: 'x' is not a whole number >= 0 (env GUNICORN_CMD_ARGS)"),
        ([], {}, "workers = 'x'", "workers: 'x' is not a whole number >= 0 (./gunicorn.conf.py)"),
        ([], {"PORT": "x"}, "", "bind: address '0.0.0.0:x': 'x' is not a port number (env PORT)"),
        (
            ["--keyfile", "k"],
            {},
            "",
            "keyfile: is set, but certfile is not (command line --keyfile)",
        ),
        ([], {}, "def pre_fork(server): pass", "pre_fork: function pre_fork must take 2 arguments: (server, worker)"),
    ],
)
def test_wrong_values_name_their_source(directory, argv, environ, text, message):
    (directory / "gunicorn.conf.py").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(argv, environ, str(directory))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_mistake_is_one_even_where_it_is_overruled(directory):
    with pytest.raises(ConfigError, match="env GUNICORN_WORKERS"):
        load(["-w", "3"], {"GUNICORN_WORKERS": "x"}, str(directory))


def test_framework_mistakes(directory):
    with pytest.raises(ConfigError, match=r"no setting 'wokers' \(application\)"):
        load([], {}, str(directory), framework={"wokers": 3})


def test_warnings_come_through(directory):
    (directory / "gunicorn.conf.py").write_text("wokers = 3\n")
    (warning,) = load([], {}, str(directory)).warnings
    assert "did you mean 'workers'" in warning


def test_variables_that_the_file_reads_are_its_own(directory):
    environ = {"GUNICORN_LOG_LEVEL": "debug"}
    (warning,) = load([], environ, str(directory)).warnings
    assert "did you mean GUNICORN_LOGLEVEL" in warning
    (directory / "gunicorn.conf.py").write_text("name = 'GUNICORN_LOG_LEVEL'\n")
    assert load([], environ, str(directory)).warnings == ()


def test_misspelt_variables(directory):
    with pytest.raises(ConfigError, match="did you mean GUNICORN_WORKERS"):
        load([], {"GUNICORN_WOKERS": "3"}, str(directory))


def test_help_says_every_flag(directory, capsys):
    with pytest.raises(SystemExit) as caught:
        load(["--help"], {"WEB_CONCURRENCY": "x"}, str(directory), prog="served")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: served ")
