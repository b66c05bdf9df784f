"""Between fork and program: signals, descriptors, exit statuses."""

import atexit
import os
import signal
from dataclasses import dataclass
from typing import Any

import pytest

from gunicorn.host.signals import SignalPipe
from gunicorn.supervisor.birth import NOTICE_READY, give_birth


@dataclass
class Act:
    """A program of one function; its answer is the exit status."""

    act: Any
    reopened: Any = None

    def run(self, notice):
        atexit._clear()
        return self.act(notice)

    def reopen(self):
        if self.reopened is not None:
            os.write(self.reopened, b"r")


def born(act, *, separate=lambda: None, not_for_child=(), reopened=None):
    return give_birth(Act(act, reopened), separate, not_for_child)


def end_of(pid, notice):
    """The exit status, and everything the child said."""
    _, raw = os.waitpid(pid, 0)
    said = b""
    while True:
        try:
            part = os.read(notice, 100)
        except BlockingIOError:
            break
        if not part:
            break
        said += part
    os.close(notice)
    return os.waitstatus_to_exitcode(raw), said


def leave(code, ready=True):
    def act(notice):
        if ready:
            notice(NOTICE_READY)
        raise SystemExit(code)

    return act


def test_the_answer_is_the_exit_status():
    assert end_of(*born(lambda notice: 7)) == (7, b"")


def test_what_it_says_arrives():
    assert end_of(*born(lambda notice: notice(b"R") or notice(b"Q") or 0)) == (0, b"RQ")


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (leave(0), 0),
        (leave(None), 0),
        (leave(5), 5),
        (leave("a reason"), 1),
        (leave(0, ready=False), 3),
        (leave(5, ready=False), 5),
        (lambda notice: 1 / 0, 3),
        (lambda notice: notice(b"R") or 1 / 0, 1),
    ],
)
def test_ways_to_end(act, status, capfd):
    assert end_of(*born(act))[0] == status
    capfd.readouterr()


def test_keyboard_interrupt_is_an_end_too(capfd):
    def act(_notice):
        raise KeyboardInterrupt

    assert end_of(*born(act))[0] == 3
    capfd.readouterr()


def test_exit_functions_of_the_child_run():
    out, into = os.pipe()

    def act(_notice):
        atexit.register(os.write, into, b"bye")
        return 0

    pid, notice = born(act)
    end_of(pid, notice)
    assert os.read(out, 10) == b"bye"
    os.close(out)
    os.close(into)


def test_separate_runs_in_the_child_with_all_signals_blocked():
    out, into = os.pipe()

    def separate():
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        os.write(into, b"%d" % (signal.SIGTERM in blocked and signal.SIGUSR1 in blocked))

    end_of(*born(lambda notice: 0, separate=separate))
    assert os.read(out, 10) == b"1"
    os.close(out)
    os.close(into)


def test_the_mask_is_the_parents_again_in_both():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    pid, notice = born(lambda notice: len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    assert end_of(pid, notice)[0] == len(before)


def test_descriptors_not_for_the_child_are_closed_there_only():
    out, into = os.pipe()

    def act(_notice):
        try:
            os.fstat(into)
        except OSError:
            return 0
        return 1

    assert end_of(*born(act, not_for_child=[into]))[0] == 0
    os.fstat(into)
    os.close(out)
    os.close(into)


def disposition(number):
    return lambda notice: {signal.SIG_DFL: 10, signal.SIG_IGN: 11}.get(signal.getsignal(number), 12)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 10),
        (signal.SIGINT, 10),
        (signal.SIGQUIT, 10),
        (signal.SIGABRT, 10),
        (signal.SIGCHLD, 10),
        (signal.SIGHUP, 11),
        (signal.SIGTTIN, 11),
        (signal.SIGTTOU, 11),
        (signal.SIGUSR2, 11),
        (signal.SIGWINCH, 11),
        (signal.SIGUSR1, 12),
    ],
)
def test_dispositions(number, code):
    pipe = SignalPipe()
    pipe.install([number])
    try:
        assert end_of(*born(disposition(number)))[0] == code
    finally:
        pipe.close()


def test_a_signal_to_the_child_never_reaches_the_parents_pipe():
    pipe = SignalPipe()
    pipe.install([signal.SIGTERM, signal.SIGHUP])

    def suicide():
        os.kill(os.getpid(), signal.SIGTERM)

    try:
        pid, notice = born(lambda notice: 0, separate=suicide)
        assert end_of(pid, notice)[0] == -signal.SIGTERM
        assert pipe.read() == []
    finally:
        pipe.close()


def test_a_signal_to_the_parent_during_the_fork_is_not_lost(monkeypatch):
    pipe = SignalPipe()
    pipe.install([signal.SIGHUP])
    fork = os.fork

    def fork_under_fire():
        os.kill(os.getpid(), signal.SIGHUP)
        return fork()

    monkeypatch.setattr(os, "fork", fork_under_fire)
    try:
        pid, notice = born(lambda notice: 0)
        assert end_of(pid, notice)[0] == 0
        assert pipe.read() == [signal.SIGHUP]
    finally:
        pipe.close()


def test_usr1_before_the_program_has_a_handler_reopens_the_logs():
    out, into = os.pipe()

    def act(_notice):
        os.kill(os.getpid(), signal.SIGUSR1)
        return 0

    assert end_of(*born(act, reopened=into))[0] == 0
    assert os.read(out, 1) == b"r"
    os.close(out)
    os.close(into)


def test_no_process_leaves_no_descriptor_behind(monkeypatch):
    def refuse():
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    before = os.listdir("/proc/self/fd")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with pytest.raises(OSError, match="Resource"):
        born(lambda notice: 0)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


def test_a_parent_that_does_not_listen_stops_nobody():
    def act(notice):
        for _ in range(100_000):
            notice(b"C")
        return 0

    pid, notice = born(act)
    _, raw = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(raw) == 0
    os.close(notice)
