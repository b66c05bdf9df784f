"""Clocks: monotonic nanoseconds, the HTTP date of this second, and time lost in suspension.

The one place that formats the date of responses, in English whatever the locale, once a second.
"""

from __future__ import annotations

import sys
import time
from time import monotonic_ns

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_cached_second = -1
_cached_date = ""


def http_date() -> str:
    """Now as IMF-fixdate (RFC 9110 5.6.7), "Sun, 06 Nov 1994 08:49:37 GMT"; formatted once a second."""
    global _cached_second, _cached_date
    second = int(time.time())
    if second != _cached_second:
        _cached_date = imf_fixdate(second)
        _cached_second = second
    return _cached_date


def imf_fixdate(epoch: float) -> str:
    """The given time in IMF-fixdate; `epoch` in seconds."""
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(epoch)
    return f"{_DAYS[weekday]}, {day:02d} {_MONTHS[month - 1]} {year:04d} {hour:02d}:{minute:02d}:{second:02d} GMT"


def suspended_ns() -> int:
    """Nanoseconds the machine has spent suspended since it booted; 0 where that cannot be known.

    Linux' monotonic clock stands still in suspension and CLOCK_BOOTTIME goes on: this is their distance.
    """
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - monotonic_ns()
    return 0


def suspended_since(before: int) -> int:
    """Nanoseconds spent suspended since `suspended_ns()` returned `before`; never negative.

    Reading two clocks one after the other leaves a few microseconds of noise: compare with something
    larger, such as a second.
    """
    return max(0, suspended_ns() - before)


__all__ = ["http_date", "imf_fixdate", "monotonic_ns", "suspended_ns", "suspended_since"]
