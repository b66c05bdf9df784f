"""The wire target runs, and its invariants see what they are there for: each is shown something that is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fuzz import wire_invariants
from fuzz.invariants import Finding
from gunicorn.wire.frames import Frame, FrameReader, Kind
from gunicorn.wire.messages import Route
from gunicorn.wire.values import decode, encode

ROOT = Path(__file__).resolve().parents[2]
RECORD = b"".join(encode({"a": 1}))


def test_runs_bounded_and_finds_nothing() -> None:
    command = [sys.executable, str(ROOT / "fuzz" / "fuzz_wire.py"), "--seconds", "0.5", "--engine", "mutation"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"wire: no finding; \d+ inputs in [\d.]+ s \(mutation, seed 0\), .*\n", done.stdout)


@pytest.mark.parametrize("data", wire_invariants.seed_streams())
def test_nothing_is_found_where_nothing_is_wrong(data: bytes) -> None:
    assert wire_invariants.check_wire(data)


@pytest.mark.parametrize("data", wire_invariants.dictionary())
def test_nor_in_a_word_of_the_dictionary(data: bytes) -> None:
    assert wire_invariants.check_wire(data)


def test_a_verdict_that_depends_on_the_split() -> None:
    data = wire_invariants.seed_streams()[-1]
    verdict = wire_invariants.ending(FrameReader(limit=wire_invariants.LIMIT), [data])
    assert len(verdict.frames) == 10
    wire_invariants.check_splits(data, verdict)
    with pytest.raises(Finding, match="split"):
        wire_invariants.check_splits(data, verdict._replace(frames=verdict.frames[:-1]))


def test_a_reader_that_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_invariants, "FIRST_ROOM", 1)
    with pytest.raises(Finding, match="bytes kept"):
        wire_invariants.check_held(b"GD\x01\x01\x00\x10\x00\x00" + bytes(8))


@pytest.mark.parametrize(
    ("name", "wrong", "data", "words"),
    [
        ("decode", lambda data: None, b"\x99", "one reader alone"),
        ("plain_reader", lambda data: 5, b"\x99", "one reader alone"),
        ("decode", lambda data: 5, RECORD, "not the bytes"),
        ("plain_reader", lambda data: 5, RECORD, "not the bytes"),
        ("leading", lambda data: {}, RECORD, "leading fields"),
    ],
)
def test_a_reader_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Any, data: bytes, words: str
) -> None:
    wire_invariants.check_payload(data)
    monkeypatch.setattr(wire_invariants, name, wrong)
    with pytest.raises(Finding, match=words):
        wire_invariants.check_payload(data)


def test_messages_that_are_not_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    request = {"app_path": "a", "action": "b", "args": [], "kwargs": {}}
    frame = Frame(Kind.REQUEST, 1, b"".join(encode(request)))
    assert wire_invariants.check_frame(frame) == "Request"
    monkeypatch.setattr(wire_invariants, "read_route", lambda payload: Route("b", "a", None, None))
    with pytest.raises(Finding, match="another route"):
        wire_invariants.check_frame(frame)
    spellings = iter((b"one", b"other"))
    monkeypatch.setattr(wire_invariants, "spelled", lambda message: next(spellings))
    with pytest.raises(Finding, match="not the same message"):
        wire_invariants.check_frame(frame)


def test_both_readers_agree_on_what_numbers_are() -> None:
    for value in (-1, 1 << 62, 0.1, -0.0):
        data = b"".join(encode(value))
        assert decode(data) == wire_invariants.plain_reader(data) == value
