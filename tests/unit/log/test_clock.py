from __future__ import annotations

import os
import re
import time

import pytest

from gunicorn.log.clock import SecondClock, common_log_time, utc_time


@pytest.fixture
def zone(request: pytest.FixtureRequest):
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "[31/Jan/2026:12:00:00 +0000]"),
        ("<+0530>-5:30", "[31/Jan/2026:17:30:00 +0530]"),
        ("<-0330>3:30", "[31/Jan/2026:08:30:00 -0330]"),
    ],
    indirect=["zone"],
)
def test_common_log_time_says_the_zone(zone: str, text: str) -> None:
    assert common_log_time(1769860800) == text


def test_utc_time_is_rfc_3339_with_milliseconds() -> None:
    assert utc_time(1769860800.0078) == "2026-01-31T12:00:00.007Z"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", utc_time(time.time()))


def test_second_clock_keeps_the_text_of_its_second() -> None:
    clock = SecondClock()
    clock.tick(1769860800)
    assert (clock.second, clock.text) == (1769860800, common_log_time(1769860800))
