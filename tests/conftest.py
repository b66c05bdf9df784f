"""What every test may use: the worker classes, the `slow` marker, a folder for a rewritable application."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.deploy import Deploy
from tests.support.server import WORKER_CLASSES


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than about three seconds; leave out with -m 'not slow'")


@pytest.fixture(params=WORKER_CLASSES)
def worker(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Command line of each worker class in turn."""
    return ("-k", "gthread", "--threads", "4") if request.param == "gthread" else ("-k", str(request.param))


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """An application whose source a test may replace while it is served."""
    return Deploy(tmp_path)
