"""Limits hold before a payload is stored, and memory is that of the bytes. Cases as in Autobahn's suite."""

from __future__ import annotations

import tracemalloc

import pytest

from gunicorn.protocol.websocket.events import Closed
from tests.support.websocket_frames import (
    BINARY,
    CONT,
    FIN,
    PING,
    PONG,
    TEXT,
    close,
    frame,
    machine,
    outcome,
    server_close,
    server_frame,
    text,
)


@pytest.mark.parametrize("size", [125, 126, 65536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("split", [None, 1000])
def test_a_message_of_exactly_the_limit_passes(size, opcode, split):
    data = frame(FIN | opcode, b"x" * size)
    events, said = outcome(data, limit=size, split=split)
    assert (len(events[0]), said) == (size, b"")
    halves = frame(opcode, b"x" * (size // 2)) + frame(FIN | CONT, b"x" * (size - size // 2)) + frame(FIN | PING)
    assert len(outcome(halves, limit=size, split=split)[0][0]) == size


@pytest.mark.parametrize(
    "data",
    [
        frame(FIN | TEXT, length=101),
        frame(FIN | BINARY, length=101),
        frame(BINARY, length=1 << 40),
        frame(TEXT, b"x" * 60) + frame(CONT, length=41),
        frame(TEXT, b"x" * 100) + frame(FIN | CONT, length=1),
        frame(BINARY, b"x") * 1 + frame(CONT, b"x") * 99 + frame(FIN | CONT, length=1),
    ],
)
@pytest.mark.parametrize("split", [None, 1])
def test_a_longer_message_is_refused_by_the_head_of_its_frame(data, split):
    """No byte of the payload that is too much is here."""
    events, said = outcome(data, limit=100, split=split)
    assert events == [Closed(1009, "message of more than 100 bytes")]
    assert said == server_close(1009, "message of more than 100 bytes")


def test_a_whole_frame_over_the_limit():
    assert outcome(text("x" * 101), limit=100)[0][0].code == 1009
    assert outcome(text("x" * 300), limit=100)[0][0].code == 1009


def test_the_limit_is_not_one_of_control_frames():
    """A ping between two fragments has room also where the message has none left."""
    ping = frame(FIN | PING, b"p" * 125)
    data = frame(TEXT, b"x" * 10) + ping + frame(FIN | CONT) + close(1000, b"y" * 100)
    events, said = outcome(data, limit=10)
    assert events == ["x" * 10, Closed(1000, "y" * 100)]
    assert said == server_frame(FIN | PONG, b"p" * 125) + server_close(1000, "y" * 100)


def test_tiny_fragments_cost_what_their_bytes_cost():
    one = machine(limit=1 << 20)
    one.receive(frame(TEXT, b"x"))
    piece = frame(CONT, b"x") * 1000
    tracemalloc.start()
    try:
        for _ in range(50):
            one.receive(piece)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 400_000
    assert one.receive(frame(FIN | CONT)) == ["x" * 50001]
