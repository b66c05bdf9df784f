"""Titles and descriptors."""

import os
import subprocess
import sys

import pytest

from gunicorn.host.process import close_all, keep_on_exec, set_title, title_setter


def test_title_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "setproctitle", None)
    title_setter.cache_clear()
    try:
        assert title_setter() is None
        assert set_title("gunicorn: test") is False
    finally:
        title_setter.cache_clear()


def test_title():
    pytest.importorskip("setproctitle")
    code = (
        "from gunicorn.host.process import set_title\n"
        "print(set_title('gunicorn: test'), open('/proc/self/cmdline').read().rstrip('\\0'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "True gunicorn: test\n"


def test_descriptors():
    out, into = os.pipe()
    keep_on_exec([out])
    assert os.get_inheritable(out)
    close_all([out, into, into])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(into)
