"""The pidfile and the two servers of an upgrade, with real files and processes."""

import os
import select

import pytest

from gunicorn.arbiter.identity import Identity
from gunicorn.errors import ConfigError
from gunicorn.supervisor.loop import Loop


class Log:
    def __init__(self):
        self.lines = []

    def info(self, msg, *args):
        self.lines.append(msg % args)

    error = info


class Promoted:
    count = 0

    def __call__(self):
        self.count += 1


@pytest.fixture
def promoted():
    return Promoted()


@pytest.fixture
def identity(promoted):
    one = Identity(Loop(), Log(), promoted)
    yield one
    one.leave()


def test_alone(identity, tmp_path, monkeypatch):
    monkeypatch.delenv("GUNICORN_PID", raising=False)
    path = tmp_path / "app.pid"
    identity.assume(str(path))
    assert path.read_text().split() == [str(os.getpid())]
    assert identity.is_alone
    assert not identity.has_predecessor
    identity.leave()
    assert not path.exists()


def test_without_a_pidfile(identity):
    identity.assume(None)
    assert identity.is_alone


def test_an_unwritable_pidfile(identity, tmp_path):
    with pytest.raises(ConfigError, match="pidfile"):
        identity.assume(str(tmp_path / "no" / "app.pid"))


def test_an_upgrade_writes_another_file_and_takes_the_name_over(identity, promoted, tmp_path, monkeypatch):
    path, second = tmp_path / "app.pid", tmp_path / "app.pid.2"
    path.write_text("1\n")
    monkeypatch.setenv("GUNICORN_PID", str(os.getppid()))
    identity.assume(str(path))
    assert identity.has_predecessor
    assert not identity.is_alone
    assert second.exists()
    identity.look()
    assert identity.has_predecessor, "the old server still runs"
    path.unlink()
    monkeypatch.setattr(identity._vigil, "_getppid", lambda: 1)
    identity.look()
    assert identity.is_alone
    assert promoted.count == 1
    assert path.read_text().split() == [str(os.getpid())]
    assert not second.exists()
    identity.look()
    assert promoted.count == 1


def test_a_name_that_cannot_be_taken_over_is_an_error_line_only(identity, promoted, tmp_path, monkeypatch):
    path = tmp_path / "app.pid"
    monkeypatch.setenv("GUNICORN_PID", str(os.getppid()))
    identity.assume(str(path))
    path.write_text(f"{os.getppid()}\n")
    monkeypatch.setattr(identity._vigil, "_getppid", lambda: 1)
    identity.look()
    assert promoted.count == 1
    assert "already running" in identity._log.lines[-1]


def test_a_successor_that_ends_leaves_us_alone_again(identity):
    identity.successor = 4711
    assert not identity.is_alone
    assert not identity.lost(4712, 0)
    assert identity.lost(4711, 3)
    assert identity.is_alone
    assert "4711" in identity._log.lines[-1]


def test_without_a_successor_no_process_is_one(identity):
    assert not identity.lost(0, 0)


def test_where_the_kernel_does_not_tell_we_look_ourselves(identity, monkeypatch):
    assert identity.wake_after is None
    monkeypatch.setenv("GUNICORN_PID", str(os.getppid()))
    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    identity.assume(None)
    assert identity.wake_after


def refuse(_pid):
    raise OSError(38, "Function not implemented")


def test_the_loop_watches_for_the_end_of_the_old_server(promoted, monkeypatch):
    """In a child whose parent ends: the descriptor becomes readable, and the name is taken over."""
    out, into = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.environ["GUNICORN_PID"] = str(os.getpid())
        if os.fork() == 0:
            loop = Loop()
            one = Identity(loop, Log(), promoted)
            one.assume(None)
            os.write(into, b"1" if one.has_predecessor else b"0")
            while one.has_predecessor:
                loop.turn(None if one.wake_after is None else 0)
                one.look()
            os.write(into, b"p")
            os._exit(0)
        select.select([out], [], [], 10)
        os._exit(0)
    os.waitpid(middle, 0)
    os.close(into)
    heard = b""
    while True:
        assert select.select([out], [], [], 10)[0], heard
        part = os.read(out, 10)
        if not part:
            break
        heard += part
    os.close(out)
    assert heard == b"1p"
