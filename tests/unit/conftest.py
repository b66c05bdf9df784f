"""What holds for every unit test: loggers are as the process started with them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def own_loggers() -> Iterator[None]:
    """The loggers are the process's: a test that sets them up must not speak for the next."""
    before = [
        (log := logging.getLogger(name), log.level, log.propagate, log.handlers[:])
        for name in ("gunicorn.error", "gunicorn.access")
    ]
    yield
    for log, level, propagate, handlers in before:
        log.setLevel(level)
        log.propagate, log.disabled = propagate, False
        log.handlers[:], log.filters[:] = handlers, []
