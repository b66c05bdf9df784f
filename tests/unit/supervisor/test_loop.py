"""The loop: who is called, when it returns, and when it says that it was late."""

import os
import signal
import time

import pytest

from gunicorn.supervisor import loop as loop_module
from gunicorn.supervisor.loop import LATE, Loop

SOON = 30 * 10**9


def now():
    return time.monotonic_ns()


@pytest.fixture
def pipe():
    out, into = os.pipe()
    os.set_blocking(out, False)
    yield out, into
    for fd in (out, into):
        try:
            os.close(fd)
        except OSError:
            continue


def test_a_readable_descriptor_ends_the_wait_and_is_called(pipe):
    loop, heard = Loop(), []
    loop.watch(pipe[0], lambda: heard.append(os.read(pipe[0], 10)))
    os.write(pipe[1], b"x")
    assert loop.turn(now() + SOON) == 0
    assert heard == [b"x"]


def test_the_end_of_a_pipe_is_readable_too(pipe):
    loop, heard = Loop(), []
    loop.watch(pipe[0], lambda: heard.append(os.read(pipe[0], 10)))
    os.close(pipe[1])
    loop.turn(now() + SOON)
    assert heard == [b""]


def test_the_deadline_ends_the_wait(pipe):
    loop = Loop()
    loop.watch(pipe[0], lambda: pytest.fail("nothing was written"))
    at = now() + 10**7
    loop.turn(at)
    assert now() >= at


def test_a_deadline_in_the_past_does_not_wait():
    assert Loop().turn(now() - 1) == 0


def test_who_is_forgotten_is_not_called(pipe):
    loop = Loop()
    loop.watch(pipe[0], lambda: pytest.fail("forgotten"))
    loop.forget(pipe[0])
    os.write(pipe[1], b"x")
    loop.turn(now())
    assert loop.descriptors() == []


def test_who_is_forgotten_in_the_same_turn_is_not_called():
    loop, heard = Loop(), []
    pipes = [os.pipe() for _ in range(2)]

    def meet(mine, other):
        heard.append(mine)
        loop.forget(other)

    first, second = pipes[0][0], pipes[1][0]
    loop.watch(first, lambda: meet(first, second))
    loop.watch(second, lambda: meet(second, first))
    for _, into in pipes:
        os.write(into, b"x")
    loop.turn(now() + SOON)
    assert len(heard) == 1
    for pair in pipes:
        for fd in pair:
            os.close(fd)


def test_a_number_used_again_in_the_same_turn_is_not_mistaken():
    loop, heard = Loop(), []
    first, second = os.pipe(), os.pipe()

    def replace_second():
        if second[0] in loop.descriptors():
            loop.forget(second[0])
            loop.watch(second[0], lambda: heard.append("new"))
        os.read(first[0], 10)

    loop.watch(first[0], replace_second)
    loop.watch(second[0], lambda: heard.append("old"))
    os.write(first[1], b"x")
    os.write(second[1], b"x")
    loop.turn(now() + SOON)
    assert heard in ([], ["old"]), "the new callback belongs to the next turn"
    loop.turn(now() + SOON)
    assert heard[-1] == "new"
    for fd in (*first, *second):
        os.close(fd)


def test_descriptors_are_what_is_watched(pipe):
    loop = Loop()
    loop.watch(pipe[0], list)
    assert loop.descriptors() == [pipe[0]]


def stopped_for(ns, monkeypatch):
    """Makes the wait seem to take `ns` longer than it did, as SIGSTOP or a paused machine does."""
    real = time.monotonic_ns
    reads = []

    def clock():
        reads.append(None)
        return real() + (ns if len(reads) > 1 else 0)

    monkeypatch.setattr(loop_module.time, "monotonic_ns", clock)


def test_a_turn_that_stood_still_says_for_how_long(monkeypatch):
    at = now() + 10**6
    stopped_for(60 * LATE, monkeypatch)
    assert Loop().turn(at) >= 60 * LATE


def test_a_turn_that_was_a_little_late_says_nothing(monkeypatch):
    at = now() + 10**6
    stopped_for(LATE // 2, monkeypatch)
    assert Loop().turn(at) == 0


def test_time_spent_before_the_turn_is_not_lateness():
    assert Loop().turn(now() - 100 * LATE) == 0


def test_without_a_deadline_nobody_is_late(pipe, monkeypatch):
    loop = Loop()
    loop.watch(pipe[0], lambda: os.read(pipe[0], 1))
    os.write(pipe[1], b"x")
    stopped_for(60 * LATE, monkeypatch)
    assert loop.turn(None) == 0


def test_a_signal_without_a_handler_of_ours_does_not_break_the_wait(pipe):
    loop = Loop()
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        os.kill(os.getpid(), signal.SIGUSR2)
        at = now() + 10**7
        loop.turn(at)
        assert now() >= at
    finally:
        signal.signal(signal.SIGUSR2, before)
