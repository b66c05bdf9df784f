"""Which files count, and when they have changed."""

import importlib.util
import os
import sys
from types import ModuleType

import pytest

from gunicorn.host.watch import WatchedFiles, files_of, is_library, module_files, source_of


@pytest.fixture
def module():
    """Puts a module with the given `__file__` among the loaded ones."""
    names = []

    def make(path, kind=ModuleType):
        made = kind(f"gunicorn_test_{len(names)}")
        made.__dict__["__file__"] = path
        sys.modules[made.__name__] = made
        names.append(made.__name__)
        return made

    yield make
    for name in names:
        del sys.modules[name]


def write(path, text="x"):
    """Always another inode, so that two writes within one tick of the clock differ."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def test_sources(tmp_path):
    source = str(tmp_path / "a.py")
    assert source_of(source) == source
    assert source_of(importlib.util.cache_from_source(source)) == source
    assert source_of(str(tmp_path / "a.pyc")) == source
    assert source_of(str(tmp_path / "a.so")) == str(tmp_path / "a.so")


def test_loaded_modules(module, tmp_path):
    module(str(tmp_path / "a.py"))
    module(None)
    module("")

    class Lazy(ModuleType):
        def __getattr__(self, name):
            raise AssertionError("a lazy module was asked")

    lazy = module(None, Lazy)
    del lazy.__dict__["__file__"]
    sys.modules["gunicorn_test_odd"] = None
    try:
        files = module_files()
    finally:
        del sys.modules["gunicorn_test_odd"]
    assert str(tmp_path / "a.py") in files
    assert os.path.abspath(__file__) in files
    assert "" not in files


def test_change_is_seen_once(module, tmp_path):
    path = tmp_path / "a.py"
    write(path)
    module(str(path))
    files = WatchedFiles([])
    assert files.refresh() == ""
    assert files.compare() == ""
    write(path)
    assert files.compare() == str(path)
    assert files.compare() == ""


def test_removal_and_return_are_changes(module, tmp_path):
    path = tmp_path / "a.py"
    write(path)
    files = WatchedFiles([str(path)])
    files.refresh()
    path.unlink()
    assert files.compare() == str(path)
    write(path)
    assert files.compare() == str(path)


def test_new_module_is_watched_but_no_change(module, tmp_path):
    files = WatchedFiles([])
    files.refresh()
    write(tmp_path / "late.py")
    module(str(tmp_path / "late.py"))
    assert files.refresh() == ""
    assert files.compare() == ""
    write(tmp_path / "late.py")
    assert files.compare() == str(tmp_path / "late.py")


def test_extra_file_need_not_exist_yet(tmp_path):
    files = WatchedFiles([str(tmp_path / "settings.ini")])
    assert files.refresh() == ""
    write(tmp_path / "settings.ini")
    assert files.compare() == str(tmp_path / "settings.ini")


def test_patterns_are_expanded_again(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write(tmp_path / "a.html")
    files = WatchedFiles([str(tmp_path / "**" / "*.html")])
    assert files.refresh() == ""
    write(tmp_path / "deep" / "er" / "b.html")
    write(tmp_path / "deep" / "er" / "b.txt")
    assert files.refresh() == str(tmp_path / "deep" / "er" / "b.html")
    assert files.refresh() == ""
    write(tmp_path / "deep" / "er" / "b.html")
    assert files.compare() == str(tmp_path / "deep" / "er" / "b.html")


def test_relative_extras_survive_chdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = WatchedFiles(["a.txt"])
    monkeypatch.chdir("/")
    files.refresh()
    assert str(tmp_path) in files.directories()


def test_other_files_of_the_directory_do_not_concern(module, tmp_path):
    module(str(tmp_path / "a.py"))
    files = WatchedFiles([])
    files.refresh()
    write(tmp_path / "error.log")
    write(tmp_path / "unused.py")
    assert files.refresh() == ""
    assert files.compare() == ""
    assert not files.concerns({str(tmp_path / "error.log"), str(tmp_path / "unused.py")})
    assert files.concerns({str(tmp_path / "error.log"), str(tmp_path / "a.py")})
    assert files.concerns(None)
    assert not files.concerns(set())


def test_after_a_reload_sources_beside_count_too(module, tmp_path):
    module(str(tmp_path / "a.py"))
    write(tmp_path / "beside.py")
    files = WatchedFiles([])
    files.refresh()
    files.widen()
    assert files.refresh() == ""
    write(tmp_path / "beside.py")
    assert files.compare() == str(tmp_path / "beside.py")
    write(tmp_path / "new.py")
    assert files.refresh() == str(tmp_path / "new.py")
    write(tmp_path / "error.log")
    assert files.refresh() == files.compare() == ""


def test_directories_that_count_although_nothing_is_loaded_from_them(tmp_path):
    files = WatchedFiles([])
    files.refresh()
    files.widen(str(tmp_path))
    assert str(tmp_path) in files.directories()
    write(tmp_path / "app.py")
    assert files.refresh() == str(tmp_path / "app.py")


def test_libraries():
    assert is_library(os.path.dirname(os.__file__))
    assert is_library(os.path.dirname(pytest.__file__))
    assert not is_library(os.path.dirname(__file__))


def test_files_of_an_error(tmp_path):
    (tmp_path / "bad.py").write_text("def (")

    def load():
        try:
            compile((tmp_path / "bad.py").read_text(), str(tmp_path / "bad.py"), "exec")
        except SyntaxError as error:
            raise RuntimeError("cannot load") from error

    with pytest.raises(RuntimeError) as caught:
        load()
    caught.value.__context__.__context__ = caught.value  # a circle must not be followed for ever
    assert files_of(caught.value) == {str(tmp_path / "bad.py"), os.path.abspath(__file__)}
    assert files_of(ValueError()) == set()


def test_widening_leaves_libraries_out():
    files = WatchedFiles([])
    files.refresh()
    files.widen()
    before = set(module_files())
    beside = {path for path in files._seen if path not in before}
    assert not any(path.startswith(os.path.dirname(os.__file__) + os.sep) for path in beside)
