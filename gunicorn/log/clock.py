"""The time as log lines write it, formatted once a second.

Month names are English whatever the locale (Common Log Format); the zone is the machine's own.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Final

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def common_log_time(seconds: float) -> str:
    """`seconds` since the epoch as "[31/Jan/2026:12:00:00 +0000]"."""
    at = time.localtime(seconds)
    sign = "-" if at.tm_gmtoff < 0 else "+"
    hours, minutes = divmod(abs(at.tm_gmtoff) // 60, 60)
    return (
        f"[{at.tm_mday:02d}/{MONTHS[at.tm_mon - 1]}/{at.tm_year:04d}"
        f":{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} {sign}{hours:02d}{minutes:02d}]"
    )


def utc_time(seconds: float) -> str:
    """`seconds` since the epoch as RFC 3339 UTC with milliseconds: "2026-01-31T12:00:00.123Z"."""
    return f"{_utc_second(int(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


@lru_cache(maxsize=4)
def _utc_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


class SecondClock:
    """`text` for the current second; callers compare `second` themselves, so that most lines enter no frame."""

    __slots__ = ("second", "text")

    def __init__(self) -> None:
        self.second = 0
        self.text = ""

    def tick(self, second: int) -> None:
        """Formats `second`. Text first: whoever sees the new second sees its text (threads share this)."""
        self.text = common_log_time(second)
        self.second = second
