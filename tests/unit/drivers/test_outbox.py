"""Answer bytes behind a socket that is full."""

from __future__ import annotations

import os
import socket

import pytest

from gunicorn.drivers.blocking.outbox import FileSpan, Outbox


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(5)
    yield ours, theirs
    ours.close()
    theirs.close()


def drain(outbox: Outbox, ours: socket.socket, theirs: socket.socket) -> bytes:
    received = bytearray()
    while outbox.items:
        try:
            outbox.flush(ours)
        except BlockingIOError:
            received += theirs.recv(1 << 20)
    ours.shutdown(socket.SHUT_WR)
    while data := theirs.recv(1 << 20):
        received += data
    return bytes(received)


def test_everything_arrives_in_order_through_a_full_socket(pair, tmp_path):
    ours, theirs = pair
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 200_000)
    outbox = Outbox()
    outbox.add(b"head ")
    with path.open("rb") as file:
        outbox.items.append(FileSpan(file, 5, 1_500_000))
    outbox.add(b" tail" * 100_000)
    assert outbox.size == 5 + 500_000
    want = b"head " + path.read_bytes()[5:1_500_005] + b" tail" * 100_000
    assert drain(outbox, ours, theirs) == want
    assert outbox.size == 0
    assert outbox.moved == len(want)


def test_a_file_that_became_shorter_is_an_error(pair, tmp_path):
    ours, _ = pair
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    outbox = Outbox()
    with path.open("rb") as file:
        outbox.items.append(FileSpan(file, 0, 100))
    with pytest.raises(OSError, match="shorter"):
        outbox.flush(ours)
    outbox.clear()


def test_clearing_gives_descriptors_back(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    outbox = Outbox()
    with path.open("rb") as file:
        span = FileSpan(file, 0, 1)
    outbox.items.append(span)
    outbox.add(b"x")
    outbox.clear()
    assert (outbox.size, len(outbox.items)) == (0, 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(span.fd)


def test_an_empty_span_ends_at_once(pair, tmp_path):
    ours, theirs = pair
    path = tmp_path / "file"
    path.write_bytes(b"")
    outbox = Outbox()
    with path.open("rb") as file:
        outbox.items.append(FileSpan(file, 0, 0))
    outbox.add(b"end")
    assert drain(outbox, ours, theirs) == b"end"
