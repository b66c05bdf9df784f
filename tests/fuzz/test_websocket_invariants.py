"""The WebSocket target runs, and its invariants see what they are there for: each is shown something that is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import websocket_invariants
from fuzz.invariants import Finding
from gunicorn.protocol.websocket.connection import WebSocket
from gunicorn.protocol.websocket.events import Closed, State
from tests.support.websocket_frames import Verdict, ending, frame, machine, text

ROOT = Path(__file__).resolve().parents[2]


def test_runs_bounded_and_finds_nothing() -> None:
    command = [sys.executable, str(ROOT / "fuzz" / "fuzz_websocket.py"), "--seconds", "0.5", "--engine", "mutation"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"websocket: no finding; \d+ inputs in [\d.]+ s \(mutation, seed 0\), .*\n", done.stdout)


@pytest.mark.parametrize("data", websocket_invariants.seed_frames())
def test_nothing_is_found_where_nothing_is_wrong(data: bytes) -> None:
    assert websocket_invariants.check_websocket(data)


def test_an_end_that_is_not_one() -> None:
    closed = Closed(1006, "")
    for events, state in (([], State.CLOSED), ([closed, "x"], State.CLOSED), ([closed, closed], State.CLOSED)):
        with pytest.raises(Finding, match="one end"):
            websocket_invariants.check_end(Verdict(events, b"", State.OPEN, state), 100)
    with pytest.raises(Finding, match="one end"):
        websocket_invariants.check_end(Verdict([closed], b"", State.OPEN, State.OPEN), 100)


def test_a_message_beyond_the_limit() -> None:
    with pytest.raises(Finding, match="6 bytes"):
        websocket_invariants.check_end(Verdict(["µµµ", Closed(1006, "")], b"", State.OPEN, State.CLOSED), 5)


def test_a_verdict_that_depends_on_the_split() -> None:
    verdict = ending(machine(), [text("x")])
    websocket_invariants.check_splits(text("x"), verdict, 0, [])
    with pytest.raises(Finding, match="split"):
        websocket_invariants.check_splits(text("x"), verdict._replace(said=b"?"), 0, [])


def test_a_machine_that_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    data = frame(0x82, b"x" * 900)
    websocket_invariants.check_held(data, 900, [])
    monkeypatch.setattr(websocket_invariants, "machine", lambda **_: machine())
    with pytest.raises(Finding, match="bytes kept"):
        websocket_invariants.check_held(data, 300, [])


def test_another_reading_than_the_library_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: WebSocket, data: bytes) -> tuple[str]:
        return ("something else",)

    websocket_invariants.check_library(text("x"))
    monkeypatch.setattr(WebSocket, "receive", wrong)
    with pytest.raises(Finding, match="other messages"):
        websocket_invariants.check_library(text("x"))
