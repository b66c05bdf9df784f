"""Loading applications by name: every form, and one clear line for every way it can go wrong."""

import sys

import pytest

from gunicorn.app.loader import AppName, load_app, own_traceback, parse_name
from gunicorn.errors import AppLoadError

SOURCE = """
def application(environ, start_response): return [b"application"]
def app(environ, start_response): return [b"app"]

def create_app(name="x", *, debug=False):
    return lambda environ, start_response: [name, debug]

def broken_factory(): raise RuntimeError("no database")
def broken_with_type_error(): return len(3)
def empty_factory(): return None

class Holder:
    inner = staticmethod(app)
    @property
    def failing(self): raise RuntimeError("not now")

holder = Holder()
number = 3
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    (tmp_path / "ownapp.py").write_text(SOURCE)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("own"):
            del sys.modules[name]


def failure(uri):
    with pytest.raises(AppLoadError) as caught:
        load_app(uri)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4
    return caught.value


def test_forms(project):
    assert load_app("ownapp")({}, None) == [b"application"]
    assert load_app("ownapp:")({}, None) == [b"application"]
    assert load_app("ownapp:app")({}, None) == [b"app"]
    assert load_app(" ownapp : app ".replace(" ", ""))({}, None) == [b"app"]
    assert load_app("ownapp:holder.inner")({}, None) == [b"app"]
    assert load_app("ownapp:create_app()")({}, None) == ["x", False]
    assert load_app("ownapp:create_app('y', debug=True)")({}, None) == ["y", True]
    assert load_app("ownapp:create_app(name={'a': [1, -2.5, None]})")({}, None) == [{"a": [1, -2.5, None]}, False]


def test_a_package(project):
    (project / "ownpackage").mkdir()
    (project / "ownpackage" / "__init__.py").write_text("")
    (project / "ownpackage" / "wsgi.py").write_text("application = print\n")
    assert load_app("ownpackage.wsgi") is print


def test_names_are_parsed_without_running_anything():
    assert parse_name("a.b:c.d") == AppName("a.b", "c.d")
    assert parse_name("a:f(1, x='y')") == AppName("a", "f", True, (1,), {"x": "y"})
    assert parse_name("a") == AppName("a", "application")


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("", "'' is not the name of a module"),
        (":app", "'' is not the name of a module"),
        ("own-app:app", "'own-app' is not the name of a module"),
        ("ownapp.py:app", "module 'ownapp.py' does not exist; write ownapp:app, without .py"),
        ("./pkg/ownapp.py:app", "write pkg.ownapp:app"),
        ("ownapp:3", "write a name or a call such as create_app()"),
        ("ownapp:app[0]", "write a name or a call"),
        ("ownapp:create_app()()", "write a name or a call"),
        ("ownapp:create_app(", "is neither a name nor a call"),
        ("ownapp:app app", "is neither a name nor a call"),
        ("ownapp:create_app(name)", "the arguments of a factory must be literals"),
        ("ownapp:create_app(open('x'))", "the arguments of a factory must be literals"),
        ("ownapp:create_app(*[1])", "the arguments of a factory must be literals"),
        ("ownapp:create_app(**{'name': 1})", "the arguments of a factory must be literals"),
    ],
)
def test_names_that_are_none(project, uri, text):
    error = failure(uri)
    assert text in str(error)
    assert error.own_fault is False


def test_missing_module(project):
    error = failure("ownap:app")
    assert str(error) == "the application's module 'ownap' does not exist; did you mean 'ownapp'?"
    assert error.own_fault is False
    assert f"neither in {project} nor elsewhere on sys.path" in str(failure("zzz:app"))


def test_missing_submodule(project):
    (project / "ownpackage").mkdir()
    (project / "ownpackage" / "__init__.py").write_text("")
    assert "module 'ownpackage.wsgi' does not exist" in str(failure("ownpackage.wsgi"))
    assert "module 'zzz' (for 'zzz.wsgi') does not exist" in str(failure("zzz.wsgi"))
    assert "module 'ownapp.x' does not exist" in str(failure("ownapp.x:app"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import not_installed_anywhere", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
        ("import ownbad.missing", "ModuleNotFoundError: No module named 'ownbad.missing'; 'ownbad' is not a package"),
        ("from ownapp import nothing", "ImportError: cannot import name 'nothing' from 'ownapp'"),
        ("1/0", "ZeroDivisionError: division by zero"),
        ("a b", "SyntaxError: invalid syntax"),
        ("raise ValueError('first\\nsecond')", "ValueError: first"),
        ("raise ValueError", "ValueError"),
    ],
)
def test_a_module_that_fails_is_its_own_fault(project, text, line):
    (project / "ownbad.py").write_text(text + "\n")
    error = failure("ownbad:app")
    assert str(error).startswith(f"module 'ownbad' failed to import: {line}")
    assert error.own_fault is True
    trace = own_traceback(error)
    assert "ownbad.py" in trace
    assert "loader.py" not in trace
    assert "frozen importlib" not in trace


def test_missing_attribute(project):
    assert str(failure("ownapp:ap")) == (
        "application 'ownapp' has no attribute 'ap'; did you mean 'app' or 'application' or 'create_app'?"
    )
    assert "'ownapp:holder' has no attribute 'iner'; did you mean 'inner'" in str(failure("ownapp:holder.iner"))
    (project / "ownempty.py").write_text("")
    assert str(failure("ownempty")) == "application 'ownempty' has no attribute 'application'"


def test_failing_attribute(project):
    error = failure("ownapp:holder.failing")
    assert "reading 'failing' of ownapp:holder failed: RuntimeError: not now" in str(error)
    assert error.own_fault is True


def test_not_callable(project):
    assert str(failure("ownapp:number")) == "application ownapp:number is an int, which cannot be called"
    assert str(failure("ownapp:holder")) == "application ownapp:holder is a Holder, which cannot be called"
    assert "factory ownapp:number is an int" in str(failure("ownapp:number()"))
    assert str(failure("ownapp:empty_factory()")) == (
        "factory ownapp:empty_factory returned a NoneType, which cannot be called"
    )


def test_failing_factory(project):
    error = failure("ownapp:broken_factory()")
    assert str(error) == "factory ownapp:broken_factory raised: RuntimeError: no database"
    assert error.own_fault is True
    assert isinstance(error.__cause__, RuntimeError)
    assert "in broken_factory" in own_traceback(error)


def test_wrong_arguments_are_told_from_a_failing_factory(project):
    error = failure("ownapp:create_app(1, 2, 3)")
    assert "factory ownapp:create_app cannot be called so:" in str(error)
    assert error.own_fault is False
    assert own_traceback(error) == ""
    assert failure("ownapp:broken_with_type_error()").own_fault is True


def test_what_ends_the_process_is_not_caught(project):
    (project / "ownexit.py").write_text("raise SystemExit(7)\n")
    with pytest.raises(SystemExit):
        load_app("ownexit")
