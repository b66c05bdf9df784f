"""What every test may use: the worker classes, a folder for a rewritable application."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.deploy import Deploy
from tests.support.server import WORKER_CLASSES


@pytest.fixture(params=WORKER_CLASSES)
def worker(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Command line of each worker class in turn."""
    return ("-k", "gthread", "--threads", "4") if request.param == "gthread" else ("-k", str(request.param))


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """An application whose source a test may replace while it is served."""
    return Deploy(tmp_path)
