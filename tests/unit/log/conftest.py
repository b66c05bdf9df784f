"""Keeps the process's loggers as they were: each test sets them up anew."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def untouched_loggers() -> Iterator[None]:
    names = ("", "gunicorn.error", "gunicorn.access")
    before = [(log := logging.getLogger(name), log.level, log.propagate, log.handlers[:]) for name in names]
    yield
    for log, level, propagate, handlers in before:
        for handler in set(log.handlers) - set(handlers):
            handler.close()
        log.setLevel(level)
        log.propagate, log.disabled = propagate, False
        log.handlers[:], log.filters[:] = handlers, []


@pytest.fixture
def error_file(tmp_path: Path) -> Path:
    return tmp_path / "error.log"


@pytest.fixture
def access_file(tmp_path: Path) -> Path:
    return tmp_path / "access.log"
