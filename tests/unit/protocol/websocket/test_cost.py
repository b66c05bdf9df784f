"""How many Python frames a message costs in the machine: deterministic, so a budget (docs/ARCHITECTURE.md)."""

from __future__ import annotations

import sys

import pytest

from tests.support.websocket_frames import DEFLATE, FIN, RSV1, TEXT, Deflater, frame, machine


@pytest.mark.parametrize(
    ("first", "extensions", "budget"),
    [(FIN | TEXT, (), 5), (FIN | RSV1 | TEXT, DEFLATE, 35)],
    ids=["plain", "compressed"],
)
def test_an_echo_of_128_bytes(first, extensions, budget):
    """The library alone takes 23 for a plain one."""
    one = machine(limit=1 << 20, extensions=extensions)
    deflate = Deflater()
    frames: list[str] = []

    def count(entered, event, _):
        if event == "call":
            frames.append(entered.f_code.co_name)

    for _ in range(3):
        data = frame(first, deflate(b"x" * 128) if extensions else b"x" * 128)
        frames.clear()
        sys.setprofile(count)
        (message,) = one.receive(data)
        one.send_text(message)
        sys.setprofile(None)
    assert 2 <= len(frames) <= budget, frames
