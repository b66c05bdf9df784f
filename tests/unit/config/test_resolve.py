"""Classes behind names: found, missing, not available yet, or failing by their own fault."""

import sys

import pytest

from gunicorn.config import Settings, resolve_class, resolve_worker_class
from gunicorn.errors import ConfigError


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)

    yield write
    for name in ("own_worker", "own_broken"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["gevent", "eventlet", "asgi"])
def test_names_of_later_releases(name, monkeypatch):
    monkeypatch.setitem(
        sys.modules["gunicorn.config.resolve"].WORKER_CLASSES, name, "gunicorn.workers.not_written.Worker"
    )
    with pytest.raises(ConfigError, match=f"worker_class: {name!r} is not available yet"):
        resolve_worker_class(Settings().replace(worker_class=name))


def test_a_class_is_itself():
    class Mine:
        pass

    assert resolve_worker_class(Settings().replace(worker_class=Mine)) is Mine
    assert resolve_class(Mine, "logger_class") is Mine


@pytest.mark.parametrize("path", ["own_worker.Mine", "own_worker:Mine"])
def test_dotted_path(package, path):
    package("own_worker", "class Mine: pass\nnumber = 3\n")
    assert resolve_worker_class(Settings().replace(worker_class=path)).__name__ == "Mine"


def test_missing_ones(package):
    package("own_worker", "class Mine: pass\nnumber = 3\n")
    for path in ("own_worker.Yours", "own_worker.number"):
        with pytest.raises(ConfigError, match="is not a class"):
            resolve_class(path, "logger_class")
    with pytest.raises(ConfigError, match=r"logger_class: there is no module 'no_such' \(env X\)"):
        resolve_class("no_such.Class", "logger_class", "env X")


def test_a_module_that_fails_is_not_called_missing(package):
    package("own_broken", "import not_installed_anywhere\nclass Mine: pass\n")
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        resolve_class("own_broken.Mine", "worker_class")


def test_entry_points():
    with pytest.raises(ConfigError, match="names no installed class"):
        resolve_class("egg:no-such-distribution#worker", "worker_class")
