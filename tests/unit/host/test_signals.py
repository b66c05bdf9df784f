"""Signals through the pipe: none lost, in order, none shared with a child."""

import contextlib
import os
import select
import signal

import pytest

from gunicorn.host.signals import SignalPipe, held, reset_in_child, signal_name, signal_number

USED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGCHLD)


@pytest.fixture
def pipe():
    made = SignalPipe()
    made.install(USED)
    yield made
    made.close()


def send(number):
    os.kill(os.getpid(), number)


def is_readable(pipe):
    return bool(select.select([pipe], [], [], 0)[0])


def in_child(call):
    """The exit status of a child that runs `call`; its result is the status."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = int(call() or 0)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("name", ["TERM", "term", "SIGTERM", "sigterm", "15", 15])
def test_numbers(name):
    assert signal_number(name) is signal.SIGTERM


@pytest.mark.parametrize("name", ["NOPE", "", "SIG", 0, 4711])
def test_what_is_no_signal(name):
    with pytest.raises(ValueError, match=r"not a (valid )?(signal|Signals)"):
        signal_number(name)


def test_names():
    assert signal_name(signal.SIGTERM) == "term"
    assert signal_name(9) == "kill"
    assert signal_name(4711) == "4711"


def test_nothing_is_nothing(pipe):
    assert pipe.read() == []
    assert not is_readable(pipe)


def test_order_and_repetition(pipe):
    for number in (signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR1, signal.SIGHUP):
        send(number)
    assert is_readable(pipe)
    assert pipe.read() == [signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR1, signal.SIGHUP]
    assert pipe.read() == []
    assert not is_readable(pipe)


def test_wait_ends_when_a_signal_comes_from_another_process(pipe):
    parent = os.getpid()
    assert in_child(lambda: os.kill(parent, signal.SIGUSR1)) == 0
    assert select.select([pipe], [], [], 10)[0]
    assert signal.SIGUSR1 in pipe.read()


def test_full_pipe_loses_no_kind_of_signal(pipe):
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe._in, bytes([signal.SIGCHLD]) * 4096)
    send(signal.SIGUSR1)
    send(signal.SIGHUP)
    numbers = pipe.read()
    assert {signal.SIGCHLD, signal.SIGUSR1, signal.SIGHUP} <= set(numbers)
    assert pipe.read() == []
    send(signal.SIGUSR2)
    assert pipe.read() == [signal.SIGUSR2]


def test_wake_wakes_and_says_nothing(pipe):
    pipe.wake()
    assert is_readable(pipe)
    assert pipe.read() == []


def test_wake_of_a_full_pipe(pipe):
    for _ in range(70_000):
        pipe.wake()
    assert is_readable(pipe)


def test_signals_not_installed_are_not_reported(pipe):
    before = signal.signal(signal.SIGWINCH, lambda *_: None)
    try:
        send(signal.SIGWINCH)
        assert pipe.read() == []
    finally:
        signal.signal(signal.SIGWINCH, before)


def test_install_more(pipe):
    pipe.install([signal.SIGWINCH])
    send(signal.SIGWINCH)
    assert pipe.read() == [signal.SIGWINCH]


def test_restore_gives_handlers_back():
    mine = []
    before = signal.signal(signal.SIGUSR1, lambda *_: mine.append(1))
    try:
        pipe = SignalPipe()
        pipe.install([signal.SIGUSR1])
        pipe.install([signal.SIGUSR1])
        send(signal.SIGUSR1)
        assert mine == []
        pipe.close()
        send(signal.SIGUSR1)
        assert mine == [1]
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_held_delivers_afterwards(pipe):
    with held():
        send(signal.SIGUSR1)
        assert pipe.read() == []
    assert pipe.read() == [signal.SIGUSR1]


def test_child_starts_with_nothing_pending_and_writes_nothing_to_the_parent(pipe):
    out, into = os.pipe()
    with held():
        send(signal.SIGUSR1)
        pid = os.fork()
        if pid == 0:
            pipe.forget()
            signal.signal(signal.SIGUSR1, lambda *_: os.write(into, b"child"))
    if pid == 0:
        os.write(into, b"start ")
        send(signal.SIGUSR1)
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(into)
    with os.fdopen(out) as answers:
        assert answers.read() == "start child"
    assert [number for number in pipe.read() if number != signal.SIGCHLD] == [signal.SIGUSR1]


def test_child_dies_by_default_actions_again(pipe):
    def child():
        reset_in_child()
        send(signal.SIGUSR1)

    assert in_child(child) == -signal.SIGUSR1


def test_child_keeps_what_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:

        def child():
            reset_in_child()
            send(signal.SIGHUP)
            assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            return 7

        assert in_child(child) == 7
    finally:
        signal.signal(signal.SIGHUP, before)
