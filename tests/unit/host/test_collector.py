"""Thresholds of the collector: raised for a while, and left alone where somebody else decided."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gunicorn.host.collector import FAR_APART, rare_passes


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before, enabled = gc.get_threshold(), gc.isenabled()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)
    gc.enable() if enabled else gc.disable()


def test_raised_inside_and_as_before_outside() -> None:
    with rare_passes():
        assert gc.get_threshold()[0] == FAR_APART
    assert gc.get_threshold()[0] == 700


def test_as_before_after_a_failure() -> None:
    with pytest.raises(ValueError, match="broken"), rare_passes():
        raise ValueError("broken")
    assert gc.get_threshold()[0] == 700


@pytest.mark.parametrize("chosen", [0, 5000, 200_000])
def test_what_the_body_chooses_stays(chosen: int) -> None:
    with rare_passes():
        gc.set_threshold(chosen)
    assert gc.get_threshold()[0] == chosen


@pytest.mark.parametrize("chosen", [0, 200_000])
def test_what_was_chosen_before_stays(chosen: int) -> None:
    gc.set_threshold(chosen)
    with rare_passes():
        assert gc.get_threshold()[0] == chosen
    assert gc.get_threshold()[0] == chosen


def test_a_collector_switched_off_inside_stays_off() -> None:
    with rare_passes():
        gc.disable()
    assert not gc.isenabled()
