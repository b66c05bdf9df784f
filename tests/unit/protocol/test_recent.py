"""The bounded memory: what it keeps, what it forgets, and that a flood costs the others nothing lasting."""

from __future__ import annotations

import pytest

from gunicorn.protocol.recent import Recent


class Lengths(Recent[int]):
    __slots__ = ("asked",)

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.asked: list[str] = []

    def learn(self, key: str) -> int:
        self.asked.append(key)
        if key == "bad":
            raise ValueError(key)
        return len(key)


def test_learns_once():
    recent = Lengths(capacity=4)
    assert [recent["abc"], recent["abc"]] == [3, 3]
    assert recent.asked == ["abc"]


def test_keeps_no_error_and_no_long_key():
    recent = Lengths(capacity=4, longest=3)
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            recent["bad"]
        assert recent["abcd"] == 4
    assert recent.asked == ["bad", "abcd"] * 2
    assert not recent


def test_keeps_no_unkept_answer():
    recent = Lengths(capacity=4, unkept=0)
    assert [recent[""], recent[""]] == [0, 0]
    assert recent.asked == ["", ""]


def test_flood_is_bounded_and_what_is_used_survives_it():
    recent = Lengths(capacity=8)
    for number in range(1000):
        recent[f"junk{number}"]
        assert recent["used"] == 4
        assert len(recent) <= 8
        assert len(recent._old) <= 8
    assert recent.asked.count("used") == 1


def test_learn_must_be_given():
    with pytest.raises(NotImplementedError):
        Recent()["x"]
