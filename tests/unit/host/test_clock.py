"""Dates against the standard library's own formatter, and the two clocks of suspension."""

import locale
from email.utils import formatdate, parsedate_to_datetime

import pytest

from gunicorn.host import clock


@pytest.mark.parametrize("epoch", [0, 784111777, 951782400, 1709164799, 1709164800, 4102444799, 2**31])
def test_imf_fixdate(epoch):
    assert clock.imf_fixdate(epoch) == formatdate(epoch, usegmt=True)


def test_example_of_the_rfc():
    assert clock.imf_fixdate(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_every_day_and_month():
    for day in range(400):
        epoch = 1_700_000_000 + day * 86_400
        assert clock.imf_fixdate(epoch) == formatdate(epoch, usegmt=True)


def test_http_date_is_now(monkeypatch):
    monkeypatch.setattr(clock.time, "time", lambda: 784111777.9)
    first = clock.http_date()
    assert first == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert clock.http_date() is first
    monkeypatch.setattr(clock.time, "time", lambda: 784111778.0)
    assert clock.http_date() == "Sun, 06 Nov 1994 08:49:38 GMT"
    monkeypatch.undo()
    assert parsedate_to_datetime(clock.http_date()).utcoffset().total_seconds() == 0


def test_locale_changes_nothing():
    before = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert clock.imf_fixdate(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    finally:
        locale.setlocale(locale.LC_TIME, before)


def test_time_lost_in_suspension(monkeypatch):
    before = clock.suspended_ns()
    assert clock.suspended_since(before) < 1_000_000_000
    monkeypatch.setattr(clock, "suspended_ns", lambda: before + 5_000_000_000)
    assert clock.suspended_since(before) == 5_000_000_000
    monkeypatch.setattr(clock, "suspended_ns", lambda: before - 10)
    assert clock.suspended_since(before) == 0
