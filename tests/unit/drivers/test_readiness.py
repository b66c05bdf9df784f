"""Both kinds of readiness keep the same promises to a connection's owner."""

from __future__ import annotations

import socket

import pytest

from gunicorn.drivers.blocking.readiness import (
    READ,
    WRITE,
    EpollReadiness,
    PollReadiness,
    Readiness,
    best_readiness,
)


@pytest.fixture(params=[EpollReadiness, PollReadiness])
def readiness(request):
    made: Readiness = request.param()
    yield made
    made.close()


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def fill(sock: socket.socket) -> None:
    try:
        while sock.send(b"x" * 65536):
            pass
    except BlockingIOError:
        return


def masks(readiness: Readiness, fd: int, seconds: float = 0) -> int:
    found = 0
    for ready, mask in readiness.wait(seconds):
        assert ready == fd
        found |= mask
    return found


def test_bytes_make_a_connection_readable(readiness, pair):
    ours, theirs = pair
    readiness.watch(ours.fileno())
    masks(readiness, ours.fileno())
    theirs.send(b"x")
    assert masks(readiness, ours.fileno(), 5) & READ


def test_a_muted_connection_is_reported_after_rearm(readiness, pair):
    ours, theirs = pair
    readiness.watch(ours.fileno())
    theirs.send(b"x")
    assert masks(readiness, ours.fileno(), 5) & READ
    readiness.mute(ours.fileno())
    assert not masks(readiness, ours.fileno())
    readiness.rearm(ours.fileno())
    assert masks(readiness, ours.fileno(), 5) & READ


def test_writability_is_reported_when_it_returns(readiness, pair):
    ours, theirs = pair
    readiness.watch(ours.fileno())
    masks(readiness, ours.fileno())
    fill(ours)
    readiness.want_write(ours.fileno(), True)
    assert not masks(readiness, ours.fileno()) & WRITE
    theirs.settimeout(5)
    while not masks(readiness, ours.fileno()) & WRITE:
        assert theirs.recv(1 << 20)
    readiness.want_write(ours.fileno(), False)


def test_a_listener_can_be_left_and_watched_again(readiness):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        readiness.watch_shared(listener.fileno())
        readiness.unwatch_shared(listener.fileno())
        client = socket.create_connection(listener.getsockname())
        assert not masks(readiness, listener.fileno())
        readiness.watch_shared(listener.fileno())
        assert masks(readiness, listener.fileno(), 5) & READ
        client.close()


def test_closing_takes_a_connection_out(readiness, pair):
    ours, _ = pair
    readiness.watch(ours.fileno())
    readiness.forget(ours.fileno())
    ours.close()
    assert readiness.wait(0) == []


def test_linux_gets_edges():
    made = best_readiness()
    assert isinstance(made, EpollReadiness)
    made.close()
