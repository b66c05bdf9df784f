"""The pid file against real processes and against a /proc made of files."""

import os
import subprocess
import sys
import time

import pytest

from gunicorn.errors import ConfigError
from gunicorn.host.pidfile import Pidfile, read_pid, running_pid

GONE = 2**22 + 1  # above the kernel's largest pid


@pytest.fixture
def other():
    """A living process that is not ours."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate(b"\n")


def test_created_renamed_removed(tmp_path):
    pidfile = Pidfile(str(tmp_path / "p"))
    pidfile.create(os.getpid())
    assert (tmp_path / "p").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / "p").stat().st_mode & 0o777 == 0o644
    pidfile.rename(str(tmp_path / "p.2"))
    assert os.listdir(tmp_path) == ["p.2"]
    pidfile.rename(str(tmp_path / "p"))
    pidfile.unlink()
    assert os.listdir(tmp_path) == []
    pidfile.unlink()


def test_relative_path_survives_chdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pidfile = Pidfile("p")
    monkeypatch.chdir("/")
    pidfile.create(os.getpid())
    assert (tmp_path / "p").exists()


@pytest.mark.parametrize("left", ["", "nonsense", "-5", "0", f"{GONE}", "9" * 40, f"{os.getpid()}"])
def test_leftovers_are_written_over(tmp_path, left):
    (tmp_path / "p").write_text(left)
    Pidfile(str(tmp_path / "p")).create(os.getpid())
    assert read_pid(str(tmp_path / "p")) == os.getpid()
    assert os.listdir(tmp_path) == ["p"]


def test_living_process_is_respected(tmp_path, other):
    (tmp_path / "p").write_text(f"{other}\n")
    with pytest.raises(ConfigError) as caught:
        Pidfile(str(tmp_path / "p")).create(os.getpid())
    assert str(caught.value) == f"pid {other} is already running, says pidfile '{tmp_path}/p'"
    assert read_pid(str(tmp_path / "p")) == other


def test_rename_respects_a_living_process(tmp_path, other):
    (tmp_path / "q").write_text(f"{other}\n")
    pidfile = Pidfile(str(tmp_path / "p"))
    pidfile.create(os.getpid())
    with pytest.raises(ConfigError, match="already running"):
        pidfile.rename(str(tmp_path / "q"))
    assert pidfile.is_ours()


def test_rename_of_a_file_that_somebody_took_away(tmp_path):
    pidfile = Pidfile(str(tmp_path / "p"))
    pidfile.create(os.getpid())
    (tmp_path / "p").unlink()
    pidfile.rename(str(tmp_path / "q"))
    assert read_pid(str(tmp_path / "q")) == os.getpid()


def test_process_born_after_the_file_is_another_one(tmp_path, other):
    path = tmp_path / "p"
    path.write_text(f"{other}\n")
    assert running_pid(str(path)) == other
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    if sys.platform == "linux":
        assert running_pid(str(path)) == 0


def test_zombie_does_not_run(tmp_path):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    (tmp_path / "p").write_text(f"{pid}\n")
    try:
        if sys.platform == "linux":
            assert running_pid(str(tmp_path / "p")) == 0
        assert running_pid(str(tmp_path / "p"), tmp_path / "no-proc") == pid
    finally:
        os.waitpid(pid, 0)


def test_unlink_leaves_a_file_of_somebody_else(tmp_path):
    pidfile = Pidfile(str(tmp_path / "p"))
    pidfile.create(os.getpid())
    (tmp_path / "p").write_text("1\n")
    pidfile.unlink()
    assert (tmp_path / "p").read_text() == "1\n"


def test_never_created_is_never_removed(tmp_path):
    (tmp_path / "p").write_text("0\n")
    Pidfile(str(tmp_path / "p")).unlink()
    assert (tmp_path / "p").exists()


@pytest.mark.parametrize(("path", "why"), [("no/p", "No such file"), ("file/p", "Not a directory"), ("", "directory")])
def test_path_that_cannot_be_written(tmp_path, path, why):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        Pidfile(str(tmp_path / path)).create(os.getpid())
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["file"]


def test_rename_to_a_path_that_cannot_be_written(tmp_path):
    pidfile = Pidfile(str(tmp_path / "p"))
    pidfile.create(os.getpid())
    with pytest.raises(ConfigError, match="cannot be written"):
        pidfile.rename(str(tmp_path / "no" / "p"))
    assert pidfile.is_ours()
